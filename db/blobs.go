package db

import (
	"context"
	"fmt"
)

const keepsBlob = "SELECT EXISTS (SELECT 1 FROM revisions WHERE blob = ? AND blob <> '') OR EXISTS (SELECT 1 FROM signatures WHERE prepared = ? AND prepared <> '')"

// KeepsBlob reports whether a row speaks of the stored bytes: those that no row speaks
// of were left behind by something that broke off.
func (d *DB) KeepsBlob(ctx context.Context, id string) (bool, error) {
	var kept bool
	if err := d.Read.GetContext(ctx, &kept, d.Read.Rebind(keepsBlob), id, id); err != nil {
		return false, fmt.Errorf("look for the row of stored bytes: %w", err)
	}
	return kept, nil
}
