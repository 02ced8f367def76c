package grants_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/grants"
	"countersign/people"
)

// bounded notes until when each revocation may take.
type bounded struct {
	grants.Remote
	until []time.Time
}

func (b *bounded) Revoke(ctx context.Context, id string, secret, token dtmclient.Secret) error {
	until, _ := ctx.Deadline()
	b.until = append(b.until, until)
	return b.Remote.Revoke(ctx, id, secret, token)
}

func TestARequestSettlesItsOwnGrantsOnly(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	r := w.replica()
	all := []people.Actor{w.connected(r, "ada"), w.connected(r, "ben"), w.connected(r, "eve")}
	w.sim.Trouble(dtmsim.Fault{Path: "oauth2/revoke", Status: 503, N: dtmsim.UntilCleared})
	for _, a := range all {
		_, err := r.Disconnect(t.Context(), a)
		require.NoError(t, err)
	}
	ada := all[0]
	require.NoError(t, w.connect(r, ada))
	remote := &bounded{Remote: r.Remote}
	r.Remote = remote

	require.NoError(t, w.connect(r, ada))
	require.Len(t, remote.until, 1, "the one that was replaced just now")
	remote.until = nil
	r.SettleOf(t.Context(), ada.Person)
	require.Len(t, remote.until, 2, "what is left of hers")
	for _, until := range remote.until {
		require.WithinDuration(t, time.Now(), until, 10*time.Second, "one wait for all")
	}
	require.Equal(t, remote.until[0].Round(time.Second/10), remote.until[1].Round(time.Second/10))
	w.sim.ClearFaults()
	w.heard()
	r.SettleOf(t.Context(), ada.Person)
	require.Equal(t, []int{204, 204}, w.revocations())
	_, err := r.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{204, 204, 204, 204}, w.revocations(), "the sweep goes on with everybody's")
	require.NoError(t, r.Ready(t.Context(), ada.Person))
}
