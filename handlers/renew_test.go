package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/signing"
)

func TestANewCredentialTakesThePlaceOfTheOldOneAndWhatHasBegunGoesOn(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	old := "/credentials/" + string(w.credential.ID)
	code := w.ada.Code(w.ceremony) // a signing with the old one is under way
	require.Contains(t, w.ada.Get(old).Body, "Ask for a new credential")
	require.NotContains(t, w.dora.Get(old).Body, "Ask for a new credential", "an auditor reads")
	require.Equal(t, http.StatusNotFound, w.ben.Post(old+"/renewal").StatusCode)
	require.Equal(t, http.StatusForbidden, w.cleo.Post(old+"/renewal").StatusCode, "only its owner asks")
	require.Equal(t, http.StatusForbidden, w.ada.Post(old+"/renew").StatusCode, "and does not grant")
	require.Equal(t, http.StatusSeeOther, w.ada.Post(old+"/default").StatusCode)

	require.Equal(t, http.StatusSeeOther, w.ada.Post(old+"/renewal").StatusCode)
	require.Contains(t, w.ada.Get(old).Body, "Withdraw the request")
	require.Contains(t, w.cleo.Get("/credentials?show=asked").Body, old)
	require.Contains(t, w.cleo.Get(old).Body, "Decline the request")
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(old+"/renew").StatusCode)
	require.Contains(t, w.ada.Get(old).Body, "DigiCert makes it.")
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(old+"/renew").StatusCode, "pressed twice")
	for range 4 {
		w.Look()
	}
	var n int
	w.Row([]any{&n}, "SELECT count(*) FROM credentials WHERE person = ?", w.ada.Person().ID)
	require.Equal(t, 2, n)
	var next string
	w.Row([]any{&next}, "SELECT id FROM credentials WHERE replaces = ?", w.credential.ID)
	require.Equal(t, next, w.ada.Person().Default)
	body := w.ada.Get(old).Body
	require.Contains(t, body, "Retired")
	require.Contains(t, body, "/credentials/"+next)
	require.NotContains(t, w.cleo.Get("/credentials?show=asked").Body, old)

	w.Clock.Pass(time.Second)
	a := w.ada.Approve(w.ceremony, code)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	_, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, signing.SignatureReleased, signatures[0].State, "what has begun with the old one goes on")

	w.Clock.Pass(31 * time.Second)
	document := w.ada.Upload("after.pdf", handlerstest.PDF())
	before := w.counts()
	a = w.ada.Post("/documents/"+string(document)+"/sign", "credential", string(w.credential.ID))
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.Body, "A newer credential has taken the place of this one.")
	require.Equal(t, counts{}, w.counts().since(before))
	require.Contains(t, w.ada.Get("/documents/"+string(document)+"/sign").Body, `value="`+next+`" checked`)
	w.ada.Signed(document, identity.CredentialID(next))

	require.Equal(t, http.StatusConflict, w.ada.Post(old+"/renewal").StatusCode)
	require.Equal(t, http.StatusConflict, w.ada.Post(old+"/default").StatusCode)
}
