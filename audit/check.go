package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Whole is all that a check of the log reads, beside a Store.
type Whole interface {
	// Numbered answers up to n entries of the tree from number first on.
	Numbered(ctx context.Context, first int64, n int) ([]Entry, error)
	// Kept answers up to n kept checkpoints of more than size entries, the smallest first.
	Kept(ctx context.Context, size int64, n int) ([]Checkpoint, error)
	// Stamps answers the stamps of checkpoints from size first to size last.
	Stamps(ctx context.Context, first, last int64) (map[int64]Stamp, error)
	// Keys are all that ever signed a checkpoint.
	Keys(ctx context.Context) ([]string, error)
	// Guards names what should keep the log append-only and is not in place.
	Guards(ctx context.Context) (missing []string, err error)
}

// Code says what a check found; docs/audit.md tells what each means.
type Code string

// The codes.
const (
	EntryChanged     Code = "entry_changed"
	EntryMissing     Code = "entry_missing"
	EntryBeyond      Code = "entry_beyond"
	TreeChanged      Code = "tree_changed"
	RootDiffers      Code = "root_differs"
	CheckpointBeyond Code = "checkpoint_beyond"
	SignatureBad     Code = "signature_bad"
	StampBad         Code = "stamp_bad"
	GuardMissing     Code = "guard_missing"
)

// Violation is what makes a log one that does not hold. It wraps ErrProof.
type Violation struct {
	Code   Code
	Number int64  // of the entry, or the size of the checkpoint
	Detail string // id or name; never what an entry says
}

func (v *Violation) Error() string {
	n := v.Number
	switch v.Code {
	case EntryChanged:
		return fmt.Sprintf("entry %d (%s) is not what was logged: %v", n, v.Detail, ErrProof)
	case EntryMissing:
		return fmt.Sprintf("entry %d is missing: %v", n, ErrProof)
	case EntryBeyond:
		return fmt.Sprintf("entry %d has a place behind the end of the tree: %v", n, ErrProof)
	case TreeChanged:
		return fmt.Sprintf("a stored hash of the tree differs at entry %d: %v", n, ErrProof)
	case RootDiffers:
		return fmt.Sprintf("the root differs from the checkpoint of %d entries: %v", n, ErrProof)
	case CheckpointBeyond:
		return fmt.Sprintf("a checkpoint of %d entries is kept, and the log has fewer: %v", n, ErrProof)
	case SignatureBad:
		return fmt.Sprintf("the signature of the checkpoint of %d entries does not hold: %v", n, ErrProof)
	case StampBad:
		return fmt.Sprintf("the timestamp of the checkpoint of %d entries does not hold: %v", n, ErrProof)
	}
	return fmt.Sprintf("what keeps the log append-only is gone: %s: %v", v.Detail, ErrProof)
}

// Unwrap makes it an ErrProof.
func (v *Violation) Unwrap() error { return ErrProof }

// CheckStamp checks a token over a signed checkpoint: that it is one over this text, not
// whether its clock service is trusted.
type CheckStamp func(signed string, token []byte) error

// Progress is how far a check has come; its zero is the beginning.
type Progress struct {
	Seen  int64
	Edges []byte // hashes of the complete subtrees of what was seen, 32 bytes each, the largest first
}

// Check reads the whole log, makes the tree anew from what the entries say now, and
// compares every hash, every kept checkpoint, its signature and its stamp with what is
// stored. It answers how many entries it read; a *Violation says what does not hold.
func (t *Tree) Check(ctx context.Context, log Whole) (int64, error) {
	p, _, err := t.CheckPart(ctx, log, Progress{}, nil)
	return p.Seen, err
}

// CheckPart goes on with a check until it is done, or for as long as more says so.
func (t *Tree) CheckPart(ctx context.Context, log Whole, p Progress, more func(Progress) bool) (_ Progress, done bool, err error) {
	r, err := resume(p)
	if err != nil {
		return p, false, err
	}
	c := &checking{tree: t, log: log, rebuilt: r}
	if c.keys, err = log.Keys(ctx); err != nil {
		return p, false, fmt.Errorf("check log: %w", err)
	}
	head, err := t.Store.LastCheckpoint(ctx)
	if err != nil {
		return p, false, fmt.Errorf("check log: %w", err)
	}
	for r.n < head.Size {
		if err := c.batch(ctx, head); err != nil {
			return r.progress(), false, err
		}
		if more != nil && !more(r.progress()) {
			return r.progress(), false, nil
		}
	}
	return r.progress(), true, c.end(ctx, head)
}

type checking struct {
	tree    *Tree
	log     Whole
	rebuilt *rebuilt
	keys    []string
}

func (c *checking) batch(ctx context.Context, head Checkpoint) error {
	r := c.rebuilt
	entries, err := c.log.Numbered(ctx, r.n, int(min(batch, head.Size-r.n)))
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	if len(entries) == 0 {
		return &Violation{Code: EntryMissing, Number: r.n}
	}
	kept, err := c.log.Kept(ctx, r.n, len(entries)) // no more can lie in between
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	first := tlog.StoredHashCount(r.n)
	stored, err := c.stored(ctx, first, tlog.StoredHashCount(r.n+int64(len(entries))))
	if err != nil {
		return err
	}
	for _, e := range entries {
		hashes, err := r.add(e)
		if err != nil {
			return err
		}
		for _, h := range hashes {
			if len(stored) == 0 || !bytes.Equal(h[:], stored[0]) {
				return &Violation{Code: TreeChanged, Number: e.Number}
			}
			stored = stored[1:]
		}
		if len(kept) > 0 && kept[0].Size == r.n {
			if err := c.checkpoint(ctx, kept[0]); err != nil {
				return err
			}
			kept = kept[1:]
		}
	}
	return nil
}

