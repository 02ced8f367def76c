package auth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	maxToken     = 16 << 10
	maxBody      = 1 << 20
	remoteWait   = 5 * time.Second
	allowedSkew  = time.Minute
	keysInterval = time.Minute
	retryPause   = time.Second // between two tries to discover a provider that is away
)

// algorithms that may sign a token, whatever the provider offers.
var algorithms = []string{oidc.RS256, oidc.PS256, oidc.ES256}

// provider is the OpenID provider, discovered when first needed.
type provider struct {
	config Config
	client *http.Client
	guard  *guard

	mu       sync.Mutex
	found    *discovered
	failed   error
	failedAt time.Time
}

type discovered struct {
	oidc      *oidc.Provider
	verifier  *oidc.IDTokenVerifier
	oauth     oauth2.Config
	endURL    string
	sendsIss  bool // RFC 9207: the answer must carry iss
	issuer    string
	userInfos bool
}

func newProvider(c Config) *provider {
	g := &guard{base: http.DefaultTransport, now: c.Now}
	if c.HTTP != nil && c.HTTP.Transport != nil {
		g.base = c.HTTP.Transport
	}
	return &provider{config: c, guard: g, client: &http.Client{
		Transport: g,
		Timeout:   remoteWait,
		// A redirect could lead a request with our secret, or one into our own network, anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirect refused") },
	}}
}

// discover reads the discovery document once it can be had, and keeps it.
func (p *provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.failed != nil && p.config.Now().Sub(p.failedAt).Abs() < retryPause {
		return nil, p.failed
	}
	found, err := p.ask(ctx)
	if err != nil {
		p.failed, p.failedAt = err, p.config.Now()
		return nil, err
	}
	p.found, p.failed = found, nil
	return found, nil
}

func (p *provider) ask(ctx context.Context) (*discovered, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), remoteWait)
	defer cancel()
	op, err := oidc.NewProvider(ctx, p.config.Issuer)
	var mismatch *oidc.IssuerMismatchError
	if errors.As(err, &mismatch) {
		return nil, fail("provider_wrong", short(err))
	}
	if err != nil {
		return nil, fail("provider_away", short(fmt.Errorf("discover provider: %w", err)))
	}
	var more struct {
		End      string `json:"end_session_endpoint"`
		SendsIss bool   `json:"authorization_response_iss_parameter_supported"`
		Keys     string `json:"jwks_uri"`
	}
	if err := op.Claims(&more); err != nil {
		return nil, fail("provider_away", short(fmt.Errorf("read discovery document: %w", err)))
	}
	endpoint := op.Endpoint()
	if endpoint.AuthURL == "" || endpoint.TokenURL == "" || more.Keys == "" {
		return nil, fail("provider_away", errors.New("discovery document lacks an endpoint"))
	}
	p.guard.keys(more.Keys)
	c := p.config
	return &discovered{
		oidc: op, endURL: more.End, sendsIss: more.SendsIss, issuer: c.Issuer, userInfos: op.UserInfoEndpoint() != "",
		verifier: op.Verifier(&oidc.Config{ClientID: c.ClientID, SupportedSigningAlgs: algorithms, Now: c.Now}),
		oauth:    oauth2.Config{ClientID: c.ClientID, ClientSecret: c.ClientSecret, Endpoint: endpoint, RedirectURL: c.RedirectURL, Scopes: c.Scopes},
	}, nil
}

// identity is what a verified ID token says.
type identity struct {
	raw      string
	subject  string
	session  string
	acr      string
	authTime time.Time
	claims   map[string]any
}

// exchange redeems the code and verifies the ID token (OpenID Connect Core 1.0, 3.1.3.7).
func (p *provider) exchange(ctx context.Context, d *discovered, code, verifier, nonce string) (*identity, *oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), 2*remoteWait)
	defer cancel()
	token, err := d.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500:
		// Its body may repeat what we sent; the code of the error is enough.
		return nil, nil, fail("token_refused", fmt.Errorf("redeem code: status %d %q", refused.Response.StatusCode, cut(refused.ErrorCode, 60)))
	case errors.As(err, &refused):
		return nil, nil, fail("provider_away", errors.New("redeem code: the provider failed"))
	case err != nil:
		return nil, nil, fail("provider_away", short(fmt.Errorf("redeem code: %w", err)))
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.verify(ctx, d, raw, nonce, token.AccessToken)
	if err != nil {
		return nil, nil, fail("token_refused", short(err))
	}
	return id, token, nil
}

func (p *provider) verify(ctx context.Context, d *discovered, raw, nonce, accessToken string) (*identity, error) {
	typ, err := tokenType(raw)
	if err != nil {
		return nil, err
	}
	if typ != "" && typ != "jwt" {
		return nil, fmt.Errorf("a token of type %q is not an ID token", cut(typ, 40))
	}
	t, err := d.verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("verify ID token: %w", err)
	}
	if t.Nonce == "" || subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1 {
		return nil, errors.New("ID token carries another nonce")
	}
	if t.Issuer != d.issuer { // the library lets one provider off
		return nil, errors.New("ID token is of another issuer")
	}
	if !t.IssuedAt.After(time.Unix(0, 0)) || t.IssuedAt.After(p.config.Now().Add(allowedSkew)) {
		return nil, errors.New("ID token is issued in the future, or at no time")
	}
	if t.AccessTokenHash != "" {
		if err := t.VerifyAccessToken(accessToken); err != nil {
			return nil, fmt.Errorf("access token: %w", err)
		}
	}
	var claims json.RawMessage
	if err := t.Claims(&claims); err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	return p.read(t, raw, claims)
}

