package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/rivertype"

	"countersign/identity"
	"countersign/signing"
)

const (
	jobTimeout  = 3 * time.Minute // of one run
	rescueAfter = 4 * time.Minute // a job that a dead process left behind
	maxWorkers  = 8
	maxSlow     = 2 // for work that waits for services of others and is in no hurry
)

// Signing finishes signatures; *signing.Service is one.
type Signing interface {
	Finish(ctx context.Context, id signing.SignatureID) error
	Extend(ctx context.Context, id signing.DocumentID) error
	LookAgain(ctx context.Context) (n int, err error)
}

// Identity finishes approvals and looks at DTM; *identity.Service is one.
type Identity interface {
	FinishApproval(ctx context.Context, id identity.ValidationID) error
	Reconcile(ctx context.Context, id identity.ValidationID) error
	LookAgain(ctx context.Context) (n int, err error)
}

// Mail delivers what is due in the outbox; *mail.Delivery is one.
type Mail interface {
	Deliver(ctx context.Context) (sent int, err error)
}

// Tree numbers the audit log; *audit.Tree is one.
type Tree interface {
	Number(ctx context.Context) (n int, err error)
}

// Sweeper clears away what has ended: sessions, temporary files. Optional.
type Sweeper interface {
	Sweep(ctx context.Context) (int, error)
}

// Work looks whether there is something to do, and does it. Optional.
type Work interface {
	Run(ctx context.Context) (int, error)
}

// Config of the workers. Everything but Sweep, Stamp, Check, Observe and the times is required.
type Config struct {
	DB          Database
	Signing     Signing
	Identity    Identity
	Mail        Mail
	Tree        Tree
	Sweep       Sweeper
	Stamp       Work          // has the audit log's checkpoints stamped
	Check       Work          // checks the whole audit log
	LookEvery   time.Duration // 2 s: how often DTM and overdue rows are looked at
	MailEvery   time.Duration // 2 s
	NumberEvery time.Duration // 5 s
	Log         *slog.Logger
	// Observe is told of every run of a job, by its kind.
	Observe func(kind string, outcome Outcome, took time.Duration)
}

// Outcome of one run of a job.
type Outcome string

// The outcomes.
const (
	Done     Outcome = "done"
	Failed   Outcome = "failed"
	Panicked Outcome = "panicked"
)

// Workers run jobs until they are stopped.
type Workers struct {
	client *river.Client[*sql.Tx]
	cancel context.CancelFunc
	hear   *pgxpool.Pool // PostgreSQL: what the queue listens on
}

// The periodic jobs that belong to no domain.
type (
	// DeliverMail sends what is due.
	DeliverMail struct{}
	// NumberAudit puts new entries into the tree.
	NumberAudit struct{}
	// SweepEnded clears away what has ended.
	SweepEnded struct{}
	// StampAudit has a checkpoint of the audit log stamped by a clock service.
	StampAudit struct{}
	// CheckAudit checks the whole audit log, a part at a time.
	CheckAudit struct{}
)

// Kind names the job.
func (DeliverMail) Kind() string { return "deliver-mail" }

// Kind names the job.
func (NumberAudit) Kind() string { return "number-audit" }

// Kind names the job.
func (SweepEnded) Kind() string { return "sweep-ended" }

// Kind names the job.
func (StampAudit) Kind() string { return "stamp-audit" }

// Kind names the job.
func (CheckAudit) Kind() string { return "check-audit" }

// work is a river.Worker made of a function.
type work[T river.JobArgs] struct {
	river.WorkerDefaults[T]
	run func(ctx context.Context, args T) error
}

func (w work[T]) Work(ctx context.Context, job *river.Job[T]) error { return w.run(ctx, job.Args) }

func add[T river.JobArgs](to *river.Workers, run func(ctx context.Context, args T) error) {
	river.AddWorker(to, work[T]{run: run})
}

// looking makes a job of work that looks for what is to be done. A look that failed is
// logged and done with, for the next one comes by itself; kept as a failure, it would
// leave a row every few seconds while the far side is away.
func looking[T river.JobArgs](log *slog.Logger, look func(ctx context.Context) (int, error)) func(context.Context, T) error {
	return func(ctx context.Context, args T) error {
		if _, err := look(ctx); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "job failed", "kind", args.Kind(), "cause", err)
			return missed{err}
		}
		return nil
	}
}

// missed is a look that failed: counted, and done with all the same.
type missed struct{ error }

