package identity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/identity"
)

// The edges, written down a second time: command, from, to.
const wantValidationEdges = `
cancel started cancelled
cancel email_sent cancelled
cancel action_needed cancelled
cancel submitted cancelled
cancel in_review cancelled
cancel resubmit cancelled
cancel awaiting_approval cancelled
cancel awaiting_second cancelled
cancel approval_held cancelled
first awaiting_approval awaiting_second
hold awaiting_approval approval_held
hold awaiting_second approval_held
undo approval_held awaiting_approval
undo awaiting_second awaiting_approval
send approval_held approval_unknown
send approval_held awaiting_approval
settle approval_unknown approved
settle approval_unknown awaiting_approval
refuse awaiting_approval rejected
refuse awaiting_second rejected
correct awaiting_approval resubmit
correct awaiting_second resubmit
expire started expired
expire email_sent expired
expire action_needed expired
expire submitted expired
expire in_review expired
expire resubmit expired
expire awaiting_approval expired
expire awaiting_second expired
expire unknown expired
`

const wantCredentialEdges = `
issue - issuance_unknown
issue issuance_unknown pending_issuance
issue issuance_unknown active
issue issuance_unknown deactivated
suspend active suspended
resume suspended active
revoke active revoked
revoke suspended revoked
revoke pending_issuance deactivated
expire active expired
expire suspended expired
`

func TestACommandMovesAlongItsEdgesAndNoOthers(t *testing.T) {
	want := strings.Split(strings.TrimSpace(wantValidationEdges), "\n")
	var have []string
	for _, do := range identity.Commands() {
		for _, from := range append(identity.ValidationStates(), "") {
			for _, to := range append(identity.ValidationStates(), "") {
				if identity.MayMove(do, from, to) {
					have = append(have, strings.Join([]string{string(do), string(from), string(to)}, " "))
				}
			}
		}
	}
	require.ElementsMatch(t, want, have)

	want, have = strings.Split(strings.TrimSpace(wantCredentialEdges), "\n"), nil
	for _, do := range identity.Commands() {
		for _, from := range append(identity.CredentialStates(), "") {
			for _, to := range append(identity.CredentialStates(), "") {
				if identity.MayMoveCredential(do, from, to) {
					name := string(from)
					if name == "" {
						name = "-"
					}
					have = append(have, strings.Join([]string{string(do), name, string(to)}, " "))
				}
			}
		}
	}
	require.ElementsMatch(t, want, have)
}

func TestNoCommandLeavesAnEndedState(t *testing.T) {
	for _, do := range identity.Commands() {
		for _, from := range identity.ValidationStates() {
			for _, to := range identity.ValidationStates() {
				require.False(t, from.Ended() && identity.MayMove(do, from, to), "%s %s %s", do, from, to)
			}
		}
		for _, from := range identity.CredentialStates() {
			for _, to := range identity.CredentialStates() {
				require.False(t, from.Ended() && identity.MayMoveCredential(do, from, to), "%s %s %s", do, from, to)
			}
		}
	}
}

func TestEveryCodeHasASentence(t *testing.T) {
	for _, c := range identity.Codes() {
		e, ok := identity.Explain(c)
		require.True(t, ok)
		require.NotEmpty(t, e.Kind, c)
		require.True(t, strings.HasSuffix(e.Sentence, "."), c)
		require.NotContains(t, e.Sentence+e.Who, "!", c)
		require.NotContains(t, strings.ToLower(e.Sentence+e.Who), "please", c)
	}
	_, ok := identity.Explain("what DTM said")
	require.False(t, ok)
}

func TestDifferencesNameWhatIsDifferent(t *testing.T) {
	for _, c := range []struct {
		claimed, proofed string
		want             identity.DifferenceKind
		part             string // of proofed that is underlined
	}{
		{"Example", "Example", identity.Same, ""},
		{"Example ", "Example", identity.Same, ""},
		{"Zoe\u0308", "Zoë", identity.Same, ""},
		{"Example", "EXAMPLE", identity.Case, "XAMPLE"},
		{"Smith-Jones", "Smith Jones", identity.Case, " "},
		{"Müller", "Muller", identity.Accents, "u"},
		{"Müller", "MUELLER", identity.Accents, "UELLER"},
		{"Mueller", "Müller", identity.Accents, "ü"},
		{"Łukasz", "Lukasz", identity.Accents, "L"},
		{"Strauß", "STRAUSS", identity.Accents, "TRAUSS"},
		{"Søren", "Soeren", identity.Accents, "oe"},
		{"Ada", "Ada Maria", identity.Differs, " Maria"},
		{"Maria Ada", "Ada Maria", identity.Order, ""},
		{"Ada", "Eva", identity.Differs, "Ev"},
		{"Example", "Exemple", identity.Differs, "e"},
		{"Ivanov", "Иванов", identity.Differs, "Иванов"},
		{"Ada", "", identity.Missing, ""},
		{"", "Ada", identity.Missing, ""},
	} {
		list := identity.Differences(identity.Attributes{FamilyName: c.claimed}, identity.Attributes{FamilyName: c.proofed})
		require.Len(t, list, 1)
		d := list[0]
		require.Equal(t, "Family name", d.Label)
		require.Equal(t, c.want, d.Kind, "%q and %q", c.claimed, c.proofed)
		require.Equal(t, c.part, string([]rune(d.Proofed)[d.From:d.To]), "%q and %q", c.claimed, c.proofed)
	}
	require.Empty(t, identity.Differences(identity.Attributes{}, identity.Attributes{}))

	swapped := identity.Differences(identity.Attributes{GivenName: "Ada", FamilyName: "Example"}, identity.Attributes{GivenName: "Example", FamilyName: "Ada"})
	require.Equal(t, identity.Order, swapped[0].Kind)
	require.Equal(t, identity.Order, swapped[1].Kind)
}
