package db

import (
	"context"
	"fmt"
)

// A preparation is of use until its signature is over, and the bytes of a document that was
// erased are of none: a process that died before it removed them leaves them to the sweep.
const keepsBlob = `SELECT EXISTS (SELECT 1 FROM revisions r JOIN documents d ON d.id = r.document WHERE r.blob = ? AND r.blob <> '' AND d.state <> 'erased')
	OR EXISTS (SELECT 1 FROM signatures WHERE prepared = ? AND prepared <> '' AND state IN ('prepared', 'intended', 'signed', 'assembled'))`

// KeepsBlob reports whether a row speaks of the stored bytes: those that no row speaks
// of were left behind by something that broke off.
func (d *DB) KeepsBlob(ctx context.Context, id string) (bool, error) {
	var kept bool
	if err := d.Read.GetContext(ctx, &kept, d.Read.Rebind(keepsBlob), id, id); err != nil {
		return false, fmt.Errorf("look for the row of stored bytes: %w", err)
	}
	return kept, nil
}
