package handlers_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers"
	"countersign/handlers/handlerstest"
)

// gauge remembers what it was told.
type gauge struct {
	mu     sync.Mutex
	open   int
	served []handlers.Served
}

func (g *gauge) Begin() { g.mu.Lock(); g.open++; g.mu.Unlock() }
func (g *gauge) End(s handlers.Served) {
	g.mu.Lock()
	g.open--
	g.served = append(g.served, s)
	g.mu.Unlock()
}

// take answers what was told since the last time, when it is as much as was waited for.
func (g *gauge) take(t *testing.T, n int) (served []handlers.Served) {
	t.Helper()
	require.Eventually(t, func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.served) >= n }, 5*time.Second, time.Millisecond)
	g.mu.Lock()
	defer g.mu.Unlock()
	served, g.served = g.served, nil
	return served
}

func metered(t *testing.T, o handlerstest.Options) (*handlerstest.Site, *gauge) {
	g := &gauge{}
	change := o.Handlers
	o.Handlers = func(c *handlers.Config) {
		c.Meter = g
		if change != nil {
			change(c)
		}
	}
	return handlerstest.New(t, o), g
}

func TestARequestIsCountedByItsPatternNeverByItsPath(t *testing.T) {
	s, g := metered(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	document := ada.Upload("Contract of Ada.pdf", handlerstest.PDF())
	g.take(t, 1)
	for _, c := range []struct {
		method, path, route, as string
		status                  int
	}{
		{"GET", "/documents/" + string(document), "/documents/{id}", "GET", 200},
		{"HEAD", "/documents/" + string(document), "/documents/{id}", "HEAD", 200},
		{"GET", "/documents/another-id", "/documents/{id}", "GET", 404},
		{"GET", "/documents?filter=canary", "/documents", "GET", 200},
		{"GET", "/", "/{$}", "GET", 200},
		{"GET", "/nothing/canary", "other", "GET", 404},
		{"GET", "/static/canary.js", "/static/", "GET", 404},
		{"DELETE", "/documents", "other", "DELETE", 405},
		{"BREW", "/documents", "other", "other", 405},
		{"GET", "//documents//canary", "other", "GET", 0}, // the mux sends it to the clean path
	} {
		a, err := ada.Client.Do(ada.Request(c.method, s.URL+c.path, nil))
		require.NoError(t, err)
		require.NoError(t, a.Body.Close())
		told := g.take(t, 1)
		require.Len(t, told, 1, c.path)
		if c.status != 0 {
			require.Equal(t, c.route, told[0].Route, c.path)
			require.Equal(t, c.status, told[0].Status, c.path)
		}
		require.Equal(t, c.as, told[0].Method, c.path)
		require.NotContains(t, told[0].Route, "canary")
		require.Positive(t, told[0].Took)
		require.False(t, told[0].Stream)
	}
}

// Anybody could fill the memory with labels that are paths or methods of their own.
func TestNoVisitorCanMakeUpARoute(t *testing.T) {
	s, g := metered(t, handlerstest.Options{})
	routes := []string{"other", "/static/"}
	for _, r := range s.App.Routes() {
		routes = append(routes, r.Path)
	}
	methods := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
	n := 0
	for _, method := range []string{"GET", "POST", "CONNECT", "OPTIONS", "TRACE", "PROPFIND", "Get"} {
		for _, path := range []string{"/documents/../canary-1", "//canary-2", "/canary-3/", "/./documents", "/gallery", "/static", "/documents/%2e%2e/canary", "/verify/"} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
			require.NoError(t, err)
			w := &bare{header: http.Header{}}
			s.Server.Config.Handler.ServeHTTP(w, r)
			n++
		}
	}
	for _, told := range g.take(t, n) {
		require.Contains(t, routes, told.Route)
		require.Contains(t, methods, told.Method)
	}
}

// bare takes an answer without a connection: clients do not send every method.
type bare struct{ header http.Header }