func (p *provider) read(t *oidc.IDToken, raw string, payload json.RawMessage) (*identity, error) {
	var more struct {
		AZP      string  `json:"azp"`
		NBF      float64 `json:"nbf"`
		SID      string  `json:"sid"`
		ACR      string  `json:"acr"`
		AuthTime int64   `json:"auth_time"`
	}
	if err := json.Unmarshal(payload, &more); err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	// The library forgives five minutes here, and we one everywhere.
	if more.NBF > float64(p.config.Now().Add(allowedSkew).Unix()) {
		return nil, errors.New("ID token is not valid yet")
	}
	if (len(t.Audience) > 1 && more.AZP == "") || (more.AZP != "" && more.AZP != p.config.ClientID) {
		return nil, errors.New("ID token was issued to another client")
	}
	// 255 characters are the most that OpenID Connect Core 1.0, 2 allows.
	if t.Subject == "" || len(t.Subject) > 255 || len(more.SID) > 255 {
		return nil, errors.New("ID token has no usable subject")
	}
	claims, err := decodeClaims(payload)
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	id := &identity{raw: raw, subject: t.Subject, session: more.SID, acr: cut(more.ACR, 100), claims: claims}
	if more.AuthTime > 0 {
		id.authTime = time.Unix(more.AuthTime, 0).UTC()
	}
	return id, nil
}

// complete adds claims from the userinfo endpoint that the ID token left out.
func (p *provider) complete(ctx context.Context, d *discovered, id *identity, token *oauth2.Token) error {
	enough := id.claims["name"] != nil && id.claims["email"] != nil &&
		(p.config.RoleClaim == "" || lookUp(id.claims, p.config.RoleClaim) != nil)
	if enough || !d.userInfos {
		return nil
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), remoteWait)
	defer cancel()
	info, err := d.oidc.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fail("provider_away", short(fmt.Errorf("read userinfo: %w", err)))
	}
	if info.Subject != id.subject { // OpenID Connect Core 1.0, 5.3.2
		return fail("token_refused", errors.New("userinfo is about somebody else"))
	}
	var more map[string]any
	if err := info.Claims(&more); err != nil {
		return fail("token_refused", short(fmt.Errorf("read userinfo: %w", err)))
	}
	for name, v := range more {
		if _, ok := id.claims[name]; !ok {
			id.claims[name] = v
		}
	}
	return nil
}

// tokenType answers the lower-case typ header, of a token small enough to look at.
func tokenType(raw string) (string, error) {
	if len(raw) == 0 || len(raw) > maxToken {
		return "", fmt.Errorf("token of %d bytes", len(raw))
	}
	if strings.Count(raw, ".") != 2 {
		return "", errors.New("token is not a signed JWT")
	}
	header, err := base64.RawURLEncoding.DecodeString(raw[:strings.IndexByte(raw, '.')])
	if err != nil {
		return "", errors.New("token header is not base64url")
	}
	var h struct {
		Typ string `json:"typ"`
	}
	if err := json.Unmarshal(header, &h); err != nil {
		return "", errors.New("token header is not JSON")
	}
	return strings.TrimPrefix(strings.ToLower(h.Typ), "application/"), nil
}

// guard caps what the provider may send and how often its keys are fetched.
type guard struct {
	base http.RoundTripper
	now  func() time.Time

	mu      sync.Mutex
	keysURL string
	fetched bool
	next    time.Time
}

var errTooLarge = errors.New("answer is larger than 1 MiB")

func (g *guard) keys(url string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keysURL = url
}

// RoundTrip sends the request. A token with an unknown key id makes the library fetch the
// keys; anybody can send such tokens, so after the first fetch one a minute must do.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	counted, ok := g.allowed(r.URL.String())
	if !ok {
		return nil, errors.New("keys were fetched a moment ago")
	}
	resp, err := g.base.RoundTrip(r)
	if counted && (err != nil || resp.StatusCode != http.StatusOK) {
		g.forgive() // a provider that was away is asked again at once
	}
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > maxBody {
		resp.Body.Close()
		return nil, errTooLarge
	}
	resp.Body = &capped{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// allowed reports whether the request may go, and whether it is one for the keys.
func (g *guard) allowed(url string) (counted, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if url != g.keysURL {
		return false, true
	}
	now := g.now()
	if g.fetched && now.Before(g.next) && now.After(g.next.Add(-2*keysInterval)) {
		return true, false
	}
	if g.fetched {
		g.next = now.Add(keysInterval)
	}
	g.fetched = true
	return true, true
}

func (g *guard) forgive() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next = time.Time{}
}

type capped struct {
	io.ReadCloser
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		// One byte more tells an end from too much.
		var one [1]byte
		if n, err := c.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLarge
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// short keeps a cause that may repeat what the provider sent fit for a log.
func short(err error) error {
	if s := err.Error(); len(s) > 300 {
		return errors.New(cut(s, 300) + "…")
	}
	return err
}
