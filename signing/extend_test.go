package signing_test

import (
	"context"
	"crypto"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/pades"
	"countersign/pades/fetch"
	"countersign/signing"
)

var near = fetch.Client{Allow: func(netip.Addr) bool { return true }}

// extending makes a world whose files are carried to a level.
func extending(level string) func(*signing.Options) {
	return func(o *signing.Options) { o.Level, o.Fetch = level, near.Fetch }
}

// released is a signed document, right after its release.
func (w *world) released(text string) signing.Document {
	w.t.Helper()
	d := w.submitted(text)
	w.signs(d)
	return w.document(d.ID)
}

func (w *world) signs(d signing.Document) {
	w.t.Helper()
	c := w.begun(d)
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(w.t, err)
	_, g := w.state(c)
	require.Equal(w.t, signing.SignatureReleased, g.State)
}

func (w *world) document(id signing.DocumentID) signing.Document {
	w.t.Helper()
	d, err := w.Document(ctx, w.ada, id)
	require.NoError(w.t, err)
	return d
}

func (w *world) extension(id signing.DocumentID) signing.Extension {
	w.t.Helper()
	e, err := w.Extension(ctx, w.ada, id)
	require.NoError(w.t, err)
	return e
}

// tryExtension lets time pass up to the next try and makes it, as the sweep and its job do.
func (w *world) tryExtension(id signing.DocumentID) signing.Extension {
	w.t.Helper()
	w.clock.pass(max(w.extension(id).Deadline.Sub(w.clock.Now()), 0) + time.Second)
	_, err := w.LookAgain(ctx)
	require.NoError(w.t, err)
	require.NoError(w.t, w.Extend(ctx, id))
	return w.extension(id)
}

func TestAReleasedFileIsCarriedOn(t *testing.T) {
	for _, level := range []string{"B-LT", "B-LTA"} {
		t.Run(level, func(t *testing.T) {
			w := newWorld(t, "cp-basic", extending(level))
			d := w.released("Carried on")
			bt := w.bytes(w.ada, d.ID)
			require.Equal(t, "B-T", d.Level)
			e := w.extension(d.ID)
			require.Equal(t, signing.ExtensionWaiting, e.State)
			n, err := w.LookAgain(ctx)
			require.NoError(t, err)
			require.Zero(t, n, "not before its time")

			e = w.tryExtension(d.ID)
			require.Equal(t, signing.ExtensionReached, e.State, e.Reason)
			require.Equal(t, level == "B-LTA", !e.Deadline.IsZero(), "only a timestamp has to be renewed")
			d = w.document(d.ID)
			require.Equal(t, level, d.Level)
			file := w.bytes(w.ada, d.ID)
			require.True(t, strings.HasPrefix(string(file), string(bt)), "what was released stays, byte for byte")
			result, err := w.Check(ctx, w.ada, d.ID)
			require.NoError(t, err)
			require.Equal(t, pades.TotalPassed, result.Indication)
			require.Equal(t, level, result.Signatures[0].Level)
			require.Equal(t, 1, w.count("SELECT COUNT(*) FROM outbox"), "no second mail")
			require.Equal(t, 1, w.calls("signatures/signHash"))

			// The state of the hash goes on: the next signature needs it.
			w.clock.pass(31 * time.Second)
			w.signs(d)
			d = w.document(d.ID)
			require.Equal(t, signing.ExtensionWaiting, w.extension(d.ID).State)
			revisions := d.Revisions
			e = w.tryExtension(d.ID)
			require.Equal(t, signing.ExtensionReached, e.State, e.Reason)
			result, err = w.Check(ctx, w.ada, d.ID)
			require.NoError(t, err)
			require.Equal(t, pades.TotalPassed, result.Indication)
			require.Equal(t, level, w.document(d.ID).Level)
			require.Greater(t, w.document(d.ID).Revisions, revisions, "what was there is older than the new signature")
		})
	}
}

func TestWithoutALevelOrRootsNothingIsAdded(t *testing.T) {
	for name, change := range map[string]func(*signing.Options){
		"no level": func(o *signing.Options) { o.Fetch = near.Fetch },
		"B-T":      extending("B-T"),
		"no roots": func(o *signing.Options) { extending("B-LT")(o); o.Roots = nil },
		"no clock": func(o *signing.Options) { extending("B-LT")(o); o.NoTimestamp = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic", change)
			d := w.released("As it is")
			_, err := w.Extension(ctx, w.ada, d.ID)
			require.Equal(t, "not_found", code(t, err))
		})
	}
}

