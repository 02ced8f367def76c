package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/jobs"
	"countersign/signing"
)

// idle services have nothing to do, so that what is told comes from the workers alone.
type (
	idleSigning  struct{}
	idleIdentity struct{}
	failingMail  struct{}
	brokenTree   struct{}
)

func (idleSigning) Finish(context.Context, signing.SignatureID) error            { return nil }
func (idleSigning) Extend(context.Context, signing.DocumentID) error             { return nil }
func (idleSigning) LookAgain(context.Context) (int, error)                       { return 0, nil }
func (idleIdentity) FinishApproval(context.Context, identity.ValidationID) error { return nil }
func (idleIdentity) Reconcile(context.Context, identity.ValidationID) error      { return nil }
func (idleIdentity) LookAgain(context.Context) (int, error)                      { return 0, nil }
func (failingMail) Deliver(context.Context) (int, error)                         { return 0, errors.New("no post today") }
func (brokenTree) Number(context.Context) (int, error)                           { panic("a broken tree") }

func TestEveryRunOfAJobIsToldWithItsOutcome(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		var mu sync.Mutex
		told := map[string]map[jobs.Outcome]int{}
		w, err := jobs.New(jobs.Config{DB: d, Signing: idleSigning{}, Identity: idleIdentity{}, Mail: failingMail{}, Tree: brokenTree{},
			LookEvery: time.Hour, MailEvery: time.Hour, NumberEvery: time.Hour, Log: slog.New(slog.NewJSONHandler(new(bytes.Buffer), nil)),
			Observe: func(kind string, outcome jobs.Outcome, took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				if told[kind] == nil {
					told[kind] = map[jobs.Outcome]int{}
				}
				told[kind][outcome]++
			}})
		require.NoError(t, err)
		require.NoError(t, w.Start(t.Context()))
		require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(told) == 4 }, 20*time.Second, 10*time.Millisecond)
		require.NoError(t, w.Stop(context.Background()))
		require.Equal(t, map[string]map[jobs.Outcome]int{
			"look-again-signing": {jobs.Done: 1}, "look-again-identity": {jobs.Done: 1}, "deliver-mail": {jobs.Failed: 1}, "number-audit": {jobs.Panicked: 1},
		}, told)
	})
}
