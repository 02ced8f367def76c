package signing_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/pades"
	"countersign/signing"
)

// withoutClock has the value, and a clock service that does not answer.
func withoutClock(t *testing.T) (*world, signing.Document, signing.Ceremony, signing.Signature) {
	w := newWorld(t, "cp-basic")
	d := w.submitted("Unfinished")
	c := w.begun(d)
	w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 503, N: 3})
	c, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err, "the value is stored, the rest is work")
	c, g := w.state(c)
	require.Equal(t, signing.SignatureSigned, g.State)
	require.Equal(t, 1, g.Attempts)
	return w, d, c, g
}

func TestSilentClockServiceDelaysTheReleaseWithoutASecondSignature(t *testing.T) {
	w, d, c, _ := withoutClock(t)
	require.Equal(t, page("Unfinished", 0), w.bytes(w.ada, d.ID), "what is not finished is not given out")
	n, err := w.LookAgain(ctx)
	require.NoError(t, err)
	require.Zero(t, n, "not before its time")
	w.clock.pass(3 * time.Minute)
	n, err = w.LookAgain(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, g := w.state(c)
	require.Equal(t, signing.SignatureReleased, g.State)
	require.Equal(t, 1, w.calls("signatures/signHash"))
}

func TestFinishingTwiceAtOnceReleasesOnce(t *testing.T) {
	w, d, c, g := withoutClock(t)
	replicas := []*signing.Service{w.Service, w.again(), w.again()}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if err := replicas[i%3].Finish(ctx, g.ID); err != nil {
				t.Errorf("finish: %v", err)
			}
		})
	}
	wg.Wait()
	_, g = w.state(c)
	require.Equal(t, signing.SignatureReleased, g.State)
	require.Equal(t, 1, w.count("SELECT COUNT(*) FROM audit WHERE action = 'signature.release'"))
	require.Equal(t, 1, w.count("SELECT COUNT(*) FROM outbox"))
	require.Equal(t, 2, w.files(), "original and increment, nothing left over")
	result, err := w.Check(ctx, w.ada, d.ID)
	require.NoError(t, err)
	require.Equal(t, pades.TotalPassed, result.Indication)
}

// A clock service that answers about something else is not believed.
func TestTimestampIsCheckedBeforeItIsPutIn(t *testing.T) {
	for name, lie := range map[string]func(w *world, digest, nonce []byte) ([]byte, error){
		"another digest": func(w *world, digest, nonce []byte) ([]byte, error) {
			other := bytes.Clone(digest)
			other[0] ^= 1
			return w.client.Timestamp(ctx, other, crypto.SHA256, nonce)
		},
		"another nonce": func(w *world, digest, _ []byte) ([]byte, error) {
			return w.client.Timestamp(ctx, digest, crypto.SHA256, []byte{1, 2, 3})
		},
		"no nonce": func(w *world, digest, _ []byte) ([]byte, error) {
			return w.client.Timestamp(ctx, digest, crypto.SHA256, nil)
		},
		"nonsense": func(*world, []byte, []byte) ([]byte, error) { return []byte{0x30, 0}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			w, d, c, g := withoutClock(t)
			s := w.again(func(o *signing.Options) { o.Remote = lying{o.Remote, w, lie} })
			require.Error(t, s.Finish(ctx, g.ID))
			_, g = w.state(c)
			require.Equal(t, signing.SignatureSigned, g.State, "it is tried again with the next token")
			require.Equal(t, page("Unfinished", 0), w.bytes(w.ada, d.ID))
			require.NoError(t, w.Finish(ctx, g.ID))
			_, g = w.state(c)
			require.Equal(t, signing.SignatureReleased, g.State)
		})
	}
}

type lying struct {
	signing.Remote
	w   *world
	lie func(w *world, digest, nonce []byte) ([]byte, error)
}

func (l lying) Timestamp(_ context.Context, digest []byte, _ crypto.Hash, nonce []byte) ([]byte, error) {
	return l.lie(l.w, digest, nonce)
}

