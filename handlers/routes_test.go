package handlers_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/handlers"
	"countersign/handlers/handlerstest"
	"countersign/people"
)

// may is who may ask for what, said a second time on purpose.
var may = map[handlers.Who][]people.Role{
	handlers.SignedIn: {people.Signer, people.Admin, people.Auditor},
	handlers.Signers:  {people.Signer},
	handlers.Admins:   {people.Admin},
	handlers.Readers:  {people.Admin, people.Auditor},
}

// open are the routes that need no login. A new one has to be named here.
var open = []string{
	"GET /{$}", "GET /login", "GET /auth/callback", "GET /ceremonies/approved", "POST /auth/backchannel-logout", "POST /logout", "GET /signed-out", "GET /verify", "POST /verify",
	"GET /help", "GET /accessibility", "GET /privacy", "GET /brand.css", "GET /icon.svg", "GET /healthz", "GET /readyz",
}

func TestOnlyNamedRoutesNeedNoLogin(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	var found []string
	for _, r := range s.App.Routes() {
		if r.Who == handlers.Anyone {
			found = append(found, r.Method+" "+r.Path)
			continue
		}
		require.NotEmpty(t, may[r.Who], "%s %s is for %q, whom nobody knows", r.Method, r.Path, r.Who)
	}
	require.ElementsMatch(t, open, found)
}

// rooms say whom the parts of the site are for.
var rooms = map[string]handlers.Who{
	"live": handlers.SignedIn, "account": handlers.SignedIn, "credentials": handlers.SignedIn, "documents": handlers.Signers, "sign": handlers.Signers, "ceremonies": handlers.Signers,
	"identity-checks": handlers.Signers, "review": handlers.Admins, "work": handlers.Admins, "audit": handlers.Readers, "audit.csv": handlers.Readers, "roles": handlers.Readers, "people": handlers.Readers,
}

func TestEachPartOfTheSiteIsForThoseItIsMeantFor(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	for _, r := range s.App.Routes() {
		if !slices.Contains(open, r.Method+" "+r.Path) {
			require.Equal(t, rooms[strings.Split(r.Path, "/")[1]], r.Who, "%s %s", r.Method, r.Path)
		}
		require.Equal(t, isStream(r), r.Passive && r.Who != handlers.Anyone, "%s %s", r.Method, r.Path)
	}
}

func TestNobodyIsSentToSignInOrRefused(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	nobody := w.Browser()
	before := w.Snapshot()
	for _, r := range w.App.Routes() {
		if r.Who == handlers.Anyone {
			continue
		}
		path := w.path(r.Path) + "?a=b"
		a, err := nobody.Send(form(nobody, r.Method, path))
		require.NoError(t, err)
		switch {
		case unsafe(r), r.Passive:
			require.Equal(t, http.StatusUnauthorized, a.StatusCode, "%s %s", r.Method, r.Path)
		default:
			require.Equal(t, http.StatusSeeOther, a.StatusCode, "%s %s", r.Method, r.Path)
			require.Equal(t, "/login?return_to="+url.QueryEscape(path), a.Header.Get("Location"))
		}
		require.NotContains(t, a.Body, "Ada", "%s %s", r.Method, r.Path)
	}
	require.Equal(t, before, w.Snapshot())
}

func TestEveryRouteIsForItsRolesOnly(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	for _, b := range []*handlerstest.Browser{w.ada, w.cleo, w.dora, w.eve} {
		roles := b.Person().Roles
		require.NotEmpty(t, roles)
		for _, r := range w.App.Routes() {
			if r.Who == handlers.Anyone {
				continue
			}
			allowed := slices.ContainsFunc(roles, func(role people.Role) bool { return slices.Contains(may[r.Who], role) })
			before := ""
			if !allowed {
				before = w.Snapshot()
			}
			got := status(t, b, form(b, r.Method, fill(r.Path, "missing")))
			if !allowed {
				require.Equal(t, http.StatusForbidden, got, "%s asks %s %s", b.Subject, r.Method, r.Path)
				require.Equal(t, before, w.Snapshot(), "%s asks %s %s", b.Subject, r.Method, r.Path)
				continue
			}
			require.NotContains(t, []int{401, 403}, got, "%s asks %s %s", b.Subject, r.Method, r.Path)
			require.Less(t, got, 500, "%s asks %s %s", b.Subject, r.Method, r.Path)
		}
	}
}

