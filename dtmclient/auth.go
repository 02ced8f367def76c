package dtmclient

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Authenticator puts onto a request what proves who we are. DTM's API and CSC may each
// have one of its own, since DigiCert's pages contradict each other about what CSC takes.
type Authenticator interface {
	Authenticate(ctx context.Context, r *http.Request) error
	// Refused tells that the service answered 401 to this request, and answers whether
	// the next request may carry something else.
	Refused(r *http.Request) (again bool)
}

type apiKey Secret

// APIKey authenticates with DigiCert's x-api-key header.
func APIKey(key Secret) Authenticator { return apiKey(key) }

func (k apiKey) Authenticate(_ context.Context, r *http.Request) error {
	r.Header.Set("x-api-key", string(k))
	return nil
}

func (apiKey) Refused(*http.Request) bool { return false }
func (k apiKey) secrets() []Secret        { return []Secret{Secret(k)} }

// ClientCertificate authenticates by the TLS connection alone: the host is the one that
// begins with "clientauth." and the certificate sits in Config.HTTP's transport.
func ClientCertificate() Authenticator { return noHeader{} }

type noHeader struct{}

func (noHeader) Authenticate(context.Context, *http.Request) error { return nil }
func (noHeader) Refused(*http.Request) bool                        { return false }

// header carries one Authorization value, for one request.
type header string

func (h header) Authenticate(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", string(h))
	return nil
}

func (header) Refused(*http.Request) bool { return false }

// ClientCredentials authenticates with an access token of the OAuth 2.0 grant of that name
// (CSC 8.3.3). The token belongs to no person.
func ClientCredentials(id string, secret Secret) Authenticator {
	return &Access{source: &oauthSource{id: id, secret: secret}}
}

// RefreshToken authenticates with access tokens of a person who once let us in (grant
// authorization_code, see ExchangeCode). A service may give another refresh token with each
// use: then rotated, unless nil, is told before the access token is used, and has to keep it.
func RefreshToken(id string, secret, refresh Secret, rotated func(Secret)) Authenticator {
	return &Access{source: &oauthSource{id: id, secret: secret, refresh: refresh, rotated: rotated}}
}

// Held authenticates with access tokens that get gives, for whoever keeps refresh tokens
// themselves. Get is called by one caller at a time, with a client whose Refresh it may use
// (nil as long as no client uses the answer), on a context that outlives the caller's.
func Held(get func(ctx context.Context, c *Client) (Tokens, error)) *Access {
	return &Access{source: heldSource(get)}
}

type heldSource func(ctx context.Context, c *Client) (Tokens, error)

func (heldSource) secrets() []Secret { return nil }

func (s heldSource) get(ctx context.Context, c *Client) (Secret, time.Duration, error) {
	t, err := s(ctx, c)
	return t.Access, t.Life, err
}

// LoginDigest authenticates with the token that auth/login gives for HTTP Digest (CSC 11.2,
// RFC 7616), by the strongest challenge the service offers.
func LoginDigest(user string, password Secret) Authenticator {
	return &Access{source: &loginSource{user: user, password: password, digest: true}}
}

// LoginBasic is LoginDigest with HTTP Basic.
func LoginBasic(user string, password Secret) Authenticator {
	return &Access{source: &loginSource{user: user, password: password}}
}

// source gets an access token by one way or another.
type source interface {
	get(ctx context.Context, c *Client) (token Secret, life time.Duration, err error)
	secrets() []Secret
}

// Access holds an access token. Whoever finds it missing or about to end starts one fetch;
// everybody else waits for that one.
type Access struct {
	Now func() time.Time // nil: the client's clock; set it before the first use

	source source
	client *Client // of the calls that get a token; New sets it

	mu    sync.Mutex
	token Secret
	ends  time.Time
	fetch *tokenFetch
}

type tokenFetch struct {
	done  chan struct{}
	token Secret
	err   error
}

func (a *Access) Authenticate(ctx context.Context, r *http.Request) error {
	token, err := a.current(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+string(token))
	return nil
}

// Refused forgets the token that was refused. Of many callers that hear 401 for one old
// token only the first forgets it: the others carry a token that is no longer ours.
func (a *Access) Refused(r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Header.Get("Authorization") == "Bearer "+string(a.token) {
		a.token = ""
	}
	return true
}

func (a *Access) secrets() []Secret { return a.source.secrets() }

func (a *Access) current(ctx context.Context) (Secret, error) {
	a.mu.Lock()
	if a.token != "" && a.now().Before(a.ends) {
		defer a.mu.Unlock()
		return a.token, nil
	}
	f := a.fetch
	if f == nil {
		f = &tokenFetch{done: make(chan struct{})}
		a.fetch = f
		// The fetch outlives the caller who began it: others wait for it too.
		go a.run(context.WithoutCancel(ctx), f)
	}
	a.mu.Unlock()
	select {
	case <-f.done:
		return f.token, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Ready gets a token where there is none, without a call that uses it.
func (a *Access) Ready(ctx context.Context) error {
	_, err := a.current(ctx)
	return err
}

func (a *Access) now() time.Time {
	switch {
	case a.Now != nil:
		return a.Now()
	case a.client != nil:
		return a.client.c.Now()
	}
	return time.Now()
}

func (a *Access) run(ctx context.Context, f *tokenFetch) {
	a.mu.Lock()
	start, client := a.now(), a.client
	a.mu.Unlock()
	token, life, err := a.source.get(ctx, client)
	a.mu.Lock()
	f.token, f.err, a.fetch = token, err, nil
	if err == nil {
		// A minute early, so that a call that must not be repeated does not meet a dead token.
		a.token, a.ends = token, start.Add(life-min(time.Minute, life/10))
	}
	a.mu.Unlock()
	close(f.done)
}

// bound gives an authenticator the client it gets its tokens with, and is its secrets.
func (c *Client) bound(a Authenticator) []Secret {
	if b, ok := a.(*Access); ok {
		b.mu.Lock()
		if b.client == nil {
			b.client = c
		}
		b.mu.Unlock()
	}
	if s, ok := a.(interface{ secrets() []Secret }); ok {
		return s.secrets()
	}
	return nil
}

// lifeOf bounds what a service says of a token's life; it is an hour where nothing is said.
func lifeOf(seconds looseInt) time.Duration {
	if seconds <= 0 {
		return time.Hour
	}
	return time.Duration(min(int64(seconds), 24*3600)) * time.Second
}

// lineless reports whether a token can stand in a header.
func lineless(token looseString) bool {
	return token != "" && !strings.ContainsAny(string(token), "\r\n")
}
