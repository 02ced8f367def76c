package identity_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/identity"
	"countersign/people"
)

func TestACredentialIsNotIssuedBeforeTheApproval(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	_, err := r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced")
	code(t, err, identity.KindConflict, "wrong_state")
	_, err = r.s.Issue(t.Context(), r.ada, v.ID, "cp-advanced")
	code(t, err, identity.KindForbidden, "role")
	require.Zero(t, r.calls("POST", "/credential"))
}

func TestOneWishForACredentialMakesOneCredential(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { oneWish(t, newRig(t)) })
	t.Run("postgres", func(t *testing.T) { oneWish(t, newRigOn(t, dbtest.Postgres)) })
}

func oneWish(t *testing.T, r *rig) {
	t.Helper()
	v := r.approved(r.ada)
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[identity.CredentialID]bool{}
	for range 8 {
		wg.Go(func() {
			c, err := r.s.Issue(context.Background(), r.mia, v.ID, "cp-advanced-p256")
			if err != nil { // one that comes after the credential is active is told so
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[c.ID] = true
		})
	}
	wg.Wait()
	require.Len(t, ids, 1)
	require.Equal(t, 1, r.calls("POST", "/credential"))
	again, err := r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced-p256")
	require.NoError(t, err, "while it is being made, it is the same wish")
	require.True(t, ids[again.ID])
	r.later(3 * time.Second)
	_, err = r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced-p256")
	code(t, err, identity.KindConflict, "credential_exists")
	require.Equal(t, 1, r.calls("POST", "/credential"))
}

func TestALostAnswerOfAnIssueIsFoundByTheNameWeChose(t *testing.T) {
	for name, c := range map[string]struct {
		fault dtmsim.Fault
		want  identity.CredentialState
	}{
		"made, answer lost":    {dtmsim.Fault{Method: http.MethodPost, Path: "credential", Drop: true, After: true}, identity.CredentialActive},
		"made, answer garbled": {dtmsim.Fault{Method: http.MethodPost, Path: "credential", Garbage: true, After: true}, identity.CredentialActive},
		"made, answer cut":     {dtmsim.Fault{Method: http.MethodPost, Path: "credential", Truncate: true, After: true}, identity.CredentialActive},
		"not made":             {dtmsim.Fault{Method: http.MethodPost, Path: "credential", Drop: true}, identity.CredentialDeactivated},
		"failed":               {dtmsim.Fault{Method: http.MethodPost, Path: "credential", Status: 502}, identity.CredentialDeactivated},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			v := r.approved(r.ada)
			r.sim.Trouble(c.fault)
			made, err := r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced-p256")
			require.NoError(t, err)
			require.Equal(t, identity.CredentialIssuanceUnknown, made.State)
			again, err := r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced-p256")
			require.NoError(t, err)
			require.Equal(t, made.ID, again.ID, "asking again changes nothing")
			r.later(3 * time.Second)
			if c.want == identity.CredentialDeactivated {
				require.Equal(t, identity.CredentialIssuanceUnknown, r.credential(made.ID).State, "it may still be on its way")
			}
			r.later(3 * time.Minute)
			made = r.credential(made.ID)
			require.Equal(t, c.want, made.State)
			require.Equal(t, 1, r.calls("POST", "/credential"))
			if c.want != identity.CredentialDeactivated {
				return
			}
			require.Equal(t, "not_issued", made.Reason)
			next, err := r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced-p256")
			require.NoError(t, err)
			require.NotEqual(t, made.Name, next.Name, "an admin can ask again, under a new name")
		})
	}
}

func TestARefusedIssueSaysSo(t *testing.T) {
	r := newRig(t)
	v := r.approved(r.ada)
	_, err := r.s.Issue(t.Context(), r.mia, v.ID, "cp-seal")
	code(t, err, identity.KindInvalid, "profile")
	r.sim.Trouble(dtmsim.Fault{Method: http.MethodPost, Path: "credential", Status: 400, Body: `{"errors":[{"code":"invalid_request","message":"no"}]}`})
	c, err := r.s.Issue(t.Context(), r.mia, v.ID, "cp-advanced")
	code(t, err, identity.KindRemote, "dtm_refused")
	require.Equal(t, identity.CredentialDeactivated, c.State)
}

