package signing_test

import (
	"context"
	"crypto"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/signing"
)

// asking lets the service ask the simulator's certificates' addresses, as the portal does.
func asking(o *signing.Options) { o.Fetch = near.Fetch }

// prepared is a ceremony over the documents, before anybody asked for a code.
func (w *world) prepared(docs ...signing.Document) signing.Ceremony {
	w.t.Helper()
	var ids []signing.DocumentID
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	c, _, err := w.Begin(ctx, w.ada, ids, "ada")
	require.NoError(w.t, err)
	return c
}

// shown is where each check stands on the page.
func (w *world) shown(c signing.Ceremony) map[string]signing.CheckState {
	w.t.Helper()
	all, err := w.Preflight(ctx, w.ada, c.ID)
	require.NoError(w.t, err)
	states := map[string]signing.CheckState{}
	for _, p := range all {
		states[p.Name] = p.State
		require.NotEmpty(w.t, p.Text)
		if p.State == signing.CheckFailed || p.State == signing.CheckUnchecked {
			require.NotEmpty(w.t, p.Who, "who can change it: %s", p.Name)
		}
	}
	return states
}

// unspent: nothing that a person would have to repeat was asked of DTM.
func (w *world) unspent() {
	w.t.Helper()
	require.Zero(w.t, w.calls("credentials/sendOTP"))
	require.Zero(w.t, w.calls("credentials/authorize"))
	for _, e := range w.sim.Ledger() {
		require.NotContains(w.t, []string{dtmsim.LedgerOTPSent, dtmsim.LedgerSADIssued, dtmsim.LedgerSigned}, e.Kind)
	}
	require.Zero(w.t, w.count("SELECT COUNT(*) FROM attempts WHERE action IN ('otp.send', 'otp.try')"))
}

// Each check that fails is said before a code is spent, on both ways of approving.
func TestWhatCouldNotSucceedSpendsNoCode(t *testing.T) {
	flip := func(w *world, _ signing.Document) {
		path := w.biggestFile()
		b, err := os.ReadFile(path)
		require.NoError(w.t, err)
		b[len(b)/2] ^= 1
		require.NoError(w.t, os.Chmod(path, 0o600))
		require.NoError(w.t, os.WriteFile(path, b, 0o600))
	}
	for name, c := range map[string]struct {
		options func(*signing.Options)
		spoil   func(w *world, d signing.Document)
		check   string
		state   signing.CheckState
		code    string
	}{
		"certificate revoked": {spoil: func(w *world, _ signing.Document) { require.NoError(w.t, w.sim.Revoke(w.signer.Credential)) }, check: "revocation", state: "failed", code: "certificate_revoked"},
		"revocation unknown, and needed": {options: func(o *signing.Options) {
			o.NeedRevocation = true
			o.Fetch = func(context.Context, string, string, []byte) ([]byte, error) { return nil, errors.New("down") }
		}, check: "revocation", state: "unchecked", code: "revocation_unknown"},
		"clock service away": {spoil: func(w *world, _ signing.Document) {
			w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 500, N: 9})
		}, check: "clock", state: "failed", code: "clock_down"},
		"clock service wrong": {options: func(o *signing.Options) {
			now := o.Now
			o.Now = func() time.Time { return now().Add(7 * time.Minute) } // ours is ahead
		}, check: "clock", state: "failed", code: "clock_apart"},
		"the far side's clock": {options: func(o *signing.Options) {
			o.Skew = func() (time.Duration, bool) { return -7 * time.Minute, true }
		}, check: "clock", state: "failed", code: "clock_apart"},
		"no room for its time": {spoil: func(w *world, _ signing.Document) {
			_, err := w.db.Write.Exec("UPDATE ceremonies SET room = 100")
			require.NoError(w.t, err)
		}, check: "clock", state: "failed", code: "no_room"},
		"bytes altered": {spoil: flip, check: "file", state: "failed", code: "bytes_changed"},
		"file gone":     {spoil: func(w *world, _ signing.Document) { require.NoError(w.t, os.Remove(w.biggestFile())) }, check: "file", state: "failed", code: "bytes_changed"},
		"document erased by another window": {spoil: func(w *world, d signing.Document) {
			_, err := w.db.Write.Exec("UPDATE documents SET state = 'quarantined', reason = 'bytes_changed' WHERE id = ?", string(d.ID))
			require.NoError(w.t, err)
		}, check: "file", state: "failed", code: "quarantined"},
	} {
		for _, profile := range []string{"cp-basic", "cp-advanced-p256"} { // a code that is sent, and a PIN alone
			t.Run(name+", "+profile, func(t *testing.T) {
				change := []func(*signing.Options){asking}
				if c.options != nil {
					change = append(change, c.options)
				}
				w := newWorld(t, profile, change...)
				d := w.submittedBy(w.ada, page("Checked", 300_000))
				ceremony := w.prepared(d)
				if c.spoil != nil {
					c.spoil(w, d)
				}
				var err error
				if ceremony.Factor.Sent() {
					_, err = w.SendCode(ctx, w.ada, ceremony.ID)
				} else {
					_, err = w.Authorize(ctx, w.ada, ceremony.ID, w.factors())
				}
				require.Equal(t, c.code, code(t, err))
				w.unspent()
				got, _ := w.state(ceremony)
				require.Equal(t, signing.CeremonyPrepared, got.State, "what passes can be waited for")
				states := w.shown(ceremony)
				require.Equal(t, c.state, states[c.check])
				for _, passed := range []string{"credential", "key", "certificate", "document"} {
					require.Equal(t, signing.CheckOK, states[passed])
				}
			})
		}
	}
}