func (b *bare) Header() http.Header         { return b.header }
func (b *bare) Write(p []byte) (int, error) { return len(p), nil }
func (b *bare) WriteHeader(int)             {}

// ill panics where it is asked how things are.
type ill struct{}

func (ill) Problems(context.Context) map[string]string { panic("canary of a panic") }
func (ill) Warnings(context.Context) map[string]string { return nil }

func TestARequestThatPanicsIsCountedAndLogged(t *testing.T) {
	s, g := metered(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Health = ill{} }})
	a := s.Browser().Get("/readyz")
	require.Equal(t, 500, a.StatusCode)
	require.NotContains(t, a.Body, "canary")
	told := g.take(t, 1)
	require.Len(t, told, 1)
	require.Equal(t, 500, told[0].Status)
	require.Equal(t, "/readyz", told[0].Route)
	require.Zero(t, g.open)
	require.Contains(t, s.Log.String(), `"route":"/readyz","path":"/readyz","status":500`)
	require.Contains(t, s.Log.String(), "handlers_test.ill.Problems", "the log has the stack of the panic")
	require.NotContains(t, s.Log.String(), "canary of a panic", "and not what it panicked with")
}

func TestAnOpenStreamIsInFlightAndNotTimed(t *testing.T) {
	s, g := metered(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	g.take(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	a, err := ada.Client.Do(ada.Request("GET", "/live", nil, "Accept", "text/event-stream").WithContext(ctx))
	require.NoError(t, err)
	defer a.Body.Close()
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	require.Equal(t, 1, open)
	cancel()
	told := g.take(t, 1)
	i := slices.IndexFunc(told, func(s handlers.Served) bool { return s.Route == "/live" })
	require.GreaterOrEqual(t, i, 0)
	require.True(t, told[i].Stream)
	require.Zero(t, g.open)
}

func TestALogLineHasTheRouteAndNoQuery(t *testing.T) {
	s, g := metered(t, handlerstest.Options{})
	visitor, ada := s.Browser(), s.SignIn("ada")
	g.take(t, 1)
	paths := []string{"/?code=canary-a", "/auth/callback?code=canary-b&state=canary-c", "/documents?filter=canary-d", "/login?return_to=%2Fcanary-e",
		"/nothing?q=canary-f", "/verify?canary-g", "/audit?person=canary-h", "/ceremonies/none/code?otp=canary-i", "/signed-out?state=canary-j"}
	for _, path := range paths {
		visitor.Get(path)
		ada.Get(path)
		ada.Post(path, "otp", "canary-k")
	}
	g.take(t, 3*len(paths))
	log := s.Log.String()
	require.NotContains(t, log, "canary")
	lines := 0
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		var told map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &told), line)
		if told["msg"] == "request" {
			lines++
			require.NotContains(t, told["path"], "?")
			require.NotEmpty(t, told["route"], line)
			require.NotContains(t, told["route"], "?")
		}
	}
	require.GreaterOrEqual(t, lines, 3*len(paths))
}

// late has work that waits.
type late struct{ problems map[string]string }

func (l *late) Problems(context.Context) map[string]string { return l.problems }
func (*late) Warnings(context.Context) map[string]string {
	return map[string]string{"mail": "mails given up: 2"}
}

func TestWorkThatWaitsIsAWarningAndNotUnreadiness(t *testing.T) {
	l := &late{}
	s, _ := metered(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Health = l }})
	a := s.Browser().Get("/readyz")
	require.Equal(t, 200, a.StatusCode)
	require.JSONEq(t, `{"ready":true,"problems":null,"warnings":{"mail":"mails given up: 2"}}`, a.Body)
	l.problems = map[string]string{"database": "does not answer"}
	a = s.Browser().Get("/readyz")
	require.Equal(t, 503, a.StatusCode)
	require.JSONEq(t, `{"ready":false,"problems":{"database":"does not answer"},"warnings":{}}`, a.Body)
}
