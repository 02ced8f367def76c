package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
	"countersign/mail"
)

// told is the part that every domain's Change has: what is written beside the states.
type told struct {
	entries []audit.Entry
	mail    []mail.Message
	jobs    []dueJob
	topics  []string
}

type dueJob struct {
	job any
	at  time.Time
}

// apply runs the domain's writes and the common ones in one transaction, and announces
// the topics once it is committed.
func (d *DB) apply(ctx context.Context, t told, write func(ctx context.Context, tx *sqlx.Tx) error) error {
	announce := func() {}
	err := d.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := write(ctx, tx); err != nil {
			return err
		}
		if err := d.AddEntries(ctx, tx, t.entries...); err != nil {
			return err
		}
		if err := d.AddMail(ctx, tx, t.mail...); err != nil {
			return err
		}
		if err := d.enqueue(ctx, tx, t.jobs); err != nil {
			return err
		}
		var err error
		announce, err = d.AnnounceIn(ctx, tx, t.topics...)
		return err
	})
	if err != nil {
		return err
	}
	announce()
	return nil
}

func (d *DB) enqueue(ctx context.Context, tx *sqlx.Tx, jobs []dueJob) error {
	if len(jobs) > 0 && d.queue == nil {
		return errors.New("a change has jobs, but no queue was set")
	}
	for _, j := range jobs {
		if err := d.queue.Enqueue(ctx, tx.Tx, j.job, j.at); err != nil {
			return fmt.Errorf("enqueue %T: %w", j.job, err)
		}
	}
	return nil
}

// AddMail writes messages to the outbox within tx. A second message about the same event
// is dropped: one mail for one event.
func (d *DB) AddMail(ctx context.Context, tx *sqlx.Tx, messages ...mail.Message) error {
	const insert = `INSERT INTO outbox (id, recipient, subject, body, language, about, created_at, due_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (about) DO NOTHING`
	for _, m := range messages {
		id, err := d.idOr(m.ID)
		if err != nil {
			return err
		}
		now := d.now()
		if m.DueAt.IsZero() {
			m.DueAt = now
		}
		if m.About == "" {
			m.About = id
		}
		if _, err := tx.ExecContext(ctx, tx.Rebind(insert), id, m.To, m.Subject, m.Text, m.Language, m.About, ms(now), ms(m.DueAt)); err != nil {
			return fmt.Errorf("write to the outbox: %w", err)
		}
	}
	return nil
}

func (d *DB) idOr(id string) (string, error) {
	if id != "" {
		return id, nil
	}
	return d.newID()
}

// toJSON writes what is kept as TEXT. The types are our own and always encode.
func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("db: " + err.Error())
	}
	return string(b)
}

func fromJSON[T any](s string) (v T, err error) {
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return v, fmt.Errorf("read stored JSON: %w", err)
	}
	return v, nil
}
