package db

import (
	"context"

	"countersign/people"
	"countersign/signing"
)

type extensionRow struct {
	ID        string `db:"id"`
	Owner     string `db:"owner"`
	State     string `db:"state"`
	Level     string `db:"level"`
	Reason    string `db:"reason"`
	Attempts  int    `db:"attempts"`
	Ends      int64  `db:"ends"`
	CreatedAt int64  `db:"created_at"`
	Since     int64  `db:"since"`
	Deadline  int64  `db:"deadline"`
	Version   int64  `db:"version"`
}

var extensions = newTable[extensionRow]("extensions")

func toExtensionRow(e signing.Extension) extensionRow {
	return extensionRow{
		ID: string(e.ID), Owner: string(e.Owner), State: string(e.State), Level: e.Level, Reason: e.Reason, Attempts: e.Attempts,
		Ends: ms(e.Ends), CreatedAt: ms(e.CreatedAt), Since: ms(e.Since), Deadline: ms(e.Deadline), Version: e.Version,
	}
}

func (r extensionRow) extension() (signing.Extension, error) {
	return signing.Extension{
		ID: signing.DocumentID(r.ID), Owner: people.ID(r.Owner), State: signing.ExtensionState(r.State), Level: r.Level, Reason: r.Reason,
		Attempts: r.Attempts, Ends: at(r.Ends), CreatedAt: at(r.CreatedAt), Since: at(r.Since), Deadline: at(r.Deadline), Version: r.Version,
	}, nil
}

// Extension of a document.
func (s signingStore) Extension(ctx context.Context, id signing.DocumentID) (signing.Extension, error) {
	row, err := extensions.get(ctx, s.Read, "id = ?", id)
	if err != nil {
		return signing.Extension{}, signingMissing(err)
	}
	return row.extension()
}
