package grants_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/grants"
	"countersign/people"
)

// person is a signer with a credential at DigiCert.
func (w *world) person(subject string) people.Actor {
	w.t.Helper()
	user := w.sim.Signer("cp-p256", subject).UserName
	p := dbtest.Person(w.t, w.d, people.Person{Subject: subject, DTMUser: user, Roles: []people.Role{people.Signer}})
	return people.Actor{Person: p.ID, Roles: p.Roles}
}

// connected is a person who has let the replica in.
func (w *world) connected(r *replica, subject string) people.Actor {
	w.t.Helper()
	a := w.person(subject)
	require.NoError(w.t, w.connect(r, a))
	return a
}

func (w *world) connect(r *replica, a people.Actor) error {
	w.t.Helper()
	address, err := r.Connect(w.t.Context(), a, "session", "/account")
	require.NoError(w.t, err)
	_, err = r.Complete(w.t.Context(), a, "session", w.agree(address, w.user(a), true))
	return err
}

func (w *world) user(a people.Actor) (user string) {
	w.t.Helper()
	require.NoError(w.t, w.d.Read.Get(&user, w.d.Read.Rebind("SELECT dtm_user FROM people WHERE id = ?"), a.Person))
	return user
}

var oldKey, newKey = bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)

func TestATokenWhoseMasterKeyIsNotThereIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		ahead, behind := w.replica(newKey, oldKey), w.replica(oldKey)
		ada := w.connected(ahead, "ada")
		before := w.row(ada.Person)
		w.heard()

		err := behind.Ready(t.Context(), ada.Person)
		require.Error(t, err)
		require.NotErrorIs(t, err, grants.ErrNotConnected, "nothing the person could do about it")
		require.Empty(t, w.tokenAnswers())
		after := w.row(ada.Person)
		require.Equal(t, grants.Open, after.State)
		require.Equal(t, before.Sealed, after.Sealed)
		require.True(t, after.Held.IsZero(), "nobody has to wait for the lease")
		require.Contains(t, w.logs.text(), "alarm=true")
		require.NoError(t, ahead.Ready(t.Context(), ada.Person))

		told, err := behind.Disconnect(t.Context(), ada)
		require.NoError(t, err)
		require.False(t, told)
		_, err = behind.Sweep(t.Context())
		require.ErrorContains(t, err, "is not configured")
		left, err := d.Grants().Leaving(t.Context(), 9)
		require.NoError(t, err)
		require.Len(t, left, 1, "whoever has the key tells DigiCert")
		_, err = ahead.Sweep(t.Context())
		require.NoError(t, err)
		left, err = d.Grants().Leaving(t.Context(), 9)
		require.NoError(t, err)
		require.Empty(t, left)
		require.Contains(t, w.revocations(), 204)
	})
}

func TestATokenThatWasChangedEndsItsGrant(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	r := w.replica()
	ada := w.connected(r, "ada")
	broken := w.row(ada.Person).Sealed
	broken[len(broken)-1] ^= 1
	_, err := w.d.Write.Exec("UPDATE grants SET sealed = ?", broken)
	require.NoError(t, err)
	require.ErrorIs(t, r.Ready(t.Context(), ada.Person), grants.ErrNotConnected)
	require.Equal(t, grants.Ended, w.row(ada.Person).State)
}

func TestTheConfiguredTokenIsNoWayAroundAMissingMasterKey(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	configured := w.consented(w.sim.Signer("cp-p256", "ada").UserName)
	_, err := w.own(configured, newKey).client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
	before := w.row("")
	w.heard()
	_, err = w.own(configured, oldKey).client.CredentialsList(t.Context(), "")
	require.ErrorContains(t, err, "is not configured")
	require.Empty(t, w.tokenAnswers(), "the configured token may have been used up, and what comes of it would replace the kept one")
	after := w.row("")
	require.Equal(t, before.Sealed, after.Sealed)
	require.True(t, after.Held.IsZero())
	w.later(2 * time.Hour)
	_, err = w.own(configured, oldKey, newKey).client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
}
