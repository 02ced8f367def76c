package identity_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/people"
)

func (r *rig) person(a people.Actor) people.Person {
	r.t.Helper()
	p, err := r.d.Identity().Person(context.Background(), a.Person)
	require.NoError(r.t, err)
	return p
}

func (r *rig) disableAtDTM(dtm string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodPut, r.sim.BaseURL+"/documentmanager/api/v1/validation/"+dtm+"/disable", strings.NewReader("{}"))
	require.NoError(r.t, err)
	q.Header.Set("x-api-key", r.sim.APIKey)
	q.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(q)
	require.NoError(r.t, err)
	defer a.Body.Close()
	require.Less(r.t, a.StatusCode, 300)
}

func TestARenewalIsAskedForMadeOnceAndTakesThePlaceOfTheOldOne(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { renewed(t, newRig(t)) })
	t.Run("postgres", func(t *testing.T) { renewed(t, newRigOn(t, dbtest.Postgres)) })
}

func renewed(t *testing.T, r *rig) {
	t.Helper()
	old := r.active(r.ada)
	require.NoError(t, r.s.SetDefault(t.Context(), r.ada, old.ID))
	for range 3 {
		require.NoError(t, r.s.AskRenewal(t.Context(), r.ada, old.ID))
	}
	require.Equal(t, 1, r.mails("credential.renewal:"+string(old.ID)), "one mail to mia")
	require.Len(t, r.entries("credential.renew-ask", audit.Done), 1)
	made := r.calls("POST", "/credential")

	code(t, r.s.AskRenewal(t.Context(), r.eve, old.ID), identity.KindNotFound, "not_found")
	_, err := r.s.Renew(t.Context(), r.ada, old.ID)
	code(t, err, identity.KindForbidden, "role")
	code(t, r.s.SetDefault(t.Context(), r.mia, old.ID), identity.KindForbidden, "role")

	ids := map[identity.CredentialID]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 { // pressed many times
		wg.Go(func() {
			c, err := r.s.Renew(context.Background(), r.mia, old.ID)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[c.ID] = true
		})
	}
	wg.Wait()
	require.Len(t, ids, 1)
	require.Equal(t, made+1, r.calls("POST", "/credential"))
	require.Equal(t, string(old.ID), r.person(r.ada).Default, "until the new one is active the old one signs")
	require.Zero(t, r.credential(old.ID).RetiredAt)

	for range 3 {
		r.later(3 * time.Second)
	}
	next, err := r.s.Successor(t.Context(), r.ada, old.ID)
	require.NoError(t, err)
	require.Equal(t, identity.CredentialActive, next.State)
	require.Equal(t, old.Profile, next.Profile)
	require.Equal(t, old.Validation, next.Validation, "the same identity check")
	old = r.credential(old.ID)
	require.NotZero(t, old.RetiredAt)
	require.Zero(t, old.RenewalAsked)
	require.Equal(t, identity.CredentialActive, old.State, "retired, not revoked")
	require.Equal(t, string(next.ID), r.person(r.ada).Default)
	require.Len(t, r.entries("credential.retire", audit.Done), 1)
	require.Equal(t, 1, r.mails("credential.ready:"+string(next.ID)))
	require.Zero(t, r.calls("PUT", "/revoke"))

	for _, err := range []error{r.s.AskRenewal(t.Context(), r.ada, old.ID), r.s.SetDefault(t.Context(), r.ada, old.ID)} {
		code(t, err, identity.KindConflict, "retired")
	}
	_, err = r.s.Renew(t.Context(), r.mia, old.ID)
	code(t, err, identity.KindConflict, "retired")
	fresh, err := r.s.FreshCredential(t.Context(), old.ID)
	require.NoError(t, err)
	require.Equal(t, identity.CredentialActive, fresh.State, "what has begun with it goes on")
	r.later(old.NotAfter.Sub(r.clock()) - 6*oneDay)
	require.Zero(t, r.mails("credential.ending:"+string(old.ID)), "nobody is warned of one that has its successor")
}

func TestARenewalNeedsAnIdentityCheckThatStillCountsAndAnotherAdmin(t *testing.T) {
	r := newRig(t)
	old := r.active(r.ada)
	require.NoError(t, r.s.AskRenewal(t.Context(), r.ada, old.ID))
	v := r.check(old.Validation)
	r.disableAtDTM(v.DTM)
	_, err := r.s.Renew(t.Context(), r.mia, old.ID) // DTM is looked at now
	code(t, err, identity.KindConflict, "new_check")
	require.NoError(t, r.s.DropRenewal(t.Context(), r.ada, old.ID))
	code(t, r.s.AskRenewal(t.Context(), r.ada, old.ID), identity.KindConflict, "new_check")
	require.Equal(t, 1, r.calls("POST", "/credential"))

	r = newRig(t)
	zoe := r.zoe()
	v = r.waiting(r.mia) // an admin's own
	_, err = r.s.Approve(t.Context(), zoe, v.ID)
	require.NoError(t, err)
	r.later(16 * time.Second)
	own, err := r.s.Issue(t.Context(), zoe, v.ID, "cp-advanced-p256")
	require.NoError(t, err)
	r.later(3 * time.Second)
	require.NoError(t, r.s.AskRenewal(t.Context(), r.mia, own.ID))
	_, err = r.s.Renew(t.Context(), r.mia, own.ID)
	code(t, err, identity.KindForbidden, "own")
	_, err = r.s.Renew(t.Context(), zoe, own.ID)
	require.NoError(t, err)
}

