package handlers_test

import (
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/signing"
)

var seenField = regexp.MustCompile(`name="seen" value="([0-9a-f]{24})"`)

// seen is what a page that asks first has told.
func seen(t *testing.T, a *handlerstest.Answer) string {
	t.Helper()
	require.Equal(t, http.StatusOK, a.StatusCode, a.Body)
	m := seenField.FindStringSubmatch(a.Body)
	require.NotNil(t, m, "the page carries what it has told")
	return m[1]
}

func TestAnAccountIsSwitchedOffAfterReadingWhatThatEnds(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	page := "/people/" + string(w.ada.Person().ID)
	require.Contains(t, w.cleo.Get("/people?q=ada").Body, page)
	require.NotContains(t, w.dora.Get(page).Body, page+"/disable", "an auditor reads")
	for _, b := range []*handlerstest.Browser{w.dora, w.ada} {
		require.Equal(t, http.StatusForbidden, b.Get(page+"/disable").StatusCode)
		require.Equal(t, http.StatusForbidden, b.Post(page+"/disable").StatusCode)
	}
	own := "/people/" + string(w.cleo.Person().ID)
	require.Equal(t, http.StatusForbidden, w.cleo.Get(own+"/disable").StatusCode)
	require.Equal(t, http.StatusForbidden, w.cleo.Post(own+"/disable", "seen", "x").StatusCode)
	require.Equal(t, http.StatusForbidden, w.cleo.Post(own+"/enable").StatusCode)

	first := w.cleo.Get(page + "/disable")
	read := seen(t, first)
	for _, told := range []string{"1 browser is signed out.", "1 document that is being signed is left unsigned: its signing is cancelled.", "1 document that they signed here", "1 credential stays what it is at DigiCert", w.credential.Name} {
		require.Contains(t, first.Body, told)
	}
	require.Equal(t, http.StatusConflict, w.cleo.Post(page+"/disable").StatusCode, "nothing was read")
	second := w.Browser()
	second.SignIn("ada") // one more browser: what was read is no longer so
	a := w.cleo.Post(page+"/disable", "seen", read)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.Body, "This has changed since you looked.")
	require.Contains(t, a.Body, "2 browsers are signed out.")
	require.Equal(t, http.StatusOK, w.ada.Get("/documents").StatusCode, "nothing was done")

	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/disable", "seen", seenField.FindStringSubmatch(a.Body)[1]).StatusCode)
	require.NotEqual(t, http.StatusOK, w.ada.Get("/documents").StatusCode)
	require.NotEqual(t, http.StatusOK, second.Get("/documents").StatusCode)
	require.Contains(t, w.cleo.Get(page).Body, "Switched off")
	require.Equal(t, http.StatusConflict, w.cleo.Get(page+"/disable").StatusCode)
	require.Zero(t, w.changed()["PUT revoke"], "the credential is another decision")
	ended, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, signing.CeremonyCancelled, ended.State, "what nobody had authorized")
	require.Equal(t, signing.SignatureCancelled, signatures[0].State)
	var by, reason, owner string
	w.Row([]any{&by, &reason, &owner}, "SELECT person, reason, owner FROM audit WHERE action = 'ceremony.cancel' AND subject = ?", w.ceremony)
	require.Equal(t, []string{string(w.cleo.Person().ID), "account_off", string(w.ada.Person().ID)}, []string{by, reason, owner})

	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/enable").StatusCode)
	w.ada.SignIn("ada")
	require.Equal(t, http.StatusOK, w.ada.Get("/documents").StatusCode)
}

func TestARevocationIsAskedForAgainWhenWhatItEndsHasChanged(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	page := "/credentials/" + string(w.credential.ID)
	first := w.ada.Get(page + "/revoke")
	require.Contains(t, first.Body, "1 document that is being signed stops.")
	require.Contains(t, w.cleo.Get(page).Body, "1 document is being signed with it now and stops.")
	read := seen(t, first)
	require.Equal(t, http.StatusSeeOther, w.ada.Post("/ceremonies/"+string(w.ceremony)+"/cancel").StatusCode)
	revoke := func(seen string) *handlerstest.Answer {
		return w.ada.Post(page+"/revoke", "reason", "SUPERSEDED", "typed", w.credential.Name, "seen", seen)
	}
	for _, stale := range []string{read, ""} {
		a := revoke(stale)
		require.Equal(t, http.StatusConflict, a.StatusCode)
		require.Contains(t, a.Body, "This has changed since you looked.")
	}
	require.Zero(t, w.changed()["PUT revoke"])
	require.Equal(t, http.StatusSeeOther, revoke(seen(t, w.ada.Get(page+"/revoke"))).StatusCode)
	require.Equal(t, 1, w.changed()["PUT revoke"])
}

