package auth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/auth"
	"countersign/idpsim"
	"countersign/people"
)

func TestPersonSignsInAndOutHereAndAtTheProvider(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	require.Equal(t, "nobody", b.who())
	require.Equal(t, "Ada Example signer", b.signIn("ada"))

	p := s.person("ada")
	require.Equal(t, s.op.URL, p.Issuer)
	require.Equal(t, "ada@example.test", p.Email)
	require.Equal(t, "+15550100101", p.Phone)
	require.Equal(t, []people.Role{people.Signer}, p.Roles)
	require.Len(t, b.cookies(), 1, "the attempt's cookie is gone")

	_, page := b.get(s.op.URL + "/")
	require.Contains(t, page, "Ada Example is signed in")
	_, body, at := b.logout()
	require.Equal(t, "signed out", body)
	require.Equal(t, "/signed-out", at.Path)
	require.True(t, at.Query().Has("state"), "it came back from the provider")
	require.Equal(t, "nobody", b.who())
	_, page = b.get(s.op.URL + "/")
	require.Contains(t, page, "Nobody is signed in")
	_, page = b.get("/login")
	require.Contains(t, page, "Sign in as Ada Example", "the provider asks again")
	require.Equal(t, []string{"session.end done signed_out", "session.begin done "}, s.audited())
}

func TestProviderRemembersTheBrowser(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ben")
	_, body := b.get("/login?return_to=/who%3Fagain")
	require.Equal(t, "Ben Example signer", body, "signed in again without a question")
}

func TestCookieIsLockedDown(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	_, page := b.get("/login")
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	m := hidden.FindStringSubmatch(page)
	resp, err := b.PostForm(s.op.URL+"/login", url.Values{"id": {m[1]}, "subject": {"ada"}})
	require.NoError(t, err)
	resp.Body.Close()
	var set []*http.Cookie
	for _, c := range resp.Cookies() {
		if c.MaxAge >= 0 {
			set = append(set, c)
		}
	}
	require.Len(t, set, 1)
	c := set[0]
	require.Equal(t, "__Host-countersign-t-session", c.Name)
	require.True(t, c.Secure && c.HttpOnly && c.Path == "/" && c.Domain == "" && c.SameSite == http.SameSiteLaxMode && c.MaxAge == 0, "%v", c)
	require.Less(t, len(c.Value), 400)
}

func TestPlainHTTPHasNoHostPrefix(t *testing.T) {
	s := newSite(t, func(c *auth.Config, _ *idpsim.Options) { c.Secure = false })
	resp, _ := s.raw("GET", "/login")
	require.Len(t, resp.Cookies(), 1)
	require.True(t, strings.HasPrefix(resp.Cookies()[0].Name, "countersign-t-login-"))
	require.False(t, resp.Cookies()[0].Secure)
}

func TestLoginGivesANewSessionAndEndsTheOld(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	old := b.sessionCookie()
	b.get("/login")
	fresh := b.sessionCookie()
	require.NotEqual(t, old.Value, fresh.Value)
	_, body := s.raw("GET", "/who", old)
	require.Equal(t, "nobody", body)
	_, body = s.raw("GET", "/who", fresh)
	require.Equal(t, "Ada Example signer", body)

	// A cookie planted before the login names no session and is not taken over.
	planted := &http.Cookie{Name: old.Name, Value: old.Value}
	_, body = s.raw("GET", "/who", planted)
	require.Equal(t, "nobody", body)
}

func TestReturnToStaysHere(t *testing.T) {
	for _, bad := range []string{
		"", "//evil", "https:evil", "https://evil", "/\\evil", "\\/evil", "%2f%2fevil", "/%2fevil", "/%2f%2fevil", "/%252fevil", "/%5cevil", "/.//evil",
		"javascript:alert(1)", "/" + strings.Repeat("a", 2000), "/a\r\nSet-Cookie: x=y", "/a%0d%0aSet-Cookie:x", "/\tevil", "///evil", "evil", "/login", "/auth/callback?code=1",
		"/logout", "/ä", "/a b", "/%zz",
	} {
		require.Equal(t, "/", auth.ReturnTo(bad), "%q", bad)
	}
	for in, want := range map[string]string{
		"/": "/", "/documents/1": "/documents/1", "/documents?after=1_a&filter=ready": "/documents?after=1_a&filter=ready",
		"/documents#top": "/documents", "/audit?to=https://example.org": "/audit?to=https://example.org", "/loginhelp": "/loginhelp",
	} {
		require.Equal(t, want, auth.ReturnTo(in))
	}
}

