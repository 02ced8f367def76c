package signing_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/signing"
)

// refusing has a trigger of the database refuse what the n-th change writes into one table,
// and lets everything after it through.
type refusing struct {
	signing.Store
	t     *testing.T
	db    *db.DB
	n     int
	table string

	made    int
	touched [][]string // by each change
	met     error
}

func (r *refusing) Apply(ctx context.Context, c signing.Change) error {
	r.made++
	r.touched = append(r.touched, tablesOf(c))
	if r.made != r.n {
		return r.Store.Apply(ctx, c)
	}
	for _, s := range triggers(r.db.Dialect, r.table) {
		_, err := r.db.Write.Exec(s)
		require.NoError(r.t, err)
	}
	defer func() {
		for _, when := range []string{"INSERT", "UPDATE"} {
			drop := "DROP TRIGGER refuse_" + when
			if r.db.Dialect == db.Postgres {
				drop += " ON " + r.table
			}
			_, err := r.db.Write.Exec(drop)
			require.NoError(r.t, err)
		}
	}()
	r.met = r.Store.Apply(ctx, c)
	return r.met
}

func triggers(dialect db.Dialect, table string) (statements []string) {
	if dialect == db.Postgres {
		statements = append(statements, `CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused by the test'; END $$`)
	}
	for _, when := range []string{"INSERT", "UPDATE"} {
		if dialect == db.Postgres {
			statements = append(statements, "CREATE TRIGGER refuse_"+when+" BEFORE "+when+" ON "+table+" FOR EACH ROW EXECUTE FUNCTION refuse()")
			continue
		}
		statements = append(statements, "CREATE TRIGGER refuse_"+when+" BEFORE "+when+" ON "+table+" BEGIN SELECT RAISE(ABORT, 'refused by the test'); END")
	}
	return statements
}

func tablesOf(c signing.Change) (tables []string) {
	for table, n := range map[string]int{"documents": len(c.Documents), "revisions": len(c.Revisions), "ceremonies": len(c.Ceremonies),
		"signatures": len(c.Signatures), "attempts": len(c.Attempts), "audit": len(c.Entries), "outbox": len(c.Mail), "river_job": len(c.Jobs)} {
		if n > 0 {
			tables = append(tables, table)
		}
	}
	slices.Sort(tables)
	return tables
}

// C12: of every change of a signature's way, from upload to release, each table refuses its
// statement once. The change is gone as a whole, the key is asked once at most, and what
// was begun comes to its end or can be begun again.
func TestAStatementThatTheDatabaseRefusesTakesItsWholeChangeBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, _ *db.DB) {
		fresh := func() *db.DB {
			if strings.HasSuffix(t.Name(), "/postgres") {
				return dbtest.Postgres(t)
			}
			return dbtest.New(t)
		}
		run := func(n int, table string) *refusing {
			w := newWorldOn(t, fresh(), "cp-basic-single")
			r := &refusing{t: t, db: w.db, n: n, table: table}
			life := w.again(func(o *signing.Options) { r.Store = o.Store; o.Store = r })
			pdf := page("Refused", 0)
			flow(w, life, pdf)
			if n > 0 {
				where := fmt.Sprintf("change %d, table %s", n, table)
				require.ErrorContains(t, r.met, "refused by the test", where)
				w.carriedToItsEnd(pdf, where)
			}
			return r
		}
		touched := run(0, "").touched
		require.Greater(t, len(touched), 8)
		seen := map[string]int{} // table to the change that was the last to be tried
		for n, tables := range touched {
			for _, table := range tables {
				seen[table] = n + 1
				if strings.HasSuffix(t.Name(), "/sqlite") || os.Getenv("COUNTERSIGN_SOAK") != "" {
					run(n+1, table)
				}
			}
		}
		require.Len(t, seen, 8, "every table of the flow")
		if strings.HasSuffix(t.Name(), "/postgres") && os.Getenv("COUNTERSIGN_SOAK") == "" {
			for table, n := range seen { // each table once; all of them is for make soak
				run(n, table)
			}
		}
	})
}
