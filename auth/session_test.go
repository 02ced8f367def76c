package auth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/auth"
	"countersign/idpsim"
	"countersign/people"
)

func TestSignedOutCookieIsDead(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	c := b.sessionCookie()
	b.logout()
	_, body := s.raw("GET", "/who", c)
	require.Equal(t, "nobody", body)
}

func TestSessionEndsWhenIdleOrOld(t *testing.T) {
	s := newSite(t, nil)
	t.Run("idle", func(t *testing.T) {
		b := s.browser()
		b.signIn("ada")
		s.clock.move(14 * time.Minute)
		require.Equal(t, "Ada Example signer", b.who())
		s.clock.move(14 * time.Minute)
		require.Equal(t, "Ada Example signer", b.who(), "activity keeps it")
		s.clock.move(15*time.Minute + time.Second)
		require.Equal(t, "nobody", b.who())
		s.clock.move(-10 * time.Minute)
		require.Equal(t, "nobody", b.who(), "a clock put back revives nothing")
		require.Equal(t, "session.end done idle", s.audited()[0])
		s.clock.move(10 * time.Minute)
	})
	t.Run("absolute", func(t *testing.T) {
		b := s.browser()
		b.signIn("ben")
		for range 48 {
			s.clock.move(10 * time.Minute)
			b.who()
		}
		s.clock.move(time.Second)
		require.Equal(t, "nobody", b.who())
		require.Equal(t, "session.end done absolute", s.audited()[0])
	})
	t.Run("clock put back before anybody looks", func(t *testing.T) {
		b, other := s.browser(), s.browser()
		b.signIn("ada")
		s.clock.move(16 * time.Minute)
		other.signIn("ben") // time was seen to be later
		s.clock.move(-8 * time.Minute)
		require.Equal(t, "nobody", b.who())
	})
}

func TestStreamsAndPollsAreNoActivity(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	for range 3 {
		s.clock.move(4 * time.Minute)
		_, body := b.get("/poll")
		require.Equal(t, "Ada Example signer", body)
	}
	s.clock.move(3*time.Minute + time.Second)
	require.Equal(t, "nobody", b.who())
}

func TestActivityIsWrittenOnceAMinute(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	seen := func() time.Time {
		list, err := s.auth.List(context.Background(), people.Actor{Person: s.person("ada").ID})
		require.NoError(t, err)
		return list[0].SeenAt
	}
	first := seen()
	s.clock.move(50 * time.Second)
	b.who()
	require.Equal(t, first, seen())
	s.clock.move(11 * time.Second)
	b.who()
	require.Greater(t, seen(), first)
}

func TestTamperedCookieIsNobody(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	good := b.sessionCookie()
	serve := func(cookies ...*http.Cookie) (int, string) {
		r := httptest.NewRequest("GET", s.web.URL+"/who", nil)
		for _, c := range cookies {
			r.Header.Add("Cookie", c.Name+"="+c.Value) // as it is: AddCookie would clean it
		}
		w := httptest.NewRecorder()
		s.web.Config.Handler.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	_, body := serve(good)
	require.Equal(t, "Ada Example signer", body)
	for i := range len(good.Value) * 8 {
		v := []byte(good.Value)
		v[i/8] ^= 1 << (i % 8)
		status, body := serve(&http.Cookie{Name: good.Name, Value: string(v)})
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "nobody", body, "bit %d", i)
	}
	many := []*http.Cookie{good}
	for i := range 200 {
		many = append(many, &http.Cookie{Name: "c" + strings.Repeat("x", i), Value: "1"})
	}
	_, body = serve(many...)
	require.Equal(t, "Ada Example signer", body)
	for name, cookies := range map[string][]*http.Cookie{
		"two copies": {good, good},
		"8 KB":       {{Name: good.Name, Value: strings.Repeat("A", 8192)}},
		"empty":      {{Name: good.Name}},
		"shorter":    {{Name: good.Name, Value: good.Value[:len(good.Value)-4]}},
		"another's":  {{Name: strings.Replace(good.Name, "-session", "-login-session", 1), Value: good.Value}},
	} {
		status, body := serve(cookies...)
		require.Equal(t, http.StatusOK, status, name)
		require.Equal(t, "nobody", body, name)
	}
}

