package handlers_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
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
	for _, told := range []string{"1 browser is signed out.", "1 document that is being signed stops", "1 document that they signed here", "1 credential stays what it is at DigiCert", w.credential.Name} {
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
