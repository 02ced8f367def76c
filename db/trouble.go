package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Trouble is why the database could not do what is right in itself. Such an error passes
// by itself or by an operator's hand; nothing in the request is wrong.
type Trouble string

// The kinds of trouble.
const (
	Busy     Trouble = "busy"      // others hold what is needed, or it took too long
	Away     Trouble = "away"      // it cannot be reached, or is starting or stopping
	Full     Trouble = "full"      // no room to write
	ReadOnly Trouble = "read_only" // it takes no changes
)

// Trouble sorts an error of this database; empty for anything that is no such trouble. An
// answer that was lost is trouble too, so it never says that nothing was changed.
func (d *DB) Trouble(err error) Trouble {
	if err == nil {
		return ""
	}
	if d.Dialect == SQLite {
		return sqliteTrouble(err)
	}
	return postgresTrouble(err)
}

func sqliteTrouble(err error) Trouble {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return waitedTooLong(err)
	}
	switch e.Code() & 0xff { // the rest says where
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT:
		return Busy
	case sqlite3.SQLITE_FULL:
		return Full
	case sqlite3.SQLITE_READONLY:
		return ReadOnly
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return Away
	}
	return ""
}

func postgresTrouble(err error) Trouble {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		// PostgreSQL's appendix A: the first two characters are the class.
		switch {
		case e.Code == "53100":
			return Full
		case e.Code == "25006":
			return ReadOnly
		case againCode(e.Code), e.Code == "55P03", e.Code == "57014", strings.HasPrefix(e.Code, "53"):
			return Busy
		case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "57P"), strings.HasPrefix(e.Code, "58"), e.Code == "25P03":
			return Away
		}
		return ""
	}
	if t := waitedTooLong(err); t != "" {
		return t
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return Away
	}
	return ""
}

func waitedTooLong(err error) Trouble {
	if errors.Is(err, context.DeadlineExceeded) {
		return Busy
	}
	return ""
}

// again reports whether PostgreSQL took a transaction back whole, so that running it once
// more from its beginning is safe.
func again(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && againCode(e.Code)
}

// againCode: serialization failure, deadlock.
func againCode(code string) bool { return code == "40001" || code == "40P01" }
