package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/signing"
)

// away is a site where Ben has a credential that is approved at the provider's page, and Ada one too.
type away struct {
	*handlerstest.Site
	ben, ada         *handlerstest.Browser
	credential, hers identity.CredentialID
}

func newAway(t *testing.T, o handlerstest.Options) *away {
	t.Helper()
	w := &away{Site: handlerstest.New(t, o)}
	cleo := w.SignIn("cleo")
	w.ben, w.ada = w.SignIn("ben"), w.SignIn("ada")
	w.credential, w.hers = w.ben.Credential(cleo, "cp-oauth2code").ID, w.ada.Credential(cleo, "cp-oauth2code").ID
	return w
}

// there is a ceremony of Ben's, and the page he was sent to for it.
func (w *away) there(name string) (signing.CeremonyID, string) {
	w.T.Helper()
	id := w.ben.Begin(w.ben.Upload(name, append(handlerstest.PDF(), []byte("\n% "+name)...)), w.credential)
	return id, w.ben.Consent(id)
}

func (w *away) state(id signing.CeremonyID) signing.CeremonyState {
	w.T.Helper()
	c, _ := w.Ceremony(id)
	return c.State
}

func TestAnApprovalAtTheProvidersPageLeadsThereAndBack(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	id := w.ben.Begin(w.ben.Upload("there.pdf", handlerstest.PDF()), w.credential)
	page := w.ben.Get("/ceremonies/" + string(id))
	require.Contains(t, page.Body, "Approve at DigiCert")
	require.Contains(t, page.Body, `action="/ceremonies/`+string(id)+`/consent"`)
	require.NotContains(t, page.Body, `name="otp"`)
	require.NotContains(t, page.Body, `name="pin"`)
	require.NotContains(t, page.Header.Get("Content-Security-Policy"), w.Sim.BaseURL, "a form that led there would be held against every redirect of the provider's")

	address := w.ben.Consent(id)
	there, err := url.Parse(address)
	require.NoError(t, err)
	page = w.ben.Get("/ceremonies/" + string(id))
	require.NotContains(t, page.Body, there.Query().Get("state"), "it stands on the page that leads there, and on no other")
	require.Contains(t, page.Body, "DigiCert waits for your approval")
	require.Contains(t, page.Body, "Go to DigiCert again")

	answer := w.ben.Get(w.ben.Clicked(address, true))
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.Equal(t, "/ceremonies/"+string(id), answer.Header.Get("Location"), "nothing of the answer stands in the next address")
	require.Equal(t, "no-referrer", answer.Header.Get("Referrer-Policy"))
	require.Equal(t, "no-store", answer.Header.Get("Cache-Control"))
	w.Done()
	require.Contains(t, w.ben.Get("/ceremonies/"+string(id)).Body, "Signed, and checked.")
	require.Equal(t, 1, w.Sim.Count(dtmsim.LedgerSigned, ""))
}

// Whoever looks at their page is answered at once, however long the provider takes.
func TestAnAnswerOfTheProviderHoldsNoBrowser(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	id, address := w.there("slow.pdf")
	back := w.ben.Clicked(address, true)
	w.Sim.Trouble(dtmsim.Fault{Path: "oauth2/token", Delay: dtmsim.Duration(1500 * time.Millisecond)})
	begin := time.Now()
	require.Equal(t, http.StatusSeeOther, w.ben.Get(back).StatusCode)
	require.Less(t, time.Since(begin), time.Second)
	page := w.ben.Get("/ceremonies/" + string(id))
	require.Contains(t, page.Body, "Signing your document")
	require.Equal(t, signing.CeremonyAuthorizing, w.state(id))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, w.Signing.Wait(ctx), context.DeadlineExceeded, "draining waits for it")
	w.Done()
	require.Equal(t, signing.CeremonyUsed, w.state(id))
}