// Only what nobody has authorized is cancelled: a signature that may be on its way is finished.
func TestSwitchingAnAccountOffStopsWhatIsSafeToStop(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	page := "/people/" + string(w.ada.Person().ID)
	w.Clock.Pass(31 * time.Second)
	sent := w.ada.Begin(w.fresh("code sent.pdf"), w.credential.ID)
	w.ada.Code(sent)
	going, code := w.freshCeremony("on its way.pdf")
	w.Sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", N: 50, Status: 503})
	w.ada.Approve(going, code)
	_, signatures := w.Ceremony(going)
	require.Equal(t, signing.SignatureSigned, signatures[0].State, "it waits for the clock service")
	body := w.cleo.Get(page + "/disable").Body
	require.Contains(t, body, "2 documents that are being signed are left unsigned")
	require.Contains(t, body, "1 signature is on its way already, and is finished if DigiCert has given it.")
	require.NotContains(t, body, "/ceremonies/", "nobody else may open them")
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/disable", "seen", w.cleo.Seen(page+"/disable")).StatusCode)
	for _, id := range []signing.CeremonyID{w.ceremony, sent} {
		c, _ := w.Ceremony(id)
		require.Equal(t, signing.CeremonyCancelled, c.State)
	}
	w.Sim.ClearFaults()
	w.Clock.Pass(2 * time.Minute)
	w.Look()
	_, signatures = w.Ceremony(going)
	require.Equal(t, signing.SignatureReleased, signatures[0].State)
}

func TestASuspensionIsAskedForAgainWhenWhatItStopsHasChanged(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	page := "/credentials/" + string(w.credential.ID)
	body := w.ada.Get(page).Body
	require.Contains(t, body, "1 document is being signed with it now and stops.")
	require.Contains(t, body, `href="/ceremonies/`+string(w.ceremony)+`"`, "their owner may open it")
	require.NotContains(t, w.cleo.Get(page).Body, "/ceremonies/", "an admin may not")
	read := w.ada.Seen(page)
	require.Equal(t, http.StatusSeeOther, w.ada.Post("/ceremonies/"+string(w.ceremony)+"/cancel").StatusCode)
	for _, stale := range []string{read, ""} {
		a := w.ada.Post(page+"/suspend", "seen", stale)
		require.Equal(t, http.StatusConflict, a.StatusCode)
		require.Contains(t, a.Body, "This has changed since you looked.")
	}
	require.Zero(t, w.changed()["PUT suspend"])
	require.Equal(t, http.StatusSeeOther, w.ada.Suspend(w.credential.ID).StatusCode)
	require.Equal(t, 1, w.changed()["PUT suspend"])
}

func TestAnErasureIsAskedForAgainWhenWhatItEndsHasChanged(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	page := "/documents/" + string(w.document)
	body := w.ada.Get(page).Body
	require.Contains(t, body, "A signing of it has begun; it ends, or goes on without this document.")
	read := w.ada.Seen(page)
	code := w.ada.Code(w.ceremony)
	require.Equal(t, http.StatusSeeOther, w.ada.Approve(w.ceremony, code).StatusCode)
	for _, stale := range []string{read, ""} {
		a := w.ada.Post(page+"/erase", "seen", stale)
		require.Equal(t, http.StatusConflict, a.StatusCode)
		require.Contains(t, a.Body, "This has changed since you looked.")
		require.Contains(t, a.Body, "The signed file is erased here too.", "as it stands now")
	}
	require.Equal(t, http.StatusOK, w.ada.Get(page+"/download").StatusCode, "nothing was done")
	require.Equal(t, http.StatusSeeOther, w.ada.Erase(w.document).StatusCode)
}
