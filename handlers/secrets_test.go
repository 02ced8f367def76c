package handlers_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/signing"
)

// wire keeps the secrets that pass between the site and the far side.
type wire struct {
	mu   sync.Mutex
	seen map[string]string // value to what it is
	all  bytes.Buffer      // bodies that were shown to browsers
}

func (w *wire) keep(what, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(value) >= 4 {
		w.seen[value] = what
	}
}

// far listens at a simulator: tokens and activation data in its answers, codes and
// verifiers in what it is asked.
func (w *wire) far(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.keep("state", q.Get("state"))
		w.keep("nonce", q.Get("nonce"))
		asked, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(asked))
		if form, err := url.ParseQuery(string(asked)); err == nil && strings.Contains(r.Header.Get("Content-Type"), "form") {
			w.keep("code verifier", form.Get("code_verifier"))
			w.keep("authorization code", form.Get("code"))
		}
		if !strings.HasSuffix(r.URL.Path, "/token") && !strings.HasSuffix(r.URL.Path, "credentials/authorize") {
			next.ServeHTTP(rw, r)
			return
		}
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		var said map[string]any
		if json.Unmarshal(answer.Body.Bytes(), &said) == nil {
			for _, name := range []string{"SAD", "access_token", "id_token", "refresh_token"} {
				if s, ok := said[name].(string); ok {
					w.keep(name, s)
				}
			}
		}
		for name, values := range answer.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
	})
}

// near keeps what the site shows.
func (w *wire) near(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		leads := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/consent")
		next.ServeHTTP(&shown{rw, w, 0, leads}, r)
	})
}

type shown struct {
	http.ResponseWriter
	w      *wire
	status int
	leads  bool // a page with nothing on it but the way to the provider
}

func (s *shown) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *shown) Write(b []byte) (int, error) {
	if s.status/100 != 3 && !s.leads { // the address a browser is sent to holds what it has to carry there
		s.w.mu.Lock()
		s.w.all.Write(b)
		s.w.mu.Unlock()
	}
	return s.ResponseWriter.Write(b)
}

func (s *shown) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// finds reports whether a text holds a secret as it is, in base64 or in hex. Short digits
// count only where no other digit touches them.
func finds(text []byte, secret string) bool {
	if regexp.MustCompile(`^\d{4,10}$`).MatchString(secret) {
		return regexp.MustCompile(`(^|[^0-9.])` + secret + `($|[^0-9])`).Match(text)
	}
	for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		hex.EncodeToString([]byte(secret)), url.QueryEscape(secret)} {
		if bytes.Contains(text, []byte(form)) {
			return true
		}
	}
	return false
}

