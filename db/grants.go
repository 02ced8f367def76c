package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
	"countersign/grants"
	"countersign/people"
)

// Grants is the store of package grants.
func (d *DB) Grants() grants.Store { return grantStore{d} }

type grantStore struct{ *DB }

// asksOfOne is how many windows of one session may be on their way to DigiCert's page.
const asksOfOne = 4

type grantRow struct {
	ID        string    `db:"id"`
	Person    people.ID `db:"person"`
	State     string    `db:"state"`
	Sealed    []byte    `db:"sealed"`
	SealedBy  string    `db:"sealed_by"`
	Since     int64     `db:"since"`
	RenewedAt int64     `db:"renewed_at"`
	Held      int64     `db:"held"`
	Deadline  int64     `db:"deadline"`
	Version   int64     `db:"version"`
}

type askRow struct {
	State    []byte    `db:"state"`
	Session  string    `db:"session"`
	Person   people.ID `db:"person"`
	Verifier []byte    `db:"verifier"`
	ReturnTo string    `db:"return_to"`
	Ends     int64     `db:"ends"`
}

var (
	grantRows = newTable[grantRow]("grants", "person", "since")
	askRows   = newTable[askRow]("grant_asks")
)

func toGrantRow(g grants.Grant) grantRow {
	sealed := g.Sealed
	if sealed == nil {
		sealed = []byte{}
	}
	return grantRow{ID: g.ID, Person: g.Person, State: string(g.State), Sealed: sealed, SealedBy: g.Key, Since: ms(g.Since),
		RenewedAt: ms(g.RenewedAt), Held: ms(g.Held), Deadline: ms(g.Deadline), Version: g.Version}
}

func (r grantRow) grant() (grants.Grant, error) {
	return grants.Grant{ID: r.ID, Person: r.Person, State: grants.State(r.State), Sealed: r.Sealed, Key: r.SealedBy, Since: at(r.Since),
		RenewedAt: at(r.RenewedAt), Held: at(r.Held), Deadline: at(r.Deadline), Version: r.Version}, nil
}

// Apply makes the change in one transaction.
func (s grantStore) Apply(ctx context.Context, c grants.Change) error {
	err := s.apply(ctx, told{entries: c.Entries, topics: c.Topics}, func(ctx context.Context, tx *sqlx.Tx) error {
		for _, m := range c.Grants {
			if m.From == "" && m.To.Person != "" {
				if err := stillOn(ctx, tx, m.To.Person); err != nil {
					return err
				}
			}
		}
		for _, m := range c.Grants {
			if m.To.State == "" {
				if err := dropGrant(ctx, tx, m); err != nil {
					return err
				}
				continue
			}
			if err := grantRows.put(ctx, tx, toGrantRow(m.To), string(m.From)); err != nil {
				return err
			}
		}
		if c.Ask == nil {
			return nil
		}
		return addAsk(ctx, tx, *c.Ask)
	})
	if s.conflict(err) {
		return fmt.Errorf("%w: %w", grants.ErrConflict, err)
	}
	return err
}

// stillOn answers errConflict for who is switched off, and holds the row: who is being switched
// off has the grant taken along, or comes to have none. People are locked before grants, as
// switching off does.
func stillOn(ctx context.Context, tx *sqlx.Tx, p people.ID) error {
	res, err := tx.ExecContext(ctx, tx.Rebind("UPDATE people SET disabled = disabled WHERE id = ? AND NOT disabled"), p)
	if err != nil {
		return fmt.Errorf("hold a person: %w", err)
	}
	return one(res.RowsAffected())
}

func dropGrant(ctx context.Context, tx *sqlx.Tx, m grants.Moved) error {
	res, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM grants WHERE id = ? AND state = ? AND version = ?"), m.To.ID, m.From, m.To.Version)
	if err != nil {
		return fmt.Errorf("delete a grant: %w", err)
	}
	return one(res.RowsAffected())
}

