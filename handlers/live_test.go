package handlers_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
	"countersign/people"
)

// stream is an open page's.
type stream struct {
	t      *testing.T
	events chan event
	ended  chan struct{}
}

type event struct{ name, data string }

// listen opens an event stream and reads it until it ends.
func listen(t *testing.T, b *handlerstest.Browser, path string) *stream {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	answer, err := b.Client.Do(b.Request("GET", path, nil, "Accept", "text/event-stream").WithContext(ctx))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, path)
	s := &stream{t, make(chan event, 100), make(chan struct{})}
	go func() {
		defer close(s.ended)
		defer answer.Body.Close()
		in := bufio.NewReader(answer.Body)
		var e event
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			switch line = strings.TrimSuffix(line, "\n"); {
			case line == "":
				if e != (event{}) {
					s.events <- e
				}
				e = event{}
			case strings.HasPrefix(line, "data: "):
				e.data += line[len("data: "):] + "\n"
			case strings.HasPrefix(line, "event: "):
				e.name = line[len("event: "):]
			}
		}
	}()
	return s
}

// next event, which must come much sooner than the stream looks by itself.
func (s *stream) next() event {
	s.t.Helper()
	select {
	case e := <-s.events:
		return e
	case <-time.After(3 * time.Second):
		s.t.Fatal("no event came")
	case <-s.ended:
		select {
		case e := <-s.events:
			return e
		default:
			s.t.Fatal("the stream ended")
		}
	}
	return event{}
}

func (s *stream) ends() {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(3 * time.Second):
		s.t.Fatal("the stream did not end")
	}
}

func TestAnOpenPageIsToldOfAChange(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	other := w.SignIn("ada") // as in another tab
	ceremony := listen(t, other, "/ceremonies/"+string(w.ceremony)+"/live")
	elsewhere := listen(t, other, w.Replica()+"/ceremonies/"+string(w.ceremony)+"/live")
	document := listen(t, other, "/documents/"+string(w.document)+"/live")
	desk := listen(t, w.cleo, "/review/live")
	home := listen(t, other, "/live")
	first := ceremony.next()
	require.Empty(t, first.name)
	require.NotContains(t, first.data, "<html")
	for _, s := range []*stream{elsewhere, document, desk, home} {
		s.next()
	}

	code := w.ada.Code(w.ceremony)
	second := ceremony.next()
	for !strings.Contains(second.data, `name="otp"`) { // what is checked while the person reads comes before
		require.NotEqual(t, first.data, second.data)
		second = ceremony.next()
	}
	require.Equal(t, 303, w.ada.Approve(w.ceremony, code).StatusCode)
	for last := ceremony.next(); ; last = ceremony.next() {
		require.Empty(t, handlerstest.Inline(last.data))
		if last.name != "" {
			require.Equal(t, closeName(t), last.name, "the name that the page waits for")
			break
		}
	}
	ceremony.ends()
	for last := elsewhere.next(); last.name != closeName(t); last = elsewhere.next() {
	}
	elsewhere.ends()
	require.Contains(t, document.next().data, "<")
	require.Contains(t, home.next().data, "<")

	w.ben.WaitingCheck("basic")
	for !strings.Contains(desk.next().data, "Ben") {
	}
}

// closeName is the event by which the layout says that a stream is over.
func closeName(t *testing.T) string {
	t.Helper()
	layout, err := os.ReadFile("../web/templates/layout.templ")
	require.NoError(t, err)
	m := regexp.MustCompile(`hx-sse:close="(\w+)"`).FindSubmatch(layout)
	require.NotNil(t, m)
	return string(m[1])
}

func TestAnOpenStreamKeepsNoSessionAlive(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada, idle := s.SignIn("ada"), s.SignIn("ada")
	seen := func() (n int64) {
		require.NoError(t, s.DB.Read.Get(&n, "SELECT max(seen_at) FROM sessions"))
		return n
	}
	before := seen()
	for range 4 {
		s.Clock.Pass(3 * time.Minute)
		listen(t, idle, "/live").next()
		require.Equal(t, before, seen())
	}
	open := listen(t, idle, "/live")
	open.next()
	require.Equal(t, http.StatusOK, ada.Get("/account").StatusCode)
	require.Greater(t, seen(), before, "reading a page is activity")
	s.Clock.Pass(3*time.Minute + time.Second)
	require.NoError(t, s.DB.Announce(t.Context(), "person:"+string(ada.Person().ID)))
	require.Equal(t, http.StatusUnauthorized, idle.Get("/live").StatusCode)
	require.Equal(t, http.StatusOK, ada.Get("/account").StatusCode)
	open.ends()
}