func TestARenewalIsWithdrawnByItsOwnerOrDeclinedByAnAdmin(t *testing.T) {
	r := newRig(t)
	old := r.active(r.ada)
	require.NoError(t, r.s.AskRenewal(t.Context(), r.ada, old.ID))
	n, err := r.s.AskedCount(t.Context(), r.mia)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, r.s.DropRenewal(t.Context(), r.ada, old.ID))
	require.Zero(t, r.mails("credential.renewal-declined:"), "one's own doing is no news")
	r.later(time.Minute)
	require.NoError(t, r.s.AskRenewal(t.Context(), r.ada, old.ID))
	require.NoError(t, r.s.DropRenewal(t.Context(), r.mia, old.ID))
	require.NoError(t, r.s.DropRenewal(t.Context(), r.mia, old.ID), "again")
	require.Equal(t, 1, r.mails("credential.renewal-declined:"))
	require.Zero(t, r.credential(old.ID).RenewalAsked)

	require.NoError(t, r.s.AskRenewal(t.Context(), r.ada, old.ID))
	list, _, err := r.s.Credentials(t.Context(), r.mia, identity.CredentialQuery{Asked: true})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.NoError(t, r.s.Revoke(t.Context(), r.ada, old.ID, identity.KeyCompromise))
	require.Zero(t, r.credential(old.ID).RenewalAsked, "nothing is left to renew")
}

// A process that dies around the one call leaves what another settles by looking; a wish
// that came to nothing stands and can be granted again.
func TestDyingAroundARenewalLeavesOneSuccessorOrTheWish(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprint("before=", before), func(t *testing.T) {
			r := newRig(t)
			old := r.active(r.ada)
			require.NoError(t, r.s.AskRenewal(t.Context(), r.ada, old.ID))
			made := r.calls("POST", "/credential")
			dying := r.service(&mortal{Client: r.client, n: 1, before: before})
			func() {
				defer func() { require.ErrorIs(t, recover().(error), errKilled) }()
				_, _ = dying.Renew(t.Context(), r.mia, old.ID)
			}()
			_, err := r.s.Renew(t.Context(), r.mia, old.ID)
			require.NoError(t, err, "the same wish")
			for range 6 {
				r.later(time.Minute)
			}
			next, err := r.s.Successor(t.Context(), r.ada, old.ID)
			if before {
				require.Error(t, err)
				require.Zero(t, r.credential(old.ID).RetiredAt, "the old one signs")
				require.NotZero(t, r.credential(old.ID).RenewalAsked)
				_, err = r.s.Renew(t.Context(), r.mia, old.ID)
				require.NoError(t, err)
				for range 3 {
					r.later(3 * time.Second)
				}
				next, err = r.s.Successor(t.Context(), r.ada, old.ID)
			}
			require.NoError(t, err)
			require.Equal(t, identity.CredentialActive, next.State)
			require.NotZero(t, r.credential(old.ID).RetiredAt)
			require.Equal(t, string(next.ID), r.person(r.ada).Default)
			require.Equal(t, made+1, r.calls("POST", "/credential"))
		})
	}
}

func TestTheDatabaseKeepsASuccessorToOneAndADefaultThatWasChosen(t *testing.T) {
	r := newRig(t)
	old := r.active(r.ada)
	put := func(name string, state identity.CredentialState) error {
		c := identity.Credential{ID: identity.CredentialID(name), Name: name, Person: r.ada.Person, State: state, Replaces: old.ID, CreatedAt: r.clock(), Since: r.clock()}
		return r.d.Identity().Apply(t.Context(), identity.Change{Credentials: []identity.Moved[identity.CredentialState, identity.Credential]{{To: c}}})
	}
	require.NoError(t, put("failed", identity.CredentialDeactivated))
	require.NoError(t, put("first", identity.CredentialIssuanceUnknown))
	require.ErrorIs(t, put("second", identity.CredentialIssuanceUnknown), identity.ErrConflict)

	set := func(id, instead string) {
		require.NoError(t, r.d.Identity().Apply(t.Context(), identity.Change{Default: &identity.Default{Person: r.ada.Person, Credential: identity.CredentialID(id), InsteadOf: identity.CredentialID(instead)}}))
	}
	set("other", "")
	set("first", string(old.ID))
	require.Equal(t, "other", r.person(r.ada).Default, "a choice of another credential stands")
	set(string(old.ID), "")
	set("first", string(old.ID))
	require.Equal(t, "first", r.person(r.ada).Default)
}