func TestAnAnswerOfTheProviderIsForItsOwnSessionAndPerson(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	other := w.SignIn("ben")
	nobody := w.Browser()
	for name, try := range map[string]struct {
		by  *handlerstest.Browser
		why string
	}{
		"another session of the same person": {other, "consent_session"},
		"another person":                     {w.ada, "consent_unknown"},
		"nobody":                             {nobody, ""},
	} {
		t.Run(name, func(t *testing.T) {
			id, address := w.there(strings.ReplaceAll(name, " ", "-") + ".pdf")
			back := w.ben.Clicked(address, true)
			before, entries, issued := w.Snapshot(), w.refusals(), w.Sim.Count(dtmsim.LedgerSADIssued, "")
			a := try.by.Get(back)
			require.Equal(t, http.StatusSeeOther, a.StatusCode)
			to := a.Header.Get("Location")
			if try.why == "" {
				require.Equal(t, "/login?return_to="+url.QueryEscape(notTaken+"?why=consent_session"), to, "the way back holds no code")
				require.Equal(t, entries, w.refusals())
			} else {
				require.True(t, strings.HasPrefix(to, notTaken+"?"), to)
				page := try.by.Get(to)
				require.Equal(t, http.StatusUnprocessableEntity, page.StatusCode)
				require.Contains(t, page.Body, "This approval was not used")
				require.Contains(t, page.Body, signing.Explain(try.why).Sentence)
				require.Equal(t, entries+1, w.refusals(), "it is written down")
			}
			require.Equal(t, before, w.Snapshot(), "nothing was touched")
			require.Equal(t, signing.CeremonyConsenting, w.state(id))
			require.Equal(t, issued, w.Sim.Count(dtmsim.LedgerSADIssued, ""))

			// It is Ben's all the same.
			require.Equal(t, "/ceremonies/"+string(id), w.ben.Get(back).Header.Get("Location"))
			w.Done()
			require.Equal(t, signing.CeremonyUsed, w.state(id))
		})
	}
}

const notTaken = "/ceremonies/not-taken"

func (w *away) refusals() (n int) {
	for _, e := range w.Audited() {
		if e.Action == "ceremony.authorize" && e.Outcome == audit.Refused {
			n++
		}
	}
	return n
}

// Ben's own approval in Ada's browser would have her sign with his, or see it signed: her session takes
// only what it has begun.
func TestAnAnswerForOneCeremonyIsWorthNothingForAnother(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	mine := w.ada.Begin(w.ada.Upload("mine.pdf", handlerstest.PDF()), w.hers)
	hers := w.ada.Clicked(w.ada.Consent(mine), true)
	_, address := w.there("his.pdf")
	his := w.ben.Clicked(address, true)

	mixed, err := url.Parse(hers)
	require.NoError(t, err)
	foreign, err := url.Parse(his)
	require.NoError(t, err)
	q := mixed.Query()
	q.Set("code", foreign.Query().Get("code"))
	mixed.RawQuery = q.Encode()
	require.Equal(t, "/ceremonies/"+string(mine), w.ada.Get(mixed.String()).Header.Get("Location"))
	w.Done()
	c, signatures := w.Ceremony(mine)
	require.Equal(t, signing.CeremonyPrepared, c.State)
	require.Equal(t, signing.SignaturePrepared, signatures[0].State)
	require.Zero(t, w.Sim.Count(dtmsim.LedgerSADIssued, ""), "PKCE: the code was asked for with another verifier")
	page := w.ada.Get("/ceremonies/" + string(mine))
	require.Contains(t, page.Body, signing.Explain("consent_refused").Sentence)
	require.Contains(t, page.Body, "Approve at DigiCert", "the way on")
}

