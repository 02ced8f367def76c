package signing_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/signing"
)

// byPart is the real client, with trouble at the signHash of one part; parts count from 1.
type byPart struct {
	signing.Remote
	n     int
	at    int
	doing func() error // instead of the call, when it answers an error
	after func([][]byte)
}

func (r *byPart) SignHash(ctx context.Context, h dtmclient.HashesToSign) ([][]byte, error) {
	r.n++
	if r.n == r.at && r.doing != nil {
		if err := r.doing(); err != nil {
			return nil, err
		}
	}
	values, err := r.Remote.SignHash(ctx, h)
	if r.n == r.at && err == nil && r.after != nil {
		r.after(values)
	}
	return values, err
}

// together begins n documents of Ada's under one approval, two of them to a part.
func (w *world) together(n int, how signing.Choice) (signing.Ceremony, []signing.Document) {
	w.t.Helper()
	var docs []signing.Document
	var ids []signing.DocumentID
	for i := range n {
		docs = append(docs, w.submitted(fmt.Sprint("Document ", i)))
		ids = append(ids, docs[i].ID)
	}
	c, _, err := w.BeginWith(ctx, w.ada, ids, "ada", how)
	require.NoError(w.t, err)
	if c.Factor.Sent() {
		c, err = w.SendCode(ctx, w.ada, c.ID)
		require.NoError(w.t, err)
	}
	return c, docs
}

// became is the state and the reason of each document's signature, in order.
func (w *world) became(c signing.Ceremony) (all []string) {
	w.t.Helper()
	_, signatures, err := w.Ceremony(ctx, w.ada, c.ID)
	require.NoError(w.t, err)
	for _, g := range signatures {
		s := string(g.State)
		if g.Reason != "" {
			s += " " + g.Reason
		}
		all = append(all, s)
	}
	return all
}

func byTwo(o *signing.Options) { o.SignTogether = 2 }

// O18: one approval of all hashes, one signHash for each part, each part with activation data of its own.
func TestManyDocumentsAreSignedPartByPartUnderOneApproval(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorldOn(t, d, "cp-advanced", byTwo)
		c, docs := w.together(5, signing.Choice{})
		c, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err)
		require.Equal(t, signing.CeremonyUsed, c.State)
		require.Equal(t, []string{"released", "released", "released", "released", "released"}, w.became(c))
		require.Equal(t, 1, w.calls("credentials/authorize"))
		require.Equal(t, 2, w.calls("credentials/extendTransaction"))
		require.Equal(t, 3, w.calls("signatures/signHash"))
		bound, signed, data := map[string]bool{}, map[string]int{}, map[string]int{}
		for _, e := range w.sim.Ledger() {
			switch e.Kind {
			case dtmsim.LedgerSADIssued:
				require.Equal(t, 5, e.Signatures)
				require.Len(t, e.Hashes, 5)
				for _, h := range e.Hashes {
					bound[h] = true
				}
			case dtmsim.LedgerSigned:
				data[e.SAD]++
				for _, h := range e.Hashes {
					require.True(t, bound[h], "only what was approved")
					signed[h]++
				}
			}
		}
		require.Len(t, signed, 5)
		for _, n := range signed {
			require.Equal(t, 1, n)
		}
		require.Equal(t, 3, len(data), "activation data is used once")
		for _, d := range docs {
			d, err := w.Document(ctx, w.ada, d.ID)
			require.NoError(t, err)
			require.True(t, d.Signed)
		}
		mails := dbtest.Mails(t, w.db)
		require.Len(t, mails, 1, "one mail for all")
		require.Equal(t, "Signing of 5 documents is over", mails[0].Subject)
		require.Contains(t, mails[0].Text, "/ceremonies/"+string(c.ID))
		require.Equal(t, 1, w.count("SELECT COUNT(*) FROM attempts WHERE action = 'otp.try'"), "one try")
		require.Equal(t, 5, w.count("SELECT COUNT(*) FROM attempts WHERE action = 'document.prepare'"), "five documents")
	})
}

