package auth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"countersign/auth"
	"countersign/db/dbtest"
)

func insecure() *http.Transport {
	return &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // the tests' own certificates
}

// forger is a provider that answers whatever a test wants.
type forger struct {
	t         *testing.T
	server    *httptest.Server
	key       *rsa.PrivateKey
	auth      *auth.Auth
	clock     *clock
	mu        sync.Mutex
	keys      int // fetches of the key set
	issuer    string
	token     func(nonce string) string
	answer    http.HandlerFunc // of the token endpoint, instead of token
	keySet    http.HandlerFunc
	more      map[string]any // for the discovery document
	elsewhere int            // requests to a place only a redirect leads to
}

func newForger(t *testing.T) *forger {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	f := &forger{t: t, key: key, clock: &clock{}}
	f.server = httptest.NewTLSServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	f.issuer = f.server.URL
	f.auth, err = auth.New(auth.Config{
		Issuer: f.server.URL, ClientID: "portal", ClientSecret: "s", RedirectURL: "https://portal.example/auth/callback", RoleClaim: "roles",
		CookieKeys: [][]byte{cookieKey(1)}, Secure: true, HTTP: f.server.Client(), Now: f.clock.Now, Store: dbtest.New(t).Auth(),
	})
	require.NoError(t, err)
	return f
}

func (f *forger) serve(w http.ResponseWriter, r *http.Request) {
	// A request that nobody waits for any more runs beside the test.
	f.mu.Lock()
	answer, keySet := f.answer, f.keySet
	if r.URL.Path == "/keys" {
		f.keys++
	}
	f.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		doc := map[string]any{"issuer": f.issuer, "authorization_endpoint": f.server.URL + "/authorize", "token_endpoint": f.server.URL + "/token",
			"jwks_uri": f.server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
		for k, v := range f.more {
			doc[k] = v
		}
		writeJSON(w, doc)
	case "/keys":
		if keySet != nil {
			keySet(w, r)
			return
		}
		writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &f.key.PublicKey, KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	case "/token":
		if answer != nil {
			answer(w, r)
			return
		}
		writeJSON(w, map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": f.token(r.PostFormValue("code"))})
	case "/elsewhere":
		f.elsewhere++
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// login runs one login; the code the provider gives is the nonce, so that token can use it.
func (f *forger) login() error {
	f.t.Helper()
	_, err := f.session()
	return err
}

// session is login, with the cookies of the answer.
func (f *forger) session() ([]*http.Cookie, error) {
	f.t.Helper()
	w := httptest.NewRecorder()
	to, err := f.auth.Begin(w, httptest.NewRequest("GET", "https://portal.example/login", nil), "/")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(to)
	require.NoError(f.t, err)
	q := u.Query()
	require.Equal(f.t, "S256", q.Get("code_challenge_method"))
	back := url.Values{"state": {q.Get("state")}, "code": {q.Get("nonce")}}
	r := httptest.NewRequest("GET", "https://portal.example/auth/callback?"+back.Encode(), nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	in := httptest.NewRecorder()
	_, err = f.auth.Complete(in, r)
	return in.Result().Cookies(), err
}

func (f *forger) refused(code, why string) {
	f.t.Helper()
	var e *auth.Error
	require.ErrorAs(f.t, f.login(), &e, why)
	require.Equal(f.t, code, e.Code, why)
	require.Less(f.t, len(e.Error()), 500, why)
}

type header = map[jose.HeaderKey]any

func (f *forger) sign(claims map[string]any, alg jose.SignatureAlgorithm, key any, h header) string {
	f.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: h})
	require.NoError(f.t, err)
	payload, err := json.Marshal(claims)
	require.NoError(f.t, err)
	jws, err := signer.Sign(payload)
	require.NoError(f.t, err)
	raw, err := jws.CompactSerialize()
	require.NoError(f.t, err)
	return raw
}

func (f *forger) claims(nonce string) map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": f.server.URL, "sub": "ada", "aud": "portal", "exp": now + 300, "iat": now, "nonce": nonce,
		"name": "Ada", "email": "ada@example.test", "roles": []string{"signer"}}
}

