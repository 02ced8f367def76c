package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// harmless are the calls that doctor may make: they read, but for a timestamp and a token.
var harmless = []string{
	"GET /account/api/v1/role", "GET /account/api/v1/account", "GET /documentmanager/api/v1/user", "GET /documentmanager/api/v1/validation",
	"GET /documentmanager/api/v1/certificate-profile", "GET /documentmanager/api/v1/seat", "GET /documentmanager/api/v1/audit-log",
	"GET /documentmanager/api/v2/credential/ada-2026",
	"POST /documentmanager/csc/v1/info", "POST /documentmanager/csc/v1/credentials/list", "POST /documentmanager/csc/v1/credentials/info",
	"POST /documentmanager/csc/v1/signatures/timestamp", "POST /account/api/v1/oauth2/token", "POST /documentmanager/csc/v1/auth/login",
}

func TestDoctorNeverAuthorizesSendsOrSigns(t *testing.T) {
	s := newSurroundings(t)
	ada := s.sim.Signer("cp-advanced", "ada-2026")
	before, letters, ledger := len(s.sim.Calls()), len(s.sim.Mailbox(ada.Email)), s.sim.Ledger()
	for _, more := range [][]string{
		nil,
		{"DTM_CSC_AUTH", "basic", "DTM_LOGIN_USER", ada.UserName, "DTM_LOGIN_PASSWORD", s.sim.Options().Password},
	} {
		lines, code := s.doctorWith(t, []string{"-credential", "ada-2026", "-user", ada.UserID}, more...)
		if more != nil { // a user's own way in lists without being told whose
			lines, code = s.doctorWith(t, nil, more...)
			require.Contains(t, lines["csc credential"], `"ada-2026"`, "the first that is listed")
		}
		require.Zero(t, code, lines)
		require.Contains(t, lines["csc credential"], "a PIN and a code that is sent")
		require.Contains(t, lines["csc credential"], "knows it by the same name")
		require.Contains(t, lines["csc timestamp"], "was made and checked")
	}
	require.Equal(t, ledger, s.sim.Ledger(), "nothing was sent, tried, authorized or signed")
	require.Len(t, s.sim.Mailbox(ada.Email), letters)
	for _, c := range s.sim.Calls()[before:] {
		require.Contains(t, harmless, c.Method+" "+c.Path)
	}
}

func TestDoctorTakesNoTimestampWhereItIsToldNotTo(t *testing.T) {
	s := newSurroundings(t)
	lines, _ := s.doctorWith(t, []string{"-no-timestamp"})
	require.Regexp(t, "^not_tried", lines["csc timestamp"])
	lines, _ = s.doctor(t, "NO_TIMESTAMP", "true")
	require.Regexp(t, "^not_tried", lines["csc timestamp"])
	for _, c := range s.sim.Calls() {
		require.NotContains(t, c.Path, "timestamp")
	}
}

func TestDoctorUsesNoRefreshTokenThatItCouldNotKeep(t *testing.T) {
	s := newSurroundings(t)
	signer := s.sim.Signer("cp-p256", "ada")
	token := refreshToken(t, s.sim, signer)
	before := len(s.sim.Calls())
	lines, code := s.doctor(t, "DTM_CSC_AUTH", "refresh-token", "DTM_REFRESH_TOKEN", token, "DATABASE_URL", "sqlite:"+filepath.Join(s.folder, "new.db"))
	require.Zero(t, code)
	require.Regexp(t, "^not_tried.*portal migrate", lines["csc access"])
	require.Regexp(t, "^not_tried.*csc access was not tried", lines["csc credential"])
	require.Regexp(t, "^ok ", lines["dtm api"])
	for _, c := range s.sim.Calls()[before:] {
		require.NotContains(t, c.Path, "token")
	}
}

