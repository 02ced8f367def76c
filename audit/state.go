package audit

import (
	"context"
	"fmt"
)

// StateStore is what State reads beside a Store.
type StateStore interface {
	Whole
	NewestKept(ctx context.Context, n int) ([]Checkpoint, error)
	KeptAt(ctx context.Context, size int64) (Checkpoint, error)
	Checks(ctx context.Context, n int) ([]Checked, error)
}

// State is what those who watch over the log look at.
type State struct {
	Newest Checkpoint
	Key    string       // that signed it; empty: it is not signed, or not by a key of this log
	Kept   []Checkpoint // the newest, newest first
	Stamps map[int64]Stamp
	Checks []Checked // the newest, newest first
}

const shown = 20

// State reads it.
func (t *Tree) State(ctx context.Context, store StateStore) (s State, err error) {
	fail := func(err error) (State, error) { return State{}, fmt.Errorf("read the state of the log: %w", err) }
	if s.Newest, err = t.Store.LastCheckpoint(ctx); err != nil {
		return fail(err)
	}
	if s.Kept, err = store.NewestKept(ctx, shown); err != nil {
		return fail(err)
	}
	if s.Checks, err = store.Checks(ctx, shown); err != nil {
		return fail(err)
	}
	if len(s.Kept) > 0 {
		if s.Stamps, err = store.Stamps(ctx, s.Kept[len(s.Kept)-1].Size, s.Kept[0].Size); err != nil {
			return fail(err)
		}
	}
	keys, err := store.Keys(ctx)
	if err != nil {
		return fail(err)
	}
	if signed, err := OpenCheckpoint(s.Newest.Note, keys...); err == nil && signed.Size == s.Newest.Size {
		s.Key = signed.Key
	}
	return s, nil
}

// Grown is the proof that the log of one checkpoint holds that of an older one unchanged.
type Grown struct {
	Older, Newer Checkpoint
	Path         [][]byte // RFC 6962, 2.1.2
	Holds        bool     // checked just now
}

// GrownBetween proves and checks the growth between two kept checkpoints by their sizes;
// newer 0 is the newest there is. ErrNotFound when one of them is not kept.
func (t *Tree) GrownBetween(ctx context.Context, store StateStore, older, newer int64) (g Grown, err error) {
	if g.Older, err = store.KeptAt(ctx, older); err != nil {
		return g, err
	}
	last, err := t.Store.LastCheckpoint(ctx)
	if err != nil {
		return g, err
	}
	if g.Newer = last; newer > 0 && newer != last.Size {
		if g.Newer, err = store.KeptAt(ctx, newer); err != nil {
			return g, err
		}
	}
	if g.Older.Size == 0 || g.Newer.Size == 0 || g.Older.Size > g.Newer.Size {
		return g, ErrNotFound
	}
	if g.Path, err = t.GrowthTo(ctx, g.Older, g.Newer); err != nil {
		return g, err
	}
	g.Holds = CheckGrowth(g.Path, g.Older, g.Newer) == nil
	return g, nil
}