func (f *forger) good(nonce string) string {
	return f.sign(f.claims(nonce), jose.RS256, f.key, header{"kid": "k1"})
}

func TestOnlyAGoodIDTokenSignsIn(t *testing.T) {
	f := newForger(t)
	f.token = f.good
	require.NoError(t, f.login())
	now := time.Now().Unix()
	for why, change := range map[string]map[string]any{
		"nonce of another login":  {"nonce": "x"},
		"no nonce":                {"nonce": nil},
		"another issuer":          {"iss": "https://evil.example"},
		"another audience":        {"aud": "other"},
		"audiences without us":    {"aud": []string{"a", "b"}},
		"two audiences, no azp":   {"aud": []string{"portal", "b"}},
		"azp is another":          {"azp": "other"},
		"ended a second ago":      {"exp": now - 1},
		"without an end":          {"exp": nil},
		"issued at no time":       {"iat": nil},
		"issued in 10 minutes":    {"iat": now + 600, "exp": now + 900},
		"issued in 90 seconds":    {"iat": now + 90},
		"not before 10 minutes":   {"nbf": now + 600},
		"not before 90 seconds":   {"nbf": now + 90},
		"not before a word":       {"nbf": "soon"},
		"no subject":              {"sub": nil},
		"subject too long":        {"sub": strings.Repeat("a", 300)},
		"hash of another token":   {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
		"session id is an object": {"sid": map[string]any{}},
	} {
		f.token = func(nonce string) string {
			c := f.claims(nonce)
			for k, v := range change {
				if c[k] = v; v == nil {
					delete(c, k)
				}
			}
			return f.sign(c, jose.RS256, f.key, header{"kid": "k1"})
		}
		f.refused("token_refused", why)
	}
	f.token = func(nonce string) string {
		c := f.claims(nonce)
		c["aud"], c["azp"], c["iat"], c["nbf"] = []string{"portal", "b"}, "portal", now+50, now+50
		return f.sign(c, jose.RS256, f.key, header{"kid": "k1"})
	}
	require.NoError(t, f.login(), "two audiences with azp, a minute of skew")
}

func TestForgedSignaturesAreRefused(t *testing.T) {
	f := newForger(t)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&f.key.PublicKey)
	require.NoError(t, err)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	none := func(nonce string) string {
		p := strings.Split(f.good(nonce), ".")
		return "eyJhbGciOiJub25lIn0." + p[1] + "."
	}
	for why, token := range map[string]func(string) string{
		"none": none,
		"HS256": func(n string) string {
			return f.sign(f.claims(n), jose.HS256, []byte(strings.Repeat("k", 32)), header{"kid": "k1"})
		},
		"HS256 with the public key as PEM": func(n string) string { return f.sign(f.claims(n), jose.HS256, public, header{"kid": "k1"}) },
		"HS256 with the public key as DER": func(n string) string { return f.sign(f.claims(n), jose.HS256, der, header{"kid": "k1"}) },
		"HS256 with the modulus":           func(n string) string { return f.sign(f.claims(n), jose.HS256, f.key.N.Bytes(), header{"kid": "k1"}) },
		"x5u": func(n string) string {
			return f.sign(f.claims(n), jose.RS256, other, header{"kid": "k3", "x5u": f.server.URL + "/elsewhere"})
		},
		"x5u of a known key": func(n string) string {
			return f.sign(f.claims(n), jose.RS256, other, header{"kid": "k1", "x5u": f.server.URL + "/elsewhere"})
		},
		"critical and unknown": func(n string) string {
			return f.sign(f.claims(n), jose.RS256, f.key, header{"kid": "k1", "crit": []string{"x"}, "x": 1})
		},
		"RS384":       func(n string) string { return f.sign(f.claims(n), jose.RS384, f.key, header{"kid": "k1"}) },
		"another key": func(n string) string { return f.sign(f.claims(n), jose.RS256, other, header{"kid": "k1"}) },
		"own jwk": func(n string) string {
			return f.sign(f.claims(n), jose.RS256, other, header{"kid": "k1", "jwk": jose.JSONWebKey{Key: &other.PublicKey}})
		},
		"jku": func(n string) string {
			return f.sign(f.claims(n), jose.RS256, other, header{"kid": "k2", "jku": f.server.URL + "/elsewhere"})
		},
		"access token": func(n string) string {
			return f.sign(f.claims(n), jose.RS256, f.key, header{"kid": "k1", "typ": "at+jwt"})
		},
		"logout token": func(n string) string {
			return f.sign(f.claims(n), jose.RS256, f.key, header{"kid": "k1", "typ": "logout+jwt"})
		},
		"no token": func(string) string { return "" },
		"dots":     func(string) string { return strings.Repeat(".", 100_000) },
		"17 KiB":   func(n string) string { return f.good(n) + strings.Repeat("A", 16<<10) },
		"JWE":      func(n string) string { return f.good(n) + ".a.b" },
	} {
		f.token = token
		f.refused("token_refused", why)
	}
	require.Zero(t, f.elsewhere)
}

