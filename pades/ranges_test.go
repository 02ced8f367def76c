package pades_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
	"countersign/pades/pdf/pdftest"
)

// ranges reads a file over HTTP, one request with a Range header for each ReadAt, as from a
// store of objects.
type ranges struct {
	url             string
	requests, bytes atomic.Int64
}

func (r *ranges) ReadAt(b []byte, at int64) (int, error) {
	req, err := http.NewRequest(http.MethodGet, r.url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", at, at+int64(len(b))-1))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, fmt.Errorf("%s for %s", resp.Status, req.Header.Get("Range"))
	}
	r.requests.Add(1)
	n, err := io.ReadFull(resp.Body, b)
	r.bytes.Add(int64(n))
	return n, err
}

func (r *ranges) take() (requests, bytes int64) { return r.requests.Swap(0), r.bytes.Swap(0) }

func served(t *testing.T, file io.ReaderAt, size int64) *ranges {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "file.pdf", time.Time{}, io.NewSectionReader(file, 0, size))
	}))
	t.Cleanup(s.Close)
	return &ranges{url: s.URL}
}

// A long file in a store of objects: with the hash state at hand, signing and extending ask
// for a few pieces of its beginning and end, and checking reads it once.
func TestFewRangesOfAFarFileAreRead(t *testing.T) {
	size := int64(128 << 20)
	if os.Getenv("COUNTERSIGN_SOAK") != "" {
		size = 1 << 30
	}
	large := pdftest.NewLarge(size)
	size = large.Size()
	h := sha256.New()
	require.NoError(t, pades.Feed(context.Background(), large, 0, size, h))
	state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	require.NoError(t, err)
	far := served(t, large, size)
	few := func(what string) {
		t.Helper()
		requests, bytes := far.take()
		t.Logf("%s: %d requests, %d bytes", what, requests, bytes)
		require.LessOrEqual(t, requests, int64(8), what)
		require.LessOrEqual(t, bytes, int64(8*64<<10), what)
	}
	_, err = pades.Inspect(far, size)
	require.NoError(t, err)
	few("inspect")

	p := pki(t)
	ada := p.Issue("Ada Example", padestest.Key(), nil)
	prepared, err := pades.Prepare(far, size, pades.Options{Chain: ada.Chain(), Time: p.Now(), Timestamped: true, State: state})
	require.NoError(t, err)
	few("prepare")
	value, err := cms.SignLocal(prepared.Unsigned, ada.Key)
	require.NoError(t, err)
	over, err := prepared.StampDigest(value)
	require.NoError(t, err)
	delta, err := prepared.Complete(value, stampOf(t, p, over))
	require.NoError(t, err)
	state, _, err = prepared.StateAfter(delta)
	require.NoError(t, err)

	near := func(b []byte) pades.Part { return pades.Part{ReaderAt: bytes.NewReader(b), Size: int64(len(b))} }
	signed := pades.Join(pades.Part{ReaderAt: far, Size: size}, near(delta))
	o := extension(p, "B-LTA")
	o.State = state
	more, err := pades.Extend(context.Background(), signed, size+int64(len(delta)), o)
	require.NoError(t, err)
	few("extend")

	whole, all := pades.Join(pades.Part{ReaderAt: far, Size: size}, near(delta), near(more.Delta)), size+int64(len(delta)+len(more.Delta))
	r, err := pades.Verify(context.Background(), whole, all, pades.VerifyOptions{Roots: p.Roots()})
	require.NoError(t, err)
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	require.Equal(t, "B-LTA", r.Signatures[0].Level)
	requests, bytes := far.take()
	t.Logf("verify: %d requests, %d bytes", requests, bytes)
	require.LessOrEqual(t, bytes, size+16<<20, "once from end to end, and some pieces")
	require.LessOrEqual(t, requests, size/(256<<10)+64)
}
