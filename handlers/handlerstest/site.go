// Package handlerstest runs the real site in one process, for tests of its edge.
//
// Everything near at hand is real: the database, the blob folder, the services, the
// client of DTM, the login. The far side is played by the simulators over real HTTP.
// A test gets a site behind TLS and browsers with cookies of their own; what the
// outside world does (papers, codes, a phone) it does on Site.Sim.
package handlerstest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/auth"
	"countersign/blob"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
	"countersign/grants"
	"countersign/handlers"
	"countersign/identity"
	"countersign/idpsim"
	"countersign/signing"
	"countersign/web/templates"
	"countersign/work"
)

// Options change the parts before the site starts; nil leaves a part as it is.
type Options struct {
	Database *db.DB // instead of a fresh one of the kind that Variable names
	Sim      func(*dtmsim.Options)
	IDP      func(*idpsim.Options)
	Auth     func(*auth.Config)
	Identity func(*identity.Options)
	Signing  func(*signing.Options)
	Handlers func(*handlers.Config)
	// Persons makes every signer connect a DigiCert account of their own.
	Persons bool
	// Wrap stands between the network and the site.
	Wrap func(http.Handler) http.Handler
	// Far stands between the network and the simulators.
	Far func(http.Handler) http.Handler
}

// Site is a running site and everything around it.
type Site struct {
	T        testing.TB
	URL      string
	Server   *httptest.Server
	Provider *httptest.Server // the login
	IDP      *idpsim.Provider
	Sim      *dtmtest.Sim
	DB       *db.DB
	Blobs    string // folder of the stored bytes
	Auth     *auth.Auth
	Identity *identity.Service
	Signing  *signing.Service
	Grants   *grants.Service // with Persons
	App      *handlers.App
	Clock    *Clock
	Log      *Log
	Stop     context.CancelFunc // ends the event streams, as draining does
	Tree     *audit.Tree
	Stamper  *audit.Stamper
	Checker  *audit.Checker
	Tally    *audit.Tally
	Secrets  []string // configured ones: keys, client secrets
	hits     hits
	signing  signing.Options
	pages    handlers.Config
}

// New starts a site; it ends with the test.
func New(t testing.TB, o Options) *Site {
	t.Helper()
	s := &Site{T: t, Clock: &Clock{}, Log: &Log{}}
	if s.DB = o.Database; s.DB == nil {
		s.DB = database(t)
	}
	s.Sim = dtmtest.Start(t, func(so *dtmsim.Options) {
		so.Now, so.PushTimeout = s.Clock.Now, 300*time.Millisecond
		change(o.Sim, so)
	})
	if o.Far != nil {
		s.Sim.Server.Config.Handler = o.Far(s.Sim.Server.Config.Handler)
	}
	s.Server = httptest.NewUnstartedServer(nil)
	s.Provider = httptest.NewUnstartedServer(nil)
	s.URL = "https://" + s.Server.Listener.Addr().String()
	log := slog.New(slog.NewJSONHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.startLogin(o, log)
	s.startServices(o, log)
	s.startPages(o, log)
	return s
}

func change[T any](f func(*T), v *T) {
	if f != nil {
		f(v)
	}
}

const clientSecret = "client-secret-of-the-login-0451"

func (s *Site) startLogin(o Options, log *slog.Logger) {
	t := s.T
	provider := "https://" + s.Provider.Listener.Addr().String()
	io := idpsim.Options{Issuer: provider, ClientID: "portal", ClientSecret: clientSecret, RedirectURIs: []string{s.URL + "/auth/callback"},
		PostLogoutURIs: []string{s.URL + "/signed-out"}, TokenLife: 48 * time.Hour}
	change(o.IDP, &io)
	var err error
	s.IDP, err = idpsim.New(io)
	require.NoError(t, err)
	s.Provider.Config.Handler = s.hits.counting(s.IDP.Handler())
	if o.Far != nil {
		s.Provider.Config.Handler = o.Far(s.Provider.Config.Handler)
	}
	s.Provider.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Provider.StartTLS()
	t.Cleanup(s.Provider.Close)

	cookieKey := []byte("cookie-key-of-the-site-32-bytes!")
	ac := auth.Config{Issuer: provider, ClientID: "portal", ClientSecret: clientSecret, RedirectURL: s.URL + "/auth/callback",
		PostLogoutURL: s.URL + "/signed-out", RoleClaim: "roles", CookieKeys: [][]byte{cookieKey}, Secure: true,
		HTTP: s.Provider.Client(), Now: s.Clock.Now, Log: log, Store: s.DB.Auth()}
	change(o.Auth, &ac)
	s.Auth, err = auth.New(ac)
	require.NoError(t, err)
	s.Secrets = append(s.Secrets, clientSecret, string(cookieKey))
}

func (s *Site) startServices(o Options, log *slog.Logger) {
	t := s.T
	client, err := dtmclient.New(dtmclient.Config{BaseURL: s.Sim.BaseURL + "/documentmanager", AccountURL: s.Sim.BaseURL + "/account",
		APIKey: dtmclient.Secret(s.Sim.APIKey), ClientID: s.Sim.ClientID, ClientSecret: dtmclient.Secret(s.Sim.ClientSecret),
		CanSuspend: true, Now: s.Clock.Now, Timeouts: dtmclient.Timeouts{Call: 5 * time.Second, Authorize: 5 * time.Second, Sign: 5 * time.Second}})
	require.NoError(t, err)
	s.Blobs = t.TempDir()
	folder, err := blob.Folder(s.Blobs)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, folder.Close()) })
	masterKey := []byte("master-key-of-blobs-of-32-bytes!")
	master, err := blob.NewMaster(masterKey)
	require.NoError(t, err)
	io := identity.Options{Store: s.DB.Identity(), Remote: client, Now: s.Clock.Now, Log: log, AccountID: s.Sim.AccountID, OrganizationID: s.Sim.OrgID,
		ValidationProfiles: map[identity.Standard]string{identity.Basic: "vp-basic", identity.AdvancedPlus: "vp-advanced"},
		PortalURL:          s.URL, Words: templates.Catalogue{}, CanSuspend: true}
	change(o.Identity, &io)
	s.Identity = identity.NewService(io)
	so := signing.Options{Store: s.DB.Signing(), Remote: client, Credentials: credentials{s.Identity}, Blobs: blobs{blob.NewStore(folder, master)},
		OAuth: signing.OAuthClient{ID: s.Sim.ClientID, Secret: signing.Secret(s.Sim.ClientSecret), RedirectURI: s.URL + "/ceremonies/approved"},
		Now:   s.Clock.Now, Log: log, Reserve: -1, Lazy: true, Roots: s.Sim.Roots, PortalURL: s.URL, Words: templates.Catalogue{}}
	if o.Persons {
		s.Grants = grantsOf(s, client, master, log)
		so.Persons = persons{client, s.Grants}
	}
	change(o.Signing, &so)
	s.Signing, s.signing = signing.NewService(so), so
	signer, err := audit.NewSigner("sign.example.test/audit", masterKey)
	require.NoError(t, err)
	s.Tree = &audit.Tree{Store: s.DB.AuditTree(), Signer: signer, Now: s.Clock.Now}
	s.Checker = &audit.Checker{Store: s.DB.AuditTree(), Tree: s.Tree, Every: 24 * time.Hour, Now: s.Clock.Now, Log: log}
	s.Tally = &audit.Tally{Store: s.DB.Audit(), Now: s.Clock.Now}
	s.Stamper = &audit.Stamper{Store: s.DB.AuditTree(), Clock: clock{client}, Every: time.Hour, Now: s.Clock.Now}
	s.Secrets = append(s.Secrets, s.Sim.APIKey, s.Sim.ClientSecret, string(masterKey))
}

