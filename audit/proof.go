package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows that the entry at Number is in the tree that the checkpoint stands for. It
// can be checked without the database: CheckProof needs the entry, this, and trust in the
// checkpoint's root.
type Proof struct {
	Number     int64      `json:"number"`
	Path       [][]byte   `json:"path"` // RFC 6962, 2.1.1: the audit path, leaf first
	Checkpoint Checkpoint `json:"checkpoint"`
}

// Proof proves an entry against the newest checkpoint; ErrNotNumbered.
func (t *Tree) Proof(ctx context.Context, number int64) (Proof, error) {
	cp, err := t.Store.LastCheckpoint(ctx)
	if err != nil {
		return Proof{}, fmt.Errorf("prove entry: %w", err)
	}
	return t.ProofIn(ctx, number, cp)
}

// ProofIn proves an entry against a checkpoint of this log; ErrNotNumbered when that does
// not cover it.
func (t *Tree) ProofIn(ctx context.Context, number int64, cp Checkpoint) (Proof, error) {
	if number < 0 || number >= cp.Size {
		return Proof{}, ErrNotNumbered
	}
	path, err := tlog.ProveRecord(cp.Size, number, &reader{ctx: ctx, store: t.Store})
	if err != nil {
		return Proof{}, fmt.Errorf("prove entry: %w", err)
	}
	return Proof{Number: number, Path: toBytes(path), Checkpoint: cp}, nil
}

// CheckProof checks that the entry, as it is, is the one the proof is about; ErrProof.
func CheckProof(e Entry, p Proof) error {
	l, err := Leaf(e)
	if err != nil {
		return err
	}
	path, err := fromBytes(p.Path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	root, err := toHash(p.Checkpoint.Root)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := tlog.CheckRecord(path, p.Checkpoint.Size, root, p.Number, tlog.RecordHash(l)); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}

// Growth proves that the tree of the newest checkpoint holds the older one unchanged
// (RFC 6962, 2.1.2).
func (t *Tree) Growth(ctx context.Context, older Checkpoint) (path [][]byte, newest Checkpoint, err error) {
	newest, err = t.Store.LastCheckpoint(ctx)
	if err != nil {
		return nil, newest, fmt.Errorf("prove growth: %w", err)
	}
	path, err = t.GrowthTo(ctx, older, newest)
	return path, newest, err
}

// GrowthTo proves it for two checkpoints of this log.
func (t *Tree) GrowthTo(ctx context.Context, older, newer Checkpoint) ([][]byte, error) {
	if older.Size < 1 || older.Size > newer.Size {
		return nil, fmt.Errorf("prove growth from %d to %d: %w", older.Size, newer.Size, ErrProof)
	}
	proof, err := tlog.ProveTree(newer.Size, older.Size, &reader{ctx: ctx, store: t.Store})
	if err != nil {
		return nil, fmt.Errorf("prove growth: %w", err)
	}
	return toBytes(proof), nil
}

// CheckGrowth checks what Growth answered; ErrProof.
func CheckGrowth(path [][]byte, older, newer Checkpoint) error {
	hashes, err := fromBytes(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	from, err := toHash(older.Root)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	to, err := toHash(newer.Root)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := tlog.CheckTree(hashes, newer.Size, to, older.Size, from); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}