func addAsk(ctx context.Context, tx *sqlx.Tx, k grants.Ask) error {
	if err := askRows.add(ctx, tx, askRow{State: k.State, Session: k.Session, Person: k.Person, Verifier: k.Verifier, ReturnTo: k.ReturnTo, Ends: ms(k.Ends)}); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, tx.Rebind(`DELETE FROM grant_asks WHERE session = ? AND state NOT IN
		(SELECT state FROM grant_asks WHERE session = ? ORDER BY ends DESC LIMIT ?)`), k.Session, k.Session, asksOfOne)
	if err != nil {
		return fmt.Errorf("forget older asks: %w", err)
	}
	return nil
}

// Of is the grant of a person that is not leaving.
func (s grantStore) Of(ctx context.Context, p people.ID) (grants.Grant, error) {
	row, err := grantRows.get(ctx, s.Read, "person = ? AND state <> 'leaving'", p)
	if missing(err) {
		return grants.Grant{}, fmt.Errorf("%w: %w", grants.ErrNotFound, err)
	}
	if err != nil {
		return grants.Grant{}, err
	}
	return row.grant()
}

// TakeAsk answers and deletes an ask: of two that come at once one finds it.
func (s grantStore) TakeAsk(ctx context.Context, state []byte, session string, now time.Time) (grants.Ask, error) {
	var rows []askRow
	err := s.InTx(ctx, func(tx *sqlx.Tx) error {
		rows = nil
		return tx.SelectContext(ctx, &rows, tx.Rebind("DELETE FROM grant_asks WHERE state = ? AND session = ? AND ends > ? RETURNING "+askRows.columns), state, session, ms(now))
	})
	if err != nil {
		return grants.Ask{}, fmt.Errorf("take an ask: %w", err)
	}
	if len(rows) != 1 {
		return grants.Ask{}, grants.ErrNotFound
	}
	r := rows[0]
	return grants.Ask{State: r.State, Session: r.Session, Person: r.Person, Verifier: r.Verifier, ReturnTo: r.ReturnTo, Ends: at(r.Ends)}, nil
}

// Leaving are those that DigiCert is to be told of.
func (s grantStore) Leaving(ctx context.Context, n int) ([]grants.Grant, error) {
	rows, err := grantRows.list(ctx, s.Read, "state = 'leaving' ORDER BY deadline, id LIMIT ?", n)
	return convert(rows, grantRow.grant, err)
}

// SealedBefore are those sealed with another master key.
func (s grantStore) SealedBefore(ctx context.Context, key string, n int) ([]grants.Grant, error) {
	rows, err := grantRows.list(ctx, s.Read, "state <> 'ended' AND sealed_by <> ? ORDER BY id LIMIT ?", key, n)
	return convert(rows, grantRow.grant, err)
}

// ForgetAsks deletes those that have ended.
func (s grantStore) ForgetAsks(ctx context.Context, now time.Time) (int, error) {
	var n int64
	err := s.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM grant_asks WHERE ends <= ?"), ms(now))
		if err != nil {
			return fmt.Errorf("forget asks: %w", err)
		}
		n, err = res.RowsAffected()
		return err
	})
	return int(n), err
}

// withdrawGrant takes the grant of a person who is switched off out of use, in the same
// transaction; DigiCert is told of it afterwards.
func (s sessionStore) withdrawGrant(ctx context.Context, tx *sqlx.Tx, p people.ID, e audit.Entry, ends time.Time) error {
	var gone []string
	err := tx.SelectContext(ctx, &gone, tx.Rebind(`UPDATE grants SET state = 'leaving', held = 0, deadline = ?, version = version + 1
		WHERE person = ? AND state = 'open' RETURNING id`), ms(ends), p)
	if err != nil {
		return fmt.Errorf("withdraw a grant: %w", err)
	}
	for _, id := range gone {
		one := e
		one.ID, one.Action, one.Object, one.Subject, one.Reason = "", "grant.disconnect", "grant", id, "disabled"
		one.From, one.To = "open", "gone"
		if err := s.AddEntries(ctx, tx, one); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM grants WHERE person = ? AND state = 'ended'"), p); err != nil {
		return fmt.Errorf("forget an ended grant: %w", err)
	}
	if _, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM grant_asks WHERE person = ?"), p); err != nil {
		return fmt.Errorf("forget asks: %w", err)
	}
	return nil
}
