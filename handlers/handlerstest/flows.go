package handlerstest

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/identity"
	"countersign/pades/pdf/pdftest"
	"countersign/people"
	"countersign/signing"
)

// PDF is a small one-page file.
func PDF() []byte { return pdftest.Plain(1) }

// Look has the services look at DTM and at what is overdue, as the jobs do.
func (s *Site) Look() {
	s.T.Helper()
	s.Clock.Pass(3 * time.Second)
	_, err := s.Identity.LookAgain(context.Background())
	require.NoError(s.T, err)
	_, err = s.Signing.LookAgain(context.Background())
	require.NoError(s.T, err)
}

// StartedCheck is a check that the person started, over HTTP.
func (b *Browser) StartedCheck(standard identity.Standard) identity.ValidationID {
	t := b.Site.T
	t.Helper()
	a := b.Post("/identity-checks", "standard", string(standard), "consent", "on")
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	return identity.ValidationID(strings.TrimPrefix(a.Header.Get("Location"), "/identity-checks/"))
}

// WaitingCheck is a started one whose papers are in: an admin has to decide.
func (b *Browser) WaitingCheck(standard identity.Standard) identity.ValidationID {
	b.Site.T.Helper()
	id := b.StartedCheck(standard)
	b.Site.Sim.Proofed(b.Person().Email, nil)
	b.Site.Look()
	return id
}

// Credential takes a person from nothing to an active credential, over HTTP, with the
// admin deciding.
func (b *Browser) Credential(admin *Browser, profile string) identity.Credential {
	t := b.Site.T
	t.Helper()
	standard := identity.AdvancedPlus
	if strings.HasPrefix(profile, "cp-basic") {
		standard = identity.Basic
	}
	id := string(b.WaitingCheck(standard))
	a := admin.Post("/review/" + id + "/approve")
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	b.Site.Look()
	a = admin.Post("/review/"+id+"/issue", "profile", profile)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	for range 20 {
		all, err := b.Site.DB.Identity().CredentialsOf(context.Background(), b.Person().ID)
		require.NoError(t, err)
		for _, c := range all {
			if string(c.Validation) == id && c.State == identity.CredentialActive {
				return c
			}
		}
		b.Site.Look()
	}
	t.Fatal("the credential did not become active")
	return identity.Credential{}
}

// Upload stores a file as the script does.
func (b *Browser) Upload(name string, content []byte) signing.DocumentID {
	t := b.Site.T
	t.Helper()
	a := b.Put(name, content)
	require.Equal(t, http.StatusCreated, a.StatusCode, a.Body)
	return signing.DocumentID(strings.TrimPrefix(a.Header.Get("Location"), "/documents/"))
}

// Put sends a file as the body, as the script does.
func (b *Browser) Put(name string, content []byte) *Answer {
	b.Site.T.Helper()
	return b.Do(http.MethodPut, "/documents?name="+url.QueryEscape(name), bytes.NewReader(content), "Content-Type", "application/pdf")
}

// Begin starts a ceremony.
func (b *Browser) Begin(document signing.DocumentID, credential identity.CredentialID) signing.CeremonyID {
	t := b.Site.T
	t.Helper()
	a := b.Post("/documents/"+string(document)+"/sign", "credential", string(credential))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	return signing.CeremonyID(strings.TrimPrefix(a.Header.Get("Location"), "/ceremonies/"))
}

// Code has a code sent and reads it from the phone.
func (b *Browser) Code(ceremony signing.CeremonyID) string {
	t := b.Site.T
	t.Helper()
	a := b.Post("/ceremonies/" + string(ceremony) + "/code")
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	code := b.Site.Sim.LastCode(b.Person().Email)
	require.NotEmpty(t, code)
	return code
}

// PIN of the person at DTM.
func (b *Browser) PIN() string { return b.Site.Sim.PIN(b.Person().Email) }

// Approve enters a code and the person's PIN.
func (b *Browser) Approve(ceremony signing.CeremonyID, code string) *Answer {
	b.Site.T.Helper()
	return b.Post("/ceremonies/"+string(ceremony)+"/authorize", "otp", code, "pin", b.PIN())
}

// Signed takes an uploaded document through a whole ceremony.
func (b *Browser) Signed(document signing.DocumentID, credential identity.CredentialID) signing.CeremonyID {
	t := b.Site.T
	t.Helper()
	id := b.Begin(document, credential)
	a := b.Approve(id, b.Code(id))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	_, signatures := b.Site.Ceremony(id)
	require.Equal(t, signing.SignatureReleased, signatures[0].State)
	return id
}

// Ceremony as stored, whoever it belongs to.
func (s *Site) Ceremony(id signing.CeremonyID) (signing.Ceremony, []signing.Signature) {
	s.T.Helper()
	var owner string
	s.Row([]any{&owner}, "SELECT owner FROM ceremonies WHERE id = ?", id)
	c, err := s.DB.Signing().Ceremony(context.Background(), people.ID(owner), id)
	require.NoError(s.T, err)
	signatures, err := s.DB.Signing().Signatures(context.Background(), id)
	require.NoError(s.T, err)
	return c, signatures
}

var seenField = regexp.MustCompile(`name="seen" value="([0-9a-f]{24})"`)

// Seen is the fingerprint of what a page has told about an act, empty where it asks nothing.
func (b *Browser) Seen(page string) string {
	b.Site.T.Helper()
	if m := seenField.FindStringSubmatch(b.Get(page).Body); m != nil {
		return m[1]
	}
	return ""
}

// Erase reads the page of a document and presses the button there.
func (b *Browser) Erase(id signing.DocumentID) *Answer {
	b.Site.T.Helper()
	page := "/documents/" + string(id)
	return b.Post(page+"/erase", "seen", b.Seen(page))
}

// Suspend reads the page of a credential and presses the button there.
func (b *Browser) Suspend(id identity.CredentialID) *Answer {
	b.Site.T.Helper()
	page := "/credentials/" + string(id)
	return b.Post(page+"/suspend", "seen", b.Seen(page))
}

// ConsentPage begins to connect a DigiCert account: the address of DigiCert's page.
func (b *Browser) ConsentPage() string {
	b.Site.T.Helper()
	a := b.Get("/account/connect?return_to=/documents")
	require.Equal(b.Site.T, http.StatusSeeOther, a.StatusCode, a.Body)
	to := a.Header.Get("Location")
	require.Contains(b.Site.T, to, "/oauth2/authorize?")
	return to
}

// Connect agrees on DigiCert's page as a user there, most often the person, and comes back.
func (b *Browser) Connect(who string) *Answer {
	b.Site.T.Helper()
	back, err := b.Site.Sim.Consent(b.ConsentPage(), who, true)
	require.NoError(b.Site.T, err)
	return b.Get(back)
}
