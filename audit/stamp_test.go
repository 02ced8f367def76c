package audit_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
)

// clockService counts what it is asked, and stamps by writing the digest down.
type clockService struct {
	now   func() time.Time
	asked atomic.Int64
	away  atomic.Bool
	slow  time.Duration
}

func (c *clockService) Stamp(_ context.Context, digest []byte) ([]byte, time.Time, error) {
	c.asked.Add(1)
	time.Sleep(c.slow)
	if c.away.Load() {
		return nil, time.Time{}, errors.New("the clock service is away")
	}
	return append([]byte("stamped "), digest...), c.now(), nil
}

func TestACheckpointIsStampedWhenOneIsDueAndTheLogHasGrown(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		tell := func() time.Time { return now }
		tree := &audit.Tree{Store: d.AuditTree(), Signer: signer(t, 7), Now: tell}
		service := &clockService{now: tell}
		stamper := &audit.Stamper{Store: d.AuditTree(), Clock: service, Every: time.Hour, Now: tell}
		run := func(want int) {
			t.Helper()
			got, err := stamper.Run(ctx)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		grow := func() audit.Checkpoint {
			t.Helper()
			write(t, d, 3)
			_, err := tree.Number(ctx)
			require.NoError(t, err)
			cp, err := d.AuditTree().LastCheckpoint(ctx)
			require.NoError(t, err)
			return cp
		}
		run(0) // nothing is there
		first := grow()
		run(1)
		kept, stamp, err := d.AuditTree().StampedFrom(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, first, kept)
		digest := sha256.Sum256([]byte(first.Note))
		require.Equal(t, audit.Stamp{Size: 3, Token: append([]byte("stamped "), digest[:]...), At: now}, stamp)
		grow()
		now = now.Add(59 * time.Minute)
		run(0)
		now = now.Add(time.Minute)
		run(1)
		now = now.Add(3 * time.Hour)
		run(0) // has not grown
		require.EqualValues(t, 2, service.asked.Load())
		_, stamp, err = d.AuditTree().StampedFrom(ctx, 4)
		require.NoError(t, err)
		require.EqualValues(t, 6, stamp.Size)
	})
}

func TestAClockServiceThatIsAwayHoldsNothingUp(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tell := func() time.Time { return now }
	service := &clockService{now: tell}
	service.away.Store(true)
	stamper := &audit.Stamper{Store: d.AuditTree(), Clock: service, Every: time.Hour, Now: tell}
	tree := &audit.Tree{Store: d.AuditTree(), Signer: signer(t, 7), Now: tell}
	for i := range 5 {
		write(t, d, 1)
		_, err := tree.Number(ctx)
		require.NoError(t, err)
		_, err = stamper.Run(ctx)
		require.Equal(t, i%2 == 0, err != nil, "%v: asked again after two minutes, not at once", err)
		now = now.Add(time.Minute)
	}
	require.EqualValues(t, 3, service.asked.Load())
	r, err := tree.Receipt(ctx, d.AuditTree(), numbered(t, d)[:2])
	require.NoError(t, err)
	require.Nil(t, r.Timestamp, "and a receipt says that nobody stamped it")
	service.away.Store(false)
	now = now.Add(2 * time.Minute)
	n, err := stamper.Run(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestOneOfManyProcessesAsksTheClockService(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		write(t, d, 3)
		_, err := (&audit.Tree{Store: d.AuditTree(), Signer: signer(t, 7)}).Number(context.Background())
		require.NoError(t, err)
		service := &clockService{now: time.Now, slow: 50 * time.Millisecond}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				s := &audit.Stamper{Store: d.AuditTree(), Clock: service, Every: time.Hour}
				if _, err := s.Run(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 1, service.asked.Load())
	})
}

func TestAReceiptProvesItsEntriesAndNoOthers(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	s := signer(t, 7)
	tree := &audit.Tree{Store: d.AuditTree(), Signer: s}
	write(t, d, 1)
	_, err := tree.Receipt(ctx, d.AuditTree(), []audit.Entry{{Number: -1}})
	require.ErrorIs(t, err, audit.ErrNotNumbered)
	write(t, d, 19)
	_, err = tree.Number(ctx)
	require.NoError(t, err)
	all := numbered(t, d)
	r, err := tree.Receipt(ctx, d.AuditTree(), []audit.Entry{all[17], all[3]})
	require.NoError(t, err)
	h, err := audit.CheckReceipt(r, s.Key())
	require.NoError(t, err)
	require.True(t, h.KeyGiven)
	require.Equal(t, origin, h.Origin)
	for i, n := range []int{3, 17} {
		want := all[n]
		want.Hash = nil
		require.Equal(t, want, h.Entries[i])
	}
	h, err = audit.CheckReceipt(r)
	require.NoError(t, err)
	require.False(t, h.KeyGiven, "whoever has no key cannot tell who made it")
	_, err = audit.CheckReceipt(r, signer(t, 8).Key())
	require.ErrorIs(t, err, audit.ErrUnknownKey)

	for name, forge := range map[string]func(*audit.Receipt){
		"another entry": func(r *audit.Receipt) {
			r.Entries[0].Leaf = strings.Replace(r.Entries[0].Leaf, `"bytes":"7"`, `"bytes":"8"`, 1)
		},
		"another place":  func(r *audit.Receipt) { r.Entries[0].Number++ },
		"a shorter path": func(r *audit.Receipt) { r.Entries[0].Path = r.Entries[0].Path[1:] },
		"a short hash":   func(r *audit.Receipt) { r.Entries[0].Path[0] = r.Entries[0].Path[0][1:] },
		"no entry":       func(r *audit.Receipt) { r.Entries = nil },
		"another size":   func(r *audit.Receipt) { r.Checkpoint = strings.Replace(r.Checkpoint, "\n20\n", "\n21\n", 1) },
		"white space":    func(r *audit.Receipt) { r.Entries[1].Leaf += " " },
	} {
		forged, err := tree.Receipt(ctx, d.AuditTree(), []audit.Entry{all[17], all[3]})
		require.NoError(t, err)
		forge(&forged)
		_, err = audit.CheckReceipt(forged, s.Key())
		require.ErrorIs(t, err, audit.ErrProof, name)
	}
	// Somebody who may write to the database changes an entry: no receipt is made of it.
	changed := all[3]
	changed.Reason = "x"
	_, err = tree.Receipt(ctx, d.AuditTree(), []audit.Entry{changed})
	require.ErrorIs(t, err, audit.ErrProof)
}
