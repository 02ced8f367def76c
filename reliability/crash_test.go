package reliability

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/signing"
)

// killed takes up a portal that has died: everything is held against everything, at once,
// and when what broke off has come to its end. Every other time nothing is over that waits
// for a person, who then goes on where they were.
func (w *world) killed(where string) {
	w.t.Helper()
	w.kills++
	w.sound(where + ", just after")
	goesOn := w.kills%2 == 0
	w.pass(goesOn)
	w.start()
	w.recovered(goesOn)
	w.sound(where + ", recovered")
	if goesOn {
		w.goOn()
	}
	w.outcomes()
}

// goOn enters the PIN, or goes to the provider's page, in every ceremony that still waits for one: a death costs nobody
// what they had begun.
func (w *world) goOn() {
	w.t.Helper()
	var rows []struct {
		ID, Subject string
		N           int
	}
	w.open(func(d *db.DB) {
		require.NoError(w.t, d.Read.Select(&rows, `SELECT c.id, p.subject, (SELECT COUNT(*) FROM signatures s WHERE s.ceremony = c.id) AS n
			FROM ceremonies c JOIN people p ON p.id = c.owner WHERE c.state = 'prepared' ORDER BY c.id`))
	})
	for _, r := range rows {
		for _, p := range w.people {
			if p.subject == r.Subject && !p.code {
				require.NoError(w.t, p.approve(context.Background(), r.ID, r.N), "ceremony %s goes on (seed %d, kill %d)", r.ID, w.seed, w.kills)
			}
		}
	}
}

// outcomes counts those that nobody knows, and holds that each is told: on its page, by
// mail, and with a way on.
func (w *world) outcomes() {
	w.t.Helper()
	w.open(func(d *db.DB) {
		var rows []struct {
			Ceremony, Document, Subject string
			N                           int
		}
		require.NoError(w.t, d.Read.Select(&rows, `SELECT s.ceremony, s.document, p.subject, (SELECT COUNT(*) FROM signatures o WHERE o.ceremony = s.ceremony) AS n
			FROM signatures s JOIN people p ON p.id = s.owner WHERE s.state = 'outcome_unknown' ORDER BY s.since, s.id`))
		var untold int
		require.NoError(w.t, d.Read.Get(&untold, `SELECT COUNT(*) FROM signatures s WHERE s.state = 'outcome_unknown' AND 1 <>
			(SELECT COUNT(*) FROM outbox WHERE about IN ('signing.outcome_unknown:' || s.id, 'signing.over:' || s.ceremony))`))
		require.Zero(w.t, untold, "each is told by mail once")
		for _, r := range rows[w.unknown:] {
			for _, p := range w.people {
				if p.subject == r.Subject {
					p.wayOn(r.Ceremony, r.Document, r.N == 1)
				}
			}
		}
		w.unknown = len(rows)
	})
}

// wayOn looks at the page of an unknown outcome, and begins again.
func (p *person) wayOn(ceremony, document string, alone bool) {
	t := p.w.t
	t.Helper()
	ctx := context.Background()
	a, err := p.get(ctx, "/ceremonies/"+ceremony)
	require.NoError(t, err)
	require.Equal(t, 200, a.status)
	if alone {
		require.Contains(t, a.text, "We do not know whether DigiCert signed")
	}
	require.Contains(t, a.text, "/documents/"+document, "the way on")
	if p.rests() {
		return
	}
	again, err := p.begin(ctx, document)
	require.NoError(t, err)
	require.NotEqual(t, ceremony, again)
	require.NoError(t, p.approve(ctx, again, 1))
}

// die works at the site, all at once, until it dies at the point.
func (w *world) die(p signing.Point, done bool) {
	w.t.Helper()
	where := string(p) + map[bool]string{true: ":after", false: ":before"}[done]
	first := w.people[0]
	for _, who := range w.people[1:] {
		if who.consent {
			if p == signing.PointConsent || p == signing.PointRedeem {
				first = who
				break
			}
			continue
		}
		// Before a code has to be sent, somebody with a PIN does as well.
		if slices.Index(signing.Points(), p) >= slices.Index(signing.Points(), signing.PointCount) && !who.rests() {
			first = who
		}
	}
	w.arm(where)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, who := range w.people {
		if who != first {
			all.Go(func() { _, _ = who.upload(ctx, 1) })
		}
	}
	err := first.work(ctx, 1+w.kills%3)
	require.Error(w.t, err, "%s was not reached", where)
	require.NotErrorIs(w.t, err, errResting, where)
	require.NoError(w.t, w.child.died(waitForDeath), "%s: %v", where, err)
	all.Wait()
	w.killed(where)
}

