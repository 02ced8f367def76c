package audit_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
)

func TestWhatAnOldEntrySaidMayBeForgottenAndTheTreeHolds(t *testing.T) {
	const forget = `UPDATE audit SET person = '', system = '', action = '', object = '', subject = '', owner = '', from_state = '', to_state = '',
		reason = '', facts = '{}', address = '', request = '' WHERE id = `
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		for id, age := range map[string]time.Duration{"old": audit.Retention + time.Hour, "young": audit.Retention - time.Hour} {
			require.NoError(t, d.Audit().Write(ctx, audit.Entry{ID: id, At: time.Now().Add(-age), Person: "p1", Action: "document.submit", Object: "document", Subject: "d1", Address: "192.0.2.1"}))
		}
		_, err := d.Write.Exec(forget + "'old'")
		require.ErrorContains(t, err, "append-only", "it has no place in the tree yet")
		tree := &audit.Tree{Store: d.AuditTree(), Signer: signer(t, 7)}
		_, err = tree.Number(ctx)
		require.NoError(t, err)
		_, err = d.Write.Exec(forget + "'young'")
		require.ErrorContains(t, err, "append-only")
		_, err = d.Write.Exec(`UPDATE audit SET person = '', address = '' WHERE id = 'old'`)
		require.ErrorContains(t, err, "append-only", "all or nothing")
		_, err = d.Write.Exec(forget + "'old'")
		require.NoError(t, err)
		_, err = d.Write.Exec("DELETE FROM audit WHERE id = 'old'")
		require.ErrorContains(t, err, "append-only")

		n, err := tree.Check(ctx, d.AuditTree())
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		var out bytes.Buffer
		require.NoError(t, tree.Export(ctx, d.AuditTree(), &out, 0, nil))
		x, err := audit.CheckExport(&out, tree.Signer.Key())
		require.NoError(t, err)
		require.EqualValues(t, 2, x.Covered)
		require.EqualValues(t, 1, x.Forgotten)
		all := numbered(t, d)
		_, err = tree.Receipt(ctx, d.AuditTree(), all[:1])
		require.ErrorIs(t, err, audit.ErrNotFound)
		_, err = tree.Receipt(ctx, d.AuditTree(), all[1:])
		require.NoError(t, err)
	})
}
