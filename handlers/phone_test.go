package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/signing"
)

// newPhone is a site where Ben is asked on his phone, which the provider waits for as long as told.
func newPhone(t *testing.T, wait time.Duration) (*handlerstest.Site, *handlerstest.Browser, identity.CredentialID) {
	t.Helper()
	w := handlerstest.New(t, handlerstest.Options{Sim: func(o *dtmsim.Options) { o.PushTimeout = wait }})
	cleo, ben := w.SignIn("cleo"), w.SignIn("ben")
	return w, ben, ben.Credential(cleo, "cp-advanced-push").ID
}

func pushes(w *handlerstest.Site) int { return w.Sim.Count(dtmsim.LedgerPush, "") }

func TestTheWaitForThePhoneHoldsNoBrowserAndIsShownEverywhere(t *testing.T) {
	w, ben, credential := newPhone(t, 30*time.Second)
	id := ben.Begin(ben.Upload("phone.pdf", handlerstest.PDF()), credential)
	path := "/ceremonies/" + string(id)
	page := ben.Get(path)
	require.Contains(t, page.Body, "Approve it on your phone")
	require.Contains(t, page.Body, "Sign one document", "what will stand on the phone")
	require.NotContains(t, page.Body, `name="otp"`)
	require.NotContains(t, page.Body, `name="pin"`)

	begin := time.Now()
	require.Equal(t, http.StatusSeeOther, ben.Post(path+"/authorize").StatusCode)
	require.Less(t, time.Since(begin), 5*time.Second)
	w.Clock.Pass(20 * time.Second)
	replica := w.Replica()
	elsewhere := w.SignIn("ben")
	for _, look := range []*handlerstest.Answer{ben.Get(path), ben.Get(path), elsewhere.Get(path), ben.Get(replica + path)} {
		require.Contains(t, look.Body, "Open the app on your phone and approve")
		require.Contains(t, look.Body, "<q lang=\"en\">Sign one document</q>")
		require.Regexp(t, `data-wait="(3[0-9]|40)"`, look.Body, "of the minute, some 20 seconds are over")
	}
	require.Equal(t, http.StatusSeeOther, ben.Post(path+"/authorize").StatusCode, "pressed again: the page as it is")
	require.Equal(t, http.StatusSeeOther, ben.Post(path+"/cancel").StatusCode, "what DigiCert was asked cannot be taken back")

	w.Sim.Phone(ben.Person().Email, true)
	w.Done()
	require.Contains(t, ben.Get(path).Body, "Signed, and checked.")
	require.Contains(t, elsewhere.Get(path).Body, "Signed, and checked.")
	require.Equal(t, 1, pushes(w), "asked once")
	require.Equal(t, 1, w.Sim.Count(dtmsim.LedgerSigned, ""))
}

func TestThePhoneThatNobodyAnswersIsToldAndNotAskedAgain(t *testing.T) {
	w, ben, credential := newPhone(t, 300*time.Millisecond)
	id := ben.Begin(ben.Upload("late.pdf", handlerstest.PDF()), credential)
	path := "/ceremonies/" + string(id)
	ben.Post(path + "/authorize")
	w.Done()
	for range 2 { // a reload says the same
		page := ben.Get(path)
		require.Contains(t, page.Body, "Nothing was signed.")
		require.Contains(t, page.Body, "Nobody approved in time.")
		require.Contains(t, page.Body, "Ask me on my phone", "the way on")
	}
	w.Look()
	require.Equal(t, 1, pushes(w), "nothing is sent again by itself")
	c, _ := w.Ceremony(id)
	require.Equal(t, signing.CeremonyPrepared, c.State)

	w.Sim.Phone(ben.Person().Email, true)
	ben.Post(path + "/authorize")
	w.Done()
	require.Contains(t, ben.Get(path).Body, "Signed, and checked.")
}

