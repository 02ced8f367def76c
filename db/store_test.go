package db_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/mail"
	"countersign/people"
	"countersign/signing"
)

// noon is a moment in whole milliseconds, as the store keeps them.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func inserted[S ~string, T any](to T) []identity.Moved[S, T] {
	return []identity.Moved[S, T]{{To: to}}
}

// ping is a job.
type ping struct {
	ID string `json:"id"`
}

func (ping) Kind() string { return "ping" }

func aValidation(p people.ID, id string) identity.Validation {
	return identity.Validation{
		ID: identity.ValidationID(id), Reference: "VC-" + id, Person: p, Standard: identity.AdvancedPlus,
		State: identity.ValidationAwaitingApproval, DTM: "dtm-" + id, DTMStatus: "PENDING_APPROVAL", Reason: "r", Note: "n",
		Link: "https://proof.example/x", Claims: identity.Attributes{GivenName: "Ada", Email: "ada@example.org"},
		Proofed: identity.Attributes{GivenName: "Ada", DocumentNumber: "…123"}, Consent: noon.Add(-time.Hour),
		HeldUntil: noon.Add(time.Minute), CreatedAt: noon.Add(-time.Hour), Since: noon, Deadline: noon.Add(time.Hour),
		LookAt: noon.Add(time.Second), Version: 3,
	}
}

func aCredential(p people.ID, id string) identity.Credential {
	return identity.Credential{
		ID: identity.CredentialID(id), Person: p, Validation: "v", Name: "name-" + id, Profile: "p", ProfileName: "Advanced",
		Standard: identity.Basic, State: identity.CredentialActive, DTMStatus: "ACTIVE", Reason: "r", Subject: "CN=Ada",
		Issuer: "CN=CA", Serial: "0a", NotBefore: noon, NotAfter: noon.AddDate(1, 0, 0), IssuedBy: "admin", LastUsed: noon,
		CreatedAt: noon, Since: noon, Deadline: noon.Add(time.Hour), LookAt: noon.Add(time.Minute), Version: 1,
	}
}

func aDocument(p people.ID, id string) signing.Document {
	return signing.Document{
		ID: signing.DocumentID(id), Owner: p, Name: "Vertrag " + id + ".pdf", Size: 1 << 30, Pages: 7, SHA256: []byte{1, 2},
		State: signing.DocumentReady, Reason: "r", Revisions: 2, Signed: true, Earlier: 1, Key: []byte{9, 9},
		CreatedAt: noon, Since: noon, Deadline: noon.Add(time.Hour), Version: 4,
	}
}

func aCeremony(p people.ID, id string) signing.Ceremony {
	return signing.Ceremony{
		ID: signing.CeremonyID(id), Owner: p, Credential: "c", CredentialName: "name-c", SignAlgo: "1.2.840.10045.4.3.2",
		SignParams: []byte{5}, Factor: signing.Factor{Mode: "explicit", OTP: "true", OTPType: "online", Bound: true},
		State: signing.CeremonyPrepared, Reason: "r", Tries: 1, Sends: 2, CodeSentAt: noon, CodeEnds: noon.Add(time.Minute),
		CreatedAt: noon, Since: noon, Deadline: noon.Add(time.Hour), Version: 2,
	}
}

func aSignature(p people.ID, c signing.CeremonyID, d signing.DocumentID, id string) signing.Signature {
	return signing.Signature{
		ID: signing.SignatureID(id), Ceremony: c, Document: d, Owner: p, Field: "Signature1", Base: 1,
		State: signing.SignaturePrepared, Reason: "r", Digest: []byte{1}, Prepared: "blob", Value: []byte{2}, Level: "B-T",
		SignerName: "Ada", Issuer: "CA", IntendedAt: noon, SignedAt: noon, AssembledAt: noon, ReleasedAt: noon, StampedAt: noon,
		Attempts: 3, CreatedAt: noon, Since: noon, Deadline: noon.Add(time.Hour), Version: 5,
	}
}