func points() (all []struct {
	p    signing.Point
	done bool
}) {
	for _, p := range signing.Points() {
		for _, done := range []bool{false, true} {
			all = append(all, struct {
				p    signing.Point
				done bool
			}{p, done})
		}
	}
	return all
}

// tally sums up what a test did, for docs/reliability.md.
type tally struct {
	mu                                   sync.Mutex
	kills, restarts, comparisons, unsure int
}

func (c *tally) add(t *testing.T, w *world) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kills += w.kills
	c.restarts += w.kills
	c.comparisons += w.comparisons
	c.unsure += w.unknown
	t.Logf("seed %d: %d kills. So far %d kills, %d restarts, %d comparisons with the ledger, %d outcomes not known, no violation",
		w.seed, w.kills, c.kills, c.restarts, c.comparisons, c.unsure)
}

// rounds runs a test once, or in the long form n times on each database.
func rounds(t *testing.T, n int, round func(t *testing.T, o options)) {
	if !soak() {
		round(t, options{})
		return
	}
	for _, postgres := range []bool{false, true} {
		t.Run(map[bool]string{false: "sqlite", true: "postgres"}[postgres], func(t *testing.T) {
			t.Parallel()
			for i := range n {
				t.Run(fmt.Sprint("round ", i+1), func(t *testing.T) { round(t, options{postgres: postgres}) })
			}
		})
	}
}

// C1 to C8: the portal is killed just before and just after every step of an upload and a
// signing. In the long form 20 times each, on both databases.
func TestADeathAtEveryPointLosesNothingAndSignsNothingTwice(t *testing.T) {
	t.Parallel()
	var sum tally
	rounds(t, 20, func(t *testing.T, o options) {
		w := newWorld(t, o.withConsent())
		for _, at := range points() {
			w.die(at.p, at.done)
		}
		require.Equal(t, len(points()), w.kills)
		require.GreaterOrEqual(t, w.unknown, 4, "after intend, before and after sign, before record")
		sum.add(t, w)
	})
}

// The steps at which the most can go wrong, on the other database.
func TestADeathAtTheKeyOnPostgreSQL(t *testing.T) {
	t.Parallel()
	var sum tally
	metrics := free(t)
	w := newWorld(t, options{postgres: true, env: []string{"METRICS_LISTEN=" + metrics}})
	for _, p := range []signing.Point{signing.PointReceived, signing.PointIntend, signing.PointSign, signing.PointRecord, signing.PointRelease} {
		before := w.unknown
		w.die(p, true)
		if w.unknown > before {
			a, err := w.people[0].get(t.Context(), "http://"+metrics+"/metrics")
			require.NoError(t, err)
			require.Regexp(t, `(?m)^countersign_moves_total\{[^}]*object="signature"[^}]*to="outcome_unknown"[^}]*\} 1$`, a.text)
		}
	}
	require.Equal(t, 2, w.unknown)
	sum.add(t, w)
}

// The portal is killed at any moment while everybody uploads and signs. In the long form
// 200 times on each database.
func TestADeathAtAnyMomentLosesNothing(t *testing.T) {
	t.Parallel()
	kills, n := 10, 1
	if soak() {
		kills, n = 25, 8
	}
	var sum tally
	rounds(t, n, func(t *testing.T, o options) {
		w := newWorld(t, o.withConsent())
		for range kills {
			w.anyMoment()
		}
		sum.add(t, w)
	})
}

func (w *world) anyMoment() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, who := range w.people {
		all.Go(func() {
			for ctx.Err() == nil {
				if errors.Is(who.work(ctx, 1), errResting) {
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	time.Sleep(time.Duration(w.rng.Int64N(int64(700 * time.Millisecond))))
	w.child.kill()
	cancel()
	all.Wait()
	w.killed(fmt.Sprintf("a random moment, number %d", w.kills+1))
}
