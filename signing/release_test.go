package signing_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
	"countersign/signing"
)

// holding refuses to release, so that a test gets between assembly and release.
type holding struct{ signing.Store }

func (h holding) Apply(ctx context.Context, c signing.Change) error {
	for _, m := range c.Signatures {
		if m.To.State == signing.SignatureReleased {
			return errors.New("held by the test")
		}
	}
	return h.Store.Apply(ctx, c)
}

// assembled is a signature that is put in and not yet released.
func (w *world) assembled() (signing.Document, signing.Signature) {
	w.t.Helper()
	d := w.submitted("Planted")
	c := w.begun(d)
	s := w.again(func(o *signing.Options) { o.Store = holding{o.Store} })
	_, err := s.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(w.t, err)
	_, g := w.state(c)
	require.Equal(w.t, signing.SignatureAssembled, g.State)
	d, err = w.Document(ctx, w.ada, d.ID)
	require.NoError(w.t, err)
	return d, g
}

// read is a stored blob of a document.
func (w *world) read(d signing.Document, id string) []byte {
	w.t.Helper()
	r, err := w.blobs.Open(ctx, d.ID, d.Key, id)
	require.NoError(w.t, err)
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	require.NoError(w.t, err)
	return b
}

func (w *world) preparedOf(d signing.Document, g signing.Signature) *pades.Prepared {
	w.t.Helper()
	p := new(pades.Prepared)
	require.NoError(w.t, json.Unmarshal(w.read(d, g.Prepared), p))
	return p
}

// plant puts other bytes in the place of those that were appended, by somebody who has the
// storage; with recorded, who has the database too.
func (w *world) plant(d signing.Document, delta []byte, recorded bool) {
	w.t.Helper()
	b, err := w.blobs.Create(ctx, d.ID, d.Key)
	require.NoError(w.t, err)
	_, err = b.Write(delta)
	require.NoError(w.t, err)
	id, err := b.Commit()
	require.NoError(w.t, err)
	set, args := "blob = ?, size = ?", []any{id, len(delta)}
	if recorded {
		sum := sha256.Sum256(append(page("Planted", 0), delta...))
		set, args = set+", sha256 = ?", append(args, sum[:])
	}
	_, err = w.db.Write.Exec(w.db.Write.Rebind("UPDATE revisions SET "+set+" WHERE document = ? AND number = 2"), append(args, d.ID)...)
	require.NoError(w.t, err)
}

func TestOnlyWhatWasApprovedIsReleased(t *testing.T) {
	mallory := padestest.New()
	t.Cleanup(mallory.Close)
	for name, c := range map[string]struct {
		forge    func(w *world, p *pades.Prepared, g signing.Signature, delta []byte) []byte
		recorded bool
		reason   string
		said     string
	}{
		"a byte of the increment turned": {func(_ *world, _ *pades.Prepared, _ signing.Signature, delta []byte) []byte {
			return bytes.Replace(delta, []byte("%%EOF"), []byte("%%EoF"), 1)
		}, false, "bytes_changed", "fingerprint"},
		"bytes appended": {func(_ *world, _ *pades.Prepared, _ signing.Signature, delta []byte) []byte {
			return append(delta, "% and more\n"...)
		}, true, "own_check", "does not cover the whole file"},
		"bytes appended that the record does not know": {func(_ *world, _ *pades.Prepared, _ signing.Signature, delta []byte) []byte {
			return append(delta, "% and more\n"...)
		}, false, "bytes_changed", "fingerprint"},
		"another certificate, trusted too": {func(w *world, p *pades.Prepared, _ signing.Signature, _ []byte) []byte {
			mallory.SetTime(w.clock.Now())
			by := mallory.Issue("Ada Example", padestest.Key(), nil)
			base := page("Planted", 0)
			other, err := pades.Prepare(bytes.NewReader(base), int64(len(base)), pades.Options{Chain: by.Chain(), Time: w.clock.Now(), Field: p.Field, Timestamped: true})
			require.NoError(w.t, err)
			value, err := cms.SignLocal(other.Unsigned, by.Key)
			require.NoError(w.t, err)
			return w.complete(other, value, w.token(other, value))
		}, true, "own_check", "another certificate"},
		"a lower level": {func(w *world, p *pades.Prepared, g signing.Signature, _ []byte) []byte {
			return w.complete(p, g.Value, nil)
		}, true, "own_check", "has the level"},
		"a time for another value": {func(w *world, p *pades.Prepared, g signing.Signature, delta []byte) []byte {
			right := w.token(p, g.Value)
			wrong, err := w.client.Timestamp(ctx, bytes.Repeat([]byte{1}, 32), crypto.SHA256, nil)
			require.NoError(w.t, err)
			require.NotEmpty(w.t, right)
			return w.complete(p, g.Value, wrong)
		}, true, "own_check", "has the level"}, // such a time counts for none
		"a time from before": {func(w *world, p *pades.Prepared, g signing.Signature, _ []byte) []byte {
			w.clock.pass(-time.Hour)
			defer w.clock.pass(time.Hour)
			return w.complete(p, g.Value, w.token(p, g.Value))
		}, true, "own_check", "before the signature was asked for"},
		"a time other than the one shown": {func(w *world, p *pades.Prepared, g signing.Signature, _ []byte) []byte {
			w.clock.pass(time.Minute)
			return w.complete(p, g.Value, w.token(p, g.Value))
		}, true, "own_check", "not the one that was put in"},
		"a time from after, shown as well": {func(w *world, p *pades.Prepared, g signing.Signature, _ []byte) []byte {
			w.clock.pass(time.Hour)
			w.execute("UPDATE signatures SET stamped_at = ?", w.clock.Now().Truncate(time.Second).UnixMilli())
			return w.complete(p, g.Value, w.token(p, g.Value))
		}, true, "own_check", "after it was put in"},
	} {
		t.Run(name, func(t *testing.T) {
			var alarms []string
			w := newWorld(t, "cp-basic", func(o *signing.Options) {
				roots := o.Roots.Clone()
				roots.AddCert(mallory.Root.Cert)
				o.Roots = roots
				o.Alarmed = func(what string) { alarms = append(alarms, what) }
			})
			d, g := w.assembled()
			revisions, err := w.db.Signing().Revisions(ctx, d.ID)
			require.NoError(t, err)
			w.plant(d, c.forge(w, w.preparedOf(d, g), g, w.read(d, revisions[1].Blob)), c.recorded)

			var logged logRecorder
			s := w.again(func(o *signing.Options) { o.Log = logged.logger() })
			require.NoError(t, s.Finish(ctx, g.ID))
			after, err := w.db.Signing().Signature(ctx, g.ID)
			require.NoError(t, err)
			require.Equal(t, signing.SignatureFailed, after.State)
			require.Equal(t, c.reason, after.Reason)
			require.Contains(t, logged.text(), c.said)
			require.Contains(t, alarms, "signature discarded")
			d, err = w.Document(ctx, w.ada, d.ID)
			require.NoError(t, err)
			if c.reason == "bytes_changed" {
				require.Equal(t, signing.DocumentQuarantined, d.State)
				require.Equal(t, 1, w.count("SELECT COUNT(*) FROM outbox WHERE about LIKE 'signing.quarantined%'"))
				_, _, _, err := w.Open(ctx, w.ada, d.ID)
				require.Equal(t, "quarantined", code(t, err))
				return
			}
			require.Equal(t, signing.DocumentReady, d.State)
			require.Equal(t, page("Planted", 0), w.bytes(w.ada, d.ID))
		})
	}
}

