package pades_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

func TestFeedGivesEverySinkTheRange(t *testing.T) {
	all := make([]byte, 3<<20)
	for i := range all {
		all[i] = byte(i * 7)
	}
	for _, edge := range [][2]int64{{0, 0}, {5, 6}, {0, 256 << 10}, {1, 256<<10 + 2}, {17, 3<<20 - 1}, {0, 3 << 20}} {
		var kept bytes.Buffer
		h := sha256.New()
		require.NoError(t, pades.Feed(t.Context(), bytes.NewReader(all), edge[0], edge[1], &kept, h))
		require.True(t, bytes.Equal(all[edge[0]:edge[1]], kept.Bytes()), "%v", edge)
		want := sha256.Sum256(all[edge[0]:edge[1]])
		require.Equal(t, want[:], h.Sum(nil))
	}
}

type failing struct {
	after int64
	with  func() (int, error)
}

func (f failing) ReadAt(p []byte, at int64) (int, error) {
	if at >= f.after {
		return f.with()
	}
	return len(p), nil
}

type refusing struct{ left int }

func (r *refusing) Write(p []byte) (int, error) {
	if r.left--; r.left < 0 {
		return 0, errors.New("full")
	}
	return len(p), nil
}

func TestFeedEndsWithTheFirstTrouble(t *testing.T) {
	const long = 16 << 20
	broken := errors.New("disk")
	require.ErrorIs(t, pades.Feed(t.Context(), failing{1 << 20, func() (int, error) { return 3, broken }}, 0, long, io.Discard), broken)
	require.ErrorIs(t, pades.Feed(t.Context(), failing{1 << 20, func() (int, error) { return 3, io.EOF }}, 0, long, io.Discard), io.ErrUnexpectedEOF)
	require.ErrorContains(t, pades.Feed(t.Context(), failing{1 << 20, func() (int, error) { panic("boom") }}, 0, long, io.Discard), "boom")
	require.ErrorIs(t, pades.Feed(t.Context(), bytes.NewReader(nil), 0, 9, io.Discard), io.ErrUnexpectedEOF)

	endless := failing{1 << 60, nil}
	require.ErrorContains(t, pades.Feed(t.Context(), endless, 0, long, &refusing{3}), "full")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, pades.Feed(ctx, endless, 0, long, io.Discard), context.Canceled)
}