func TestWhatIsStoredIsReadBackUnchanged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		p := dbtest.Person(t, d, people.Person{Name: "Ada", Email: "a@example.org", Roles: []people.Role{people.Signer, people.Admin}})
		v, c := aValidation(p.ID, "v1"), aCredential(p.ID, "c1")
		require.NoError(t, d.Identity().Apply(ctx, identity.Change{
			Validations: inserted[identity.ValidationState](v), Credentials: inserted[identity.CredentialState](c),
		}))
		gotV, err := d.Identity().Validation(ctx, v.ID)
		require.NoError(t, err)
		require.Equal(t, v, gotV)
		gotC, err := d.Identity().CredentialByName(ctx, c.Name)
		require.NoError(t, err)
		require.Equal(t, c, gotC)
		gotP, err := d.Identity().Person(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, p, gotP)

		doc, cer := aDocument(p.ID, "d1"), aCeremony(p.ID, "y1")
		sig := aSignature(p.ID, cer.ID, doc.ID, "s1")
		rev := signing.Revision{Document: doc.ID, Number: 1, Offset: 3, Size: 4, SHA256: []byte{7}, Blob: "b", State: []byte{8}, CreatedAt: noon}
		require.NoError(t, d.Signing().Apply(ctx, signing.Change{
			Documents: []signing.Moved[signing.DocumentState, signing.Document]{{To: doc}}, Revisions: []signing.Revision{rev},
			Ceremonies: []signing.Moved[signing.CeremonyState, signing.Ceremony]{{To: cer}},
			Signatures: []signing.Moved[signing.SignatureState, signing.Signature]{{To: sig}},
		}))
		gotD, err := d.Signing().Document(ctx, p.ID, doc.ID)
		require.NoError(t, err)
		require.Equal(t, doc, gotD)
		gotY, err := d.Signing().Ceremony(ctx, p.ID, cer.ID)
		require.NoError(t, err)
		require.Equal(t, cer, gotY)
		gotS, err := d.Signing().Signature(ctx, sig.ID)
		require.NoError(t, err)
		require.Equal(t, sig, gotS)
		open, err := d.Signing().OpenCeremony(ctx, doc.ID)
		require.NoError(t, err)
		require.Equal(t, cer.ID, open.ID)
		revs, err := d.Signing().Revisions(ctx, doc.ID)
		require.NoError(t, err)
		require.Equal(t, []signing.Revision{rev}, revs)

		_, err = d.Signing().Document(ctx, "somebody else", doc.ID)
		require.ErrorIs(t, err, signing.ErrNotFound)
		_, err = d.Signing().Ceremony(ctx, "somebody else", cer.ID)
		require.ErrorIs(t, err, signing.ErrNotFound)
		_, err = d.Identity().Validation(ctx, "none")
		require.ErrorIs(t, err, identity.ErrNotFound)
	})
}

func TestAMoveNeedsTheStateAndTheVersionItStartsFrom(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Identity()
		p := dbtest.Person(t, d, people.Person{})
		v := aValidation(p.ID, "v1")
		require.NoError(t, s.Apply(ctx, identity.Change{Validations: inserted[identity.ValidationState](v)}))
		move := func(from, to identity.ValidationState, version int64) error {
			next := v
			next.State, next.Version = to, version
			return s.Apply(ctx, identity.Change{
				Validations: []identity.Moved[identity.ValidationState, identity.Validation]{{From: from, To: next}},
				Entries:     []audit.Entry{{Action: "validation.move", Subject: "v1"}},
			})
		}
		require.ErrorIs(t, move(identity.ValidationStarted, identity.ValidationApproved, 3), identity.ErrConflict)
		require.ErrorIs(t, move(v.State, identity.ValidationApproved, 2), identity.ErrConflict)
		require.NoError(t, move(v.State, identity.ValidationApproved, 3))
		require.ErrorIs(t, move(v.State, identity.ValidationApproved, 3), identity.ErrConflict, "twice")
		got, err := s.Validation(ctx, "v1")
		require.NoError(t, err)
		require.Equal(t, int64(4), got.Version)
		require.Equal(t, identity.ValidationApproved, got.State)
		entries, _, err := d.Audit().List(ctx, audit.Filter{})
		require.NoError(t, err)
		require.Len(t, entries, 1, "a change that failed leaves no entry")
	})
}

func TestAChangeIsAllOrNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Identity()
		p := dbtest.Person(t, d, people.Person{})
		v := aValidation(p.ID, "v1")
		full := identity.Change{
			Validations: inserted[identity.ValidationState](v),
			Entries:     []audit.Entry{{Action: "validation.start", Subject: "v1", Owner: p.ID, Facts: map[string]string{"dtm": "7"}}},
			Mail:        []mail.Message{{To: "a@example.org", Subject: "S", Text: "T", About: "validation.started:v1"}},
			Jobs:        []identity.DueJob{{Job: ping{"v1"}}, {Job: ping{"later"}, At: time.Now().Add(time.Hour)}},
		}
		broken := full
		broken.Credentials = []identity.Moved[identity.CredentialState, identity.Credential]{
			{From: identity.CredentialActive, To: aCredential(p.ID, "none")},
		}
		require.ErrorIs(t, s.Apply(ctx, broken), identity.ErrConflict)
		require.Empty(t, dbtest.Jobs(t, d))
		require.Empty(t, dbtest.Mails(t, d))
		_, err := s.Validation(ctx, "v1")
		require.ErrorIs(t, err, identity.ErrNotFound)

		require.NoError(t, s.Apply(ctx, full))
		require.Len(t, dbtest.Mails(t, d), 1)
		jobs := dbtest.Jobs(t, d)
		require.Len(t, jobs, 2)
		require.Equal(t, "ping", jobs[0].Kind)
		require.JSONEq(t, `{"id":"v1"}`, jobs[0].Args)
		require.Equal(t, []string{"available", "scheduled"}, []string{jobs[0].State, jobs[1].State})
		entries, _, err := d.Audit().List(ctx, audit.Filter{Owner: p.ID})
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.NotEmpty(t, entries[0].ID)
		require.Equal(t, int64(-1), entries[0].Number)
		require.Equal(t, map[string]string{"dtm": "7"}, entries[0].Facts)
	})
}

func TestOneEventIsOneMail(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for range 2 {
			require.NoError(t, d.Identity().Apply(t.Context(), identity.Change{
				Mail: []mail.Message{{To: "a@example.org", About: "validation.approved:v1"}}}))
		}
		require.Len(t, dbtest.Mails(t, d), 1)
	})
}

func TestNobodyDecidesAboutThemselves(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{})
		v := aValidation(p.ID, "v1")
		v.DecidedBy = p.ID
		require.Error(t, d.Identity().Apply(t.Context(), identity.Change{Validations: inserted[identity.ValidationState](v)}))
	})
}

func TestTheDatabaseRefusesAnApprovalThatLacksItsSecondAdmin(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p, a, b := dbtest.Person(t, d, people.Person{}), dbtest.Person(t, d, people.Person{}), dbtest.Person(t, d, people.Person{})
		put := func(change func(*identity.Validation)) error {
			v := aValidation(p.ID, "v1")
			v.State, v.Approvals, v.FirstBy, v.DecidedBy = identity.ValidationApprovalHeld, 2, a.ID, b.ID
			change(&v)
			return d.Identity().Apply(t.Context(), identity.Change{Validations: inserted[identity.ValidationState](v)})
		}
		for name, change := range map[string]func(*identity.Validation){
			"the same twice":           func(v *identity.Validation) { v.FirstBy = v.DecidedBy },
			"the applicant first":      func(v *identity.Validation) { v.FirstBy = p.ID },
			"one held":                 func(v *identity.Validation) { v.FirstBy = "" },
			"one sent":                 func(v *identity.Validation) { v.State, v.FirstBy = identity.ValidationApprovalUnknown, "" },
			"the second missing":       func(v *identity.Validation) { v.DecidedBy = "" },
			"waits for a second alone": func(v *identity.Validation) { v.State, v.FirstBy = identity.ValidationAwaitingSecond, "" },
		} {
			require.Error(t, put(change), name)
		}
		require.NoError(t, put(func(*identity.Validation) {}))
	})
}

