package db

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jmoiron/sqlx"

	"countersign/identity"
	"countersign/people"
)

// People reads persons for pages, and keeps how each wants the pages to look.
func (d *DB) People() PeopleStore { return PeopleStore{d} }

// PeopleStore is the table of persons. Logins write it through Sessions.
type PeopleStore struct{ db *DB }

// namesAtOnce keeps a statement below the databases' limits on bound values.
const namesAtOnce = 500

// Person by id; identity.ErrNotFound.
func (s PeopleStore) Person(ctx context.Context, id people.ID) (people.Person, error) {
	p, err := s.db.person(ctx, id)
	return p, identityMissing(err)
}

// Names answers the display names of those ids that exist.
func (s PeopleStore) Names(ctx context.Context, ids []people.ID) (map[people.ID]string, error) {
	names := make(map[people.ID]string, len(ids))
	for len(ids) > 0 {
		some := ids[:min(len(ids), namesAtOnce)]
		ids = ids[len(some):]
		query, args, err := sqlx.In("id IN (?)", some)
		if err != nil {
			return nil, fmt.Errorf("read names: %w", err)
		}
		rows, err := persons.list(ctx, s.db.Read, query, args...)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			p, err := r.person()
			if err != nil {
				return nil, err
			}
			names[p.ID] = p.DisplayName()
		}
	}
	return names, nil
}

// SetLook keeps the language and colour scheme a person chose; identity.ErrNotFound.
func (s PeopleStore) SetLook(ctx context.Context, id people.ID, language, scheme string) error {
	return s.db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, tx.Rebind("UPDATE people SET language = ?, scheme = ?, version = version + 1 WHERE id = ?"),
			language, scheme, id)
		if err != nil {
			return fmt.Errorf("keep a person's look: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("keep a person's look: %w", identity.ErrNotFound)
		}
		return nil
	})
}

// PeopleQuery narrows the list of persons: newest first.
type PeopleQuery = people.Query

// List answers a page of persons and the cursor of the next; empty after the last.
func (s PeopleStore) List(ctx context.Context, q PeopleQuery) (page []people.Person, next string, err error) {
	after, paged, err := parseCursor(q.After)
	if err != nil {
		return nil, "", err
	}
	where, args := "1 = 1", []any{}
	if q.Text != "" {
		where += " AND (" + s.db.holds("name") + " OR " + s.db.holds("email") + ")"
		args = append(args, strings.ToLower(q.Text), strings.ToLower(strings.TrimSpace(q.Text)))
	}
	if q.Disabled != nil {
		where, args = where+" AND disabled = ?", append(args, *q.Disabled)
	}
	if paged {
		where, args = where+" AND (created_at, id) < (?, ?)", append(args, after.at, after.id)
	}
	n := limit(q.Limit)
	rows, err := persons.list(ctx, s.db.Read, where+" ORDER BY created_at DESC, id DESC LIMIT ?", append(args, n+1)...)
	page, err = convert(rows, personRow.person, err)
	if err == nil && len(page) > n {
		page = page[:n]
		last := page[n-1]
		next = strconv.FormatInt(ms(last.CreatedAt), 10) + "_" + string(last.ID)
	}
	return page, next, err
}
