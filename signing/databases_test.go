package signing_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/signing"
)

// What rests on the database's own locking holds on both.
func TestBothDatabasesHoldWhatManyDoAtOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorldOn(t, d, "cp-basic", func(o *signing.Options) { o.Quota = signing.Quota{Files: 5, Bytes: 1 << 30} })
		pdf := page("Many at once", 0)
		atOnce := func(n int, f func(s *signing.Service) error) (good int, bad []error) {
			replicas := []*signing.Service{w.Service, w.again(), w.again()}
			var wg sync.WaitGroup
			var mu sync.Mutex
			for i := range n {
				wg.Go(func() {
					err := f(replicas[i%3])
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						good++
					} else {
						bad = append(bad, err)
					}
				})
			}
			wg.Wait()
			return good, bad
		}

		good, bad := atOnce(16, func(s *signing.Service) error {
			_, err := s.Submit(ctx, w.ada, "x.pdf", int64(len(pdf)), bytes.NewReader(pdf))
			return err
		})
		require.Equal(t, 5, good, "the quota holds")
		for _, err := range bad {
			require.Equal(t, "quota", code(t, err))
		}

		docs, _, err := w.Documents(ctx, w.ada, signing.DocumentQuery{})
		require.NoError(t, err)
		var mu sync.Mutex
		ids := map[signing.CeremonyID]bool{}
		good, bad = atOnce(9, func(s *signing.Service) error {
			c, _, err := s.Begin(ctx, w.ada, []signing.DocumentID{docs[0].ID}, "ada")
			mu.Lock()
			defer mu.Unlock()
			ids[c.ID] = true
			return err
		})
		require.Equal(t, 9, good, "%v", bad)
		require.Len(t, ids, 1, "one ceremony")

		c := w.begun(docs[0])
		require.True(t, ids[c.ID])
		good, bad = atOnce(9, func(s *signing.Service) error { _, err := s.SendCode(ctx, w.ada, c.ID); return err })
		require.Zero(t, good, "the code was sent a moment ago")
		for _, err := range bad {
			e := new(signing.Error)
			require.ErrorAs(t, err, &e)
			require.Contains(t, []signing.Kind{signing.KindLimited, signing.KindConflict}, e.Kind)
		}
		require.Equal(t, 1, w.calls("credentials/sendOTP"))

		f := w.factors()
		w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 503, N: 3})
		good, bad = atOnce(9, func(s *signing.Service) error { _, err := s.Authorize(ctx, w.ada, c.ID, f); return err })
		require.Equal(t, 1, good)
		for _, err := range bad {
			require.True(t, errors.Is(err, signing.ErrConflict), "%v", err)
		}
		require.Equal(t, 1, w.calls("signatures/signHash"))

		_, g := w.state(c)
		require.Equal(t, signing.SignatureSigned, g.State)
		w.clock.pass(3 * time.Minute)
		good, bad = atOnce(9, func(s *signing.Service) error {
			if _, err := s.LookAgain(ctx); err != nil {
				return err
			}
			return s.Finish(ctx, g.ID)
		})
		require.Equal(t, 9, good, "%v", bad)
		_, g = w.state(c)
		require.Equal(t, signing.SignatureReleased, g.State)
		require.Equal(t, 1, w.count("SELECT COUNT(*) FROM audit WHERE action = 'signature.release'"))
		require.Equal(t, 1, w.count("SELECT COUNT(*) FROM outbox"))
		w.invariants("at the end")
	})
}
