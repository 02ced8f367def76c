package dtmclient

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// oauthSource gets access tokens by client_credentials or, with a refresh token, by refresh_token.
type oauthSource struct {
	id     string
	secret Secret

	rotated func(Secret)

	mu      sync.Mutex
	refresh Secret
}

func (s *oauthSource) secrets() []Secret { return []Secret{s.secret, s.refresh} }

func (s *oauthSource) get(ctx context.Context, c *Client) (Secret, time.Duration, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	s.mu.Lock()
	refresh := s.refresh
	s.mu.Unlock()
	if refresh != "" {
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {string(refresh)}}
	}
	t, err := c.token(ctx, s.id, s.secret, form)
	if err != nil {
		return "", 0, err
	}
	if refresh != "" && t.Refresh != "" && t.Refresh != refresh {
		s.mu.Lock()
		s.refresh = t.Refresh
		s.mu.Unlock()
		if s.rotated != nil {
			s.rotated(t.Refresh)
		}
	}
	return t.Access, t.Life, nil
}

// ErrOtherToken is the cause when a bearer token came where a SAD was asked for, or the other way round.
var ErrOtherToken = errors.New("the token is of another kind than was asked for")

// Tokens are what oauth2/token gives.
type Tokens struct {
	Access  Secret
	Refresh Secret // empty when there is none
	Life    time.Duration
	SAD     bool // Access is no bearer token but a SAD
}

// token asks the token endpoint once.
func (c *Client) token(ctx context.Context, id string, secret Secret, form url.Values) (Tokens, error) {
	address, err := c.oauthAddress(ctx, "token")
	if err != nil {
		return Tokens{}, err
	}
	var w struct {
		Token   looseString `json:"access_token"`
		Refresh looseString `json:"refresh_token"`
		Type    looseString `json:"token_type"`
		Expires looseInt    `json:"expires_in"`
	}
	form.Set("client_id", id)
	if secret != "" {
		form.Set("client_secret", string(secret))
	}
	k := call{op: "oauth2/token", method: http.MethodPost, url: address, timeout: c.c.Timeouts.Call, auth: noHeader{}, form: form,
		secrets: []Secret{secret, Secret(form.Get("refresh_token")), Secret(form.Get("code")), Secret(form.Get("code_verifier"))},
		decode: func(b []byte) error {
			if err := object(b, &w); err != nil {
				return err
			}
			if !lineless(w.Token) {
				return errors.New("the answer holds no access token")
			}
			return nil
		}}
	if err := c.do(ctx, k); err != nil {
		return Tokens{}, err
	}
	t := Tokens{Access: Secret(w.Token), Refresh: Secret(w.Refresh), Life: lifeOf(w.Expires), SAD: strings.EqualFold(string(w.Type), "SAD")}
	if t.SAD {
		t.Life = sadLife(w.Expires)
	}
	return t, nil
}

// Refresh trades a refresh token for an access token, and for the refresh token to use from
// now on where the service changes it (CSC 8.3.3): else Tokens.Refresh is empty. It is sent
// once. Of an answer that was lost nobody knows whether the old token still counts.
func (c *Client) Refresh(ctx context.Context, id string, secret, refresh Secret) (Tokens, error) {
	t, err := c.token(ctx, id, secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {string(refresh)}})
	if err == nil && t.SAD {
		return Tokens{}, &Error{Op: "oauth2/token", Kind: Unknown, Cause: errors.New("the token is of another kind than was asked for")}
	}
	return t, err
}

// oauthAddress is an OAuth endpoint: beside the configured token endpoint, or found through
// CSC info and kept.
func (c *Client) oauthAddress(ctx context.Context, endpoint string) (string, error) {
	base := c.oauth.known()
	if base != "" {
		return base + endpoint, nil
	}
	told := c.c.TokenURL
	if told == "" {
		info, err := c.Info(ctx)
		if err != nil {
			return "", err
		}
		told = info.OAuth2
	} else if !strings.HasSuffix(told, "/token") { // an address with a name of its own
		if endpoint == "token" {
			return told, nil
		}
		return "", errors.New("the configured token address tells nothing of other OAuth 2.0 addresses")
	}
	base, err := oauthBase(told)
	if err != nil {
		return "", err
	}
	// The client secret goes there: never over a weaker connection than the service's own.
	if c.c.TokenURL == "" && strings.HasPrefix(c.cscBase, "https:") && !strings.HasPrefix(base, "https:") {
		return "", errors.New("the token address of CSC info is not https")
	}
	c.oauth.keep(base)
	return base + endpoint, nil
}

// oauthPlace is the base of the OAuth addresses, once it was found.
type oauthPlace struct {
	mu   sync.Mutex
	base string
}

