package db

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"countersign/signing"
)

type preflightRow struct {
	Ceremony string `db:"ceremony"`
	Document string `db:"document"`
	Name     string `db:"name"`
	State    string `db:"state"`
	Reason   string `db:"reason"`
	Stamp    string `db:"stamp"`
	At       int64  `db:"at"`
}

var preflights = newTable[preflightRow]("checks")

func (r preflightRow) check() (signing.Check, error) {
	return signing.Check{Ceremony: signing.CeremonyID(r.Ceremony), Document: signing.DocumentID(r.Document), Name: r.Name,
		State: signing.CheckState(r.State), Reason: r.Reason, Stamp: r.Stamp, At: at(r.At)}, nil
}

// Checks of a ceremony.
func (s signingStore) Checks(ctx context.Context, id signing.CeremonyID) ([]signing.Check, error) {
	rows, err := preflights.list(ctx, s.Read, "ceremony = ?", id)
	return convert(rows, preflightRow.check, err)
}

// putChecks writes what came of checks over what came of them before.
func putChecks(ctx context.Context, tx *sqlx.Tx, all []signing.Check) error {
	for _, c := range all {
		_, err := tx.NamedExecContext(ctx, preflights.insert+` ON CONFLICT (ceremony, document, name)
			DO UPDATE SET state = excluded.state, reason = excluded.reason, stamp = excluded.stamp, at = excluded.at`,
			preflightRow{string(c.Ceremony), string(c.Document), c.Name, string(c.State), c.Reason, c.Stamp, ms(c.At)})
		if err != nil {
			return fmt.Errorf("keep a check: %w", err)
		}
	}
	return nil
}
