package handlers_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db/dbtest"
	"countersign/handlers/handlerstest"
)

// asking is a browser that asks for a language.
type asking struct {
	next     http.RoundTripper
	language string
}

func (a asking) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept-Language", a.language)
	return a.next.RoundTrip(r)
}

func germanBrowser(s *handlerstest.Site) *handlerstest.Browser {
	b := s.Browser()
	b.Transport = asking{b.Transport, "de-DE,de;q=0.9,en;q=0.5"}
	return b
}

func TestPagesSpeakTheLanguageOfTheBrowserUntilAPersonChooses(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	b := germanBrowser(s)
	for path, says := range map[string]string{
		"/verify": "Signatur prüfen", "/signed-out": "Sie sind abgemeldet", "/help": "Was hier geschieht", "/nothing-here": "Hier ist nichts",
	} {
		page := b.Get(path)
		require.Contains(t, page.Body, `<html lang="de"`, path)
		require.Contains(t, page.Body, says, path)
		require.Equal(t, "de", page.Header.Get("Content-Language"))
		require.Contains(t, page.Header.Values("Vary"), "Accept-Language")
		require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
		require.Contains(t, s.Browser().Get(path).Body, `<html lang="en"`, path)
	}

	b.SignIn("ada")
	account := b.Get("/account").Body
	require.Contains(t, account, `<html lang="de"`)
	require.Contains(t, account, `<option value="en" lang="en">English</option>`)
	require.Contains(t, account, `<option value="de" lang="de">Deutsch</option>`)

	require.Equal(t, 303, b.Post("/account", "language", "en", "scheme", "").StatusCode)
	account = b.Get("/account").Body
	require.Contains(t, account, `<html lang="en"`, "what was chosen counts for more than the browser")
	require.Contains(t, account, `<option value="en" lang="en" selected>English</option>`)
	require.Contains(t, b.Get("/documents/nothing-here").Body, "There is nothing here", "also where something goes wrong")

	require.Equal(t, 422, b.Post("/account", "language", "xx", "scheme", "").StatusCode)
	require.Equal(t, "en", b.Person().Language)
}

func TestRefusalsAndLivePartsSpeakTheReadersLanguage(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	cleo, ada := s.SignIn("cleo"), germanBrowser(s)
	ada.SignIn("ada")
	page := ada.Post("/identity-checks", "standard", "basic")
	require.Equal(t, 422, page.StatusCode)
	require.Contains(t, page.Body, "Ohne Ihre Einwilligung kann DigiCert nicht prüfen, wer Sie sind.")

	id := string(ada.WaitingCheck("advanced_plus"))
	first := listen(t, ada, "/identity-checks/"+id+"/live").next()
	require.Contains(t, first.data, "Wartet auf Genehmigung")
	require.Contains(t, first.data, "Die Administration von")
	require.NotContains(t, first.data, "An admin")
	require.Contains(t, cleo.Get("/review").Body, "Waiting for approval", "each reads their own language, at the same time")

	refused := ada.Put("notes.txt", []byte("no PDF"))
	require.Contains(t, refused.Body, "Diese Datei ist kein PDF.")
}

func TestMailsGoOutInTheLanguageOfWhoGetsThem(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	cleo, ada, ben := s.SignIn("cleo"), germanBrowser(s), germanBrowser(s)
	ada.SignIn("ada")
	ben.SignIn("ben")
	require.Equal(t, "de-DE,de;q=0.9,en;q=0.5", ada.Person().Browser)
	require.Equal(t, 303, ben.Post("/account", "language", "en", "scheme", "").StatusCode)

	credential := ada.Credential(cleo, "cp-advanced")
	ada.Signed(ada.Upload("Vertrag.pdf", handlerstest.PDF()), credential.ID)
	ben.Credential(cleo, "cp-advanced")

	german, english := map[string]string{}, map[string]string{}
	for _, m := range dbtest.Mails(t, s.DB) {
		about, _, _ := strings.Cut(m.About, ":")
		switch m.To {
		case ada.Person().Email:
			require.Equal(t, "de", m.Language)
			german[about] = m.Subject + "\n" + m.Text
		case ben.Person().Email:
			require.Equal(t, "en", m.Language, "chosen on the account page")
			english[about] = m.Subject + "\n" + m.Text
		}
	}
	require.Contains(t, german["validation.approved"], "Ihre Identitätsprüfung ist genehmigt\nGuten Tag Ada")
	require.Contains(t, german["credential.ready"], "Er ist gültig bis zum "+credential.NotAfter.In(time.Local).Format("2."))
	require.Contains(t, german["signing.released"], "Signiert: Vertrag.pdf\nIhr Dokument „Vertrag.pdf“ ist signiert.")
	require.Contains(t, english["credential.ready"], "Your signing credential is ready\nDear Ben")
}
