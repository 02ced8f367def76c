package db

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"countersign/people"
	"countersign/signing"
)

type documentRow struct {
	ID        string `db:"id"`
	Owner     string `db:"owner"`
	Name      string `db:"name"`
	Size      int64  `db:"size"`
	Pages     int    `db:"pages"`
	SHA256    []byte `db:"sha256"`
	State     string `db:"state"`
	Reason    string `db:"reason"`
	Revisions int    `db:"revisions"`
	Signed    bool   `db:"signed"`
	Level     string `db:"level"`
	Earlier   int    `db:"earlier"`
	Key       []byte `db:"key"`
	CreatedAt int64  `db:"created_at"`
	Since     int64  `db:"since"`
	Deadline  int64  `db:"deadline"`
	Version   int64  `db:"version"`
}

var documents = newTable[documentRow]("documents")

// What the list shows, and what counts against the quota. The same words stand in the
// partial indexes.
const (
	shownDocuments = "state NOT IN ('erased', 'receiving')"
	usedDocuments  = "state IN ('receiving', 'checking', 'ready', 'quarantined')"
)

var shownStates = []signing.DocumentState{
	signing.DocumentChecking, signing.DocumentReady, signing.DocumentRefused, signing.DocumentQuarantined,
}

func toDocumentRow(d signing.Document) documentRow {
	return documentRow{
		ID: string(d.ID), Owner: string(d.Owner), Name: d.Name, Size: d.Size, Pages: d.Pages, SHA256: d.SHA256,
		State: string(d.State), Reason: d.Reason, Revisions: d.Revisions, Signed: d.Signed, Level: d.Level, Earlier: d.Earlier,
		Key: d.Key, CreatedAt: ms(d.CreatedAt), Since: ms(d.Since), Deadline: ms(d.Deadline), Version: d.Version,
	}
}

func (r documentRow) document() (signing.Document, error) {
	return signing.Document{
		ID: signing.DocumentID(r.ID), Owner: people.ID(r.Owner), Name: r.Name, Size: r.Size, Pages: r.Pages,
		SHA256: r.SHA256, State: signing.DocumentState(r.State), Reason: r.Reason, Revisions: r.Revisions,
		Signed: r.Signed, Level: r.Level, Earlier: r.Earlier, Key: r.Key, CreatedAt: at(r.CreatedAt), Since: at(r.Since),
		Deadline: at(r.Deadline), Version: r.Version,
	}, nil
}

// Document by id, of this owner.
func (s signingStore) Document(ctx context.Context, owner people.ID, id signing.DocumentID) (signing.Document, error) {
	row, err := documents.get(ctx, s.Read, "id = ? AND owner = ?", id, owner)
	if err != nil {
		return signing.Document{}, signingMissing(err)
	}
	return row.document()
}

// DocumentsIn are those of these that the owner has.
func (s signingStore) DocumentsIn(ctx context.Context, owner people.ID, ids []signing.DocumentID) ([]signing.Document, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where, args, err := sqlx.In("id IN (?) AND owner = ?", ids, owner)
	if err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	rows, err := documents.list(ctx, s.Read, where, args...)
	return convert(rows, documentRow.document, err)
}

// Documents lists an owner's, newest first.
func (s signingStore) Documents(ctx context.Context, q signing.DocumentQuery) ([]signing.Document, error) {
	after, paged, err := parseCursor(q.After)
	if err != nil {
		return nil, err
	}
	n := limit(q.Limit)
	list := func(where string, args ...any) ([]documentRow, error) {
		where, args = "owner = ? AND "+where, append([]any{q.Owner}, args...)
		if q.Signed != nil {
			where, args = where+" AND signed = ?", append(args, *q.Signed)
		}
		if paged {
			where, args = where+" AND (created_at, id) < (?, ?)", append(args, after.at, after.id)
		}
		if q.Text != "" {
			where, args = where+" AND "+s.holds("name"), append(args, strings.ToLower(q.Text))
		}
		return documents.list(ctx, s.Read, where+" ORDER BY created_at DESC, id DESC LIMIT ?", append(args, n)...)
	}
	if len(q.States) == 0 {
		rows, err := list(shownDocuments)
		return convert(rows, documentRow.document, err)
	}
	newest := func(a, b documentRow) int {
		return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}
	rows, err := byEach(q.States, n, newest, func(state signing.DocumentState) ([]documentRow, error) {
		return list("state = ?", state)
	})
	return convert(rows, documentRow.document, err)
}

// DocumentCounts counts an owner's documents that are shown, by state, each at most 1000.
func (s signingStore) DocumentCounts(ctx context.Context, owner people.ID) (map[signing.DocumentState]int, error) {
	return counts(ctx, s.DB, "documents", "", "owner = ?", []any{owner}, shownStates)
}

type usage struct {
	Bytes int64 `db:"bytes"`
	Files int   `db:"files"`
}

// Exact sums of PostgreSQL are numeric, hence the cast.
const sumUsage = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes, COUNT(*) AS files FROM documents WHERE owner = ? AND " + usedDocuments

// Usage sums an owner's bytes and files.
func (s signingStore) Usage(ctx context.Context, owner people.ID) (bytes int64, files int, err error) {
	var u usage
	if err := s.Read.GetContext(ctx, &u, s.Read.Rebind(sumUsage), owner); err != nil {
		return 0, 0, fmt.Errorf("sum the usage: %w", err)
	}
	return u.Bytes, u.Files, nil
}

// checkQuota answers signing.ErrQuota when the owner has more than q allows.
func checkQuota(ctx context.Context, tx *sqlx.Tx, q *signing.QuotaCheck) error {
	if q == nil {
		return nil
	}
	var u usage
	if err := tx.GetContext(ctx, &u, tx.Rebind(sumUsage), q.Owner); err != nil {
		return fmt.Errorf("sum the usage: %w", err)
	}
	if u.Bytes > q.Bytes || u.Files > q.Files {
		return fmt.Errorf("%w: %d bytes in %d files", signing.ErrQuota, u.Bytes, u.Files)
	}
	return nil
}

// forget deletes the row of a document that was never received.
func forget(ctx context.Context, tx *sqlx.Tx, id signing.DocumentID) error {
	res, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM documents WHERE id = ? AND state = 'receiving'"), id)
	if err != nil {
		return fmt.Errorf("forget a document: %w", err)
	}
	return one(res.RowsAffected())
}