// What a part came to, and what became of those after it, with and without going on.
func TestAFailureInOnePartStopsOrGoesOnAsChosen(t *testing.T) {
	refused := func() error {
		return &dtmclient.Error{Op: "signatures/signHash", Kind: dtmclient.Invalid, Status: 400}
	}
	lost := func() error { return &dtmclient.Error{Op: "signatures/signHash", Kind: dtmclient.Unknown} }
	dead := func() error {
		return &dtmclient.Error{Op: "signatures/signHash", Kind: dtmclient.SADExpired, Status: 400}
	}
	bent := func(v [][]byte) { v[0][7] ^= 1 }
	const ok, not, unknown = "released", "failed not_asked", "outcome_unknown outcome_unknown"
	for name, c := range map[string]struct {
		goOn bool
		part byPart
		want []string
		asks int
	}{
		"refused, stop":         {false, byPart{at: 2, doing: refused}, []string{ok, ok, "failed sign_refused", "failed sign_refused", not}, 2},
		"refused, go on":        {true, byPart{at: 2, doing: refused}, []string{ok, ok, "failed sign_refused", "failed sign_refused", ok}, 3},
		"refused at once, stop": {false, byPart{at: 1, doing: refused}, []string{"failed sign_refused", "failed sign_refused", not, not, not}, 1},
		"lost, stop":            {false, byPart{at: 2, doing: lost}, []string{ok, ok, unknown, unknown, not}, 2},
		"lost, go on":           {true, byPart{at: 2, doing: lost}, []string{ok, ok, unknown, unknown, ok}, 3},
		"dead, go on":           {true, byPart{at: 2, doing: dead}, []string{ok, ok, "failed sad_expired", "failed sad_expired", not}, 2},
		"wrong value, stop":     {false, byPart{at: 1, after: bent}, []string{"failed value_wrong", ok, not, not, not}, 1},
		"wrong value, go on":    {true, byPart{at: 1, after: bent}, []string{"failed value_wrong", ok, ok, ok, ok}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := &c.part
			w := newWorld(t, "cp-advanced", byTwo, func(o *signing.Options) { r.Remote, o.Remote = o.Remote, r })
			ceremony, _ := w.together(5, signing.Choice{GoOn: c.goOn})
			require.Equal(t, c.goOn, ceremony.GoOn)
			_, err := w.Authorize(ctx, w.ada, ceremony.ID, w.factors())
			require.Equal(t, c.want, w.became(ceremony))
			got, _ := w.state(ceremony)
			good := w.count("SELECT COUNT(*) FROM signatures WHERE state = 'released'")
			if good > 0 {
				require.NoError(t, err)
				require.Equal(t, signing.CeremonyUsed, got.State)
			} else {
				require.Equal(t, "sign_refused", code(t, err))
				require.Equal(t, signing.CeremonyFailed, got.State)
				require.Equal(t, "sign_refused", got.Reason)
			}
			require.Equal(t, c.asks, r.n, "nothing is asked twice, and nothing after the end")
			require.Len(t, dbtest.Mails(t, w.db), 1)
			w.clock.pass(time.Hour)
			_, err = w.LookAgain(ctx)
			require.NoError(t, err)
			require.Equal(t, c.want, w.became(ceremony))
			require.Equal(t, c.asks, r.n)
		})
	}
}

func TestWhatFailedIsSignedAgainByItself(t *testing.T) {
	r := &byPart{at: 2, doing: func() error { return &dtmclient.Error{Op: "signatures/signHash", Kind: dtmclient.Invalid, Status: 400} }}
	w := newWorld(t, "cp-advanced", byTwo, func(o *signing.Options) { r.Remote, o.Remote = o.Remote, r })
	c, docs := w.together(5, signing.Choice{})
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	w.clock.pass(31 * time.Second)
	again := w.begun(docs[2:]...)
	_, err = w.Authorize(ctx, w.ada, again.ID, w.factors())
	require.NoError(t, err)
	require.Equal(t, []string{"released", "released", "released"}, w.became(again))
	for _, d := range docs {
		d, err := w.Document(ctx, w.ada, d.ID)
		require.NoError(t, err)
		require.Equal(t, 2, d.Revisions, "signed once")
	}
}

