package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/signing"
)

// pair is a site where every signer connects an account of their own, and two who have
// credentials.
type pair struct {
	*handlerstest.Site
	ada, ben, cleo *handlerstest.Browser
	with           map[*handlerstest.Browser]identity.Credential
	calls          int // that are not looked at any more
}

func newPair(t *testing.T) *pair {
	t.Helper()
	w := &pair{Site: handlerstest.New(t, handlerstest.Options{Persons: true, Sim: func(o *dtmsim.Options) { o.RotateRefresh = true }})}
	w.ada, w.ben, w.cleo = w.SignIn("ada"), w.SignIn("ben"), w.SignIn("cleo")
	w.with = map[*handlerstest.Browser]identity.Credential{w.ada: w.ada.Credential(w.cleo, "cp-advanced"), w.ben: w.ben.Credential(w.cleo, "cp-advanced")}
	return w
}

func (w *pair) connect(t *testing.T, all ...*handlerstest.Browser) {
	t.Helper()
	for _, b := range all {
		a := b.Connect(b.Person().Email)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
		require.Equal(t, "/documents", a.Header.Get("Location"))
	}
}

// heard leaves the calls until now out of what is looked at.
func (w *pair) heard() { w.calls = len(w.Sim.Calls()) }

// asked are the users in whose names a CSC method was called.
func (w *pair) asked(methods ...string) (users []string) {
	for _, c := range w.Sim.Calls()[w.calls:] {
		for _, m := range methods {
			if strings.HasSuffix(c.Path, "/csc/v1/"+m) {
				users = append(users, c.User)
			}
		}
	}
	return users
}

var inPerson = []string{"credentials/list", "credentials/info", "credentials/sendOTP", "credentials/authorize", "credentials/extendTransaction", "signatures/signHash"}

func (w *pair) document(b *handlerstest.Browser, name string) signing.DocumentID {
	return b.Upload(name, append(handlerstest.PDF(), name...))
}

func TestEachCallOfASignatureIsMadeInItsSignersName(t *testing.T) {
	w := newPair(t)
	w.connect(t, w.ada, w.ben)
	require.Contains(t, w.ada.Get("/account").Body, `data-connection="open"`)
	require.NotContains(t, w.cleo.Get("/account").Body, "data-connection", "who does not sign need not connect")
	require.Equal(t, http.StatusForbidden, w.cleo.Get("/account/connect").StatusCode)
	for i, b := range []*handlerstest.Browser{w.ada, w.ben, w.ada} {
		w.heard()
		b.Signed(w.document(b, "mine-"+string(rune('a'+i))), w.with[b].ID)
		users := w.asked(inPerson...)
		require.GreaterOrEqual(t, len(users), 4)
		for _, u := range users {
			require.Equal(t, b.Person().DTMUser, u)
		}
		stamps := w.asked("signatures/timestamp")
		require.NotEmpty(t, stamps)
		require.Empty(t, strings.Join(stamps, ""), "the time is nobody's")
		w.Clock.Pass(31 * time.Second)
	}

	// Both at once, with tokens that have run out.
	w.Clock.Pass(2 * time.Hour)
	w.heard()
	var all sync.WaitGroup
	for _, b := range []*handlerstest.Browser{w.ada, w.ben} {
		b.SignIn(b.Subject)
		for i := range 3 {
			id := w.document(b, "at-once-"+string(rune('a'+i)))
			all.Go(func() { b.Begin(id, w.with[b].ID) })
		}
	}
	all.Wait()
	of := map[string]int{}
	for _, u := range w.asked(inPerson...) {
		of[u]++
	}
	require.Equal(t, map[string]int{w.ada.Person().DTMUser: 3, w.ben.Person().DTMUser: 3}, of)
	require.Len(t, w.asked("oauth2/token"), 0)
	refreshed := 0
	for _, c := range w.Sim.Calls()[w.calls:] {
		if strings.HasSuffix(c.Path, "/oauth2/token") {
			refreshed++
			require.Equal(t, http.StatusOK, c.Status)
		}
	}
	require.Equal(t, 2, refreshed, "one for each, though the token changes with each use")
}

