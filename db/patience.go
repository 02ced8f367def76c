package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/jmoiron/sqlx"
)

const (
	// writeWait is how long a writer waits for its turn: for SQLite's one write handle and for
	// other processes together, for PostgreSQL's pool alone.
	writeWait = 5 * time.Second
	// readPatience bounds a statement outside of a transaction whose context has no deadline:
	// a server that stands still does not answer, and does not hang up either.
	readPatience = 15 * time.Second
	// wakePatience bounds the question whether a connection that rested still stands. Two are
	// asked before a new one is made.
	wakePatience = 2 * time.Second
	wholeTries   = 3 // of a transaction that PostgreSQL took back
)

// begin waits for the write handle, and no longer than writeWait in all. The connection is
// to be closed after the transaction.
func (d *DB) begin(ctx context.Context) (*sqlx.Tx, *sqlx.Conn, error) {
	start := time.Now()
	wait, cancel := context.WithTimeout(ctx, writeWait)
	defer cancel()
	conn, err := d.Write.Connx(wait)
	if err != nil {
		return nil, nil, fmt.Errorf("wait for the write handle: %w", err)
	}
	tx, err := d.beginOn(ctx, conn, time.Since(start))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("begin: %w", err), conn.Close())
	}
	return tx, conn, nil
}

// beginOn: who waited for the handle has that much less to wait for other processes.
func (d *DB) beginOn(ctx context.Context, conn *sqlx.Conn, waited time.Duration) (*sqlx.Tx, error) {
	if d.Dialect == SQLite && waited > 100*time.Millisecond {
		left := max(writeWait-waited, time.Millisecond)
		if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", left.Milliseconds())); err != nil {
			return nil, err
		}
		defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), busyTimeout) }()
	}
	return conn.BeginTxx(ctx, nil)
}

var busyTimeout = fmt.Sprintf("PRAGMA busy_timeout = %d", writeWait.Milliseconds())

// patient makes PostgreSQL connections whose statements end by themselves.
type patient struct{ driver.Connector }

func patientConnector(c *pgx.ConnConfig) driver.Connector {
	return patient{stdlib.GetConnector(*c, stdlib.OptionAfterConnect(durable))}
}

// durable keeps a server that was set to answer before a commit is on its disk from doing
// so to us: what was acknowledged, and above all what is about to be signed, must outlive
// it. A stronger setting of the server stays.
func durable(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
	return err
}

func (p patient) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := c.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the PostgreSQL driver gives a connection of type %T", c), c.Close())
	}
	return &patientConn{full}, nil
}

type patientConn struct{ *stdlib.Conn }

// ResetSession is called before a connection is used again.
func (c *patientConn) ResetSession(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wakePatience)
	defer cancel()
	return c.Conn.ResetSession(ctx)
}

func patiently(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, readPatience)
}

func (c *patientConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	ctx, cancel := patiently(ctx)
	defer cancel()
	return c.Conn.ExecContext(ctx, text, args)
}

func (c *patientConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	ctx, cancel := patiently(ctx)
	rows, err := c.Conn.QueryContext(ctx, text, args)
	if err != nil {
		cancel()
		return nil, err
	}
	full, ok := rows.(*stdlib.Rows)
	if !ok {
		cancel()
		return nil, errors.Join(fmt.Errorf("the PostgreSQL driver gives rows of type %T", rows), rows.Close())
	}
	return &patientRows{full, cancel}, nil
}

// patientRows end the wait when they are closed.
type patientRows struct {
	*stdlib.Rows
	cancel context.CancelFunc
}

func (r *patientRows) Close() error {
	defer r.cancel()
	return r.Rows.Close()
}