// A process that dies between two parts: what was signed is finished, what was not asked for is
// told as that, what hangs is not known, and nothing is asked again.
func TestADeathBetweenPartsLosesNothingAndAsksNothingTwice(t *testing.T) {
	for name, c := range map[string]struct {
		die  func() error
		want []string
	}{
		"while the second part is asked": {func() error { panic(killed{}) }, []string{"released", "released", "outcome_unknown outcome_unknown", "outcome_unknown outcome_unknown", "failed not_asked"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &byPart{at: 2, doing: c.die}
			w := newWorld(t, "cp-advanced", byTwo, func(o *signing.Options) { r.Remote, o.Remote = o.Remote, r })
			ceremony, _ := w.together(5, signing.Choice{GoOn: true})
			survive(func() { _, _ = w.Authorize(ctx, w.ada, ceremony.ID, w.factors()) })
			for range 4 {
				w.clock.pass(40 * time.Minute)
				_, err := w.LookAgain(ctx)
				require.NoError(t, err)
			}
			require.Equal(t, c.want, w.became(ceremony))
			got, _ := w.state(ceremony)
			require.Equal(t, signing.CeremonyUsed, got.State)
			require.Equal(t, 2, r.n)
			require.Len(t, dbtest.Mails(t, w.db), 1)
		})
	}
}

// A part is only asked for once it is written down; what cannot be written down is not asked.
func TestAPartThatCannotBeWrittenDownIsNotAsked(t *testing.T) {
	w := newWorld(t, "cp-advanced", byTwo)
	s := w.again(func(o *signing.Options) { o.Store = &refusesIntent{Store: o.Store, at: 2} })
	c, _ := w.together(5, signing.Choice{GoOn: true})
	_, err := s.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	require.Equal(t, 1, w.calls("signatures/signHash"))
	require.Equal(t, []string{"released", "released", "prepared", "prepared", "prepared"}, w.became(c))
	w.clock.pass(10 * time.Minute)
	_, err = w.LookAgain(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"released", "released", "failed not_asked", "failed not_asked", "failed not_asked"}, w.became(c))
	got, _ := w.state(c)
	require.Equal(t, signing.CeremonyUsed, got.State)
	require.Len(t, dbtest.Mails(t, w.db), 1)
}

// refusesIntent fails the n-th change that writes down what is about to be signed.
type refusesIntent struct {
	signing.Store
	n, at int
}

func (s *refusesIntent) Apply(ctx context.Context, c signing.Change) error {
	for _, m := range c.Signatures {
		if m.To.State == signing.SignatureIntended {
			if s.n++; s.n == s.at {
				return errTrouble
			}
			break
		}
	}
	return s.Store.Apply(ctx, c)
}

// A document altered after the code was sent: with the choice to go on the others are signed.
func TestAnAlteredDocumentAmongManyStopsOrIsLeftOut(t *testing.T) {
	for goOn, want := range map[bool][]string{
		false: {"failed bytes_changed", "failed not_asked", "failed not_asked"},
		true:  {"failed bytes_changed", "released", "released"},
	} {
		t.Run(fmt.Sprint(goOn), func(t *testing.T) {
			w := newWorld(t, "cp-advanced", byTwo)
			big := w.submittedBy(w.ada, page("Altered", 300_000))
			docs := []signing.DocumentID{big.ID, w.submitted("Two").ID, w.submitted("Three").ID}
			c, _, err := w.BeginWith(ctx, w.ada, docs, "ada", signing.Choice{GoOn: goOn})
			require.NoError(t, err)
			_, err = w.SendCode(ctx, w.ada, c.ID)
			require.NoError(t, err)
			path := w.biggestFile()
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			b[len(b)/2] ^= 1
			require.NoError(t, os.Chmod(path, 0o600))
			require.NoError(t, os.WriteFile(path, b, 0o600))
			_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
			if goOn {
				require.NoError(t, err)
			} else {
				require.Equal(t, "bytes_changed", code(t, err))
				require.Zero(t, w.calls("signatures/signHash"))
			}
			require.Equal(t, want, w.became(c))
		})
	}
}

