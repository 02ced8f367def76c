package signing_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

// A full batch goes through in one request, in bounded memory: as many documents as one approval
// takes with COUNTERSIGN_SOAK, a fifth of them without.
func TestAFullBatchGoesThroughInOneGo(t *testing.T) {
	n, size := 20, 200_000
	if os.Getenv("COUNTERSIGN_SOAK") != "" {
		n, size = 100, 1_000_000
	}
	w := newWorld(t, "cp-advanced", asking)
	var ids []signing.DocumentID
	for i := range n {
		ids = append(ids, w.submittedBy(w.ada, page(fmt.Sprint("Paper ", i), size)).ID)
	}
	var before, most runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, done := make(chan struct{}), make(chan uint64)
	go func() { // the simulator's own memory is in it too
		peak := uint64(0)
		for {
			select {
			case <-stop:
				done <- peak
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&most)
				peak = max(peak, most.HeapAlloc)
			}
		}
	}()
	at := time.Now()
	took := func() time.Duration { d := time.Since(at); at = time.Now(); return d.Round(time.Millisecond) }
	c, _, err := w.BeginWith(ctx, w.ada, ids, "ada", signing.Choice{GoOn: true})
	require.NoError(t, err)
	begin := took()
	_, err = w.SendCode(ctx, w.ada, c.ID)
	require.NoError(t, err)
	checks := took()
	_, err = w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	sign := took()
	close(stop)
	peak := <-done
	require.Equal(t, n, w.count("SELECT COUNT(*) FROM signatures WHERE state = 'released'"))
	require.Equal(t, (n+24)/25, w.calls("signatures/signHash"))
	grown := int64(peak) - int64(before.HeapAlloc)
	t.Logf("%d documents of %d kB: begin %s, checks %s, sign and finish %s, %d MB of heap more at the most", n, size/1000, begin, checks, sign, grown>>20)
	require.Less(t, grown, int64(64<<20), "memory does not follow the number of documents times their size")
}
