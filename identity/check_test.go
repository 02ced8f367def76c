package identity_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/identity"
	"countersign/people"
)

func TestAPersonGetsFromNothingToACredential(t *testing.T) {
	r := newRig(t)
	c := r.active(r.ada)
	require.Contains(t, c.Subject, "Ada Example")
	require.NotEmpty(t, c.Issuer)
	require.False(t, c.NotAfter.IsZero())
	require.Equal(t, r.mia.Person, c.IssuedBy)

	p, err := r.d.Identity().Person(t.Context(), r.ada.Person)
	require.NoError(t, err)
	require.NotEmpty(t, p.DTMUser, "bound by creation")
	require.Equal(t, 1, r.mails("validation.approved:"))
	require.Equal(t, 1, r.mails("credential.ready:"))
	require.Len(t, r.entries("validation.approve", audit.Done), 3, "held, sent, confirmed")
	v := r.check(c.Validation)
	require.Equal(t, r.mia.Person, v.DecidedBy)
	require.NotEmpty(t, v.Proofed.BirthDate)
	require.LessOrEqual(t, len(v.Proofed.DocumentNumber), 4)
	for _, e := range r.entries("", "") {
		for _, fact := range e.Facts {
			require.NotContains(t, fact, "Example", "no names in entries")
		}
	}
}

func TestAStartNeedsConsentAStandardAndAName(t *testing.T) {
	r := newRig(t)
	_, err := r.s.Start(t.Context(), r.ada, identity.Basic, false)
	code(t, err, identity.KindInvalid, "consent")
	_, err = r.s.Start(t.Context(), r.ada, "qualified", true)
	code(t, err, identity.KindInvalid, "standard")
	bare := dbtest.Person(t, r.d, people.Person{ID: "bare", Email: "bare@example.test"})
	_, err = r.s.Start(t.Context(), people.Actor{Person: bare.ID, Roles: bare.Roles}, identity.Basic, true)
	code(t, err, identity.KindInvalid, "no_name")
	_, err = r.s.Start(t.Context(), people.Actor{Person: "ada", Roles: []people.Role{people.Auditor}}, identity.Basic, true)
	code(t, err, identity.KindForbidden, "role")
	require.Len(t, r.entries("validation.start", audit.Refused), 1)
	require.Empty(t, r.sim.Calls(), "nothing of this reached DTM")
}

func TestOnlyOneOpenCheckOfAStandard(t *testing.T) {
	r := newRig(t)
	r.start(r.ada, identity.AdvancedPlus)
	_, err := r.s.Start(t.Context(), r.ada, identity.AdvancedPlus, true)
	code(t, err, identity.KindConflict, "check_open")
	r.start(r.ada, identity.Basic)
	r.approved(r.eve)
	_, err = r.s.Start(t.Context(), r.eve, identity.AdvancedPlus, true)
	code(t, err, identity.KindConflict, "check_approved")
}

// What was asked for may still arrive: for a minute DTM is only looked at.
func TestAStartThatMayBeOnItsWayIsNotAskedForAgain(t *testing.T) {
	r := newRig(t)
	r.sim.Trouble(dtmsim.Fault{Method: http.MethodPost, Path: "api/v1/validation", Drop: true})
	v, err := r.s.Start(t.Context(), r.ada, identity.Basic, true)
	require.NoError(t, err)
	for range 5 {
		r.later(11 * time.Second)
		require.NoError(t, r.s.Reconcile(t.Context(), v.ID))
	}
	require.Equal(t, identity.ValidationStarted, r.check(v.ID).State)
	require.Equal(t, 1, r.calls("POST", "/validation"))
	r.later(6 * time.Second)
	require.Equal(t, identity.ValidationEmailSent, r.check(v.ID).State)
	require.Equal(t, 2, r.calls("POST", "/validation"))
}

