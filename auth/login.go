package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"countersign/audit"
	"countersign/people"
)

// Begin starts a login and answers where to send the browser. An empty or foreign
// returnTo becomes "/". Fails with code provider_away while the provider cannot be reached.
func (a *Auth) Begin(w http.ResponseWriter, r *http.Request, returnTo string) (redirectURL string, err error) {
	d, err := a.provider.discover(r.Context())
	if err != nil {
		return "", err
	}
	t, err := a.newAttempt(returnTo)
	if err != nil {
		return "", fail("internal", err)
	}
	if err := a.keepAttempt(w, r, t); err != nil {
		return "", fail("internal", err)
	}
	return d.oauth.AuthCodeURL(t.State, t.options()...), nil
}

// Complete takes the provider's answer: it checks that this browser began the login, uses
// the attempt up, redeems the code, verifies the ID token, and signs the person in under a
// new session id. It answers the local path to go to.
func (a *Auth) Complete(w http.ResponseWriter, r *http.Request) (returnTo string, err error) {
	if len(r.URL.RawQuery) > 8<<10 {
		return "", fail("answer_invalid", errors.New("query too long"))
	}
	q := r.URL.Query()
	t, ok := a.takeAttempt(w, r, q.Get("state"))
	if !ok {
		return "", fail("attempt_unknown", nil)
	}
	if err := a.complete(w, r, t, q); err != nil {
		a.refused(r, err)
		return "", err
	}
	return t.ReturnTo, nil
}

func (a *Auth) complete(w http.ResponseWriter, r *http.Request, t attempt, q url.Values) error {
	ctx := r.Context()
	d, err := a.provider.discover(ctx)
	if err != nil {
		return err
	}
	if err := checkAnswer(q, d); err != nil {
		return err
	}
	if err := a.Store.UseAttempt(ctx, t.id(), time.UnixMilli(t.Ends)); errors.Is(err, ErrUsed) {
		return fail("attempt_used", nil)
	} else if err != nil {
		return fail("internal", err)
	}
	id, token, err := a.provider.exchange(ctx, d, q.Get("code"), t.Verifier, t.Nonce)
	if err != nil {
		return err
	}
	if err := a.provider.complete(ctx, d, id, token); err != nil {
		return err
	}
	return a.signIn(w, r, d.issuer, id)
}

// checkAnswer judges the parameters before anything is redeemed.
func checkAnswer(q url.Values, d *discovered) error {
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(q[name]) > 1 {
			return fail("answer_invalid", errors.New("parameter twice: "+name))
		}
	}
	// RFC 9207, 2.4: compared when sent, demanded when the provider says it sends it.
	iss := q.Get("iss")
	if (iss != "" || d.sendsIss) && subtle.ConstantTimeCompare([]byte(iss), []byte(d.issuer)) != 1 {
		return fail("issuer_wrong", nil)
	}
	switch e := q.Get("error"); {
	case e == "access_denied":
		return fail("cancelled", nil)
	case e != "":
		return fail("provider_refused", errors.New("provider answered "+cut(e, 60)))
	}
	if code := q.Get("code"); code == "" || len(code) > 4096 {
		return fail("answer_invalid", errors.New("no code"))
	}
	return nil
}

func (a *Auth) signIn(w http.ResponseWriter, r *http.Request, issuer string, id *identity) error {
	ctx := r.Context()
	s, err := a.newSession(r, issuer, id)
	if err != nil {
		return fail("internal", err)
	}
	person := a.person(issuer, id.subject, id.claims)
	person.Browser = browserLanguage(r)
	in := SignIn{
		Person:  person,
		Session: *s,
		Entry:   a.entry(r, audit.Entry{Action: "session.begin", Object: "session", Subject: s.ID, To: "open", Outcome: audit.Done}),
	}
	if raw, ok := a.sessions.rawID(r, a.sessionCookie()); ok {
		in.Replaces = hashOf(raw)
	}
	_, err = a.Store.SignIn(ctx, in)
	if errors.Is(err, ErrDisabled) {
		return fail("disabled", nil)
	}
	if err != nil {
		return fail("internal", err)
	}
	if err := a.sessions.set(w, s.raw); err != nil {
		return fail("internal", err)
	}
	return nil
}

func (a *Auth) newSession(r *http.Request, issuer string, id *identity) (*Session, error) {
	raw, err := a.random(32)
	if err != nil {
		return nil, err
	}
	public, err := a.random(16)
	if err != nil {
		return nil, err
	}
	hint, err := sealHint(raw, id.raw)
	if err != nil {
		return nil, err
	}
	now := a.now()
	return &Session{
		ID: hex.EncodeToString(public), Hash: hashOf(raw), Issuer: issuer, Subject: id.subject, ProviderSession: id.session,
		CreatedAt: now, SeenAt: now, IdleEnds: now.Add(a.Idle), Ends: now.Add(a.Absolute),
		Data: Data{Address: clientOf(r).Address, Agent: text(map[string]any{"a": r.UserAgent()}, "a", 200), AuthTime: id.authTime, ACR: id.acr},
		Hint: hint, raw: raw,
	}, nil
}

func hashOf(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:]
}

// refused leaves a line in the audit log for a login that was begun here and failed.
func (a *Auth) refused(r *http.Request, err error) {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code == "disabled" { // the store has written that one
		return
	}
	outcome := audit.Refused
	if e.Kind == KindRemote || e.Kind == KindInternal {
		outcome = audit.Failed
	}
	entry := a.entry(r, audit.Entry{System: "login", Action: "session.begin", Object: "session", Outcome: outcome, Reason: e.Code})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	if err := a.Store.Record(ctx, entry); err != nil {
		a.Log.ErrorContext(ctx, "audit of a refused login failed", "cause", err)
	}
}

// Client is what the edge knows of a request: the address behind listed proxies, and the
// reference shown on error pages.
type Client struct{ Address, Request string }

type clientKey struct{}

// WithClient tells later calls with this context who asks; without it the peer's address is taken.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientOf(r *http.Request) Client {
	if c, ok := r.Context().Value(clientKey{}).(Client); ok {
		return c
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return Client{Address: cut(host, 64)}
}

func (a *Auth) entry(r *http.Request, e audit.Entry) audit.Entry {
	c := clientOf(r)
	e.At, e.Address, e.Request = a.Now().UTC(), c.Address, c.Request
	return e
}

// actorEntry is entry for calls that name who acts.
func (a *Auth) actorEntry(actor people.Actor, e audit.Entry) audit.Entry {
	e.At = a.Now().UTC()
	return e.By(actor)
}
