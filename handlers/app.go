// Package handlers answers HTTP: it reads a request, calls one service, and shows one
// page. The route table in routes.go is the list of everything there is and who may
// ask for it; respond.go is the only place that writes answers; live.go keeps open
// pages up to date. Decisions, states and texts of errors belong to the services.
package handlers

import (
	"context"
	"io"
	"log/slog"
	"time"

	"countersign/audit"
	"countersign/auth"
	"countersign/grants"
	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
	"countersign/work"
)

// Changes tells when a topic was announced; *db.DB is one.
type Changes interface {
	// Subscribe answers a channel that gets a value when one of the topics was
	// announced, until the context ends.
	Subscribe(ctx context.Context, topics ...string) (changed <-chan string, cancel func())
}

// Log reads the audit log; db's audit store is one.
type Log interface {
	List(ctx context.Context, f audit.Filter) (entries []audit.Entry, next string, err error)
	Entry(ctx context.Context, id string) (audit.Entry, error)
	LastCheckpoint(ctx context.Context) (audit.Checkpoint, error)
	// Receipt proves entries to somebody who has not the log; audit.ErrNotNumbered when the
	// next checkpoint will.
	Receipt(ctx context.Context, entries []audit.Entry) (audit.Receipt, error)
	// LastChecked is the last check of the whole log that has ended; nil when none has.
	LastChecked(ctx context.Context) (*audit.Checked, error)
	State(ctx context.Context) (audit.State, error)
	// Grown proves the growth between two kept checkpoints; newer 0 is the newest there is.
	Grown(ctx context.Context, older, newer int64) (audit.Grown, error)
	// AskCheck begins a check; audit.ErrChecking when one runs.
	AskCheck(ctx context.Context, by people.Actor) error
	// Export writes the whole log from number first on, so that anybody can check it.
	Export(ctx context.Context, w io.Writer, first int64, flush func()) error
	// Refusals are those since a time that are counted and no entries.
	Refusals(ctx context.Context, since time.Time) ([]audit.Refusals, error)
}

// Tally counts refusals of visitors who have not signed in; *audit.Tally is one.
type Tally interface {
	Refused(kind string)
}

// People reads persons; db's people store is one.
type People interface {
	Person(ctx context.Context, id people.ID) (people.Person, error)
	// Names answers the display names of those ids that exist.
	Names(ctx context.Context, ids []people.ID) (map[people.ID]string, error)
	// List answers a page of persons, newest first, and the cursor of the next.
	List(ctx context.Context, q people.Query) (page []people.Person, next string, err error)
	// SetLook keeps the language and colour scheme a person chose.
	SetLook(ctx context.Context, id people.ID, language, scheme string) error
}

// Config is what the pages need. Everything but Grants, Meter, Trouble, Demo… and Trusted is required.
type Config struct {
	Identity *identity.Service
	Signing  *signing.Service
	Work     *work.Service
	Auth     *auth.Auth
	Grants   *grants.Service // nil: nobody has to connect an account of their own
	Log      Log
	People   People
	Changes  Changes
	Verify   Verifier
	Health   Health
	Meter    Meter // optional
	Tally    Tally // optional
	// Trouble sorts an error of the database that is nobody's fault here: "busy", "away",
	// "full", "read_only"; empty for any other error.
	Trouble func(error) string

	Brand       templates.Brand
	BaseURL     string                       // scheme://host, as browsers see it
	Issuer      string                       // origin of the login provider, for the form-action of the policy
	Hue, Chroma float64                      // of the brand: degrees, and 0 to 0.2
	MaxBytes    int64                        // of an upload
	MaxVerify   int64                        // of a file on the public page
	Trusted     []string                     // prefixes (CIDR) of proxies whose X-Forwarded-For counts
	Usual       map[identity.Standard]string // how long a check usually takes
	VerifyWait  time.Duration                // for one of two places to verify in; 0: 10 s
	Pace        time.Duration                // in which 120 KiB of a body have to come; 0: 30 s

	DemoMail  string // address of the simulator's mailbox; empty outside the demo
	DemoPhone string

	Now    func() time.Time
	Logger *slog.Logger
}

// App holds the handlers.
type App struct {
	Config
	log *slog.Logger
	// stop ends open event streams when the server drains; they would hold Shutdown.
	stop context.Context
	gate *gate // of the public page
}

// New makes the application. The context ends its event streams.
func New(stop context.Context, c Config) *App {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Trouble == nil {
		c.Trouble = func(error) string { return "" }
	}
	a := &App{Config: c, log: c.Logger, stop: stop, gate: newGate(c.VerifyWait)}
	if a.Auth != nil {
		a.Auth.Fail = a.fail // a session that cannot be read is told like any other trouble
	}
	return a
}