func (s *Site) startPages(o Options, log *slog.Logger) {
	t := s.T
	stop, cancel := context.WithCancel(context.Background())
	s.Stop = cancel
	hc := handlers.Config{Identity: s.Identity, Signing: s.Signing, Work: &work.Service{Store: s.DB.Work(), Signing: s.Signing, Now: s.Clock.Now}, Auth: s.Auth, Log: auditLog{s.DB, s.Tree, s.Checker}, Tally: s.Tally, People: s.DB.People(), Changes: s.DB,
		Verify: verifier{s.Sim.Roots}, Health: fine{}, Brand: templates.Brand{Name: "Countersign", Organization: "Example Works", HelpEmail: "help@example.test"},
		BaseURL: s.URL, Issuer: s.Provider.URL, Hue: 266, Chroma: 0.165, Trouble: func(err error) string { return string(s.DB.Trouble(err)) }, MaxBytes: 1 << 30, MaxVerify: 1 << 20, Now: s.Clock.Now, Logger: log, Grants: s.Grants}
	change(o.Handlers, &hc)
	s.App, s.pages = handlers.New(stop, hc), hc
	h := s.App.Handler()
	if o.Wrap != nil {
		h = o.Wrap(h)
	}
	s.Server.Config.Handler = h
	s.Server.Config.MaxHeaderBytes = 32 << 10
	s.Server.Config.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	s.Server.StartTLS()
	t.Cleanup(func() {
		cancel()
		s.Server.CloseClientConnections()
		s.Server.Close()
	})
}

// Replica serves the same site a second time, over the same database, and answers its
// address. On PostgreSQL it hears of changes on a connection of its own, as another process would.
func (s *Site) Replica() string {
	s.T.Helper()
	c := s.pages
	if s.DB.Dialect == db.Postgres {
		c.Changes = dbtest.Open(s.T, s.DB.URL())
	}
	c.Signing = signing.NewService(s.signing)
	server := httptest.NewTLSServer(handlers.New(context.Background(), c).Handler())
	s.T.Cleanup(server.Close)
	return server.URL
}

// Audited lists the audit log, oldest first.
func (s *Site) Audited() []audit.Entry {
	s.T.Helper()
	var all []audit.Entry
	f := audit.Filter{Limit: 500}
	for {
		some, next, err := s.DB.Audit().List(context.Background(), f)
		require.NoError(s.T, err)
		all = append(all, some...)
		if f.After = next; next == "" {
			break
		}
	}
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	return all
}

// Clock is real time plus what a test added.
type Clock struct {
	mu    sync.Mutex
	shift time.Duration
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

// Pass lets time go by.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
}

// Log keeps every line that was logged.
type Log struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *Log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

// String is everything logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

type fine struct{}

func (fine) Problems(context.Context) map[string]string { return nil }
func (fine) Warnings(context.Context) map[string]string { return nil }

func corrupt(err error) error {
	if errors.Is(err, blob.ErrCorrupt) || errors.Is(err, blob.ErrNotFound) {
		return errors.Join(signing.ErrCorrupt, err)
	}
	return err
}
