package db

import (
	"context"
	"fmt"
	"strings"

	"countersign/grants"
	"countersign/signing"
)

// column is one that may hold words.
type column struct {
	Table string `db:"tab"`
	Name  string `db:"col"`
}

// textColumns are all columns of all tables that may hold words, those of the job queue
// among them.
func (f Fsck) textColumns(ctx context.Context) (all []column, err error) {
	query := `SELECT m.name AS tab, p.name AS col FROM sqlite_master m JOIN pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND upper(p.type) NOT LIKE '%INT%' ORDER BY m.name, p.cid`
	if f.Dialect == Postgres {
		query = `SELECT table_name AS tab, column_name AS col FROM information_schema.columns WHERE table_schema = current_schema()
			AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'ARRAY') ORDER BY table_name, ordinal_position`
	}
	err = f.Read.SelectContext(ctx, &all, query)
	return all, err
}

// tokens are the shapes of what must never be kept: a signed token, and the header that
// carries one.
var tokens = []string{"eyJhbGciOi", "eyJ0eXAiOi", "Bearer ey"}

// Secrets holds that no column holds in clear one of the secrets that the site is
// configured with, nor anything that has the shape of a token (I10). Codes and PINs are a
// few digits, for which nobody can search; that they are not written is shown by tests.
func (f Fsck) Secrets(ctx context.Context, secrets []string, tell func(signing.Flaw)) (int, error) {
	columns, err := f.textColumns(ctx)
	if err != nil {
		return 0, fmt.Errorf("I10: %w", err)
	}
	looked := append([]string{}, tokens...)
	for _, s := range secrets {
		if s = strings.TrimSpace(s); len(s) >= 8 {
			looked = append(looked, s)
		}
	}
	find := "instr(CAST(%s AS TEXT), ?) > 0"
	if f.Dialect == Postgres {
		find = "position(? in CAST(%s AS TEXT)) > 0"
	}
	for _, c := range columns {
		name := `"` + c.Name + `"`
		one := fmt.Sprintf(find, name)
		args := make([]any, len(looked))
		for i, s := range looked {
			args[i] = s
		}
		var n int
		query := `SELECT COUNT(*) FROM "` + c.Table + `" WHERE ` + one + strings.Repeat(" OR "+one, len(looked)-1)
		if err := f.Read.GetContext(ctx, &n, f.Read.Rebind(query), args...); err != nil {
			return 0, fmt.Errorf("I10: %s.%s: %w", c.Table, c.Name, err)
		}
		if n > 0 {
			tell(signing.Flaw{Invariant: "I10", Object: "column", Subject: c.Table + "." + c.Name,
				What: fmt.Sprintf("%d rows hold a key, a client's secret or a token in clear", n),
				Do:   "Change the secrets of the configuration at the services they are for, then in the configuration. " + report})
		}
	}
	return len(columns), nil
}

// Grants holds that every kept refresh token opens for the row and the person it is of, and
// that nobody who is switched off has one (I10). A token moved to another person's row does
// not open; it answers how many were looked at.
func (f Fsck) Grants(ctx context.Context, check func(grants.Grant) error, tell func(signing.Flaw)) (int, error) {
	rows, err := grantRows.list(ctx, f.Read, "state <> 'ended' ORDER BY id")
	if err != nil {
		return 0, fmt.Errorf("I10: %w", err)
	}
	for _, r := range rows {
		g, err := r.grant()
		if err != nil {
			return 0, err
		}
		if err := check(g); err != nil {
			tell(signing.Flaw{Invariant: "I10", Object: "grant", Subject: r.ID, What: "a sealed refresh token does not open: " + err.Error(),
				Do: "Put the older master key behind the newer one. When it is there, somebody changed the row: let the person disconnect and connect again."})
		}
	}
	var strangers []string
	err = f.Read.SelectContext(ctx, &strangers, `SELECT g.id FROM grants g LEFT JOIN people p ON p.id = g.person
		WHERE g.state = 'open' AND g.person <> '' AND (p.id IS NULL OR p.disabled) ORDER BY g.id`)
	if err != nil {
		return 0, fmt.Errorf("I10: %w", err)
	}
	for _, id := range strangers {
		tell(signing.Flaw{Invariant: "I10", Object: "grant", Subject: id, What: "it is of somebody who is switched off or not there", Do: "Switch the person off once more. " + report})
	}
	return len(rows), nil
}
