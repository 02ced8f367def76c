package idpsim_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"countersign/idpsim"
)

type rig struct {
	t      *testing.T
	p      *idpsim.Provider
	op     *httptest.Server
	b      *http.Client
	oauth  oauth2.Config
	verify *oidc.IDTokenVerifier
	ctx    context.Context
	back   []string // logout tokens received
}

const redirect = "http://portal.example/auth/callback"

func newRig(t *testing.T, change func(*idpsim.Options)) *rig {
	t.Helper()
	r := &rig{t: t, op: httptest.NewUnstartedServer(nil)}
	issuer := "http://" + r.op.Listener.Addr().String()
	rp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.back = append(r.back, req.PostFormValue("logout_token"))
	}))
	t.Cleanup(rp.Close)
	o := idpsim.Options{Issuer: issuer, ClientID: "portal", ClientSecret: "s", RedirectURIs: []string{redirect},
		PostLogoutURIs: []string{"http://portal.example/signed-out"}, BackChannelURI: rp.URL}
	if change != nil {
		change(&o)
	}
	var err error
	r.p, err = idpsim.New(o)
	require.NoError(t, err)
	r.op.Config.Handler = r.p.Handler()
	r.op.Start()
	t.Cleanup(r.op.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	r.b = &http.Client{Jar: jar, Timeout: 5 * time.Second, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if req.URL.Host == "portal.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	r.ctx = oidc.ClientContext(context.Background(), &http.Client{Timeout: 5 * time.Second})
	provider, err := oidc.NewProvider(r.ctx, issuer)
	require.NoError(t, err)
	r.oauth = oauth2.Config{ClientID: "portal", ClientSecret: "s", Endpoint: provider.Endpoint(), RedirectURL: redirect, Scopes: []string{"openid", "profile", "email", "phone"}}
	r.verify = provider.Verifier(&oidc.Config{ClientID: "portal"})
	return r
}

// ask sends an authorization request and answers the page, or where the browser was sent back to.
func (r *rig) ask(more ...oauth2.AuthCodeOption) (page string, back *url.URL) {
	r.t.Helper()
	sum := sha256.Sum256([]byte(strings.Repeat("v", 43)))
	more = append([]oauth2.AuthCodeOption{oidc.Nonce("n"), oauth2.SetAuthURLParam("code_challenge_method", "S256"),
		oauth2.SetAuthURLParam("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))}, more...)
	resp, err := r.b.Get(r.oauth.AuthCodeURL("state", more...))
	require.NoError(r.t, err)
	return r.read(resp)
}

func (r *rig) read(resp *http.Response) (string, *url.URL) {
	r.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	if at := resp.Header.Get("Location"); at != "" {
		u, err := url.Parse(at)
		require.NoError(r.t, err)
		return string(body), u
	}
	return string(body), nil
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

func (r *rig) choose(page, subject string) *url.URL {
	r.t.Helper()
	m := hidden.FindStringSubmatch(page)
	require.NotNil(r.t, m, page)
	resp, err := r.b.PostForm(r.op.URL+"/login", url.Values{"id": {m[1]}, "subject": {subject}})
	require.NoError(r.t, err)
	_, back := r.read(resp)
	require.NotNil(r.t, back)
	return back
}

func (r *rig) redeem(back *url.URL) (*oauth2.Token, map[string]any) {
	r.t.Helper()
	token, err := r.oauth.Exchange(r.ctx, back.Query().Get("code"), oauth2.VerifierOption(strings.Repeat("v", 43)))
	require.NoError(r.t, err)
	id, err := r.verify.Verify(r.ctx, token.Extra("id_token").(string))
	require.NoError(r.t, err)
	var claims map[string]any
	require.NoError(r.t, id.Claims(&claims))
	return token, claims
}

func TestEachPersonHasAButtonOfTheirOwn(t *testing.T) {
	r := newRig(t, nil)
	page, _ := r.ask()
	for _, name := range []string{"Ada", "Ben", "Cleo", "Dora"} {
		require.Equal(t, 1, strings.Count(page, "Sign in as "+name+" Example</button>"))
	}
	require.Contains(t, page, "SIMULATOR")
	resp, err := r.b.Get(r.op.URL + "/")
	require.NoError(t, err)
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "form-action 'self' http://portal.example")
	resp.Body.Close()
}

func TestTokenTellsWhoAndRoles(t *testing.T) {
	r := newRig(t, func(o *idpsim.Options) { o.RoleClaim = "realm_access.roles" })
	page, _ := r.ask()
	_, claims := r.redeem(r.choose(page, "cleo"))
	require.Equal(t, "cleo", claims["sub"])
	require.Equal(t, "Cleo Example", claims["name"])
	require.Equal(t, "cleo@example.test", claims["email"])
	require.Equal(t, "+15550100103", claims["phone_number"])
	require.Equal(t, "n", claims["nonce"])
	require.NotEmpty(t, claims["sid"])
	require.Equal(t, map[string]any{"roles": []any{"admin"}}, claims["realm_access"])
}

func TestBrowserIsRememberedUntilItSignsOut(t *testing.T) {
	r := newRig(t, nil)
	page, _ := r.ask()
	back := r.choose(page, "ada")
	token, _ := r.redeem(back)
	_, err := r.oauth.Exchange(r.ctx, back.Query().Get("code"), oauth2.VerifierOption(strings.Repeat("v", 43)))
	require.Error(t, err, "a code works once")

	_, back = r.ask()
	require.NotNil(t, back, "no question the second time")
	page, back = r.ask(oauth2.SetAuthURLParam("prompt", "login"))
	require.Nil(t, back)
	require.Contains(t, page, "Sign in as Ada Example", "prompt=login asks")
	page, back = r.ask(oauth2.SetAuthURLParam("prompt", "select_account"))
	require.Nil(t, back)
	require.NotEmpty(t, page)

	end := r.op.URL + "/end_session?" + url.Values{"id_token_hint": {token.Extra("id_token").(string)}, "client_id": {"portal"},
		"post_logout_redirect_uri": {"http://portal.example/signed-out"}, "state": {"s1"}}.Encode()
	resp, err := r.b.Get(end)
	require.NoError(t, err)
	_, back = r.read(resp)
	require.Equal(t, "http://portal.example/signed-out?state=s1", back.String())
	require.Len(t, r.back, 1, "the portal is told by back channel")
	resp, err = r.b.Get(r.op.URL + "/")
	require.NoError(t, err)
	page, _ = r.read(resp)
	require.Contains(t, page, "Nobody is signed in")
	page, back = r.ask()
	require.Nil(t, back)
	require.Contains(t, page, "Sign in as")
	_, back = r.ask(oauth2.SetAuthURLParam("prompt", "none"))
	require.Equal(t, "login_required", back.Query().Get("error"))
}

func TestSigningOutHereShowsAndTells(t *testing.T) {
	r := newRig(t, nil)
	page, _ := r.ask()
	r.choose(page, "dora")
	resp, err := r.b.Get(r.op.URL + "/")
	require.NoError(t, err)
	page, _ = r.read(resp)
	require.Contains(t, page, "Dora Example is signed in")
	resp, err = r.b.PostForm(r.op.URL+"/sign-out", nil)
	require.NoError(t, err)
	page, _ = r.read(resp)
	require.Contains(t, page, "You are signed out")
	require.Len(t, r.back, 1)
	logout, err := r.verify.VerifyLogout(r.ctx, r.back[0])
	require.NoError(t, err)
	require.Equal(t, "dora", logout.Subject)
	require.NotEmpty(t, logout.SessionID)
}

func TestForeignPagesSignNobodyIn(t *testing.T) {
	r := newRig(t, nil)
	page, _ := r.ask()
	m := hidden.FindStringSubmatch(page)
	req, err := http.NewRequest("POST", r.op.URL+"/login", strings.NewReader(url.Values{"id": {m[1]}, "subject": {"cleo"}}.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "http://evil.example")
	resp, err := r.b.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	for _, bad := range []url.Values{{"id": {"x"}, "subject": {"ada"}}, {"id": {m[1]}, "subject": {"nobody"}}} {
		resp, err := r.b.PostForm(r.op.URL+"/login", bad)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	}
}

func TestPKCEIsDemanded(t *testing.T) {
	r := newRig(t, nil)
	resp, err := r.b.Get(r.oauth.AuthCodeURL("state", oidc.Nonce("n")))
	require.NoError(t, err)
	_, back := r.read(resp)
	require.Equal(t, "invalid_request", back.Query().Get("error"))
	page, _ := r.ask()
	back = r.choose(page, "ada")
	_, err = r.oauth.Exchange(r.ctx, back.Query().Get("code"), oauth2.VerifierOption(strings.Repeat("w", 43)))
	require.Error(t, err, "another verifier")
}

func TestKeyIsKeptInTheDataFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "idp")
	keys := func(dir string) string {
		r := newRig(t, func(o *idpsim.Options) { o.DataDir = dir })
		resp, err := r.b.Get(r.op.URL + "/keys")
		require.NoError(t, err)
		body, _ := r.read(resp)
		var set struct {
			Keys []struct{ N, Kid string }
		}
		require.NoError(t, json.Unmarshal([]byte(body), &set))
		require.Len(t, set.Keys, 1)
		return set.Keys[0].Kid + set.Keys[0].N
	}
	require.Equal(t, keys(dir), keys(dir))
	require.NotEqual(t, keys(dir), keys(""))
	info, err := os.Stat(filepath.Join(dir, "idpsim-key.pem"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestOptionsAreChecked(t *testing.T) {
	for _, bad := range []idpsim.Options{
		{}, {Issuer: "http://x/path", ClientID: "c", RedirectURIs: []string{redirect}}, {Issuer: "http://x", ClientID: "c"}, {Issuer: "ftp://x", ClientID: "c", RedirectURIs: []string{redirect}},
	} {
		_, err := idpsim.New(bad)
		require.Error(t, err)
	}
}