// What could not be looked at is said and not in the way, unless it is to be.
func TestWhatCannotBeCheckedIsSaidAndNotInTheWay(t *testing.T) {
	w := newWorld(t, "cp-basic", func(o *signing.Options) {
		o.Fetch = func(context.Context, string, string, []byte) ([]byte, error) { return nil, errors.New("down") }
	})
	c := w.begun(w.submitted("Unchecked"))
	require.Equal(t, signing.CheckUnchecked, w.shown(c)["revocation"])
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)

	w = newWorld(t, "cp-basic", func(o *signing.Options) { o.WithoutClock = true })
	ceremony := w.prepared(w.submitted("Later"))
	w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 500, N: 2})
	ceremony, err = w.SendCode(ctx, w.ada, ceremony.ID)
	require.NoError(t, err)
	require.Equal(t, signing.CheckUnchecked, w.shown(ceremony)["clock"])
	_, err = w.Authorize(ctx, w.ada, ceremony.ID, w.factors())
	require.NoError(t, err)
	w.clock.pass(3 * time.Minute)
	_, err = w.LookAgain(ctx)
	require.NoError(t, err)
	_, g := w.state(ceremony)
	require.Equal(t, signing.SignatureReleased, g.State)
}

// A clock service that comes back opens the way by itself.
func TestAClockServiceThatComesBackIsNoticed(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.prepared(w.submitted("Back"))
	w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 500, N: 1})
	_, err := w.SendCode(ctx, w.ada, c.ID)
	require.Equal(t, "clock_down", code(t, err))
	w.clock.pass(11 * time.Second)
	_, err = w.SendCode(ctx, w.ada, c.ID)
	require.NoError(t, err)
	require.Equal(t, signing.CheckOK, w.shown(c)["clock"])
}

// What the clock service answered a while ago says nothing of the present.
func TestAnOldAnswerOfTheClockServiceIsNotReliedOn(t *testing.T) {
	w := newWorld(t, "cp-basic")
	c := w.prepared(w.submitted("Old"))
	_, err := w.SendCode(ctx, w.ada, c.ID)
	require.NoError(t, err)
	w.clock.pass(61 * time.Second)
	w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 500, N: 9})
	_, err = w.SendCode(ctx, w.ada, c.ID)
	require.Equal(t, "clock_down", code(t, err))
	require.Equal(t, 1, w.calls("credentials/sendOTP"))
}

