package auth_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/auth"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/idpsim"
	"countersign/people"
)

// clock is a clock that tests move.
type clock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
}

// site is a small portal over TLS with its provider and database.
type site struct {
	t     *testing.T
	db    *db.DB
	auth  *auth.Auth
	idp   *idpsim.Provider
	web   *httptest.Server
	op    *httptest.Server
	clock *clock
	hits  func(path string) int // requests the provider got
	saw   []error               // errors of Begin, Complete and End
}

// counted counts requests by path.
func counted(h http.Handler) (http.Handler, func(string) int) {
	var mu sync.Mutex
	n := map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			n[r.URL.Path]++
			mu.Unlock()
			h.ServeHTTP(w, r)
		}), func(path string) int {
			mu.Lock()
			defer mu.Unlock()
			return n[path]
		}
}

func cookieKey(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// newSite starts everything. The provider is idpsim unless op is given.
func newSite(t *testing.T, change func(*auth.Config, *idpsim.Options)) *site {
	t.Helper()
	s := &site{t: t, db: dbtest.New(t), clock: &clock{}}
	s.web = httptest.NewUnstartedServer(nil)
	s.op = httptest.NewUnstartedServer(nil)
	webURL, opURL := "https://"+s.web.Listener.Addr().String(), "https://"+s.op.Listener.Addr().String()
	options := idpsim.Options{
		Issuer: opURL, ClientID: "portal", ClientSecret: "secret-of-the-client",
		RedirectURIs: []string{webURL + "/auth/callback"}, PostLogoutURIs: []string{webURL + "/signed-out"},
		TokenLife: 48 * time.Hour, // tests move the portal's clock, not the provider's
	}
	config := auth.Config{
		Issuer: opURL, ClientID: "portal", ClientSecret: "secret-of-the-client",
		RedirectURL: webURL + "/auth/callback", PostLogoutURL: webURL + "/signed-out",
		RoleClaim: "roles", CookieKeys: [][]byte{cookieKey(1)}, CookieName: "t", Secure: true,
		Now: s.clock.Now, Store: s.db.Auth(),
	}
	if change != nil {
		change(&config, &options)
	}
	var err error
	s.idp, err = idpsim.New(options)
	require.NoError(t, err)
	s.op.Config.Handler, s.hits = counted(s.idp.Handler())
	s.op.StartTLS()
	t.Cleanup(s.op.Close)
	config.HTTP = s.op.Client()
	s.auth, err = auth.New(config)
	require.NoError(t, err)
	s.web.Config.Handler = s.routes()
	s.web.StartTLS()
	t.Cleanup(s.web.Close)
	return s
}

func (s *site) routes() http.Handler {
	mux := http.NewServeMux()
	answer := func(to string, err error, w http.ResponseWriter, r *http.Request) {
		if err != nil {
			s.saw = append(s.saw, err)
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		to, err := s.auth.Begin(w, r, r.URL.Query().Get("return_to"))
		answer(to, err, w, r)
	})
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, r *http.Request) {
		to, err := s.auth.Complete(w, r)
		answer(to, err, w, r)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		to, err := s.auth.End(w, r)
		if to == "" {
			to = "/signed-out"
		}
		answer(to, err, w, r)
	})
	mux.HandleFunc("POST /backchannel", func(w http.ResponseWriter, r *http.Request) {
		if err := s.auth.LogoutToken(r.Context(), r.PostFormValue("logout_token")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /signed-out", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "signed out") })
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, p := auth.FromContext(r.Context())
		if p == nil {
			io.WriteString(w, "nobody")
			return
		}
		roles := ""
		for _, role := range p.Roles {
			roles += " " + string(role)
		}
		io.WriteString(w, p.Name+roles)
	})
	mux.Handle("GET /who", s.auth.Middleware(true, who))
	mux.Handle("GET /", s.auth.Middleware(true, who))
	mux.Handle("GET /poll", s.auth.Middleware(false, who))
	return mux
}

// browser keeps cookies and follows redirects.
type browser struct {
	s *site
	*http.Client
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	transport := s.web.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.RootCAs.AddCert(s.op.Certificate())
	s.t.Cleanup(transport.CloseIdleConnections)
	return &browser{s, &http.Client{Jar: jar, Transport: transport, Timeout: 10 * time.Second}}
}

func (b *browser) get(address string) (int, string) {
	b.s.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.s.web.URL + address
	}
	resp, err := b.Get(address)
	require.NoError(b.s.t, err)
	return read(b.s.t, resp)
}

func read(t *testing.T, resp *http.Response) (int, string) {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// choose posts the sign-in page's form.
func (b *browser) choose(page, subject string) (int, string) {
	b.s.t.Helper()
	m := hidden.FindStringSubmatch(page)
	require.NotNil(b.s.t, m, "not the sign-in page: %s", page)
	resp, err := b.PostForm(b.s.op.URL+"/login", url.Values{"id": {m[1]}, "subject": {subject}})
	require.NoError(b.s.t, err)
	return read(b.s.t, resp)
}

// signIn goes through the login and answers the page it ends on.
func (b *browser) signIn(subject string) string {
	b.s.t.Helper()
	_, page := b.get("/login?return_to=/who")
	status, body := b.choose(page, subject)
	require.Equal(b.s.t, http.StatusOK, status, body)
	return body
}

func (b *browser) who() string {
	b.s.t.Helper()
	_, body := b.get("/who")
	return body
}

func (b *browser) logout() (int, string, *url.URL) {
	b.s.t.Helper()
	resp, err := b.PostForm(b.s.web.URL+"/logout", nil)
	require.NoError(b.s.t, err)
	status, body := read(b.s.t, resp)
	return status, body, resp.Request.URL
}

// cookies of the portal: the jar does not tell ports of one host apart.
func (b *browser) cookies() []*http.Cookie {
	u, _ := url.Parse(b.s.web.URL)
	return slices.DeleteFunc(b.Jar.Cookies(u), func(c *http.Cookie) bool { return !strings.Contains(c.Name, "countersign") })
}

func (b *browser) sessionCookie() *http.Cookie {
	b.s.t.Helper()
	for _, c := range b.cookies() {
		if strings.HasSuffix(c.Name, "-session") {
			return c
		}
	}
	b.s.t.Fatal("no session cookie")
	return nil
}

// raw sends one request with exactly these cookies and follows nothing.
func (s *site) raw(method, path string, cookies ...*http.Cookie) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, s.web.URL+path, nil)
	require.NoError(s.t, err)
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := s.web.Client().Transport.RoundTrip(req)
	require.NoError(s.t, err)
	_, body := read(s.t, resp)
	return resp, body
}

func (s *site) lastError() *auth.Error {
	s.t.Helper()
	require.NotEmpty(s.t, s.saw, "nothing was refused")
	var e *auth.Error
	require.ErrorAs(s.t, s.saw[len(s.saw)-1], &e)
	require.NotEmpty(s.t, e.Sentence)
	return e
}

func (s *site) person(subject string) people.Person {
	s.t.Helper()
	page, _, err := s.db.People().List(context.Background(), db.PeopleQuery{})
	require.NoError(s.t, err)
	for _, p := range page {
		if p.Subject == subject {
			return p
		}
	}
	s.t.Fatalf("no person %q", subject)
	return people.Person{}
}

// audited lists "action outcome reason" of the audit log, newest first.
func (s *site) audited() []string {
	s.t.Helper()
	var lines []string
	require.NoError(s.t, s.db.Read.Select(&lines, "SELECT action || ' ' || outcome || ' ' || reason FROM audit ORDER BY at DESC, id DESC"))
	return lines
}