func TestSuspendingResumingAndRevoking(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	for _, foreign := range []func() error{
		func() error { return r.s.Suspend(t.Context(), r.eve, c.ID) },
		func() error { return r.s.Resume(t.Context(), r.eve, c.ID) },
		func() error { return r.s.Revoke(t.Context(), r.eve, c.ID, identity.Superseded) },
	} {
		code(t, foreign(), identity.KindNotFound, "not_found")
	}
	auditor := people.Actor{Person: "aud", Roles: []people.Role{people.Auditor}}
	code(t, r.s.Revoke(t.Context(), auditor, c.ID, identity.Superseded), identity.KindForbidden, "role")

	require.NoError(t, r.s.Suspend(t.Context(), r.ada, c.ID))
	require.NoError(t, r.s.Resume(t.Context(), r.ada, c.ID), "one's own suspension")
	require.NoError(t, r.s.Suspend(t.Context(), r.mia, c.ID))
	r.later(25 * time.Hour)
	require.Equal(t, "by_admin", r.credential(c.ID).Reason, "a look keeps who did it")
	code(t, r.s.Resume(t.Context(), r.ada, c.ID), identity.KindForbidden, "suspended_by_admin")
	require.NoError(t, r.s.Resume(t.Context(), r.mia, c.ID))

	code(t, r.s.Revoke(t.Context(), r.ada, c.ID, "BECAUSE"), identity.KindInvalid, "reason")
	require.NoError(t, r.s.Revoke(t.Context(), r.ada, c.ID, identity.KeyCompromise))
	c = r.credential(c.ID)
	require.Equal(t, identity.CredentialRevoked, c.State)
	require.Equal(t, "KEY_COMPROMISE", c.Reason)
	code(t, r.s.Suspend(t.Context(), r.mia, c.ID), identity.KindConflict, "wrong_state")
	require.Equal(t, 1, r.mails("credential.ready:"), "resuming is not a new credential")
}

// Whoever owns a credential hears by mail what somebody else did to it, once, and not what
// they did themselves.
func TestTheOwnerIsToldWhatOthersDidToTheirCredential(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	before := len(dbtest.Mails(t, r.d))
	require.NoError(t, r.s.Suspend(t.Context(), r.ada, c.ID))
	require.NoError(t, r.s.Resume(t.Context(), r.ada, c.ID))
	require.Len(t, dbtest.Mails(t, r.d), before, "one's own doing is no news")

	for n := 1; n <= 2; n++ {
		r.later(time.Minute)
		require.NoError(t, r.s.Suspend(t.Context(), r.mia, c.ID))
		require.Equal(t, n, r.mails("credential.suspended:"+string(c.ID)))
		r.later(time.Minute)
		require.NoError(t, r.s.Resume(t.Context(), r.mia, c.ID))
		require.Equal(t, n, r.mails("credential.resumed:"+string(c.ID)))
	}
	require.NoError(t, r.s.Suspend(t.Context(), r.mia, c.ID))
	require.NoError(t, r.s.Revoke(t.Context(), r.mia, c.ID, identity.KeyCompromise))
	r.later(25 * time.Hour)
	require.Equal(t, 1, r.mails("credential.revoked:"+string(c.ID)))
	require.Equal(t, 1, r.mails("credential.ready:"))
	for _, m := range dbtest.Mails(t, r.d)[before:] {
		require.Equal(t, "ada@example.test", m.To)
		require.Contains(t, m.Text, "/credentials/"+string(c.ID))
		require.NotContains(t, m.Text, "Mia", "who it was stands in the log")
	}

	other := r.active(r.eve) // at DTM's own desk, or where our answer was lost: seen later
	require.NoError(t, r.sim.Revoke(other.Name))
	r.later(25 * time.Hour)
	require.Equal(t, 1, r.mails("credential.revoked:"+string(other.ID)))

	// A mail that cannot be written holds the change back: both or none.
	r = newRig(t)
	c = r.active(r.ada)
	_, err := r.d.Write.Exec("ALTER TABLE outbox RENAME TO outbox_away")
	require.NoError(t, err)
	require.Error(t, r.s.Suspend(t.Context(), r.mia, c.ID))
	require.Equal(t, identity.CredentialActive, r.credential(c.ID).State)
}

func TestARevocationWhoseAnswerIsLostIsFoundAndNotSentAgain(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	r.sim.Trouble(lost("revoke"))
	code(t, r.s.Revoke(t.Context(), r.ada, c.ID, identity.Superseded), identity.KindRemote, "dtm_unknown")
	r.later(3 * time.Second)
	c = r.credential(c.ID)
	require.Equal(t, identity.CredentialRevoked, c.State)
	require.Equal(t, "SUPERSEDED", c.Reason)
	require.Equal(t, 1, r.calls("PUT", "/revoke"))
}

