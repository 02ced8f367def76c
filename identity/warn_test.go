package identity_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/people"
)

const oneDay = 24 * time.Hour

func TestAnEndIsToldOnceForEachWarning(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { toldOnce(t, newRig(t)) })
	t.Run("postgres", func(t *testing.T) { toldOnce(t, newRigOn(t, dbtest.Postgres)) })
}

func toldOnce(t *testing.T, r *rig) {
	t.Helper()
	c := r.active(r.ada)
	about := "credential.ending:" + string(c.ID) + ":"
	until := func(left time.Duration) {
		t.Helper()
		for _, step := range []time.Duration{c.NotAfter.Add(-left).Sub(r.clock()), time.Second} {
			r.later(step)
		}
	}
	until(30*oneDay + time.Hour)
	require.Zero(t, r.mails(about))
	require.False(t, r.s.EndsSoon(r.credential(c.ID)))
	until(30 * oneDay)
	require.Equal(t, 1, r.mails(about+"30"))
	require.True(t, r.s.EndsSoon(r.credential(c.ID)))
	// A replica, a new start and a page that is watched tell nothing twice.
	var wg sync.WaitGroup
	for range 4 {
		other := r.service(r.client)
		require.NoError(t, r.d.Identity().LookSoon(t.Context(), "", c.ID, r.clock()))
		wg.Go(func() { _, _ = other.LookAgain(context.Background()) })
	}
	wg.Wait()
	until(20 * oneDay)
	require.Equal(t, 1, r.mails(about))
	until(7 * oneDay)
	until(6 * oneDay)
	until(oneDay)
	until(time.Hour)
	for _, days := range []string{"30", "7", "1"} {
		require.Equal(t, 1, r.mails(about+days), days)
	}
	require.Equal(t, 3, r.mails(about))
	for _, m := range dbtest.Mails(t, r.d) {
		if strings.HasPrefix(m.About, about) {
			require.Equal(t, "ada@example.test", m.To)
			require.Contains(t, m.Text, "/credentials/"+string(c.ID))
		}
	}
	r.later(2 * time.Hour)
	require.Equal(t, identity.CredentialExpired, r.credential(c.ID).State)
	require.Equal(t, 3, r.mails(about), "what has ended is not warned of")
	require.False(t, r.s.EndsSoon(r.credential(c.ID)))
}

func TestWhoWasAwayIsToldOfTheNearestWarningOnly(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	r.later(c.NotAfter.Sub(r.clock()) - 5*oneDay)
	require.Equal(t, 1, r.mails("credential.ending:"))
	require.Equal(t, 1, r.mails("credential.ending:"+string(c.ID)+":7"))

	r = newRig(t, func(o *identity.Options) { o.WarnBefore = []time.Duration{400 * oneDay, 2 * oneDay} })
	c = r.active(r.ada)
	r.later(oneDay)
	require.Zero(t, r.mails("credential.ending:"), "on its first day nothing is near its end")
	r.later(c.NotAfter.Sub(r.clock()) - 2*oneDay)
	require.Equal(t, 1, r.mails("credential.ending:"+string(c.ID)+":2"))
}

func TestSomebodyWhoHasToActIsToldBeforeTheirCheckRunsOut(t *testing.T) {
	r := newRig(t)
	v := r.start(r.ada, identity.AdvancedPlus)
	r.later(6 * oneDay)
	require.Zero(t, r.mails("validation.ending:"))
	r.later(oneDay + time.Minute)
	r.later(time.Hour)
	require.Equal(t, 1, r.mails("validation.ending:"+string(v.ID)))
	r.later(6*oneDay + time.Hour)
	require.Equal(t, 2, r.mails("validation.ending:"+string(v.ID)), "7 days, and 1")
	w := r.waiting(r.eve)
	r.later(29*oneDay + time.Hour)
	require.Zero(t, r.mails("validation.ending:"+string(w.ID)), "it waits for an admin")
}

func TestCredentialsNearTheirEndAreListedTheNextOneFirst(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{Name: "Ada"})
		now := time.Now().UTC().Truncate(time.Millisecond)
		put := func(id string, state identity.CredentialState, days int) {
			c := identity.Credential{ID: identity.CredentialID(id), Person: p.ID, Name: id, State: state, NotAfter: now.Add(time.Duration(days) * oneDay), CreatedAt: now, Since: now}
			require.NoError(t, d.Identity().Apply(t.Context(), identity.Change{Credentials: []identity.Moved[identity.CredentialState, identity.Credential]{{To: c}}}))
		}
		put("late", identity.CredentialActive, 29)
		put("soon", identity.CredentialActive, 2)
		put("rests", identity.CredentialSuspended, 12)
		put("far", identity.CredentialActive, 31)
		put("gone", identity.CredentialActive, -1)
		put("revoked", identity.CredentialRevoked, 3)
		s := identity.NewService(identity.Options{Store: d.Identity(), Now: func() time.Time { return now }})
		var seen []identity.CredentialID
		after := ""
		for {
			page, next, err := s.EndingCredentials(t.Context(), people.Actor{Person: p.ID, Roles: []people.Role{people.Admin}}, identity.CredentialQuery{Limit: 1, After: after})
			require.NoError(t, err)
			for _, c := range page {
				seen = append(seen, c.ID)
			}
			if after = next; next == "" {
				break
			}
		}
		require.Equal(t, []identity.CredentialID{"soon", "rests", "late"}, seen)
		n, err := s.EndingCount(t.Context(), people.Actor{Person: p.ID, Roles: []people.Role{people.Admin}})
		require.NoError(t, err)
		require.Equal(t, 3, n)
		_, _, err = s.EndingCredentials(t.Context(), people.Actor{Person: p.ID, Roles: []people.Role{people.Signer}}, identity.CredentialQuery{})
		code(t, err, identity.KindForbidden, "role")
	})
}