func TestAnAnswerOfTheProviderIsTakenOnce(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	id, address := w.there("once.pdf")
	back := w.ben.Clicked(address, true)
	replica := w.Replica()
	var mu sync.Mutex
	to := map[string]int{}
	together(20, func(i int) {
		r := w.ben.Request("GET", back, nil)
		if i%2 == 1 {
			r = w.ben.Request("GET", strings.Replace(back, w.URL, replica, 1), nil)
		}
		a, err := w.ben.Client.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		defer a.Body.Close()
		u, _ := url.Parse(a.Header.Get("Location"))
		mu.Lock()
		defer mu.Unlock()
		to[u.Path]++
	})
	require.Equal(t, 1, to["/ceremonies/"+string(id)], "%v", to)
	require.Equal(t, 19, to[notTaken], "%v", to)
	require.Eventually(t, func() bool { return w.state(id) == signing.CeremonyUsed }, 10*time.Second, 20*time.Millisecond)
	require.Equal(t, 1, w.Sim.Count(dtmsim.LedgerSADIssued, ""))
	require.Equal(t, 1, w.Sim.Count(dtmsim.LedgerSigned, ""))

	page := w.ben.Follow(w.ben.Get(back))
	require.Equal(t, http.StatusConflict, page.StatusCode)
	require.Contains(t, page.Body, signing.Explain("consent_used").Sentence)
	require.Contains(t, page.Body, `href="/ceremonies/`+string(id)+`"`, "the way to where it stands")
	require.Equal(t, 1, w.Sim.Count(dtmsim.LedgerSigned, ""))
}

func TestAnswersThatAreNoneAreRefused(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	id, address := w.there("none.pdf")
	back, err := url.Parse(w.ben.Clicked(address, true))
	require.NoError(t, err)
	q := back.Query()
	state, code := q.Get("state"), q.Get("code")
	for name, query := range map[string]string{
		"empty":              "",
		"state only":         "state=" + state,
		"code only":          "code=" + code,
		"state twice":        "state=" + state + "&state=" + state + "&code=" + code,
		"code twice":         "state=" + state + "&code=" + code + "&code=x",
		"error and code":     "state=" + state + "&code=" + code + "&error=access_denied",
		"another issuer":     "state=" + state + "&code=" + code + "&iss=https%3A%2F%2Felsewhere.test",
		"10,000 characters":  "state=" + state + "&code=" + strings.Repeat("x", 10000),
		"5,000 characters":   "state=" + state + "&code=" + strings.Repeat("x", 5000),
		"state of 300 bytes": "state=" + strings.Repeat("s", 300) + "&code=" + code,
		"nonsense":           "state=%00%ff&code=%00",
		"no query at all":    "%zz",
	} {
		t.Run(name, func(t *testing.T) {
			before := w.Snapshot()
			a := w.ben.Get("/ceremonies/approved?" + query)
			require.Equal(t, http.StatusSeeOther, a.StatusCode)
			require.True(t, strings.HasPrefix(a.Header.Get("Location"), notTaken+"?"), a.Header.Get("Location"))
			require.NotContains(t, a.Header.Get("Location"), code)
			require.NotContains(t, a.Header.Get("Location"), state)
			require.Equal(t, before, w.Snapshot())
		})
	}
	require.Equal(t, signing.CeremonyConsenting, w.state(id))
	require.Zero(t, w.Sim.Count(dtmsim.LedgerSADIssued, ""))
	// What the provider adds besides is passed over.
	require.Equal(t, "/ceremonies/"+string(id), w.ben.Get("/ceremonies/approved?session_state=x&by=itself&"+back.RawQuery).Header.Get("Location"))
	w.Done()
	require.Equal(t, signing.CeremonyUsed, w.state(id))
}

