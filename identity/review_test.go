package identity_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/identity"
)

func TestNobodyDecidesAboutThemselves(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.mia) // an admin is the applicant
	_, err := r.s.Approve(t.Context(), r.mia, v.ID)
	code(t, err, identity.KindForbidden, "own")
	code(t, r.s.Refuse(t.Context(), r.mia, v.ID, "NO_NEED", ""), identity.KindForbidden, "own")
	code(t, r.s.Correct(t.Context(), r.mia, v.ID, "DOCUMENT_EXPIRED", ""), identity.KindForbidden, "own")
	code(t, r.s.UndoApproval(t.Context(), r.mia, v.ID), identity.KindForbidden, "own")
	_, err = r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced")
	code(t, err, identity.KindForbidden, "own")
	require.Zero(t, r.calls("PUT", ""), "nothing reached DTM")
	require.Len(t, r.entries("", audit.Refused), 5)
	require.Equal(t, identity.ValidationAwaitingApproval, r.check(v.ID).State)

	_, err = r.s.Approve(t.Context(), r.ada, v.ID)
	code(t, err, identity.KindNotFound, "not_found")
}

func TestAHeldApprovalCanBeUndoneAndIsThenSentOnce(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { heldOnce(t, newRig(t)) })
	t.Run("postgres", func(t *testing.T) { heldOnce(t, newRigOn(t, dbtest.Postgres)) })
}

func heldOnce(t *testing.T, r *rig) {
	t.Helper()
	v := r.waiting(r.ada)
	held, err := r.s.Approve(t.Context(), r.mia, v.ID)
	require.NoError(t, err)
	require.Equal(t, identity.ValidationApprovalHeld, held.State)
	require.Equal(t, r.clock().Add(10*time.Second), held.HeldUntil)
	jobs := dbtest.Jobs(t, r.d)
	require.Equal(t, "finish-approval", jobs[len(jobs)-1].Kind)

	require.NoError(t, r.s.FinishApproval(t.Context(), v.ID), "too early: nothing happens")
	require.Equal(t, identity.ValidationApprovalHeld, r.check(v.ID).State)
	require.NoError(t, r.s.UndoApproval(t.Context(), r.mia, v.ID))
	r.later(time.Minute)
	require.NoError(t, r.s.FinishApproval(t.Context(), v.ID))
	require.Equal(t, identity.ValidationAwaitingApproval, r.check(v.ID).State)
	require.Zero(t, r.calls("PUT", "/approve"))

	_, err = r.s.Approve(t.Context(), r.mia, v.ID)
	require.NoError(t, err)
	r.mu.Lock()
	r.now = r.now.Add(11 * time.Second)
	r.mu.Unlock()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := r.s.FinishApproval(context.Background(), v.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, r.calls("PUT", "/approve"))
	require.Equal(t, identity.ValidationApproved, r.check(v.ID).State)
	require.Equal(t, 1, r.mails("validation.approved:"))
}

func TestALostJobDoesNotHoldAnApprovalForever(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	_, err := r.s.Approve(t.Context(), r.mia, v.ID)
	require.NoError(t, err)
	r.later(16 * time.Second) // no job ran: the sweep does it
	require.Equal(t, identity.ValidationApproved, r.check(v.ID).State)
}

func TestWithoutAHoldAnApprovalIsSentAtOnce(t *testing.T) {
	r := newRig(t, func(o *identity.Options) { o.ApprovalHold = 0 })
	v := r.waiting(r.ada)
	v, err := r.s.Approve(t.Context(), r.mia, v.ID)
	require.NoError(t, err)
	require.Equal(t, identity.ValidationApproved, v.State)
}

func TestAnAmbiguousApprovalIsSettledByLookingAndNeverSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		fault dtmsim.Fault
		want  identity.ValidationState
	}{
		"done, answer lost":    {lost("approve"), identity.ValidationApproved},
		"done, answer garbled": {dtmsim.Fault{Path: "approve", Garbage: true, After: true}, identity.ValidationApproved},
		"done, 504 in between": {dtmsim.Fault{Path: "approve", Status: 504, After: true}, identity.ValidationApproved},
		"not done":             {dropped("approve"), identity.ValidationAwaitingApproval},
		"failed":               {dtmsim.Fault{Path: "approve", Status: 500}, identity.ValidationAwaitingApproval},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			v := r.waiting(r.ada)
			_, err := r.s.Approve(t.Context(), r.mia, v.ID)
			require.NoError(t, err)
			r.sim.Trouble(c.fault)
			r.mu.Lock()
			r.now = r.now.Add(11 * time.Second)
			r.mu.Unlock()
			require.NoError(t, r.s.FinishApproval(t.Context(), v.ID))
			// A body that says nothing is an answer all the same: 200 to an approval is a yes.
			if name != "done, answer garbled" {
				require.Equal(t, identity.ValidationApprovalUnknown, r.check(v.ID).State)
			}
			r.later(3 * time.Second)
			if c.want == identity.ValidationAwaitingApproval {
				require.Equal(t, identity.ValidationApprovalUnknown, r.check(v.ID).State, "it may still be on its way")
			}
			r.later(2 * time.Minute)
			v = r.check(v.ID)
			require.Equal(t, c.want, v.State)
			if c.want == identity.ValidationAwaitingApproval {
				require.Equal(t, "approve_lost", v.Reason)
				require.Empty(t, v.DecidedBy)
			}
			require.Equal(t, 1, r.calls("PUT", "/approve"), "never by itself a second time")
		})
	}
}

