package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

// said is what the program prints while it runs.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// serving runs the program until the test ends and answers what it says, and how to end it.
func serving(t *testing.T, args ...string) (out *said, end func()) {
	t.Helper()
	out = &said{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, out, out) }()
	end = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended, out.String())
	})
	t.Cleanup(end)
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "simulator on http") }, 20*time.Second, 5*time.Millisecond, "%s", out)
	return out, end
}

var address = regexp.MustCompile(`simulator on (http://\S+)`)

func get(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, 200, resp.StatusCode, url)
	require.NoError(t, json.NewDecoder(resp.Body).Decode(into))
}

func TestTheProgramServesUntilItIsToldToStopAndKeepsItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sim")
	out, end := serving(t, "-addr", "127.0.0.1:0", "-fast-keys", "-rsa-bits", "2048", "-data", dir, "-hostile", "3", "-hostile-rate", "0.5", "-mtls-addr", "127.0.0.1:0", "-api-key", "mine")
	url := address.FindStringSubmatch(out.String())[1]
	var health map[string]string
	get(t, url+"/sim/v1/health", &health)
	require.Equal(t, "ok", health["status"])
	var hostile dtmsim.Hostility
	get(t, url+"/sim/v1/hostile", &hostile)
	require.EqualValues(t, 3, hostile.Seed)
	require.Equal(t, 0.5, hostile.Rate)
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "client certificates are taken on https://") }, 5*time.Second, 5*time.Millisecond)
	for _, words := range []string{"API key mine", "drawn from the seed 3"} {
		require.Contains(t, out.String(), words)
	}
	end()
	for _, name := range []string{"state.json", "ledger.jsonl", "keys"} {
		require.FileExists(t, filepath.Join(dir, "state.json"))
		_, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
	}
	_, err := http.Get(url)
	require.Error(t, err, "it is over")
}

func TestTheProgramListensOnThisMachineUnlessItIsTold(t *testing.T) {
	for _, args := range [][]string{{"-addr", "0.0.0.0:0"}, {"-addr", "127.0.0.1:0", "-mtls-addr", ":0"}, {"-addr", "[::]:0"}} {
		require.ErrorContains(t, run(t.Context(), args, io.Discard, io.Discard), "Say -anywhere")
	}
	serving(t, "-addr", "0.0.0.0:0", "-anywhere", "-fast-keys")
}

func TestTheProgramRefusesWhatItCannotDo(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"serve"}, {"-hostile", "x"}, {"-hostile", "1", "-hostile-rate", "7", "-addr", "127.0.0.1:0"},
		{"-addr", "nowhere"}, {"-addr", "127.0.0.1:0", "-rsa-bits", "512"}, {"-addr", "127.0.0.1:0", "-url", "ftp://x"}, {"-addr", "127.0.0.1:0", "-fast-keys", "-mtls-addr", "127.0.0.1:99999"}} {
		require.Error(t, run(t.Context(), args, io.Discard, io.Discard), args)
	}
}

// What each flag sets. A flag without a row here is missed below.
var flags = map[string]struct {
	value string
	got   func(s settings) any
}{
	"addr": {"127.0.0.1:1", func(s settings) any { return s.addr }}, "mtls-addr": {"127.0.0.1:2", func(s settings) any { return s.mtls }},
	"anywhere": {"true", func(s settings) any { return s.anywhere }}, "url": {"http://sim:1", func(s settings) any { return s.BaseURL }},
	"data": {"there", func(s settings) any { return s.Data }}, "api-key": {"k", func(s settings) any { return s.APIKey }},
	"client-id": {"c", func(s settings) any { return s.ClientID }}, "client-secret": {"s", func(s settings) any { return s.ClientSecret }},
	"password": {"p", func(s settings) any { return s.Password }}, "account": {"a", func(s settings) any { return s.AccountID }},
	"organization": {"o", func(s settings) any { return s.OrgID }}, "issuance-delay": {"7s", func(s settings) any { return s.IssuanceDelay }},
	"proofing-auto": {"8s", func(s settings) any { return s.ProofingAuto }}, "auto-approve": {"true", func(s settings) any { return s.AutoApprove }},
	"push-timeout": {"9s", func(s settings) any { return s.PushTimeout }}, "sad-life": {"11s", func(s settings) any { return s.SADLife }},
	"sendotp-200": {"true", func(s settings) any { return s.SendOTP200 }}, "csc-allow-api-key": {"true", func(s settings) any { return s.CSCAllowAPIKey }},
	"strict-extend": {"true", func(s settings) any { return s.StrictExtend }}, "strict-hashes": {"true", func(s settings) any { return s.StrictHashes }},
	"rotate-refresh": {"true", func(s settings) any { return s.RotateRefresh }}, "redirect-uri": {"http://x/cb", func(s settings) any { return strings.Join(s.RedirectURIs, " ") }},
	"lenient": {"true", func(s settings) any { return s.Lenient }}, "error-object": {"true", func(s settings) any { return s.ErrorObject }},
	"bare-lists": {"true", func(s settings) any { return s.BareLists }}, "rate-limit": {"12", func(s settings) any { return s.RateLimit }},
	"hostile": {"13", func(s settings) any { return s.Hostile }}, "hostile-rate": {"0.25", func(s settings) any { return s.HostileRate }},
	"rsa-bits": {"4096", func(s settings) any { return s.RSABits }}, "fast-keys": {"true", func(s settings) any { return s.FastKeys }},
}

func TestEveryFlagSetsWhatItSaysAndStandsInTheREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	text, want := string(readme), ""
	var none settings
	seen := 0
	none.flags(io.Discard).VisitAll(func(f *flag.Flag) {
		seen++
		row, known := flags[f.Name]
		require.True(t, known, "-%s has no test", f.Name)
		var s settings
		require.NoError(t, s.flags(io.Discard).Parse([]string{"-" + f.Name + "=" + row.value}))
		require.Equal(t, row.value, fmt.Sprint(row.got(s)), f.Name)
		initial := ""
		if f.DefValue != "" {
			initial = "`" + f.DefValue + "`"
		}
		want += fmt.Sprintf("| `-%s` | %s | %s |\n", f.Name, initial, f.Usage)
	})
	require.Len(t, flags, seen)
	require.Contains(t, text, want, "the table of flags in README.md has to be:\n%s", want)
}

func TestHelpTellsWhatItIsAndWhatItIsNot(t *testing.T) {
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), []string{"-h"}, io.Discard, &out), flag.ErrHelp)
	for _, words := range []string{"no trust service", "assumed", "no CSC", "docs/simulator.md", "-hostile-rate", "Usage: dtmsim"} {
		require.Contains(t, out.String(), words)
	}
}
