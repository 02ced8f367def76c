package signing_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/signing"
)

// tried sums up what the simulator's ledger says of codes and PINs.
func (w *world) tried() (wrong, locked int) {
	for _, e := range w.sim.Ledger() {
		if e.Kind == dtmsim.LedgerOTPTry || e.Kind == dtmsim.LedgerPINTry {
			switch e.Outcome {
			case "wrong":
				wrong++
			case "locked":
				locked++
			}
		}
	}
	return wrong, locked
}

// O1: whoever tries wrong codes and PINs, at however many replicas at once, with two
// credentials that have one PIN, runs into our limit and never into the service's own.
func TestNobodyLocksACredentialThroughUs(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorldOn(t, d, "cp-advanced", func(o *signing.Options) { o.Limits.SendEvery, o.Limits.SendsPerHour = time.Millisecond, 100 })
		require.Equal(t, 4, w.Limits.Tries, "one fewer than the simulator takes")
		replicas := []*signing.Service{w.Service, w.again(), w.again()}
		w.options.Credentials.(credentials).known["ada2"] = owned{w.person.ID, w.signer.Credential} // another one, with the same PIN

		begin := func(n int, credential string) signing.Ceremony {
			c, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{w.submitted(fmt.Sprint("Guess ", n)).ID}, credential)
			require.NoError(t, err)
			return c
		}
		for round := range 8 {
			w.clock.pass(2 * time.Hour) // of one day
			c := begin(round, []string{"ada", "ada2"}[round%2])
			if _, err := w.SendCode(ctx, w.ada, c.ID); err != nil {
				require.Equal(t, "tries_row", code(t, err))
				continue
			}
			f := w.factors()
			f.PIN = wrong(f.PIN)
			var all sync.WaitGroup
			for i := range 30 {
				all.Go(func() { _, _ = replicas[i%3].Authorize(ctx, w.ada, c.ID, f) })
			}
			all.Wait()
			if round == 0 { // a fast race may leave some tries to the next
				got, _ := w.state(c)
				require.LessOrEqual(t, got.Tries, 4)
			}
		}
		// What the parallel ones left, one by one.
		for round := range 6 {
			c := begin(100+round, "ada2")
			if _, err := w.SendCode(ctx, w.ada, c.ID); err != nil {
				require.Equal(t, "tries_row", code(t, err))
				break
			}
			f := w.factors()
			f.PIN = wrong(f.PIN)
			_, err := w.Authorize(ctx, w.ada, c.ID, f)
			require.Error(t, err)
			require.NoError(t, w.Cancel(ctx, w.ada, c.ID))
		}
		bad, locked := w.tried()
		require.Equal(t, 4, bad, "in the ledger")
		require.Zero(t, locked)
		require.Equal(t, 4, w.count("SELECT COUNT(*) FROM attempts WHERE action = 'pin.try'"), "in the database")
		require.Zero(t, w.calls("signatures/signHash"))

		w.clock.pass(25 * time.Hour)
		c := begin(200, "ada")
		_, err := w.SendCode(ctx, w.ada, c.ID)
		require.NoError(t, err)
		_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err, "the PIN is as good as before")
		w.invariants("at the end")
	})
}

// A service that does not answer is nobody's wrong code: it rests no credential.
func TestAnswersThatAreLostAreNotCountedAsWrong(t *testing.T) {
	w := newWorld(t, "cp-advanced", func(o *signing.Options) { o.Limits.SendEvery, o.Limits.SendsPerHour = time.Millisecond, 100 })
	for n := range 7 {
		w.clock.pass(time.Minute)
		c := w.begun(w.submitted(fmt.Sprint("Lost ", n)))
		w.sim.Trouble(dtmsim.Fault{Path: "credentials/authorize", Drop: true})
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.Equal(t, "authorize_unknown", code(t, err))
	}
	w.clock.pass(time.Minute)
	c := w.begun(w.submitted("Answered"))
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
}
