package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
	"countersign/people"
)

func TestALoginTakesANewSessionAndEndsTheOldOne(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	attacker := s.SignIn("ben")
	planted := attacker.SessionCookie()
	site, err := url.Parse(s.URL)
	require.NoError(t, err)

	victim := s.Browser()
	victim.Jar.SetCookies(site, []*http.Cookie{{Name: planted.Name, Value: planted.Value, Path: "/", Secure: true}})
	victim.SignIn("ada")
	require.NotEqual(t, planted.Value, victim.SessionCookie().Value)
	require.Contains(t, victim.Get("/account").Body, "Ada Example")
	require.Equal(t, http.StatusSeeOther, attacker.Get("/account").StatusCode, "the cookie that was planted is dead")

	made := s.Browser() // a value nobody gave out is not taken over
	made.Jar.SetCookies(site, []*http.Cookie{{Name: planted.Name, Value: "bWFkZS11cA==", Path: "/", Secure: true}})
	made.SignIn("cleo")
	require.NotEqual(t, "bWFkZS11cA==", made.SessionCookie().Value)
}

func TestSessionCookiesAreForThisHostAndNoScript(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	b := s.Browser()
	answers := []*handlerstest.Answer{b.Get("/login"), b.SignIn("ada")}
	seen := 0
	for _, a := range answers {
		for _, c := range a.Cookies() {
			seen++
			require.True(t, strings.HasPrefix(c.Name, "__Host-"), c.Name)
			require.True(t, c.Secure && c.HttpOnly)
			require.Equal(t, http.SameSiteLaxMode, c.SameSite)
			require.Equal(t, "/", c.Path)
			require.Empty(t, c.Domain)
			require.Less(t, len(c.String()), 4096)
		}
	}
	require.GreaterOrEqual(t, seen, 2)
}

func TestALoginComesBackToThisSiteOnly(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	b := s.SignIn("ada") // the provider knows the browser from now on
	comesTo := func(returnTo string) string {
		a := b.Get("/login?return_to=" + url.QueryEscape(returnTo))
		for {
			require.Equal(t, 3, a.StatusCode/100, a.Body)
			to, err := a.Location()
			require.NoError(t, err)
			if a.Request.URL.Path == "/auth/callback" {
				return a.Header.Get("Location")
			}
			a = b.Get(to.String())
		}
	}
	require.Equal(t, "/documents?q=a", comesTo("/documents?q=a"))
	for _, evil := range []string{"//evil.example", "https:evil.example", "https://evil.example", `/\evil.example`, "/%2f%2fevil.example", "%2f%2fevil.example",
		"/%5cevil.example", "javascript:alert(1)", "/" + strings.Repeat("a", 2000), "/\r\nSet-Cookie: a=b", "/%0d%0aSet-Cookie:a=b", "/\t/evil.example", "evil.example",
		"/login", "/logout", "/auth/callback?x"} {
		require.Equal(t, "/", comesTo(evil), "%q", evil)
	}
}

// begun is a login up to the provider's answer: the address the browser is sent to.
func begun(t *testing.T, b *handlerstest.Browser, change func(u *url.URL)) string {
	t.Helper()
	a := b.Get("/login")
	to, err := url.Parse(a.Header.Get("Location"))
	require.NoError(t, err)
	if change != nil {
		change(to)
	}
	a = b.Get(to.String())
	for a.StatusCode/100 == 3 && !strings.HasPrefix(a.Header.Get("Location"), b.Site.URL) {
		next, err := a.Location()
		require.NoError(t, err)
		a = b.Get(next.String())
	}
	require.Equal(t, 3, a.StatusCode/100, "the provider knows this browser: %s", a.Body)
	return a.Header.Get("Location")
}

