package reliability

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
)

// The far side is hostile: any call may be refused, lost, late, cut or answered with
// something else, signatures may be spoiled and timestamps wrong, as drawn from a seed. Every
// ceremony comes to an end that is told, the ledger agrees with the rows, and nothing is
// signed twice. In the long form with many seeds, on both databases.
func TestEveryCeremonyEndsAndIsToldWhileTheFarSideIsHostile(t *testing.T) {
	t.Parallel()
	seeds, each := 2, 1200*time.Millisecond
	if soak() {
		seeds, each = 20, 10*time.Second
	}
	rounds(t, 2, func(t *testing.T, o options) {
		w := newWorld(t, o)
		met := 0
		for range seeds {
			met += w.hostility(w.rng.Uint64(), each)
		}
		require.Positive(t, met, "trouble was met (seed %d)", w.seed)
		w.open(func(d *db.DB) {
			var ends []struct {
				State string
				N     int
			}
			require.NoError(t, d.Read.Select(&ends, "SELECT state || CASE WHEN reason = '' THEN '' ELSE ' (' || reason || ')' END AS state, COUNT(*) AS n FROM signatures GROUP BY 1 ORDER BY 2 DESC"))
			if soak() {
				require.Greater(t, len(ends), 4, "not everything went well: %v", ends)
			}
			t.Logf("seed %d: %d calls met trouble, %d outcomes not known; signatures: %v", w.seed, met, w.unknown, ends)
		})
	})
}

// hostility lets people work against a hostile far side for a while, and holds everything
// against everything afterwards.
func (w *world) hostility(seed uint64, d time.Duration) (met int) {
	w.t.Helper()
	where := fmt.Sprintf("hostile seed %d", seed)
	require.NoError(w.t, w.sim.Hostile(seed, 0.2))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		time.Sleep(d)
		for begin := time.Now(); w.sim.Hostility().Met < 3 && time.Since(begin) < 10*time.Second; { // a slow machine makes few calls
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
	}()
	var all sync.WaitGroup
	for _, p := range w.people {
		all.Go(func() {
			for ctx.Err() == nil {
				p.persist(ctx)
			}
		})
	}
	all.Wait()
	met = w.sim.Hostility().Met
	require.NoError(w.t, w.sim.Hostile(0, 0))
	w.sound(where)
	w.child.kill() // only while it is dead can time pass
	w.pass(false)
	w.start()
	w.recovered(false)
	w.sound(where + ", at peace")
	w.outcomes()
	w.open(func(d *db.DB) {
		var open int
		require.NoError(w.t, d.Read.Get(&open, `SELECT (SELECT COUNT(*) FROM ceremonies WHERE state NOT IN ('used', 'expired', 'failed', 'cancelled'))
			+ (SELECT COUNT(*) FROM signatures WHERE state NOT IN ('released', 'failed', 'expired', 'cancelled', 'outcome_unknown'))`))
		require.Zero(w.t, open, where)
	})
	return met
}

// persist is somebody who wants a document signed and takes what comes: a ceremony that does
// not go on is cancelled, and they begin again. Nothing they are answered is relied on, for
// an answer may be about something else than they asked for; the rows are looked at later.
func (p *person) persist(ctx context.Context) {
	if p.rests() {
		time.Sleep(20 * time.Millisecond)
		return
	}
	n := 1
	if !p.code && p.w.journal.number()%3 == 0 {
		n = 3
	}
	var documents []string
	for range n {
		document, err := p.upload(ctx, 1)
		if err != nil {
			return
		}
		documents = append(documents, document)
	}
	ceremony, err := p.begin(ctx, documents...)
	if err != nil {
		return
	}
	// What they see and do afterwards goes on to its end, as it would in a browser.
	ctx = context.WithoutCancel(ctx)
	fields := []string{"pin", p.w.sim.PIN(p.email)}
	if p.code {
		before := p.w.sim.LastCode(p.email)
		if a, err := p.post(ctx, "/ceremonies/"+ceremony+"/code"); err != nil || a.status >= 500 {
			p.w.t.Logf("the code of %s: %v %v", ceremony, a.status, err)
		}
		code := p.w.sim.LastCode(p.email)
		if code == before {
			_, _ = p.post(ctx, "/ceremonies/"+ceremony+"/cancel") // it may be over already
			return
		}
		fields = []string{"otp", code}
	}
	for range 2 {
		a, err := p.post(ctx, "/ceremonies/"+ceremony+"/authorize", fields...)
		if err == nil && a.status == 303 {
			return
		}
		if err == nil && a.status == 500 {
			p.w.t.Errorf("ceremony %s was answered as a fault of ours: %.400s", ceremony, a.text)
		}
	}
	_, _ = p.post(ctx, "/ceremonies/"+ceremony+"/cancel") // it may be over already
}