func TestCookieKeysRotate(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	c := b.sessionCookie()
	who := func(keys ...[]byte) string {
		a, err := auth.New(auth.Config{Issuer: s.op.URL, ClientID: "portal", RedirectURL: s.web.URL + "/auth/callback",
			CookieKeys: keys, CookieName: "t", Secure: true, Store: s.db.Auth()})
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(c)
		_, p, err := a.Current(r)
		require.NoError(t, err)
		if p == nil {
			return "nobody"
		}
		return p.Name
	}
	require.Equal(t, "Ada Example", who(cookieKey(2), cookieKey(1)), "the key before is accepted")
	require.Equal(t, "nobody", who(cookieKey(3), cookieKey(2)), "the one before that is not")
}

func TestDisabledPersonIsOutWithTheNextRequest(t *testing.T) {
	s := newSite(t, nil)
	ada, cleo := s.browser(), s.browser()
	ada.signIn("ada")
	cleo.signIn("cleo")
	ctx := context.Background()
	victim := s.person("ada").ID
	admin := people.Actor{Person: s.person("cleo").ID, Roles: []people.Role{people.Admin}}

	var e *auth.Error
	require.ErrorAs(t, s.auth.SetDisabled(ctx, people.Actor{Person: "x", Roles: []people.Role{people.Signer, people.Auditor}}, victim, true), &e)
	require.Equal(t, "not_allowed", e.Code)
	require.ErrorAs(t, s.auth.SetDisabled(ctx, admin, admin.Person, true), &e)
	require.Equal(t, "own_account", e.Code)
	require.ErrorAs(t, s.auth.SetDisabled(ctx, admin, "nobody-at-all", true), &e)
	require.Equal(t, auth.KindNotFound, e.Kind)
	require.Equal(t, "Ada Example signer", ada.who())

	require.NoError(t, s.auth.SetDisabled(ctx, admin, victim, true))
	require.Equal(t, "nobody", ada.who())
	status, _ := ada.get("/login") // the provider still remembers the browser
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "disabled", s.lastError().Code)
	require.Equal(t, auth.KindForbidden, s.lastError().Kind)
	require.Equal(t, "nobody", ada.who())
	require.Equal(t, "session.begin refused disabled", s.audited()[0])

	require.NoError(t, s.auth.SetDisabled(ctx, admin, victim, false))
	ada.get("/login")
	require.Equal(t, "Ada Example signer", ada.who())
}

func TestPersonEndsOwnSessionsOnly(t *testing.T) {
	s := newSite(t, nil)
	one, two, other := s.browser(), s.browser(), s.browser()
	one.signIn("ada")
	two.signIn("ada")
	other.signIn("ben")
	ctx := context.Background()
	ada := people.Actor{Person: s.person("ada").ID, Roles: []people.Role{people.Signer}}
	ben := people.Actor{Person: s.person("ben").ID, Roles: []people.Role{people.Signer}}
	list, err := s.auth.List(ctx, ada)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "Go-http-client/1.1", list[0].Data.Agent)
	require.NotEmpty(t, list[0].Data.Address)

	var e *auth.Error
	require.ErrorAs(t, s.auth.EndSession(ctx, ben, list[0].ID), &e)
	require.Equal(t, auth.KindNotFound, e.Kind)
	require.NoError(t, s.auth.EndSession(ctx, ada, list[0].ID)) // the newest: two's
	require.Equal(t, "nobody", two.who())
	require.Equal(t, "Ada Example signer", one.who())

	_, err = s.auth.EndAll(ctx, ben, ada.Person)
	require.ErrorAs(t, err, &e)
	require.Equal(t, "not_allowed", e.Code)
	n, err := s.auth.EndAll(ctx, ada, ada.Person)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, "nobody", one.who())
	require.Equal(t, "Ben Example signer", other.who())
}