func TestALoginBelongsToTheBrowserThatBeganIt(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	const exchange = "/oauth/token"
	signedOut := func(b *handlerstest.Browser) { // here only: the provider remembers
		site, _ := url.Parse(s.URL)
		b.Jar.SetCookies(site, []*http.Cookie{{Name: b.SessionCookie().Name, Path: "/", Secure: true, MaxAge: -1}})
	}
	ada := s.SignIn("ada")
	signedOut(ada)
	exchanged := s.ProviderHits(exchange)
	require.Equal(t, 1, exchanged)
	refuses := func(b *handlerstest.Browser, callback string) {
		t.Helper()
		before := s.Snapshot()
		a := b.Get(callback)
		require.GreaterOrEqual(t, a.StatusCode, 400)
		require.Less(t, a.StatusCode, 500)
		require.Contains(t, a.Body, "Signing in did not work")
		require.Equal(t, http.StatusSeeOther, b.Get("/account").StatusCode)
		require.Equal(t, exchanged, s.ProviderHits(exchange), "the code was redeemed")
		require.Equal(t, before, s.Snapshot())
	}
	stolen := begun(t, ada, nil)
	refuses(s.Browser(), stolen)                                       // another browser
	refuses(ada, "/auth/callback")                                     // nothing in it
	refuses(ada, strings.Replace(stolen, "state=", "other=", 1))       // no state
	refuses(ada, strings.Replace(stolen, "state=", "state=x", 1))      // another state
	refuses(ada, s.URL+"/auth/callback?code="+strings.Repeat("a", 10)) // no state either

	late := begun(t, ada, nil)
	s.Clock.Pass(10*time.Minute + time.Second)
	refuses(ada, late)

	good := begun(t, ada, nil)
	site, _ := url.Parse(s.URL)
	before := ada.Jar.Cookies(site)
	require.Equal(t, http.StatusSeeOther, ada.Get(good).StatusCode)
	exchanged++
	require.Equal(t, exchanged, s.ProviderHits(exchange))
	signedOut(ada)
	refuses(ada, good)               // replayed
	ada.Jar.SetCookies(site, before) // and with the cookie of the attempt put back
	a := ada.Get(good)
	require.Equal(t, 422, a.StatusCode, a.Body)
	require.Equal(t, exchanged, s.ProviderHits(exchange))
}

func TestATokenForAnotherLoginIsRefused(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	b := s.SignIn("ada")
	require.Equal(t, http.StatusSeeOther, b.Post("/logout").StatusCode) // the provider is not told: nothing is followed
	refuses := func(callback string) {
		t.Helper()
		a := b.Get(callback)
		require.GreaterOrEqual(t, a.StatusCode, 400)
		require.Contains(t, a.Body, "Signing in did not work")
		require.Equal(t, http.StatusSeeOther, b.Get("/account").StatusCode)
	}
	refuses(begun(t, b, func(u *url.URL) { // another nonce in the token
		q := u.Query()
		require.NotEmpty(t, q.Get("nonce"))
		q.Set("nonce", "made-up")
		u.RawQuery = q.Encode()
	}))
	refuses(begun(t, b, func(u *url.URL) { // none at all
		q := u.Query()
		q.Del("nonce")
		u.RawQuery = q.Encode()
	}))
	first, err := url.Parse(begun(t, b, nil)) // the code of one login in the answer to another
	require.NoError(t, err)
	second, err := url.Parse(begun(t, b, nil))
	require.NoError(t, err)
	q := second.Query()
	q.Set("code", first.Query().Get("code"))
	second.RawQuery = q.Encode()
	refuses(second.String())
	require.NotContains(t, s.Log.String(), first.Query().Get("code"))
}

func TestWhoeverIsSwitchedOffIsOutWithTheNextRequest(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	admin := people.Actor{Person: w.cleo.Person().ID, Roles: []people.Role{people.Admin}}
	require.NoError(t, w.Auth.SetDisabled(context.Background(), admin, w.ada.Person().ID, true))
	calls := len(w.Sim.Calls())
	require.Equal(t, http.StatusSeeOther, w.ada.Get("/documents").StatusCode)
	require.Equal(t, http.StatusUnauthorized, w.ada.Post("/ceremonies/"+string(w.ceremony)+"/code").StatusCode)
	require.Equal(t, http.StatusUnauthorized, w.ada.Put("a.pdf", handlerstest.PDF()).StatusCode)
	require.Len(t, w.Sim.Calls(), calls)
}