func TestNothingIsAskedInTheNameOfWhoHasNotConnected(t *testing.T) {
	w := newPair(t)
	with, document := w.with[w.ada].ID, w.document(w.ada, "first")
	connectPage := "/account/connect?return_to=" + url.QueryEscape("/documents/"+string(document)+"/sign")
	require.Contains(t, w.ada.Get("/documents/"+string(document)+"/sign").Body, connectPage)
	require.Contains(t, w.ada.Get("/credentials/"+string(with)).Body, "/account/connect?return_to=")
	require.Contains(t, w.ada.Get("/account").Body, `data-connection="none"`)
	w.heard()
	a := w.ada.Post("/documents/"+string(document)+"/sign", "credential", string(with))
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.Body, connectPage)
	require.Empty(t, w.asked(inPerson...))

	w.connect(t, w.ada)
	id := w.ada.Begin(document, with)
	w.Sim.RevokeGrants(w.ada.Person().Email) // at DigiCert, by the person
	w.heard()
	a = w.ada.Post("/ceremonies/" + string(id) + "/code")
	require.Equal(t, http.StatusConflict, a.StatusCode, "told at once, though the token in memory looked good")
	require.Contains(t, a.Body, "/account/connect?return_to="+url.QueryEscape("/ceremonies/"+string(id)))
	require.Empty(t, w.Sim.LastCode(w.ada.Person().Email), "no code is spent")
	require.Contains(t, w.ada.Get("/account").Body, `data-connection="ended"`)
	c, _ := w.Ceremony(id)
	require.Equal(t, signing.CeremonyPrepared, c.State)
	var tokens int
	w.Row([]any{&tokens}, "SELECT COUNT(*) FROM grants WHERE length(sealed) > 0")
	require.Zero(t, tokens, "a refused token is not kept")

	w.connect(t, w.ada)
	w.Clock.Pass(31 * time.Second)
	code := w.ada.Code(id)
	w.Sim.RevokeGrants("")
	a = w.ada.Approve(id, code)
	require.Equal(t, http.StatusConflict, a.StatusCode, a.Body)
	require.Zero(t, w.Sim.Count(dtmsim.LedgerSADIssued, w.with[w.ada].Name), "no approval was had")
	w.connect(t, w.ada)
	a = w.ada.Approve(id, code)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	_, signatures := w.Ceremony(id)
	require.Equal(t, signing.SignatureReleased, signatures[0].State, "and the same ceremony goes on")
	require.Equal(t, "ended", w.ended())
}

// ended is how the log tells of a grant that DigiCert has ended.
func (w *pair) ended() (to string) {
	for _, e := range w.Audited() {
		if e.Action == "grant.end" {
			to = e.To
		}
	}
	return to
}

