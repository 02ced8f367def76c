package signing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

// C12: erasing, and cancelling, a document with an open ceremony, broken off at every call.
// Either it was not done and everything is as it was, or it was done whole; and it can be
// done again.
func TestErasingAndCancellingSurviveTroubleAtEveryCall(t *testing.T) {
	for name, do := range map[string]func(s *signing.Service, w *world, d signing.Document, c signing.Ceremony) error{
		"erase": func(s *signing.Service, w *world, d signing.Document, _ signing.Ceremony) error {
			return s.Erase(ctx, w.ada, d.ID)
		},
		"cancel": func(s *signing.Service, w *world, _ signing.Document, c signing.Ceremony) error {
			return s.Cancel(ctx, w.ada, c.ID)
		},
	} {
		for m, how := range []string{"killed before", "killed after", "failed before", "failed after"} {
			t.Run(name+" "+how, func(t *testing.T) {
				for n := 1; ; n++ {
					where := fmt.Sprint("call ", n)
					w := newWorld(t, "cp-basic")
					d := w.submitted("Erase me")
					c := w.begun(d)
					trouble := &dying{mode: mode(m), n: n}
					life := w.again(trouble.wrap)
					survive(func() { _ = do(life, w, d, c) })

					w.whole(d, c, where)
					w.clock.pass(time.Hour)
					_, err := w.LookAgain(ctx)
					require.NoError(t, err, where)
					w.whole(d, c, where)
					w.nothingWaits(where)
					now, err := w.Document(context.Background(), w.ada, d.ID)
					require.NoError(t, err, where)
					if now.State != signing.DocumentErased {
						require.NoError(t, w.Erase(ctx, w.ada, d.ID), where)
					}
					require.Equal(t, 1, w.count("SELECT COUNT(*) FROM documents WHERE state = 'erased' AND (key IS NULL OR LENGTH(key) = 0) AND name = ''"), where)
					require.Equal(t, 1, w.count("SELECT COUNT(*) FROM audit WHERE action = 'document.erase' AND outcome = 'done'"), where)
					require.Zero(t, w.calls("signatures/signHash"), where)
					if !trouble.reached() {
						require.Greater(t, n, 4, "there are more calls than that")
						return
					}
				}
			})
		}
	}
}

// whole: a document is either there, readable and in no state between, or erased with its
// ceremony ended.
func (w *world) whole(d signing.Document, c signing.Ceremony, where string) {
	w.t.Helper()
	now, err := w.Document(ctx, w.ada, d.ID)
	require.NoError(w.t, err, where)
	ceremony, g := w.state(c)
	switch now.State {
	case signing.DocumentReady:
		require.EqualValues(w.t, now.Size, len(w.bytes(w.ada, d.ID)), where)
	case signing.DocumentErased:
		require.Equal(w.t, signing.CeremonyCancelled, ceremony.State, where)
		require.Equal(w.t, signing.SignatureCancelled, g.State, where)
	default:
		require.Fail(w.t, "a document is "+string(now.State), where)
	}
	require.Equal(w.t, ceremony.State.Final(), g.State.Final(), where)
}
