package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
	"countersign/idpsim"
)

// surroundings are everything that doctor looks at, in good health.
type surroundings struct {
	sim      *dtmtest.Sim
	letters  *letterbox
	folder   string
	settings map[string]string
	// provider may be changed to answer in the place of the login provider.
	provider atomic.Pointer[http.Handler]
}

// letterbox is a mail server that counts what is handed in.
type letterbox struct{ sessions, letters atomic.Int32 }

func (l *letterbox) NewSession(*smtp.Conn) (smtp.Session, error) {
	l.sessions.Add(1)
	return letterSession{l}, nil
}

type letterSession struct{ *letterbox }

func (letterSession) Reset()        {}
func (letterSession) Logout() error { return nil }
func (s letterSession) Mail(string, *smtp.MailOptions) error {
	s.letters.Add(1)
	return smtp.ErrAuthUnsupported
}
func (letterSession) Data(io.Reader) error                 { return smtp.ErrAuthUnsupported }
func (letterSession) Rcpt(string, *smtp.RcptOptions) error { return smtp.ErrAuthUnsupported }

func newSurroundings(t *testing.T) *surroundings {
	t.Helper()
	s := &surroundings{sim: dtmtest.Start(t), letters: new(letterbox), folder: t.TempDir()}
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.provider.Load()).ServeHTTP(w, r) }))
	t.Cleanup(login.Close)
	provider, err := idpsim.New(idpsim.Options{Issuer: login.URL, ClientID: "portal", ClientSecret: "oidc-secret-canary",
		RedirectURIs: []string{"https://sign.example.test/auth/callback"}})
	require.NoError(t, err)
	s.answerAs(provider.Handler())

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := smtp.NewServer(s.letters)
	server.Domain = "mail.example.test"
	server.ErrorLog = log.New(io.Discard, "", 0)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })

	roots := filepath.Join(s.folder, "roots.pem")
	require.NoError(t, os.WriteFile(roots, []byte(s.sim.RootPEM()), 0o600))
	s.settings = setting(s.folder, "OIDC_ISSUER", login.URL, "DTM_URL", s.sim.BaseURL, "DTM_API_KEY", s.sim.APIKey, "DTM_CLIENT_ID", s.sim.ClientID,
		"DTM_CLIENT_SECRET", s.sim.ClientSecret, "DTM_ACCOUNT_ID", s.sim.AccountID, "TRUST_ROOTS", roots, "SMTP_URL", "smtp://"+l.Addr().String()+"?tls=none")
	require.NoError(t, os.Mkdir(s.settings["BLOB_DIR"], 0o700))
	out, code := portal(t, s.settings, "migrate")
	require.Zero(t, code, out)
	return s
}

func (s *surroundings) answerAs(h http.Handler) { s.provider.Store(&h) }

// examination is the report of doctor for machines.
type examination struct {
	Well   bool `json:"well"`
	Checks []struct {
		Name  string `json:"name"`
		Level string `json:"level"`
		Says  []struct {
			Level   string `json:"level"`
			Text    string `json:"text"`
			Assumed string `json:"assumed"`
		} `json:"says"`
	} `json:"checks"`
}

// doctor runs the command with some settings changed, and answers what each check says,
// its level first.
func (s *surroundings) doctor(t *testing.T, pairs ...string) (lines map[string]string, code int) {
	t.Helper()
	return s.doctorWith(t, nil, pairs...)
}

func (s *surroundings) doctorWith(t *testing.T, flags []string, pairs ...string) (lines map[string]string, code int) {
	t.Helper()
	settings := maps.Clone(s.settings)
	for i := 0; i < len(pairs); i += 2 {
		settings[pairs[i]] = pairs[i+1]
	}
	out, code := portal(t, settings, append([]string{"doctor", "-json"}, flags...)...)
	hidesSecrets(t, out)
	for _, secret := range []string{s.sim.APIKey, s.sim.ClientSecret} {
		require.NotContains(t, out, secret)
	}
	for _, never := range []string{"qualified", "SCAL2", "valid signature"} {
		require.NotContains(t, strings.ToLower(out), strings.ToLower(never))
	}
	var told examination
	require.NoError(t, json.Unmarshal([]byte(out), &told), out)
	require.Equal(t, code == 0, told.Well)
	lines = map[string]string{}
	for _, c := range told.Checks {
		require.NotEmpty(t, c.Says, c.Name)
		line := c.Level
		for _, one := range c.Says {
			line += " " + one.Text + " " + one.Assumed
		}
		require.NotContains(t, lines, c.Name)
		lines[c.Name] = line
	}
	return lines, code
}