// A logout token that is not exactly one ends nothing; a good one does, on every replica
// with the next request, and once (OpenID Connect Back-Channel Logout 1.0, 2.6).
func TestForgedLogoutTokensEndNothing(t *testing.T) {
	f := newForger(t)
	f.token = f.good
	cookies, err := f.session()
	require.NoError(t, err)
	replica, err := auth.New(f.auth.Config)
	require.NoError(t, err)
	here := func(a *auth.Auth) bool {
		r := httptest.NewRequest("GET", "https://portal.example/", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		_, p, err := a.Current(r)
		require.NoError(t, err)
		return p != nil
	}
	require.True(t, here(f.auth) && here(replica))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	now, n := time.Now().Unix(), 0
	token := func(change map[string]any, alg jose.SignatureAlgorithm, key any, typ string) string {
		n++
		c := map[string]any{"iss": f.server.URL, "sub": "ada", "aud": "portal", "iat": now, "exp": now + 120, "jti": fmt.Sprint("j", n),
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
		for k, v := range change {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
		h := header{"kid": "k1"}
		if typ != "" {
			h["typ"] = typ
		}
		return f.sign(c, alg, key, h)
	}
	with := func(name string, value any) string {
		return token(map[string]any{name: value}, jose.RS256, f.key, "logout+jwt")
	}
	good := with("sub", "ada")
	parts := strings.Split(good, ".")
	for why, raw := range map[string]string{
		"a nonce":           with("nonce", "x"),
		"another audience":  with("aud", "other"),
		"no audience":       with("aud", nil),
		"another issuer":    with("iss", "https://evil.example"),
		"ended":             with("exp", now-1),
		"never ends":        with("exp", nil),
		"ends in two days":  with("exp", now+48*3600),
		"of tomorrow":       with("iat", now+24*3600),
		"of no time":        with("iat", nil),
		"no event":          with("events", nil),
		"another event":     with("events", map[string]any{"http://schemas.openid.net/event/other": map[string]any{}}),
		"no id":             with("jti", nil),
		"an enormous id":    with("jti", strings.Repeat("j", 300)),
		"about nobody":      with("sub", nil),
		"an ID token":       f.sign(f.claims("x"), jose.RS256, f.key, header{"kid": "k1"}),
		"an ID token's typ": token(map[string]any{"events": nil, "nonce": "x"}, jose.RS256, f.key, "JWT"),
		"an access token":   token(nil, jose.RS256, f.key, "at+jwt"),
		"another key":       token(nil, jose.RS256, other, "logout+jwt"),
		"HS256":             token(nil, jose.HS256, []byte(strings.Repeat("k", 32)), "logout+jwt"),
		"none":              "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"no signature":      parts[0] + "." + parts[1] + ".",
	} {
		var e *auth.Error
		require.ErrorAs(t, f.auth.LogoutToken(t.Context(), raw), &e, why)
		require.Equal(t, "token_refused", e.Code, why)
		require.True(t, here(f.auth) && here(replica), why)
	}
	require.NoError(t, f.auth.LogoutToken(t.Context(), good))
	require.False(t, here(f.auth))
	require.False(t, here(replica), "with the next request, on every replica")
	cookies, err = f.session()
	require.NoError(t, err)
	var e *auth.Error
	require.ErrorAs(t, replica.LogoutToken(t.Context(), good), &e, "replayed at another replica")
	require.Equal(t, "attempt_used", e.Code)
	require.True(t, here(f.auth))
}

func TestUnknownKeysAreAskedForOnceAMinute(t *testing.T) {
	f := newForger(t)
	f.token = f.good
	require.NoError(t, f.login())
	before := f.keys
	f.token = func(n string) string { return f.sign(f.claims(n), jose.RS256, f.key, header{"kid": "k" + n}) }
	for range 1000 {
		f.refused("token_refused", "unknown key id")
	}
	require.Equal(t, before+1, f.keys)
	f.clock.move(61 * time.Second)
	f.refused("token_refused", "unknown key id")
	require.Equal(t, before+2, f.keys)
}

func TestHugeAnswersAndRedirectsAreRefused(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"`)
		for range 10 << 10 {
			if _, err := io.WriteString(w, strings.Repeat("a", 1<<10)); err != nil {
				return
			}
		}
		_, _ = fmt.Fprint(w, `"}`)
	}
	f := newForger(t)
	f.token = f.good
	f.answer = endless
	f.refused("provider_away", "10 MB token answer")
	f.answer = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	f.refused("provider_away", "redirected token request")
	require.Zero(t, f.elsewhere)

	f = newForger(t)
	f.token = f.good
	f.keySet = endless
	f.refused("token_refused", "10 MB of keys")

	f = newForger(t)
	f.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"canary-secret"}`)
	}
	var e *auth.Error
	require.ErrorAs(t, f.login(), &e)
	require.NotContains(t, e.Error(), "canary", "what the provider says stays out of the log")
}

func TestDiscoveryMustNameTheIssuer(t *testing.T) {
	f := newForger(t)
	f.issuer = "https://evil.example"
	f.refused("provider_wrong", "another issuer")
	f = newForger(t)
	f.issuer = f.server.URL + "/"
	f.refused("provider_wrong", "a slash more")
	f = newForger(t)
	f.more = map[string]any{"token_endpoint": ""}
	f.refused("provider_away", "no token endpoint")
	f = newForger(t)
	f.token = f.good
	f.more = map[string]any{"authorization_response_iss_parameter_supported": true}
	f.refused("issuer_wrong", "iss is promised and missing (RFC 9207)")
}

func TestConfigurationIsChecked(t *testing.T) {
	good := auth.Config{Issuer: "https://op.example", ClientID: "portal", RedirectURL: "https://portal.example/cb", CookieKeys: [][]byte{cookieKey(1)}, Store: dbtest.New(t).Auth()}
	_, err := auth.New(good)
	require.NoError(t, err)
	for why, change := range map[string]func(*auth.Config){
		"issuer":        func(c *auth.Config) { c.Issuer = "" },
		"issuer scheme": func(c *auth.Config) { c.Issuer = "ftp://op.example" },
		"redirect":      func(c *auth.Config) { c.RedirectURL = "/cb" },
		"short key":     func(c *auth.Config) { c.CookieKeys = [][]byte{[]byte("short")} },
		"no key":        func(c *auth.Config) { c.CookieKeys = nil },
		"no store":      func(c *auth.Config) { c.Store = nil },
	} {
		c := good
		change(&c)
		_, err := auth.New(c)
		require.Error(t, err, why)
	}
}
