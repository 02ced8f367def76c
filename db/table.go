package db

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
)

// errConflict is mapped to the domain's own ErrConflict at the edge of each store.
var errConflict = errors.New("changed meanwhile")

// table is what is needed to write and read rows of one struct with `db` tags: the
// column list is said once, in the struct.
type table[R any] struct {
	name    string
	columns string // for SELECT
	insert  string
	update  string // compare and swap: id, state and version must be as before
}

// newTable reads the columns from R's tags. Columns named in keep are inserted, but not
// written by an update.
func newTable[R any](name string, keep ...string) table[R] {
	var cols, sets []string
	t := reflect.TypeFor[R]()
	for i := range t.NumField() {
		c := t.Field(i).Tag.Get("db")
		cols = append(cols, c)
		switch {
		case c == "id" || slices.Contains(keep, c):
		case c == "version":
			sets = append(sets, "version = version + 1")
		default:
			sets = append(sets, c+" = :"+c)
		}
	}
	return table[R]{
		name:    name,
		columns: strings.Join(cols, ", "),
		insert:  "INSERT INTO " + name + " (" + strings.Join(cols, ", ") + ") VALUES (:" + strings.Join(cols, ", :") + ")",
		update: "UPDATE " + name + " SET " + strings.Join(sets, ", ") +
			" WHERE id = :id AND version = :version AND state = ",
	}
}

// of is the column list under the table's name in a join.
func (t table[R]) of(name string) string {
	return name + "." + strings.ReplaceAll(t.columns, ", ", ", "+name+".")
}

// add inserts one row.
func (t table[R]) add(ctx context.Context, tx *sqlx.Tx, row R) error {
	if _, err := tx.NamedExecContext(ctx, t.insert, row); err != nil {
		return fmt.Errorf("insert into %s: %w", t.name, err)
	}
	return nil
}

// move writes a row that must be in state from and at the row's version. States are
// our own constants, so the one in the statement is quoted here rather than bound.
func (t table[R]) move(ctx context.Context, tx *sqlx.Tx, row R, from string) error {
	res, err := tx.NamedExecContext(ctx, t.update+quote(from), row)
	if err != nil {
		return fmt.Errorf("update %s: %w", t.name, err)
	}
	return one(res.RowsAffected())
}

// put inserts when from is empty, and moves otherwise.
func (t table[R]) put(ctx context.Context, tx *sqlx.Tx, row R, from string) error {
	if from == "" {
		return t.add(ctx, tx, row)
	}
	return t.move(ctx, tx, row, from)
}

// get reads one row; sql.ErrNoRows when there is none.
func (t table[R]) get(ctx context.Context, q *sqlx.DB, where string, args ...any) (R, error) {
	var row R
	err := q.GetContext(ctx, &row, q.Rebind("SELECT "+t.columns+" FROM "+t.name+" WHERE "+where), args...)
	if err != nil {
		return row, fmt.Errorf("read %s: %w", t.name, err)
	}
	return row, nil
}

// list reads rows.
func (t table[R]) list(ctx context.Context, q *sqlx.DB, rest string, args ...any) ([]R, error) {
	var rows []R
	err := q.SelectContext(ctx, &rows, q.Rebind("SELECT "+t.columns+" FROM "+t.name+" WHERE "+rest), args...)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", t.name, err)
	}
	return rows, nil
}

// one answers errConflict unless exactly one row was changed.
func one(n int64, err error) error {
	if err != nil {
		return fmt.Errorf("count changed rows: %w", err)
	}
	if n != 1 {
		return errConflict
	}
	return nil
}

// quote makes an SQL string literal; colons would be read as names by sqlx.
func quote(s string) string { return "'" + quoting.Replace(s) + "'" }

var quoting = strings.NewReplacer("'", "''", ":", "", "?", "")

// ms is a time as stored; 0 for none.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// at is a stored time; the zero time for 0.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
