package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// ExportFormat is named in the first line of every export; docs/audit.md describes the rest.
const ExportFormat = "countersign-log/1"

// exportLine is one line of an export: a header, an entry, or a checkpoint.
type exportLine struct {
	Format string   `json:"format,omitempty"` // header
	First  *int64   `json:"first,omitempty"`  // header: number of the first entry that follows
	Keys   []string `json:"keys,omitempty"`   // header: that signed

	Number *int64 `json:"number,omitempty"` // entry, from 0
	Leaf   string `json:"leaf,omitempty"`   // canonical form
	Hash   []byte `json:"hash,omitempty"`   // instead of Leaf, where what it said is forgotten

	Checkpoint string        `json:"checkpoint,omitempty"` // C2SP signed-note over all entries above
	Timestamp  *ReceiptStamp `json:"timestamp,omitempty"`
}

// Export writes the log from number first on as lines of JSON: a header, the entries in
// their canonical form, each kept checkpoint where it belongs, and last the newest one. One
// that was cut off is gone on with by another from the number after the last whole line.
// flush is called after each batch, and may be nil.
func (t *Tree) Export(ctx context.Context, log Whole, w io.Writer, first int64, flush func()) error {
	head, err := t.Store.LastCheckpoint(ctx)
	if err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	first = min(max(first, 0), head.Size)
	keys, err := log.Keys(ctx)
	if err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	x := &exporting{out: bufio.NewWriterSize(w, 64<<10), log: log, at: first}
	if err := x.line(exportLine{Format: ExportFormat, First: &first, Keys: keys}); err != nil {
		return err
	}
	for x.at < head.Size {
		if err := x.batch(ctx, head); err != nil {
			return err
		}
		if err := x.out.Flush(); err != nil {
			return fmt.Errorf("export the log: %w", err)
		}
		if flush != nil {
			flush()
		}
	}
	if x.last != head.Size && head.Note != "" {
		if err := x.line(exportLine{Checkpoint: head.Note}); err != nil {
			return err
		}
	}
	return x.out.Flush()
}

type exporting struct {
	out      *bufio.Writer
	log      Whole
	at, last int64 // entries written; size of the last checkpoint written
}

func (x *exporting) line(l exportLine) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	if _, err := x.out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	return nil
}

func (x *exporting) batch(ctx context.Context, head Checkpoint) error {
	entries, err := x.log.Numbered(ctx, x.at, int(min(batch, head.Size-x.at)))
	if err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	kept, err := x.log.Kept(ctx, x.at, batch)
	if err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	stamps, err := x.log.Stamps(ctx, x.at, x.at+batch)
	if err != nil {
		return fmt.Errorf("export the log: %w", err)
	}
	if len(entries) == 0 {
		return &Violation{Code: EntryMissing, Number: x.at}
	}
	for _, e := range entries {
		if e.Number != x.at {
			return &Violation{Code: EntryMissing, Number: x.at}
		}
		l := exportLine{Number: &e.Number}
		if e.Forgotten() {
			l.Hash = e.Hash
		} else {
			text, err := Leaf(e)
			if err != nil {
				return err
			}
			l.Leaf = string(text)
		}
		if err := x.line(l); err != nil {
			return err
		}
		x.at = e.Number + 1
		if len(kept) > 0 && kept[0].Size == x.at {
			if err := x.checkpoint(kept[0], stamps); err != nil {
				return err
			}
			kept = kept[1:]
		}
	}
	return nil
}

func (x *exporting) checkpoint(cp Checkpoint, stamps map[int64]Stamp) error {
	if cp.Note == "" { // from before they were signed
		return nil
	}
	l := exportLine{Checkpoint: cp.Note}
	if s, ok := stamps[cp.Size]; ok {
		l.Timestamp = &ReceiptStamp{Time: s.At, Token: s.Token}
	}
	x.last = cp.Size
	return x.line(l)
}

// Exported is what an export shows.
type Exported struct {
	Entries     int64 // read and hashed
	Forgotten   int64 // of them, those of which only the hash is left
	Checkpoints int   // that hold
	Covered     int64 // entries under the last checkpoint that holds
	Origin      string
	KeyGiven    bool
	Stamps      []ExportedStamp
}

// ExportedStamp is a token in an export and what it is over; it is not checked here.
type ExportedStamp struct {
	Size       int64
	Checkpoint string
	Token      []byte
}

const longestLine = 4 << 20

// ErrIncomplete is answered for an export that does not begin with the first entry, or
// between whose parts entries are left out.
var ErrIncomplete = errors.New("the export is not complete")

// CheckExport reads an export, of one or more parts one after the other, makes the tree
// anew and holds every checkpoint against it and against the keys; without keys against
// those that the export names itself. ErrProof when it does not hold.
func CheckExport(in io.Reader, keys ...string) (x Exported, err error) {
	x.KeyGiven = len(keys) > 0
	r, own := &rebuilt{}, []string(nil)
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), longestLine)
	begun := false
	for n := 1; lines.Scan(); n++ {
		var l exportLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return x, fmt.Errorf("read line %d of the export: %w", n, err)
		}
		switch {
		case l.Format != "":
			if l.Format != ExportFormat || l.First == nil {
				return x, fmt.Errorf("line %d is not the beginning of an export of a kind that is known here", n)
			}
			if *l.First != r.n {
				return x, fmt.Errorf("%w: line %d goes on at entry %d, after %d", ErrIncomplete, n, *l.First, r.n)
			}
			begun, own = true, append(own, l.Keys...)
		case !begun:
			return x, fmt.Errorf("line %d is not the beginning of an export", n)
		case l.Number != nil:
			if *l.Number != r.n {
				return x, fmt.Errorf("%w: line %d has entry %d after %d", ErrProof, n, *l.Number, r.n)
			}
			if err := x.add(r, l); err != nil {
				return x, fmt.Errorf("line %d: %w", n, err)
			}
		case l.Checkpoint != "":
			use := keys
			if !x.KeyGiven {
				use = own
			}
			if err := x.checkpoint(r, l, use); err != nil {
				return x, fmt.Errorf("line %d: %w", n, err)
			}
		default:
			return x, fmt.Errorf("line %d of the export is neither an entry nor a checkpoint", n)
		}
	}
	if err := lines.Err(); err != nil {
		return x, fmt.Errorf("read the export: %w", err)
	}
	if !begun {
		return x, errors.New("this is no export: it is empty")
	}
	return x, nil
}

func (x *Exported) add(r *rebuilt, l exportLine) error {
	h := tlog.RecordHash([]byte(l.Leaf))
	if l.Leaf == "" {
		var err error
		if h, err = toHash(l.Hash); err != nil {
			return fmt.Errorf("%w: %w", ErrProof, err)
		}
		x.Forgotten++
	} else if _, err := ParseLeaf([]byte(l.Leaf)); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	r.hash(h)
	x.Entries++
	return nil
}

func (x *Exported) checkpoint(r *rebuilt, l exportLine, keys []string) error {
	said, err := OpenCheckpoint(l.Checkpoint, keys...)
	if err != nil {
		return err
	}
	if root := r.root(); said.Size != r.n || !bytes.Equal(said.Root, root[:]) {
		return fmt.Errorf("%w: the entries do not give the checkpoint of %d entries", ErrProof, said.Size)
	}
	x.Origin, x.Covered = said.Origin, said.Size
	x.Checkpoints++
	if l.Timestamp != nil {
		x.Stamps = append(x.Stamps, ExportedStamp{said.Size, l.Checkpoint, l.Timestamp.Token})
	}
	return nil
}