func TestOneOfManyIsTakenOutBeforeTheApproval(t *testing.T) {
	w := newWorld(t, "cp-advanced", byTwo)
	c, docs := w.together(3, signing.Choice{})
	before := w.files()
	require.NoError(t, w.TakeOut(ctx, w.ada, c.ID, docs[1].ID), "after the code was sent, too")
	require.Equal(t, before-1, w.files(), "its preparation is gone")
	require.Equal(t, "not_found", code(t, w.TakeOut(ctx, w.ada, c.ID, docs[1].ID)))
	require.Equal(t, "not_found", code(t, w.TakeOut(ctx, w.another("Bea", "cp-basic", "bea"), c.ID, docs[0].ID)))
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	require.Equal(t, []string{"released", "cancelled", "released"}, w.became(c))
	for _, e := range w.sim.Ledger() {
		if e.Kind == dtmsim.LedgerSADIssued {
			require.Len(t, e.Hashes, 2)
		}
	}
	require.Error(t, w.TakeOut(ctx, w.ada, c.ID, docs[0].ID))

	w.clock.pass(31 * time.Second)
	c, docs = w.together(2, signing.Choice{})
	require.NoError(t, w.Erase(ctx, w.ada, docs[0].ID), "erasing takes out one, too")
	require.Equal(t, []string{"cancelled", "prepared"}, w.became(c))
	require.NoError(t, w.TakeOut(ctx, w.ada, c.ID, docs[1].ID))
	got, _ := w.state(c)
	require.Equal(t, signing.CeremonyCancelled, got.State, "without the last one there is nothing to approve")
}

// Somebody takes one out while the approval of all goes through: one of the two, never both.
func TestTakingOutAndApprovingExcludeEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for n := range 4 {
			w := newWorldOn(t, d, "cp-advanced")
			w.clock.pass(time.Duration(n) * time.Minute) // the same credential in the same database: codes are counted
			c, docs := w.together(2, signing.Choice{})
			f := w.factors()
			out := make(chan error)
			go func() { out <- w.TakeOut(ctx, w.ada, c.ID, docs[0].ID) }()
			_, err := w.Authorize(ctx, w.ada, c.ID, f)
			taken := <-out
			if err != nil {
				require.NoError(t, taken, "%v", err)
				continue
			}
			for _, e := range w.sim.Ledger() {
				if e.Kind == dtmsim.LedgerSigned && e.ClientData == string(c.ID) {
					require.Equal(t, map[bool]int{true: 1, false: 2}[taken == nil], len(e.Hashes))
				}
			}
		}
	})
}

func TestAllThatAreInTheWayAreNamedAtOnce(t *testing.T) {
	w := newWorld(t, "cp-advanced")
	good, erased, open := w.submitted("Good"), w.submitted("Erased"), w.submitted("Open")
	require.NoError(t, w.Erase(ctx, w.ada, erased.ID))
	_, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{good.ID, erased.ID, open.ID}, "ada")
	require.Equal(t, "some_refused", code(t, err))
	var e *signing.Error
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Documents, 1)
	require.Equal(t, erased.ID, e.Documents[0].Document)
	require.Equal(t, "erased", e.Documents[0].Error.Code)
	require.Zero(t, w.count("SELECT COUNT(*) FROM ceremonies"))
	require.Equal(t, 2, w.files(), "no preparation is left")
	require.Zero(t, w.calls("credentials/sendOTP"))
}

func TestDocumentsAreCountedHoweverManyCeremoniesTheyAreIn(t *testing.T) {
	w := newWorld(t, "cp-advanced", func(o *signing.Options) { o.Limits.SignsPerHour = 5 })
	_, docs := w.together(3, signing.Choice{})
	ids := []signing.DocumentID{docs[0].ID, docs[1].ID, docs[2].ID}
	_, _, err := w.BeginWith(ctx, w.ada, ids, "ada", signing.Choice{GoOn: true}) // another choice: another ceremony
	require.Equal(t, "too_often", code(t, err))
	_, _, err = w.Begin(ctx, w.ada, ids[:2], "ada")
	require.NoError(t, err)
	w.clock.pass(61 * time.Minute)
	_, _, err = w.Begin(ctx, w.ada, ids, "ada")
	require.NoError(t, err)
}
