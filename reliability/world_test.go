package reliability

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/idpsim"
)

// program is the portal with its crash points.
var program = sync.OnceValues(func() (path string, err error) {
	built, err = build()
	return built, err
})

func build(more ...string) (string, error) {
	dir, err := os.MkdirTemp("", "countersign-crash-")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "portal")
	cmd := exec.Command("go", append(append([]string{"build", "-tags", "crashpoints", "-o", out}, more...), "../cmd/portal")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the portal: %w\n%s", err, text)
	}
	return out, nil
}

// built is the program, removed at the end.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(filepath.Dir(built))
	}
	os.Exit(code)
}

// soak tells whether the long form is wanted.
func soak() bool { return os.Getenv("COUNTERSIGN_SOAK") != "" }

// world is a site in a folder, its far side, and what people were answered.
type world struct {
	t        testing.TB
	portal   string // program
	dir      string
	address  string
	url      string
	database string
	postgres bool
	env      []string
	sim      *dtmsim.Sim
	child    *child
	journal  journal
	seed     uint64
	rng      *rand.Rand
	people   []*person
	signers  int
	consent  bool    // the last of them approves at the provider's page
	arrived  int     // of them, where they come one by one
	outside  *person // looks at DTM itself
	asked    asked
	kills    int
	unknown  int // outcomes that were told as not known

	comparisons int // of the rows with the ledger and the journal
}

type options struct {
	portal   string
	postgres bool
	seed     uint64
	env      []string
	signers  int  // 3, or 6 in the long form
	bare     bool // nobody is there yet
	consent  bool // one signer more, who approves at the provider's page
}

func (o options) withConsent() options {
	o.consent = true
	return o
}

func newWorld(t testing.TB, o options) *world {
	t.Helper()
	w := prepared(t, o)
	w.start()
	t.Cleanup(func() {
		if w.child != nil {
			w.child.kill()
		}
		w.tellLog()
	})
	if !o.bare {
		w.settle()
	}
	return w
}

func (w *world) tellLog() {
	if w.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(w.dir, "portal.log"))
		lines := strings.Split(string(text), "\n")
		w.t.Logf("seed %d, database %s; the end of the portal's log:\n%s", w.seed, w.database, strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// prepared is a site that is not yet started.
func prepared(t testing.TB, o options) *world {
	t.Helper()
	if o.portal == "" {
		var err error
		o.portal, err = program()
		require.NoError(t, err)
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if o.signers == 0 {
		o.signers = 3
		if soak() {
			o.signers = 6
		}
	}
	if o.consent {
		o.signers++
	}
	w := &world{t: t, portal: o.portal, dir: t.TempDir(), postgres: o.postgres, signers: o.signers, consent: o.consent, seed: o.seed, rng: rand.New(rand.NewPCG(o.seed, 1))}
	w.database = "sqlite:" + filepath.Join(w.dir, "portal.db")
	if w.postgres {
		w.database = dbtest.PostgresURL(t)
	}
	w.address = free(t)
	w.url = "http://localhost:" + w.address[strings.LastIndex(w.address, ":")+1:]
	w.farSide(o.env)
	return w
}

func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func key(c byte) string { return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{c}, 32)) }