// Wherever the answer of a start is lost, exactly one user and one check come of it.
func TestALostAnswerOfAStartIsFoundAgain(t *testing.T) {
	for name, fault := range map[string]dtmsim.Fault{
		"user made, answer lost":    {Method: http.MethodPost, Path: "api/v1/user", Drop: true, After: true},
		"user not made":             {Method: http.MethodPost, Path: "api/v1/user", Drop: true},
		"user made, answer garbled": {Method: http.MethodPost, Path: "api/v1/user", Garbage: true, After: true},
		"user refused for a moment": {Method: http.MethodPost, Path: "api/v1/user", Status: 503},
		"check made, answer lost":   {Method: http.MethodPost, Path: "api/v1/validation", Drop: true, After: true},
		"check not made":            {Method: http.MethodPost, Path: "api/v1/validation", Drop: true},
		"check failed":              {Method: http.MethodPost, Path: "api/v1/validation", Status: 500},
		"check limited":             {Method: http.MethodPost, Path: "api/v1/validation", Status: 429},
		"list fails":                {Method: http.MethodGet, Path: "api/v1/validation", Status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.sim.Trouble(fault)
			v, err := r.s.Start(t.Context(), r.ada, identity.Basic, true)
			require.NoError(t, err)
			require.Equal(t, identity.ValidationStarted, v.State)
			for range 4 {
				r.later(40 * time.Second)
			}
			v = r.check(v.ID)
			require.Equal(t, identity.ValidationEmailSent, v.State)
			p, err := r.d.Identity().Person(t.Context(), r.ada.Person)
			require.NoError(t, err)
			all, err := r.client.ValidationsOf(t.Context(), p.DTMUser)
			require.NoError(t, err)
			require.Len(t, all, 1)
			require.Equal(t, all[0].ID, v.DTM)
		})
	}
}

func TestAStartThatNeverReachesDTMSaysSo(t *testing.T) {
	r := newRig(t)
	r.sim.Trouble(dtmsim.Fault{Path: "api/v1/user", Status: 503, N: 1000})
	v, err := r.s.Start(t.Context(), r.ada, identity.Basic, true)
	require.NoError(t, err)
	r.later(5 * time.Minute)
	require.Equal(t, identity.ValidationStarted, r.check(v.ID).State)
	r.later(6 * time.Minute)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationExpired, v.State)
	e, ok := identity.Explain(v.Reason)
	require.True(t, ok)
	require.Contains(t, e.Sentence, "nothing was started")
	r.sim.ClearFaults()
	r.start(r.ada, identity.Basic)
}

func TestAnAddressKnownToDTMIsNeverBoundByItself(t *testing.T) {
	r := newRig(t)
	twin := dbtest.Person(t, r.d, people.Person{ID: "twin", GivenName: "Ada", FamilyName: "Example", Email: "ada@example.test"})
	r.start(r.ada, identity.Basic)
	v, err := r.s.Start(t.Context(), people.Actor{Person: twin.ID, Roles: twin.Roles}, identity.Basic, true)
	code(t, err, identity.KindConflict, "email_taken")
	require.Equal(t, identity.ValidationExpired, v.State)
	p, err := r.d.Identity().Person(t.Context(), twin.ID)
	require.NoError(t, err)
	require.Empty(t, p.DTMUser)
}

func TestAWaitingStateEndsAtItsDeadlineAndIsClosedAtDTM(t *testing.T) {
	r := newRig(t)
	v := r.start(r.ada, identity.AdvancedPlus)
	r.later(13 * 24 * time.Hour)
	require.Equal(t, identity.ValidationEmailSent, r.check(v.ID).State)
	r.later(25 * time.Hour)
	require.Equal(t, identity.ValidationExpired, r.check(v.ID).State)
	d, err := r.client.Validation(t.Context(), v.DTM)
	require.NoError(t, err)
	require.Equal(t, "CANCELLED", d.Status)
	r.start(r.ada, identity.AdvancedPlus)
}

func TestACheckIsNotEndedWhileDTMCannotBeAsked(t *testing.T) {
	r := newRig(t)
	v := r.start(r.ada, identity.AdvancedPlus)
	r.sim.Trouble(dtmsim.Fault{Method: http.MethodGet, Path: "api/v1/validation/*", Status: 500, N: 1})
	r.later(15 * 24 * time.Hour)
	require.Equal(t, identity.ValidationEmailSent, r.check(v.ID).State)
	r.sim.Proofed("cs-ada", nil)
	r.later(6 * time.Minute)
	require.Equal(t, identity.ValidationAwaitingApproval, r.check(v.ID).State, "what DTM says counts, not the clock")
}

