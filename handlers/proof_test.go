package handlers_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/handlers/handlerstest"
)

func TestTheLogProvesItselfOnItsPage(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	require.Contains(t, w.dora.Get("/audit/log").Body, "Nothing is numbered yet")
	_, err := w.Tree.Number(t.Context())
	require.NoError(t, err)
	_, err = w.Stamper.Run(t.Context())
	require.NoError(t, err)
	first, err := w.DB.AuditTree().LastCheckpoint(t.Context())
	require.NoError(t, err)

	asked := w.dora.Post("/audit/log/check")
	require.Equal(t, 303, asked.StatusCode)
	page := w.dora.Follow(asked).Body
	require.Contains(t, page, "A check is running")
	require.Contains(t, w.cleo.Follow(w.cleo.Post("/audit/log/check")).Body, "A check was running already.")
	n, err := w.Checker.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = w.Tree.Number(t.Context())
	require.NoError(t, err)
	page = w.dora.Get("/audit/log").Body
	for _, words := range []string{w.Tree.Signer.Key(), "Proof of growth", "Holds", "Dora"} {
		require.Contains(t, page, words)
	}
	require.NotContains(t, page, "Does not hold")
	require.NotContains(t, page, "No clock service")
	require.NotContains(t, w.dora.Get("/audit").Body, "The log does not hold.")
	for _, odd := range []string{"?older=x", "?older=-1&newer=9999999999999999999", "?older=3&newer=2", "?newer=1"} {
		require.Equal(t, 200, w.dora.Get("/audit/log"+odd).StatusCode, odd)
	}
	require.Contains(t, w.dora.Get("/audit/log?older=2").Body, "Choose two of the list")

	// Somebody with the database changes an entry: every page of the log says so, and the log too.
	w.change(t, "UPDATE audit SET reason = 'x' WHERE number = 3")
	w.checked(t, w.cleo)
	for _, path := range []string{"/audit", "/audit/log"} {
		require.Contains(t, w.cleo.Get(path).Body, "The log does not hold.", path)
	}
	require.Contains(t, w.cleo.Get("/audit/log").Body, "Entry 4 does not say what was logged.")
	require.Contains(t, w.Log.String(), `"alarm":true`)
	backlog, err := w.DB.Backlog(t.Context(), w.Clock.Now())
	require.NoError(t, err)
	require.Equal(t, string(audit.EntryChanged), backlog.AuditBroken)
	require.NotZero(t, first.Size)
}

// checked asks for a check and works it.
func (w *town) checked(t *testing.T, b *handlerstest.Browser) {
	t.Helper()
	require.Equal(t, 303, b.Post("/audit/log/check").StatusCode)
	_, err := w.Checker.Run(t.Context())
	require.NoError(t, err)
}

// change does what only the owner of the tables can.
func (w *town) change(t *testing.T, statement string) {
	t.Helper()
	if w.DB.Dialect == db.Postgres {
		w.DB.Write.MustExec("ALTER TABLE audit DISABLE TRIGGER USER")
		w.DB.Write.MustExec(statement)
		for _, name := range []string{"audit_append_only", "audit_no_truncate", "audit_no_place"} {
			w.DB.Write.MustExec("ALTER TABLE audit ENABLE ALWAYS TRIGGER " + name)
		}
		return
	}
	var text string
	require.NoError(t, w.DB.Read.Get(&text, "SELECT sql FROM sqlite_schema WHERE name = 'audit_append_only'"))
	w.DB.Write.MustExec("DROP TRIGGER audit_append_only")
	w.DB.Write.MustExec(statement)
	w.DB.Write.MustExec(text)
}