// Our own check stands between the file and everybody.
func TestFileThatFailsOurCheckIsNeverReleased(t *testing.T) {
	for name, spoil := range map[string][2]string{
		"not a signature any more": {"/ByteRange", "/ByteRanga"},
		"signed time changed":      {"(D:20", "(D:19"},
		"another field":            {"Signature1", "Signature7"},
	} {
		t.Run(name, func(t *testing.T) {
			w, d, c, g := withoutClock(t)
			s := w.again(func(o *signing.Options) { o.Blobs = spoiling{o.Blobs, spoil} })
			require.NoError(t, s.Finish(ctx, g.ID))
			got, g := w.state(c)
			require.Equal(t, signing.CeremonyUsed, got.State)
			require.Equal(t, signing.SignatureFailed, g.State)
			require.Equal(t, "bytes_changed", g.Reason)
			require.Equal(t, 1, w.files(), "what was appended is gone")
			require.Equal(t, 1, w.count("SELECT COUNT(*) FROM outbox WHERE about LIKE 'signing.quarantined%'"))
			_, _, _, err := w.Open(ctx, w.ada, d.ID)
			require.Equal(t, "quarantined", code(t, err), "somebody has to look at a storage that changes what it keeps")
		})
	}
}

// spoiling changes a few bytes of what is written.
type spoiling struct {
	signing.Blobs
	spoil [2]string
}

func (b spoiling) Create(ctx context.Context, d signing.DocumentID, key []byte) (signing.BlobWriter, error) {
	w, err := b.Blobs.Create(ctx, d, key)
	return spoilingWriter{w, b.spoil}, err
}

type spoilingWriter struct {
	signing.BlobWriter
	spoil [2]string
}

func (w spoilingWriter) Write(p []byte) (int, error) {
	return w.BlobWriter.Write(bytes.Replace(p, []byte(w.spoil[0]), []byte(w.spoil[1]), 1))
}

func TestWithoutRootsOnlyTrustMayBeMissing(t *testing.T) {
	w := newWorld(t, "cp-basic", func(o *signing.Options) { o.Roots = nil })
	d := w.submitted("No roots")
	c := w.begun(d)
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	_, g := w.state(c)
	require.Equal(t, signing.SignatureReleased, g.State)
	result, err := w.Check(ctx, w.ada, d.ID)
	require.NoError(t, err)
	require.Equal(t, pades.Indeterminate, result.Indication, "released is not the same as trusted")
}

func TestFinishingEndsAfterADay(t *testing.T) {
	w, d, c, _ := withoutClock(t)
	s := w.again(func(o *signing.Options) {
		o.Remote = lying{o.Remote, w, func(*world, []byte, []byte) ([]byte, error) { return nil, errors.New("down") }}
	})
	for range 60 {
		w.clock.pass(31 * time.Minute)
		_, _ = s.LookAgain(ctx)
	}
	_, g := w.state(c)
	require.Equal(t, signing.SignatureFailed, g.State)
	require.Equal(t, "finish_late", g.Reason)
	require.Greater(t, g.Attempts, 10)
	require.Less(t, g.Attempts, 120, "tries grow apart")
	require.Equal(t, page("Unfinished", 0), w.bytes(w.ada, d.ID))
}

// C6: the process that asked the key was frozen, and wakes up with the value after the sweep
// has told the person that the outcome is not known. It must not get through.
func TestFrozenReplicaFailsItsFence(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d := w.submitted("Frozen")
	c := w.begun(d)
	s := w.again(func(o *signing.Options) { o.Remote = frozen{o.Remote, w} })
	_, err := s.Authorize(ctx, w.ada, c.ID, w.factors())
	require.Equal(t, "outcome_unknown", code(t, err))
	got, g := w.state(c)
	require.Equal(t, signing.CeremonyFailed, got.State)
	require.Equal(t, signing.SignatureOutcomeUnknown, g.State)
	require.Nil(t, g.Value)
	require.Equal(t, 1, w.count("SELECT COUNT(*) FROM outbox WHERE about LIKE 'signing.outcome_unknown%'"))
	require.Equal(t, page("Frozen", 0), w.bytes(w.ada, d.ID))
}
