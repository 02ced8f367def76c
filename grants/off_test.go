package grants_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/grants"
)

func TestWhoIsSwitchedOffWhileConnectingIsNotConnected(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		r := w.replica()
		ada := w.person("ada")
		w.heard()
		r.Store = &meanwhile{Store: r.Store, do: func() {
			require.NoError(t, d.Auth().SetDisabled(t.Context(), ada.Person, true, audit.Entry{At: w.clock(), System: "test", Action: "person.disable"}))
		}}
		require.ErrorContains(t, w.connect(r, ada), grants.CodeChanged)
		_, err := d.Grants().Of(t.Context(), ada.Person)
		require.ErrorIs(t, err, grants.ErrNotFound)
		require.Equal(t, []int{204}, w.revocations(), "what was given is given back")
	})
}

func TestSwitchingOffAndConnectingAtOnceWaitForEachOther(t *testing.T) {
	d := dbtest.Postgres(t)
	w := newWorld(t, d)
	r := w.replica()
	ada := w.person("ada")
	off, err := d.Write.Beginx()
	require.NoError(t, err)
	defer func() { _ = off.Rollback() }()
	_, err = off.Exec(off.Rebind("UPDATE people SET disabled = TRUE WHERE id = ?"), ada.Person)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- w.connect(r, ada) }()
	select {
	case err := <-done:
		t.Fatalf("whether the person is switched off is not known yet: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	require.NoError(t, off.Commit())
	require.ErrorContains(t, <-done, grants.CodeChanged)
}
