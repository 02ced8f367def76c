package signing_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

// The list of points is the table of contents of the crash tests: one that the code does
// not pass any more would be proved by nothing.
func TestAnUploadAndASigningPassEveryPoint(t *testing.T) {
	type moment struct {
		p    signing.Point
		done bool
	}
	var mu sync.Mutex
	var passed []moment
	w := newWorld(t, "cp-basic-single", func(o *signing.Options) {
		o.Reached = func(p signing.Point, done bool) {
			mu.Lock()
			defer mu.Unlock()
			passed = append(passed, moment{p, done})
		}
	})
	flow(w, w.Service, page("Every point", 0))
	require.Equal(t, 1, w.count("SELECT COUNT(*) FROM signatures WHERE state = 'released'"))
	last := -1
	for _, p := range signing.Points() {
		before, after := slices.Index(passed, moment{p, false}), slices.Index(passed, moment{p, true})
		require.GreaterOrEqual(t, before, 0, p)
		require.Greater(t, after, before, p)
		require.Greater(t, before, last, "%s comes after the point before it", p)
		last = after
	}
	for _, m := range passed {
		require.Contains(t, signing.Points(), m.p)
	}
}