func TestDoctorFindsAHealthySiteHealthy(t *testing.T) {
	s := newSurroundings(t)
	begin := time.Now()
	lines, code := s.doctor(t)
	require.Less(t, time.Since(begin), 8*time.Second)
	require.Zero(t, code, lines)
	for _, name := range []string{"configuration", "address", "database", "trust roots", "sign-in network", "sign-in", "dtm network", "dtm api", "dtm listings",
		"csc network", "csc info", "csc tokens", "csc access", "csc timestamp", "mail network", "mail", "clock"} {
		require.Regexp(t, "^ok ", lines[name], name)
	}
	require.Contains(t, lines, "go")
	require.NotRegexp(t, "^fail", lines["documents"]) // the disk of this machine may be short of room
	require.EqualValues(t, 1, s.letters.sessions.Load())
	require.Zero(t, s.letters.letters.Load(), "doctor sends nothing")

	kept, err := filepath.Glob(filepath.Join(s.folder, "blobs", "*", "*", "*"))
	require.NoError(t, err)
	require.Empty(t, kept, "the probe is gone")
}

func TestDoctorNamesThePartThatIsBroken(t *testing.T) {
	s := newSurroundings(t)
	away := freeAddress(t)
	for name, broken := range map[string]struct {
		pairs []string
		part  string
		says  []string
	}{
		"provider away":       {[]string{"OIDC_ISSUER", "http://" + away}, "sign-in network", []string{"fail", "OIDC_ISSUER"}},
		"issuer not exact":    {[]string{"OIDC_ISSUER", s.settings["OIDC_ISSUER"] + "/"}, "sign-in", []string{"fail", "calls itself", "exactly"}},
		"scope unknown":       {[]string{"OIDC_SCOPES", "openid,groups"}, "sign-in", []string{"warn", "groups"}},
		"service away":        {[]string{"DTM_URL", "http://" + away}, "dtm network", []string{"fail", "DTM_URL", "connection refused"}},
		"key refused":         {[]string{"DTM_API_KEY", "api-key-canary"}, "dtm api", []string{"fail", "refused", "401", "DTM_API_KEY"}},
		"client refused":      {[]string{"DTM_CLIENT_SECRET", "dtm-secret-canary"}, "csc access", []string{"fail", "refused", "DTM_CLIENT_SECRET"}},
		"mail away":           {[]string{"SMTP_URL", "smtp://user:smtp-password-canary@" + away}, "mail network", []string{"fail", "SMTP_URL"}},
		"mail without TLS":    {[]string{"SMTP_URL", strings.TrimSuffix(s.settings["SMTP_URL"], "?tls=none")}, "mail", []string{"fail", "STARTTLS"}},
		"database away":       {[]string{"DATABASE_URL", "postgres://user:smtp-password-canary@" + away + "/portal"}, "database", []string{"fail", "DATABASE_URL"}},
		"database not there":  {[]string{"DATABASE_URL", "sqlite:" + filepath.Join(s.folder, "new.db")}, "database", []string{"warn", "not there yet"}},
		"folder not there":    {[]string{"DATABASE_URL", "sqlite:" + filepath.Join(s.folder, "no", "new.db")}, "database", []string{"fail", "Make its folder"}},
		"documents not there": {[]string{"BLOB_DIR", filepath.Join(s.folder, "new")}, "documents", []string{"warn", "not there yet"}},
		"documents no folder": {[]string{"BLOB_DIR", s.settings["TRUST_ROOTS"]}, "documents", []string{"fail"}},
		"roots none":          {[]string{"TRUST_ROOTS", ""}, "trust roots", []string{"warn", "TRUST_ROOTS"}},
		"address in clear":    {[]string{"BASE_URL", "http://sign.example.test"}, "address", []string{"warn", "TLS"}},
		"a slip":              {[]string{"DTM_APIKEY", "x"}, "configuration", []string{"warn", "DTM_APIKEY", "no such variable"}},
	} {
		t.Run(name, func(t *testing.T) {
			lines, code := s.doctor(t, broken.pairs...)
			for _, text := range broken.says {
				require.Contains(t, lines[broken.part], text)
			}
			if broken.says[0] == "fail" {
				require.Equal(t, 1, code)
			} else {
				require.Zero(t, code)
			}
			if !strings.HasPrefix(broken.part, "dtm") && broken.part != "csc access" {
				require.Regexp(t, "^ok ", lines["dtm api"], "the other parts are looked at all the same")
			}
		})
	}
	require.NoFileExists(t, filepath.Join(s.folder, "new.db"))
	require.NoDirExists(t, filepath.Join(s.folder, "new"))
}