// What a service says that is not as we read it is named with the setting or the line to change.
func TestDoctorSaysWhatDiffersFromOurReading(t *testing.T) {
	s := newSurroundings(t)
	ada := s.sim.Signer("cp-advanced", "ada-2026")
	ledger := s.sim.Ledger()
	base := s.sim.BaseURL
	describe := func(algo, rest string) string {
		return `{"key":{"status":"enabled","algo":["` + algo + `"],"len":2048},"cert":{"status":"valid","certificates":["` + base64.StdEncoding.EncodeToString(s.sim.Certificate(ada.Credential).Raw) + `"]},` + rest + `}`
	}
	const byPIN = `"authMode":"explicit","SCAL":"2","PIN":{"presence":"true","format":"N"},"multisign":1`
	for name, c := range map[string]struct {
		faults []dtmsim.Fault
		part   string
		says   []string
	}{
		"listing elsewhere":       {[]dtmsim.Fault{{Path: "v1/seat", Status: 404}}, "dtm listings", []string{"^warn", "seat.list answered 404", `pathSeats = "/api/v1/seat"`, "assumed"}},
		"listing forbidden":       {[]dtmsim.Fault{{Path: "v1/audit-log", Status: 403}}, "dtm listings", []string{"^warn", "audit-log.list is refused", "DTM_API_KEY"}},
		"listing as a page":       {[]dtmsim.Fault{{Path: "certificate-profile", Status: 200, ContentType: "text/html", Body: "<html>"}}, "dtm listings", []string{"^warn", "certificate-profile.list cannot be read", "pathProfiles"}},
		"rows of other members":   {[]dtmsim.Fault{{Path: "certificate-profile", Status: 200, Body: `[{"profileId":"1","name":"n"}]`}}, "dtm listings", []string{"^warn", "without id, standard", "pathProfiles"}},
		"a status we do not know": {[]dtmsim.Fault{{Path: "v1/validation", Status: 200, Body: `[{"id":"1","status":"ON_HOLD","user_id":"2"}]`}}, "dtm listings", []string{"^warn", "ON_HOLD", "pathValidations"}},
		"no role for signers":     {[]dtmsim.Fault{{Path: "v1/role", Status: 200, Body: `[{"id":"1","name":"other"}]`}}, "dtm api", []string{"^warn", "signerRole"}},

		"another account": {[]dtmsim.Fault{{Path: "v1/account", Status: 200, Body: `[{"id":"other","name":"Other"}]`}}, "dtm api", []string{"^warn", "DTM_ACCOUNT_ID is none of the 1 accounts"}},

		"csc/v0 alone":         {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 404}}, "csc info", []string{"^fail", "only csc/v0", "0.1.7.9", "no setting"}},
		"no CSC at all":        {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 404}, {Path: "csc/v0/info", Status: 404}}, "csc info", []string{"^fail", "no signing service", "DTM_URL"}},
		"a page of a proxy":    {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 200, ContentType: "text/html", Body: "<!doctype html><title>Sign in</title>"}}, "csc info", []string{"^fail", "no signing service", "proxy"}},
		"a redirect":           {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 302, Header: map[string]string{"Location": "https://login.example.test"}}}, "csc info", []string{"^fail", "proxy"}},
		"an address barred":    {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 403}}, "csc info", []string{"^fail", "refuses this machine"}},
		"an old dialect":       {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 200, Body: `{"specs":"0.1.7.9","name":"Old","oauth2":"` + base + `/account/api/v1","authType":["digest"],"methods":[]}`}}, "csc info", []string{"^warn", "0.1.7.9", "csc/v1", "does not offer oauth2client", "DTM_CSC_AUTH"}},
		"no address of tokens": {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 200, Body: `{"specs":"1.0.4.0","name":"Bare","methods":[]}`}}, "csc tokens", []string{"^fail", "DTM_TOKEN_URL"}},
		"tokens elsewhere":     {[]dtmsim.Fault{{Path: "csc/v1/info", Status: 200, Body: `{"specs":"1.0.4.0","name":"Far","oauth2":"https://tokens.invalid/oauth2","methods":[]}`}}, "csc tokens", []string{"^fail", "tokens.invalid does not resolve"}},

		"a weak algorithm":     {[]dtmsim.Fault{{Path: "credentials/info", Status: 200, Body: describe("1.2.840.113549.1.1.5", byPIN)}}, "csc credential", []string{"^fail", "key cannot be used", "1.2.840.113549.1.1.5", "another profile"}},
		"a second choice":      {[]dtmsim.Fault{{Path: "credentials/info", Status: 200, Body: describe("1.2.840.113549.1.1.10", byPIN)}}, "csc credential", []string{"not our first choice", "1.2.840.113549.1.1.10"}},
		"no factor":            {[]dtmsim.Fault{{Path: "credentials/info", Status: 200, Body: describe("1.2.840.113549.1.1.11", `"authMode":"explicit","multisign":1`)}}, "csc credential", []string{"^fail", "cannot be done here", "SCAL"}},
		"a key at rest":        {[]dtmsim.Fault{{Path: "credentials/info", Status: 200, Body: strings.Replace(describe("1.2.840.113549.1.1.11", byPIN), "enabled", "disabled", 1)}}, "csc credential", []string{"^(warn|fail)", "its key is disabled"}},
		"unknown to the API":   {[]dtmsim.Fault{{Path: "v2/credential/ada-2026", Status: 404}}, "csc credential", []string{"^warn", "no credential of the name", "pathCredential ="}},
		"no timestamps":        {[]dtmsim.Fault{{Path: "signatures/timestamp", Status: 403}}, "csc timestamp", []string{"^fail", "NO_TIMESTAMP"}},
		"a broken timestamp":   {[]dtmsim.Fault{{Path: "signatures/timestamp", Status: 200, Body: `{"timestamp":"MAMCAQE="}`}}, "csc timestamp", []string{"^fail", "does not hold"}},
		"credentials not ours": {[]dtmsim.Fault{{Path: "credentials/list", Status: 403}}, "csc access", []string{"^fail", "may not list credentials", "DTM_CLIENT_SECRET"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, f := range c.faults {
				f.N = 10
				s.sim.Trouble(f)
			}
			defer s.sim.ClearFaults()
			lines, code := s.doctorWith(t, []string{"-credential", "ada-2026"})
			for _, text := range c.says {
				if strings.HasPrefix(text, "^") {
					require.Regexp(t, text, lines[c.part])
					switch text {
					case "^fail":
						require.Equal(t, 1, code)
					case "^warn":
						require.Zero(t, code, lines)
					}
					continue
				}
				require.Contains(t, lines[c.part], text)
			}
		})
	}
	require.Equal(t, ledger, s.sim.Ledger())
}

