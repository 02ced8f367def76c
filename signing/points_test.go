package signing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

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
	code, consent := signing.Points(), signing.Points()
	code = slices.DeleteFunc(code, func(p signing.Point) bool { return p == signing.PointConsent || p == signing.PointRedeem })
	consent = slices.DeleteFunc(consent, func(p signing.Point) bool {
		return p == signing.PointCount || p == signing.PointSend || p == signing.PointApprove
	})
	for profile, points := range map[string][]signing.Point{"cp-basic-single": code, "cp-oauth2code": consent} {
		t.Run(profile, func(t *testing.T) {
			var mu sync.Mutex
			var passed []moment
			w := newWorld(t, profile, func(o *signing.Options) {
				o.Reached = func(p signing.Point, done bool) {
					mu.Lock()
					defer mu.Unlock()
					passed = append(passed, moment{p, done})
				}
			})
			flow(w, w.Service, page("Every point", 0))
			require.NoError(t, w.Wait(ctx))
			require.Equal(t, 1, w.count("SELECT COUNT(*) FROM signatures WHERE state = 'released'"))
			last := -1
			for _, p := range points {
				before, after := slices.Index(passed, moment{p, false}), slices.Index(passed, moment{p, true})
				require.GreaterOrEqual(t, before, 0, p)
				require.Greater(t, after, before, p)
				require.Greater(t, before, last, "%s comes after the point before it", p)
				last = after
			}
			for _, m := range passed {
				require.Contains(t, points, m.p)
			}
		})
	}
}

// So is the list of those of an extension: a try that has to wait, then one that comes to
// its end, pass each.
func TestAnExtensionPassesEveryPoint(t *testing.T) {
	var passed []string
	told := func(p signing.Point, done bool) {
		if slices.Contains(signing.ExtensionPoints(), p) {
			passed = append(passed, fmt.Sprint(p, done))
		}
	}
	w := newWorld(t, "cp-basic", func(o *signing.Options) {
		extending("B-LTA")(o)
		o.Reached = told
	})
	d := w.released("Every point")
	away := w.again(func(o *signing.Options) {
		extending("B-LTA")(o)
		o.Reached = told
		o.Fetch = func(context.Context, string, string, []byte) ([]byte, error) { return nil, errors.New("down") }
	})
	w.clock.pass(time.Minute)
	_, err := away.LookAgain(ctx)
	require.NoError(t, err)
	require.NoError(t, away.Extend(ctx, d.ID))
	require.Equal(t, signing.ExtensionReached, w.tryExtension(d.ID).State)
	step := []string{"gatherfalse", "gathertrue", "addfalse", "addtrue", "carryfalse", "carrytrue"}
	require.Equal(t, slices.Concat([]string{"duefalse", "duetrue", "gatherfalse", "put-offfalse", "put-offtrue", "duefalse", "duetrue"}, step, step), passed,
		"a try that has to wait; then the data, and the timestamp over it")
}