func TestDoctorLooksAtTheRestWhenAVariableIsWrong(t *testing.T) {
	s := newSurroundings(t)
	lines, code := s.doctor(t, "MASTER_KEY", "short", "OIDC_ISSUER", "login")
	require.Equal(t, 1, code)
	require.Contains(t, lines["configuration"], "MASTER_KEY: ")
	require.Contains(t, lines["configuration"], "OIDC_ISSUER: ")
	require.Contains(t, lines["documents"], "not tried, since MASTER_KEY")
	require.Contains(t, lines["sign-in"], "not tried, since OIDC_ISSUER")
	require.Regexp(t, "^ok ", lines["csc info"])
	require.Regexp(t, "^ok ", lines["database"])
}

func TestDoctorTellsASchemaThatIsBehindAndOneThatIsAhead(t *testing.T) {
	s := newSurroundings(t)
	empty := filepath.Join(s.folder, "empty.db")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	lines, code := s.doctor(t, "DATABASE_URL", "sqlite:"+empty)
	require.Zero(t, code)
	require.Contains(t, lines["database"], "portal migrate")
	lines, _ = s.doctor(t, "DATABASE_URL", "sqlite:"+empty)
	require.Contains(t, lines["database"], "portal migrate", "looking changed nothing")

	require.NoError(t, os.WriteFile(empty, []byte(strings.Repeat("not a database", 100)), 0o600))
	lines, code = s.doctor(t, "DATABASE_URL", "sqlite:"+empty)
	require.Equal(t, 1, code)
	require.Regexp(t, "^fail", lines["database"])
}

func TestDoctorSaysWhatTheProviderLacks(t *testing.T) {
	s := newSurroundings(t)
	issuer := s.settings["OIDC_ISSUER"]
	full := map[string]any{"issuer": issuer, "authorization_endpoint": issuer + "/a", "token_endpoint": issuer + "/t", "jwks_uri": issuer + "/k",
		"end_session_endpoint": issuer + "/e", "code_challenge_methods_supported": []string{"plain", "S256"}, "id_token_signing_alg_values_supported": []string{"RS256"}}
	keys := `{"keys":[{"kty":"RSA"}]}`
	ask := func(change func(doc map[string]any)) (string, int) {
		doc := maps.Clone(full)
		change(doc)
		s.answerAs(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/k" {
				_, _ = w.Write([]byte(keys))
				return
			}
			_ = json.NewEncoder(w).Encode(doc)
		}))
		lines, code := s.doctor(t)
		return lines["sign-in"], code
	}
	line, code := ask(func(map[string]any) {})
	require.Regexp(t, "^ok ", line)
	require.Zero(t, code)
	for field, says := range map[string]string{"code_challenge_methods_supported": "PKCE with S256", "end_session_endpoint": "end_session_endpoint"} {
		line, code = ask(func(doc map[string]any) { delete(doc, field) })
		require.Regexp(t, "^warn", line)
		require.Contains(t, line, says)
		require.Zero(t, code)
	}
	line, code = ask(func(doc map[string]any) { doc["code_challenge_methods_supported"] = []string{"plain"} })
	require.Contains(t, line, "PKCE with S256")
	require.Zero(t, code)
	for _, field := range []string{"token_endpoint", "jwks_uri", "authorization_endpoint"} {
		line, code = ask(func(doc map[string]any) { delete(doc, field) })
		require.Contains(t, line, field)
		require.Equal(t, 1, code)
	}
	line, code = ask(func(doc map[string]any) { doc["id_token_signing_alg_values_supported"] = []string{"HS256"} })
	require.Contains(t, line, "RS256")
	require.Equal(t, 1, code)
	keys = `{"keys":[]}`
	line, code = ask(func(map[string]any) {})
	require.Contains(t, line, "keys")
	require.Equal(t, 1, code)
	s.answerAs(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	lines, code := s.doctor(t)
	require.Contains(t, lines["sign-in"], "answered 302")
	require.Equal(t, 1, code)
}

