package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheReferenceOfTheConfigurationIsFresh(t *testing.T) {
	out, code := portal(t, nil, "config", "-markdown")
	require.Zero(t, code)
	kept, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	require.Equal(t, string(kept), out, "run make generate")
}

// The struct is read as text, so that a field nobody described is found also when the
// program would leave it out.
func TestEveryVariableIsDescribed(t *testing.T) {
	source, err := os.ReadFile("config.go")
	require.NoError(t, err)
	reference, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	fields := regexp.MustCompile("(?m)^\t[A-Z]\\w*\\s+\\S+\\s+`(.*)`$").FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(fields), 40)
	for _, f := range fields {
		name := regexp.MustCompile(`env:"(\w+)`).FindStringSubmatch(f[1])
		require.NotNil(t, name, f[1])
		require.Regexp(t, `help:"[A-Z].{12,}\."`, f[1])
		require.Contains(t, string(reference), "| `"+name[1]+"` | ")
	}
}

func TestTheConfigurationInForceIsPrintedWithoutSecrets(t *testing.T) {
	folder := t.TempDir()
	key := filepath.Join(folder, "api.key")
	require.NoError(t, os.WriteFile(key, []byte("api-key-canary\n"), 0o600))
	out, code := portal(t, setting(folder, "DTM_API_KEY", "", "DTM_API_KEY_FILE", key, "OIDC_SCOPES", "openid, email ,", "SESSION_IDLE", "90m",
		"SESSION_ABSOLUTE", "", "DATABASE_URL", "postgres://portal:database-password-canary@db.example.test/portal?sslmode=verify-full&password=query-canary"), "config")
	require.Zero(t, code, out)
	hidesSecrets(t, out)
	require.NotContains(t, out, "canary")
	for _, line := range []string{"MASTER_KEY=[redacted]", "DTM_API_KEY=[redacted]  # from " + key, "SMTP_URL=smtp://[redacted]@127.0.0.1:1",
		"DATABASE_URL=postgres://[redacted]@db.example.test/portal?[redacted]", "OIDC_SCOPES=openid,email", "SESSION_IDLE=1h30m0s",
		"SESSION_ABSOLUTE=8h0m0s  # default", "TRUST_ROOTS="} {
		require.Contains(t, strings.Split(out, "\n"), line)
	}
}

func TestWhatIsSetIsPrintedAlsoWhenItDoesNotHold(t *testing.T) {
	out, code := portal(t, map[string]string{"BASE_URL": "https://sign.example.test"}, "config")
	require.Equal(t, 1, code)
	require.Contains(t, out, "BASE_URL=https://sign.example.test\n")
	require.Contains(t, out, "MASTER_KEY=  # not set\n")
	require.Contains(t, out, "OIDC_ISSUER: it must be set.")
}

func TestImpossibleCombinationsAreRefused(t *testing.T) {
	for variable, pairs := range map[string][]string{
		"DTM_URL: it must be https":                            {"DTM_URL", "http://dtm.example.test"},
		"DTM_URL: leave /documentmanager":                      {"DTM_URL", "https://dtm.example.test/documentmanager/"},
		"MAILBOX_URL: SMTP_URL is set too":                     {"MAILBOX_URL", "http://127.0.0.1:2"},
		"DTM_API_KEY_FILE: DTM_API_KEY is set too":             {"DTM_API_KEY_FILE", "/etc/hostname"},
		"QUOTA_BYTES: ":                                        {"QUOTA_BYTES", "1000"},
		"SESSION_ABSOLUTE: ":                                   {"SESSION_ABSOLUTE", "5m"},
		"OIDC_ADMIN_ROLES: \"signer\" is in OIDC_SIGNER_ROLES": {"OIDC_ADMIN_ROLES", "boss,signer"},
		"OIDC_SCOPES: openid":                                  {"OIDC_SCOPES", "profile"},
		"DTM_AUTHORIZE_TIMEOUT: ":                              {"DTM_AUTHORIZE_TIMEOUT", "10m"},
		"METRICS_LISTEN: it must not be":                       {"LISTEN", "127.0.0.1:9090", "METRICS_LISTEN", "127.0.0.1:9090"},
		"LISTEN: ":                                             {"LISTEN", "8080"},
		"DATABASE_URL: ":                                       {"DATABASE_URL", "mysql://db.example.test/portal"},
		"TRUST_ROOTS: the roots cannot":                        {"TRUST_ROOTS", "missing.pem"},
		"SMTP_URL: a name and password need":                   {"SMTP_URL", "smtp://user:smtp-password-canary@127.0.0.1:1?tls=none"},
		"MAIL_FROM: ":                                          {"MAIL_FROM", "nobody"},
	} {
		out, code := portal(t, setting(t.TempDir(), pairs...), "config")
		require.Equal(t, 1, code, variable)
		require.Contains(t, out, "\n  "+variable)
		require.Equal(t, 1, strings.Count(out, "\n  "), "one cause is told once: %s", out)
		hidesSecrets(t, out)
	}
}

func TestASimulatorElsewhereNeedsLeave(t *testing.T) {
	pairs := []string{"DTM_URL", "http://dtm.example.test", "SMTP_URL", "", "MAILBOX_URL", "http://dtm.example.test"}
	out, code := portal(t, setting(t.TempDir(), pairs...), "config")
	require.Equal(t, 1, code)
	require.Contains(t, out, "DTM_PLAIN_HTTP=true")
	out, code = portal(t, setting(t.TempDir(), append(pairs, "DTM_PLAIN_HTTP", "true")...), "config")
	require.Zero(t, code, out)
}

func TestAKeyInAFileIsBounded(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"large": strings.Repeat("k", 70<<10), "empty": "\n"} {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		out, code := portal(t, setting(folder, "DTM_API_KEY", "", "DTM_API_KEY_FILE", path), "config")
		require.Equal(t, 1, code)
		require.Contains(t, out, "DTM_API_KEY_FILE: the file cannot be read: it is")
	}
}
