package db

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"countersign/signing"
)

type revisionRow struct {
	Document  string `db:"document"`
	Number    int    `db:"number"`
	Start     int64  `db:"start"`
	Size      int64  `db:"size"`
	SHA256    []byte `db:"sha256"`
	Blob      string `db:"blob"`
	State     []byte `db:"hash_state"`
	Signature string `db:"signature"`
	CreatedAt int64  `db:"created_at"`
}

var revisions = newTable[revisionRow]("revisions")

func toRevisionRow(r signing.Revision) revisionRow {
	return revisionRow{
		Document: string(r.Document), Number: r.Number, Start: r.Offset, Size: r.Size, SHA256: r.SHA256, Blob: r.Blob,
		State: r.State, Signature: string(r.Signature), CreatedAt: ms(r.CreatedAt),
	}
}

func (r revisionRow) revision() (signing.Revision, error) {
	return signing.Revision{
		Document: signing.DocumentID(r.Document), Number: r.Number, Offset: r.Start, Size: r.Size, SHA256: r.SHA256,
		Blob: r.Blob, State: r.State, Signature: signing.SignatureID(r.Signature), CreatedAt: at(r.CreatedAt),
	}, nil
}

// Revisions of a document, oldest first.
func (s signingStore) Revisions(ctx context.Context, id signing.DocumentID) ([]signing.Revision, error) {
	rows, err := revisions.list(ctx, s.Read, "document = ? ORDER BY number", id)
	return convert(rows, revisionRow.revision, err)
}

// withdraw deletes a revision that is never released. Signature is part of the name, so
// that the late work of one signature cannot take away another's.
func withdraw(ctx context.Context, tx *sqlx.Tx, r signing.Revision) error {
	res, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM revisions WHERE document = ? AND number = ? AND signature = ?"),
		r.Document, r.Number, r.Signature)
	if err != nil {
		return fmt.Errorf("withdraw a revision: %w", err)
	}
	return one(res.RowsAffected())
}
