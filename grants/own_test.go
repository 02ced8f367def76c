package grants_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmclient"
)

func TestTheNewestOwnTokenOutlivesARestart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		signer := w.sim.Signer("cp-p256", "ada")
		configured := w.consented(signer.UserName)
		for range 3 { // each a new process, which knows the configured token only
			r := w.own(configured)
			found, err := r.client.CredentialsList(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, []string{"ada"}, found)
			w.later(2 * time.Hour)
			_, err = r.client.CredentialsList(t.Context(), "")
			require.NoError(t, err, "in the same process too")
		}
		_, err := w.replica().client.Refresh(t.Context(), w.sim.ClientID, dtmclient.Secret(w.sim.ClientSecret), configured)
		require.Error(t, err, "the configured one has long been used up")
	})
}

func TestReplicasThatRefreshAtOnceLoseNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		configured := w.consented(w.sim.Signer("cp-p256", "ada").UserName)
		w.heard()
		var all sync.WaitGroup
		const replicas = 6
		for range replicas {
			r := w.own(configured)
			for range 3 {
				all.Go(func() {
					_, err := r.client.CredentialsList(t.Context(), "")
					require.NoError(t, err)
				})
			}
		}
		all.Wait()
		answers := w.tokenAnswers()
		require.Len(t, answers, replicas, "one for each process, however many wait there")
		require.NotContains(t, answers, 400, "one asks at a time, with what the one before was given")
		require.True(t, w.row("").Held.IsZero())
	})
}

func TestARefusedKeptTokenFallsBackToTheConfiguredOneOnce(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	signer := w.sim.Signer("cp-p256", "ada")
	first, second := w.consented(signer.UserName), w.consented(signer.UserName)
	_, err := w.own(first).client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
	_, err = w.d.Write.Exec("UPDATE grants SET renewed_at = 7")
	require.NoError(t, err)

	r := w.own(second)
	_, err = r.client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
	require.NotEqual(t, int64(7), w.row("").RenewedAt.UnixMilli(), "the kept one was used")
	w.sim.RevokeGrants("")
	third := w.consented(signer.UserName)
	w.heard()
	_, err = w.own(third).client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []int{400, 200}, w.tokenAnswers(), "the kept one, then the configured one")
	w.later(2 * time.Hour)
	w.heard()
	_, err = w.own(third).client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []int{200}, w.tokenAnswers(), "what came of the configured one is kept")

	w.sim.RevokeGrants("")
	w.heard()
	_, err = w.own(third).client.CredentialsList(t.Context(), "")
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.Unauthorized, e.Kind)
	require.Equal(t, []int{400, 400}, w.tokenAnswers())
	require.True(t, w.row("").Held.IsZero(), "the next try need not wait for the lease")
}

// heard leaves the calls until now out of what is looked at.
func (w *world) heard() { w.calls = len(w.sim.Calls()) }

func (w *world) tokenAnswers() []int { return w.answers("/oauth2/token") }
func (w *world) revocations() []int  { return w.answers("/oauth2/revoke") }

func (w *world) answers(path string) (statuses []int) {
	for _, c := range w.sim.Calls()[w.calls:] {
		if strings.HasSuffix(c.Path, path) {
			statuses = append(statuses, c.Status)
		}
	}
	return statuses
}

func TestALeaseOfADeadProcessRunsOut(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	configured := w.consented(w.sim.Signer("cp-p256", "ada").UserName)
	r := w.own(configured)
	_, err := r.client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
	_, err = w.d.Write.Exec("UPDATE grants SET held = ?, version = version + 1", w.clock().Add(59*time.Second).UnixMilli())
	require.NoError(t, err)
	other := w.own(configured)
	done := make(chan error, 1)
	go func() {
		_, err := other.client.CredentialsList(t.Context(), "")
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("somebody else may be asking with the token: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	w.later(time.Minute)
	require.NoError(t, <-done)
}

func TestAKeptTokenIsSealedUnderTheNewestMasterKey(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	configured := w.consented(w.sim.Signer("cp-p256", "ada").UserName)
	old, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	_, err := w.own(configured, old).client.CredentialsList(t.Context(), "")
	require.NoError(t, err)
	before := w.row("")
	require.NotContains(t, dump(t, w.d), string(configured))

	_, err = w.own(configured, fresh, old).Sweep(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, before.Key, w.row("").Key)
	w.later(2 * time.Hour)
	_, err = w.own(configured, fresh).client.CredentialsList(t.Context(), "")
	require.NoError(t, err, "the old key is not needed any more")
	require.NotContains(t, w.logs.text(), string(configured))
}

// dump is everything that the tables hold.
func dump(t *testing.T, d *db.DB) string {
	t.Helper()
	rows, err := d.Read.Queryx("SELECT * FROM grants")
	require.NoError(t, err)
	defer rows.Close()
	var out []byte
	for rows.Next() {
		all, err := rows.SliceScan()
		require.NoError(t, err)
		for _, v := range all {
			if b, ok := v.([]byte); ok {
				out = append(out, b...)
				continue
			}
			b, err := json.Marshal(v)
			require.NoError(t, err)
			out = append(out, b...)
		}
	}
	require.NotEmpty(t, out)
	return string(out)
}