func TestARoleThatWasTakenIsGoneWithTheNextRequest(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	require.Equal(t, http.StatusOK, w.cleo.Get("/review").StatusCode)
	w.IDP.SetRoles("cleo", "auditor")
	w.SignIn("cleo") // in another browser: the roles of the login count for the person
	require.Equal(t, http.StatusForbidden, w.cleo.Get("/review").StatusCode)
	require.Equal(t, http.StatusForbidden, w.cleo.Post("/review/"+string(w.check)+"/approve").StatusCode)
	require.Equal(t, http.StatusOK, w.cleo.Get("/audit").StatusCode)
}

func TestACookieIsWorthNothingAfterSignOut(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	kept := w.ada.SessionCookie()
	a := w.ada.Post("/logout")
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	require.Equal(t, http.StatusOK, w.ada.Follow(a).StatusCode)

	thief := w.Browser()
	with := "Cookie"
	for _, path := range []string{"/account", "/documents", "/documents/" + string(w.signed) + "/download"} {
		require.Equal(t, http.StatusSeeOther, thief.Get(path, with, kept.Name+"="+kept.Value).StatusCode, path)
	}
	require.Equal(t, http.StatusUnauthorized, thief.Get("/live", with, kept.Name+"="+kept.Value).StatusCode)
	home := thief.Get("/", with, kept.Name+"="+kept.Value)
	require.NotContains(t, home.Body, "Ada")
}

func TestASpoiltCookieIsNobody(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	good := s.SignIn("ada").SessionCookie()
	nobody := s.Browser()
	is := func(cookies string) *handlerstest.Answer {
		t.Helper()
		a := nobody.Get("/account", "Cookie", cookies)
		require.Less(t, a.StatusCode, 500)
		return a
	}
	require.Equal(t, http.StatusOK, is(good.Name+"="+good.Value).StatusCode)
	for i := range len(good.Value) {
		spoilt := []byte(good.Value)
		if spoilt[i] = 'A'; good.Value[i] == 'A' {
			spoilt[i] = 'B'
		}
		require.Equal(t, http.StatusSeeOther, is(good.Name+"="+string(spoilt)).StatusCode, "character %d", i)
	}
	many := strings.Repeat("a=b; ", 200)
	require.Equal(t, http.StatusOK, is(many+good.Name+"="+good.Value).StatusCode, "others do not harm it")
	for name, cookies := range map[string]string{
		"8 KB":        good.Name + "=" + strings.Repeat("A", 8<<10),
		"200 of it":   strings.Repeat(good.Name+"="+good.Value+"; ", 100) + strings.Repeat(good.Name+"=x; ", 100),
		"two":         good.Name + "=" + good.Value + "; " + good.Name + "=" + good.Value,
		"empty":       good.Name + "=",
		"short":       good.Name + "=" + good.Value[:20],
		"plain name":  strings.TrimPrefix(good.Name, "__Host-") + "=" + good.Value,
		"no equals":   good.Name,
		"binary":      good.Name + "=\x80\xff",
		"of a login":  strings.Replace(good.Name, "-session", "-login-0123456789", 1) + "=" + good.Value,
		"in the name": good.Value + "=" + good.Name,
	} {
		require.Equal(t, http.StatusSeeOther, is(cookies).StatusCode, name)
	}
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, statusOnly(t, nobody, "Cookie", "a="+strings.Repeat("A", 64<<10)))
}

// statusOnly is for answers that net/http gives before the site is asked.
func statusOnly(t *testing.T, b *handlerstest.Browser, headers ...string) int {
	t.Helper()
	return status(t, b, b.Request("GET", "/account", nil, headers...))
}