// farSide starts what lives on when the portal dies.
func (w *world) farSide(more []string) {
	t := w.t
	t.Helper()
	serve := func(make func(url string) http.Handler) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		url := fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
		server := &http.Server{Handler: make(url)}
		go func() { _ = server.Serve(l) }()
		t.Cleanup(func() { server.Close() })
		return url
	}
	log := slog.New(slog.DiscardHandler)
	serve(func(url string) http.Handler {
		var err error
		w.sim, err = dtmsim.New(dtmsim.Options{BaseURL: url, FastKeys: true, RSABits: 2048, Log: log})
		require.NoError(t, err)
		return w.asked.by(w.sim)
	})
	login := serve(func(url string) http.Handler {
		p, err := idpsim.New(idpsim.Options{Issuer: url, ClientID: "crash", ClientSecret: "crash-secret", People: everybody(40), Log: log, TokenLife: 24 * time.Hour,
			RedirectURIs: []string{w.url + "/auth/callback"}, PostLogoutURIs: []string{w.url + "/signed-out"}})
		require.NoError(t, err)
		return p.Handler()
	})
	roots := filepath.Join(w.dir, "roots.pem")
	require.NoError(t, os.WriteFile(roots, []byte(w.sim.RootPEM()), 0o600))
	o := w.sim.Options()
	w.env = append([]string{"PATH=" + os.Getenv("PATH"), "LISTEN=" + w.address, "BASE_URL=" + w.url, "DATABASE_URL=" + w.database,
		"BLOB_DIR=" + filepath.Join(w.dir, "blobs"), "MASTER_KEY=" + key('m'), "COOKIE_KEY=" + key('c'),
		"OIDC_ISSUER=" + login, "OIDC_CLIENT_ID=crash", "OIDC_CLIENT_SECRET=crash-secret",
		"DTM_URL=" + o.BaseURL, "DTM_API_KEY=" + o.APIKey, "DTM_CLIENT_ID=" + o.ClientID, "DTM_CLIENT_SECRET=" + o.ClientSecret,
		"DTM_ACCOUNT_ID=" + o.AccountID, "DTM_ORGANIZATION_ID=" + o.OrgID, "TRUST_ROOTS=" + roots, "MAILBOX_URL=" + o.BaseURL,
		"APPROVAL_HOLD=0s", "LOOK_EVERY=100ms", "SIGN_TOGETHER=2", "SESSION_IDLE=20h", "SESSION_ABSOLUTE=20h", "LOG_LEVEL=info",
		"CRASH_AT=" + filepath.Join(w.dir, "crash-at")}, more...)
	w.arm("")
}

func (w *world) arm(at string) {
	w.t.Helper()
	arm(w.t, filepath.Join(w.dir, "crash-at"), at)
}

const waitForDeath = 10 * time.Second

// child is a running portal.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

func (c *child) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	<-c.ended
}

// died waits for a death by SIGKILL.
func (c *child) died(within time.Duration) error {
	select {
	case <-c.ended:
	case <-time.After(within):
		return errors.New("the portal lives on")
	}
	if s, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !s.Signaled() || s.Signal() != syscall.SIGKILL {
		return fmt.Errorf("the portal ended by itself: %s", c.cmd.ProcessState)
	}
	return nil
}

// start runs the site and waits until it is ready.
func (w *world) start() {
	w.t.Helper()
	w.arm("")
	w.child = w.run(w.env)
	w.ready(w.child, w.url)
}

// run starts a portal.
func (w *world) run(env []string) *child {
	w.t.Helper()
	log, err := os.OpenFile(filepath.Join(w.dir, "portal.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(w.t, err)
	defer log.Close()
	cmd := exec.Command(w.portal, "serve")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, w.dir, log, log
	require.NoError(w.t, cmd.Start())
	c := &child{cmd, make(chan struct{})}
	go func() {
		_ = c.cmd.Wait()
		close(c.ended)
	}()
	return c
}

// ready waits until it is.
func (w *world) ready(c *child, at string) {
	w.t.Helper()
	w.eventually("the site is ready", func() bool {
		select {
		case <-c.ended:
			text, _ := os.ReadFile(filepath.Join(w.dir, "portal.log"))
			require.Fail(w.t, "the portal did not start", string(text[max(0, len(text)-3000):]))
		default:
		}
		a, err := http.Get(at + "/readyz")
		if err != nil {
			return false
		}
		a.Body.Close()
		return a.StatusCode == http.StatusOK
	})
}

func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	for begin := time.Now(); time.Since(begin) < 45*time.Second; time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	require.Fail(w.t, "waited in vain", "%s (seed %d, kill %d)", what, w.seed, w.kills)
}

// open is a handle on the database for a moment: a dead portal's log of changes is taken
// up by the portal, not by us.
func (w *world) open(use func(d *db.DB)) {
	w.t.Helper()
	d, err := db.Open(context.Background(), db.Config{URL: w.database, MaxConns: 1})
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, d.Close()) }()
	use(d)
}