func TestDoctorHoldsTheChainsAgainstTheRoots(t *testing.T) {
	s := newSurroundings(t)
	s.sim.Signer("cp-advanced", "ada-2026")
	path := filepath.Join(s.folder, "other.pem")
	now := time.Now()
	require.NoError(t, os.WriteFile(path, []byte(root(t, "Other", now.AddDate(-1, 0, 0), now.AddDate(5, 0, 0))), 0o600))
	lines, code := s.doctorWith(t, []string{"-credential", "ada-2026"}, "TRUST_ROOTS", path)
	require.Equal(t, 1, code)
	require.Regexp(t, "^fail.*certificate must not sign.*TRUST_ROOTS", lines["csc credential"])
	require.Regexp(t, "^warn.*clock service is not trusted.*TRUST_ROOTS", lines["csc timestamp"])
	lines, code = s.doctorWith(t, []string{"-credential", "ada-2026"}, "TRUST_ROOTS", "")
	require.Zero(t, code)
	require.Regexp(t, "^warn.*without TRUST_ROOTS", lines["csc credential"])
}

// front stands before the simulator: with TLS, or with another clock.
func (s *surroundings) front(t *testing.T, cert *tls.Certificate, change func(http.Header)) string {
	t.Helper()
	to, err := url.Parse(s.sim.BaseURL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ModifyResponse = func(r *http.Response) error {
		if change != nil {
			change(r.Header)
		}
		return nil
	}
	server := httptest.NewUnstartedServer(proxy)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if cert == nil {
		server.Start()
	} else {
		server.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	return server.URL
}

// certified is a certificate of a server, with its root as PEM.
func certified(t *testing.T, name string, from, to time.Time) (cert tls.Certificate, rootPEM string) {
	t.Helper()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	top := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Inside Root"}, NotBefore: time.Now().AddDate(-3, 0, 0), NotAfter: time.Now().AddDate(3, 0, 0), IsCA: true, BasicConstraintsValid: true}
	rootDER, err := x509.CreateCertificate(rand.Reader, top, top, rootKey.Public(), rootKey)
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, top, key.Public(), rootKey)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}))
}

