package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/auth"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/people"
)

var midday = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func loginOf(subject string, n int) auth.SignIn {
	id := fmt.Sprintf("%s-%d", subject, n)
	return auth.SignIn{
		Person: people.Person{Issuer: "https://op.example", Subject: subject, Name: "Ada", Email: "ada@example.test", Roles: []people.Role{people.Signer}},
		Session: auth.Session{ID: id, Hash: []byte("hash of " + id), Issuer: "https://op.example", Subject: subject, ProviderSession: "sid-" + id,
			CreatedAt: midday, SeenAt: midday, IdleEnds: midday.Add(15 * time.Minute), Ends: midday.Add(8 * time.Hour),
			Data: auth.Data{Address: "192.0.2.1", Agent: "Browser", AuthTime: midday}, Hint: []byte{1, 2}},
		Entry: audit.Entry{At: midday, Action: "session.begin", Object: "session", Subject: id, To: "open", Outcome: audit.Done},
	}
}

func auditLines(t *testing.T, d *db.DB) (lines []string) {
	t.Helper()
	page, _, err := d.Audit().List(context.Background(), audit.Filter{Limit: 500})
	require.NoError(t, err)
	for _, e := range page {
		lines = append(lines, e.Action+" "+e.Subject+" "+string(e.Outcome)+" "+e.Reason)
	}
	return lines
}

func TestSessionIsKeptAsItWasMade(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := context.Background(), d.Auth()
		in := loginOf("ada", 1)
		p, err := s.SignIn(ctx, in)
		require.NoError(t, err)
		require.NotEmpty(t, p.ID)
		got, person, err := s.Session(ctx, in.Session.Hash)
		require.NoError(t, err)
		require.Equal(t, p, person)
		want := in.Session
		want.Person = p.ID
		require.Equal(t, want, got)
		_, _, err = s.Session(ctx, []byte("other"))
		require.ErrorIs(t, err, auth.ErrNotFound)
		require.Equal(t, []string{"session.begin ada-1 done "}, auditLines(t, d))

		require.NoError(t, s.Touch(ctx, got.Hash, midday.Add(time.Minute), midday.Add(16*time.Minute)))
		require.NoError(t, s.Touch(ctx, got.Hash, midday, midday.Add(15*time.Minute)), "a late one changes nothing")
		got, _, err = s.Session(ctx, got.Hash)
		require.NoError(t, err)
		require.Equal(t, midday.Add(time.Minute), got.SeenAt)
		require.Equal(t, midday.Add(16*time.Minute), got.IdleEnds)
	})
}

func TestLoginFindsThePersonByIssuerAndSubject(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := context.Background(), d.Auth()
		first, err := s.SignIn(ctx, loginOf("ada", 1))
		require.NoError(t, err)
		require.NoError(t, d.People().SetLook(ctx, first.ID, "nl", "dark"))
		_, err = d.Write.Exec(d.Write.Rebind("UPDATE people SET dtm_user = 'u1' WHERE id = ?"), first.ID)
		require.NoError(t, err)

		again := loginOf("ada", 2)
		again.Person.Name, again.Person.Email, again.Person.Roles = "Ada E.", "new@example.test", nil
		again.Replaces = []byte("hash of ada-1")
		p, err := s.SignIn(ctx, again)
		require.NoError(t, err)
		require.Equal(t, first.ID, p.ID)
		require.Equal(t, "Ada E.", p.Name)
		require.Equal(t, "new@example.test", p.Email)
		require.Empty(t, p.Roles)
		require.Equal(t, []string{"nl", "dark", "u1"}, []string{p.Language, p.Scheme, p.DTMUser}, "a login does not touch what is ours")
		require.Equal(t, first.CreatedAt, p.CreatedAt)
		_, _, err = s.Session(ctx, []byte("hash of ada-1"))
		require.ErrorIs(t, err, auth.ErrNotFound)

		other := loginOf("ada", 3)
		other.Person.Issuer = "https://other.example"
		q, err := s.SignIn(ctx, other)
		require.NoError(t, err)
		require.NotEqual(t, p.ID, q.ID, "the same subject elsewhere is somebody else")
	})
}