// Whatever is away or wrong leaves the released file as it is, is said, and is tried again.
func TestAnExtensionWaitsForWhatIsAway(t *testing.T) {
	for want, trouble := range map[string]func(w *world, o *signing.Options){
		"extend_no_answer": func(_ *world, o *signing.Options) {
			o.Fetch = func(context.Context, string, string, []byte) ([]byte, error) { return nil, errors.New("down") }
		},
		"extend_not_fresh": func(w *world, o *signing.Options) {
			w.sim.Trouble(dtmsim.Fault{Path: "nowhere"})
			stale := map[string][]byte{}
			o.Fetch = func(ctx context.Context, url, kind string, body []byte) ([]byte, error) { // as it was before the signature
				key := url + string(body)
				if stale[key] == nil {
					w.clock.pass(-2 * time.Hour)
					defer w.clock.pass(2 * time.Hour)
					b, err := near.Fetch(ctx, url, kind, body)
					if err != nil {
						return nil, err
					}
					stale[key] = b
				}
				return stale[key], nil
			}
		},
		"wait_clock": func(w *world, o *signing.Options) {
			o.Level, o.Remote = "B-LTA", lying{o.Remote, w, func(*world, []byte, []byte) ([]byte, error) { return nil, errors.New("down") }}
		},
		"wait_token": func(w *world, o *signing.Options) {
			o.Level, o.Remote = "B-LTA", lying{o.Remote, w, func(w *world, digest, _ []byte) ([]byte, error) {
				return w.client.Timestamp(ctx, digest, crypto.SHA256, []byte{1, 2, 3})
			}}
		},
		"extend_own_check": func(_ *world, o *signing.Options) { o.Blobs = spoiling{o.Blobs, [2]string{"/DSS", "/DSx"}} },
		"internal":         func(_ *world, o *signing.Options) { o.Blobs = closed{o.Blobs} },
	} {
		t.Run(want, func(t *testing.T) {
			level := "B-LT"
			if strings.HasPrefix(want, "wait") {
				level = "B-LTA"
			}
			w := newWorld(t, "cp-basic", extending(level))
			d := w.released("Waits")
			before := w.bytes(w.ada, d.ID)
			s := w.again(func(o *signing.Options) { trouble(w, o) })
			w.clock.pass(21 * time.Second)
			for try := 1; try <= 4; try++ {
				_, err := s.LookAgain(ctx)
				require.NoError(t, err)
				require.NoError(t, s.Extend(ctx, d.ID))
				e := w.extension(d.ID)
				require.Equal(t, signing.ExtensionWaiting, e.State)
				require.Equal(t, want, e.Reason)
				require.Equal(t, try, e.Attempts)
				require.True(t, e.Deadline.After(w.clock.Now()))
				w.clock.pass(e.Deadline.Sub(w.clock.Now()) + time.Second)
			}
			if level == "B-LT" {
				require.Equal(t, before, w.bytes(w.ada, d.ID))
				require.Equal(t, 2, w.files(), "nothing left over")
			} else {
				require.Equal(t, "B-LT", w.document(d.ID).Level, "as far as it goes without the clock")
			}
			e := w.tryExtension(d.ID) // and it is there again
			require.Equal(t, signing.ExtensionReached, e.State, e.Reason)
			require.Equal(t, level, w.document(d.ID).Level)

			// Without it, for longer than is waited.
			if want == "extend_no_answer" {
				late := w.released("Too late")
				for range 200 {
					w.clock.pass(6*time.Hour + time.Second)
					_, err := s.LookAgain(ctx)
					require.NoError(t, err)
					require.NoError(t, s.Extend(ctx, late.ID))
				}
				e := w.extension(late.ID)
				require.Equal(t, signing.ExtensionStopped, e.State)
				require.Equal(t, want, e.Reason)
				require.Equal(t, "B-T", w.document(late.ID).Level)
				require.Equal(t, 1, w.count("SELECT COUNT(*) FROM audit WHERE action = 'document.extend' AND outcome = 'failed'"))
			}
		})
	}
}

func TestARevokedSignerEndsTheTries(t *testing.T) {
	w := newWorld(t, "cp-basic", extending("B-LT"))
	d := w.released("Revoked")
	w.clock.pass(-time.Hour) // revoked before it was signed, which nobody knew
	require.NoError(t, w.client.RevokeCredential(ctx, w.signer.Credential, "KEY_COMPROMISE", w.signer.UserID))
	w.clock.pass(time.Hour)
	e := w.tryExtension(d.ID)
	require.Equal(t, signing.ExtensionStopped, e.State)
	require.Equal(t, "extend_revoked", e.Reason)
	require.Equal(t, "B-T", w.document(d.ID).Level)
}

