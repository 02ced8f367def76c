package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// program is the portal as it is shipped: static, without cgo.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "portal")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "portal")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

const (
	masterKey = "master-key-canary-of-32-bytes-00"
	cookieKey = "cookie-key-canary-of-32-bytes-00"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// canaries are the secrets of setting.
var canaries = []string{b64(masterKey), b64(cookieKey), masterKey, cookieKey, "oidc-secret-canary", "api-key-canary", "dtm-secret-canary", "smtp-password-canary"}

// setting is a whole configuration; pairs change it, an empty value takes a variable away.
func setting(folder string, pairs ...string) map[string]string {
	all := map[string]string{
		"LISTEN": "127.0.0.1:0", "BASE_URL": "https://sign.example.test", "DATABASE_URL": "sqlite:" + filepath.Join(folder, "portal.db"),
		"BLOB_DIR": filepath.Join(folder, "blobs"), "MASTER_KEY": b64(masterKey), "COOKIE_KEY": b64(cookieKey), "LOG_LEVEL": "debug",
		"OIDC_ISSUER": "http://127.0.0.1:1", "OIDC_CLIENT_ID": "portal", "OIDC_CLIENT_SECRET": "oidc-secret-canary",
		"DTM_URL": "http://127.0.0.1:1", "DTM_API_KEY": "api-key-canary", "DTM_CLIENT_ID": "client", "DTM_CLIENT_SECRET": "dtm-secret-canary",
		"DTM_ACCOUNT_ID": "account", "SMTP_URL": "smtp://user:smtp-password-canary@127.0.0.1:1", "MAIL_FROM": "portal@example.test",
	}
	for i := 0; i < len(pairs); i += 2 {
		if all[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(all, pairs[i])
		}
	}
	return all
}

func environment(settings map[string]string) []string {
	env := []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return env
}

// portal runs the program to its end and answers everything it printed.
func portal(t *testing.T, settings map[string]string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir = environment(settings), t.TempDir()
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(text), exit.ExitCode()
	}
	require.NoError(t, err)
	return string(text), 0
}

func hidesSecrets(t *testing.T, out string) {
	t.Helper()
	for _, secret := range canaries {
		require.NotContains(t, out, secret)
	}
}

func TestAllProblemsOfTheConfigurationAreToldTogether(t *testing.T) {
	out, code := portal(t, setting(t.TempDir(), "BASE_URL", "https://sign.example.test/below", "OIDC_ISSUER", "login.example.test", "DTM_URL", "ftp://dtm.example.test",
		"MASTER_KEY", b64("master-key-canary"), "COOKIE_KEY", "cookie-key-canary!", "TRUSTED_PROXIES", "10.0.0.0/8,proxy.example.test", "BRAND_CHROMA", "3",
		"MAX_UPLOAD", "much", "SESSION_IDLE", "soon", "DTM_API_KEY", "", "DTM_ACCOUNT_ID", "", "DTM_CLIENT_SECRET", "",
		"DTM_API_KEY_FILE", "missing.key", "MAILBOX_URL", "http://mail.example.test"), "serve")
	require.Equal(t, 1, code)
	for _, name := range []string{"BASE_URL", "OIDC_ISSUER", "DTM_URL", "MASTER_KEY", "COOKIE_KEY", "TRUSTED_PROXIES", "BRAND_CHROMA", "MAX_UPLOAD: ", "SESSION_IDLE: ",
		"DTM_API_KEY_FILE", "DTM_ACCOUNT_ID", "DTM_CLIENT_SECRET", "MAILBOX_URL"} {
		require.Contains(t, out, name)
	}
	hidesSecrets(t, out)
	require.NotContains(t, out, "key-canary")

	out, code = portal(t, map[string]string{}, "serve")
	require.Equal(t, 1, code)
	for _, name := range []string{"BASE_URL", "MASTER_KEY", "COOKIE_KEY", "OIDC_ISSUER", "OIDC_CLIENT_ID", "DTM_URL", "DTM_API_KEY", "DTM_CLIENT_ID", "DTM_CLIENT_SECRET", "DTM_ACCOUNT_ID"} {
		require.Contains(t, out, name)
	}
}

func TestTroubleAtTheStartTellsNoSecret(t *testing.T) {
	for name, pairs := range map[string][]string{
		"database away":   {"DATABASE_URL", "postgres://user:database-password-canary@127.0.0.1:1/portal"},
		"database wrong":  {"DATABASE_URL", "mysql://user:database-password-canary@127.0.0.1/portal"},
		"mail wrong":      {"SMTP_URL", "smtp://user:smtp-password-canary@127.0.0.1:1?tls=none"},
		"mail not at all": {"SMTP_URL", ""},
		"port taken":      {"LISTEN", taken(t)},
		"roots missing":   {"TRUST_ROOTS", "missing.pem"},
		"level":           {"LOG_LEVEL", "loud"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := portal(t, setting(t.TempDir(), pairs...), "serve")
			require.Equal(t, 1, code, out)
			require.Contains(t, out, "portal: ")
			require.NotContains(t, out, "database-password-canary")
			require.NotContains(t, out, "panic")
			hidesSecrets(t, out)
		})
	}
}

