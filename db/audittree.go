package db

import (
	"context"
	"errors"
	"fmt"
	"sort"
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
func (t AuditTree) Append(ctx context.Context, firstNumber int64, added []audit.Entry, leafHashes [][]byte, nodes []audit.Node, cp audit.Checkpoint, keep bool) error {
	if len(leafHashes) != len(added) || cp.Size != firstNumber+int64(len(added)) {
		return fmt.Errorf("append to the audit tree: %d entries, %d hashes, from %d to %d", len(added), len(leafHashes), firstNumber, cp.Size)
	}
	err := t.db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := t.db.lockUntilCommit(ctx, tx, "audit tree"); err != nil {
			return err
		}
		if err := moveHead(ctx, tx, firstNumber, cp); err != nil {
			return err
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
		if !keep {
			return nil
		}
		return keepCheckpoint(ctx, tx, cp)
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
			return nil, fmt.Errorf("read the audit tree: %w: at %d", audit.ErrNodeMissing, n)
		}
	}
	return out, nil
}

// moveHead makes cp the newest checkpoint if the tree is as large as the caller thinks.
func moveHead(ctx context.Context, tx *sqlx.Tx, from int64, cp audit.Checkpoint) error {
	var sizes []int64
	if err := tx.SelectContext(ctx, &sizes, "SELECT size FROM audit_head WHERE one = 1"); err != nil {
		return fmt.Errorf("read the size of the audit tree: %w", err)
	}
	if len(sizes) == 0 {
		if from != 0 {
			return errConflict
		}
		_, err := tx.ExecContext(ctx, tx.Rebind("INSERT INTO audit_head (one, size, root, at, note) VALUES (1, ?, ?, ?, ?)"), cp.Size, cp.Root, ms(cp.At), cp.Note)
		if err != nil {
			return fmt.Errorf("store a checkpoint: %w", err)
		}
		return nil
	}
	if sizes[0] != from {
		return errConflict
	}
	res, err := tx.ExecContext(ctx, tx.Rebind("UPDATE audit_head SET size = ?, root = ?, at = ?, note = ? WHERE one = 1 AND size = ?"), cp.Size, cp.Root, ms(cp.At), cp.Note, from)
	if err != nil {
		return fmt.Errorf("store a checkpoint: %w", err)
	}
	return one(res.RowsAffected())
}

// keepCheckpoint keeps a checkpoint for good, unless it is kept already.
func keepCheckpoint(ctx context.Context, tx *sqlx.Tx, cp audit.Checkpoint) error {
	_, err := tx.ExecContext(ctx, tx.Rebind(`INSERT INTO audit_checkpoints (size, root, at, note)
		SELECT CAST(? AS BIGINT), ?, CAST(? AS BIGINT), ? WHERE NOT EXISTS (SELECT 1 FROM audit_checkpoints WHERE size = ?)`), cp.Size, cp.Root, ms(cp.At), cp.Note, cp.Size)
	if err != nil {
		return fmt.Errorf("keep a checkpoint: %w", err)
	}
	return nil
}

// KeepKey remembers a key that signs checkpoints, once.
func (t AuditTree) KeepKey(ctx context.Context, key string) error {
	var n int
	if err := t.db.Read.GetContext(ctx, &n, t.db.Read.Rebind("SELECT COUNT(*) FROM audit_keys WHERE id = ?"), key); err != nil {
		return fmt.Errorf("look for a key of the log: %w", err)
	}
	if n > 0 {
		return nil
	}
	_, err := t.db.Write.ExecContext(ctx, t.db.Write.Rebind("INSERT INTO audit_keys (id, since) VALUES (?, ?)"), key, ms(t.db.now()))
	if err != nil && !postgresConflict(err) { // another process was first
		return fmt.Errorf("keep a key of the log: %w", err)
	}
	return nil
}

// Keys are all that ever signed, the newest first; there are a few.
func (t AuditTree) Keys(ctx context.Context) ([]string, error) {
	var rows []struct {
		ID    string `db:"id"`
		Since int64  `db:"since"`
	}
	if err := t.db.Read.SelectContext(ctx, &rows, "SELECT id, since FROM audit_keys"); err != nil {
		return nil, fmt.Errorf("read the keys of the log: %w", err)
	}
	sort.SliceStable(rows, func(i, j int) bool { return rows[i].Since > rows[j].Since })
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.ID
	}
	return keys, nil
}

type checkpointRow struct {
	Size int64  `db:"size"`
	Root []byte `db:"root"`
	At   int64  `db:"at"`
	Note string `db:"note"`
}

func (r checkpointRow) checkpoint() audit.Checkpoint {
	return audit.Checkpoint{Size: r.Size, Root: r.Root, At: at(r.At), Note: r.Note}
}

func (t AuditTree) checkpoint(ctx context.Context, rest string, args ...any) (audit.Checkpoint, error) {
	var row checkpointRow
	err := t.db.Read.GetContext(ctx, &row, t.db.Read.Rebind("SELECT size, root, at, note FROM "+rest), args...)
	if missing(err) {
		return audit.Checkpoint{}, nil
	}
	if err != nil {
		return audit.Checkpoint{}, fmt.Errorf("read a checkpoint: %w", err)
	}
	return row.checkpoint(), nil
}

// LastCheckpoint is the newest one; the zero Checkpoint while the tree is empty.
func (t AuditTree) LastCheckpoint(ctx context.Context) (audit.Checkpoint, error) {
	return t.checkpoint(ctx, "audit_head WHERE one = 1")
}

// LastKept is the newest of those that stay; the zero Checkpoint when there is none.
func (t AuditTree) LastKept(ctx context.Context) (audit.Checkpoint, error) {
	return t.checkpoint(ctx, "audit_checkpoints ORDER BY size DESC LIMIT 1")
}

// KeptAt is the kept checkpoint of this size; zero when there is none.
func (t AuditTree) KeptAt(ctx context.Context, size int64) (audit.Checkpoint, error) {
	return t.checkpoint(ctx, "audit_checkpoints WHERE size = ?", size)
}

// NewestKept answers the newest n kept checkpoints, the newest first.
func (t AuditTree) NewestKept(ctx context.Context, n int) ([]audit.Checkpoint, error) {
	return t.checkpoints(ctx, "1 = 1 ORDER BY size DESC LIMIT ?", max(n, 1))
}

// Kept answers up to n kept checkpoints of more than size entries, the smallest first.
func (t AuditTree) Kept(ctx context.Context, size int64, n int) ([]audit.Checkpoint, error) {
	return t.checkpoints(ctx, "size > ? ORDER BY size LIMIT ?", size, max(n, 1))
}

func (t AuditTree) checkpoints(ctx context.Context, rest string, args ...any) ([]audit.Checkpoint, error) {
	var rows []checkpointRow
	err := t.db.Read.SelectContext(ctx, &rows, t.db.Read.Rebind("SELECT size, root, at, note FROM audit_checkpoints WHERE "+rest), args...)
	if err != nil {
		return nil, fmt.Errorf("read the kept checkpoints: %w", err)
	}
	out := make([]audit.Checkpoint, len(rows))
	for i, r := range rows {
		out[i] = r.checkpoint()
	}
	return out, nil
}

// Numbered answers up to n entries of the tree from number first on, to check or export it.
func (t AuditTree) Numbered(ctx context.Context, first int64, n int) ([]audit.Entry, error) {
	rows, err := entries.list(ctx, t.db.Read, "number >= ? ORDER BY number LIMIT ?", first, max(n, 1))
	return convert(rows, entryRow.entry, err)
}
