package handlers_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/handlers/handlerstest"
)

func TestAFloodOfStrangersDoesNotFillTheLog(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	nobody := w.Browser()
	before := len(w.Audited())
	const flood = 300
	for range flood {
		nobody.Get("/nothing/here")
		nobody.Get("/auth/callback?code=x&state=y")
	}
	require.NoError(t, w.Tally.Flush(t.Context()))
	require.Len(t, w.Audited(), before, "no entry at all")
	for range 60 { // one who has signed in and looks for what is not theirs
		w.ben.Get("/documents/0123456789abcdef0123456789abcdef")
	}
	after := w.Audited()
	require.Less(t, len(after), before+60)
	page := w.dora.Get("/audit/log").Body
	require.Contains(t, page, "Nothing is numbered yet")
	_, err := w.Tree.Number(t.Context())
	require.NoError(t, err)
	page = w.dora.Get("/audit/log").Body
	require.Contains(t, page, "Refusals that are only counted")
	require.Contains(t, page, "http 404")
	sums, err := w.DB.Audit().Refusals(t.Context(), w.Clock.Now().AddDate(0, 0, -1))
	require.NoError(t, err)
	kinds := map[string]audit.Refusals{}
	for _, s := range sums {
		kinds[s.Kind] = s
	}
	require.EqualValues(t, flood, kinds["http 404"].Nobody)
	for kind := range kinds {
		require.NotContains(t, kind, "nothing", "a kind is never what a stranger wrote")
	}
}

func TestTheWholeLogIsExportedAndHolds(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	_, err := w.Tree.Number(t.Context())
	require.NoError(t, err)
	_, err = w.Stamper.Run(t.Context())
	require.NoError(t, err)
	a := w.dora.Get("/audit/export")
	require.Equal(t, 200, a.StatusCode)
	require.Contains(t, a.Header.Get("Content-Disposition"), "audit-log.jsonl")
	x, err := audit.CheckExport(strings.NewReader(a.Body), w.Tree.Signer.Key())
	require.NoError(t, err)
	require.EqualValues(t, len(w.Audited()), x.Covered)
	require.Len(t, x.Stamps, 1)
	rest := w.cleo.Get("/audit/export?from=10").Body
	require.Contains(t, rest, `"first":10`)
	require.NotContains(t, rest, `{"number":9,`)
	require.Contains(t, w.dora.Get("/audit/log").Body, "/audit/export")
	w.change(t, "UPDATE audit SET number = 999 WHERE number = 5")
	_, err = w.dora.Send(form(w.dora, "GET", "/audit/export"))
	require.Error(t, err, "a log with a hole does not look like a whole one")
}
