package db

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"countersign/identity"
	"countersign/people"
)

// Identity is the store of package identity.
func (d *DB) Identity() identity.Store { return identityStore{d} }

type identityStore struct{ *DB }

// Apply makes the change in one transaction.
func (s identityStore) Apply(ctx context.Context, c identity.Change) error {
	t := told{entries: c.Entries, mail: c.Mail, topics: c.Topics}
	for _, j := range c.Jobs {
		t.jobs = append(t.jobs, dueJob{j.Job, j.At})
	}
	err := s.apply(ctx, t, func(ctx context.Context, tx *sqlx.Tx) error {
		if c.Bind != nil {
			if err := bind(ctx, tx, *c.Bind); err != nil {
				return err
			}
		}
		if d := c.Default; d != nil {
			if err := setDefault(ctx, tx, *d); err != nil {
				return err
			}
		}
		for _, m := range c.Validations {
			if err := validations.put(ctx, tx, toValidationRow(m.To), string(m.From)); err != nil {
				return err
			}
		}
		for _, m := range c.Credentials {
			if err := credentials.put(ctx, tx, toCredentialRow(m.To), string(m.From)); err != nil {
				return err
			}
		}
		return nil
	})
	if s.conflict(err) {
		return fmt.Errorf("%w: %w", identity.ErrConflict, err)
	}
	return err
}

// setDefault lets a choice of another credential stand when it is for a successor.
func setDefault(ctx context.Context, tx *sqlx.Tx, d identity.Default) error {
	query, args := "UPDATE people SET default_credential = ?, version = version + 1 WHERE id = ?", []any{d.Credential, d.Person}
	if d.InsteadOf != "" {
		query, args = query+" AND default_credential IN ('', ?)", append(args, d.InsteadOf)
	}
	if _, err := tx.ExecContext(ctx, tx.Rebind(query), args...); err != nil {
		return fmt.Errorf("set a default credential: %w", err)
	}
	return nil
}

// bind ties a person to a DTM user, unless one of them is bound elsewhere.
func bind(ctx context.Context, tx *sqlx.Tx, b identity.Binding) error {
	res, err := tx.ExecContext(ctx, tx.Rebind(
		"UPDATE people SET dtm_user = ?, version = version + 1 WHERE id = ? AND dtm_user IN ('', ?)"),
		b.DTMUser, b.Person, b.DTMUser)
	if err != nil {
		return fmt.Errorf("bind a person: %w", err)
	}
	return one(res.RowsAffected())
}

// Person by id.
func (s identityStore) Person(ctx context.Context, id people.ID) (people.Person, error) {
	p, err := s.person(ctx, id)
	return p, identityMissing(err)
}

// Admins lists those who are admins and not switched off.
func (s identityStore) Admins(ctx context.Context) ([]people.Person, error) {
	where := `disabled = 0 AND instr(roles, '"admin"') > 0`
	if s.Dialect == Postgres {
		where = `NOT disabled AND strpos(roles, '"admin"') > 0`
	}
	rows, err := persons.list(ctx, s.Read, where+" ORDER BY id LIMIT 100")
	return convert(rows, personRow.person, err)
}

// identityMissing turns a missing row into the domain's own error.
func identityMissing(err error) error {
	if missing(err) {
		return fmt.Errorf("%w: %w", identity.ErrNotFound, err)
	}
	return err
}
