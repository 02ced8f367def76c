// Package dtmclient speaks to DigiCert ONE Document Trust Manager and to its Cloud
// Signature Consortium (CSC 1.0.4.0) service.
//
// One idea runs through it: a caller must always know whether something happened.
// A read that changes nothing may be tried again, at most three times. Everything
// else is sent exactly once, on a connection of its own, and an error says whether
// the request was never sent (Unreachable), was refused (Invalid and its kin) or may
// have taken effect (Unknown, see Error.MayHaveHappened).
//
// Answers are bounded, redirects are not followed, and no secret reaches an error.
// What DigiCert does not publish about the bodies is assumed in assumed.go, in one
// place that a person with access to the real service can correct.
package dtmclient

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config says where the services are and who we are to them.
type Config struct {
	BaseURL    string // "https://one.digicert.com/documentmanager"
	AccountURL string // "https://one.digicert.com/account"; empty: beside BaseURL
	CSCBaseURL string // where CSC is, when it takes another way in than the rest: "https://clientauth.one.digicert.com/documentmanager"
	CSCVersion string // "v1" when empty; "v0" is tolerated

	APIKey       Secret // for api/v1, api/v2 and account
	ClientID     string // OAuth 2.0 client credentials, for CSC
	ClientSecret Secret
	UserID       string // the DTM user CSC calls are made for when none is named; optional
	TokenURL     string // empty: found through CSC info

	API Authenticator // instead of the API key
	CSC Authenticator // instead of the client credentials; without either CSC is called as API is

	HTTP       *http.Client // its transport carries trust roots and client certificates; redirects are never followed
	Timeouts   Timeouts
	PlainHTTP  bool // allow http to another machine than this one
	CanSuspend bool // the host has the suspend and resume calls, which DigiCert does not document

	// BreakAfter failures in a row make calls fail at once for 5 seconds, as never sent; 0: never.
	BreakAfter int

	Now       func() time.Time
	Rand      io.Reader // for the jitter between tries
	UserAgent string
	// Observe is told of every call once: its outcome is empty when it went well.
	Observe func(op string, outcome Kind, d time.Duration)
}

// Timeouts bound one try of a call, from dialling to the last byte of the answer.
type Timeouts struct {
	Call      time.Duration // 10 s when zero
	Authorize time.Duration // 120 s: the service waits for a person for up to a minute
	Sign      time.Duration // 30 s
}

// Client is safe for use by many goroutines.
type Client struct {
	c           Config
	base        string
	account     string
	cscBase     string
	csc         string
	apiAuth     Authenticator
	cscAuth     Authenticator
	reads       *http.Client
	writes      *http.Client
	traced      bool // the transport tells whether anything was sent
	secretWords []Secret
	breaker     *breaker
	skew        *skew
	oauth       *oauthPlace // found through CSC info
}

// For is the same client with another way into CSC, such as a person's own: it shares
// connections and what is known of the service, and no token. It names no user to the
// service, which knows whose token it is (CSC 11.4).
func (c *Client) For(csc Authenticator) *Client {
	other := *c
	other.c.UserID = ""
	other.cscAuth = csc
	other.secretWords = append(slices.Clone(c.secretWords), other.bound(csc)...)
	return &other
}

