// Package jobs runs the background work on River, with one code path for SQLite and
// PostgreSQL.
//
// A Queue only inserts: the store calls it inside the transaction that changes a row, so
// a job exists if and only if its change does. Workers call the domain services, through
// interfaces declared here, and hold no state of their own: every job names ids only, may
// run twice, and may run on any replica. What is swept (overdue rows, mail, the audit
// tree) is found by looking, not by a job for each row.
package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// maxTries bounds how often a failed job is tried again; River waits n⁴ seconds after the
// nth try, so the last of 12 is about eleven hours after the first.
const maxTries = 12

// Database is what the queue lives in; *db.DB is one.
type Database interface {
	Handle() *sql.DB     // for writing; SQLite: of one connection
	DialectName() string // "sqlite" or "postgres"
	URL() string         // PostgreSQL: the address, for a connection of the queue's own
}

// Queue inserts jobs and works none.
type Queue struct{ client *river.Client[*sql.Tx] }

// NewQueue makes a queue in the database.
func NewQueue(database Database) (*Queue, error) {
	d, err := driver(database)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(d, &river.Config{MaxAttempts: maxTries, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	return &Queue{client}, nil
}

// Enqueue inserts the job, which must have Kind() string, within tx. Zero at means at once.
func (q *Queue) Enqueue(ctx context.Context, tx *sql.Tx, job any, at time.Time) error {
	args, ok := job.(river.JobArgs)
	if !ok {
		return fmt.Errorf("%T is not a job: it has no Kind", job)
	}
	opts := &river.InsertOpts{}
	if !at.IsZero() {
		opts.ScheduledAt = at
	}
	// Work with a lane of its own is looked after by its row, which knows when to try again.
	if l, ok := job.(interface{ Lane() string }); ok {
		opts.Queue, opts.MaxAttempts = l.Lane(), 1
	}
	if _, err := q.client.InsertTx(ctx, tx, args, opts); err != nil {
		return fmt.Errorf("insert job %s: %w", args.Kind(), err)
	}
	return nil
}

// Retry has a job that failed tried now, once more than it was meant to be.
func (q *Queue) Retry(ctx context.Context, tx *sql.Tx, id int64) error {
	if _, err := q.client.JobRetryTx(ctx, tx, id); err != nil {
		return fmt.Errorf("try job %d again: %w", id, err)
	}
	return nil
}

func driver(database Database) (riverdriver.Driver[*sql.Tx], error) {
	switch name := database.DialectName(); name {
	case "sqlite":
		return riversqlite.New(database.Handle()), nil
	case "postgres":
		return riverdatabasesql.New(database.Handle()), nil
	default:
		return nil, fmt.Errorf("no job queue for the database %q", name)
	}
}