func TestARefusedApprovalGoesBackToTheDeskWithItsReason(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	_, err := r.s.Approve(t.Context(), r.mia, v.ID)
	require.NoError(t, err)
	r.sim.SetSeats("ADVANCED_PLUS", 0) // the last one went to somebody else meanwhile
	r.later(16 * time.Second)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationAwaitingApproval, v.State)
	require.Equal(t, "no_seat", v.Reason)
	require.Empty(t, v.DecidedBy)
	require.Len(t, r.entries("validation.approve-failed", audit.Failed), 1)
}

func TestAnApproverWhoMayNoMoreDoesNotCount(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	_, err := r.s.Approve(t.Context(), r.mia, v.ID)
	require.NoError(t, err)
	_, err = r.d.Write.Exec("UPDATE people SET disabled = 1 WHERE id = 'mia'")
	require.NoError(t, err)
	r.later(16 * time.Second)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationAwaitingApproval, v.State)
	require.Equal(t, "approver_gone", v.Reason)
	require.Zero(t, r.calls("PUT", "/approve"))
}

func TestARefusalAndACorrectionReachThePersonWithReasonAndNote(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	code(t, r.s.Correct(t.Context(), r.mia, v.ID, "NO_NEED", ""), identity.KindInvalid, "reason")
	require.NoError(t, r.s.Correct(t.Context(), r.mia, v.ID, "DOCUMENT_UNREADABLE", "The photo is dark."))
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationResubmit, v.State)
	require.Equal(t, "The photo is dark.", v.Note)
	r.later(3 * time.Second)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationResubmit, v.State)
	require.NotEmpty(t, v.Link, "where the person goes on")
	require.Equal(t, "The photo is dark.", v.Note, "a look does not lose it")

	r.sim.Proofed("cs-ada", nil)
	r.later(3 * time.Second)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationAwaitingApproval, v.State)
	require.Empty(t, v.Note)
	require.NoError(t, r.s.Refuse(t.Context(), r.mia, v.ID, "WRONG_PERSON", ""))
	require.Equal(t, identity.ValidationRejected, r.check(v.ID).State)
	require.Equal(t, 1, r.mails("validation.resubmit:"))
	require.Equal(t, 1, r.mails("validation.rejected:"))
	text := ""
	for _, m := range dbtest.Mails(t, r.d) {
		text += m.Text
	}
	require.Contains(t, text, "The photo is dark.")
	require.Contains(t, text, "The papers belong to somebody else")
	require.Contains(t, text, "https://sign.example.test/identity-checks/"+string(v.ID))
}

func TestARefusalWhoseAnswerIsLostKeepsItsReason(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	r.sim.Trouble(lost("reject"))
	code(t, r.s.Refuse(t.Context(), r.mia, v.ID, "WRONG_PERSON", "Ask me."), identity.KindRemote, "dtm_unknown")
	r.later(3 * time.Second)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationRejected, v.State)
	require.Equal(t, "WRONG_PERSON", v.Reason)
	require.Equal(t, "Ask me.", v.Note)
	require.Equal(t, 1, r.calls("PUT", "/reject"))
	require.Equal(t, 1, r.mails("validation.rejected:"))
}

func TestARefusalThatDTMRefusesLeavesNoReasonBehind(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	r.sim.Trouble(dtmsim.Fault{Path: "reject", Status: 503})
	code(t, r.s.Refuse(t.Context(), r.mia, v.ID, "WRONG_PERSON", ""), identity.KindRemote, "dtm_away")
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationAwaitingApproval, v.State)
	require.Empty(t, v.Reason)
	require.Empty(t, v.DecidedBy)
}

func TestTwoAdminsAtOnceOneWins(t *testing.T) {
	for range 5 {
		r := newRig(t)
		v := r.waiting(r.ada)
		var wg sync.WaitGroup
		errs := make([]error, 2)
		wg.Go(func() { _, errs[0] = r.s.Approve(context.Background(), r.mia, v.ID) })
		wg.Go(func() { errs[1] = r.s.Refuse(context.Background(), r.mia, v.ID, "NO_NEED", "") })
		wg.Wait()
		r.later(16 * time.Second)
		r.later(5 * time.Second)
		d, err := r.client.Validation(t.Context(), v.DTM)
		require.NoError(t, err)
		v = r.check(v.ID)
		require.Contains(t, []identity.ValidationState{identity.ValidationApproved, identity.ValidationRejected}, v.State, "%v", errs)
		require.Equal(t, map[string]identity.ValidationState{"APPROVED": identity.ValidationApproved, "REJECTED": identity.ValidationRejected}[d.Status], v.State)
	}
}

