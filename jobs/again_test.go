package jobs_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/jobs"
	"countersign/signing"
	"countersign/work"
)

// What failed is seen by an admin, and tried at their word.
func TestAJobThatFailedIsTriedAgainAtAWord(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		q, err := jobs.NewQueue(d)
		require.NoError(t, err)
		d.UseQueue(q)
		var well atomic.Bool
		w := &world{finish: func(context.Context, signing.SignatureID) error {
			if well.Load() {
				return nil
			}
			return errors.New("not today")
		}}
		start(t, d, w)
		enqueue(t, d, signing.FinishSignature{Signature: "s1"})
		eventually(t, func() bool { return w.count("finish s1") > 0 }, "tried")
		ctx, then := t.Context(), time.Now().Add(time.Hour)
		eventually(t, func() bool {
			_, err := d.Write.Exec("UPDATE river_job SET attempt = 3 WHERE kind = 'finish-signature' AND state = 'retryable'")
			require.NoError(t, err)
			items, err := d.Work().Waiting(ctx, work.FailingJob, then, 10)
			require.NoError(t, err)
			return len(items) == 1
		}, "seen")
		items, err := d.Work().Waiting(ctx, work.FailingJob, then, 10)
		require.NoError(t, err)
		require.Equal(t, "finish-signature", items[0].Code)
		require.GreaterOrEqual(t, items[0].Tries, 3)
		require.WithinDuration(t, time.Now(), items[0].Since, time.Minute)
		require.True(t, items[0].Next.After(items[0].Since))
		counts, err := d.Work().Counts(ctx, time.Now())
		require.NoError(t, err)
		require.Equal(t, 1, counts[work.FailingJob])

		well.Store(true)
		entry := audit.Entry{Action: "work.again", Object: "job", Subject: items[0].ID}
		require.NoError(t, d.Work().Apply(ctx, work.Change{Job: items[0].ID, Entries: []audit.Entry{entry}}))
		eventually(t, func() bool {
			items, err := d.Work().Waiting(ctx, work.FailingJob, then, 10)
			require.NoError(t, err)
			return len(items) == 0
		}, "done")
		for _, id := range []string{items[0].ID, strconv.Itoa(1 << 40), "x"} {
			require.ErrorIs(t, d.Work().Apply(ctx, work.Change{Job: id, Entries: []audit.Entry{entry}}), work.ErrGone)
		}
		log, _, err := d.Audit().List(ctx, audit.Filter{Subject: items[0].ID})
		require.NoError(t, err)
		require.Len(t, log, 1, "what was not done is not written down as done")
	})
}
