package dtmclient

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Authenticator puts onto a request what proves who we are.
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

// ClientCertificate authenticates by the TLS connection alone: the host is the one that
// begins with "clientauth." and the certificate sits in Config.HTTP's transport.
func ClientCertificate() Authenticator { return noHeader{} }

type noHeader struct{}

func (noHeader) Authenticate(context.Context, *http.Request) error { return nil }
func (noHeader) Refused(*http.Request) bool                        { return false }

// clientCredentials holds an OAuth 2.0 access token (CSC 8.3.3, grant client_credentials).
// Whoever finds it missing or about to end starts one fetch; everybody else waits for that one.
type clientCredentials struct {
	client *Client

	mu       sync.Mutex
	token    Secret
	ends     time.Time
	tokenURL string
	fetch    *tokenFetch
}

type tokenFetch struct {
	done  chan struct{}
	token Secret
	err   error
}

func (a *clientCredentials) Authenticate(ctx context.Context, r *http.Request) error {
	token, err := a.current(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+string(token))
	return nil
}

// Refused forgets the token that was refused. Of many callers that hear 401 for one old
// token only the first forgets it: the others carry a token that is no longer ours.
func (a *clientCredentials) Refused(r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Header.Get("Authorization") == "Bearer "+string(a.token) {
		a.token = ""
	}
	return true
}

func (a *clientCredentials) current(ctx context.Context) (Secret, error) {
	a.mu.Lock()
	if a.token != "" && a.client.c.Now().Before(a.ends) {
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

func (a *clientCredentials) run(ctx context.Context, f *tokenFetch) {
	start := a.client.c.Now()
	token, life, err := a.get(ctx)
	a.mu.Lock()
	f.token, f.err, a.fetch = token, err, nil
	if err == nil {
		// A minute early, so that a call that must not be repeated does not meet a dead token.
		a.token, a.ends = token, start.Add(life-min(time.Minute, life/10))
	}
	a.mu.Unlock()
	close(f.done)
}

// get asks the token endpoint once.
func (a *clientCredentials) get(ctx context.Context) (Secret, time.Duration, error) {
	address, err := a.address(ctx)
	if err != nil {
		return "", 0, err
	}
	var w struct {
		Token   looseString `json:"access_token"`
		Type    looseString `json:"token_type"`
		Expires looseInt    `json:"expires_in"`
	}
	c := a.client.c
	k := call{op: "oauth2/token", method: http.MethodPost, url: address, timeout: c.Timeouts.Call, auth: noHeader{},
		form: url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {string(c.ClientSecret)}},
		decode: func(b []byte) error {
			if err := object(b, &w); err != nil {
				return err
			}
			if w.Token == "" || strings.ContainsAny(string(w.Token), "\r\n") {
				return errors.New("the answer holds no access token")
			}
			return nil
		}}
	if err := a.client.do(ctx, k); err != nil {
		return "", 0, err
	}
	life := time.Duration(w.Expires) * time.Second
	if life <= 0 {
		life = time.Hour
	}
	return Secret(w.Token), min(life, 24*time.Hour), nil
}

// address is the token endpoint: as configured, or found through CSC info and kept.
func (a *clientCredentials) address(ctx context.Context) (string, error) {
	if u := a.client.c.TokenURL; u != "" {
		return u, nil
	}
	a.mu.Lock()
	known := a.tokenURL
	a.mu.Unlock()
	if known != "" {
		return known, nil
	}
	info, err := a.client.Info(ctx)
	if err != nil {
		return "", err
	}
	found, err := tokenAddress(info.OAuth2)
	if err != nil {
		return "", err
	}
	// The client secret goes there: never over a weaker connection than the service's own.
	if strings.HasPrefix(a.client.base, "https:") && !strings.HasPrefix(found, "https:") {
		return "", errors.New("the token address of CSC info is not https")
	}
	a.mu.Lock()
	a.tokenURL = found
	a.mu.Unlock()
	return found, nil
}

// tokenAddress makes the token endpoint from info's oauth2 member. CSC 8.3 says it is
// the base that "oauth2/token" hangs off; some servers give the base with "oauth2", and
// some the whole authorization address.
func tokenAddress(oauth2 string) (string, error) {
	u, err := url.Parse(strings.TrimRight(oauth2, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("CSC info names no OAuth 2.0 address")
	}
	u.RawQuery, u.Fragment = "", ""
	switch {
	case strings.HasSuffix(u.Path, "/authorize"):
		u.Path = strings.TrimSuffix(u.Path, "/authorize") + "/token"
	case strings.HasSuffix(u.Path, "/oauth2"):
		u.Path += "/token"
	case !strings.HasSuffix(u.Path, "/token"):
		u.Path += "/oauth2/token"
	}
	return u.String(), nil
}
