package handlers_test

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/idpsim"
)

// htmlPages asks for every page there is, with ids of Ada's, and answers those that came.
// Browser holds each against Flaws.
func (w *town) htmlPages(t *testing.T, b *handlerstest.Browser) map[string]*handlerstest.Answer {
	t.Helper()
	pages := map[string]*handlerstest.Answer{}
	for _, r := range w.App.Routes() {
		if unsafe(r) || isStream(r) || r.Path == "/login" {
			continue
		}
		a := b.Get(w.path(r.Path))
		require.Less(t, a.StatusCode, 500, "%s asks %s", b.Subject, r.Path)
		if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") && a.StatusCode/100 != 3 {
			pages[r.Path] = a
		}
	}
	return pages
}

func TestNoPageCarriesCodeOrStyleInItself(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	n := 0
	for _, b := range []*handlerstest.Browser{w.ada, w.ben, w.cleo, w.dora, w.eve, w.Browser()} {
		n += len(w.htmlPages(t, b)) // with 403 and 404 among them
	}
	require.Greater(t, n, 100)

	// What forms answer with, and every step of a ceremony.
	one := string(w.ceremony)
	require.Equal(t, 422, w.ada.Post("/identity-checks", "standard", "none").StatusCode)
	require.Equal(t, 422, w.ada.Post("/account", "language", "tlh").StatusCode)
	require.Equal(t, 422, w.ada.Post("/credentials/"+string(w.credential.ID)+"/revoke", "reason", "none").StatusCode)
	require.Equal(t, 422, w.ada.Post("/documents/"+string(w.document)+"/sign").StatusCode)
	require.Equal(t, 422, w.ada.Post("/documents").StatusCode)
	require.Equal(t, 422, w.ada.Post("/verify").StatusCode)
	require.Equal(t, 422, w.dora.Get("/audit?from=yesterday").StatusCode)
	require.Equal(t, 422, w.dora.Get("/audit.csv?from=yesterday").StatusCode)
	require.Equal(t, 200, w.ada.Get("/ceremonies/"+one).StatusCode)
	code := w.ada.Code(w.ceremony)
	require.Contains(t, w.ada.Get("/ceremonies/"+one).Body, `name="otp"`)
	require.Equal(t, 422, w.ada.Post("/ceremonies/"+one+"/authorize", "otp", "", "pin", "").StatusCode)
	require.NotEqual(t, 303, w.ada.Approve(w.ceremony, "000000").StatusCode)
	require.Equal(t, 303, w.ada.Approve(w.ceremony, code).StatusCode)
	require.Contains(t, w.ada.Get("/ceremonies/"+one).Body, "/download")
	body, kind := handlerstest.Form("signed.pdf", []byte(w.ada.Get("/documents/"+string(w.document)+"/download").Body))
	verified := w.Browser().Do("POST", "/verify", body, "Content-Type", kind)
	require.Contains(t, verified.Body, "The signature is valid")
	require.Equal(t, 405, w.ada.Do("DELETE", "/documents", nil).StatusCode)
}

func TestOpenEventStreamsCarryTheHeadersToo(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	for _, r := range w.App.Routes() {
		if !isStream(r) {
			continue
		}
		answer, err := w.as(r.Who).Client.Do(w.ada.Request("GET", w.path(r.Path), nil))
		require.NoError(t, err)
		require.Equal(t, 200, answer.StatusCode, r.Path)
		require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"), r.Path)
		require.Empty(t, handlerstest.Flaws(&handlerstest.Answer{Response: answer}), r.Path)
		require.NoError(t, answer.Body.Close())
	}
}

// script is text that would run if a page took it for markup; n says where it came from.
func script(n string) string {
	return `"><img src=x onerror=alert('` + n + `')><script>alert(1)</script>`
}

// imageName is script for a file's name, of which only what follows a slash would be kept.
func imageName(n string) string { return `"><img src=x onerror=alert('` + n + `')>.pdf` }

