package identity_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"countersign/dtmsim"
	"countersign/identity"
)

// Random walks over commands, troubles and time. Whatever order they come in: an approval
// reaches DTM at most once for each time an admin gave it, a credential is made at most
// once for each name, and once the troubles end our rows say what DTM says.
func TestAnyOrderOfCommandsAndTroublesEndsInWhatDTMSays(t *testing.T) {
	outer, walked := t, 0
	defer func() { outer.Logf("%d steps", walked) }()
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(outer)
		ctx := context.Background()
		v, err := r.s.Start(ctx, r.ada, identity.AdvancedPlus, true)
		require.NoError(t, err)
		approvals, trouble := 0, []dtmsim.Fault{
			{Method: http.MethodPut, Path: "approve", Drop: true, After: true}, {Method: http.MethodPut, Path: "approve", Drop: true},
			{Method: http.MethodPut, Path: "approve", Status: 500}, {Method: http.MethodPut, Path: "approve", Status: 400},
			{Method: http.MethodPut, Path: "reject", Drop: true, After: true}, {Method: http.MethodPut, Path: "cancel", Drop: true, After: true},
			{Method: http.MethodGet, Path: "validation/*", Status: 500}, {Method: http.MethodGet, Path: "credential/*", Drop: true},
			{Method: http.MethodPost, Path: "credential", Drop: true, After: true}, {Method: http.MethodPost, Path: "credential", Drop: true},
		}
		for range rapid.IntRange(5, 30).Draw(t, "steps") {
			walked++
			switch rapid.IntRange(0, 10).Draw(t, "step") {
			case 0:
				_ = r.sim.Proof("cs-ada", nil)
			case 1, 2:
				if _, err := r.s.Approve(ctx, r.mia, v.ID); err == nil {
					approvals++
				}
			case 3:
				_ = r.s.UndoApproval(ctx, r.mia, v.ID)
			case 4:
				_ = r.s.Refuse(ctx, r.mia, v.ID, "NO_NEED", "")
			case 5:
				_ = r.s.Correct(ctx, r.mia, v.ID, "DOCUMENT_EXPIRED", "")
			case 6:
				if rapid.IntRange(0, 4).Draw(t, "withdraw") == 0 {
					_ = r.s.Cancel(ctx, r.ada, v.ID)
				}
			case 7:
				_, _ = r.s.Issue(ctx, r.mia, v.ID, "cp-advanced-p256")
			case 8:
				require.NoError(t, r.sim.Fault(rapid.SampledFrom(trouble).Draw(t, "trouble")))
			case 9:
				require.NoError(t, r.s.FinishApproval(ctx, v.ID))
			default:
				r.later(rapid.SampledFrom([]time.Duration{time.Second, 11 * time.Second, 3 * time.Minute}).Draw(t, "later"))
			}
		}
		r.sim.ClearFaults()
		for range 4 {
			r.later(6 * time.Minute)
		}
		require.LessOrEqual(t, r.calls("PUT", "/approve"), approvals)
		v = r.check(v.ID)
		d, err := r.client.Validation(ctx, v.DTM)
		require.NoError(t, err)
		want := map[string][]identity.ValidationState{
			"PENDING_EMAIL": {identity.ValidationEmailSent}, "PENDING_APPROVAL": {identity.ValidationAwaitingApproval},
			"PENDING_IDENTITY": {identity.ValidationResubmit}, "APPROVED": {identity.ValidationApproved},
			"REJECTED": {identity.ValidationRejected}, "CANCELLED": {identity.ValidationCancelled},
		}[d.Status]
		require.Contains(t, want, v.State)
		require.LessOrEqual(t, r.mails("validation.approved:"), 1)
		require.LessOrEqual(t, r.mails("validation.rejected:"), 1)

		made, err := r.d.Identity().CredentialsOf(ctx, r.ada.Person)
		require.NoError(t, err)
		require.Equal(t, r.calls("POST", "/credential"), len(made), "one request for each name")
		p, err := r.d.Identity().Person(ctx, r.ada.Person)
		require.NoError(t, err)
		atDTM, err := r.client.CredentialsList(ctx, p.DTMUser)
		require.NoError(t, err)
		for _, c := range made {
			require.Equal(t, c.State == identity.CredentialActive, slices.Contains(atDTM, c.Name), "%s is %s", c.Name, c.State)
		}
	})
}
