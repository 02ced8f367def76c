package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/signing"
)

// addAttempts stores what is counted.
func (d *DB) addAttempts(ctx context.Context, tx *sqlx.Tx, attempts []signing.Attempt) error {
	for _, a := range attempts {
		id, err := d.newID()
		if err != nil {
			return err
		}
		if a.At.IsZero() {
			a.At = d.now()
		}
		_, err = tx.ExecContext(ctx, tx.Rebind("INSERT INTO attempts (id, action, subject, at) VALUES (?, ?, ?, ?)"),
			id, a.Action, a.Subject, ms(a.At))
		if err != nil {
			return fmt.Errorf("count an attempt: %w", err)
		}
	}
	return nil
}

const lastAttempt = "SELECT COALESCE(MAX(at), 0) FROM attempts WHERE action = ? AND subject = ? AND at >= ?"

const countAttempts = "SELECT COUNT(*) FROM attempts WHERE action = ? AND subject = ? AND at >= ?"

// checkLimits answers signing.ErrLimited when one of the limits is reached.
func checkLimits(ctx context.Context, tx *sqlx.Tx, limits []signing.Limit) error {
	for _, l := range limits {
		var made, off int
		if l.After != "" {
			var last int64
			if err := tx.GetContext(ctx, &last, tx.Rebind(lastAttempt), l.After, l.Subject, ms(l.Since)); err != nil {
				return fmt.Errorf("find the last attempt: %w", err)
			}
			if last > 0 {
				l.Since = time.UnixMilli(last + 1)
			}
		}
		if err := tx.GetContext(ctx, &made, tx.Rebind(countAttempts), l.Action, l.Subject, ms(l.Since)); err != nil {
			return fmt.Errorf("count attempts: %w", err)
		}
		if l.Except != "" {
			if err := tx.GetContext(ctx, &off, tx.Rebind(countAttempts), l.Except, l.Subject, ms(l.Since)); err != nil {
				return fmt.Errorf("count attempts: %w", err)
			}
		}
		if made-off >= l.Max {
			return fmt.Errorf("%w: %s", signing.ErrLimited, l.Action)
		}
	}
	return nil
}

const forgetAtOnce = 5000

// ForgetOld deletes what was counted, checked and asked of providers before the time: the oldest
// first, so that a sweep after a long while does not hold up everybody who writes.
func (s signingStore) ForgetOld(ctx context.Context, before time.Time) (n int, err error) {
	for _, table := range []string{"attempts", "checks", "consents"} {
		gone, err := s.forgetOld(ctx, table, before)
		if n += gone; err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s signingStore) forgetOld(ctx context.Context, table string, before time.Time) (int, error) {
	upTo := ms(before)
	var at int64
	err := s.Read.GetContext(ctx, &at, s.Read.Rebind("SELECT at FROM "+table+" WHERE at < ? ORDER BY at LIMIT 1 OFFSET ?"), upTo, forgetAtOnce)
	if err == nil {
		upTo = at + 1
	} else if !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("find old %s: %w", table, err)
	}
	done, err := s.Write.ExecContext(ctx, s.Write.Rebind("DELETE FROM "+table+" WHERE at < ?"), upTo)
	if err != nil {
		return 0, fmt.Errorf("forget old %s: %w", table, err)
	}
	n, err := done.RowsAffected()
	return int(n), err
}
