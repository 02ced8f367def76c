package db

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/people"
	"countersign/work"
)

// Work is the store of package work.
func (d *DB) Work() work.Store { return workStore{d} }

type workStore struct{ *DB }

type workRow struct {
	ID       string `db:"id"`
	Owner    string `db:"owner"`
	Document string `db:"document"`
	Code     string `db:"code"`
	Tries    int    `db:"tries"`
	Since    int64  `db:"since"`
	Next     int64  `db:"next"`
}

const notSettled = " AND NOT EXISTS (SELECT 1 FROM settled x WHERE x.kind = '%s' AND x.id = %s.id)"

// workOf says where items of a kind are found: columns, table, condition and order. One place for
// a time stands in each condition.
func (s workStore) workOf(k work.Kind) (columns, from, order string) {
	settled := func(table string) string { return fmt.Sprintf(notSettled, k, table) }
	switch k {
	case work.Closed:
		return "id, owner, id AS document, reason AS code, 0 AS tries, since, 0 AS next", "documents WHERE state = 'quarantined' AND since <= ?" + settled("documents"), "since, id"
	case work.Unknown:
		return "id, owner, document, reason AS code, 0 AS tries, since, 0 AS next", "signatures WHERE state = 'outcome_unknown' AND since <= ?" + settled("signatures"), "since, id"
	case work.Discarded:
		return "id, owner, document, reason AS code, attempts AS tries, since, 0 AS next", "signatures WHERE state = 'failed' AND signed_at > 0 AND since <= ?" + settled("signatures"), "since, id"
	case work.Finishing:
		return "id, owner, document, waits AS code, attempts AS tries, signed_at AS since, deadline AS next", "signatures WHERE state IN ('signed', 'assembled') AND signed_at <= ?", "signed_at, id"
	case work.Stopped:
		return "id, owner, id AS document, reason AS code, attempts AS tries, since, 0 AS next", "extensions WHERE state = 'stopped' AND since <= ?" + settled("extensions"), "since, id"
	case work.Extending:
		return "id, owner, id AS document, reason AS code, attempts AS tries, since, deadline AS next", "extensions WHERE state = 'waiting' AND since <= ?", "since, id"
	case work.Approval:
		return "id, person AS owner, '' AS document, '' AS code, 0 AS tries, since, look_at AS next", "validations WHERE state = 'approval_unknown' AND since <= ?", "since, id"
	case work.Issuing:
		return "id, person AS owner, '' AS document, '' AS code, 0 AS tries, created_at AS since, look_at AS next", "credentials WHERE state = 'issuance_unknown' AND created_at <= ?", "created_at, id"
	case work.LostMail:
		return "id, '' AS owner, '' AS document, about AS code, tries, created_at AS since, 0 AS next", "outbox WHERE failed_at > 0 AND sent_at = 0 AND failed_at <= ?" + settled("outbox"), "failed_at"
	case work.Mail:
		return "id, '' AS owner, '' AS document, about AS code, tries, created_at AS since, due_at AS next", "outbox WHERE sent_at = 0 AND failed_at = 0 AND trouble <> '' AND created_at <= ?", "due_at, id"
	}
	created, scheduled := millisecondsOf(s.Dialect, "created_at"), millisecondsOf(s.Dialect, "scheduled_at")
	return "CAST(id AS TEXT) AS id, '' AS owner, '' AS document, kind AS code, attempt AS tries, " + created + " AS since, CASE WHEN state = 'retryable' THEN " + scheduled + " ELSE 0 END AS next",
		"river_job WHERE (state = 'retryable' AND attempt >= 3 OR state = 'discarded' AND max_attempts > 1) AND " + created + " <= ?", "id"
}

// millisecondsOf is a time of the job queue as all others are kept.
func millisecondsOf(dialect Dialect, column string) string {
	if dialect == Postgres {
		return "CAST(EXTRACT(EPOCH FROM " + column + ") * 1000 AS BIGINT)"
	}
	return "CAST(strftime('%s', " + column + ") AS INTEGER) * 1000"
}

// Waiting lists items of a kind that began before then.
func (s workStore) Waiting(ctx context.Context, k work.Kind, then time.Time, n int) ([]work.Item, error) {
	columns, from, order := s.workOf(k)
	var rows []workRow
	if err := s.Read.SelectContext(ctx, &rows, s.Read.Rebind("SELECT "+columns+" FROM "+from+" ORDER BY "+order+" LIMIT ?"), ms(then), limit(n)); err != nil {
		return nil, fmt.Errorf("list waiting work: %w", err)
	}
	items := make([]work.Item, 0, len(rows))
	for _, r := range rows {
		items = append(items, work.Item{Kind: k, ID: r.ID, Owner: people.ID(r.Owner), Document: r.Document, Code: strings.SplitN(r.Code, ":", 2)[0],
			Tries: r.Tries, Since: at(r.Since), Next: at(r.Next)})
	}
	return items, nil
}