// New makes workers; Start runs them.
func New(c Config) (*Workers, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	kinds := river.NewWorkers()
	add(kinds, func(ctx context.Context, j signing.FinishSignature) error { return c.Signing.Finish(ctx, j.Signature) })
	add(kinds, func(ctx context.Context, j signing.ExtendDocument) error {
		if err := c.Signing.Extend(ctx, j.Document); err != nil {
			c.Log.WarnContext(ctx, "job failed", "kind", j.Kind(), "cause", err)
			return missed{err} // its row knows when it is tried again
		}
		return nil
	})
	add(kinds, func(ctx context.Context, j identity.FinishApproval) error {
		return c.Identity.FinishApproval(ctx, j.Validation)
	})
	add(kinds, func(ctx context.Context, j identity.ReconcileValidation) error {
		return c.Identity.Reconcile(ctx, j.Validation)
	})
	add(kinds, looking[signing.LookAgain](c.Log, c.Signing.LookAgain))
	add(kinds, looking[identity.LookAgain](c.Log, c.Identity.LookAgain))
	add(kinds, looking[DeliverMail](c.Log, c.Mail.Deliver))
	add(kinds, looking[NumberAudit](c.Log, c.Tree.Number))
	periodic := []*river.PeriodicJob{
		every(orElse(c.LookEvery, 2*time.Second), signing.LookAgain{}),
		every(orElse(c.LookEvery, 2*time.Second), identity.LookAgain{}),
		every(orElse(c.MailEvery, 2*time.Second), DeliverMail{}),
		every(orElse(c.NumberEvery, 5*time.Second), NumberAudit{}),
	}
	if c.Sweep != nil {
		add(kinds, looking[SweepEnded](c.Log, c.Sweep.Sweep))
		periodic = append(periodic, every(10*time.Minute, SweepEnded{}))
	}
	if c.Stamp != nil {
		add(kinds, looking[StampAudit](c.Log, c.Stamp.Run))
		periodic = append(periodic, every(time.Minute, StampAudit{}))
	}
	if c.Check != nil {
		add(kinds, looking[CheckAudit](c.Log, c.Check.Run))
		periodic = append(periodic, every(10*time.Second, CheckAudit{}))
	}
	d, hear, err := hearing(c.DB)
	if err != nil {
		return nil, err
	}
	client, err := river.NewClient(d, &river.Config{
		Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: maxWorkers},
			signing.ExtendDocument{}.Lane(): {MaxWorkers: maxSlow}},
		Workers:              kinds,
		PeriodicJobs:         periodic,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: rescueAfter,
		MaxAttempts:          maxTries,
		ErrorHandler:         failures{c.Log},
		Middleware:           []rivertype.Middleware{observed(c.Observe)},
		Logger:               slog.New(quiet{c.Log.Handler()}),
		// Periodic jobs come every few seconds; finished ones tell nothing.
		CompletedJobRetentionPeriod: 10 * time.Minute,
	})
	if err != nil {
		if hear != nil {
			hear.Close()
		}
		return nil, fmt.Errorf("make the workers: %w", err)
	}
	return &Workers{client: client, hear: hear}, nil
}

// hearing is the driver with, on PostgreSQL, a connection of its own on which it hears of
// new jobs at once. On SQLite it polls.
func hearing(database Database) (riverdriver.Driver[*sql.Tx], *pgxpool.Pool, error) {
	if database.DialectName() != "postgres" {
		d, err := driver(database)
		return d, nil, err
	}
	c, err := pgxpool.ParseConfig(database.URL())
	if err != nil {
		return nil, nil, fmt.Errorf("read the database address: %w", err)
	}
	c.MinConns, c.MaxConns = 0, 1
	pool, err := pgxpool.NewWithConfig(context.Background(), c)
	if err != nil {
		return nil, nil, fmt.Errorf("open the queue's connection: %w", err)
	}
	return riverdatabasesql.NewWithPgxListener(database.Handle(), pool), pool, nil
}

// observed tells how every run ended, and ends those that missed.
func observed(observe func(string, Outcome, time.Duration)) river.WorkerMiddlewareFunc {
	return func(ctx context.Context, job *rivertype.JobRow, run func(context.Context) error) (err error) {
		begin, outcome := time.Now(), Panicked
		if observe != nil {
			defer func() { observe(job.Kind, outcome, time.Since(begin)) }()
		}
		// A panic that River sees is kept in the job's row with its value.
		defer func() {
			if v := recover(); v != nil {
				err = panicked{kind: kindOf(v), stack: string(debug.Stack())}
			}
		}()
		err = run(ctx)
		if outcome = Done; err != nil {
			outcome = Failed
		}
		if errors.As(err, new(missed)) {
			return nil
		}
		return err
	}
}

// panicked is a run that panicked. What it panicked with may hold anything, so it is left
// out; the stack says where.
type panicked struct{ kind, stack string }

func (p panicked) Error() string { return "panic: " + p.kind }

// kindOf is the type of what was panicked with, and what the runtime itself says.
func kindOf(v any) string {
	if e, ok := v.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", v)
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// every enqueues the job at start and then at the interval. Unique by its states, so that
// a slow far side does not pile up looks at it, and never tried again: the next one comes.
func every(d time.Duration, args river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(d), func() (river.JobArgs, *river.InsertOpts) {
		return args, &river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
			rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning, rivertype.JobStateScheduled, rivertype.JobStateRetryable,
		}}}
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

// Start works jobs until Stop, or at once no more when the context ends.
func (w *Workers) Start(ctx context.Context) error {
	ctx, w.cancel = context.WithCancel(ctx)
	return w.client.Start(ctx)
}

// Stop lets running jobs end; when the context ends first they are cancelled.
func (w *Workers) Stop(ctx context.Context) error {
	err := w.client.Stop(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		w.cancel()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		err = w.client.StopAndCancel(ctx)
	}
	w.cancel()
	if w.hear != nil {
		w.hear.Close()
	}
	return err
}

// failures logs what failed: kind and cause, never the arguments.
type failures struct{ log *slog.Logger }

func (f failures) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	var p panicked
	if errors.As(err, &p) {
		f.log.ErrorContext(ctx, "job panicked", "kind", job.Kind, "job", job.ID, "cause", p.kind, "stack", p.stack)
		return nil
	}
	f.log.WarnContext(ctx, "job failed", "kind", job.Kind, "job", job.ID, "attempt", job.Attempt, "cause", err)
	return nil
}

// HandlePanic is for panics outside of a run; observed catches the others.
func (f failures) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	f.log.ErrorContext(ctx, "job panicked", "kind", job.Kind, "job", job.ID, "cause", kindOf(value), "stack", trace)
	return nil
}

// quiet lets River speak of warnings only.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}
