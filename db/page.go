package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	usualPage   = 50
	largestPage = 500
	countedTo   = 1000 // counts on filter buttons stop here: "1000+"
)

// ErrCursor is answered for a cursor that no listing gave.
var ErrCursor = errors.New("this page of the list cannot be found; start again from its beginning")

// cursor is the place of a row in a keyset-paged list. The identities of the rows before
// do not matter, so a list stays right while rows come and go.
type cursor struct {
	at int64
	id string
}

// Cursor writes the place of a row as the domains' Cursor methods do: milliseconds, then
// the id.
func Cursor(at time.Time, id string) string {
	return strconv.FormatInt(at.UnixMilli(), 10) + "_" + id
}

// parseCursor reads what Cursor wrote; an empty one is the beginning.
func parseCursor(s string) (c cursor, ok bool, err error) {
	if s == "" {
		return cursor{}, false, nil
	}
	n, id, found := strings.Cut(s, "_")
	c.id = id
	c.at, err = strconv.ParseInt(n, 10, 64)
	if err != nil || !found || len(id) > 200 {
		return cursor{}, false, ErrCursor
	}
	return c, true, nil
}

func limit(n int) int {
	switch {
	case n <= 0:
		return usualPage
	case n > largestPage:
		return largestPage
	}
	return n
}

// byEach runs one indexed query for each value and merges their pages. `state IN (…)`
// with an order would make the database read and sort every row of those states; each
// query here stops after a page.
func byEach[V ~string, R any](values []V, n int, before func(a, b R) int, query func(V) ([]R, error)) ([]R, error) {
	var all []R
	for _, v := range slices.Compact(slices.Sorted(slices.Values(values))) {
		rows, err := query(v)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	slices.SortStableFunc(all, before)
	return all[:min(n, len(all))], nil
}

// counts counts rows by state, each at most 1000, in one statement that touches the
// index only. For a table without an owner, order is the column after the state in that
// index: without it PostgreSQL may read the table instead, in the hope of finding 1000 soon.
func counts[S ~string](ctx context.Context, d *DB, table, order, where string, args []any, states []S) (map[S]int, error) {
	var parts []string
	var all []any
	if order != "" {
		order = " ORDER BY " + order
	}
	for _, s := range states {
		parts = append(parts, fmt.Sprintf("SELECT %s AS state, (SELECT COUNT(*) FROM (SELECT 1 FROM %s WHERE %s AND state = %s%s LIMIT %d) AS found) AS n",
			quote(string(s)), table, where, quote(string(s)), order, countedTo))
		all = append(all, args...)
	}
	var rows []struct {
		State string `db:"state"`
		N     int    `db:"n"`
	}
	if err := d.Read.SelectContext(ctx, &rows, d.Read.Rebind(strings.Join(parts, " UNION ALL ")), all...); err != nil {
		return nil, fmt.Errorf("count %s: %w", table, err)
	}
	out := make(map[S]int, len(rows))
	for _, r := range rows {
		if r.N > 0 {
			out[S(r.State)] = r.N
		}
	}
	return out, nil
}

// holds is the condition that a text stands anywhere in a column, in any case; its value is
// the text in lower case. It is no LIKE: PostgreSQL expects next to no rows of a pattern
// that begins with %, and reads all that an owner has rather than walk an index until a
// page is full.
func (d *DB) holds(column string) string {
	position := "instr"
	if d.Dialect == Postgres {
		position = "strpos"
	}
	return position + "(lower(" + column + "), ?) > 0"
}