func (p *oauthPlace) known() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.base
}

func (p *oauthPlace) keep(base string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.base = base
}

// oauthBase is what "token" and "authorize" are put behind. CSC 8.3 says that info's oauth2
// member is the base that "oauth2/token" hangs off; some servers give the base with
// "oauth2", and some the whole authorization address.
func oauthBase(oauth2 string) (string, error) {
	u, err := url.Parse(strings.TrimRight(oauth2, "/"))
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return "", errors.New("CSC info names no OAuth 2.0 address")
	}
	u.RawQuery, u.Fragment = "", ""
	for _, endpoint := range []string{"/authorize", "/token", "/revoke"} {
		if path, ok := strings.CutSuffix(u.Path, endpoint); ok {
			u.Path = path + "/"
			return u.String(), nil
		}
	}
	if !strings.HasSuffix(u.Path, "/oauth2") {
		u.Path += "/oauth2"
	}
	u.Path += "/"
	return u.String(), nil
}

// CodeRequest is where a person's browser is sent to, to let us in or to authorize signing
// (CSC 8.3.2).
type CodeRequest struct {
	ClientID    string
	RedirectURI string
	State       string // unguessable, bound to the session, taken once
	Verifier    Secret // of PKCE; see NewVerifier
	Lang        string
	Description string // shown to the person, at most 500 characters
	ClientData  string

	// With a credential the person authorizes these hashes, and the token is the SAD.
	CredentialID string
	Hashes       [][]byte
	Signatures   int // in all; 0: as many as Hashes
}

// NewVerifier makes a PKCE verifier (RFC 7636, 4.1).
func (c *Client) NewVerifier() (Secret, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(c.c.Rand, b); err != nil {
		return "", err
	}
	return Secret(base64.RawURLEncoding.EncodeToString(b)), nil
}

// CodeURL is the address of the provider's page.
func (c *Client) CodeURL(ctx context.Context, q CodeRequest) (string, error) {
	const op = "oauth2/authorize"
	if q.State == "" || len(q.State) > 255 || q.Verifier == "" {
		return "", &Error{Op: op, Kind: Invalid, Cause: errors.New("a state of at most 255 bytes and a verifier are needed")}
	}
	address, err := c.oauthAddress(ctx, "authorize")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(q.Verifier))
	v := url.Values{"response_type": {"code"}, "client_id": {q.ClientID}, "state": {q.State}, "scope": {"service"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	if q.CredentialID != "" {
		if len(q.Hashes) == 0 {
			return "", &Error{Op: op, Kind: Invalid, Cause: errors.New("nothing to authorize")}
		}
		hashes := make([]string, len(q.Hashes))
		for i, h := range q.Hashes {
			hashes[i] = base64.RawURLEncoding.EncodeToString(h)
		}
		v.Set("scope", "credential")
		v.Set("credentialID", q.CredentialID)
		v.Set("hash", strings.Join(hashes, ","))
		v.Set("numSignatures", strconv.Itoa(max(q.Signatures, len(q.Hashes))))
	}
	for name, value := range map[string]string{"redirect_uri": q.RedirectURI, "lang": q.Lang, "description": firstRunes(q.Description, 500), "clientData": q.ClientData} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return address + "?" + v.Encode(), nil
}

// ExchangeCode trades the code that came back for tokens, or for a SAD where the request
// named a credential. Each code is good once, so this is never sent twice.
func (c *Client) ExchangeCode(ctx context.Context, q CodeRequest, secret, code Secret) (Tokens, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {string(code)}, "code_verifier": {string(q.Verifier)}}
	if q.RedirectURI != "" {
		form.Set("redirect_uri", q.RedirectURI)
	}
	t, err := c.token(ctx, q.ClientID, secret, form)
	if err == nil && t.SAD != (q.CredentialID != "") {
		return Tokens{}, &Error{Op: "oauth2/token", Kind: Unknown, Cause: ErrOtherToken}
	}
	return t, err
}

// Revoke ends a refresh token and what it gave (CSC 8.3.4).
func (c *Client) Revoke(ctx context.Context, clientID string, secret, refresh Secret) error {
	address, err := c.oauthAddress(ctx, "revoke")
	if err != nil {
		return err
	}
	return c.do(ctx, call{op: "oauth2/revoke", method: http.MethodPost, url: address, timeout: c.c.Timeouts.Call, auth: noHeader{},
		form:    url.Values{"client_id": {clientID}, "client_secret": {string(secret)}, "token": {string(refresh)}, "token_type_hint": {"refresh_token"}},
		secrets: []Secret{secret, refresh}})
}

func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
