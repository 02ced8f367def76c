package db

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
)

const countRefusal = `INSERT INTO audit_refusals (hour, kind, person, n) VALUES (?, ?, ?, ?)
	ON CONFLICT (hour, kind, person) DO UPDATE SET n = audit_refusals.n + excluded.n RETURNING n`

func hourOf(t time.Time) int64 { return ms(t.UTC().Truncate(time.Hour)) }

// thin decides whether an entry is written. A refusal that changed nothing is counted: that
// of nobody is a count and no entry, so that strangers cannot fill the log; of one person's
// the first ones of an hour are entries, and then each that doubles their number.
func (d *DB) thin(ctx context.Context, tx *sqlx.Tx, e *audit.Entry) (write bool, err error) {
	nobody := e.Person == "" && (e.System == "" || e.System == "login")
	refused := e.Outcome == audit.Refused || e.Outcome == audit.Failed && nobody
	if !refused || e.To != "" || e.Person == "" && !nobody {
		return true, nil
	}
	var n int64
	kind := e.Action + " " + cmp.Or(e.Reason, "refused")
	if err := tx.GetContext(ctx, &n, tx.Rebind(countRefusal), hourOf(e.At), kind, string(e.Person), 1); err != nil {
		return false, fmt.Errorf("count a refusal: %w", err)
	}
	if nobody {
		return false, nil
	}
	if n <= audit.FirstRefusals {
		return true, nil
	}
	if n%audit.FirstRefusals != 0 || n/audit.FirstRefusals&(n/audit.FirstRefusals-1) != 0 {
		return false, nil
	}
	e.Facts = maps.Clone(e.Facts)
	if e.Facts == nil {
		e.Facts = map[string]string{}
	}
	e.Facts["refusals_this_hour"] = strconv.FormatInt(n, 10)
	return true, nil
}

// CountRefusals adds to the counts of the hour, by their kinds.
func (l AuditLog) CountRefusals(ctx context.Context, now time.Time, counts map[string]int64) error {
	return l.db.InTx(ctx, func(tx *sqlx.Tx) error {
		for _, kind := range slices.Sorted(maps.Keys(counts)) {
			var n int64
			if err := tx.GetContext(ctx, &n, tx.Rebind(countRefusal), hourOf(now), kind, "", counts[kind]); err != nil {
				return fmt.Errorf("count refusals: %w", err)
			}
		}
		return nil
	})
}

// mostCounts bounds what is read of the counts.
const mostCounts = 20_000

// Refusals sums up the counts since a time, by kind, the most frequent first.
func (l AuditLog) Refusals(ctx context.Context, since time.Time) ([]audit.Refusals, error) {
	var rows []struct {
		Kind   string `db:"kind"`
		Person string `db:"person"`
		N      int64  `db:"n"`
	}
	err := l.db.Read.SelectContext(ctx, &rows, l.db.Read.Rebind("SELECT kind, person, n FROM audit_refusals WHERE hour >= ? ORDER BY hour DESC LIMIT ?"), hourOf(since), mostCounts)
	if err != nil {
		return nil, fmt.Errorf("read the counts of refusals: %w", err)
	}
	sums := map[string]audit.Refusals{}
	for _, r := range rows {
		s := sums[r.Kind]
		s.Kind = r.Kind
		switch {
		case r.Person == "":
			s.Nobody += r.N
		case r.N > audit.FirstRefusals:
			s.People += r.N
		}
		sums[r.Kind] = s
	}
	var out []audit.Refusals
	for _, s := range sums {
		if s.Nobody+s.People > 0 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b audit.Refusals) int {
		return cmp.Or(cmp.Compare(b.Nobody+b.People, a.Nobody+a.People), cmp.Compare(a.Kind, b.Kind))
	})
	return out, nil
}

// ForgetRefusals deletes the counts of hours before the time.
func (l AuditLog) ForgetRefusals(ctx context.Context, before time.Time) (int, error) {
	res, err := l.db.Write.ExecContext(ctx, l.db.Write.Rebind("DELETE FROM audit_refusals WHERE hour < ?"), hourOf(before))
	if err != nil {
		return 0, fmt.Errorf("forget counts of refusals: %w", err)
	}
	n, err := res.RowsAffected()
	return int(n), err
}