// Counts counts each kind, in one statement.
func (s workStore) Counts(ctx context.Context, now time.Time) (map[work.Kind]int, error) {
	var parts []string
	var args []any
	for _, k := range work.Kinds() {
		_, from, _ := s.workOf(k)
		parts = append(parts, fmt.Sprintf("SELECT '%s' AS kind, COUNT(*) AS n FROM (SELECT 1 AS one FROM %s LIMIT 100) AS found", k, from))
		args = append(args, ms(now.Add(-k.After())))
	}
	var rows []struct {
		Kind string `db:"kind"`
		N    int    `db:"n"`
	}
	if err := s.Read.SelectContext(ctx, &rows, s.Read.Rebind(strings.Join(parts, " UNION ALL ")), args...); err != nil {
		return nil, fmt.Errorf("count waiting work: %w", err)
	}
	counts := map[work.Kind]int{}
	for _, r := range rows {
		counts[work.Kind(r.Kind)] = r.N
	}
	return counts, nil
}

// WorkAges tells of each kind how much waits, how much of it too long, and since when.
func (d *DB) WorkAges(ctx context.Context, now time.Time) (map[work.Kind]WorkAge, error) {
	var parts []string
	var args []any
	for _, k := range work.Kinds() {
		columns, from, _ := workStore{d}.workOf(k)
		parts = append(parts, fmt.Sprintf(`SELECT '%s' AS kind, COUNT(*) AS n, COALESCE(SUM(CASE WHEN since <= ? THEN 1 ELSE 0 END), 0) AS late, COALESCE(MIN(since), 0) AS oldest
			FROM (SELECT %s FROM %s LIMIT %d) AS found`, k, columns, from, countedTo))
		args = append(args, ms(now.Add(-k.After())), ms(now))
	}
	var rows []struct {
		Kind   string `db:"kind"`
		N      int    `db:"n"`
		Late   int    `db:"late"`
		Oldest int64  `db:"oldest"`
	}
	if err := d.Read.SelectContext(ctx, &rows, d.Read.Rebind(strings.Join(parts, " UNION ALL ")), args...); err != nil {
		return nil, fmt.Errorf("count waiting work and its age: %w", err)
	}
	ages := map[work.Kind]WorkAge{}
	for _, r := range rows {
		ages[work.Kind(r.Kind)] = WorkAge{All: r.N, Late: r.Late, Oldest: at(r.Oldest)}
	}
	return ages, nil
}

// WorkAge is what waits of one kind. Counts stop at 1000, and Oldest is that of those counted.
type WorkAge struct {
	All, Late int       // Late: longer than it should
	Oldest    time.Time // zero: nothing waits
}

// retrier is a queue that can have a job tried again.
type retrier interface {
	Retry(ctx context.Context, tx *sql.Tx, id int64) error
}

// Apply writes the change in one transaction.
func (s workStore) Apply(ctx context.Context, c work.Change) error {
	return s.apply(ctx, told{entries: c.Entries}, func(ctx context.Context, tx *sqlx.Tx) error {
		if c.Settle != nil {
			_, from, _ := s.workOf(c.Settle.Kind)
			table, rest, _ := strings.Cut(from, " ")
			if err := exactly(tx.ExecContext(ctx, tx.Rebind("INSERT INTO settled (kind, id, person, at) SELECT CAST(? AS TEXT), id, CAST(? AS TEXT), CAST(? AS BIGINT) FROM "+table+" "+rest+" AND id = ?"),
				c.Settle.Kind, c.By, ms(s.now()), int64(math.MaxInt64), c.Settle.ID)); err != nil {
				return fmt.Errorf("settle: %w", err)
			}
		}
		if c.Mail != "" {
			now := ms(s.now())
			// What is being sent just now, or has been emptied, is left alone.
			if err := exactly(tx.ExecContext(ctx, tx.Rebind(`UPDATE outbox SET failed_at = 0, taken_till = 0, due_at = ?
				WHERE id = ? AND sent_at = 0 AND recipient <> '' AND (failed_at > 0 OR taken_till <= ?)`), now, c.Mail, now)); err != nil {
				return fmt.Errorf("have a mail sent again: %w", err)
			}
		}
		if c.Job != "" {
			id, err := strconv.ParseInt(c.Job, 10, 64)
			queue, ok := s.queue.(retrier)
			if err != nil || !ok {
				return work.ErrGone
			}
			var state string
			if err := tx.GetContext(ctx, &state, tx.Rebind("SELECT state FROM river_job WHERE id = ?"), id); err != nil || state != "retryable" && state != "discarded" {
				return fmt.Errorf("%w: %q %w", work.ErrGone, state, err)
			}
			return queue.Retry(ctx, tx.Tx, id)
		}
		return nil
	})
}

func exactly(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%w (%d rows, %w)", work.ErrGone, n, err)
	}
	return nil
}
