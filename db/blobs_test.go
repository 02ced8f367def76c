package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/people"
)

func TestBytesAreKeptOnlyWhileTheyAreOfUse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		owner := dbtest.Person(t, d, people.Person{}).ID
		exec := func(query string, args ...any) {
			t.Helper()
			_, err := d.Write.Exec(d.Write.Rebind(query), args...)
			require.NoError(t, err)
		}
		exec("INSERT INTO documents (id, owner, name, state, created_at, since) VALUES ('d', ?, 'x', 'ready', 1, 1)", owner)
		exec("INSERT INTO revisions (document, number, start, size, blob, created_at) VALUES ('d', 1, 0, 1, 'original', 1)")
		exec("INSERT INTO ceremonies (id, owner, credential, state, created_at, since) VALUES ('c', ?, 'k', 'prepared', 1, 1)", owner)
		exec("INSERT INTO signatures (id, ceremony, document, owner, base, state, prepared, created_at, since) VALUES ('s', 'c', 'd', ?, 1, 'prepared', 'preparation', 1, 1)", owner)
		kept := func(id string) bool {
			t.Helper()
			kept, err := d.KeepsBlob(t.Context(), id)
			require.NoError(t, err)
			return kept
		}
		require.True(t, kept("original"))
		require.False(t, kept("stray"))
		for state, of := range map[string]bool{"prepared": true, "intended": true, "signed": true, "assembled": true,
			"released": false, "outcome_unknown": false, "failed": false, "expired": false, "cancelled": false} {
			exec("UPDATE signatures SET state = ?", state)
			require.Equal(t, of, kept("preparation"), state)
		}
		exec("UPDATE documents SET state = 'quarantined'")
		require.True(t, kept("original"), "somebody has to look at it")
		exec("UPDATE documents SET state = 'erased'")
		require.False(t, kept("original"))
	})
}