func TestAWordWeDoNotKnowIsKeptAsItIs(t *testing.T) {
	r := newRig(t)
	v := r.start(r.ada, identity.AdvancedPlus)
	r.sim.Trouble(dtmsim.Fault{Method: http.MethodGet, Path: "api/v1/validation/*", Status: 200, Body: `{"id":"x","status":"ON_HOLD_BY_AUTHORITY"}`})
	r.later(3 * time.Second)
	v = r.check(v.ID)
	require.Equal(t, identity.ValidationUnknown, v.State)
	require.Equal(t, "ON_HOLD_BY_AUTHORITY", v.DTMStatus)
	r.later(3 * time.Second)
	require.Equal(t, identity.ValidationEmailSent, r.check(v.ID).State, "and it goes on from there")
}

func TestLooksBackOff(t *testing.T) {
	r := newRig(t)
	v := r.start(r.ada, identity.AdvancedPlus)
	for _, step := range []struct{ after, next time.Duration }{
		{2 * time.Second, 2 * time.Second}, {11 * time.Minute, 30 * time.Second}, {25 * time.Hour, 5 * time.Minute},
	} {
		r.later(step.after)
		require.Equal(t, step.next, r.check(v.ID).LookAt.Sub(r.clock()))
	}
	require.NoError(t, r.s.WatchValidation(t.Context(), v.ID))
	require.Equal(t, 2*time.Second, r.check(v.ID).LookAt.Sub(r.clock()), "an open page brings it forward")
}

func TestACheckCanBeWithdrawnByItsPersonOnly(t *testing.T) {
	r := newRig(t)
	v := r.waiting(r.ada)
	code(t, r.s.Cancel(t.Context(), r.eve, v.ID), identity.KindNotFound, "not_found")
	code(t, r.s.Cancel(t.Context(), r.mia, v.ID), identity.KindForbidden, "role")
	require.Zero(t, r.calls("PUT", "/cancel"))
	require.NoError(t, r.s.Cancel(t.Context(), r.ada, v.ID))
	require.Equal(t, identity.ValidationCancelled, r.check(v.ID).State)
	code(t, r.s.Cancel(t.Context(), r.ada, v.ID), identity.KindConflict, "wrong_state")
	require.Equal(t, 1, r.calls("PUT", "/cancel"))
	_, err := r.s.Approve(t.Context(), r.mia, v.ID)
	code(t, err, identity.KindConflict, "wrong_state")
}

func TestForeignAndAbsentChecksLookTheSame(t *testing.T) {
	r := newRig(t)
	v := r.start(r.ada, identity.Basic)
	_, foreign := r.s.Validation(t.Context(), r.eve, v.ID)
	_, absent := r.s.Validation(t.Context(), r.eve, "no-such")
	require.ErrorIs(t, foreign, identity.ErrNotFound)
	require.Equal(t, foreign, absent)
	require.Len(t, r.entries("validation.read", audit.Refused), 2)
	_, err := r.s.Validation(t.Context(), r.mia, v.ID)
	require.NoError(t, err)
	for _, read := range []func() error{
		func() error { _, _, err := r.s.Queue(t.Context(), r.eve, identity.QueueQuery{}); return err },
		func() error { _, err := r.s.QueueCounts(t.Context(), r.eve); return err },
		func() error {
			_, _, err := r.s.Credentials(t.Context(), r.eve, identity.CredentialQuery{})
			return err
		},
		func() error { _, err := r.s.CredentialCounts(t.Context(), r.eve); return err },
		func() error { _, err := r.s.CredentialsOf(t.Context(), r.eve, "ada"); return err },
		func() error { _, err := r.s.Profiles(t.Context(), r.eve, identity.Basic); return err },
		func() error { _, err := r.s.Seats(t.Context(), r.eve, identity.Basic); return err },
		func() error { _, err := r.s.RemoteRoles(t.Context(), r.eve); return err },
		func() error { _, err := r.s.RemoteLog(t.Context(), r.eve, identity.RemoteQuery{}); return err },
	} {
		code(t, read(), identity.KindForbidden, "role")
	}
}