// While the person reads the checks are made; who presses then waits for nothing, on any replica.
func TestChecksAreMadeWhileThePersonReads(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const size = 3_000_000
		var read *countingBlobs
		w := newWorldOn(t, d, "cp-basic", asking, func(o *signing.Options) {
			o.Lazy = false
			read = &countingBlobs{Blobs: o.Blobs}
			o.Blobs = read
		})
		c := w.prepared(w.submittedBy(w.ada, page("Read", size)))
		require.Eventually(t, func() bool {
			states := w.shown(c)
			return states["file"] == signing.CheckOK && states["clock"] == signing.CheckOK && states["revocation"] == signing.CheckOK
		}, 20*time.Second, 20*time.Millisecond)
		w.unspent()
		read.bytes.Store(0)
		clocks := w.calls("signatures/timestamp")
		other := w.again() // has seen none of it
		_, err := other.SendCode(ctx, w.ada, c.ID)
		require.NoError(t, err)
		require.Less(t, read.bytes.Load(), int64(size/10), "nothing is read while somebody waits")
		require.Equal(t, clocks, w.calls("signatures/timestamp"))
		_, err = other.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err)
		_, g := w.state(c)
		require.Equal(t, signing.SignatureReleased, g.State)
	})
}

// Whoever presses at once waits for what is not done, and not for ever.
func TestACodeWaitsForTheChecksNoLongerThanItMust(t *testing.T) {
	hold := make(chan struct{})
	var slow atomic.Bool
	w := newWorld(t, "cp-basic", func(o *signing.Options) {
		o.CheckWait = 300 * time.Millisecond
		o.Remote = heldClock{o.Remote, hold, &slow}
	})
	c := w.prepared(w.submitted("Slow"))
	slow.Store(true)
	began := time.Now()
	_, err := w.SendCode(ctx, w.ada, c.ID)
	require.Equal(t, "still_checking", code(t, err))
	require.Less(t, time.Since(began), 3*time.Second)
	w.unspent()
	require.Equal(t, signing.CheckWaits, w.shown(c)["clock"])
	close(hold)
	require.Eventually(t, func() bool { _, err = w.SendCode(ctx, w.ada, c.ID); return err == nil }, 5*time.Second, 50*time.Millisecond, "%v", err)
	require.Equal(t, 1, w.calls("credentials/sendOTP"))
}

type heldClock struct {
	signing.Remote
	hold chan struct{}
	slow *atomic.Bool
}

func (r heldClock) Timestamp(ctx context.Context, digest []byte, h crypto.Hash, nonce []byte) ([]byte, error) {
	if r.slow.Load() {
		<-r.hold
	}
	return r.Remote.Timestamp(ctx, digest, h, nonce)
}

// One of many is in the way: it is named, taken out, and the others are signed.
func TestOneOfManyThatFailsItsCheckIsNamedAndLeftOut(t *testing.T) {
	w := newWorld(t, "cp-advanced")
	docs := []signing.Document{w.submitted("One"), w.submittedBy(w.ada, page("Two", 300_000)), w.submitted("Three")}
	c := w.prepared(docs...)
	require.NoError(t, os.Remove(w.biggestFile()))
	_, err := w.SendCode(ctx, w.ada, c.ID)
	require.Equal(t, "some_refused", code(t, err))
	var e *signing.Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Documents, 1)
	require.Equal(t, docs[1].ID, e.Documents[0].Document)
	require.Equal(t, "bytes_changed", e.Documents[0].Error.Code)
	w.unspent()
	require.NoError(t, w.TakeOut(ctx, w.ada, c.ID, docs[1].ID))
	_, err = w.SendCode(ctx, w.ada, c.ID)
	require.NoError(t, err)
	_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	require.Equal(t, []string{"released", "cancelled", "released"}, w.became(c))
}
