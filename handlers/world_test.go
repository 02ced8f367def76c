package handlers_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/handlers"
	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/idpsim"
	"countersign/people"
	"countersign/signing"
)

// town is a site where a few things have happened: Ada has a credential, a signed
// document and one that waits for her code; Ben has nothing; Cleo decides, Dora reads,
// Eve may do both of Ada's and Cleo's.
type town struct {
	*handlerstest.Site
	ada, ben, cleo, dora, eve *handlerstest.Browser
	check                     identity.ValidationID
	credential                identity.Credential
	document                  signing.DocumentID // waits for a code
	signed                    signing.DocumentID
	ceremony                  signing.CeremonyID
	session                   string
	entry                     string
}

func newTown(t *testing.T, o handlerstest.Options) *town {
	t.Helper()
	before := o.IDP
	o.IDP = func(i *idpsim.Options) {
		i.People = append(idpsim.DemoPeople(), idpsim.Person{Subject: "eve", Name: "Eve Example", GivenName: "Eve", FamilyName: "Example",
			Email: "eve@example.test", Phone: "+15550100105", Roles: []string{"signer", "admin"}})
		if before != nil {
			before(i)
		}
	}
	w := &town{Site: handlerstest.New(t, o)}
	w.ada, w.ben, w.cleo, w.dora, w.eve = w.SignIn("ada"), w.SignIn("ben"), w.SignIn("cleo"), w.SignIn("dora"), w.SignIn("eve")
	w.credential = w.ada.Credential(w.cleo, "cp-advanced")
	w.check = w.credential.Validation
	if o.Persons {
		require.Equal(t, http.StatusSeeOther, w.ada.Connect(w.ada.Person().Email).StatusCode)
	}
	w.signed = w.ada.Upload("signed.pdf", handlerstest.PDF())
	w.ada.Signed(w.signed, w.credential.ID)
	w.Clock.Pass(31 * time.Second) // another code may be sent
	w.document = w.ada.Upload("waits.pdf", append(handlerstest.PDF(), '\n'))
	w.ceremony = w.ada.Begin(w.document, w.credential.ID)
	sessions, err := w.Auth.List(context.Background(), people.Actor{Person: w.ada.Person().ID})
	require.NoError(t, err)
	w.session = sessions[0].ID
	entries, _, err := w.DB.Audit().List(context.Background(), audit.Filter{Limit: 1})
	require.NoError(t, err)
	w.entry = entries[0].ID
	return w
}

// as is who may ask for a route, for certain.
func (w *town) as(who handlers.Who) *handlerstest.Browser {
	switch who {
	case handlers.Admins:
		return w.cleo
	case handlers.Readers:
		return w.dora
	}
	return w.ada
}

// path fills in the id of something of Ada's.
func (w *town) path(pattern string) string {
	id := "x"
	switch {
	case strings.HasPrefix(pattern, "/identity-checks/"), strings.HasPrefix(pattern, "/review/"):
		id = string(w.check)
	case strings.HasPrefix(pattern, "/credentials/"):
		id = string(w.credential.ID)
	case strings.HasPrefix(pattern, "/documents/"):
		id = string(w.document)
	case strings.HasPrefix(pattern, "/ceremonies/"):
		id = string(w.ceremony)
	case strings.HasPrefix(pattern, "/people/"):
		id = string(w.ada.Person().ID)
	case strings.HasPrefix(pattern, "/account/"):
		id = w.session
	case strings.HasPrefix(pattern, "/audit/"):
		id = w.entry
	}
	return fill(pattern, id)
}

func fill(pattern, id string) string {
	return strings.Replace(strings.TrimSuffix(pattern, "{$}"), "{id}", id, 1)
}

func isStream(r handlers.Route) bool { return strings.HasSuffix(r.Path, "/live") }

func unsafe(r handlers.Route) bool { return r.Method != http.MethodGet }

// status asks and reads only the beginning of the answer, as of a stream.
func status(t *testing.T, b *handlerstest.Browser, r *http.Request) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	answer, err := b.Client.Do(r.WithContext(ctx))
	require.NoError(t, err)
	defer answer.Body.Close()
	return answer.StatusCode
}

// form is a request of an unsafe route with an ordinary, empty body.
func form(b *handlerstest.Browser, method, path string, headers ...string) *http.Request {
	return b.Request(method, path, strings.NewReader(""), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

var (
	reference = regexp.MustCompile(`[A-Z]{2}-\d{4}-\d{2}`)
	printedAt = regexp.MustCompile(`<time [^>]*>[^<]*</time></p>`) // the first line on paper says when
)

// alike takes out of a page what differs between any two requests.
func alike(body, id string) string {
	body = printedAt.ReplaceAllString(reference.ReplaceAllString(body, "REFERENCE"), "NOW")
	return strings.ReplaceAll(body, id, "ID")
}
