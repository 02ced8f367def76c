package db

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"countersign/people"
	"countersign/signing"
)

type signatureRow struct {
	ID          string `db:"id"`
	Ceremony    string `db:"ceremony"`
	Ordinal     int    `db:"ordinal"`
	Document    string `db:"document"`
	Owner       string `db:"owner"`
	Base        int    `db:"base"`
	State       string `db:"state"`
	Reason      string `db:"reason"`
	Waits       string `db:"waits"`
	Field       string `db:"field"`
	Digest      []byte `db:"digest"`
	Prepared    string `db:"prepared"`
	Value       []byte `db:"value"`
	Level       string `db:"level"`
	SignerName  string `db:"signer_name"`
	Issuer      string `db:"issuer"`
	IntendedAt  int64  `db:"intended_at"`
	SignedAt    int64  `db:"signed_at"`
	AssembledAt int64  `db:"assembled_at"`
	ReleasedAt  int64  `db:"released_at"`
	StampedAt   int64  `db:"stamped_at"`
	Attempts    int    `db:"attempts"`
	CreatedAt   int64  `db:"created_at"`
	Since       int64  `db:"since"`
	Deadline    int64  `db:"deadline"`
	Version     int64  `db:"version"`
}

// signatures keeps the ordinal it was inserted with: the order of the documents in the
// ceremony, which neither time nor random ids tell.
var signatures = newTable[signatureRow]("signatures", "ordinal")

// openSignatures are the states of an open preparation, of which a document has one at
// most. The same words stand in the partial indexes.
var openSignatures = []signing.SignatureState{
	signing.SignaturePrepared, signing.SignatureIntended, signing.SignatureSigned, signing.SignatureAssembled,
}

func toSignatureRow(s signing.Signature, ordinal int) signatureRow {
	return signatureRow{
		ID: string(s.ID), Ceremony: string(s.Ceremony), Ordinal: ordinal, Document: string(s.Document),
		Owner: string(s.Owner), Base: s.Base, State: string(s.State), Reason: s.Reason, Waits: s.Waits, Field: s.Field, Digest: s.Digest,
		Prepared: s.Prepared, Value: s.Value, Level: s.Level, SignerName: s.SignerName, Issuer: s.Issuer,
		IntendedAt: ms(s.IntendedAt), SignedAt: ms(s.SignedAt), AssembledAt: ms(s.AssembledAt),
		ReleasedAt: ms(s.ReleasedAt), StampedAt: ms(s.StampedAt), Attempts: s.Attempts, CreatedAt: ms(s.CreatedAt),
		Since: ms(s.Since), Deadline: ms(s.Deadline), Version: s.Version,
	}
}

func (r signatureRow) signature() (signing.Signature, error) {
	return signing.Signature{
		ID: signing.SignatureID(r.ID), Ceremony: signing.CeremonyID(r.Ceremony), Document: signing.DocumentID(r.Document),
		Owner: people.ID(r.Owner), Base: r.Base, State: signing.SignatureState(r.State), Reason: r.Reason, Waits: r.Waits, Field: r.Field,
		Digest: r.Digest, Prepared: r.Prepared, Value: r.Value, Level: r.Level, SignerName: r.SignerName,
		Issuer: r.Issuer, IntendedAt: at(r.IntendedAt), SignedAt: at(r.SignedAt), AssembledAt: at(r.AssembledAt),
		ReleasedAt: at(r.ReleasedAt), StampedAt: at(r.StampedAt), Attempts: r.Attempts, CreatedAt: at(r.CreatedAt),
		Since: at(r.Since), Deadline: at(r.Deadline), Version: r.Version,
	}, nil
}

// Signature by id.
func (s signingStore) Signature(ctx context.Context, id signing.SignatureID) (signing.Signature, error) {
	row, err := signatures.get(ctx, s.Read, "id = ?", id)
	if err != nil {
		return signing.Signature{}, signingMissing(err)
	}
	return row.signature()
}

// Signatures of a ceremony, in the order they were prepared.
func (s signingStore) Signatures(ctx context.Context, id signing.CeremonyID) ([]signing.Signature, error) {
	rows, err := signatures.list(ctx, s.Read, "ceremony = ? ORDER BY ordinal, id", id)
	return convert(rows, signatureRow.signature, err)
}

// newestSignatures joins each document with one row by its key, so that the cost is a page's
// and not that of everything its documents were ever signed with. The owner is asked of the
// signature: asked of the document, SQLite walks all that a heavy owner has.
const newestSignatures = ` JOIN signatures ON signatures.id =
	(SELECT s.id FROM signatures s WHERE s.document = d.id ORDER BY s.created_at DESC, s.id DESC LIMIT 1)
	WHERE d.id IN (?) AND signatures.owner = ?`

// NewestSignatures is the last one of each of these documents.
func (s signingStore) NewestSignatures(ctx context.Context, owner people.ID, ids []signing.DocumentID) ([]signing.Signature, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	query, args, err := sqlx.In("SELECT "+signatures.of("signatures")+" FROM documents d"+newestSignatures, ids, owner)
	if err != nil {
		return nil, fmt.Errorf("list newest signatures: %w", err)
	}
	var rows []signatureRow
	if err := s.Read.SelectContext(ctx, &rows, s.Read.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("list newest signatures: %w", err)
	}
	return convert(rows, signatureRow.signature, nil)
}

// SignaturesOf a document, oldest first.
func (s signingStore) SignaturesOf(ctx context.Context, id signing.DocumentID) ([]signing.Signature, error) {
	rows, err := signatures.list(ctx, s.Read, "document = ? ORDER BY created_at, id", id)
	return convert(rows, signatureRow.signature, err)
}