func (w *world) complete(p *pades.Prepared, value, token []byte) []byte {
	w.t.Helper()
	delta, err := p.Complete(value, token)
	require.NoError(w.t, err)
	return delta
}

// token is a right one from the clock service at its present time.
func (w *world) token(p *pades.Prepared, value []byte) []byte {
	w.t.Helper()
	stamped, err := p.StampDigest(value)
	require.NoError(w.t, err)
	sum := sha256.Sum256(stamped)
	token, err := w.client.Timestamp(ctx, sum[:], crypto.SHA256, nil)
	require.NoError(w.t, err)
	return token
}

// What our verifier does not call passed is not given out, whatever else is right with it.
func TestAFileWhoseIssuerNobodyKnowsIsNotReleased(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d, g := w.assembled()
	s := w.again(func(o *signing.Options) { o.Roots = x509.NewCertPool() })
	require.NoError(t, s.Finish(ctx, g.ID))
	g, err := w.db.Signing().Signature(ctx, g.ID)
	require.NoError(t, err)
	require.Equal(t, signing.SignatureFailed, g.State)
	require.Equal(t, "own_check", g.Reason)
	require.Equal(t, page("Planted", 0), w.bytes(w.ada, d.ID))
}

func TestAnUntouchedFileIsReleasedWithItsLevel(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d, g := w.assembled()
	require.NoError(t, w.Finish(ctx, g.ID))
	d, err := w.Document(ctx, w.ada, d.ID)
	require.NoError(t, err)
	require.Equal(t, "B-T", d.Level)
	g, err = w.db.Signing().Signature(ctx, g.ID)
	require.NoError(t, err)
	require.Equal(t, "B-T", g.Level)
	require.Empty(t, g.Waits)
}

// Whatever passes delays the release and says why; nothing of it fails the signature early.
func TestWhatIsWaitedForIsSaid(t *testing.T) {
	for want, trouble := range map[string]func(w *world, o *signing.Options){
		"wait_clock": func(w *world, _ *signing.Options) {
			w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 503, N: 3})
		},
		"wait_token": func(w *world, o *signing.Options) {
			o.Remote = lying{o.Remote, w, func(w *world, digest, _ []byte) ([]byte, error) {
				return w.client.Timestamp(ctx, digest, crypto.SHA256, []byte{1, 2, 3})
			}}
		},
		"wait_skew": func(w *world, o *signing.Options) {
			o.Now = func() time.Time { return w.clock.Now().Add(-10 * time.Minute) }
		},
		"internal": func(w *world, o *signing.Options) { o.Blobs = closed{o.Blobs} },
	} {
		t.Run(want, func(t *testing.T) {
			w, d, c, g := withoutClock(t)
			require.Equal(t, "wait_clock", g.Waits)
			s := w.again(func(o *signing.Options) { trouble(w, o) })
			require.Error(t, s.Finish(ctx, g.ID))
			_, g = w.state(c)
			require.Equal(t, signing.SignatureSigned, g.State)
			require.Equal(t, want, g.Waits)
			require.NotEqual(t, "Something went wrong on our side.", signing.Explain("wait_clock").Sentence)
			require.True(t, g.Deadline.After(w.clock.Now().Add(-10*time.Minute)), "the next try is known")
			require.NoError(t, w.Finish(ctx, g.ID))
			_, g = w.state(c)
			require.Equal(t, signing.SignatureReleased, g.State)
			require.Empty(t, g.Waits)
			require.NotEqual(t, page("Unfinished", 0), w.bytes(w.ada, d.ID))
		})
	}
}

// closed blobs take nothing.
type closed struct{ signing.Blobs }

func (closed) Create(context.Context, signing.DocumentID, []byte) (signing.BlobWriter, error) {
	return nil, errors.New("the disk is away")
}