func TestFirstLoginInTwoTabsMakesOnePerson(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var wg sync.WaitGroup
		ids := make([]people.ID, 8)
		for i := range ids {
			wg.Go(func() {
				p, err := d.Auth().SignIn(context.Background(), loginOf("ada", i))
				if err != nil {
					t.Error(err)
				}
				ids[i] = p.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			require.Equal(t, ids[0], id)
		}
		list, err := d.Auth().Sessions(context.Background(), ids[0])
		require.NoError(t, err)
		require.Len(t, list, len(ids))
	})
}

func TestSessionsEndByPersonSubjectAndProvider(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := context.Background(), d.Auth()
		end := audit.Entry{At: midday.Add(time.Hour), Action: "session.end", Object: "session", System: "provider", Outcome: audit.Observed, Reason: "provider_logout"}
		for _, in := range []auth.SignIn{loginOf("ada", 1), loginOf("ada", 2), loginOf("ada", 3), loginOf("ben", 1)} {
			_, err := s.SignIn(ctx, in)
			require.NoError(t, err)
		}
		n, err := s.EndAll(ctx, auth.Which{Issuer: "https://op.example", ProviderSession: "sid-ada-1"}, end)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, "session.end ada-1 observed provider_logout", auditLines(t, d)[0])
		n, err = s.EndAll(ctx, auth.Which{Issuer: "https://op.example", ProviderSession: "sid-ada-2", Subject: "ben"}, end)
		require.NoError(t, err)
		require.Zero(t, n, "every field must match")
		_, err = s.EndAll(ctx, auth.Which{Issuer: "https://op.example"}, end)
		require.Error(t, err, "never everybody's")

		w := auth.Which{Issuer: "https://op.example", Subject: "ada"}
		n, err = s.EndByToken(ctx, "t1", midday.Add(time.Hour), w, end)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, err = s.SignIn(ctx, loginOf("ada", 4))
		require.NoError(t, err)
		_, err = s.EndByToken(ctx, "t1", midday.Add(time.Hour), w, end)
		require.ErrorIs(t, err, auth.ErrUsed)
		_, _, err = s.Session(ctx, []byte("hash of ada-4"))
		require.NoError(t, err, "a replay ends nothing")

		before := len(auditLines(t, d))
		require.NoError(t, s.End(ctx, []byte("hash of ada-4"), end))
		require.NoError(t, s.End(ctx, []byte("hash of ada-4"), end))
		require.Len(t, auditLines(t, d), before+1, "an end is told once")
	})
}

func TestAttemptIsUsedOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var wg sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			wg.Go(func() { results[i] = d.Auth().UseAttempt(context.Background(), "a1", midday) })
		}
		wg.Wait()
		good := 0
		for _, err := range results {
			if err == nil {
				good++
			} else if !errors.Is(err, auth.ErrUsed) {
				t.Error(err)
			}
		}
		require.Equal(t, 1, good)
	})
}

func TestDisabledPersonGetsNoSession(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := context.Background(), d.Auth()
		p, err := s.SignIn(ctx, loginOf("ada", 1))
		require.NoError(t, err)
		e := audit.Entry{At: midday, Person: "admin", Owner: p.ID, Action: "person.disable", Object: "person", Subject: string(p.ID), To: "disabled", Outcome: audit.Done}
		require.NoError(t, s.SetDisabled(ctx, p.ID, true, e))
		require.ErrorIs(t, s.SetDisabled(ctx, "nobody", true, e), auth.ErrNotFound)
		_, _, err = s.Session(ctx, []byte("hash of ada-1"))
		require.ErrorIs(t, err, auth.ErrNotFound)
		_, err = s.SignIn(ctx, loginOf("ada", 2))
		require.ErrorIs(t, err, auth.ErrDisabled)
		_, _, err = s.Session(ctx, []byte("hash of ada-2"))
		require.ErrorIs(t, err, auth.ErrNotFound)
		require.Contains(t, auditLines(t, d), "session.begin ada-2 refused disabled")
		require.Contains(t, auditLines(t, d), "session.end ada-1 done disabled")
		require.NoError(t, s.SetDisabled(ctx, p.ID, false, e))
		_, err = s.SignIn(ctx, loginOf("ada", 3))
		require.NoError(t, err)
	})
}