func TestWhatDTMDecidesByItselfIsObserved(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	require.NoError(t, r.client.ApproveValidation(t.Context(), v.DTM)) // in DTM's own pages
	r.later(3 * time.Second)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationApproved, v.State)
	require.Empty(t, v.DecidedBy)
	seen := r.entries("validation.observe", audit.Observed)
	require.NotEmpty(t, seen)
	require.Equal(t, "dtm", seen[0].System)
}

var errKilled = errors.New("killed")

// mortal dies before or after the n-th call that changes something at DTM.
type mortal struct {
	*dtmclient.Client
	n      int
	before bool
}

func (m *mortal) around(call func() error) error {
	m.n--
	if m.n == 0 && m.before {
		panic(errKilled)
	}
	err := call()
	if m.n == 0 {
		panic(errKilled)
	}
	return err
}

func (m *mortal) CreateUser(ctx context.Context, u dtmclient.User) (out dtmclient.User, err error) {
	err = m.around(func() error { out, err = m.Client.CreateUser(ctx, u); return err })
	return out, err
}

func (m *mortal) CreateValidation(ctx context.Context, n dtmclient.NewValidation) (out dtmclient.Validation, err error) {
	err = m.around(func() error { out, err = m.Client.CreateValidation(ctx, n); return err })
	return out, err
}

func (m *mortal) ApproveValidation(ctx context.Context, id string) error {
	return m.around(func() error { return m.Client.ApproveValidation(ctx, id) })
}

func (m *mortal) RejectValidation(ctx context.Context, id, reason string) error {
	return m.around(func() error { return m.Client.RejectValidation(ctx, id, reason) })
}

func (m *mortal) CreateCredential(ctx context.Context, n dtmclient.NewCredential) (out dtmclient.Credential, err error) {
	err = m.around(func() error { out, err = m.Client.CreateCredential(ctx, n); return err })
	return out, err
}

// A process that dies around any call that changes something leaves rows that another
// process settles by looking. Nothing is asked twice, but a start that is known not to
// have arrived.
func TestDyingAroundAnyCallIsSettledByLooking(t *testing.T) {
	for _, command := range []string{"start", "approve", "refuse", "issue"} {
		for n := 1; n <= 2; n++ {
			for _, before := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%d/before=%v", command, n, before), func(t *testing.T) {
					r := newRig(t)
					var v identity.Validation
					switch command {
					case "approve", "refuse":
						v = r.waiting(r.ada)
					case "issue":
						v = r.approved(r.ada)
					}
					dying := r.service(&mortal{Client: r.client, n: n, before: before}, func(o *identity.Options) { o.ApprovalHold = 0 })
					died := false
					func() {
						defer func() { died = recover() != nil }()
						switch command {
						case "start":
							_, _ = dying.Start(t.Context(), r.ada, identity.Basic, true)
						case "approve":
							_, _ = dying.Approve(t.Context(), r.mia, v.ID)
						case "refuse":
							_ = dying.Refuse(t.Context(), r.mia, v.ID, "NO_NEED", "")
						case "issue":
							_, _ = dying.Issue(t.Context(), r.mia, v.ID, "cp-advanced-p256")
						}
					}()
					if n == 2 && command != "start" {
						require.False(t, died, "there is one call only")
						return
					}
					require.True(t, died)
					for range 6 {
						r.later(time.Minute)
					}
					list, err := r.d.Identity().ValidationsOf(t.Context(), r.ada.Person)
					require.NoError(t, err)
					require.Len(t, list, 1)
					v = list[0]
					arrived := map[bool]int{true: 0, false: 1}[before]
					switch command {
					case "start":
						require.Equal(t, identity.ValidationEmailSent, v.State)
						require.Equal(t, 1, r.calls("POST", "/validation"))
						require.Equal(t, 1, r.calls("POST", "/user"))
					case "approve":
						require.Equal(t, map[bool]identity.ValidationState{true: identity.ValidationAwaitingApproval, false: identity.ValidationApproved}[before], v.State)
						require.Equal(t, arrived, r.calls("PUT", "/approve"))
					case "refuse":
						require.Equal(t, map[bool]identity.ValidationState{true: identity.ValidationAwaitingApproval, false: identity.ValidationRejected}[before], v.State)
					case "issue":
						all, err := r.d.Identity().CredentialsOf(t.Context(), r.ada.Person)
						require.NoError(t, err)
						require.Len(t, all, 1)
						require.Equal(t, map[bool]identity.CredentialState{true: identity.CredentialDeactivated, false: identity.CredentialActive}[before], all[0].State)
						require.Equal(t, arrived, r.calls("POST", "/credential"))
					}
				})
			}
		}
	}
}
