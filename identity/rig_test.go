package identity_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
	"countersign/identity"
	"countersign/people"
)

// rig is the real service on a real database and the real client, with the simulator on
// the far side.
type rig struct {
	t      *testing.T
	d      *db.DB
	sim    *dtmtest.Sim
	client *dtmclient.Client
	s      *identity.Service

	mu  sync.Mutex
	now time.Time

	ada, mia, eve people.Actor // a signer, an admin who is a signer too, another signer
}

func newRig(t *testing.T, change ...func(*identity.Options)) *rig {
	t.Helper()
	return newRigOn(t, dbtest.New, change...)
}

func newRigOn(t *testing.T, open func(testing.TB, ...func(*db.Config)) *db.DB, change ...func(*identity.Options)) *rig {
	t.Helper()
	r := &rig{t: t, sim: dtmtest.Start(t), now: time.Now().UTC().Truncate(time.Millisecond)}
	r.d = open(t, func(c *db.Config) { c.Now = r.clock })
	var err error
	r.client, err = dtmclient.New(dtmclient.Config{BaseURL: r.sim.BaseURL + "/documentmanager", APIKey: dtmclient.Secret(r.sim.APIKey),
		ClientID: r.sim.ClientID, ClientSecret: dtmclient.Secret(r.sim.ClientSecret), CanSuspend: true, Rand: zeros{}})
	require.NoError(t, err)
	t.Cleanup(r.client.Close)
	r.s = r.service(r.client, change...)
	actor := func(id, given, family string, roles ...people.Role) people.Actor {
		p := dbtest.Person(t, r.d, people.Person{ID: people.ID(id), GivenName: given, FamilyName: family, Email: id + "@example.test", Roles: roles})
		return people.Actor{Person: p.ID, Roles: roles, Request: "req-" + id}
	}
	r.ada = actor("ada", "Ada", "Example", people.Signer)
	r.mia = actor("mia", "Mia", "Admin", people.Signer, people.Admin)
	r.eve = actor("eve", "Eve", "Other", people.Signer)
	return r
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func (r *rig) service(remote identity.Remote, change ...func(*identity.Options)) *identity.Service {
	o := identity.Options{Store: r.d.Identity(), Remote: remote, Now: r.clock, AccountID: r.sim.AccountID, OrganizationID: r.sim.OrgID,
		CanSuspend: true, PortalURL: "https://sign.example.test", ApprovalHold: 10 * time.Second}
	for _, f := range change {
		f(&o)
	}
	return identity.NewService(o)
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// later moves the portal's clock and sweeps.
func (r *rig) later(d time.Duration) {
	r.t.Helper()
	r.mu.Lock()
	r.now = r.now.Add(d)
	r.mu.Unlock()
	_, err := r.s.LookAgain(context.Background())
	require.NoError(r.t, err)
}

func (r *rig) check(id identity.ValidationID) identity.Validation {
	r.t.Helper()
	v, err := r.d.Identity().Validation(context.Background(), id)
	require.NoError(r.t, err)
	return v
}

func (r *rig) credential(id identity.CredentialID) identity.Credential {
	r.t.Helper()
	c, err := r.d.Identity().Credential(context.Background(), id)
	require.NoError(r.t, err)
	return c
}

// start begins a check that DTM knows.
func (r *rig) start(a people.Actor, standard identity.Standard) identity.Validation {
	r.t.Helper()
	v, err := r.s.Start(r.t.Context(), a, standard, true)
	require.NoError(r.t, err)
	require.Equal(r.t, identity.ValidationEmailSent, v.State)
	return v
}

// waiting is a check that waits for an admin.
func (r *rig) waiting(a people.Actor) identity.Validation {
	r.t.Helper()
	v := r.start(a, identity.AdvancedPlus)
	r.sim.Proofed("cs-"+string(a.Person), nil)
	r.later(3 * time.Second)
	v = r.check(v.ID)
	require.Equal(r.t, identity.ValidationAwaitingApproval, v.State)
	return v
}

// approved is a check that was approved by mia.
func (r *rig) approved(a people.Actor) identity.Validation {
	r.t.Helper()
	v := r.waiting(a)
	_, err := r.s.Approve(r.t.Context(), r.mia, v.ID)
	require.NoError(r.t, err)
	r.later(11 * time.Second)
	require.NoError(r.t, r.s.FinishApproval(r.t.Context(), v.ID))
	v = r.check(v.ID)
	require.Equal(r.t, identity.ValidationApproved, v.State)
	return v
}

// active is a credential of a.
func (r *rig) active(a people.Actor) identity.Credential {
	r.t.Helper()
	v := r.approved(a)
	c, err := r.s.Issue(r.t.Context(), r.mia, v.ID, "cp-advanced-p256")
	require.NoError(r.t, err)
	r.later(3 * time.Second)
	c = r.credential(c.ID)
	require.Equal(r.t, identity.CredentialActive, c.State)
	return c
}

// calls counts requests that reached DTM.
func (r *rig) calls(method, suffix string) int {
	n := 0
	for _, c := range r.sim.Calls() {
		if c.Method == method && strings.HasSuffix(c.Path, suffix) {
			n++
		}
	}
	return n
}

func (r *rig) entries(action string, outcome audit.Outcome) []audit.Entry {
	r.t.Helper()
	list, _, err := r.d.Audit().List(context.Background(), audit.Filter{Action: action, Outcome: outcome, Limit: 500})
	require.NoError(r.t, err)
	return list
}

func (r *rig) mails(about string) int {
	n := 0
	for _, m := range dbtest.Mails(r.t, r.d) {
		if strings.HasPrefix(m.About, about) {
			n++
		}
	}
	return n
}

// code requires the error of a code.
func code(t *testing.T, err error, kind identity.Kind, want string) {
	t.Helper()
	var e *identity.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Code, "%v", err)
	require.Equal(t, kind, e.Kind)
}

func lost(path string) dtmsim.Fault { return dtmsim.Fault{Path: path, Drop: true, After: true} }
func dropped(path string) dtmsim.Fault {
	return dtmsim.Fault{Path: path, Drop: true}
}