// callback begins a login in b and answers the callback address the provider would send it to.
func callback(s *site, b *browser, subject string) string {
	s.t.Helper()
	_, page := b.get("/login?return_to=/who")
	var address string
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/auth/callback" {
			address = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.choose2(page, subject)
	b.CheckRedirect = nil
	require.NotEmpty(s.t, address)
	return address
}

func (b *browser) choose2(page, subject string) {
	m := hidden.FindStringSubmatch(page)
	require.NotNil(b.s.t, m)
	resp, err := b.PostForm(b.s.op.URL+"/login", url.Values{"id": {m[1]}, "subject": {subject}})
	require.NoError(b.s.t, err)
	resp.Body.Close()
}

func TestCallbackBelongsToTheBrowserThatBegan(t *testing.T) {
	s := newSite(t, nil)
	mine, victim := s.browser(), s.browser()
	address := callback(s, mine, "ada")

	status, _ := victim.get(address) // the attacker's code in the victim's browser
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "attempt_unknown", s.lastError().Code)
	require.Equal(t, auth.KindInvalid, s.lastError().Kind)
	require.Equal(t, "nobody", victim.who())

	victim.get("/login") // also when the victim has begun a login of their own
	status, _ = victim.get(address)
	require.Equal(t, http.StatusForbidden, status)
	for _, bad := range []string{"/auth/callback", "/auth/callback?code=x", "/auth/callback?state=x", "/auth/callback?" + strings.Repeat("a", 9000)} {
		status, _ = victim.get(bad)
		require.Equal(t, http.StatusForbidden, status, bad)
	}
	require.Zero(t, s.hits("/oauth/token"), "no code was redeemed")

	status, body := mine.get(address)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "Ada Example signer", body)
}

func TestCallbackWorksOnce(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	address := callback(s, b, "ada")
	kept := b.cookies()
	status, _ := b.get(address)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, 1, s.hits("/oauth/token"))

	status, _ = b.get(address) // the cookie is gone
	require.Equal(t, http.StatusForbidden, status)
	resp, _ := s.raw("GET", address, kept...) // a thief who kept the cookie
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Equal(t, "attempt_used", s.lastError().Code)
	require.Equal(t, 1, s.hits("/oauth/token"), "the code was not redeemed again")
	require.Equal(t, []string{"session.begin done "}, s.audited(), "what nobody tries is counted, and is no entry")
	refusals, err := s.db.Audit().Refusals(t.Context(), time.Time{})
	require.NoError(t, err)
	require.Contains(t, refusals, audit.Refusals{Kind: "session.begin attempt_used", Nobody: 1})
}

func TestCallbackRunsOut(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	address := callback(s, b, "ada")
	s.clock.move(10*time.Minute + time.Second)
	status, _ := b.get(address)
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "attempt_unknown", s.lastError().Code)
	require.Zero(t, s.hits("/oauth/token"))
}

func TestTabsSignInSideBySideAndAttemptsStayFew(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for range 7 {
		b.get("/login") // begun and left
		require.LessOrEqual(t, len(b.cookies()), 5, "four attempts and the session")
	}
	c := s.browser()
	one, two := callback(s, c, "ben"), callback2(s, c)
	status, _ := c.get(one)
	require.Equal(t, http.StatusOK, status)
	status, _ = c.get(two)
	require.Equal(t, http.StatusOK, status)
}

// callback2 is callback in a browser the provider knows already.
func callback2(s *site, b *browser) string {
	s.t.Helper()
	var address string
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/auth/callback" {
			address = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}
	b.get("/login?return_to=/who")
	b.CheckRedirect = nil
	require.NotEmpty(s.t, address)
	return address
}

func TestIssuerParameterIsChecked(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	status, _ := b.get(callback(s, b, "ada") + "&iss=https%3A%2F%2Fevil.example")
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "issuer_wrong", s.lastError().Code)
	require.Zero(t, s.hits("/oauth/token"))
	status, _ = b.get(callback2(s, b) + "&iss=" + url.QueryEscape(s.op.URL))
	require.Equal(t, http.StatusOK, status)
}