func TestADeclineAtTheProviderIsToldAndLeadsOn(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	id, address := w.there("declined.pdf")
	back := w.ben.Clicked(address, false)
	answer, err := url.Parse(back)
	require.NoError(t, err)
	q := answer.Query()
	q.Set("error_description", "<script>alert(1)</script>")
	answer.RawQuery = q.Encode()
	require.Equal(t, "/ceremonies/"+string(id), w.ben.Get(answer.String()).Header.Get("Location"))
	page := w.ben.Get("/ceremonies/" + string(id))
	require.Contains(t, page.Body, "You declined at DigiCert.")
	require.Contains(t, page.Body, "Nothing was signed")
	require.NotContains(t, page.Body, "alert(1)", "the provider's words are not shown")
	require.Contains(t, page.Body, "Approve at DigiCert")
	require.Zero(t, w.Sim.Count(dtmsim.LedgerSADIssued, ""))
	require.Equal(t, "/ceremonies/"+string(id), w.ben.Get(w.ben.Clicked(w.ben.Consent(id), true)).Header.Get("Location"))
	w.Done()
	require.Equal(t, signing.CeremonyUsed, w.state(id))
}

func TestALateOrCancelledAnswerSignsNothing(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	late, address := w.there("late.pdf")
	back := w.ben.Clicked(address, true)
	w.Clock.Pass(10 * time.Minute)
	w.ben.Get("/documents") // the session lives on
	w.Clock.Pass(5 * time.Minute)
	page := w.ben.Follow(w.ben.Get(back))
	require.Contains(t, page.Body, signing.Explain("consent_late").Sentence)
	require.Equal(t, signing.CeremonyConsenting, w.state(late))
	require.Contains(t, w.ben.Get("/ceremonies/"+string(late)).Body, "Your way back is closed.")

	gone, address := w.there("gone.pdf")
	back = w.ben.Clicked(address, true)
	require.Equal(t, http.StatusSeeOther, w.ben.Post("/ceremonies/"+string(gone)+"/cancel").StatusCode)
	page = w.ben.Follow(w.ben.Get(back))
	require.Equal(t, http.StatusConflict, page.StatusCode)
	require.Contains(t, page.Body, signing.Explain("cancelled").Sentence)
	require.Zero(t, w.Sim.Count(dtmsim.LedgerSADIssued, ""))
}

// The way there is a person's own press, and for such credentials only.
func TestOnlyItsOwnerIsSentToTheProvider(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	id := w.ben.Begin(w.ben.Upload("own.pdf", handlerstest.PDF()), w.credential)
	path := "/ceremonies/" + string(id) + "/consent"
	require.Equal(t, http.StatusNotFound, w.ada.Post(path).StatusCode)
	require.Equal(t, http.StatusForbidden, w.ben.Do("POST", path, nil, "Origin", "https://elsewhere.test").StatusCode)
	require.Equal(t, http.StatusUnauthorized, w.Browser().Post(path).StatusCode)
	require.Equal(t, http.StatusSeeOther, w.ben.Post("/ceremonies/"+string(id)+"/authorize").StatusCode)
	require.Equal(t, signing.CeremonyPrepared, w.state(id))
	for _, c := range w.Sim.Calls() {
		require.NotContains(t, c.Path, "credentials/authorize")
	}
	for i := range 21 {
		a := w.ben.Post(path)
		if i < 20 {
			require.Equal(t, http.StatusOK, a.StatusCode)
			require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
			require.Equal(t, "no-referrer", a.Header.Get("Referrer-Policy"))
			continue
		}
		require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
}

// An address that somebody made up shows one of our own sentences and nothing else.
func TestThePageOfAnAnswerNotTakenSaysOnlyOurOwn(t *testing.T) {
	w := newAway(t, handlerstest.Options{})
	theirs := w.ada.Begin(w.ada.Upload("hers.pdf", handlerstest.PDF()), w.hers)
	for _, q := range []string{"", "?why=%3Cb%3Ex&ceremony=%3Cb%3E", "?why=" + strings.Repeat("x", 3000), "?why=declined&ceremony=" + string(theirs)} {
		a := w.ben.Get(notTaken + q)
		require.GreaterOrEqual(t, a.StatusCode, 400)
		require.Contains(t, a.Body, "This approval was not used")
		require.NotContains(t, a.Body, "<b>x")
		require.NotContains(t, a.Body, string(theirs))
	}
}