// Extending and preparing exclude each other, whichever comes first.
func TestAnExtensionAndAPreparationExcludeEachOther(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorldOn(t, d, "cp-basic", extending("B-LT"))
		doc := w.released("Both want it")

		w.clock.pass(31 * time.Second)
		c := w.begun(doc)
		require.NoError(t, w.Extend(ctx, doc.ID))
		require.Equal(t, "extend_open", w.extension(doc.ID).Reason)
		require.Equal(t, "B-T", w.document(doc.ID).Level)
		require.NoError(t, w.Cancel(ctx, w.ada, c.ID))

		// Begun while the extension is being made: the extension gives way.
		var begun atomic.Bool
		s := w.again(func(o *signing.Options) {
			o.Fetch = func(ctx context.Context, url, kind string, body []byte) ([]byte, error) {
				if begun.CompareAndSwap(false, true) {
					w.clock.pass(31 * time.Second)
					c = w.begun(doc)
				}
				return near.Fetch(ctx, url, kind, body)
			}
		})
		require.NoError(t, s.Extend(ctx, doc.ID))
		require.True(t, begun.Load())
		require.Equal(t, "B-T", w.document(doc.ID).Level)
		require.Equal(t, 2, w.document(doc.ID).Revisions)
		_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
		require.NoError(t, err)
		_, g := w.state(c)
		require.Equal(t, signing.SignatureReleased, g.State, "prepared on what is still there")

		// Extended while a preparation is being made: it is made anew on the longer file.
		prepared := w.again(func(o *signing.Options) {
			o.Store = &interrupting{Store: o.Store, at: func() { require.Equal(t, signing.ExtensionReached, w.tryExtension(doc.ID).State) }}
		})
		w.clock.pass(31 * time.Second)
		c, _, err = prepared.Begin(ctx, w.ada, []signing.DocumentID{doc.ID}, "ada")
		require.NoError(t, err)
		require.Equal(t, "B-LT", w.document(doc.ID).Level)
		_, g = w.state(c)
		require.Equal(t, w.document(doc.ID).Revisions, g.Base)
		w.invariantsOfRevisions()
	})
}

// interrupting lets something happen once, just before a ceremony is stored.
type interrupting struct {
	signing.Store
	at   func()
	done bool
}

func (i *interrupting) Apply(ctx context.Context, c signing.Change) error {
	if len(c.Ceremonies) > 0 && !i.done {
		i.done = true
		i.at()
	}
	return i.Store.Apply(ctx, c)
}

func (w *world) invariantsOfRevisions() {
	w.t.Helper()
	require.Zero(w.t, w.count("SELECT COUNT(*) FROM revisions r JOIN documents d ON d.id = r.document WHERE r.number > d.revisions"))
	require.Zero(w.t, w.count("SELECT COUNT(*) FROM documents d WHERE d.state = 'ready' AND d.revisions <> (SELECT COUNT(*) FROM revisions r WHERE r.document = d.id)"))
}

// Bytes that changed where they are kept are not carried on, but closed.
func TestAChangedFileIsNotExtended(t *testing.T) {
	w := newWorld(t, "cp-basic", extending("B-LT"))
	d := w.released("Changed")
	_, err := w.db.Write.Exec(w.db.Write.Rebind("UPDATE revisions SET sha256 = ? WHERE document = ? AND number = 2"), make([]byte, 32), d.ID)
	require.NoError(t, err)
	require.Equal(t, signing.ExtensionEnded, w.tryExtension(d.ID).State)
	require.Equal(t, signing.DocumentQuarantined, w.document(d.ID).State)
}

func TestAnErasedDocumentEndsItsExtension(t *testing.T) {
	w := newWorld(t, "cp-basic", extending("B-LT"))
	d := w.released("Erased")
	require.NoError(t, w.Erase(ctx, w.ada, d.ID))
	require.Equal(t, signing.ExtensionEnded, w.tryExtension(d.ID).State)
}

// A timestamp over a document is followed by another before its clock service's certificate ends.
func TestATimestampIsRenewedInTime(t *testing.T) {
	w := newWorld(t, "cp-basic", extending("B-LTA"))
	d := w.released("Renewed")
	e := w.tryExtension(d.ID)
	require.Equal(t, signing.ExtensionReached, e.State, e.Reason)
	stamps := func() (n int) {
		result, err := w.Check(ctx, w.ada, d.ID)
		require.NoError(t, err)
		require.Equal(t, pades.TotalPassed, result.Indication)
		for _, s := range result.Signatures {
			if s.Type == "timestamp" {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, stamps())
	left := e.Deadline.Sub(w.clock.Now())
	require.Greater(t, left, 9*365*24*time.Hour, "the clock service's certificate holds ten years")
	e = w.tryExtension(d.ID)
	require.Equal(t, signing.ExtensionReached, e.State, e.Reason)
	require.Equal(t, 2, stamps())
	require.True(t, e.Deadline.After(w.clock.Now().Add(time.Hour)), "and not at once again")
}
