package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Store is what the tree needs of the database.
type Store interface {
	// Unnumbered answers up to limit entries that have no place in the tree, oldest first.
	Unnumbered(ctx context.Context, limit int) ([]Entry, error)
	// Append numbers the entries from first on and stores their leaf hashes, the tree's
	// hashes and its checkpoint, all or nothing; an error when the tree has grown meanwhile.
	// The checkpoint is the newest one until the next, and stays for good if keep says so.
	Append(ctx context.Context, first int64, entries []Entry, leafHashes [][]byte, nodes []Node, cp Checkpoint, keep bool) error
	// Nodes answers the stored hashes of these indexes, in their order.
	Nodes(ctx context.Context, indexes []int64) ([][]byte, error)
	// LastCheckpoint is the newest one; the zero Checkpoint while the tree is empty.
	LastCheckpoint(ctx context.Context) (Checkpoint, error)
	// LastKept is the newest of those that stay; the zero Checkpoint when there is none.
	LastKept(ctx context.Context) (Checkpoint, error)
	// KeepKey remembers a key that signs, once.
	KeepKey(ctx context.Context, key string) error
}

// batch bounds one transaction of Number.
const batch = 500

// keepEvery is how far apart the checkpoints are that stay. One is made with every batch,
// every few seconds; all of them would outgrow what they prove.
const keepEvery = 10 * time.Minute

// Tree numbers the entries of the log and proves that they are in it. Only one process
// numbers at a time; when two do, one of them fails and changes nothing.
type Tree struct {
	Store  Store
	Signer *Signer          // nil: checkpoints are not signed
	Now    func() time.Time // nil: time.Now
	// CheckStamp is asked about stamps when the log is checked; nil: they are not looked at.
	CheckStamp CheckStamp

	keyKept atomic.Bool
}

// ErrNotNumbered is answered for an entry that the next checkpoint will cover.
var ErrNotNumbered = errors.New("entry is not in the tree yet")

// ErrNodeMissing is answered by a store that has not a hash it was asked for.
var ErrNodeMissing = errors.New("a hash of the tree is missing")

// ErrProof is answered for a proof that does not hold.
var ErrProof = errors.New("the proof does not hold")

// leafVersion is part of every leaf, so that a later encoding cannot be taken for this one.
const leafVersion = 1

// leaf is the canonical form of an entry, version 1: one JSON object, UTF-8, no white
// space, the members below in this order and all present, facts sorted by key, the time in
// milliseconds since 1970 UTC, no escapes but those JSON demands. Number and hash are the
// tree's and not part of it.
type leaf struct {
	Version int               `json:"v"`
	ID      string            `json:"id"`
	At      int64             `json:"at"`
	Person  string            `json:"person"`
	System  string            `json:"system"`
	Action  string            `json:"action"`
	Object  string            `json:"object"`
	Subject string            `json:"subject"`
	Owner   string            `json:"owner"`
	From    string            `json:"from"`
	To      string            `json:"to"`
	Outcome string            `json:"outcome"`
	Reason  string            `json:"reason"`
	Facts   map[string]string `json:"facts"`
	Address string            `json:"address"`
	Request string            `json:"request"`
}

