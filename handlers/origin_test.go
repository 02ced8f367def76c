package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/handlers"
	"countersign/handlers/handlerstest"
	"countersign/idpsim"
)

// elsewhere are the ways in which a browser says that a request comes from another site.
var elsewhere = map[string][]string{
	"another site":      {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
	"a sibling host":    {"Sec-Fetch-Site", "same-site", "Origin", "https://other.example"},
	"a sandboxed frame": {"Origin", "null"},
	"an old browser":    {"Origin", "https://evil.example"},
	"another port":      {"Origin", "https://127.0.0.1:1"},
	"a lying page":      {"Sec-Fetch-Site", "cross-site", "Origin", ""},
}

// request of an unsafe route with real ids and whatever the forms have.
func (w *town) cross(method, pattern string, b *handlerstest.Browser, headers []string) *http.Request {
	fields := "credential=" + string(w.credential.ID) + "&consent=on&standard=advanced_plus&reason=NAME_MISMATCH&profile=cp-advanced&otp=123456&pin=1234&language=de"
	r := b.Request(method, w.path(pattern), strings.NewReader(fields), "Content-Type", "application/x-www-form-urlencoded")
	r.Header.Del("Origin")
	r.Header.Del("Sec-Fetch-Site")
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

func TestARequestOfAnotherSiteChangesNothing(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	asked := 0
	calls := len(w.Sim.Calls())
	before := w.Snapshot()
	for _, r := range w.App.Routes() {
		if !unsafe(r) {
			continue
		}
		for name, headers := range elsewhere {
			a, err := w.as(r.Who).Send(w.cross(r.Method, r.Path, w.as(r.Who), headers))
			require.NoError(t, err)
			require.Equal(t, http.StatusForbidden, a.StatusCode, "%s %s from %s", r.Method, r.Path, name)
			require.Contains(t, a.Body, "came from somewhere else")
			asked++
		}
	}
	require.Greater(t, asked, 100)
	require.Equal(t, before, w.Snapshot())
	require.Len(t, w.Sim.Calls(), calls, "DTM was not asked for anything")
	require.Equal(t, 200, w.ada.Get("/account").StatusCode, "and nobody was signed out")
}

func TestACookieWithoutAnOriginChangesNothing(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	before := w.Snapshot()
	for _, r := range w.App.Routes() {
		if !unsafe(r) {
			continue
		}
		a, err := w.as(r.Who).Send(w.cross(r.Method, r.Path, w.as(r.Who), nil))
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, a.StatusCode, "%s %s", r.Method, r.Path)
	}
	require.Equal(t, before, w.Snapshot())
}

func TestTheProviderEndsSessionsWithoutAnOrigin(t *testing.T) {
	var s *handlerstest.Site
	client := &http.Client{Transport: transportOf(func() *handlerstest.Site { return s })}
	s = handlerstest.New(t, handlerstest.Options{IDP: func(o *idpsim.Options) {
		o.BackChannelURI, o.HTTP = strings.TrimSuffix(o.RedirectURIs[0], "/auth/callback")+"/auth/backchannel-logout", client
	}})
	ada, ben := s.SignIn("ada"), s.SignIn("ben")
	require.Equal(t, 1, s.IDP.EndSessions(t.Context(), "ada"))
	require.Equal(t, http.StatusSeeOther, ada.Get("/account").StatusCode)
	require.Equal(t, http.StatusOK, ben.Get("/account").StatusCode)
	for _, token := range []string{"", "x", "a.b.c", strings.Repeat("a", 20_000)} {
		a, err := s.Browser().Send(form(s.Browser(), "POST", "/auth/backchannel-logout"))
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, a.StatusCode, "%.10q", token)
		require.Equal(t, http.StatusBadRequest, s.Browser().Post("/auth/backchannel-logout", "logout_token", token).StatusCode, "%.10q", token)
	}
	require.Equal(t, http.StatusOK, ben.Get("/account").StatusCode)
}

type transportOf func() *handlerstest.Site

func (f transportOf) RoundTrip(r *http.Request) (*http.Response, error) {
	return f().Server.Client().Transport.RoundTrip(r)
}

func TestForwardedHeadersOfAStrangerAreIgnored(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	lies := []string{"X-Forwarded-For", "203.0.113.9", "X-Real-IP", "203.0.113.9", "Forwarded", "for=203.0.113.9;host=evil.example;proto=http",
		"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "80"}
	ada := s.SignIn("ada")
	a := ada.Do("POST", "/account", strings.NewReader("language=xx"), append(lies, "Content-Type", "application/x-www-form-urlencoded")...)
	require.Equal(t, 422, a.StatusCode)
	require.NotContains(t, s.Log.String(), "203.0.113.9")
	require.Contains(t, s.Log.String(), `"address":"127.0.0.1"`)

	page := s.Browser().Get("/login", lies...)
	require.True(t, strings.HasPrefix(page.Header.Get("Location"), s.Provider.URL+"/"), page.Header.Get("Location"))
	require.NotContains(t, page.Header.Get("Location"), "evil")
	for _, path := range []string{"/", "/help", "/documents", "/nothing"} {
		r := ada.Request("GET", path, nil, lies...)
		r.Host = "evil.example"
		a, err := ada.Send(r)
		require.NoError(t, err)
		require.NotContains(t, a.Body+a.Header.Get("Location"), "evil.example", path)
		for _, c := range a.Cookies() {
			require.Empty(t, c.Domain)
		}
	}
}

func TestForwardedAddressesOfAListedProxyCountFromTheRight(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Trusted = []string{"127.0.0.0/8", "10.0.0.0/8"} }})
	for forwarded, want := range map[string]string{
		"198.51.100.7":                        "198.51.100.7",
		"203.0.113.9, 198.51.100.7":           "198.51.100.7", // what the client made up stays on the left
		"203.0.113.9, 198.51.100.8, 10.1.2.3": "198.51.100.8",
		"203.0.113.9, not an address":         "127.0.0.1",
		"":                                    "127.0.0.1",
	} {
		a := s.Browser().Get("/help", "X-Forwarded-For", forwarded)
		line := s.Log.String()
		line = line[strings.Index(line, a.Header.Get("X-Request-Id")):]
		require.Contains(t, line[:strings.Index(line, "\n")], `"address":"`+want+`"`, forwarded)
	}
}
