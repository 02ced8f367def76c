package audit

import (
	"bytes"
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
	if older.Size < 1 || older.Size > newest.Size {
		return nil, newest, fmt.Errorf("prove growth from %d to %d: %w", older.Size, newest.Size, ErrProof)
	}
	proof, err := tlog.ProveTree(newest.Size, older.Size, &reader{ctx: ctx, store: t.Store})
	if err != nil {
		return nil, newest, fmt.Errorf("prove growth: %w", err)
	}
	return toBytes(proof), newest, nil
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

// Numbered reads entries by their place, to check the whole log.
type Numbered interface {
	// Numbered answers up to n entries of the tree from number first on.
	Numbered(ctx context.Context, first int64, n int) ([]Entry, error)
}

// Check reads the whole log, makes the tree anew from what the entries say now, and
// compares every leaf hash and the root with what is stored. It answers how many entries
// it read; an error wraps ErrProof and names the first entry that was changed or is missing.
func (t *Tree) Check(ctx context.Context, log Numbered) (int64, error) {
	cp, err := t.Store.LastCheckpoint(ctx)
	if err != nil {
		return 0, fmt.Errorf("check log: %w", err)
	}
	r := &rebuilt{}
	for r.n < cp.Size {
		entries, err := log.Numbered(ctx, r.n, int(min(batch, cp.Size-r.n)))
		if err != nil {
			return r.n, fmt.Errorf("check log: %w", err)
		}
		if len(entries) == 0 {
			return r.n, fmt.Errorf("entry %d is missing: %w", r.n, ErrProof)
		}
		for _, e := range entries {
			if err := r.add(e); err != nil {
				return r.n, err
			}
		}
	}
	if root := r.root(); cp.Size > 0 && !bytes.Equal(root[:], cp.Root) {
		return r.n, fmt.Errorf("the root differs from the checkpoint of %d entries: %w", cp.Size, ErrProof)
	}
	return r.n, nil
}

// rebuilt is a tree made anew; it keeps only the hashes of complete subtrees on its right edge.
type rebuilt struct {
	n     int64
	edges []tlog.Hash // largest subtree first
}

func (r *rebuilt) add(e Entry) error {
	if e.Number != r.n {
		return fmt.Errorf("entry %d is missing: %w", r.n, ErrProof)
	}
	l, err := Leaf(e)
	if err != nil {
		return err
	}
	h := tlog.RecordHash(l)
	if !bytes.Equal(h[:], e.Hash) {
		return fmt.Errorf("entry %d (%s) is not what was logged: %w", e.Number, e.ID, ErrProof)
	}
	for m := r.n; m&1 == 1; m >>= 1 {
		last := len(r.edges) - 1
		h = tlog.NodeHash(r.edges[last], h)
		r.edges = r.edges[:last]
	}
	r.edges = append(r.edges, h)
	r.n++
	return nil
}

func (r *rebuilt) root() (h tlog.Hash) {
	for i := len(r.edges) - 1; i >= 0; i-- {
		if i == len(r.edges)-1 {
			h = r.edges[i]
		} else {
			h = tlog.NodeHash(r.edges[i], h)
		}
	}
	return h
}
