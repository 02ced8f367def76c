package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"countersign/db"
	"countersign/dtmsim"
	"countersign/idpsim"
)

// site is a portal that runs as a child, and what it talks to.
type site struct {
	url      string
	child    *exec.Cmd
	ended    chan error
	db       *db.DB // a second handle on its database, for seeding
	sim      *dtmsim.Sim
	upstream *upstream
	servers  []*http.Server
	log      string
	started  time.Duration // from exec to the first 200 of /readyz
}

const (
	clientID     = "bench"
	clientSecret = "bench-secret"
)

// startSite starts the far side in this process and the portal as a child on the database.
func startSite(ctx context.Context, b *bench, name, database string) (*site, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if database == "" {
		database = "sqlite:" + filepath.Join(dir, "portal.db")
	}
	ls, err := listeners(ctx, 3)
	if err != nil {
		return nil, err
	}
	address := ls[0].Addr().String()
	ls[0].Close() // the child takes it
	s := &site{url: local(ls[0]), log: filepath.Join(dir, "portal.log"), ended: make(chan error, 1)}
	if err := s.farSide(dir, ls[1], ls[2]); err != nil {
		return nil, err
	}
	o := s.sim.Options()
	logFile, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	s.child = exec.CommandContext(ctx, b.portal, "serve")
	s.child.Stdout, s.child.Stderr = logFile, logFile
	s.child.Env = []string{"LISTEN=" + address, "BASE_URL=" + s.url, "DATABASE_URL=" + database, "BLOB_DIR=" + filepath.Join(dir, "blobs"),
		"MASTER_KEY=" + key(), "COOKIE_KEY=" + key(), "OIDC_ISSUER=" + local(ls[2]), "OIDC_CLIENT_ID=" + clientID, "OIDC_CLIENT_SECRET=" + clientSecret,
		"DTM_URL=" + o.BaseURL, "DTM_API_KEY=" + o.APIKey, "DTM_CLIENT_ID=" + o.ClientID, "DTM_CLIENT_SECRET=" + o.ClientSecret,
		"DTM_ACCOUNT_ID=" + o.AccountID, "DTM_ORGANIZATION_ID=" + o.OrgID, "TRUST_ROOTS=" + filepath.Join(dir, "roots.pem"),
		"MAILBOX_URL=" + o.BaseURL, "QUOTA_BYTES=1000000000000", "QUOTA_FILES=10000000", "MAX_UPLOAD=2147483648"}
	begin := time.Now()
	if err := s.child.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.child.Wait() }()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.started = time.Since(begin)
	if s.db, err = db.Open(ctx, db.Config{URL: database}); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// farSide starts the simulator, with P-256 for signers and clock service, and the login provider.
func (s *site) farSide(dir string, simulator, provider net.Listener) error {
	log := slog.New(slog.DiscardHandler)
	sim, err := dtmsim.New(dtmsim.Options{BaseURL: local(simulator), FastKeys: true, RSABits: 2048, Log: log})
	if err != nil {
		return err
	}
	s.sim = sim
	if err := os.WriteFile(filepath.Join(dir, "roots.pem"), []byte(sim.RootPEM()), 0o600); err != nil {
		return err
	}
	idp, err := idpsim.New(idpsim.Options{Issuer: local(provider), ClientID: clientID, ClientSecret: clientSecret,
		RedirectURIs: []string{s.url + "/auth/callback"}, PostLogoutURIs: []string{s.url + "/signed-out"}, DataDir: filepath.Join(dir, "login"), Log: log})
	if err != nil {
		return err
	}
	s.upstream = &upstream{next: sim}
	for l, h := range map[net.Listener]http.Handler{simulator: s.upstream, provider: idp.Handler()} {
		server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		s.servers = append(s.servers, server)
		go func() { _ = server.Serve(l) }() // ends with stop
	}
	return nil
}

func (s *site) ready(ctx context.Context) error {
	for begin := time.Now(); time.Since(begin) < time.Minute; {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/readyz", nil)
		if err != nil {
			return err
		}
		if a, err := http.DefaultClient.Do(r); err == nil {
			a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-s.ended:
			text, _ := os.ReadFile(s.log)
			return fmt.Errorf("the portal ended (%v):\n%s", err, text)
		case <-time.After(time.Millisecond):
		}
	}
	return errors.New("the portal was not ready within a minute")
}

func (s *site) stop() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	_ = s.child.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(40 * time.Second):
		errs = append(errs, errors.New("the portal did not stop"), s.child.Process.Kill())
	}
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(append(errs, s.sim.Close())...)
}

// upstream notes when the simulator was busy, so that its time can be taken off.
type upstream struct {
	next  http.Handler
	mu    sync.Mutex
	spans []span
}

type span struct {
	path       string
	begin, end time.Time
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	u.next.ServeHTTP(w, r)
	u.mu.Lock()
	u.spans = append(u.spans, span{r.URL.Path, begin, time.Now()})
	u.mu.Unlock()
}

// busy is how long the simulator worked on calls that began in the time. A signing makes
// its calls one after the other, so the sum is what it waited.
func (u *upstream) busy(from, to time.Time) (sum time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range u.spans {
		if !s.begin.Before(from) && s.begin.Before(to) {
			sum += s.end.Sub(s.begin)
		}
	}
	return sum
}

// asked is when a path was asked for first, since then.
func (u *upstream) asked(since time.Time, path string) (time.Time, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range u.spans {
		if !s.begin.Before(since) && strings.HasSuffix(s.path, path) {
			return s.begin, true
		}
	}
	return time.Time{}, false
}

// listeners are on free ports of the loopback.
func listeners(ctx context.Context, n int) ([]net.Listener, error) {
	var all []net.Listener
	for range n {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

func local(l net.Listener) string {
	return "http://localhost:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func key() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, since Go 1.24
	return base64.StdEncoding.EncodeToString(b[:])
}
