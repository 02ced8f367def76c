// Package idpsim is an OpenID provider for the demo and for tests, on zitadel/oidc.
//
// It plays the organisation's login: code flow with PKCE, userinfo, logout from either
// side, and a browser session of its own, so that signing out can be seen. There is no
// password on purpose: the sign-in page lists made-up people and lets you be one of them.
// It says SIMULATOR wherever it can be seen and must never stand before real data.
package idpsim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Options configure a provider. Issuer, ClientID, RedirectURIs are required.
type Options struct {
	Issuer         string // its own address, without a path: "http://localhost:8082"
	ClientID       string
	ClientSecret   string
	RedirectURIs   []string
	PostLogoutURIs []string
	BackChannelURI string // where logout tokens go; empty: none are sent

	People    []Person // empty: DemoPeople
	RoleClaim string   // name or dotted path; empty: "roles"
	Userinfo  bool     // names and roles only at the userinfo endpoint, not in the ID token

	TokenLife time.Duration // of ID and access tokens; 0: 5 minutes

	DataDir string // keeps the signing key; empty: a new key each start

	HTTP *http.Client // sends logout tokens; nil: one with a 5 s timeout
	Now  func() time.Time
	Log  *slog.Logger
}

// Provider is a running provider.
type Provider struct {
	options Options
	state   *state
	op      *op.Provider
	handler http.Handler
}

// New makes a provider.
func New(o Options) (*Provider, error) {
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("idpsim: the issuer must be an http(s) address without a path")
	}
	if o.ClientID == "" || len(o.RedirectURIs) == 0 {
		return nil, errors.New("idpsim: a client id and a redirect address are needed")
	}
	setDefaults(&o)
	key, err := loadKey(o.DataDir)
	if err != nil {
		return nil, err
	}
	p := &Provider{options: o, state: newState(o, key)}
	if err := p.start(u.Scheme == "http"); err != nil {
		return nil, err
	}
	return p, nil
}

func setDefaults(o *Options) {
	if len(o.People) == 0 {
		o.People = DemoPeople()
	}
	o.People = slices.Clone(o.People)
	if o.RoleClaim == "" {
		o.RoleClaim = "roles"
	}
	if o.TokenLife <= 0 {
		o.TokenLife = 5 * time.Minute
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: 5 * time.Second}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func (p *Provider) start(insecure bool) error {
	config := &op.Config{
		CodeMethodS256:                    true,
		DefaultLogoutRedirectURI:          "/signed-out",
		BackChannelLogoutSupported:        p.options.BackChannelURI != "",
		BackChannelLogoutSessionSupported: p.options.BackChannelURI != "",
		SupportedScopes:                   []string{"openid", "profile", "email", "phone"},
		SupportedClaims:                   []string{"sub", "name", "given_name", "family_name", "email", "phone_number", strings.Split(p.options.RoleClaim, ".")[0]},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return fmt.Errorf("idpsim: make key: %w", err)
	}
	var more []op.Option
	if insecure {
		more = append(more, op.WithAllowInsecure())
	}
	provider, err := op.NewProvider(config, p.state, op.StaticIssuer(p.options.Issuer), more...)
	if err != nil {
		return fmt.Errorf("idpsim: start provider: %w", err)
	}
	p.op = provider
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.showHome)
	mux.HandleFunc("GET /login", p.showLogin)
	mux.HandleFunc("POST /login", p.takeLogin)
	mux.HandleFunc("POST /sign-out", p.signOut)
	mux.HandleFunc("GET /signed-out", p.showSignedOut)
	mux.HandleFunc("GET /style.css", serveStyle)
	mux.Handle("/", p.withBrowser(provider))
	// Pages of other sites must not sign anybody in or out; the machine endpoints carry no cookie.
	guard := http.NewCrossOriginProtection()
	forms := guard.Handler(mux)
	p.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if r.URL.Path == "/login" || r.URL.Path == "/sign-out" {
			forms.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return nil
}

// Handler serves the provider at its issuer's address.
func (p *Provider) Handler() http.Handler { return p.handler }

// SetRoles changes what the role claim says of a person from the next login on.
func (p *Provider) SetRoles(subject string, roles ...string) { p.state.setRoles(subject, roles) }

// SetEmail changes a person's address from the next login on.
func (p *Provider) SetEmail(subject, email string) { p.state.setEmail(subject, email) }
