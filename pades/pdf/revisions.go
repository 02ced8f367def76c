package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Revision is the file as first written, or one incremental update.
type Revision struct {
	Number int   // from 1, the oldest
	EOF    int64 // after the end-of-file marker, without the end of line
	End    int64 // after the end of line that follows the marker

	sections []*section
}

// Revisions are the revisions, oldest first. A linearised file's two sections are one.
// Nil for a repaired file: what revisions it had cannot be told.
func (f *File) Revisions() ([]Revision, error) {
	var out []Revision
	for i, s := range slices.Backward(f.sections) {
		// Sections run backwards through the file; only in a linearised one is an
		// older section further on.
		older := i + 1
		if older < len(f.sections) && f.sections[older].at > s.at {
			last := &out[len(out)-1]
			last.sections = append(last.sections, s)
			continue
		}
		out = append(out, Revision{sections: []*section{s}})
	}
	for i := range out {
		out[i].Number = i + 1
		for _, s := range out[i].sections {
			eof, end, err := f.endOf(s)
			if err != nil {
				return nil, err
			}
			if eof > out[i].EOF {
				out[i].EOF, out[i].End = eof, end
			}
		}
	}
	return out, nil
}

// endOf finds the end-of-file marker after a section.
func (f *File) endOf(s *section) (eof, end int64, err error) {
	at, err := f.find(s.after, min(f.Size, s.after+64<<10), []byte("%%EOF"))
	if err != nil {
		return 0, 0, err
	}
	if at < 0 {
		return f.Size, f.Size, nil
	}
	at += 5
	b, err := f.bytes(at, 2)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	switch {
	case bytes.HasPrefix(b, []byte("\r\n")):
		return at, at + 2, nil
	case len(b) > 0 && (b[0] == '\n' || b[0] == '\r'):
		return at, at + 1, nil
	}
	return at, at, nil
}

// maxChanges bounds what Changed holds: 24 bytes each.
const maxChanges = 500_000

// Change is an object that a revision adds, replaces or frees.
type Change struct {
	Ref
	Free bool
}

// Changed lists the objects that a revision's sections speak of, in order of number. For
// the first revision these are all objects.
func (f *File) Changed(r Revision) ([]Change, error) {
	out := make([]Change, 0, min(r.Entries(), maxChanges))
	add := func(s *section) error {
		for i := range s.runs {
			run := &s.runs[i]
			for j := range run.count {
				e, err := f.get(s, run, j)
				if err != nil {
					return err
				}
				if len(out) >= maxChanges {
					return fmt.Errorf("%w: cross-reference entries", ErrTooComplex)
				}
				num := int(run.first + j)
				switch e.kind {
				case inFile:
					out = append(out, Change{Ref{num, e.gen}, false})
				case inStream:
					out = append(out, Change{Ref{num, 0}, false})
				default:
					out = append(out, Change{Ref{num, e.gen}, true})
				}
			}
		}
		return nil
	}
	for _, s := range r.sections {
		if err := add(s); err != nil {
			return nil, err
		}
		if s.hybrid != nil {
			if err := add(s.hybrid); err != nil {
				return nil, err
			}
		}
	}
	// A hybrid's table calls free what its stream has: the stream wins.
	slices.SortStableFunc(out, func(a, b Change) int {
		if a.Num != b.Num {
			return a.Num - b.Num
		}
		return btoi(a.Free) - btoi(b.Free)
	})
	return slices.CompactFunc(out, func(a, b Change) bool { return a.Num == b.Num }), nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
