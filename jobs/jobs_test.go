package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/jobs"
	"countersign/signing"
)

// world is the services behind the workers: what they were asked to do.
type world struct {
	finish func(ctx context.Context, id signing.SignatureID) error
	look   func(ctx context.Context) (int, error)
	extend func(ctx context.Context) error

	mu   sync.Mutex
	done map[string]int
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done == nil {
		w.done = map[string]int{}
	}
	w.done[what]++
}

func (w *world) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done[what]
}

func (w *world) Finish(ctx context.Context, id signing.SignatureID) error {
	w.note("finish " + string(id))
	if w.finish != nil {
		return w.finish(ctx, id)
	}
	return nil
}

func (w *world) LookAgain(ctx context.Context) (int, error) {
	w.note("look")
	if w.look != nil {
		return w.look(ctx)
	}
	return 0, nil
}

func (w *world) Extend(ctx context.Context, id signing.DocumentID) error {
	w.note("extend " + string(id))
	if w.extend != nil {
		return w.extend(ctx)
	}
	return nil
}

func (w *world) FinishApproval(_ context.Context, id identity.ValidationID) error {
	w.note("approve " + string(id))
	return nil
}

func (w *world) Reconcile(_ context.Context, id identity.ValidationID) error {
	w.note("reconcile " + string(id))
	return nil
}

func (w *world) Deliver(context.Context) (int, error) { w.note("deliver"); return 0, nil }
func (w *world) Number(context.Context) (int, error)  { w.note("number"); return 0, nil }
func (w *world) Sweep(context.Context) (int, error)   { w.note("sweep"); return 0, nil }

// quietIdentity keeps the other domain's looks out of a count.
type quietIdentity struct{ *world }

func (quietIdentity) LookAgain(context.Context) (int, error) { return 0, nil }

func start(t *testing.T, d *db.DB, w *world, change ...func(*jobs.Config)) *jobs.Workers {
	t.Helper()
	c := jobs.Config{DB: d, Signing: w, Identity: quietIdentity{w}, Mail: w, Tree: w, Sweep: w, LookEvery: time.Hour, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&c)
	}
	workers, err := jobs.New(c)
	require.NoError(t, err)
	require.NoError(t, workers.Start(context.Background()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, workers.Stop(ctx))
	})
	return workers
}

func enqueue(t *testing.T, d *db.DB, all ...signing.Job) {
	t.Helper()
	var c signing.Change
	for _, j := range all {
		c.Jobs = append(c.Jobs, signing.DueJob{Job: j})
	}
	require.NoError(t, d.Signing().Apply(t.Context(), c))
}

func eventually(t *testing.T, holds func() bool, what string) {
	t.Helper()
	require.Eventually(t, holds, 20*time.Second, 5*time.Millisecond, what)
}

func TestEveryKindReachesItsService(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &world{}
		start(t, d, w)
		enqueue(t, d, signing.FinishSignature{Signature: "s1"}, identity.FinishApproval{Validation: "v1"}, identity.ReconcileValidation{Validation: "v2"},
			signing.ExtendDocument{Document: "d1"})
		for _, what := range []string{"finish s1", "extend d1", "approve v1", "reconcile v2", "look", "deliver", "number", "sweep"} {
			eventually(t, func() bool { return w.count(what) == 1 }, what)
		}
	})
}

// What waits for services of others stands in nobody's way, and its own row tries it again.
func TestSlowWorkHasALaneOfItsOwn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		hold := make(chan struct{})
		w := &world{extend: func(ctx context.Context) error {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return errors.New("the service is away")
		}}
		start(t, d, w)
		var slow []signing.Job
		for i := range 10 {
			slow = append(slow, signing.ExtendDocument{Document: signing.DocumentID(fmt.Sprint("d", i))})
		}
		enqueue(t, d, slow...)
		eventually(t, func() bool { return w.count("extend d0") == 1 }, "begun")
		enqueue(t, d, signing.FinishSignature{Signature: "s1"})
		eventually(t, func() bool { return w.count("finish s1") == 1 }, "finishing goes on")
		close(hold)
		eventually(t, func() bool {
			var left int
			require.NoError(t, d.Read.Get(&left, "SELECT COUNT(*) FROM river_job WHERE kind = 'extend-document' AND state <> 'completed'"))
			return left == 0
		}, "failed, and done with")
		require.Equal(t, 1, w.count("extend d9"))
	})
}

func TestAJobExistsOnlyWithItsChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q, err := jobs.NewQueue(d)
		require.NoError(t, err)
		undone := errors.New("undone")
		require.ErrorIs(t, d.InTx(t.Context(), func(tx *sqlx.Tx) error {
			require.NoError(t, q.Enqueue(t.Context(), tx.Tx, signing.FinishSignature{Signature: "s1"}, time.Time{}))
			return undone
		}), undone)
		require.Empty(t, dbtest.Jobs(t, d))
		require.NoError(t, d.InTx(t.Context(), func(tx *sqlx.Tx) error {
			require.NoError(t, q.Enqueue(t.Context(), tx.Tx, signing.FinishSignature{Signature: "s1"}, time.Time{}))
			require.Empty(t, dbtest.Jobs(t, d), "nobody sees it before the commit")
			return nil
		}))
		require.Len(t, dbtest.Jobs(t, d), 1)
		require.ErrorContains(t, d.InTx(t.Context(), func(tx *sqlx.Tx) error {
			return q.Enqueue(t.Context(), tx.Tx, struct{}{}, time.Time{})
		}), "not a job")
	})
}

func TestTwoProcessesDoAJobOnce(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		d := dbtest.New(t)
		doOnce(t, d, d)
	})
	t.Run("postgres", func(t *testing.T) {
		address := dbtest.PostgresURL(t)
		doOnce(t, dbtest.Open(t, address), dbtest.Open(t, address))
	})
}

func doOnce(t *testing.T, one, two *db.DB) {
	const n = 60
	w := &world{}
	start(t, one, w)
	start(t, two, w)
	var all []signing.Job
	for i := range n {
		all = append(all, signing.FinishSignature{Signature: signing.SignatureID(strconv.Itoa(i))})
	}
	enqueue(t, one, all[:n/2]...)
	enqueue(t, two, all[n/2:]...)
	for i := range n {
		eventually(t, func() bool { return w.count("finish "+strconv.Itoa(i)) > 0 }, "all are done")
	}
	for i := range n {
		require.Equal(t, 1, w.count("finish "+strconv.Itoa(i)))
	}
}

func TestLooksDoNotPileUpBehindASlowOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var at, most atomic.Int64
		release := make(chan struct{})
		w := &world{look: func(ctx context.Context) (int, error) {
			most.Store(max(most.Load(), at.Add(1)))
			defer at.Add(-1)
			select {
			case <-release:
			case <-ctx.Done():
			}
			return 0, nil
		}}
		start(t, d, w, func(c *jobs.Config) { c.LookEvery = 20 * time.Millisecond; c.MailEvery = 20 * time.Millisecond })
		eventually(t, func() bool { return w.count("look") == 1 && w.count("deliver") > 10 }, "other work goes on")
		rows := 0
		for _, j := range dbtest.Jobs(t, d) {
			if j.Kind == (signing.LookAgain{}).Kind() {
				rows++
			}
		}
		require.Equal(t, 1, rows)
		close(release)
		eventually(t, func() bool { return w.count("look") > 3 }, "it goes on afterwards")
		require.Equal(t, int64(1), most.Load())
	})
}

func TestALookThatFailsLeavesNoFailedRow(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &world{look: func(context.Context) (int, error) { return 0, errors.New("DTM is away") }}
		var log safeBuffer
		start(t, d, w, func(c *jobs.Config) {
			c.LookEvery = 20 * time.Millisecond
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		eventually(t, func() bool { return w.count("look") > 5 }, "the next look comes")
		require.Contains(t, log.String(), "DTM is away")
		for _, j := range dbtest.Jobs(t, d) {
			require.NotContains(t, []string{"discarded", "retryable", "cancelled"}, j.State, j.Kind)
		}
	})
}

