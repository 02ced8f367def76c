package main_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"countersign/db/pgcluster"
)

// programs is the folder of the built demo and portal.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/", ".", "../portal").CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}

// said collects what a demo prints, and tells when a text has come.
type said struct {
	mu   sync.Mutex
	all  bytes.Buffer
	ends chan struct{} // closed with the demo
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// start runs a demo until the test ends, and answers the portal's address and a way to
// stop it that answers its exit code.
func start(t *testing.T, dir, data string, env ...string) (portal string, stop func() int) {
	t.Helper()
	port := threePorts(t)
	demo := exec.Command(filepath.Join(dir, "demo"), "-fast", "-port", fmt.Sprint(port), "-data", data)
	demo.Env = append(os.Environ(), env...)
	out := &said{ends: make(chan struct{})}
	demo.Stdout, demo.Stderr = out, out
	require.NoError(t, demo.Start())
	go func() {
		_ = demo.Wait()
		close(out.ends)
	}()
	stop = func() int {
		_ = demo.Process.Signal(syscall.SIGINT)
		select {
		case <-out.ends:
		case <-time.After(20 * time.Second):
			_ = demo.Process.Kill()
			t.Error("the demo did not stop")
		}
		return demo.ProcessState.ExitCode()
	}
	t.Cleanup(func() { stop() })
	require.Eventually(t, func() bool {
		select {
		case <-out.ends:
			require.Fail(t, "the demo ended", out.String())
		default:
		}
		return strings.Contains(out.String(), "Ctrl-C stops")
	}, 40*time.Second, 20*time.Millisecond)
	return fmt.Sprintf("http://localhost:%d", port), stop
}

func threePorts(t *testing.T) int {
	t.Helper()
	for port := 33_000 + os.Getpid()%5_000; port < 60_000; port += 7 {
		free := true
		for i := range 3 {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+i))
			if err != nil {
				free = false
				break
			}
			require.NoError(t, l.Close())
		}
		if free {
			return port
		}
	}
	t.Fatal("no three free ports in a row")
	return 0
}

func TestADatabaseThatIsGivenTakesThePlaceOfTheFile(t *testing.T) {
	dir := programs(t)
	cluster, err := pgcluster.Start(true)
	require.NoError(t, err, "`make setup` installs PostgreSQL")
	t.Cleanup(func() { require.NoError(t, cluster.Close()) })
	require.NoError(t, cluster.Exec("CREATE DATABASE demo"))

	data := t.TempDir()
	for range 2 { // and it is taken up again
		_, stop := start(t, dir, data, "DATABASE_URL="+cluster.URL("demo"))
		require.Zero(t, stop())
	}
	require.NoFileExists(t, filepath.Join(data, "countersign.db"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rows, err := pgx.Connect(ctx, cluster.URL("demo"))
	require.NoError(t, err)
	defer func() { _ = rows.Close(ctx) }()
	var tables int
	require.NoError(t, rows.QueryRow(ctx, "SELECT count(*) FROM information_schema.tables WHERE table_name = 'documents'").Scan(&tables))
	require.Equal(t, 1, tables)
}

func TestADatabaseIsNotUsedWithoutAFolderForKeysAndFiles(t *testing.T) {
	demo := exec.CommandContext(t.Context(), filepath.Join(programs(t), "demo"))
	demo.Env = append(os.Environ(), "DATABASE_URL=postgres://elsewhere.invalid/of-another-program")
	out, err := demo.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "DATABASE_URL is set")
	require.Contains(t, string(out), "DATA=demo-data")
	require.NotContains(t, string(out), "elsewhere", "an address may hold a password")
}

func TestAnotherLoginProviderCanBeGiven(t *testing.T) {
	dir := programs(t)
	var issuer string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"authorization_endpoint":%q,"token_endpoint":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["RS256"]}`,
			issuer, issuer+"/in", issuer+"/token", issuer+"/keys")
	}))
	t.Cleanup(provider.Close)
	issuer = provider.URL

	portal, _ := start(t, dir, t.TempDir(), "OIDC_ISSUER="+issuer, "OIDC_CLIENT_ID=elsewhere", "OIDC_CLIENT_SECRET=a-secret")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, portal+"/login", nil)
	require.NoError(t, err)
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusSeeOther, answer.StatusCode)
	require.True(t, strings.HasPrefix(answer.Header.Get("Location"), issuer+"/in?client_id=elsewhere"), answer.Header.Get("Location"))
}