// Leaf is the canonical form of an entry, the bytes that the tree's leaf hash is made of.
func Leaf(e Entry) ([]byte, error) {
	l := leaf{
		Version: leafVersion, ID: e.ID, At: e.At.UnixMilli(), Person: string(e.Person), System: e.System, Action: e.Action,
		Object: e.Object, Subject: e.Subject, Owner: string(e.Owner), From: e.From, To: e.To, Outcome: string(e.Outcome),
		Reason: e.Reason, Facts: e.Facts, Address: e.Address, Request: e.Request,
	}
	if l.Facts == nil {
		l.Facts = map[string]string{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("encode entry %s: %w", e.ID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

// LeafHash is SHA-256(0x00 ‖ Leaf), as RFC 6962, 2.1 hashes leaves.
func LeafHash(e Entry) ([]byte, error) {
	l, err := Leaf(e)
	if err != nil {
		return nil, err
	}
	h := tlog.RecordHash(l)
	return h[:], nil
}

// Number gives every unnumbered entry its place and hashes it into the tree, a batch at a
// time, each ending in a checkpoint. It answers how many entries it numbered.
func (t *Tree) Number(ctx context.Context) (n int, err error) {
	for {
		entries, err := t.Store.Unnumbered(ctx, batch)
		if err != nil || len(entries) == 0 {
			return n, err
		}
		if err := t.append(ctx, entries); err != nil {
			return n, fmt.Errorf("grow audit tree: %w", err)
		}
		n += len(entries)
		if len(entries) < batch {
			return n, nil
		}
	}
}

func (t *Tree) append(ctx context.Context, entries []Entry) error {
	last, err := t.Store.LastCheckpoint(ctx)
	if err != nil {
		return err
	}
	r := &reader{ctx: ctx, store: t.Store, fresh: map[int64]tlog.Hash{}}
	var leaves [][]byte
	var nodes []Node
	for i, e := range entries {
		number := last.Size + int64(i)
		l, err := Leaf(e)
		if err != nil {
			return err
		}
		hashes, err := tlog.StoredHashes(number, l, r)
		if err != nil {
			return err
		}
		leaves = append(leaves, bytes.Clone(hashes[0][:]))
		at := tlog.StoredHashIndex(0, number)
		for j, h := range hashes {
			r.fresh[at+int64(j)] = h
			nodes = append(nodes, Node{Index: at + int64(j), Hash: bytes.Clone(h[:])})
		}
	}
	size := last.Size + int64(len(entries))
	root, err := tlog.TreeHash(size, r)
	if err != nil {
		return err
	}
	cp := Checkpoint{Size: size, Root: root[:], At: t.now()}
	if cp.Note, err = t.sign(ctx, cp); err != nil {
		return err
	}
	kept, err := t.Store.LastKept(ctx)
	if err != nil {
		return err
	}
	keep := kept.Size == 0 || cp.At.Sub(kept.At).Abs() >= keepEvery
	return t.Store.Append(ctx, last.Size, entries, leaves, nodes, cp, keep)
}

// sign answers the checkpoint as a signed note. The key is remembered first, so that there
// is none that nobody can check.
func (t *Tree) sign(ctx context.Context, cp Checkpoint) (string, error) {
	if t.Signer == nil {
		return "", nil
	}
	if !t.keyKept.Load() {
		if err := t.Store.KeepKey(ctx, t.Signer.Key()); err != nil {
			return "", err
		}
		t.keyKept.Store(true)
	}
	return t.Signer.sign(cp)
}

func (t *Tree) now() time.Time {
	if t.Now == nil {
		return time.Now().UTC()
	}
	return t.Now().UTC()
}

// reader reads hashes that are stored, and those that this batch is about to store.
type reader struct {
	ctx   context.Context
	store Store
	fresh map[int64]tlog.Hash
}

// ReadHashes makes reader a tlog.HashReader.
func (r *reader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var stored []int64
	for _, i := range indexes {
		if _, ok := r.fresh[i]; !ok {
			stored = append(stored, i)
		}
	}
	found := map[int64]tlog.Hash{}
	if len(stored) > 0 {
		hashes, err := r.store.Nodes(r.ctx, stored)
		if err != nil {
			return nil, err
		}
		if len(hashes) != len(stored) {
			return nil, fmt.Errorf("asked for %d hashes, got %d", len(stored), len(hashes))
		}
		for i, h := range hashes {
			if found[stored[i]], err = toHash(h); err != nil {
				return nil, err
			}
		}
	}
	for i, index := range indexes {
		if h, ok := r.fresh[index]; ok {
			out[i] = h
		} else {
			out[i] = found[index]
		}
	}
	return out, nil
}

func toHash(b []byte) (h tlog.Hash, err error) {
	if len(b) != len(h) {
		return h, fmt.Errorf("a hash of %d bytes", len(b))
	}
	copy(h[:], b)
	return h, nil
}

func toBytes[S ~[]tlog.Hash](hashes S) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = bytes.Clone(hashes[i][:])
	}
	return out
}

func fromBytes(raw [][]byte) (hashes []tlog.Hash, err error) {
	hashes = make([]tlog.Hash, len(raw))
	for i, b := range raw {
		if hashes[i], err = toHash(b); err != nil {
			return nil, err
		}
	}
	return hashes, nil
}