// A page whose stream does not come through asks again for itself, as a script or as a
// page without one does.
func TestAPageThatAsksByItselfKeepsNoSessionAlive(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	b := s.SignIn("ada")
	check := "/identity-checks/" + string(b.StartedCheck("basic"))
	seen := func() (n int64) {
		require.NoError(t, s.DB.Read.Get(&n, "SELECT max(seen_at) FROM sessions"))
		return n
	}
	layout, err := os.ReadFile("../web/templates/layout.templ")
	require.NoError(t, err)
	again := regexp.MustCompile(`http-equiv="refresh" content="10; url=([^"]+)"`).FindSubmatch(layout)
	require.NotNil(t, again)
	script, err := os.ReadFile("../web/assets/ts/live.ts")
	require.NoError(t, err)
	header := regexp.MustCompile(`headers: \{ "([\w-]+)": "1" \}`).FindSubmatch(script)
	require.NotNil(t, header)
	asks := map[string]func(path string) *handlerstest.Answer{
		"script":    func(path string) *handlerstest.Answer { return b.Get(path, string(header[1]), "1") },
		"no script": func(path string) *handlerstest.Answer { return b.Get(path + string(again[1])) },
	}

	before := seen()
	for range 4 {
		s.Clock.Pass(3 * time.Minute)
		for way, ask := range asks {
			a := ask(check)
			require.Equal(t, http.StatusOK, a.StatusCode, way)
			require.Contains(t, a.Body, `id="live"`)
			require.Equal(t, before, seen(), way)
		}
	}
	// What changes something is a person's doing, whatever it says of itself.
	a := b.Do("POST", "/account?by=itself", strings.NewReader("language=en"), "Content-Type", "application/x-www-form-urlencoded", string(header[1]), "1")
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	require.Greater(t, seen(), before)

	s.Clock.Pass(15*time.Minute + time.Second)
	for way, ask := range asks {
		for _, path := range []string{check, "/"} {
			a := ask(path)
			require.Equal(t, http.StatusUnauthorized, a.StatusCode, "%s: the page is told, and not led to the provider, which might sign in unasked", way)
			require.Contains(t, a.Body, "Your session has ended")
			require.Contains(t, a.Body, `href="/login?return_to=`+url.QueryEscape(path)+`"`, way)
			require.NotContains(t, a.Body, `id="live"`)
			require.NotContains(t, a.Body, "http-equiv=\"refresh\"")
		}
	}
	require.Equal(t, "/login?return_to="+url.QueryEscape(check), b.Get(check).Header.Get("Location"))
}

func TestAnOpenStreamEndsWithItsSession(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	out := listen(t, w.ada, "/live")
	out.next()
	require.Equal(t, 303, w.ada.Post("/logout").StatusCode)
	out.ends()

	ben := listen(t, w.ben, "/credentials/live")
	ben.next()
	admin := people.Actor{Person: w.cleo.Person().ID, Roles: []people.Role{people.Admin}}
	require.NoError(t, w.Auth.SetDisabled(t.Context(), admin, w.ben.Person().ID, true))
	ben.ends()
}

func TestOpenStreamsEndWhenTheSiteDrains(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	streams := []*stream{listen(t, w.ada, "/live"), listen(t, w.ada, "/documents/"+string(w.document)+"/live"), listen(t, w.cleo, "/review/live")}
	for _, s := range streams {
		s.next()
	}
	w.Stop()
	for _, s := range streams {
		s.ends()
	}
	shutdown, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, w.Server.Config.Shutdown(shutdown))
}

func TestAStreamOfNothingIsRefusedAtOnce(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	for _, path := range []string{"/documents/none/live", "/ceremonies/none/live", "/credentials/none/live", "/identity-checks/none/live"} {
		answer, err := w.ada.Client.Do(w.ada.Request("GET", path, nil))
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusNotFound, answer.StatusCode, path)
		require.Contains(t, answer.Header.Get("Content-Type"), "text/html", path)
		require.NotEmpty(t, body)
	}
}
