package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"countersign/people"
)

// ReceiptFormat is the first member of every receipt; docs/audit.md describes the rest.
const ReceiptFormat = "countersign-receipt/1"

// Receipt proves entries of the log to whoever has the log's key and trusts its clock
// service, without the log.
type Receipt struct {
	Format     string         `json:"format"`
	Key        string         `json:"key"`        // that signed the checkpoint; a reader should have it from elsewhere
	Checkpoint string         `json:"checkpoint"` // C2SP signed-note
	Timestamp  *ReceiptStamp  `json:"timestamp,omitempty"`
	Entries    []ReceiptEntry `json:"entries"`
}

// ReceiptStamp is a timestamp over the SHA-256 of the checkpoint's text with its signature.
type ReceiptStamp struct {
	Time  time.Time `json:"time"`  // that the token states
	Token []byte    `json:"token"` // RFC 3161 TimeStampToken, DER in base64
}

// ReceiptEntry is an entry and its place.
type ReceiptEntry struct {
	Number int64    `json:"number"` // from 0
	Leaf   string   `json:"leaf"`   // canonical form: the bytes that are hashed
	Path   [][]byte `json:"path"`   // RFC 6962, 2.1.1: audit path to the checkpoint's root, leaf first, base64
}

// ReceiptStore is what receipts need of the database beside a Store.
type ReceiptStore interface {
	// StampedFrom is the smallest stamped checkpoint of at least size entries; zero: none yet.
	StampedFrom(ctx context.Context, size int64) (Checkpoint, Stamp, error)
	// Keys are all that ever signed.
	Keys(ctx context.Context) ([]string, error)
}

// Receipt proves entries by the first checkpoint after them that a clock service has
// stamped, or by the newest one when there is none yet. ErrNotNumbered when one of them has
// no place yet, or no signed checkpoint is there.
func (t *Tree) Receipt(ctx context.Context, store ReceiptStore, entries []Entry) (Receipt, error) {
	fail := func(err error) (Receipt, error) { return Receipt{}, fmt.Errorf("make a receipt: %w", err) }
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Number, b.Number) })
	if len(entries) == 0 || entries[0].Number < 0 {
		return fail(ErrNotNumbered)
	}
	for _, e := range entries {
		if e.Forgotten() { // nothing is left that a receipt could show
			return fail(ErrNotFound)
		}
	}
	cp, stamp, err := store.StampedFrom(ctx, entries[len(entries)-1].Number+1)
	if err != nil {
		return fail(err)
	}
	r := Receipt{Format: ReceiptFormat}
	if cp.Size == 0 {
		if cp, err = t.Store.LastCheckpoint(ctx); err != nil {
			return fail(err)
		}
	} else {
		r.Timestamp = &ReceiptStamp{Time: stamp.At, Token: stamp.Token}
	}
	if cp.Note == "" {
		return fail(ErrNotNumbered)
	}
	keys, err := store.Keys(ctx)
	if err != nil {
		return fail(err)
	}
	signed, err := OpenCheckpoint(cp.Note, keys...)
	if err != nil {
		return fail(err)
	}
	r.Checkpoint, r.Key = cp.Note, signed.Key
	for _, e := range entries {
		p, err := t.ProofIn(ctx, e.Number, cp)
		if err != nil {
			return fail(err)
		}
		if err := CheckProof(e, p); err != nil {
			return fail(err)
		}
		l, err := Leaf(e)
		if err != nil {
			return fail(err)
		}
		r.Entries = append(r.Entries, ReceiptEntry{Number: e.Number, Leaf: string(l), Path: p.Path})
	}
	return r, nil
}

// Held is what a receipt shows.
type Held struct {
	Signed
	KeyGiven bool // by one of the keys that the reader gave; otherwise anybody may have made it
	Entries  []Entry
}

const maxReceipt = 16 << 20

// ReadReceipt reads one, at most 16 MiB.
func ReadReceipt(in io.Reader) (r Receipt, err error) {
	text, err := io.ReadAll(io.LimitReader(in, maxReceipt+1))
	if err != nil {
		return r, fmt.Errorf("read the receipt: %w", err)
	}
	if len(text) > maxReceipt {
		return r, errors.New("the receipt is larger than 16 MiB")
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read the receipt: %w", err)
	}
	if r.Format != ReceiptFormat {
		return r, fmt.Errorf("this is no receipt of a kind that is known here: its format is %q, not %q", r.Format, ReceiptFormat)
	}
	return r, nil
}

// CheckReceipt checks signature and proofs against the keys that the reader has from
// elsewhere; without any, against the receipt's own key, which shows only that it fits
// together. ErrProof when it does not hold, ErrUnknownKey when none of the keys has signed
// it. The timestamp is for whoever has package tsp.
func CheckReceipt(r Receipt, keys ...string) (Held, error) {
	h := Held{KeyGiven: len(keys) > 0}
	if !h.KeyGiven {
		keys = []string{r.Key}
	}
	var err error
	if h.Signed, err = OpenCheckpoint(r.Checkpoint, keys...); err != nil {
		return h, err
	}
	root, err := toHash(h.Root)
	if err != nil {
		return h, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if len(r.Entries) == 0 {
		return h, fmt.Errorf("%w: it holds no entry", ErrProof)
	}
	for _, e := range r.Entries {
		path, err := fromBytes(e.Path)
		if err != nil {
			return h, fmt.Errorf("%w: entry %d: %w", ErrProof, e.Number, err)
		}
		if err := tlog.CheckRecord(path, h.Size, root, e.Number, tlog.RecordHash([]byte(e.Leaf))); err != nil {
			return h, fmt.Errorf("%w: entry %d: %w", ErrProof, e.Number, err)
		}
		entry, err := ParseLeaf([]byte(e.Leaf))
		if err != nil {
			return h, fmt.Errorf("%w: entry %d: %w", ErrProof, e.Number, err)
		}
		entry.Number = e.Number
		h.Entries = append(h.Entries, entry)
	}
	return h, nil
}

// ParseLeaf reads the canonical form of an entry, and refuses every other form.
func ParseLeaf(text []byte) (Entry, error) {
	var l leaf
	if err := json.Unmarshal(text, &l); err != nil {
		return Entry{}, fmt.Errorf("read an entry: %w", err)
	}
	if l.Version != leafVersion {
		return Entry{}, fmt.Errorf("an entry of version %d, which is not known here", l.Version)
	}
	e := Entry{ID: l.ID, At: time.UnixMilli(l.At).UTC(), Person: people.ID(l.Person), System: l.System, Action: l.Action, Object: l.Object,
		Subject: l.Subject, Owner: people.ID(l.Owner), From: l.From, To: l.To, Outcome: Outcome(l.Outcome), Reason: l.Reason,
		Facts: l.Facts, Address: l.Address, Request: l.Request, Number: -1}
	again, err := Leaf(e)
	if err != nil {
		return Entry{}, err
	}
	if !bytes.Equal(again, text) {
		return Entry{}, errors.New("an entry that is not in its canonical form")
	}
	return e, nil
}