func TestAPersonIsBoundToOneDTMUserAndBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		a, b := dbtest.Person(t, d, people.Person{}), dbtest.Person(t, d, people.Person{})
		bind := func(p people.ID, user string) error {
			return d.Identity().Apply(ctx, identity.Change{Bind: &identity.Binding{Person: p, DTMUser: user}})
		}
		require.NoError(t, bind(a.ID, "u1"))
		require.NoError(t, bind(a.ID, "u1"), "the same again")
		require.ErrorIs(t, bind(a.ID, "u2"), identity.ErrConflict)
		require.ErrorIs(t, bind(b.ID, "u1"), identity.ErrConflict)
	})
}

func TestTwoStartsMakeOneCheck(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{})
		results := atOnce(8, func(i int) error {
			v := aValidation(p.ID, fmt.Sprint("v", i))
			v.State, v.DTM = identity.ValidationStarted, ""
			return d.Identity().Apply(t.Context(), identity.Change{Validations: inserted[identity.ValidationState](v)})
		})
		require.Equal(t, 1, results[""], "%v", results)
	})
}

func TestTheSecondUseOfACredentialNameConflicts(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{})
		c := aCredential(p.ID, "c1")
		require.NoError(t, d.Identity().Apply(t.Context(), identity.Change{Credentials: inserted[identity.CredentialState](c)}))
		c.ID = "c2"
		require.ErrorIs(t, d.Identity().Apply(t.Context(), identity.Change{Credentials: inserted[identity.CredentialState](c)}), identity.ErrConflict)
	})
}

func TestAnObservationDoesNotTakeBackTheLastUse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		p := dbtest.Person(t, d, people.Person{})
		c := aCredential(p.ID, "c1")
		c.LastUsed = time.Time{}
		require.NoError(t, d.Identity().Apply(ctx, identity.Change{Credentials: inserted[identity.CredentialState](c)}))
		require.NoError(t, d.Signing().Apply(ctx, signing.Change{Used: "c1"}))
		require.NoError(t, d.Identity().Apply(ctx, identity.Change{
			Credentials: []identity.Moved[identity.CredentialState, identity.Credential]{{From: c.State, To: c}}}))
		got, err := d.Identity().Credential(ctx, "c1")
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), got.LastUsed, time.Minute)
	})
}

func TestOneClaimGetsADueRow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Identity()
		p := dbtest.Person(t, d, people.Person{})
		for i := range 40 {
			v := aValidation(p.ID, fmt.Sprint("v", i))
			v.LookAt = noon
			if i >= 30 {
				v.LookAt = time.Time{} // nobody is to look
			}
			require.NoError(t, s.Apply(ctx, identity.Change{Validations: inserted[identity.ValidationState](v)}))
		}
		seen := make(chan identity.ValidationID, 100)
		results := atOnce(6, func(int) error {
			for {
				due, err := s.DueValidations(ctx, noon, noon.Add(time.Minute), 4)
				if err != nil || len(due) == 0 {
					return err
				}
				for _, v := range due {
					seen <- v.ID
				}
			}
		})
		require.Equal(t, 6, results[""], "%v", results)
		close(seen)
		distinct := map[identity.ValidationID]bool{}
		for id := range seen {
			require.False(t, distinct[id], "claimed twice")
			distinct[id] = true
		}
		require.Len(t, distinct, 30)
		require.NoError(t, s.LookSoon(ctx, "v1", "", noon.Add(time.Second)))
		require.NoError(t, s.LookSoon(ctx, "v35", "", noon.Add(time.Second)), "closed: stays closed")
		due, err := s.DueValidations(ctx, noon.Add(time.Second), noon.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Len(t, due, 1)
		require.Equal(t, noon.Add(time.Hour), due[0].LookAt)
	})
}

// atOnce runs f n times together and counts the results by error text.
func atOnce(n int, f func(i int) error) map[string]int {
	results := make(chan error)
	for i := range n {
		go func() { results <- f(i) }()
	}
	out := map[string]int{}
	for range n {
		if err := <-results; err != nil {
			out[err.Error()]++
		} else {
			out[""]++
		}
	}
	return out
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
