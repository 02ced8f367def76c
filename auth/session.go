package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"countersign/audit"
	"countersign/people"
)

const (
	touchEvery = time.Minute
	// A row from further in the future than replicas' clocks may differ means that the
	// clock was put back: the session ends rather than live again.
	clockSpread = 5 * time.Minute
)

// cookieStore is a gorilla/sessions Store: the cookie carries a random id, the row is
// found by its SHA-256. Values["session"] and Values["person"] hold the typed row.
type cookieStore struct{ a *Auth }

var _ sessions.Store = (*cookieStore)(nil)

// Get answers the request's session, looked up once per request.
func (c *cookieStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(c, name)
}

// New looks the session up. A cookie that is not ours, or names no session, is no error.
func (c *cookieStore) New(r *http.Request, name string) (*sessions.Session, error) {
	g := sessions.NewSession(c, name)
	g.IsNew = true
	g.Options = &sessions.Options{Path: "/", Secure: c.a.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	raw, ok := c.rawID(r, name)
	if !ok {
		return g, nil
	}
	s, p, err := c.a.Store.Session(r.Context(), hashOf(raw))
	if errors.Is(err, ErrNotFound) {
		return g, nil
	}
	if err != nil {
		return g, fmt.Errorf("read session: %w", err)
	}
	s.raw = raw
	if reason := c.a.over(s, p); reason != "" {
		return g, c.a.drop(r, s, reason)
	}
	g.ID, g.IsNew = s.ID, false
	g.Values["session"], g.Values["person"] = &s, &p
	return g, nil
}

// Save ends the session when its MaxAge is negative. There is nothing else to save: the
// login makes the row, and Touch is the only change to it.
func (c *cookieStore) Save(r *http.Request, w http.ResponseWriter, g *sessions.Session) error {
	if g.Options.MaxAge >= 0 {
		return nil
	}
	s, ok := g.Values["session"].(*Session)
	if !ok {
		http.SetCookie(w, c.a.cookie(g.Name(), "", -1))
		return nil
	}
	delete(g.Values, "session")
	delete(g.Values, "person")
	e := c.a.entry(r, audit.Entry{Person: s.Person, Owner: s.Person, Action: "session.end", Object: "session", Subject: s.ID,
		From: "open", To: "ended", Outcome: audit.Done, Reason: "signed_out"})
	if err := c.a.Store.End(r.Context(), s.Hash, e); err != nil {
		return err // the browser keeps the cookie, without which nobody could try again
	}
	http.SetCookie(w, c.a.cookie(g.Name(), "", -1))
	return nil
}

// set sends the cookie of a new session.
func (c *cookieStore) set(w http.ResponseWriter, raw []byte) error {
	name := c.a.sessionCookie()
	value, err := securecookie.EncodeMulti(name, raw, c.a.codecs...)
	if err != nil {
		return fmt.Errorf("encode session cookie: %w", err)
	}
	http.SetCookie(w, c.a.cookie(name, value, 0)) // for as long as the browser is open
	return nil
}

// rawID reads the id from the cookie. Two cookies of one name are somebody's trick: neither counts.
func (c *cookieStore) rawID(r *http.Request, name string) ([]byte, bool) {
	cookies := r.CookiesNamed(name)
	if len(cookies) != 1 || !strictBase64(cookies[0].Value) {
		return nil, false
	}
	var raw []byte
	if err := securecookie.DecodeMulti(name, cookies[0].Value, &raw, c.a.codecs...); err != nil || len(raw) != 32 {
		return nil, false
	}
	return raw, true
}

func (a *Auth) sessionCookie() string { return a.cookiePrefix() + "-session" }

// over answers why a session no longer counts, or nothing.
func (a *Auth) over(s Session, p people.Person) string {
	now := a.now()
	switch {
	case p.Disabled:
		return "disabled"
	case !now.Before(s.Ends), s.CreatedAt.After(now.Add(clockSpread)):
		return "absolute"
	case !now.Before(s.IdleEnds), s.SeenAt.After(now.Add(clockSpread)):
		return "idle"
	}
	return ""
}

// drop deletes a session that is over, so that no change of clock or role revives it.
func (a *Auth) drop(r *http.Request, s Session, reason string) error {
	e := a.entry(r, audit.Entry{System: "session", Owner: s.Person, Action: "session.end", Object: "session", Subject: s.ID,
		From: "open", To: "ended", Outcome: audit.Done, Reason: reason})
	if err := a.Store.End(r.Context(), s.Hash, e); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// Current answers the session of a request and its person as the database has them now;
// nil and nil for a visitor.
func (a *Auth) Current(r *http.Request) (*Session, *people.Person, error) {
	g, err := a.sessions.Get(r, a.sessionCookie())
	if err != nil {
		return nil, nil, fail("internal", err)
	}
	s, _ := g.Values["session"].(*Session)
	p, _ := g.Values["person"].(*people.Person)
	return s, p, nil
}

// End signs out here and answers where to send the browser to sign out at the provider
// too (OpenID Connect RP-Initiated Logout 1.0); empty when the provider has no such page
// or cannot be reached.
func (a *Auth) End(w http.ResponseWriter, r *http.Request) (providerLogoutURL string, err error) {
	g, err := a.sessions.Get(r, a.sessionCookie())
	if err != nil {
		return "", fail("internal", err)
	}
	s, _ := g.Values["session"].(*Session)
	g.Options.MaxAge = -1
	if err := a.sessions.Save(r, w, g); err != nil {
		return "", fail("internal", err)
	}
	if s == nil {
		return "", nil
	}
	return a.logoutURL(r.Context(), s), nil
}

func (a *Auth) logoutURL(ctx context.Context, s *Session) string {
	d, err := a.provider.discover(ctx)
	if err != nil || d.endURL == "" {
		return ""
	}
	u, err := url.Parse(d.endURL)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	q := u.Query()
	q.Set("client_id", a.ClientID)
	if hint, err := openHint(s.raw, s.Hint); err == nil {
		q.Set("id_token_hint", hint)
	}
	if a.PostLogoutURL != "" {
		q.Set("post_logout_redirect_uri", a.PostLogoutURL)
		q.Set("state", "signed-out")
	}
	u.RawQuery = q.Encode()
	return u.String()
}

type contextKey struct{}

type current struct {
	session *Session
	person  *people.Person
}

// FromContext answers what Middleware found; nil and nil for a visitor.
func FromContext(ctx context.Context) (*Session, *people.Person) {
	c, _ := ctx.Value(contextKey{}).(current)
	return c.session, c.person
}

// Middleware puts session and person into the context. Active says whether the request
// counts as activity: event streams and polls do not.
func (a *Auth) Middleware(active bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, p, err := a.Current(r)
		if err != nil {
			a.Log.ErrorContext(r.Context(), "session could not be read", "cause", err)
			a.Fail(w, r, err)
			return
		}
		if s == nil {
			next.ServeHTTP(w, r)
			return
		}
		if active {
			a.touch(r.Context(), s)
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, current{s, p})))
	})
}

// touch writes at most once a minute. A failure costs the person nothing now, so it is only logged.
func (a *Auth) touch(ctx context.Context, s *Session) {
	now := a.now()
	if now.Sub(s.SeenAt) < touchEvery {
		return
	}
	idleEnds := now.Add(a.Idle)
	if err := a.Store.Touch(ctx, s.Hash, now, idleEnds); err != nil {
		a.Log.WarnContext(ctx, "session activity not kept", "cause", err)
		return
	}
	s.SeenAt, s.IdleEnds = now, idleEnds
}
