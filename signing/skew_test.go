package signing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

// F7: where our clock and the clock service's are apart, nothing is given out, and it is
// once they agree; the key is not asked again.
func TestAClockThatIsOffDelaysTheReleaseOnly(t *testing.T) {
	for name, off := range map[string]time.Duration{"ten minutes late": -10 * time.Minute, "ten minutes early": 10 * time.Minute,
		"a day late": -24 * time.Hour, "a day early": 24*time.Hour - time.Minute} {
		t.Run(name, func(t *testing.T) {
			w, d, c, g := withoutClock(t)
			s := w.again(func(o *signing.Options) { o.Now = func() time.Time { return w.clock.Now().Add(off) } })
			require.ErrorContains(t, s.Finish(ctx, g.ID), "apart")
			_, g = w.state(c)
			require.Equal(t, signing.SignatureSigned, g.State)
			require.Equal(t, page("Unfinished", 0), w.bytes(w.ada, d.ID), "nothing is given out")
			require.NoError(t, w.Finish(ctx, g.ID))
			_, g = w.state(c)
			require.Equal(t, signing.SignatureReleased, g.State)
			require.Equal(t, 1, w.calls("signatures/signHash"))
		})
	}
}
