package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/mail"
)

// Outbox is the store of package mail.
func (d *DB) Outbox() OutboxStore { return OutboxStore{d} }

// OutboxStore is the outbox as delivery and the health page see it.
type OutboxStore struct{ db *DB }

var _ mail.Outbox = OutboxStore{}

type outboxRow struct {
	ID        string `db:"id"`
	Recipient string `db:"recipient"`
	Subject   string `db:"subject"`
	Body      string `db:"body"`
	Language  string `db:"language"`
	About     string `db:"about"`
	CreatedAt int64  `db:"created_at"`
	DueAt     int64  `db:"due_at"`
	Tries     int    `db:"tries"`
	TakenTill int64  `db:"taken_till"`
}

// Claim takes messages that are due. The condition stands twice: a statement that waited
// for another one's row looks at it again, and must not take it a second time.
func (s OutboxStore) Claim(ctx context.Context, now, lease time.Time, n int) ([]mail.Due, error) {
	free := "sent_at = 0 AND failed_at = 0 AND due_at <= ? AND taken_till <= ?"
	skip := ""
	if s.db.Dialect == Postgres {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	// Materialized: as a subquery it may be run once for each row, and takes others every time.
	claim := "WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE " + free + " ORDER BY due_at, id LIMIT ?" + skip + ")" +
		" UPDATE outbox SET taken_till = ?, tries = tries + 1 WHERE " + free + " AND id IN (SELECT id FROM due)" +
		" RETURNING id, recipient, subject, body, language, about, created_at, due_at, tries, taken_till"
	var rows []outboxRow
	err := s.db.InTx(ctx, func(tx *sqlx.Tx) error {
		return tx.SelectContext(ctx, &rows, tx.Rebind(claim), ms(now), ms(now), n, ms(lease), ms(now), ms(now))
	})
	if err != nil {
		return nil, fmt.Errorf("claim mail: %w", err)
	}
	due := make([]mail.Due, 0, len(rows))
	for _, r := range rows {
		due = append(due, mail.Due{
			Message: mail.Message{ID: r.ID, To: r.Recipient, Subject: r.Subject, Text: r.Body, Language: r.Language, About: r.About, DueAt: at(r.DueAt)},
			Tries:   r.Tries, CreatedAt: at(r.CreatedAt), Lease: at(r.TakenTill),
		})
	}
	return due, nil
}

// Sent marks a claimed message as delivered.
func (s OutboxStore) Sent(ctx context.Context, d mail.Due, when time.Time) error {
	return s.decide(ctx, d, "sent_at = ?, trouble = ''", ms(when))
}

// Later lets a claimed message go until then.
func (s OutboxStore) Later(ctx context.Context, d mail.Due, then time.Time, trouble string) error {
	return s.decide(ctx, d, "taken_till = 0, due_at = ?, trouble = ?", ms(then), trouble)
}

// GiveUp marks a claimed message as dead.
func (s OutboxStore) GiveUp(ctx context.Context, d mail.Due, when time.Time, trouble string) error {
	return s.decide(ctx, d, "failed_at = ?, trouble = ?", ms(when), trouble)
}

// decide changes a message only while the lease it was claimed with still stands.
func (s OutboxStore) decide(ctx context.Context, d mail.Due, set string, args ...any) error {
	return s.db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, tx.Rebind("UPDATE outbox SET "+set+" WHERE id = ? AND taken_till = ? AND sent_at = 0 AND failed_at = 0"),
			append(args, d.ID, ms(d.Lease))...)
		if err != nil {
			return fmt.Errorf("mark mail: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("mark mail: %w", mail.ErrLost)
		}
		return nil
	})
}

// Forget empties old messages; the event stays, so that it is never told again.
func (s OutboxStore) Forget(ctx context.Context, before time.Time) (int, error) {
	var n int64
	err := s.db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, tx.Rebind(`UPDATE outbox SET recipient = '', subject = '', body = ''
			WHERE (sent_at > 0 OR failed_at > 0) AND created_at < ? AND recipient <> ''`), ms(before))
		if err != nil {
			return fmt.Errorf("forget mail: %w", err)
		}
		n, err = res.RowsAffected()
		return err
	})
	return int(n), err
}

// Counts tells how many messages wait, how many of them had trouble, and how many are
// dead; each at most 1000.
func (s OutboxStore) Counts(ctx context.Context) (waiting, troubled, dead int, err error) {
	for where, n := range map[string]*int{
		"sent_at = 0 AND failed_at = 0":                   &waiting,
		"sent_at = 0 AND failed_at = 0 AND trouble <> ''": &troubled,
		"failed_at > 0 AND sent_at = 0":                   &dead,
	} {
		query := fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM outbox WHERE %s LIMIT %d) AS found", where, countedTo)
		if err := s.db.Read.GetContext(ctx, n, query); err != nil {
			return 0, 0, 0, fmt.Errorf("count mail: %w", err)
		}
	}
	return waiting, troubled, dead, nil
}
