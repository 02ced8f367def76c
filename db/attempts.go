package db

import (
	"context"
	"fmt"

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

const countAttempts = "SELECT COUNT(*) FROM attempts WHERE action = ? AND subject = ? AND at >= ?"

// checkLimits answers signing.ErrLimited when one of the limits is reached.
func checkLimits(ctx context.Context, tx *sqlx.Tx, limits []signing.Limit) error {
	for _, l := range limits {
		var made, off int
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
