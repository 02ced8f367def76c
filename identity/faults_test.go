package identity_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/identity"
	"countersign/people"
)

// failing counts the calls to the store and to DTM. The n-th fails: without effect, or with
// its effect and without its answer.
type failing struct {
	n     int
	after bool

	mu   sync.Mutex
	made int
	what string // the call that failed
}

var errTrouble = errors.New("trouble that the test made")

func (f *failing) call(what string, remote bool, do func() error) error {
	f.mu.Lock()
	f.made++
	now := f.made == f.n
	if now {
		f.what = what
	}
	f.mu.Unlock()
	if !now {
		return do()
	}
	kind := dtmclient.Unreachable
	if f.after {
		kind = dtmclient.Unknown
		if err := do(); err != nil {
			return err
		}
	}
	if remote {
		return &dtmclient.Error{Kind: kind, Op: what, Cause: errTrouble}
	}
	return errTrouble
}

func get[T any](f *failing, what string, remote bool, do func() (T, error)) (v T, err error) {
	err = f.call(what, remote, func() (err error) { v, err = do(); return err })
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}

type failingStore struct {
	identity.Store
	f *failing
}

func (x failingStore) Apply(ctx context.Context, c identity.Change) error {
	return x.f.call("Apply", false, func() error { return x.Store.Apply(ctx, c) })
}
func (x failingStore) Person(ctx context.Context, id people.ID) (people.Person, error) {
	return get(x.f, "Person", false, func() (people.Person, error) { return x.Store.Person(ctx, id) })
}
func (x failingStore) Validation(ctx context.Context, id identity.ValidationID) (identity.Validation, error) {
	return get(x.f, "Validation", false, func() (identity.Validation, error) { return x.Store.Validation(ctx, id) })
}
func (x failingStore) ValidationsOf(ctx context.Context, p people.ID) ([]identity.Validation, error) {
	return get(x.f, "ValidationsOf", false, func() ([]identity.Validation, error) { return x.Store.ValidationsOf(ctx, p) })
}
func (x failingStore) DueValidations(ctx context.Context, now, next time.Time, n int) ([]identity.Validation, error) {
	return get(x.f, "DueValidations", false, func() ([]identity.Validation, error) { return x.Store.DueValidations(ctx, now, next, n) })
}
func (x failingStore) Credential(ctx context.Context, id identity.CredentialID) (identity.Credential, error) {
	return get(x.f, "Credential", false, func() (identity.Credential, error) { return x.Store.Credential(ctx, id) })
}
func (x failingStore) CredentialByName(ctx context.Context, name string) (identity.Credential, error) {
	return get(x.f, "CredentialByName", false, func() (identity.Credential, error) { return x.Store.CredentialByName(ctx, name) })
}
func (x failingStore) CredentialsOf(ctx context.Context, p people.ID) ([]identity.Credential, error) {
	return get(x.f, "CredentialsOf", false, func() ([]identity.Credential, error) { return x.Store.CredentialsOf(ctx, p) })
}
func (x failingStore) DueCredentials(ctx context.Context, now, next time.Time, n int) ([]identity.Credential, error) {
	return get(x.f, "DueCredentials", false, func() ([]identity.Credential, error) { return x.Store.DueCredentials(ctx, now, next, n) })
}
func (x failingStore) LookSoon(ctx context.Context, v identity.ValidationID, c identity.CredentialID, at time.Time) error {
	return x.f.call("LookSoon", false, func() error { return x.Store.LookSoon(ctx, v, c, at) })
}

type failingRemote struct {
	identity.Remote
	f *failing
}