func TestAnIDOfSomebodyElseIsLikeNoID(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	own := []string{"/documents", "/ceremonies", "/account"} // not even an admin's
	walked := 0
	for _, r := range w.App.Routes() {
		if !strings.Contains(r.Path, "{id}") {
			continue
		}
		asking := []*handlerstest.Browser{w.ben}
		if slices.ContainsFunc(own, func(p string) bool { return strings.HasPrefix(r.Path, p) }) {
			asking = append(asking, w.eve)
		}
		if r.Who == handlers.Admins || r.Who == handlers.Readers {
			continue
		}
		if strings.HasPrefix(r.Path, "/identity-checks") && !unsafe(r) { // an admin reads it at the desk
			asking = append(asking, w.eve)
		}
		theirs, none := w.path(r.Path), fill(r.Path, "0123456789abcdef0123456789abcdef")
		for _, b := range asking {
			before := w.Snapshot()
			ask := func(path string) *handlerstest.Answer {
				a, err := b.Send(form(b, r.Method, path))
				require.NoError(t, err)
				return a
			}
			foreign, missing := ask(theirs), ask(none)
			require.Equal(t, http.StatusNotFound, foreign.StatusCode, "%s asks %s %s", b.Subject, r.Method, r.Path)
			require.Equal(t, http.StatusNotFound, missing.StatusCode, "%s asks %s %s", b.Subject, r.Method, r.Path)
			require.Equal(t, alike(missing.Body, none), alike(foreign.Body, theirs), "%s asks %s %s", b.Subject, r.Method, r.Path)
			for _, h := range []http.Header{foreign.Header, missing.Header} {
				for _, name := range []string{"Date", "X-Request-Id", "Content-Length"} {
					h.Del(name)
				}
			}
			require.Equal(t, missing.Header, foreign.Header)
			require.Equal(t, before, w.Snapshot(), "%s asks %s %s", b.Subject, r.Method, r.Path)
			walked++
		}
	}
	require.Greater(t, walked, 30)

	// A credential of somebody else's on a document of one's own.
	mine := w.ben.Upload("mine.pdf", handlerstest.PDF())
	a := w.ben.Post("/documents/"+string(mine)+"/sign", "credential", string(w.credential.ID))
	b := w.ben.Post("/documents/"+string(mine)+"/sign", "credential", "0123456789abcdef")
	require.Equal(t, b.StatusCode, a.StatusCode)
	require.Equal(t, alike(b.Body, "0123456789abcdef"), alike(a.Body, string(w.credential.ID)))
	require.NotEqual(t, http.StatusSeeOther, a.StatusCode)
}

func TestAMissingIDIsNotFoundForThoseWhoReadAll(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	for _, r := range w.App.Routes() {
		if strings.Contains(r.Path, "{id}") && (r.Who == handlers.Admins || r.Who == handlers.Readers) {
			require.Equal(t, http.StatusNotFound, status(t, w.cleo, form(w.cleo, r.Method, fill(r.Path, "missing"))), "%s %s", r.Method, r.Path)
		}
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	has := map[string][]string{}
	for _, r := range w.App.Routes() {
		has[r.Path] = append(has[r.Path], r.Method)
	}
	before := w.Snapshot()
	for pattern, methods := range has {
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
			if slices.Contains(methods, method) {
				continue
			}
			a, err := w.eve.Send(form(w.eve, method, w.path(pattern)))
			require.NoError(t, err)
			require.Equal(t, http.StatusMethodNotAllowed, a.StatusCode, "%s %s", method, pattern)
			for _, m := range methods {
				require.Contains(t, a.Header.Get("Allow"), m)
			}
		}
		if !slices.Contains(methods, "GET") {
			a := w.eve.Get(w.path(pattern))
			require.Equal(t, http.StatusMethodNotAllowed, a.StatusCode, "GET %s", pattern)
		}
	}
	require.Equal(t, before, w.Snapshot())
	require.Equal(t, http.StatusNotFound, w.eve.Get("/nothing/here").StatusCode)
	require.Equal(t, http.StatusNotFound, w.eve.Post("/nothing/here").StatusCode)
}

func TestAFormCannotSayWhoOneIsOrWhatStateThingsAreIn(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	more := []string{"role", "admin", "roles", "admin", "status", "approved", "state", "released", "owner", "x", "owner_id", "x", "person",
		string(w.ada.Person().ID), "id", "x", "dtm_user", "x", "disabled", "true", "DecidedBy", "x"}
	with := func(fields ...string) []string { return append(fields, more...) }

	require.Equal(t, 303, w.ben.Post("/account", with("language", "de", "scheme", "dark")...).StatusCode)
	ben := w.ben.Person()
	require.Equal(t, []people.Role{people.Signer}, ben.Roles)
	require.Equal(t, "de", ben.Language)
	require.Empty(t, ben.DTMUser)
	require.False(t, ben.Disabled)
	require.Equal(t, 403, w.ben.Get("/review").StatusCode)

	a := w.ben.Post("/identity-checks", with("standard", "basic", "consent", "on")...)
	require.Equal(t, 303, a.StatusCode, a.Body)
	var owner, state, decided string
	w.Row([]any{&owner, &state, &decided}, "SELECT person, state, decided_by FROM validations WHERE id = ?", a.Header.Get("Location")[len("/identity-checks/"):])
	require.Equal(t, []string{string(ben.ID), "email_sent", ""}, []string{owner, state, decided})

	a = w.ada.Post("/ceremonies/"+string(w.ceremony)+"/code", with()...)
	require.Equal(t, 303, a.StatusCode)
	c, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, "code_sent", string(c.State))
	require.Equal(t, "prepared", string(signatures[0].State))
	require.Equal(t, w.ada.Person().ID, c.Owner)

	a = w.ben.Do("PUT", "/documents?name=a.pdf&owner="+string(w.ada.Person().ID)+"&state=ready&signed=true", strings.NewReader("no PDF"))
	require.Equal(t, 422, a.StatusCode)
}
