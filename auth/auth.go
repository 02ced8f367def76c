// Package auth lets people in by OpenID Connect and keeps their sessions.
//
// The login is the authorization code flow with PKCE, state and nonce, bound to the
// browser that began it by a short-lived cookie per attempt that works once. The
// session is a row; the cookie carries only a random id, signed, and the row is found
// by its SHA-256. Person and roles are read from the database on every request, so a
// person who is disabled is out with the next one. Tokens stay on the server: the ID
// token is kept for the logout alone, sealed under a key that only the cookie can make.
// The provider is discovered when it is first needed; pages work while it is away.
package auth

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"

	"countersign/people"
)

// Config is what the login needs. Issuer, ClientID, RedirectURL, CookieKeys and Store are required.
type Config struct {
	Issuer        string // exactly as the provider's discovery document and its tokens say it
	ClientID      string
	ClientSecret  string
	RedirectURL   string
	PostLogoutURL string   // where the provider sends the browser after logout; registered there
	Scopes        []string // empty: openid profile email phone

	RoleClaim    string                 // name or dotted path, e.g. "realm_access.roles"
	RoleMap      map[string]people.Role // value of the claim to role; nil: the names of the roles themselves
	DefaultRoles []people.Role          // held by everybody who signs in

	CookieKeys [][]byte // at least 32 bytes each; the first signs, all are accepted
	CookieName string   // suffix, so that two portals on one host do not share cookies
	Secure     bool     // the base URL is https: Secure cookies with the __Host- prefix

	Idle     time.Duration // 0: 15 minutes
	Absolute time.Duration // 0: 8 hours

	HTTP  *http.Client // its Transport is used; limits and timeouts are set here
	Now   func() time.Time
	Rand  io.Reader
	Log   *slog.Logger
	Store Store

	// Fail answers a request whose session could not be read; nil: a plain 503.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Auth is the login and its sessions.
type Auth struct {
	Config
	codecs   []securecookie.Codec
	sessions *cookieStore
	provider *provider
	latest   atomic.Int64 // the latest time seen, in milliseconds: a clock put back revives nothing
}

// New checks the configuration. It asks nobody: the provider may come up later.
func New(c Config) (*Auth, error) {
	if c.Issuer == "" || c.ClientID == "" || c.RedirectURL == "" || c.Store == nil {
		return nil, errors.New("auth: issuer, client id, redirect URL and store are needed")
	}
	for name, raw := range map[string]string{"issuer": c.Issuer, "redirect URL": c.RedirectURL} {
		if u, err := url.Parse(raw); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("auth: the %s must be an http(s) address without query", name)
		}
	}
	if len(c.CookieKeys) == 0 {
		return nil, errors.New("auth: a cookie key is needed")
	}
	setDefaults(&c)
	a := &Auth{Config: c}
	for i, key := range c.CookieKeys {
		if len(key) < 32 {
			return nil, fmt.Errorf("auth: cookie key %d has %d bytes; 32 are needed", i+1, len(key))
		}
		codec, err := newCodec(key)
		if err != nil {
			return nil, err
		}
		a.codecs = append(a.codecs, codec)
	}
	a.sessions = &cookieStore{a: a}
	a.provider = newProvider(c)
	return a, nil
}

func setDefaults(c *Config) {
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "profile", "email", "phone"}
	}
	if c.RoleMap == nil {
		c.RoleMap = map[string]people.Role{
			string(people.Signer): people.Signer, string(people.Admin): people.Admin, string(people.Auditor): people.Auditor,
		}
	}
	if c.Idle <= 0 {
		c.Idle = 15 * time.Minute
	}
	if c.Absolute <= 0 {
		c.Absolute = 8 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Fail == nil {
		c.Fail = func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "Your session could not be read. Nothing was changed. Try again in a minute.", http.StatusServiceUnavailable)
		}
	}
}

// newCodec signs and encrypts cookies under keys derived from one configured key. Ages are
// checked by us, with our own clock.
func newCodec(key []byte) (securecookie.Codec, error) {
	mac, err := hkdf.Key(sha256.New, key, nil, "countersign cookie mac v1", 32)
	if err != nil {
		return nil, fmt.Errorf("auth: derive cookie key: %w", err)
	}
	block, err := hkdf.Key(sha256.New, key, nil, "countersign cookie encryption v1", 32)
	if err != nil {
		return nil, fmt.Errorf("auth: derive cookie key: %w", err)
	}
	return securecookie.New(mac, block).MaxAge(0).SetSerializer(securecookie.NopEncoder{}), nil
}

// now is the time for sessions: it never goes back while this process lives.
func (a *Auth) now() time.Time {
	t := a.Now()
	for {
		latest := a.latest.Load()
		if t.UnixMilli() <= latest {
			return time.UnixMilli(latest).UTC()
		}
		if a.latest.CompareAndSwap(latest, t.UnixMilli()) {
			return t.UTC().Truncate(time.Millisecond)
		}
	}
}

func (a *Auth) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(a.Rand, b); err != nil {
		return nil, fmt.Errorf("auth: random bytes: %w", err)
	}
	return b, nil
}
