package db

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"countersign/signing"
)

type consentRow struct {
	Ceremony   string `db:"ceremony"`
	State      []byte `db:"state"`
	Session    []byte `db:"session"`
	Provider   string `db:"provider"`
	SealingKey []byte `db:"sealing_key"`
	Verifier   []byte `db:"verifier"`
	At         int64  `db:"at"`
	Ends       int64  `db:"ends"`
	UsedAt     int64  `db:"used_at"`
}

var consents = newTable[consentRow]("consents")

func (r consentRow) consent() signing.Consent {
	return signing.Consent{Ceremony: signing.CeremonyID(r.Ceremony), State: r.State, Session: r.Session, Provider: r.Provider,
		Key: r.SealingKey, Verifier: r.Verifier, AskedAt: at(r.At), Ends: at(r.Ends), UsedAt: at(r.UsedAt)}
}

// Consent by the SHA-256 of its state.
func (s signingStore) Consent(ctx context.Context, state []byte) (signing.Consent, error) {
	row, err := consents.get(ctx, s.Read, "state = ?", state)
	if err != nil {
		return signing.Consent{}, signingMissing(err)
	}
	return row.consent(), nil
}

// putConsents writes each over the one before of its ceremony, whose state is worth nothing then.
func putConsents(ctx context.Context, tx *sqlx.Tx, all []signing.Consent) error {
	for _, c := range all {
		_, err := tx.NamedExecContext(ctx, consents.insert+` ON CONFLICT (ceremony) DO UPDATE SET state = excluded.state, session = excluded.session,
			provider = excluded.provider, sealing_key = excluded.sealing_key, verifier = excluded.verifier, at = excluded.at, ends = excluded.ends, used_at = excluded.used_at`,
			consentRow{string(c.Ceremony), c.State, c.Session, c.Provider, c.Key, c.Verifier, ms(c.AskedAt), ms(c.Ends), ms(c.UsedAt)})
		if err != nil {
			return fmt.Errorf("keep a visit to the provider: %w", err)
		}
	}
	return nil
}

// takeConsents uses each up: one that was replaced or used meanwhile is a conflict. What could
// be redeemed with it goes.
func (s signingStore) takeConsents(ctx context.Context, tx *sqlx.Tx, all []signing.Consent) error {
	for _, c := range all {
		done, err := tx.ExecContext(ctx, tx.Rebind(`UPDATE consents SET used_at = ?, sealing_key = NULL, verifier = NULL
			WHERE ceremony = ? AND state = ? AND used_at = 0`), ms(s.now()), c.Ceremony, c.State)
		if err != nil {
			return fmt.Errorf("take a consent: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n != 1 {
			return fmt.Errorf("the answer of ceremony %s was taken: %w", c.Ceremony, errConflict)
		}
	}
	return nil
}