func TestTheWayBackFromDigiCertIsForOneSessionAndOnce(t *testing.T) {
	w := newPair(t)
	mail := w.ada.Person().Email
	back := func(b *handlerstest.Browser, who string, yes bool) string {
		address, err := w.Sim.Consent(b.ConsentPage(), who, yes)
		require.NoError(t, err)
		return address
	}
	exchanged := func() (n int) {
		for _, c := range w.Sim.Calls()[w.calls:] {
			if strings.HasSuffix(c.Path, "/oauth2/token") {
				n++
			}
		}
		return n
	}
	nothing := func(a *handlerstest.Answer, status int) {
		t.Helper()
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
		require.Regexp(t, `^/account/not-connected\?why=[a-z_]+$`, a.Header.Get("Location"), "no page is shown at an address that holds a code")
		require.Equal(t, "no-referrer", a.Header.Get("Referrer-Policy"))
		require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
		a = w.ada.Follow(a)
		require.Equal(t, status, a.StatusCode, a.Body)
		require.Contains(t, a.Body, "was not connected")
		var n int
		w.Row([]any{&n}, "SELECT COUNT(*) FROM grants")
		require.Zero(t, n)
		require.Zero(t, exchanged(), "the code is not redeemed")
	}
	w.heard()
	elsewhere := w.SignIn("ada")
	nothing(elsewhere.Get(back(w.ada, mail, true)), http.StatusUnprocessableEntity) // her own other session
	nothing(w.ben.Get(back(w.ada, mail, true)), http.StatusUnprocessableEntity)     // her answer in his session
	nothing(w.ada.Get(back(w.ben, w.ben.Person().Email, true)), http.StatusUnprocessableEntity)
	nothing(w.ada.Get(back(w.ada, mail, false)), http.StatusUnprocessableEntity)
	for _, odd := range []string{"", "?code=x", "?code=x&state=", "?code=x&state=made-up", "?code=x&state=" + strings.Repeat("a", 5000), "?error=access_denied&state=x"} {
		nothing(w.ada.Get("/account/connected"+odd), http.StatusUnprocessableEntity)
	}
	twice := back(w.ada, mail, true)
	nothing(w.ada.Get(twice+"&state=other"), http.StatusUnprocessableEntity)
	late := back(w.ada, mail, true)
	w.Clock.Pass(10*time.Minute + time.Second)
	nothing(w.ada.Get(late), http.StatusUnprocessableEntity)
	before := back(w.ada, mail, true)
	w.ada.SignIn("ada")
	nothing(w.ada.Get(before), http.StatusUnprocessableEntity) // the session it was begun in is over

	// Two answers of one attempt, and twenty of them at once.
	address := back(w.ada, mail, true)
	var good atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if a := w.ada.Get(address); a.Header.Get("Location") == "/documents" {
				good.Add(1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, good.Load())
	require.Equal(t, 1, exchanged())
	require.Equal(t, "/account/not-connected?why=unknown", w.ada.Get(address).Header.Get("Location"))

	// What the page says is on a list, and nothing of an address is said after it.
	for why, status := range map[string]int{"declined": 422, "exchange": 502, "forbidden": 403, "internal": 409, "": 422, "%3Cb%3Emade+up": 422} {
		a := w.ada.Get("/account/not-connected?why=" + why)
		require.Equal(t, status, a.StatusCode, why)
		require.Contains(t, a.Body, "was not connected")
		require.NotContains(t, a.Body, "made up")
	}

	// An answer that comes when nobody is signed in is not carried through the login.
	a := w.Browser().Get("/account/connected?code=c&state=s")
	require.Equal(t, "/login?return_to="+url.QueryEscape("/account"), a.Header.Get("Location"))
	// And another site begins nothing.
	for _, site := range []string{"cross-site", "same-site"} {
		require.Equal(t, "/account", w.ben.Get("/account/connect", "Sec-Fetch-Site", site).Header.Get("Location"))
	}
}

func TestSomebodyElsesDigiCertAccountIsNotConnected(t *testing.T) {
	w := newPair(t)
	a := w.ada.Follow(w.ada.Connect(w.ben.Person().Email))
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.Body, "another DigiCert account")
	var n int
	w.Row([]any{&n}, "SELECT COUNT(*) FROM grants")
	require.Zero(t, n)
	calls := w.Sim.Calls()
	require.True(t, strings.HasSuffix(calls[len(calls)-1].Path, "/oauth2/revoke"), "what was given is given back")
	require.Equal(t, http.StatusNoContent, calls[len(calls)-1].Status)
}

func TestAGrantMovedToAnotherPersonOpensNothing(t *testing.T) {
	w := newPair(t)
	w.connect(t, w.ada)
	_, err := w.DB.Write.Exec(w.DB.Write.Rebind("UPDATE grants SET person = ? WHERE person = ?"), w.ben.Person().ID, w.ada.Person().ID)
	require.NoError(t, err)
	w.heard()
	a := w.ben.Post("/documents/"+string(w.document(w.ben, "his"))+"/sign", "credential", string(w.with[w.ben].ID))
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Empty(t, w.asked(inPerson...))
	require.Contains(t, w.Log.String(), "refresh token cannot be opened")
	a = w.ada.Post("/documents/"+string(w.document(w.ada, "hers"))+"/sign", "credential", string(w.with[w.ada].ID))
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Empty(t, w.asked(inPerson...))
}