func (c *checking) stored(ctx context.Context, first, end int64) ([][]byte, error) {
	var indexes []int64
	for i := first; i < end; i++ {
		indexes = append(indexes, i)
	}
	hashes, err := c.tree.Store.Nodes(ctx, indexes)
	if errors.Is(err, ErrNodeMissing) {
		return nil, &Violation{Code: TreeChanged, Number: c.rebuilt.n}
	}
	if err != nil {
		return nil, fmt.Errorf("check log: %w", err)
	}
	return hashes, nil
}

// checkpoint compares one with the tree made anew, which is as large now.
func (c *checking) checkpoint(ctx context.Context, cp Checkpoint) error {
	if root := c.rebuilt.root(); !bytes.Equal(root[:], cp.Root) {
		return &Violation{Code: RootDiffers, Number: cp.Size}
	}
	if err := c.signature(cp); err != nil {
		return err
	}
	if c.tree.CheckStamp == nil || cp.Note == "" {
		return nil
	}
	stamps, err := c.log.Stamps(ctx, cp.Size, cp.Size)
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	if s, ok := stamps[cp.Size]; ok && c.tree.CheckStamp(cp.Note, s.Token) != nil {
		return &Violation{Code: StampBad, Number: cp.Size}
	}
	return nil
}

func (c *checking) signature(cp Checkpoint) error {
	if cp.Note == "" { // from before they were signed
		return nil
	}
	said, err := OpenCheckpoint(cp.Note, c.keys...)
	if err != nil || said.Size != cp.Size || !bytes.Equal(said.Root, cp.Root) {
		return &Violation{Code: SignatureBad, Number: cp.Size}
	}
	return nil
}

// end compares with the newest checkpoint, looks behind it, and whether the guards stand.
func (c *checking) end(ctx context.Context, head Checkpoint) error {
	if root := c.rebuilt.root(); head.Size > 0 && (c.rebuilt.n != head.Size || !bytes.Equal(root[:], head.Root)) {
		return &Violation{Code: RootDiffers, Number: head.Size}
	}
	if err := c.signature(head); err != nil {
		return err
	}
	// The log goes on growing: what lies behind is read first, then how far it has come.
	kept, err := c.log.Kept(ctx, head.Size, 1000)
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	entries, err := c.log.Numbered(ctx, head.Size, 1000)
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	now, err := c.tree.Store.LastCheckpoint(ctx)
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	if n := len(kept); n > 0 && kept[n-1].Size > now.Size {
		return &Violation{Code: CheckpointBeyond, Number: kept[n-1].Size}
	}
	if n := len(entries); n > 0 && entries[n-1].Number >= now.Size {
		return &Violation{Code: EntryBeyond, Number: entries[n-1].Number}
	}
	missing, err := c.log.Guards(ctx)
	if err != nil {
		return fmt.Errorf("check log: %w", err)
	}
	if len(missing) > 0 {
		return &Violation{Code: GuardMissing, Detail: missing[0]}
	}
	return nil
}

// rebuilt is a tree made anew; it keeps only the hashes of complete subtrees on its right edge.
type rebuilt struct {
	n     int64
	edges []tlog.Hash // largest subtree first
}

func resume(p Progress) (*rebuilt, error) {
	r := &rebuilt{n: p.Seen}
	for rest := p.Edges; len(rest) > 0; {
		h, err := toHash(rest[:min(len(rest), tlog.HashSize)])
		if err != nil {
			return nil, fmt.Errorf("go on with a check: %w", err)
		}
		r.edges, rest = append(r.edges, h), rest[tlog.HashSize:]
	}
	return r, nil
}

func (r *rebuilt) progress() Progress {
	p := Progress{Seen: r.n}
	for _, h := range r.edges {
		p.Edges = append(p.Edges, h[:]...)
	}
	return p
}

// add answers the hashes that the entry completes, in the order in which they are stored.
func (r *rebuilt) add(e Entry) ([]tlog.Hash, error) {
	if e.Number != r.n {
		return nil, &Violation{Code: EntryMissing, Number: r.n}
	}
	h, err := leafOf(e)
	if err != nil {
		return nil, err
	}
	return r.hash(h), nil
}

// leafOf is the leaf hash of what an entry says. What an old one said may be forgotten
// (see Forget): then its stored hash stands for it, and the tree shows that it is the one.
func leafOf(e Entry) (h tlog.Hash, err error) {
	if e.Forgotten() {
		return toHash(e.Hash)
	}
	l, err := Leaf(e)
	if err != nil {
		return h, err
	}
	if h = tlog.RecordHash(l); !bytes.Equal(h[:], e.Hash) {
		return h, &Violation{Code: EntryChanged, Number: e.Number, Detail: e.ID}
	}
	return h, nil
}

func (r *rebuilt) hash(h tlog.Hash) []tlog.Hash {
	done := []tlog.Hash{h}
	for m := r.n; m&1 == 1; m >>= 1 {
		last := len(r.edges) - 1
		h = tlog.NodeHash(r.edges[last], h)
		r.edges = r.edges[:last]
		done = append(done, h)
	}
	r.edges = append(r.edges, h)
	r.n++
	return done
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

// Retention is the least time for which an entry says what it says: seven years. The
// database holds it too and lets nobody forget sooner.
const Retention = 2562 * 24 * time.Hour

// Forgotten reports whether what the entry said was taken away after its retention; its
// place and its hash are left.
func (e Entry) Forgotten() bool {
	return e.Number >= 0 && e.Action == "" && len(e.Hash) == tlog.HashSize && time.Since(e.At) > Retention
}