func TestSweepDeletesWhatIsOver(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := context.Background(), d.Auth()
		_, err := s.SignIn(ctx, loginOf("ada", 1))
		require.NoError(t, err)
		require.NoError(t, s.UseAttempt(ctx, "a1", midday.Add(10*time.Minute)))
		for _, c := range []struct {
			after time.Duration
			want  int
		}{{9 * time.Minute, 0}, {10 * time.Minute, 1}, {14 * time.Minute, 0}, {15 * time.Minute, 1}, {9 * time.Hour, 0}} {
			n, err := s.SweepSessions(ctx, midday.Add(c.after))
			require.NoError(t, err)
			require.Equal(t, c.want, n, "after %v", c.after)
		}
	})
}

func TestPeopleAreNamedListedAndFound(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := context.Background(), d.People()
		var ids []people.ID
		for i := range 7 {
			p := dbtest.Person(t, d, people.Person{Name: fmt.Sprintf("Person %d", i), Email: fmt.Sprintf("p%d@example.test", i), CreatedAt: midday.Add(time.Duration(i/2) * time.Second)})
			ids = append(ids, p.ID)
		}
		off := dbtest.Person(t, d, people.Person{GivenName: "Off", Disabled: true, CreatedAt: midday.Add(-time.Hour)})

		names, err := s.Names(ctx, append([]people.ID{"nobody", off.ID}, ids...))
		require.NoError(t, err)
		require.Len(t, names, 8)
		require.Equal(t, "Person 3", names[ids[3]])
		require.Equal(t, "Off", names[off.ID])
		names, err = s.Names(ctx, nil)
		require.NoError(t, err)
		require.Empty(t, names)

		var seen []people.ID
		for after := ""; ; {
			page, next, err := s.List(ctx, db.PeopleQuery{After: after, Limit: 3})
			require.NoError(t, err)
			for _, p := range page {
				seen = append(seen, p.ID)
			}
			if after = next; next == "" {
				break
			}
		}
		require.ElementsMatch(t, append([]people.ID{off.ID}, ids...), seen)
		require.Equal(t, off.ID, seen[len(seen)-1], "newest first")

		page, next, err := s.List(ctx, db.PeopleQuery{Text: "PERSON 4"})
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, page, 1)
		page, _, err = s.List(ctx, db.PeopleQuery{Text: "%"})
		require.NoError(t, err)
		require.Empty(t, page)
		yes := true
		page, _, err = s.List(ctx, db.PeopleQuery{Disabled: &yes})
		require.NoError(t, err)
		require.Len(t, page, 1)
		_, _, err = s.List(ctx, db.PeopleQuery{After: "x"})
		require.ErrorIs(t, err, db.ErrCursor)

		require.NoError(t, s.SetLook(ctx, ids[0], "de", "light"))
		p, err := s.Person(ctx, ids[0])
		require.NoError(t, err)
		require.Equal(t, []string{"de", "light"}, []string{p.Language, p.Scheme})
		_, err = s.Person(ctx, "nobody")
		require.ErrorIs(t, err, identity.ErrNotFound)
		require.ErrorIs(t, s.SetLook(ctx, "nobody", "", ""), identity.ErrNotFound)
	})
}

func TestManyNamesAreReadInParts(t *testing.T) {
	d := dbtest.New(t)
	p := dbtest.Person(t, d, people.Person{Name: "Last"})
	var ids []people.ID
	for i := range 1700 {
		ids = append(ids, people.ID(fmt.Sprint("missing-", i)))
	}
	names, err := d.People().Names(context.Background(), append(ids, p.ID))
	require.NoError(t, err)
	require.Equal(t, map[people.ID]string{p.ID: "Last"}, names)
}