func TestAPhoneThatDeclinesIsTold(t *testing.T) {
	w, ben, credential := newPhone(t, 10*time.Second)
	id := ben.Begin(ben.Upload("declined.pdf", handlerstest.PDF()), credential)
	path := "/ceremonies/" + string(id)
	w.Sim.Phone(ben.Person().Email, false)
	ben.Post(path + "/authorize")
	w.Done()
	page := ben.Get(path)
	require.Contains(t, page.Body, "The approval was declined on your phone.")
	require.Contains(t, page.Body, "Ask me on my phone")
	require.Zero(t, w.Sim.Count(dtmsim.LedgerSigned, ""))
	c, signatures := w.Ceremony(id)
	require.Equal(t, signing.CeremonyPrepared, c.State)
	require.Equal(t, signing.SignaturePrepared, signatures[0].State)
}

func TestSeveralDocumentsAreAskedForOnThePhoneAtOnce(t *testing.T) {
	w, ben, credential := newPhone(t, 20*time.Second)
	var fields []string
	for _, name := range []string{"one.pdf", "two.pdf", "three.pdf"} {
		fields = append(fields, "document", string(ben.Upload(name, append(handlerstest.PDF(), []byte("\n% "+name)...))))
	}
	a := ben.Post("/sign", append(fields, "credential", string(credential), "failure", "stop")...)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	path := a.Header.Get("Location")
	require.Contains(t, ben.Get(path).Body, "Sign 3 documents")
	ben.Post(path + "/authorize")
	page := ben.Get(path)
	require.Contains(t, page.Body, "<q lang=\"en\">Sign 3 documents</q>")
	w.Sim.Phone(ben.Person().Email, true)
	w.Done()
	for _, e := range w.Sim.Ledger() {
		if e.Kind == dtmsim.LedgerPush {
			require.Equal(t, "Sign 3 documents", e.Text, "what the page says stands there stands there")
		}
	}
	require.Contains(t, ben.Get(path).Body, "Download all 3 signed files")
}

// Each kind of credential is asked for what it needs, and for nothing else.
func TestAPageAsksExactlyForWhatTheCredentialNeeds(t *testing.T) {
	for profile, needs := range map[string]struct{ otp, pin, send, consent, phone bool }{
		"cp-basic": {otp: true, send: true}, "cp-advanced": {otp: true, pin: true, send: true}, "cp-advanced-p256": {pin: true},
		"cp-advanced-totp": {otp: true, pin: true}, "cp-advanced-push": {phone: true}, "cp-oauth2code": {consent: true},
	} {
		t.Run(profile, func(t *testing.T) {
			w := handlerstest.New(t, handlerstest.Options{Sim: func(o *dtmsim.Options) { o.PushTimeout = 20 * time.Second }})
			cleo, ben := w.SignIn("cleo"), w.SignIn("ben")
			id := ben.Begin(ben.Upload(profile+".pdf", append(handlerstest.PDF(), []byte(profile)...)), ben.Credential(cleo, profile).ID)
			path := "/ceremonies/" + string(id)
			page := ben.Get(path)
			require.Equal(t, needs.send, strings.Contains(page.Body, `action="`+path+`/code"`))
			require.Equal(t, needs.consent, strings.Contains(page.Body, `action="`+path+`/consent"`))
			if needs.send {
				ben.Code(id)
				page = ben.Get(path)
			}
			require.Equal(t, needs.otp, strings.Contains(page.Body, `name="otp"`))
			require.Equal(t, needs.pin, strings.Contains(page.Body, `name="pin"`))
			require.Equal(t, needs.phone, strings.Contains(page.Body, "Ask me on my phone"))
			require.Equal(t, !needs.consent, strings.Contains(page.Body, `action="`+path+`/authorize"`))

			otp := w.Sim.LastCode(ben.Person().Email)
			switch {
			case needs.consent:
				ben.Get(ben.Clicked(ben.Consent(id), true))
			case needs.phone:
				w.Sim.Phone(ben.Person().Email, true)
				ben.Post(path + "/authorize")
			case profile == "cp-advanced-totp":
				require.Equal(t, http.StatusSeeOther, ben.Approve(id, w.Sim.TOTP(ben.Person().Email)).StatusCode)
			default:
				require.Equal(t, http.StatusSeeOther, ben.Approve(id, otp).StatusCode)
			}
			w.Done()
			_, signatures := w.Ceremony(id)
			require.Equal(t, signing.SignatureReleased, signatures[0].State, "to a released file")
		})
	}
}