// New checks the configuration and opens no connection.
func New(c Config) (*Client, error) {
	base, err := serviceURL("BaseURL", c.BaseURL, c.PlainHTTP)
	if err != nil {
		return nil, err
	}
	account := strings.TrimSuffix(base, "/documentmanager") + "/account"
	if c.AccountURL != "" {
		if account, err = serviceURL("AccountURL", c.AccountURL, c.PlainHTTP); err != nil {
			return nil, err
		}
	}
	if c.TokenURL != "" {
		if _, err = serviceURL("TokenURL", c.TokenURL, c.PlainHTTP); err != nil {
			return nil, err
		}
	}
	csc := base
	if c.CSCBaseURL != "" {
		if csc, err = serviceURL("CSCBaseURL", c.CSCBaseURL, c.PlainHTTP); err != nil {
			return nil, err
		}
	}
	setDefaults(&c)
	cl := &Client{c: c, base: base, account: account, cscBase: csc, csc: csc + "/csc/" + c.CSCVersion,
		secretWords: []Secret{c.APIKey, c.ClientSecret}, breaker: &breaker{after: c.BreakAfter}, skew: &skew{}, oauth: &oauthPlace{}}
	cl.reads, cl.writes, cl.traced = httpClients(c.HTTP)
	if cl.apiAuth = c.API; cl.apiAuth == nil {
		if c.APIKey == "" {
			return nil, errors.New("dtmclient: an API key is needed")
		}
		cl.apiAuth = APIKey(c.APIKey)
	}
	switch {
	case c.CSC != nil:
		cl.cscAuth = c.CSC
	case c.ClientID != "":
		cl.cscAuth = ClientCredentials(c.ClientID, c.ClientSecret)
	default:
		cl.cscAuth = cl.apiAuth
	}
	for _, a := range []Authenticator{cl.apiAuth, cl.cscAuth} {
		cl.secretWords = append(cl.secretWords, cl.bound(a)...)
	}
	return cl, nil
}

func setDefaults(c *Config) {
	if c.CSCVersion == "" {
		c.CSCVersion = "v1"
	}
	if c.Timeouts.Call <= 0 {
		c.Timeouts.Call = 10 * time.Second
	}
	if c.Timeouts.Authorize <= 0 {
		c.Timeouts.Authorize = 120 * time.Second
	}
	if c.Timeouts.Sign <= 0 {
		c.Timeouts.Sign = 30 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.UserAgent == "" {
		c.UserAgent = "countersign"
	}
	if c.Observe == nil {
		c.Observe = func(string, Kind, time.Duration) {}
	}
}

// CanSuspend reports whether the host has calls to suspend and resume a credential.
func (c *Client) CanSuspend() bool { return c.c.CanSuspend }

func serviceURL(name, raw string, plain bool) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("dtmclient: %s is not an address of a service", name)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !plain && !loopback(u.Hostname())) {
		return "", fmt.Errorf("dtmclient: %s must be https", name)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// httpClients makes one client that keeps connections, for reads, and one that opens
// a connection for every call. A kept connection may have been closed by the other
// side just now, and then nobody can tell whether the request arrived; a new one
// fails before anything is sent. net/http also never repeats a request on a
// connection that was not used before.
func httpClients(given *http.Client) (reads, writes *http.Client, traced bool) {
	var rt http.RoundTripper
	if given != nil {
		rt = given.Transport
	}
	var base *http.Transport
	switch t := rt.(type) {
	case nil:
		base = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{}}
	case *http.Transport:
		base = t.Clone()
		if base.TLSClientConfig == nil {
			base.TLSClientConfig = &tls.Config{}
		}
	default:
		return clientOf(rt), clientOf(rt), false
	}
	if base.TLSClientConfig.MinVersion < tls.VersionTLS12 {
		base.TLSClientConfig.MinVersion = tls.VersionTLS12
	}
	base.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(16)
	base.Protocols = new(http.Protocols)
	base.Protocols.SetHTTP1(true)
	base.ForceAttemptHTTP2 = false
	base.DisableCompression = true // so that the bound on an answer is a bound on what was sent
	base.MaxResponseHeaderBytes = 64 << 10
	base.TLSHandshakeTimeout = 10 * time.Second
	base.MaxIdleConnsPerHost = 8
	base.IdleConnTimeout = 30 * time.Second
	once := base.Clone()
	once.DisableKeepAlives = true
	return clientOf(base), clientOf(once), true
}

func clientOf(rt http.RoundTripper) *http.Client {
	return &http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// Close gives up the connections that are kept.
func (c *Client) Close() { c.reads.CloseIdleConnections() }