func taken(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestUnknownCommandsAreWrongUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"sign"}, {"verify"}, {"verify", "a", "b"}, {"verify", "-colour", "a"}} {
		out, code := portal(t, nil, args...)
		require.Equal(t, 4, code, args)
		require.NotEmpty(t, out)
	}
	out, code := portal(t, nil, "version")
	require.Zero(t, code)
	require.Contains(t, out, "go1.")
}

func TestHealthAsksWhetherTheSiteIsReady(t *testing.T) {
	status := http.StatusOK
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "/readyz", r.URL.Path)
		w.WriteHeader(status)
	}))
	defer site.Close()
	_, port, err := net.SplitHostPort(site.Listener.Addr().String())
	require.NoError(t, err)
	ask := func(settings map[string]string, args ...string) int {
		_, code := portal(t, settings, append([]string{"health"}, args...)...)
		return code
	}
	require.Equal(t, 0, ask(nil, site.URL+"/readyz"))
	for _, listen := range []string{"127.0.0.1:" + port, ":" + port, "0.0.0.0:" + port} {
		require.Equal(t, 0, ask(setting(t.TempDir(), "LISTEN", listen)), listen)
	}
	status = http.StatusServiceUnavailable
	require.Equal(t, 1, ask(nil, site.URL+"/readyz"))
	require.Equal(t, 1, ask(nil, "http://"+freeAddress(t)+"/readyz"))
}

// served is the program while it serves.
type served struct {
	*exec.Cmd
	out   *bytes.Buffer
	ended chan error
}

func start(t *testing.T, cmd *exec.Cmd) *served {
	t.Helper()
	s := &served{cmd, new(bytes.Buffer), make(chan error, 1)}
	cmd.Stdout, cmd.Stderr = s.out, s.out
	require.NoError(t, cmd.Start())
	go func() { s.ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return s
}

// ready waits for the site and answers how long it took.
func (s *served) ready(t *testing.T, address string) time.Duration {
	t.Helper()
	begin := time.Now()
	for time.Since(begin) < 20*time.Second {
		answer, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return time.Since(begin)
			}
		}
		select {
		case err := <-s.ended:
			t.Fatalf("it ended: %v\n%s", err, s.out)
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Fatal("it did not get ready")
	return 0
}

// stop asks it to end and wants that to go well.
func (s *served) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, s.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-s.ended:
		require.NoError(t, err, s.out)
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
	}
}

func TestItServesAndDrainsAndTellsNoSecret(t *testing.T) {
	folder, address := t.TempDir(), freeAddress(t)
	settings := setting(folder, "LISTEN", address)
	secretFile := filepath.Join(folder, "api.key")
	require.NoError(t, os.WriteFile(secretFile, []byte(settings["DTM_API_KEY"]+"\n"), 0o600))
	delete(settings, "DTM_API_KEY")
	settings["DTM_API_KEY_FILE"] = secretFile
	out, code := portal(t, settings, "migrate")
	require.Zero(t, code, out)
	for range 2 { // and again on the same data
		cmd := exec.Command(program, "serve")
		cmd.Env, cmd.Dir = environment(settings), t.TempDir()
		s := start(t, cmd)
		t.Logf("ready after %v", s.ready(t, address))
		for _, path := range []string{"/", "/help", "/login", "/documents", "/auth/callback?code=a&state=b"} {
			answer, err := http.Get("http://" + address + path)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.NotEqual(t, http.StatusInternalServerError, answer.StatusCode, path)
		}
		// A request that is under way when it is asked to end gets its answer.
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		_, err = conn.Write([]byte("POST /verify HTTP/1.1\r\nHost: " + address + "\r\nContent-Length: 10\r\nConnection: close\r\n\r\n12345"))
		require.NoError(t, err)
		time.Sleep(50 * time.Millisecond) // until it is being handled
		require.NoError(t, s.Process.Signal(syscall.SIGTERM))
		time.Sleep(50 * time.Millisecond)
		_, err = conn.Write([]byte("67890"))
		require.NoError(t, err)
		answer := make([]byte, 12)
		_, err = conn.Read(answer)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 422", string(answer))
		require.NoError(t, conn.Close())
		require.NoError(t, <-s.ended, s.out)
		hidesSecrets(t, s.out.String())
		require.Contains(t, s.out.String(), "draining")
		require.True(t, strings.HasPrefix(s.out.String(), "{"), "the log is JSON")
	}
}