func TestALookThatComesBetweenDoesNotMakeAnybodyPressTwice(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	between := 0
	s := r.service(r.client, func(o *identity.Options) {
		o.Reached = func(p identity.Point, after bool) {
			if p != identity.PointAsk || after || between == 0 {
				return
			}
			between--
			_, err := r.d.Write.Exec("UPDATE credentials SET version = version + 1")
			require.NoError(t, err)
		}
	})
	between = 1
	require.NoError(t, s.Suspend(t.Context(), r.ada, c.ID))
	between = 1
	require.NoError(t, s.Resume(t.Context(), r.ada, c.ID))
	require.Equal(t, 1, r.calls("PUT", "/suspend"))
	require.Equal(t, 1, r.calls("PUT", "/resume"))

	between = 100
	code(t, s.Suspend(t.Context(), r.ada, c.ID), identity.KindConflict, "changed")
	require.Equal(t, 1, r.calls("PUT", "/suspend"), "nothing is asked for on a row that moved on")
	require.Equal(t, 95, between, "five times, not for ever")
}

func TestSuspendingIsNotOfferedWhereTheHostCannot(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	s := r.service(r.client, func(o *identity.Options) { o.CanSuspend = false })
	require.False(t, s.CanSuspend())
	code(t, s.Suspend(t.Context(), r.ada, c.ID), identity.KindConflict, "cannot_suspend")
	require.Zero(t, r.calls("PUT", "/suspend"))
}

func TestAFreshCredentialIsWhatDTMSaysNow(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	require.NoError(t, r.sim.Revoke(c.Name))
	require.Equal(t, identity.CredentialActive, r.credential(c.ID).State)
	seen, err := r.s.FreshCredential(t.Context(), c.ID)
	require.NoError(t, err)
	require.Equal(t, identity.CredentialRevoked, seen.State)
	require.Equal(t, identity.CredentialRevoked, r.credential(c.ID).State)
	require.NotEmpty(t, r.entries("credential.observe", audit.Observed))

	r.sim.Trouble(dtmsim.Fault{Path: "credential/*", Status: 500})
	_, err = r.s.FreshCredential(t.Context(), c.ID)
	code(t, err, identity.KindRemote, "dtm_away")
}

func TestACredentialOfAnotherDTMUserIsRefused(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	_, err := r.d.Write.Exec("UPDATE people SET dtm_user = 'somebody-else' WHERE id = 'ada'")
	require.NoError(t, err)
	_, err = r.s.FreshCredential(t.Context(), c.ID)
	code(t, err, identity.KindForbidden, "binding")
	require.Len(t, r.entries("credential.use", audit.Refused), 1)
}

func TestAnExpiryIsNotedEvenWhenDTMIsAway(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	r.sim.Trouble(dtmsim.Fault{Path: "credential/*", Status: 500, N: 1000})
	r.later(c.NotAfter.Sub(r.clock()) - time.Hour)
	require.Equal(t, identity.CredentialActive, r.credential(c.ID).State)
	r.later(2 * time.Hour)
	require.Equal(t, identity.CredentialExpired, r.credential(c.ID).State)
}

func TestListsArePagedByCursor(t *testing.T) {
	r := newRig(t)
	r.waiting(r.ada)
	r.waiting(r.eve)
	var seen []identity.ValidationID
	after := ""
	for {
		page, next, err := r.s.Queue(t.Context(), r.mia, identity.QueueQuery{Limit: 1, After: after})
		require.NoError(t, err)
		for _, v := range page {
			seen = append(seen, v.ID)
		}
		if after = next; next == "" {
			break
		}
	}
	require.Len(t, seen, 2)
	require.NotEqual(t, seen[0], seen[1])
	counts, err := r.s.QueueCounts(t.Context(), r.mia)
	require.NoError(t, err)
	require.Equal(t, 2, counts[identity.ValidationAwaitingApproval])
	seats, err := r.s.Seats(t.Context(), r.mia, identity.AdvancedPlus)
	require.NoError(t, err)
	require.Equal(t, 100, seats.Total)
	profiles, err := r.s.Profiles(t.Context(), r.mia, identity.Basic)
	require.NoError(t, err)
	for _, p := range profiles {
		require.Equal(t, "BASIC", p.Standard)
		require.NotEqual(t, "SEAL", p.SubjectType)
	}
	log, err := r.s.RemoteLog(t.Context(), r.mia, identity.RemoteQuery{ResourceType: "validation"})
	require.NoError(t, err)
	require.NotEmpty(t, log.Items)
	roles, err := r.s.RemoteRoles(t.Context(), r.mia)
	require.NoError(t, err)
	require.NotEmpty(t, roles)
}
