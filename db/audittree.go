package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
)

// ErrTreeMoved is answered by Append when another process numbered entries meanwhile:
// read the last checkpoint again.
var ErrTreeMoved = errors.New("the audit tree has grown meanwhile")

// AuditTree keeps the Merkle tree over the log.
func (d *DB) AuditTree() AuditTree { return AuditTree{d} }

// AuditTree stores numbers, leaf hashes, inner hashes and checkpoints.
type AuditTree struct{ db *DB }

// Unnumbered answers up to limit entries that have no place in the tree, oldest first.
func (t AuditTree) Unnumbered(ctx context.Context, n int) ([]audit.Entry, error) {
	rows, err := entries.list(ctx, t.db.Read, "number IS NULL ORDER BY at, id LIMIT ?", max(n, 1))
	return convert(rows, entryRow.entry, err)
}

// Append gives the entries the numbers from firstNumber on and stores their leaf hashes,
// the hashes of the tree and its checkpoint, all or nothing. It answers ErrTreeMoved
// when firstNumber is not where the tree ends.
func (t AuditTree) Append(ctx context.Context, firstNumber int64, added []audit.Entry, leafHashes [][]byte, nodes []audit.Node, cp audit.Checkpoint) error {
	if len(leafHashes) != len(added) || cp.Size != firstNumber+int64(len(added)) {
		return fmt.Errorf("append to the audit tree: %d entries, %d hashes, from %d to %d", len(added), len(leafHashes), firstNumber, cp.Size)
	}
	err := t.db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := t.db.lockUntilCommit(ctx, tx, "audit tree"); err != nil {
			return err
		}
		var size int64
		if err := tx.GetContext(ctx, &size, "SELECT COALESCE(MAX(size), 0) FROM audit_checkpoints"); err != nil {
			return fmt.Errorf("read the size of the audit tree: %w", err)
		}
		if size != firstNumber {
			return errConflict
		}
		for i, e := range added {
			res, err := tx.ExecContext(ctx, tx.Rebind("UPDATE audit SET number = ?, hash = ? WHERE id = ? AND number IS NULL"),
				firstNumber+int64(i), leafHashes[i], e.ID)
			if err != nil {
				return fmt.Errorf("number an audit entry: %w", err)
			}
			if err := one(res.RowsAffected()); err != nil {
				return err
			}
		}
		for _, n := range nodes {
			if _, err := tx.ExecContext(ctx, tx.Rebind("INSERT INTO audit_nodes (position, hash) VALUES (?, ?)"), n.Index, n.Hash); err != nil {
				return fmt.Errorf("store a hash of the audit tree: %w", err)
			}
		}
		_, err := tx.ExecContext(ctx, tx.Rebind("INSERT INTO audit_checkpoints (size, root, at) VALUES (?, ?, ?)"), cp.Size, cp.Root, ms(cp.At))
		if err != nil {
			return fmt.Errorf("store a checkpoint: %w", err)
		}
		return nil
	})
	if t.db.conflict(err) {
		return fmt.Errorf("%w: %w", ErrTreeMoved, err)
	}
	return err
}

// Nodes answers the stored hashes of these indexes, in their order; one that is missing
// is an error.
func (t AuditTree) Nodes(ctx context.Context, indexes []int64) ([][]byte, error) {
	found := make(map[int64][]byte, len(indexes))
	for rest := indexes; len(rest) > 0; {
		part := rest[:min(len(rest), 500)]
		rest = rest[len(part):]
		args := make([]any, len(part))
		for i, n := range part {
			args[i] = n
		}
		var rows []struct {
			Position int64  `db:"position"`
			Hash     []byte `db:"hash"`
		}
		statement := "SELECT position, hash FROM audit_nodes WHERE position IN (?" + strings.Repeat(", ?", len(part)-1) + ")"
		if err := t.db.Read.SelectContext(ctx, &rows, t.db.Read.Rebind(statement), args...); err != nil {
			return nil, fmt.Errorf("read the audit tree: %w", err)
		}
		for _, r := range rows {
			found[r.Position] = r.Hash
		}
	}
	out := make([][]byte, len(indexes))
	for i, n := range indexes {
		if out[i] = found[n]; out[i] == nil {
			return nil, fmt.Errorf("read the audit tree: the hash at %d is missing", n)
		}
	}
	return out, nil
}

// LastCheckpoint is the newest one; the zero Checkpoint while the tree is empty.
func (t AuditTree) LastCheckpoint(ctx context.Context) (audit.Checkpoint, error) {
	var row struct {
		Size int64  `db:"size"`
		Root []byte `db:"root"`
		At   int64  `db:"at"`
	}
	err := t.db.Read.GetContext(ctx, &row, "SELECT size, root, at FROM audit_checkpoints ORDER BY size DESC LIMIT 1")
	if missing(err) {
		return audit.Checkpoint{}, nil
	}
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("read the last checkpoint: %w", err)
	}
	return audit.Checkpoint{Size: row.Size, Root: row.Root, At: at(row.At)}, nil
}

// Numbered answers up to n entries of the tree from number first on, to check or export it.
func (t AuditTree) Numbered(ctx context.Context, first int64, n int) ([]audit.Entry, error) {
	rows, err := entries.list(ctx, t.db.Read, "number >= ? ORDER BY number LIMIT ?", first, max(n, 1))
	return convert(rows, entryRow.entry, err)
}
