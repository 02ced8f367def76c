package signing_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

// The edges once more, written as a person would tell them; every pair that is not here is
// forbidden.
func TestDocumentsMoveAlongTheseEdgesOnly(t *testing.T) {
	all := []signing.DocumentState{"", "receiving", "checking", "ready", "refused", "quarantined", "erased"}
	pairs(t, all, signing.CanMoveDocument, map[string]bool{
		" receiving": true, "receiving receiving": true, "receiving checking": true,
		"checking ready": true, "checking refused": true, "checking quarantined": true,
		"ready ready": true, "ready quarantined": true, "ready erased": true, "refused erased": true, "quarantined erased": true,
	})
}

func TestCeremoniesMoveAlongTheseEdgesOnly(t *testing.T) {
	all := []signing.CeremonyState{"", "prepared", "code_sent", "consenting", "authorizing", "authorized", "used", "expired", "failed", "cancelled"}
	pairs(t, all, signing.CanMoveCeremony, map[string]bool{
		" prepared":          true,
		"prepared prepared":  true,
		"prepared code_sent": true, "prepared authorizing": true, "prepared expired": true, "prepared failed": true, "prepared cancelled": true,
		"code_sent prepared": true, "code_sent code_sent": true, "code_sent authorizing": true, "code_sent expired": true,
		"code_sent failed": true, "code_sent cancelled": true,
		"prepared consenting": true, "consenting prepared": true, "consenting consenting": true, "consenting authorizing": true,
		"consenting expired": true, "consenting failed": true, "consenting cancelled": true,
		"authorizing prepared": true, "authorizing code_sent": true, "authorizing authorized": true, "authorizing failed": true,
		"authorized authorized": true, "authorized used": true, "authorized failed": true,
	})
}

func TestSignaturesMoveAlongTheseEdgesOnly(t *testing.T) {
	all := []signing.SignatureState{"", "prepared", "intended", "signed", "assembled", "released", "outcome_unknown", "failed", "expired", "cancelled"}
	pairs(t, all, signing.CanMoveSignature, map[string]bool{
		" prepared":         true,
		"prepared intended": true, "prepared failed": true, "prepared expired": true, "prepared cancelled": true,
		"intended signed": true, "intended failed": true, "intended outcome_unknown": true,
		"signed signed": true, "signed assembled": true, "signed failed": true,
		"assembled assembled": true, "assembled released": true, "assembled failed": true,
	})
}

func pairs[S ~string](t *testing.T, all []S, can func(from, to S) bool, allowed map[string]bool) {
	t.Helper()
	n := 0
	for _, from := range all {
		for _, to := range all {
			yes := allowed[string(from)+" "+string(to)]
			require.Equal(t, yes, can(from, to), "%q to %q", from, to)
			if yes {
				n++
			}
		}
	}
	require.Len(t, allowed, n, "an edge names a state that does not exist")
}

func TestNothingLeavesAFinalState(t *testing.T) {
	require.True(t, signing.SignatureOutcomeUnknown.Final())
	require.True(t, signing.SignatureReleased.Final())
	require.True(t, signing.CeremonyUsed.Final())
	require.True(t, signing.DocumentErased.Final())
	require.False(t, signing.SignatureIntended.Final())
	require.False(t, signing.CeremonyAuthorized.Final())
}