func TestTextOfOthersIsShownAsText(t *testing.T) {
	w := newTown(t, handlerstest.Options{IDP: func(o *idpsim.Options) {
		o.People = append(o.People, idpsim.Person{Subject: "mal", Name: script("name"), GivenName: script("given"), FamilyName: script("family"),
			Email: "mal@example.test", Phone: "+15550100106", Roles: []string{"signer"}})
	}})
	mal := w.SignIn("mal")
	require.Equal(t, script("name"), mal.Person().Name)

	check := string(mal.WaitingCheck(identity.AdvancedPlus))
	desk := w.cleo.Get("/review")
	require.Contains(t, desk.Body, "alert(&#39;name&#39;)")
	require.Contains(t, w.cleo.Get("/review/"+check).Body, "alert(&#39;given&#39;)")
	require.Equal(t, 303, w.cleo.Post("/review/"+check+"/refuse", "reason", "NAME_MISMATCH", "note", script("note")).StatusCode)
	require.Contains(t, mal.Get("/identity-checks/"+check).Body, "alert(&#39;note&#39;)")
	require.Contains(t, mal.Get("/").Body, "alert(&#39;name&#39;)")
	require.Contains(t, mal.Get("/account").Body, "alert(&#39;name&#39;)")
	mal.Get("/account", "User-Agent", script("agent"))

	// The name of a file, on every page that shows it, and refused.
	named := w.ada.Upload(imageName("file"), handlerstest.PDF())
	for _, path := range []string{"/", "/documents", "/documents?q=%3Cscript%3Ealert('query')%3C/script%3E", "/documents/" + string(named), "/documents/" + string(named) + "/sign"} {
		w.ada.Get(path)
	}
	require.Contains(t, w.ada.Get("/documents").Body, "alert(&#39;file&#39;)")
	body, kind := handlerstest.Form(imageName("form"), []byte("no PDF at all"))
	refused := w.ada.Do("POST", "/documents", body, "Content-Type", kind)
	require.Equal(t, 422, refused.StatusCode)
	body, kind = handlerstest.Form(imageName("verify"), handlerstest.PDF())
	require.Equal(t, 200, w.Browser().Do("POST", "/verify", body, "Content-Type", kind).StatusCode)
	a := w.ada.Put(imageName("raw"), []byte("no PDF"))
	require.Equal(t, "application/json", a.Header.Get("Content-Type"))

	// What DTM says, on its pages and in errors.
	for path, word := range map[string]string{"credentials/sendOTP": "send", "credentials/authorize": "authorize"} {
		w.Sim.Trouble(dtmsim.Fault{Path: path, Status: 400, Body: `{"error":"<script>alert(1)</script>","error_description":"<script>alert('` + word + `')</script>"}`})
	}
	require.NotEqual(t, 303, w.ada.Post("/ceremonies/"+string(w.ceremony)+"/code").StatusCode)
	w.Clock.Pass(31 * time.Second)
	w.ada.Approve(w.ceremony, w.ada.Code(w.ceremony))
	w.ada.Get("/ceremonies/" + string(w.ceremony))
	w.Sim.Trouble(w.evilLog(t))
	log := w.dora.Get("/audit/dtm")
	require.Equal(t, 200, log.StatusCode)
	require.Contains(t, log.Body, "&lt;script&gt;alert")

	for _, b := range []*handlerstest.Browser{w.ada, mal, w.cleo, w.dora} {
		w.htmlPages(t, b)
	}
}

// evilLog makes DTM's log say what a spreadsheet would run, and a page too.
func (w *town) evilLog(t *testing.T) dtmsim.Fault {
	t.Helper()
	entry := map[string]any{"id": "1", "resource_type": "=1+1", "resource_id": "@SUM(A1)", "action": "+1", "status": "success", "timestamp": time.Now(),
		"user": map[string]string{"id": "u", "name": "=HYPERLINK(\"https://evil.example\")"}, "authentication_type": "\t=1",
		"description": "-2+3<script>alert('log')</script>"}
	body, err := json.Marshal(map[string]any{"total": 1, "offset": 0, "limit": 100, "items": []any{entry}})
	require.NoError(t, err)
	return dtmsim.Fault{Method: "GET", Path: "audit-log", Body: string(body)}
}

func TestNoCellOfAnExportIsAFormula(t *testing.T) {
	w := newTown(t, handlerstest.Options{IDP: func(o *idpsim.Options) {
		o.People = append(o.People, idpsim.Person{Subject: "=1+1", Name: "=cmd|' /C calc'!A0", Email: "f@example.test", Roles: []string{"signer"}})
	}})
	w.SignIn("=1+1").Upload("=cmd.pdf", handlerstest.PDF())
	w.Sim.Trouble(w.evilLog(t))
	for _, path := range []string{"/audit.csv", "/audit/dtm.csv"} {
		a := w.dora.Get(path)
		require.Equal(t, http.StatusOK, a.StatusCode, a.Body)
		require.Equal(t, "text/csv; charset=utf-8", a.Header.Get("Content-Type"))
		require.True(t, strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment;"))
		rows, err := csv.NewReader(strings.NewReader(a.Body)).ReadAll()
		require.NoError(t, err)
		require.Greater(t, len(rows), 1, path)
		for _, row := range rows {
			for _, cell := range row {
				require.False(t, strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r"), "%s has the cell %q", path, cell)
			}
		}
		if path == "/audit/dtm.csv" {
			require.Contains(t, a.Body, "'=HYPERLINK")
		}
	}
}
