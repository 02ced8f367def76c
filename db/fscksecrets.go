package db

import (
	"context"
	"fmt"
	"strings"

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
