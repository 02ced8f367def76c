package reliability

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/dtmsim"
	"countersign/signing"
)

// Where DTM makes the attributes and the structure of signatures, two more steps can break off.
// After a death nobody knows whether the structure was asked for: it is not asked for again, and
// the file is put together here, of the same attributes and the same value.
func TestADeathAroundWhatDTMPutsTogetherLosesNothing(t *testing.T) {
	t.Parallel()
	var sum tally
	rounds(t, 5, func(t *testing.T, o options) {
		o.env = append(o.env, "SIGNATURES_BUILT_BY=dtm")
		w := newWorld(t, o)
		for _, p := range append(signing.BuilderPoints(), signing.PointAppend) {
			for _, done := range []bool{false, true} {
				w.die(p, done)
			}
		}
		require.NoError(t, w.people[0].work(t.Context(), 2))
		built := map[string]int{}
		w.open(func(d *db.DB) {
			var facts []string
			require.NoError(t, d.Read.Select(&facts, "SELECT facts FROM audit WHERE action = 'signature.assemble'"))
			for _, f := range facts {
				var fact struct{ Built string }
				require.NoError(t, json.Unmarshal([]byte(f), &fact))
				built[fact.Built]++
			}
		})
		require.Positive(t, built["dtm"])
		require.Positive(t, built["countersign"])
		seen := map[string]bool{}
		for _, e := range w.sim.Ledger() {
			if e.Kind == dtmsim.LedgerBuilt {
				require.False(t, seen[e.Text], "asked for twice: %s", e.Text)
				seen[e.Text] = true
			}
		}
		sum.add(t, w)
	})
}