func TestDoctorWarnsOfAClockThatIsOff(t *testing.T) {
	s := newSurroundings(t)
	right := *s.provider.Load()
	for offset, level := range map[time.Duration]string{-55 * time.Second: "ok", 55 * time.Second: "ok", -2 * time.Minute: "warn", 3 * time.Hour: "warn"} {
		s.answerAs(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(offset).UTC().Format(http.TimeFormat))
			right.ServeHTTP(w, r)
		}))
		lines, code := s.doctor(t)
		require.Regexp(t, "^"+level, lines["clock"], offset)
		require.Contains(t, lines["csc info"], "the clock of DTM agrees")
		require.Zero(t, code)
	}
}

func TestDoctorSaysWhatTheServiceRefuses(t *testing.T) {
	s := newSurroundings(t)
	s.sim.Trouble(dtmsim.Fault{Path: "/account/api/v1/role", N: 10, Status: 403, Body: `{"errors":[{"code":"access_denied","message":"no"}]}`})
	lines, code := s.doctor(t)
	require.Equal(t, 1, code)
	require.Contains(t, lines["dtm api"], "may not list roles")
	require.Regexp(t, "^ok ", lines["csc access"])

	s = newSurroundings(t)
	s.sim.Trouble(dtmsim.Fault{Path: "csc/v1/info", N: 10, Status: 200, Body: `{"specs":"1.0.4.0","name":"Thin","oauth2":"` + s.sim.BaseURL + `/account/api/v1","methods":["info","credentials/list"]}`})
	lines, code = s.doctor(t)
	require.Zero(t, code)
	require.Regexp(t, "^warn", lines["csc info"])
	require.Contains(t, lines["csc info"], "signatures/signHash")
	require.Contains(t, lines["csc info"], "signatures/timestamp")

	s = newSurroundings(t)
	s.sim.Trouble(dtmsim.Fault{Path: "csc/v1/info", N: 10, Garbage: true})
	lines, code = s.doctor(t)
	require.Equal(t, 1, code)
	require.Regexp(t, "^fail", lines["csc info"])
}

func TestDoctorDoesNotWaitForEver(t *testing.T) {
	t.Parallel() // it waits
	s := newSurroundings(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s.answerAs(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	begin := time.Now()
	lines, code := s.doctor(t)
	require.Less(t, time.Since(begin), 13*time.Second)
	require.Equal(t, 1, code)
	require.Contains(t, lines["sign-in"], "no answer")
	require.Regexp(t, "^warn", lines["clock"])
	require.Regexp(t, "^ok ", lines["csc info"])
}

func TestDoctorReadsTheTrustRoots(t *testing.T) {
	s := newSurroundings(t)
	now := time.Now()
	path := filepath.Join(s.folder, "some.pem")
	old, soon, later := root(t, "Old", now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0)), root(t, "Soon", now.AddDate(-1, 0, 0), now.AddDate(0, 0, 9)), root(t, "Later", now.AddDate(1, 0, 0), now.AddDate(2, 0, 0))
	for _, c := range []struct {
		text, level, says string
		code              int
	}{
		{s.sim.RootPEM(), "ok", "1 can be used", 0},
		{s.sim.RootPEM() + old, "warn", "Old", 0},
		{s.sim.RootPEM() + soon, "warn", "Soon", 0},
		{old + later, "fail", "none of them", 1},
	} {
		require.NoError(t, os.WriteFile(path, []byte(c.text), 0o600))
		lines, code := s.doctor(t, "TRUST_ROOTS", path)
		require.Regexp(t, "^"+c.level, lines["trust roots"])
		require.Contains(t, lines["trust roots"], c.says)
		require.Equal(t, c.code, code)
	}
}

func root(t *testing.T, name string, from, to time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestDoctorMarksAProbeThatCannotBeKept(t *testing.T) {
	s := newSurroundings(t)
	// A file stands where every folder of the probe would: also root cannot write there.
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	for _, first := range letters {
		for _, second := range letters {
			require.NoError(t, os.WriteFile(filepath.Join(s.settings["BLOB_DIR"], string(first)+string(second)), nil, 0o600))
		}
	}
	lines, code := s.doctor(t)
	require.Equal(t, 1, code)
	require.Contains(t, lines["documents"], "a probe could not be kept")
}
