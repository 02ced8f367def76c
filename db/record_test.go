package db_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"

	"countersign/db"
)

// statement is one that the store really sent, with its values.
type statement struct {
	text string
	args []any
}

// recorder stands between database/sql and the driver, so that plans are asked for what
// the store sends and not for a copy of it in a test.
type recorder struct {
	mu   sync.Mutex
	seen []statement
}

// record puts a recorder before both handles of d.
func record(t *testing.T, d *db.DB) *recorder {
	t.Helper()
	r := &recorder{}
	wrap := func(h *sqlx.DB, max int) *sqlx.DB {
		pool := sql.OpenDB(&recordingConnector{handle: h.DB, r: r})
		pool.SetMaxOpenConns(max)
		t.Cleanup(func() { _ = pool.Close() })
		return sqlx.NewDb(pool, h.DriverName())
	}
	d.Read = wrap(d.Read, 2)
	d.Write = wrap(d.Write, 1)
	return r
}

// take answers the statements since the last call that have a plan worth asking for.
func (r *recorder) take() []statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []statement
	for _, s := range r.seen {
		if !strings.HasPrefix(s.text, "INSERT") && !strings.Contains(s.text, "pg_advisory") {
			out = append(out, s)
		}
	}
	r.seen = nil
	return out
}

// recordingConnector borrows connections of the handle's own pool for good.
type recordingConnector struct {
	handle *sql.DB
	r      *recorder
}

func (c *recordingConnector) Driver() driver.Driver { return c.handle.Driver() }

func (c *recordingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	borrowed, err := c.handle.Conn(ctx)
	if err != nil {
		return nil, err
	}
	rc := &recordingConn{borrowed: borrowed, r: c.r}
	err = borrowed.Raw(func(raw any) error {
		rc.Conn = raw.(driver.Conn)
		return nil
	})
	return rc, err
}

type recordingConn struct {
	driver.Conn
	borrowed *sql.Conn
	r        *recorder
}

func (c *recordingConn) Close() error { return c.borrowed.Close() }

func (c *recordingConn) note(text string, named []driver.NamedValue) {
	s := statement{text: text}
	for _, n := range named {
		s.args = append(s.args, n.Value)
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	c.r.seen = append(c.r.seen, s)
}

func (c *recordingConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	c.note(text, args)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, text, args)
}

func (c *recordingConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	c.note(text, args)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, text, args)
}

func (c *recordingConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

// CheckNamedValue lets the driver see values as they are, where it wants to.
func (c *recordingConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.Conn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}