func TestRefusalOfTheProviderIsTold(t *testing.T) {
	s := newSite(t, nil)
	for answer, code := range map[string]string{"access_denied": "cancelled", "server_error": "provider_refused"} {
		b := s.browser()
		u, err := url.Parse(callback(s, b, "ada"))
		require.NoError(t, err)
		status, body := b.get("/auth/callback?state=" + u.Query().Get("state") + "&error=" + answer + "&error_description=%3Cscript%3E")
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, code, s.lastError().Code)
		require.NotContains(t, body, "script")
	}
}

func TestProviderMayComeUpLater(t *testing.T) {
	s := newSite(t, nil)
	s.op.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	b := s.browser()
	require.Equal(t, "nobody", b.who(), "pages work")
	status, _ := b.get("/login")
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "provider_away", s.lastError().Code)
	require.Equal(t, auth.KindRemote, s.lastError().Kind)
	s.op.Config.Handler = s.idp.Handler()
	s.clock.move(2 * time.Second)
	require.Equal(t, "Ada Example signer", b.signIn("ada"))
}

func TestRolesFollowTheClaimAtEachLogin(t *testing.T) {
	s := newSite(t, func(c *auth.Config, o *idpsim.Options) {
		c.RoleClaim, o.RoleClaim = "realm_access.roles", "realm_access.roles"
		c.RoleMap = map[string]people.Role{"signer": people.Signer, "chief": people.Admin, "auditor": people.Auditor}
	})
	b := s.browser()
	require.Equal(t, "Ada Example signer", b.signIn("ada"))
	s.idp.SetRoles("ada", "chief", "admin", "unknown")
	require.Equal(t, "Ada Example signer", b.who(), "until the next login")
	b.get("/login")
	require.Equal(t, "Ada Example admin", b.who(), "only mapped values count")
	s.idp.SetRoles("ada")
	b.get("/login")
	require.Equal(t, "Ada Example", b.who())
}

func TestClaimsMayComeFromUserinfo(t *testing.T) {
	s := newSite(t, func(_ *auth.Config, o *idpsim.Options) { o.Userinfo = true })
	require.Equal(t, "Cleo Example admin", s.browser().signIn("cleo"))
	require.Equal(t, 1, s.hits("/userinfo"))
}

func TestSameAddressIsNotTheSamePerson(t *testing.T) {
	s := newSite(t, nil)
	cleo, ada := s.browser(), s.browser()
	cleo.signIn("cleo")
	s.idp.SetEmail("ada", "cleo@example.test")
	require.Equal(t, "Ada Example signer", ada.signIn("ada"))
	require.NotEqual(t, s.person("ada").ID, s.person("cleo").ID)
	require.Equal(t, s.person("ada").Email, s.person("cleo").Email)

	// Nor does an address that changes afterwards make another person of somebody, or give more.
	ben := s.browser()
	require.Equal(t, "Ben Example signer", ben.signIn("ben"))
	before := s.person("ben").ID
	s.idp.SetEmail("ben", "cleo@example.test")
	ben.get("/login")
	require.Equal(t, "Ben Example signer", ben.who())
	require.Equal(t, before, s.person("ben").ID)
	require.Equal(t, "cleo@example.test", s.person("ben").Email)
	require.Equal(t, []people.Role{people.Signer}, s.person("ben").Roles)
}

func TestRowsHoldNeitherTokenNorCookie(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	list, err := s.auth.List(context.Background(), people.Actor{Person: s.person("ada").ID})
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.NotEmpty(t, list[0].Hint)
	require.NotContains(t, string(list[0].Hint), "eyJ", "the ID token is sealed")
	require.Len(t, list[0].Hash, 32)
	var rows []map[string]any
	r, err := s.db.Read.Queryx("SELECT * FROM sessions")
	require.NoError(t, err)
	defer r.Close()
	for r.Next() {
		m := map[string]any{}
		require.NoError(t, r.MapScan(m))
		rows = append(rows, m)
	}
	require.Len(t, rows, 1)
	for column, v := range rows[0] {
		text, _ := v.(string)
		require.NotContains(t, text, "eyJ", column)
	}
}
