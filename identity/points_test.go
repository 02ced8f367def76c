package identity_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/identity"
)

// The list of points is the table of contents of the crash tests: one that the code does
// not pass any more would be proved by nothing.
func TestTheWayToACredentialPassesEveryPoint(t *testing.T) {
	type moment struct {
		p    identity.Point
		done bool
	}
	var passed []moment
	r := newRig(t, func(o *identity.Options) {
		o.Reached = func(p identity.Point, done bool) { passed = append(passed, moment{p, done}) }
	})
	c := r.active(r.ada)
	require.NoError(t, r.s.Revoke(t.Context(), r.ada, c.ID, identity.Superseded))
	r.later(3 * time.Second)
	require.Equal(t, identity.CredentialRevoked, r.credential(c.ID).State)
	var all []moment
	for _, p := range identity.Points() {
		all = append(all, moment{p, false}, moment{p, true})
	}
	require.Equal(t, all, passed, "each, in their order, and no other")

	// What an admin decides takes the last three too.
	v := r.waiting(r.eve)
	passed = nil
	require.NoError(t, r.s.Refuse(t.Context(), r.mia, v.ID, identity.RefusalReasons[0].Code, ""))
	last := slices.Index(all, moment{identity.PointAsk, false})
	require.Equal(t, all[last:], passed)
}