func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	tap := &wire{seen: map[string]string{}}
	w := newTownTapped(t, tap)
	people := []*handlerstest.Browser{w.ada, w.ben, w.cleo, w.dora}

	// A ceremony with everything that can go wrong with a code, then one that goes well.
	code := w.ada.Code(w.ceremony)
	tap.keep("code", code)
	tap.keep("PIN", w.ada.PIN())
	tap.keep("wrong code", otherCode(code))
	w.ada.Approve(w.ceremony, otherCode(code))
	w.ada.Post("/ceremonies/"+string(w.ceremony)+"/authorize", "otp", code, "pin", "98127634")
	tap.keep("wrong PIN", "98127634")
	w.Sim.Trouble(dtmsim.Fault{Path: "credentials/authorize", Status: 400, // one that says back what it was told
		Body: `{"error":"invalid_request","error_description":"not OTP ` + code + ` with PIN ` + w.ada.PIN() + ` and key ` + w.Sim.APIKey + `"}`})
	w.ada.Approve(w.ceremony, code)
	w.Clock.Pass(31 * time.Second)
	document := w.fresh("canary.pdf")
	id := w.ada.Begin(document, w.credential.ID)
	code = w.ada.Code(id)
	tap.keep("code", code)
	w.Sim.Trouble(dtmsim.Fault{Path: "signatures/signHash", After: true, Truncate: true})
	w.ada.Approve(id, code)
	w.Clock.Pass(31 * time.Second)
	id = w.ada.Begin(w.fresh("canary-2.pdf"), w.credential.ID)
	code = w.ada.Code(id)
	tap.keep("code", code)
	require.Equal(t, 303, w.ada.Approve(id, code).StatusCode)
	// And two at the provider's page: one taken, one that nobody asked for.
	theirs := w.eve.Credential(w.cleo, "cp-oauth2code").ID
	w.eve.Connect(w.eve.Person().Email)
	at := w.eve.Begin(w.eve.Upload("canary-3.pdf", handlerstest.PDF()), theirs)
	back, err := url.Parse(w.eve.Clicked(w.eve.Consent(at), true))
	require.NoError(t, err)
	tap.keep("state of a consent", back.Query().Get("state"))
	tap.keep("code of a consent", back.Query().Get("code"))
	w.ada.Get(back.String())
	w.Browser().Get(back.String())
	w.eve.Get(back.String())
	w.Done()
	_, signatures := w.Ceremony(at)
	require.Equal(t, signing.SignatureReleased, signatures[0].State)
	w.Sim.Trouble(dtmsim.Fault{Path: "audit-log", Status: 401, Body: `{"errors":[{"code":"unauthorized","message":"bad key ` + w.Sim.APIKey + `"}]}`})
	w.dora.Get("/audit/dtm")

	for _, b := range people {
		w.htmlPages(t, b)
		tap.keep("session cookie", b.SessionCookie().Value)
	}
	ben := w.ben.SessionCookie()
	w.ben.Get("/auth/callback?code=callback-canary-code&state=callback-canary-state")
	tap.keep("code of a stranger", "callback-canary-code")
	tap.keep("state of a stranger", "callback-canary-state")
	w.ben.Post("/logout", "otp", "mistaken-otp-canary")
	tap.keep("field of another form", "mistaken-otp-canary")
	w.Browser().Get("/account", "Cookie", ben.Name+"="+ben.Value)
	w.Browser().Post("/auth/backchannel-logout", "logout_token", "logout.token.canary")
	tap.keep("logout token", "logout.token.canary")
	consent, err := url.Parse(w.ada.ConsentPage())
	require.NoError(t, err)
	tap.keep("state", consent.Query().Get("state"))
	w.ada.Get("/account/connected?code=consent-canary-code&state=consent-canary-state")
	tap.keep("code of a consent", "consent-canary-code")
	tap.keep("state of a consent", "consent-canary-state")
	w.Clock.Pass(time.Hour)
	w.ada.SignIn("ada")
	w.ada.Begin(w.fresh("canary-3.pdf"), w.credential.ID) // with a token that was changed
	w.Look()

	for _, configured := range w.Secrets {
		tap.keep("configured secret", configured)
	}
	kinds := map[string]int{}
	for _, what := range tap.seen {
		kinds[what]++
	}
	for _, what := range []string{"SAD", "access_token", "refresh_token", "id_token", "code", "wrong code", "PIN", "session cookie", "authorization code", "code verifier", "state", "nonce", "configured secret", "state of a consent"} {
		require.NotZero(t, kinds[what], "no %s was seen: the test looks for nothing", what)
	}

	places := map[string][]byte{"log": []byte(w.Log.String()), "pages": tap.all.Bytes()}
	addDatabase(t, w.Site, places)
	jobs, err := json.Marshal(dbtest.Jobs(t, w.DB))
	require.NoError(t, err)
	places["jobs"] = jobs
	mails, err := json.Marshal(dbtest.Mails(t, w.DB))
	require.NoError(t, err)
	places["mails"] = mails
	entries, err := json.Marshal(w.Audited())
	require.NoError(t, err)
	places["audit log"] = entries
	require.NoError(t, filepath.WalkDir(w.Blobs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		places["blob "+d.Name()] = text
		require.NotContains(t, string(text), "%PDF")
		return err
	}))
	for place, text := range places {
		for secret, what := range tap.seen {
			if finds(text, secret) {
				t.Errorf("the %s is in the %s: %s", what, place, around(text, secret))
			}
		}
	}
	for _, name := range []string{"contract", "canary", "Ada", "ada@example.test"} {
		require.NotContains(t, w.Log.String(), name, "names do not belong into a log")
	}
}

func around(text []byte, secret string) string {
	i := bytes.Index(text, []byte(secret))
	if i < 0 {
		return "(encoded)"
	}
	return string(text[max(0, i-80):min(len(text), i+len(secret)+40)])
}

// addDatabase adds what is stored: of SQLite the files themselves, with what was deleted;
// of PostgreSQL, whose files are the server's, every row.
func addDatabase(t *testing.T, s *handlerstest.Site, places map[string][]byte) {
	t.Helper()
	if s.DB.Dialect == db.Postgres {
		for _, table := range s.Tables() {
			var text bytes.Buffer
			for _, row := range s.Rows(table) {
				for column, value := range row {
					if raw, ok := value.([]byte); ok {
						value = string(raw)
					}
					fmt.Fprintf(&text, "%s=%v\n", column, value)
				}
			}
			places["table "+table] = text.Bytes()
		}
		require.Contains(t, string(places["table documents"]), "canary.pdf")
		return
	}
	var file string
	require.NoError(t, s.DB.Read.Get(&file, "SELECT file FROM pragma_database_list WHERE name = 'main'"))
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(file + suffix)
		require.NoError(t, err)
		require.NotEmpty(t, text)
		places["database"+suffix] = text
	}
	require.True(t, bytes.Contains(append(places["database"], places["database-wal"]...), []byte("canary.pdf")), "what was written last is in these files")
}

func newTownTapped(t *testing.T, tap *wire) *town {
	t.Helper()
	return newTown(t, handlerstest.Options{Wrap: tap.near, Far: tap.far, Persons: true, Sim: func(o *dtmsim.Options) { o.RotateRefresh = true }})
}
