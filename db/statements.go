package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"
)

// mostKept bounds the compiled statements of one connection. Those of the pages and the
// work are about a hundred; lists of ids and searches add a few shapes of theirs.
const mostKept = 300

// openKeeping opens a SQLite handle whose connections keep the statements they compiled:
// compiling costs more than running most of ours. PostgreSQL's driver does the same.
func openKeeping(name string, conns int) (*sqlx.DB, error) {
	plain, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	defer plain.Close() // it never connects; it only knows the driver with our functions
	pool := sql.OpenDB(keeping{plain.Driver(), name})
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	pool.SetConnMaxLifetime(0)
	return sqlx.NewDb(pool, "sqlite"), nil
}

type keeping struct {
	driver driver.Driver
	name   string
}

func (k keeping) Driver() driver.Driver { return k.driver }

func (k keeping) Connect(context.Context) (driver.Conn, error) {
	c, err := k.driver.Open(k.name)
	if err != nil {
		return nil, err
	}
	full, ok := c.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the SQLite driver gives a connection of type %T, which lacks something", c), c.Close())
	}
	return &keepingConn{sqliteConn: full, kept: map[string]*keptStatement{}}, nil
}

// sqliteConn is what database/sql uses of a connection.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keepingConn is used by one goroutine at a time, as database/sql promises.
type keepingConn struct {
	sqliteConn
	kept map[string]*keptStatement
}

type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type keptStatement struct {
	statement
	busy bool // its rows are still being read
}

// compiled answers the kept statement of a text, nil where it has to be run as it is.
func (c *keepingConn) compiled(ctx context.Context, text string) (*keptStatement, error) {
	if s, ok := c.kept[text]; ok {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(c.kept) >= mostKept || !keepable(text) {
		return nil, nil
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s, ok := prepared.(statement)
	if !ok {
		return nil, prepared.Close()
	}
	c.kept[text] = &keptStatement{statement: s}
	return c.kept[text], nil
}

// keepable leaves out what changes the schema or the connection, and scripts.
func keepable(text string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch word {
	case "SELECT", "INSERT", "UPDATE", "DELETE":
		return !strings.Contains(text, ";")
	}
	return false
}

func (c *keepingConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.compiled(ctx, text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.QueryContext(ctx, text, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &keptRows{rows, s}, nil
}

func (c *keepingConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.compiled(ctx, text)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.sqliteConn.ExecContext(ctx, text, args)
	}
	return s.ExecContext(ctx, args)
}

func (c *keepingConn) Close() error {
	var errs []error
	for _, s := range c.kept {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// keptRows give the statement back when they are closed.
type keptRows struct {
	driver.Rows
	of *keptStatement
}

func (r *keptRows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
