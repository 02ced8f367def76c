package main_test

import (
	"encoding/pem"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// Doctor goes through the door of each way in, with the program as it is shipped.
func TestEveryWayIntoDTMOpensIt(t *testing.T) {
	s := newSurroundings(t)
	s.sim = dtmtest.Start(t, func(o *dtmsim.Options) { o.CSCAllowAPIKey = true })
	signer := s.sim.Signer("cp-p256", "ada")
	mtls, _ := s.sim.MTLS()
	client, err := s.sim.ClientPEM()
	require.NoError(t, err)
	certs, key := client[:strings.Index(client, "-----BEGIN PRIVATE KEY")], client[strings.Index(client, "-----BEGIN PRIVATE KEY"):]
	roots, both := filepath.Join(t.TempDir(), "roots.pem"), filepath.Join(t.TempDir(), "client.pem")
	require.NoError(t, os.WriteFile(roots, []byte(s.sim.RootPEM()), 0o600))
	require.NoError(t, os.WriteFile(both, []byte(client), 0o600))
	away := []string{"DTM_API_KEY", "", "DTM_CLIENT_ID", "", "DTM_CLIENT_SECRET", ""}
	base := []string{"DTM_URL", s.sim.BaseURL, "DTM_API_KEY", s.sim.APIKey, "DTM_CLIENT_ID", s.sim.ClientID, "DTM_CLIENT_SECRET", s.sim.ClientSecret}
	login := []string{"DTM_LOGIN_USER", signer.UserName, "DTM_LOGIN_PASSWORD", s.sim.Options().Password}
	for name, more := range map[string][]string{
		"as it was":        nil,
		"seal":             {"DTM_CSC_AUTH", "api-key"},
		"persons":          {"DTM_CSC_AUTH", "person"},
		"digest":           append([]string{"DTM_CSC_AUTH", "digest"}, login...),
		"basic":            append([]string{"DTM_CSC_AUTH", "basic"}, login...),
		"refresh token":    {"DTM_CSC_AUTH", "refresh-token", "DTM_REFRESH_TOKEN", refreshToken(t, s.sim, signer)},
		"token address":    {"DTM_TOKEN_URL", s.sim.BaseURL + "/account/api/v1/oauth2/token"},
		"mtls for both":    append(away[:len(away):len(away)], "DTM_API_AUTH", "mtls", "DTM_CSC_AUTH", "mtls", "DTM_MTLS_URL", mtls+"/", "DTM_CLIENT_CERT_FILE", both, "DTM_TLS_ROOTS", roots),
		"mtls for CSC":     {"DTM_CSC_AUTH", "mtls", "DTM_MTLS_URL", mtls, "DTM_CLIENT_CERT", certs, "DTM_CLIENT_KEY", key, "DTM_TLS_ROOTS", roots},
		"mtls for the API": {"DTM_API_AUTH", "mtls", "DTM_MTLS_URL", mtls, "DTM_CLIENT_CERT", certs, "DTM_CLIENT_KEY", key, "DTM_TLS_ROOTS", roots},
	} {
		t.Run(name, func(t *testing.T) {
			lines, _ := s.doctor(t, append(base[:len(base):len(base)], more...)...)
			for _, part := range []string{"dtm network", "dtm api", "csc network", "csc info", "csc access"} {
				require.Regexp(t, "^ok ", lines[part], "%s: %s", part, lines[part])
			}
			require.Regexp(t, "^ok ", lines["configuration"])
		})
	}
	lines, _ := s.doctor(t, append(base[:len(base):len(base)], "DTM_CSC_AUTH", "digest", "DTM_LOGIN_USER", signer.UserName, "DTM_LOGIN_PASSWORD", "password-canary")...)
	require.Regexp(t, "^fail", lines["csc access"])
	require.Contains(t, lines["csc access"], "DTM_LOGIN_USER, DTM_LOGIN_PASSWORD")
	require.Contains(t, lines["csc access"], "oauth2code, oauth2client, basic, digest", "what the service offers instead")
	require.NotContains(t, lines["csc access"], "password-canary")
}

func refreshToken(t *testing.T, sim *dtmtest.Sim, who dtmsim.Signer) string {
	t.Helper()
	cl, err := dtmclient.New(dtmclient.Config{BaseURL: sim.BaseURL + "/documentmanager", APIKey: "unused"})
	require.NoError(t, err)
	defer cl.Close()
	q := dtmclient.CodeRequest{ClientID: sim.ClientID, RedirectURI: "http://127.0.0.1:9/", State: "s", Verifier: "v"}
	address, err := cl.CodeURL(t.Context(), q)
	require.NoError(t, err)
	back, err := sim.Consent(address, who.UserName, true)
	require.NoError(t, err)
	u, err := url.Parse(back)
	require.NoError(t, err)
	tokens, err := cl.ExchangeCode(t.Context(), q, dtmclient.Secret(sim.ClientSecret), dtmclient.Secret(u.Query().Get("code")))
	require.NoError(t, err)
	return string(tokens.Refresh)
}

func TestAWayIntoDTMThatLacksItsSettingsIsTold(t *testing.T) {
	broken := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("key-canary")}))
	for name, c := range map[string]struct{ settings, told []string }{
		"unknown ways":                 {[]string{"DTM_API_AUTH", "digest", "DTM_CSC_AUTH", "magic"}, []string{"DTM_API_AUTH: it must be one of api-key, client, mtls", "DTM_CSC_AUTH: it must be one of"}},
		"no key":                       {[]string{"DTM_API_KEY", ""}, []string{"DTM_API_KEY: it must be set, since api-key"}},
		"no client":                    {[]string{"DTM_CLIENT_ID", "", "DTM_CLIENT_SECRET", ""}, []string{"DTM_CLIENT_ID: it must be set", "DTM_CLIENT_SECRET: it must be set"}},
		"no client for the API":        {[]string{"DTM_API_AUTH", "client", "DTM_CSC_AUTH", "api-key", "DTM_CLIENT_ID", ""}, []string{"DTM_CLIENT_ID: it must be set, since client"}},
		"no refresh token":             {[]string{"DTM_CSC_AUTH", "refresh-token"}, []string{"DTM_REFRESH_TOKEN: it must be set"}},
		"no client for persons":        {[]string{"DTM_CSC_AUTH", "person", "DTM_CLIENT_SECRET", ""}, []string{"DTM_CLIENT_SECRET: it must be set, since person"}},
		"no page for persons":          {[]string{"DTM_CSC_AUTH", "person", "DTM_TOKEN_URL", "https://token.example.test/give"}, []string{"DTM_TOKEN_URL: it must end with /token"}},
		"no login":                     {[]string{"DTM_CSC_AUTH", "digest"}, []string{"DTM_LOGIN_USER: it must be set", "DTM_LOGIN_PASSWORD: it must be set"}},
		"no certificate":               {[]string{"DTM_CSC_AUTH", "mtls"}, []string{"DTM_CLIENT_CERT: it must be set"}},
		"a certificate that is none":   {[]string{"DTM_CSC_AUTH", "mtls", "DTM_CLIENT_CERT", broken, "DTM_CLIENT_KEY", broken}, []string{"DTM_CLIENT_CERT: certificate and key cannot be read", "DTM_MTLS_URL: it must be https"}},
		"a region that is none":        {[]string{"DTM_REGION", "mars", "DTM_URL", ""}, []string{"DTM_REGION: it must be one of ch, ch-demo"}},
		"a region and an address":      {[]string{"DTM_REGION", "nl"}, []string{"DTM_URL: DTM_REGION is set too"}},
		"neither region nor address":   {[]string{"DTM_URL", ""}, []string{"DTM_URL: it must be set, or DTM_REGION"}},
		"a token address in the clear": {[]string{"DTM_TOKEN_URL", "http://token.example.test/"}, []string{"DTM_TOKEN_URL: it must be https"}},
		"roots that are not there":     {[]string{"DTM_TLS_ROOTS", "missing.pem"}, []string{"DTM_TLS_ROOTS: the roots cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := portal(t, setting(t.TempDir(), c.settings...), "serve")
			require.Equal(t, 1, code)
			for _, words := range c.told {
				require.Contains(t, out, words)
			}
			require.NotContains(t, out, "BEGIN PRIVATE KEY")
			hidesSecrets(t, out)
		})
	}
	out, _ := portal(t, setting(t.TempDir(), "DTM_REGION", "nl-demo", "DTM_URL", ""), "config")
	require.Contains(t, out, "DTM_URL=https://demo.one.nl.digicert.com\n")
	out, _ = portal(t, setting(t.TempDir(), "DTM_CLIENT_CERT", broken), "config")
	require.NotContains(t, out, "PRIVATE KEY", "a file with the key in it is a secret too")
}
