package dtmsim_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// BenchmarkSeal is one authorize and one signHash over HTTP, so that nobody takes the simulator's cost for the portal's.
func BenchmarkSeal(b *testing.B) {
	sim := dtmtest.Start(b, func(o *dtmsim.Options) { o.CSCAllowAPIKey = true })
	s := sim.Signer("cp-seal", "seal")
	r := &rig{Sim: sim, t: b}
	r.bearer = r.serviceToken()
	h := digest("a")
	for b.Loop() {
		sad := r.authorized(s, "cp-seal", 1, h)
		status, _ := r.csc("signatures/signHash", object{"credentialID": "seal", "SAD": sad, "hash": []string{b64(h)}, "signAlgo": sha256RSA})
		require.Equal(b, 200, status)
	}
}
