package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jmoiron/sqlx"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func init() {
	sqlx.BindDriver("sqlite", sqlx.QUESTION)
	// SQLite's own lower knows ASCII only; names are searched in any script.
	sqlite.MustRegisterDeterministicScalarFunction("lower", 1,
		func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
			switch v := args[0].(type) {
			case string:
				return strings.ToLower(v), nil
			case []byte:
				return strings.ToLower(string(v)), nil
			default:
				return v, nil
			}
		})
}

// openSQLite opens a write handle with one connection and a read handle that refuses to
// write. One writer is what keeps commits short: a pool that competes for the file's lock
// was measured to stall for seconds.
func (d *DB) openSQLite(ctx context.Context, path string, readers int) error {
	if path == "" || strings.Contains(path, ":memory:") {
		return errors.New("the SQLite address needs the path of a file, as in sqlite:data/portal.db")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("find %s: %w", path, err)
	}
	// SQLite gives the -wal and -shm files the mode of this one.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("open the database file: %w", err)
	}
	const always = "_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	name := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String()
	write, err := openKeeping(name+"?"+always+"&_txlock=immediate", 1)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	if err := write.PingContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("open the database: %w", err), write.Close())
	}
	if readers <= 0 {
		readers = 4
	}
	read, err := openKeeping(name+"?"+always+"&_pragma=query_only(1)", readers)
	if err != nil {
		return errors.Join(fmt.Errorf("open the database: %w", err), write.Close())
	}
	d.Write, d.Read, d.Dialect = write, read, SQLite
	return nil
}

// sqliteConflict reports whether err says that a unique index or key was hit.
func sqliteConflict(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE || e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
}