// pass lets time go by for what waits and what is counted, while the portal is dead: 40
// minutes, after which every deadline is over, and so are the leader's lease and the
// patience with jobs that a dead process left running. Where somebody goes on, what waits
// for a person keeps its time.
func (w *world) pass(goesOn bool) {
	w.t.Helper()
	const past = int64(40 * time.Minute / time.Millisecond)
	ceremonies, signatures := "", ""
	if goesOn {
		ceremonies, signatures = " AND state NOT IN ('prepared', 'code_sent', 'consenting')", " AND state <> 'prepared'"
	}
	w.open(func(d *db.DB) {
		for _, statement := range []string{
			fmt.Sprintf("UPDATE documents SET deadline = deadline - %d WHERE deadline > 0 AND state IN ('receiving', 'checking')", past),
			fmt.Sprintf("UPDATE ceremonies SET deadline = deadline - %d WHERE deadline > 0%s", past, ceremonies),
			fmt.Sprintf("UPDATE signatures SET deadline = deadline - %d WHERE deadline > 0%s", past, signatures),
			fmt.Sprintf("UPDATE attempts SET at = at - %d", int64(26*time.Hour/time.Millisecond)), // what is held longest
			"DELETE FROM river_leader",
			"UPDATE river_job SET state = 'available' WHERE state = 'running'",
		} {
			_, err := d.Write.Exec(statement)
			require.NoError(w.t, err, statement)
		}
	})
}

// recovered waits until everything that broke off has come to its end by itself.
func (w *world) recovered(goesOn bool) {
	w.t.Helper()
	ceremonies, signatures := "'authorizing', 'authorized'", "'intended', 'signed', 'assembled'"
	if !goesOn {
		ceremonies, signatures = ceremonies+", 'prepared', 'code_sent', 'consenting'", signatures+", 'prepared'"
	}
	waiting := `SELECT (SELECT COUNT(*) FROM documents WHERE state IN ('receiving', 'checking'))
		+ (SELECT COUNT(*) FROM ceremonies WHERE state IN (` + ceremonies + `)) + (SELECT COUNT(*) FROM signatures WHERE state IN (` + signatures + `))`
	w.open(func(d *db.DB) {
		w.eventually("what broke off comes to its end", func() bool {
			var n int
			require.NoError(w.t, d.Read.Get(&n, waiting))
			return n == 0
		})
	})
}

// fsck runs portal fsck with the ledger, and answers the invariants it says are broken.
func (w *world) fsck() (broken []string, out string) {
	w.t.Helper()
	text, err := json.Marshal(w.sim.Ledger())
	require.NoError(w.t, err)
	ledger := filepath.Join(w.dir, "ledger.json")
	require.NoError(w.t, os.WriteFile(ledger, text, 0o600))
	cmd := exec.Command(w.portal, "fsck", "-wait", "300ms", "-ledger", ledger)
	cmd.Env, cmd.Dir = w.env, w.dir
	answer, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.True(w.t, err == nil || errors.As(err, &exit), "%v", err)
	require.Less(w.t, cmd.ProcessState.ExitCode(), 2, string(answer))
	for line := range strings.Lines(string(answer)) {
		if rest, ok := strings.CutPrefix(line, "fail  "); ok {
			broken = append(broken, strings.Fields(rest)[0])
		}
	}
	return broken, string(answer)
}

// sound holds everything against everything.
func (w *world) sound(when string) {
	w.t.Helper()
	broken, out := w.fsck()
	w.comparisons++
	require.Empty(w.t, broken, "%s (seed %d, kill %d):\n%s", when, w.seed, w.kills, out)
	w.open(func(d *db.DB) { w.journal.kept(w, d, when) })
}