func TestAFailedJobIsTriedAgainAndLoggedWithoutItsArguments(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var log safeBuffer
		var once sync.Once
		w := &world{finish: func(_ context.Context, id signing.SignatureID) (err error) {
			if id == "panics-4711" {
				panic("broken with canary-of-a-panic")
			}
			once.Do(func() { err = errors.New("disk is full") })
			return err
		}}
		start(t, d, w, func(c *jobs.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
		enqueue(t, d, signing.FinishSignature{Signature: "fails-4711"})
		eventually(t, func() bool { return w.count("finish fails-4711") == 2 }, "tried again")
		enqueue(t, d, signing.FinishSignature{Signature: "panics-4711"})
		eventually(t, func() bool { return w.count("finish panics-4711") >= 1 }, "ran")
		enqueue(t, d, signing.FinishSignature{Signature: "next"})
		eventually(t, func() bool { return w.count("finish next") == 1 }, "a panic ends one job only")
		eventually(t, func() bool { return bytes.Contains([]byte(log.String()), []byte("job panicked")) }, "told")
		require.Contains(t, log.String(), "disk is full")
		require.NotContains(t, log.String(), "4711")
		require.Contains(t, log.String(), "panic", "and where")
		require.Contains(t, log.String(), "jobs_test.go")
		require.NotContains(t, log.String(), "canary-of-a-panic", "what it panicked with may hold anything")
		kept := ""
		eventually(t, func() bool {
			kept = jobRows(t, d)
			return strings.Contains(kept, "panic: string")
		}, "nor does its row")
		require.NotContains(t, kept, "canary-of-a-panic")
	})
}

func TestStopLetsARunningJobEndAndCancelsOneThatDoesNot(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		running, cancelled, ended := make(chan struct{}, 2), make(chan struct{}), make(chan error, 1)
		goOn := make(chan struct{})
		w := &world{finish: func(ctx context.Context, id signing.SignatureID) error {
			running <- struct{}{}
			if id == "polite" {
				<-goOn
				ended <- ctx.Err()
				return nil
			}
			<-ctx.Done()
			close(cancelled)
			return ctx.Err()
		}}
		for _, id := range []signing.SignatureID{"polite", "stubborn"} {
			workers := start(t, d, w)
			enqueue(t, d, signing.FinishSignature{Signature: id})
			<-running
			wait := 10 * time.Second
			if id == "polite" {
				time.AfterFunc(50*time.Millisecond, func() { close(goOn) })
			} else {
				wait = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			require.NoError(t, workers.Stop(ctx))
			cancel()
			if id == "polite" {
				select {
				case err := <-ended:
					require.NoError(t, err, "cancelled too early")
				default:
					t.Fatal("Stop did not wait for it")
				}
			} else {
				select {
				case <-cancelled:
				default:
					t.Fatal("Stop left it running")
				}
			}
		}
	})
}

func TestAJobStartsSoonAfterItsChange(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := &world{}
		start(t, d, w)
		eventually(t, func() bool { return w.count("sweep") == 1 }, "the workers run")
		begin := time.Now()
		enqueue(t, d, signing.FinishSignature{Signature: "s1"})
		eventually(t, func() bool { return w.count("finish s1") == 1 }, "done")
		require.Less(t, time.Since(begin), time.Second, "by being told, not by the poll of every second")
	})
}

// safeBuffer is a log that a test reads while others write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// jobRows is everything that the rows of the jobs hold.
func jobRows(t *testing.T, d *db.DB) string {
	t.Helper()
	rows, err := d.Read.Queryx("SELECT * FROM river_job") //nolint:sqlclosecheck // it is, two lines on
	require.NoError(t, err)
	defer rows.Close()
	kept := ""
	for rows.Next() {
		row := map[string]any{}
		require.NoError(t, rows.MapScan(row))
		for _, v := range row {
			if raw, ok := v.([]byte); ok {
				v = string(raw)
			}
			kept += fmt.Sprint(v)
		}
	}
	require.NoError(t, rows.Err())
	return kept
}