func TestEndedSessionIsAnnounced(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser()
	b.signIn("ada")
	list, err := s.auth.List(context.Background(), people.Actor{Person: s.person("ada").ID})
	require.NoError(t, err)
	changed, cancel := s.db.Subscribe(t.Context(), auth.SessionTopic(list[0].ID))
	defer cancel()
	b.logout()
	select {
	case topic := <-changed:
		require.Equal(t, auth.SessionTopic(list[0].ID), topic)
	case <-time.After(5 * time.Second):
		t.Fatal("nothing was announced")
	}
}

func TestSweepTakesWhatIsOver(t *testing.T) {
	s := newSite(t, nil)
	gone, kept := s.browser(), s.browser()
	gone.signIn("ada")
	s.clock.move(11 * time.Minute)
	kept.signIn("ben")
	n, err := s.auth.Sweep(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1, n, "the first attempt's id")
	s.clock.move(5 * time.Minute)
	n, err = s.auth.Sweep(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1, n, "the idle session")
	require.Equal(t, "Ben Example signer", kept.who())
	require.Equal(t, "nobody", gone.who())
}

func TestBackChannelLogout(t *testing.T) {
	s := newSite(t, nil)
	one, two, other := s.browser(), s.browser(), s.browser()
	one.signIn("ada")
	two.signIn("ada")
	other.signIn("ben")
	ctx := context.Background()
	list, err := s.auth.List(ctx, people.Actor{Person: s.person("ada").ID})
	require.NoError(t, err)

	raw, err := s.idp.LogoutToken("ada", list[1].ProviderSession) // of the first browser
	require.NoError(t, err)
	require.NoError(t, s.auth.LogoutToken(ctx, raw))
	require.Equal(t, "nobody", one.who())
	require.Equal(t, "Ada Example signer", two.who())
	require.Equal(t, "session.end observed provider_logout", s.audited()[0])
	var e *auth.Error
	require.ErrorAs(t, s.auth.LogoutToken(ctx, raw), &e)
	require.Equal(t, "attempt_used", e.Code)

	raw, err = s.idp.LogoutToken("ada", "") // everywhere
	require.NoError(t, err)
	require.NoError(t, s.auth.LogoutToken(ctx, raw))
	require.Equal(t, "nobody", two.who())
	require.Equal(t, "Ben Example signer", other.who())

	raw, err = s.idp.LogoutToken("ben", "")
	require.NoError(t, err)
	for _, bad := range []string{"", "x", "a.b.c", raw[:len(raw)-10] + "AAAAAAAAAA", strings.Repeat("a", 20000), strings.Repeat(".", 100000)} {
		require.Error(t, s.auth.LogoutToken(ctx, bad))
	}
	require.Equal(t, "Ben Example signer", other.who())
}

func TestProviderEndsTheSessionByItself(t *testing.T) {
	s := newSite(t, func(c *auth.Config, o *idpsim.Options) {
		o.BackChannelURI = strings.TrimSuffix(c.RedirectURL, "/auth/callback") + "/backchannel"
		o.HTTP = &http.Client{Transport: insecure(), Timeout: 5 * time.Second}
	})
	b := s.browser()
	b.signIn("ada")
	require.Equal(t, 1, s.idp.EndSessions(context.Background(), "ada"))
	require.Equal(t, "nobody", b.who())

	b.signIn("ada")
	resp, err := b.PostForm(s.op.URL+"/sign-out", url.Values{})
	require.NoError(t, err)
	_, page := read(t, resp)
	require.Contains(t, page, "You are signed out")
	require.Equal(t, "nobody", b.who())
}
