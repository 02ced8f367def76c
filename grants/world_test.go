package grants_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/blob"
	"countersign/db"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
	"countersign/grants"
	"countersign/people"
)

// world is a simulator that changes refresh tokens with each use, and a database.
type world struct {
	t     *testing.T
	sim   *dtmtest.Sim
	d     *db.DB
	logs  *logs
	calls int // that are not looked at any more

	mu  sync.Mutex
	now time.Time
}

type logs struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *logs) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

func newWorld(t *testing.T, d *db.DB) *world {
	w := &world{t: t, d: d, logs: new(logs), now: time.Now()}
	w.sim = dtmtest.Start(t, func(o *dtmsim.Options) { o.RotateRefresh = true })
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

const redirect = "http://127.0.0.1:9/account/connected"

// replica is one process: a service and its client, on the database.
type replica struct {
	*grants.Service
	client *dtmclient.Client
}

func (w *world) replica(keys ...[]byte) *replica {
	w.t.Helper()
	if len(keys) == 0 {
		keys = [][]byte{bytes.Repeat([]byte{1}, 32)}
	}
	master, err := blob.NewMaster(keys...)
	require.NoError(w.t, err)
	r := &replica{}
	r.Service = grants.New(grants.Options{Store: w.d.Grants(), Seal: master, ClientID: w.sim.ClientID, ClientSecret: dtmclient.Secret(w.sim.ClientSecret),
		RedirectURL: redirect, Now: w.clock, Log: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	r.use(w, dtmclient.ClientCredentials(w.sim.ClientID, dtmclient.Secret(w.sim.ClientSecret)))
	return r
}

func (r *replica) use(w *world, csc dtmclient.Authenticator) {
	var err error
	r.client, err = dtmclient.New(dtmclient.Config{BaseURL: w.sim.BaseURL + "/documentmanager", APIKey: "unused", CSC: csc, Now: w.clock})
	require.NoError(w.t, err)
	w.t.Cleanup(r.client.Close)
	r.Remote = r.client
}

// own is a replica whose way in is the site's own grant.
func (w *world) own(configured dtmclient.Secret, keys ...[]byte) *replica {
	r := w.replica(keys...)
	r.use(w, r.Own(configured))
	return r
}

// consented is the refresh token of a person who agreed.
func (w *world) consented(who string) dtmclient.Secret {
	w.t.Helper()
	r := w.replica()
	q := dtmclient.CodeRequest{ClientID: w.sim.ClientID, RedirectURI: redirect, State: "s", Verifier: "v"}
	address, err := r.client.CodeURL(w.t.Context(), q)
	require.NoError(w.t, err)
	tokens, err := r.client.ExchangeCode(w.t.Context(), q, dtmclient.Secret(w.sim.ClientSecret), dtmclient.Secret(w.agree(address, who, true).Get("code")))
	require.NoError(w.t, err)
	return tokens.Refresh
}

// agree plays the person on DigiCert's page, and is what the browser brings back.
func (w *world) agree(address, who string, yes bool) url.Values {
	w.t.Helper()
	back, err := w.sim.Consent(address, who, yes)
	require.NoError(w.t, err)
	u, err := url.Parse(back)
	require.NoError(w.t, err)
	return u.Query()
}

func (w *world) row(p people.ID) grants.Grant {
	w.t.Helper()
	g, err := w.d.Grants().Of(context.Background(), p)
	require.NoError(w.t, err)
	return g
}