func (x failingRemote) CreateUser(ctx context.Context, u dtmclient.User) (dtmclient.User, error) {
	return get(x.f, "CreateUser", true, func() (dtmclient.User, error) { return x.Remote.CreateUser(ctx, u) })
}
func (x failingRemote) FindUser(ctx context.Context, name string) (dtmclient.User, error) {
	return get(x.f, "FindUser", true, func() (dtmclient.User, error) { return x.Remote.FindUser(ctx, name) })
}
func (x failingRemote) CreateValidation(ctx context.Context, n dtmclient.NewValidation) (dtmclient.Validation, error) {
	return get(x.f, "CreateValidation", true, func() (dtmclient.Validation, error) { return x.Remote.CreateValidation(ctx, n) })
}
func (x failingRemote) Validation(ctx context.Context, id string) (dtmclient.Validation, error) {
	return get(x.f, "remote Validation", true, func() (dtmclient.Validation, error) { return x.Remote.Validation(ctx, id) })
}
func (x failingRemote) ValidationsOf(ctx context.Context, user string) ([]dtmclient.Validation, error) {
	return get(x.f, "remote ValidationsOf", true, func() ([]dtmclient.Validation, error) { return x.Remote.ValidationsOf(ctx, user) })
}
func (x failingRemote) ApproveValidation(ctx context.Context, id string) error {
	return x.f.call("ApproveValidation", true, func() error { return x.Remote.ApproveValidation(ctx, id) })
}
func (x failingRemote) CreateCredential(ctx context.Context, n dtmclient.NewCredential) (dtmclient.Credential, error) {
	return get(x.f, "CreateCredential", true, func() (dtmclient.Credential, error) { return x.Remote.CreateCredential(ctx, n) })
}
func (x failingRemote) Credential(ctx context.Context, name string) (dtmclient.Credential, error) {
	return get(x.f, "remote Credential", true, func() (dtmclient.Credential, error) { return x.Remote.Credential(ctx, name) })
}
func (x failingRemote) SuspendCredential(ctx context.Context, name string) error {
	return x.f.call("SuspendCredential", true, func() error { return x.Remote.SuspendCredential(ctx, name) })
}
func (x failingRemote) ResumeCredential(ctx context.Context, name string) error {
	return x.f.call("ResumeCredential", true, func() error { return x.Remote.ResumeCredential(ctx, name) })
}
func (x failingRemote) RevokeCredential(ctx context.Context, name, reason, user string) error {
	return x.f.call("RevokeCredential", true, func() error { return x.Remote.RevokeCredential(ctx, name, reason, user) })
}
func (x failingRemote) Profiles(ctx context.Context) ([]dtmclient.Profile, error) {
	return get(x.f, "Profiles", true, func() ([]dtmclient.Profile, error) { return x.Remote.Profiles(ctx) })
}

// C12: a person's whole way, from the start of a check to the end of the credential, with
// the n-th call to the database or to DTM failing once, for every n. Whoever looks again and
// then repeats what was not taken gets to the end, and DTM was asked for each thing once.
func TestAWholeWayOutlivesTroubleAtEveryCall(t *testing.T) {
	// The short form makes every call fail in one of the two ways, make soak in both.
	open, step := dbtest.New, 2
	if os.Getenv("COUNTERSIGN_SOAK") != "" {
		open, step = dbtest.Postgres, 1
	}
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			t.Parallel()
			from := 1
			if after {
				from = step
			}
			for n := from; ; n += step {
				f := &failing{n: n, after: after}
				// Each in a test of its own, which gives its database back at the end.
				went := t.Run(fmt.Sprint("call ", n), func(t *testing.T) {
					w := &way{rig: newRigOn(t, open), f: f}
					w.walk()
				})
				require.True(t, went)
				if f.what == "" {
					t.Logf("%d calls", n-1)
					require.Greater(t, n, 40)
					return
				}
			}
		})
	}
}

// way is a person and an admin who do not mind errors: they look, and repeat.
type way struct {
	*rig
	f *failing
}

