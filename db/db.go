// Package db keeps everything in SQL: one SQLite file, or PostgreSQL.
//
// The domains decide and hand over a Change; one call here writes states, audit
// entries, outbox mail and jobs in one transaction and announces the topics after it.
// Statements are written once with `?`; what differs between the two databases is in
// sqlite.go, postgres.go and the two folders of migrations. Times are BIGINT
// milliseconds in UTC, 0 for none. SQLite has one write handle, shared with the job
// queue, so a transaction must never call the network nor the handle it came from.
// Rules about who may do what are the domains'; the store only guards what must hold
// whoever calls: states, versions, uniqueness, limits and the append-only log.
package db

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
)

// Dialect names the database behind a DB.
type Dialect string

// The dialects; also the names of the folders of migrations.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// patience bounds a transaction whose context has no deadline of its own.
const patience = 30 * time.Second

// Config says which database to open and how.
type Config struct {
	URL      string // "sqlite:PATH", or "postgres://user:password@host/name?sslmode=…"
	MaxConns int    // PostgreSQL: connections of this process, 0 means 16; SQLite: readers, 0 means 4
	Now      func() time.Time
	Rand     io.Reader // for the ids of entries, mails and attempts
	Log      *slog.Logger
}

// Enqueuer puts a job into the queue within a transaction; package jobs has one.
type Enqueuer interface {
	// Enqueue stores the job, which has a Kind() string and ids only. Zero at means at once.
	Enqueue(ctx context.Context, tx *sql.Tx, job any, at time.Time) error
}

// DB is an open database. Use Write inside and for commands, Read for pages.
type DB struct {
	Write   *sqlx.DB // SQLite: one connection, shared with the job queue
	Read    *sqlx.DB // SQLite: refuses to write; PostgreSQL: the same as Write
	Dialect Dialect

	url    string
	queue  Enqueuer
	now    func() time.Time
	random io.Reader
	log    *slog.Logger
	hub    *hub
	listen *listener // PostgreSQL only
}

// Open opens the database without changing it, but for creating an empty SQLite file.
// Call Migrate next.
func Open(ctx context.Context, c Config) (*DB, error) {
	d := &DB{now: c.Now, random: c.Rand, log: c.Log, hub: newHub()}
	if d.now == nil {
		d.now = time.Now
	}
	if d.random == nil {
		d.random = rand.Reader
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	switch {
	case strings.HasPrefix(c.URL, "sqlite:"):
		err = d.openSQLite(ctx, strings.TrimPrefix(c.URL, "sqlite:"), c.MaxConns)
	case strings.HasPrefix(c.URL, "postgres://"), strings.HasPrefix(c.URL, "postgresql://"):
		err = d.openPostgres(ctx, c.URL, c.MaxConns)
	default:
		// The address may hold a password, so it is not repeated.
		err = errors.New("the database address must begin with sqlite: or postgres://")
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// UseQueue sets where the jobs of a Change go. Call it once, before serving.
func (d *DB) UseQueue(q Enqueuer) { d.queue = q }

// Handle is the write handle without sqlx, for the job queue.
func (d *DB) Handle() *sql.DB { return d.Write.DB }

// DialectName is the dialect as a word, for the job queue.
func (d *DB) DialectName() string { return string(d.Dialect) }

// Close stops listening and closes the handles.
func (d *DB) Close() error {
	if d.listen != nil {
		d.listen.stop()
	}
	d.hub.close()
	err := d.Write.Close()
	if d.Read != d.Write {
		err = errors.Join(d.Read.Close(), err)
	}
	return err
}

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	var one int
	if err := d.Read.GetContext(ctx, &one, "SELECT 1"); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// InTx runs f in a transaction on the write handle and commits when f answers nil. A
// context without a deadline gets 30 s. Inside f use only tx: on SQLite any other use of
// Write would wait for this transaction for ever. PostgreSQL may take a transaction back
// whole (a deadlock, a serialization failure): then f runs again from its beginning, three
// times at most. A commit whose answer was lost is never repeated.
func (d *DB) InTx(ctx context.Context, f func(tx *sqlx.Tx) error) (err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	for try := 1; ; try++ {
		err := d.once(ctx, f)
		if err == nil || try == wholeTries || !again(err) || ctx.Err() != nil {
			return err
		}
		d.log.InfoContext(ctx, "a transaction was taken back by the database and runs again", "cause", err)
		d.stepAside(ctx)
	}
}

// stepAside waits up to 50 ms, so that two that met do not meet again.
func (d *DB) stepAside(ctx context.Context) {
	var b [1]byte
	_, _ = io.ReadFull(d.random, b[:])
	select {
	case <-time.After(time.Duration(b[0]) * 200 * time.Microsecond):
	case <-ctx.Done():
	}
}

func (d *DB) once(ctx context.Context, f func(tx *sqlx.Tx) error) error {
	tx, conn, err := d.begin(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// newID makes a UUIDv7: unique, and rising with time so that indexes grow at one end.
func (d *DB) newID() (string, error) {
	id, err := uuid.NewV7FromReader(d.random)
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}