func TestDoctorLooksAtNamesAddressesAndTLS(t *testing.T) {
	s := newSurroundings(t)
	now := time.Now()
	good, roots := certified(t, "127.0.0.1", now.Add(-time.Hour), now.AddDate(1, 0, 0))
	soon, soonRoots := certified(t, "127.0.0.1", now.Add(-time.Hour), now.AddDate(0, 0, 5))
	ended, endedRoots := certified(t, "127.0.0.1", now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1))
	other, otherRoots := certified(t, "other.example.test", now.Add(-time.Hour), now.AddDate(1, 0, 0))
	for name, c := range map[string]struct {
		cert  tls.Certificate
		roots string
		level string
		says  []string
	}{
		"as it should be": {good, roots, "ok", []string{"TLS 1.3", now.AddDate(1, 0, 0).UTC().Format(time.DateOnly), "Inside Root", "the roots of DTM_TLS_ROOTS", "127.0.0.1 is at 127.0.0.1"}},
		"ending soon":     {soon, soonRoots, "warn", []string{"ends on", "renew"}},
		"ended":           {ended, endedRoots, "fail", []string{"renew", "clock"}},
		"for another":     {other, otherRoots, "fail", []string{"is for other.example.test, not for 127.0.0.1", "DTM_URL"}},
		"another root":    {good, endedRoots, "fail", []string{"Inside Root", "DTM_TLS_ROOTS"}},
		"no roots given":  {good, "", "fail", []string{"not among this machine's roots", "Give that root in DTM_TLS_ROOTS"}},
	} {
		t.Run(name, func(t *testing.T) {
			address := s.front(t, &c.cert, nil)
			pairs := []string{"DTM_URL", address, "DTM_TOKEN_URL", address + "/account/api/v1/oauth2/token"}
			if c.roots != "" {
				path := filepath.Join(t.TempDir(), "tls.pem")
				require.NoError(t, os.WriteFile(path, []byte(c.roots), 0o600))
				pairs = append(pairs, "DTM_TLS_ROOTS", path)
			}
			lines, code := s.doctor(t, pairs...)
			require.Regexp(t, "^"+c.level+" ", lines["dtm network"])
			for _, text := range c.says {
				require.Contains(t, lines["dtm network"], text)
			}
			require.Equal(t, c.level == "fail", code == 1)
			later := "^ok "
			if c.level == "fail" {
				later = "^not_tried not tried, since "
			}
			for _, part := range []string{"dtm api", "csc info", "csc access", "csc timestamp"} {
				require.Regexp(t, later, lines[part], part)
			}
			require.Regexp(t, "^ok ", lines["sign-in"])
		})
	}
	lines, code := s.doctor(t, "DTM_URL", "https://dtm.invalid", "OIDC_ISSUER", "https://login.invalid", "SMTP_URL", "smtps://mail.invalid")
	require.Equal(t, 1, code)
	for part, setting := range map[string]string{"dtm network": "DTM_URL", "sign-in network": "OIDC_ISSUER", "mail network": "SMTP_URL"} {
		require.Regexp(t, "^fail.*invalid does not resolve.*"+setting, lines[part])
	}
	lines, _ = s.doctor(t, "DTM_URL", strings.Replace(s.sim.BaseURL, "http://", "https://", 1))
	require.Regexp(t, "^fail.*TLS with 127.0.0.1 does not come about", lines["dtm network"])
}

func TestDoctorComparesEveryClock(t *testing.T) {
	s := newSurroundings(t)
	address := s.front(t, nil, func(h http.Header) { h.Set("Date", time.Now().Add(-3*time.Minute).UTC().Format(http.TimeFormat)) })
	lines, code := s.doctor(t, "DTM_URL", address)
	require.Zero(t, code)
	require.Regexp(t, "^warn.*that of DTM are [23]m[0-9]+s apart", lines["csc info"])
	require.Contains(t, lines["database"], "the clock of the database agrees")

	s.sim = dtmtest.Start(t, func(o *dtmsim.Options) { o.Now = func() time.Time { return time.Now().Add(10 * time.Minute) } })
	lines, code = s.doctor(t, "DTM_URL", s.sim.BaseURL, "DTM_API_KEY", s.sim.APIKey, "DTM_CLIENT_SECRET", s.sim.ClientSecret)
	require.Equal(t, 1, code)
	require.Regexp(t, "^fail.*clock service and this machine's clock are (10m0s|9m[0-9]+s) apart", lines["csc timestamp"])
}

func TestDoctorIsReadOnATerminal(t *testing.T) {
	s := newSurroundings(t)
	settings := setting(s.folder, "DTM_URL", "http://"+freeAddress(t), "OIDC_ISSUER", s.settings["OIDC_ISSUER"])
	out, code := portal(t, settings, "doctor")
	require.Equal(t, 1, code)
	hidesSecrets(t, out)
	lines := strings.Split(out, "\n")
	for _, line := range lines {
		require.LessOrEqual(t, len([]rune(line)), 140, line)
		require.NotContains(t, line, "\t")
	}
	require.Regexp(t, `(?m)^fail       dtm network       nothing can be reached`, out)
	require.Regexp(t, `(?m)^not tried  dtm api           not tried, since dtm network failed`, out)
	require.Regexp(t, `(?m)^\d+ ok, \d+ to look at, \d+ failed, \d+ not tried$`, out)

	for _, wrong := range [][]string{{"doctor", "-credentials"}, {"doctor", "now"}} {
		out, code = portal(t, s.settings, wrong...)
		require.Equal(t, 2, code, out)
	}
	out, code = portal(t, s.settings, "doctor", "-h")
	require.Zero(t, code)
	require.Contains(t, out, "Exit 0: nothing failed, 1: something failed, 2: it could not look.")
}