func TestDisconnectingEndsThePermissionHereAndAtDigiCert(t *testing.T) {
	w := newPair(t)
	w.connect(t, w.ada)
	document := w.document(w.ada, "open")
	id := w.ada.Begin(document, w.with[w.ada].ID)
	require.Contains(t, w.ada.Get("/account/disconnect").Body, "cannot go on")
	a := w.ada.Post("/account/disconnect")
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	require.Contains(t, w.ada.Follow(a).Body, "DigiCert has revoked the permission")
	w.heard()
	require.Equal(t, http.StatusConflict, w.ada.Post("/ceremonies/"+string(id)+"/code").StatusCode)
	require.Empty(t, w.asked(inPerson...), "also with what was in memory")
	var rows int
	w.Row([]any{&rows}, "SELECT COUNT(*) FROM grants")
	require.Zero(t, rows)

	// While DigiCert is away it is over here, and told there later.
	w.connect(t, w.ada)
	w.Sim.Trouble(dtmsim.Fault{Path: "oauth2/revoke", Status: 503, N: 2})
	a = w.ada.Post("/account/disconnect")
	require.Contains(t, w.ada.Follow(a).Body, "DigiCert has not confirmed yet")
	w.heard()
	require.Equal(t, http.StatusConflict, w.ada.Post("/ceremonies/"+string(id)+"/code").StatusCode)
	require.Empty(t, w.asked(inPerson...))
	for range 2 {
		_, err := w.Grants.Sweep(t.Context())
		require.NoError(t, err)
	}
	w.Row([]any{&rows}, "SELECT COUNT(*) FROM grants")
	require.Zero(t, rows)
	w.connect(t, w.ada)
	w.ada.Code(id)

	// Another replica has seen that DigiCert ended it; here a token is in memory.
	_, err := w.DB.Write.Exec(w.DB.Write.Rebind("UPDATE grants SET state = 'ended', sealed = ?, version = version + 1"), []byte{})
	require.NoError(t, err)
	w.heard()
	require.Equal(t, http.StatusConflict, w.ada.Post("/ceremonies/"+string(id)+"/code").StatusCode)
	require.Empty(t, w.asked(inPerson...))
	w.connect(t, w.ada)

	// One who cannot be told for a day.
	w.Sim.Trouble(dtmsim.Fault{Path: "oauth2/revoke", Status: 503, N: 10})
	w.ada.Post("/account/disconnect")
	w.Clock.Pass(25 * time.Hour)
	_, err = w.Grants.Sweep(t.Context())
	require.NoError(t, err)
	w.Row([]any{&rows}, "SELECT COUNT(*) FROM grants")
	require.Zero(t, rows)
	var reasons []string
	for _, e := range w.Audited() {
		if e.Action == "grant.revoke" {
			reasons = append(reasons, e.Reason)
		}
	}
	require.Equal(t, []string{"", "", "not_confirmed"}, reasons)
}

func TestWhoeverIsSwitchedOffHasNoGrantAnyMore(t *testing.T) {
	w := newPair(t)
	w.connect(t, w.ada, w.ben)
	w.ada.ConsentPage() // one more on its way
	page := "/people/" + string(w.ada.Person().ID) + "/disable"
	a := w.cleo.Post(page, "seen", seen(t, w.cleo.Get(page)))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	var rows, asks int
	w.Row([]any{&rows}, "SELECT COUNT(*) FROM grants WHERE person = ?", w.ada.Person().ID)
	require.Zero(t, rows)
	w.Row([]any{&asks}, "SELECT COUNT(*) FROM grant_asks")
	require.Zero(t, asks)
	calls := w.Sim.Calls()
	require.True(t, strings.HasSuffix(calls[len(calls)-1].Path, "/oauth2/revoke"))
	told := map[string]string{}
	for _, e := range w.Audited() {
		if strings.HasPrefix(e.Action, "grant.") && e.Owner == w.ada.Person().ID {
			told[e.Action] = e.Reason
		}
	}
	require.Equal(t, map[string]string{"grant.connect": "", "grant.disconnect": "disabled", "grant.revoke": ""}, told)
	w.ben.Begin(w.document(w.ben, "his"), w.with[w.ben].ID) // nobody else's
}

func TestWhereNobodyHasToConnectThereIsNothingOfIt(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	require.NotContains(t, ada.Get("/account").Body, "data-connection")
	for _, path := range []string{"/account/connect", "/account/connected?code=c&state=s", "/account/not-connected?why=declined"} {
		require.Equal(t, http.StatusNotFound, ada.Get(path).StatusCode)
	}
	require.Equal(t, http.StatusNotFound, ada.Post("/account/disconnect").StatusCode)
}
