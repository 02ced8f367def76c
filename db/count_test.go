package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/people"
	"countersign/signing"
)

// What the database takes for cancellable is what the table of states says.
func TestWhatStopsWithACredentialIsWhatMayBeCancelled(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{GivenName: "Ada"}).ID
		states := []signing.CeremonyState{signing.CeremonyPrepared, signing.CeremonyCodeSent, signing.CeremonyConsenting, signing.CeremonyAuthorizing, signing.CeremonyAuthorized,
			signing.CeremonyUsed, signing.CeremonyExpired, signing.CeremonyFailed, signing.CeremonyCancelled}
		var stops, goes []string
		for _, s := range states {
			for _, q := range []signing.SignatureState{signing.SignaturePrepared, signing.SignatureSigned, signing.SignatureReleased} {
				id := string(s) + "-" + string(q)
				exec := func(statement string, args ...any) {
					_, err := d.Write.Exec(d.Write.Rebind(statement), args...)
					require.NoError(t, err)
				}
				exec("INSERT INTO ceremonies (id, owner, credential, state, created_at, since, deadline, factor) VALUES (?, ?, 'c1', ?, 1, 1, 0, '{}')", id, p, s)
				exec("INSERT INTO documents (id, owner, name, size, state, created_at, since, deadline) VALUES (?, ?, 'n', 1, 'ready', 1, 1, 0)", id, p)
				exec("INSERT INTO signatures (id, ceremony, document, owner, base, state, prepared, created_at, since, deadline) VALUES (?, ?, ?, ?, 1, ?, '', 1, 1, 0)", id, id, id, p, q)
				switch {
				case !q.Open():
				case q == signing.SignaturePrepared && signing.CanMoveCeremony(s, signing.CeremonyCancelled):
					stops = append(stops, id)
				case !signing.CanMoveCeremony(s, signing.CeremonyCancelled):
					goes = append(goes, id)
				}
			}
		}
		all, err := d.Signing().AtStake(t.Context(), "c1")
		require.NoError(t, err)
		require.Equal(t, len(stops), all.Stops)
		require.Equal(t, len(goes), all.OnTheWay)
		require.Equal(t, len(states), all.Released)
		for _, c := range all.Ceremonies {
			require.True(t, signing.CanMoveCeremony(c.State, signing.CeremonyCancelled), c.State)
		}
		require.Len(t, all.Ceremonies, 3*3)
		all, err = d.Signing().AtStake(t.Context(), "another")
		require.NoError(t, err)
		require.Equal(t, signing.AtStake{}, all)
	})
}