func (w *way) walk() {
	t := w.t
	w.s = w.service(failingRemote{w.client, w.f}, func(o *identity.Options) { o.Store = failingStore{o.Store, w.f} })
	where := func() string { return fmt.Sprintf("call %d (%s), after=%v", w.f.n, w.f.what, w.f.after) }
	ctx := t.Context()

	check := until(w, where, "a check that DTM knows", func() (identity.ValidationID, bool) {
		list, err := w.d.Identity().ValidationsOf(ctx, w.ada.Person)
		require.NoError(t, err)
		open := list[:0]
		for _, v := range list {
			if !v.State.Ended() {
				open = append(open, v)
			}
		}
		require.LessOrEqual(t, len(open), 1, where())
		return first(open, func(v identity.Validation) identity.ValidationID { return v.ID }), len(open) == 1 && open[0].State == identity.ValidationEmailSent
	}, func(identity.ValidationID) { _, _ = w.s.Start(ctx, w.ada, identity.AdvancedPlus, true) })
	w.sim.Proofed("cs-ada", nil)
	state := func(want identity.ValidationState) func() (identity.ValidationID, bool) {
		return func() (identity.ValidationID, bool) { return check, w.check(check).State == want }
	}
	until(w, where, "papers seen", state(identity.ValidationAwaitingApproval), func(identity.ValidationID) {})
	until(w, where, "approved", state(identity.ValidationApproved), func(identity.ValidationID) {
		_, _ = w.s.Approve(ctx, w.mia, check)
		w.pass(11 * time.Second)
		_ = w.s.FinishApproval(ctx, check)
	})
	credential := until(w, where, "a credential", func() (identity.CredentialID, bool) {
		list, err := w.d.Identity().CredentialsOf(ctx, w.ada.Person)
		require.NoError(t, err)
		for _, c := range list {
			if c.State == identity.CredentialActive {
				return c.ID, true
			}
		}
		return "", false
	}, func(identity.CredentialID) { _, _ = w.s.Issue(ctx, w.mia, check, "cp-advanced-p256") })
	is := func(want identity.CredentialState) func() (identity.CredentialID, bool) {
		return func() (identity.CredentialID, bool) { return credential, w.credential(credential).State == want }
	}
	until(w, where, "suspended", is(identity.CredentialSuspended), func(c identity.CredentialID) { _ = w.s.Suspend(ctx, w.ada, c) })
	until(w, where, "resumed", is(identity.CredentialActive), func(c identity.CredentialID) { _ = w.s.Resume(ctx, w.ada, c) })
	until(w, where, "revoked", is(identity.CredentialRevoked), func(c identity.CredentialID) { _ = w.s.Revoke(ctx, w.ada, c, identity.Superseded) })

	// The database says what DTM says, and DTM did each thing once.
	require.Equal(t, 1, w.calls("POST", "/user"), where())
	require.Equal(t, 1, w.calls("POST", "/validation"), where())
	require.Equal(t, 1, w.calls("PUT", "/approve"), where())
	require.Equal(t, 1, w.calls("PUT", "/revoke")+w.calls("POST", "/revoke"), where())
	made, err := w.d.Identity().CredentialsOf(ctx, w.ada.Person)
	require.NoError(t, err)
	require.LessOrEqual(t, w.calls("POST", "/credential"), len(made), "%s: one request for each name", where())
	p, err := w.d.Identity().Person(ctx, w.ada.Person)
	require.NoError(t, err)
	theirs, err := w.client.CredentialsList(ctx, p.DTMUser)
	require.NoError(t, err)
	require.Len(t, theirs, 1, where())
	atDTM, err := w.client.Credential(ctx, theirs[0])
	require.NoError(t, err)
	require.Equal(t, "REVOKED", atDTM.Status, where())
	require.LessOrEqual(t, w.mails("validation.approved:"), 1, where())
}

func first[T any, ID ~string](list []T, id func(T) ID) (out ID) {
	if len(list) > 0 {
		out = id(list[0])
	}
	return out
}

// pass lets time go by and sweeps, whether that goes well or not.
func (w *way) pass(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	_, _ = w.s.LookAgain(context.Background())
}

// until does something, lets time go by until it is done, and repeats it when it is not, as
// somebody does who looks at the page before they press again.
func until[ID ~string](w *way, where func() string, what string, done func() (ID, bool), do func(ID)) ID {
	w.t.Helper()
	for range 4 {
		id, ok := done()
		if !ok {
			do(id)
		}
		for range 8 {
			if id, ok = done(); ok {
				return id
			}
			w.pass(45 * time.Second)
		}
	}
	require.Fail(w.t, "it never came to: "+what, where())
	panic("unreached")
}
