package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Continues tells whether f is old with complete updates after it: its chain of sections
// is old's chain with more in front, and what is in front lies after old's end. newest
// first, changes are what the sections in front speak of.
func (f *File) Continues(old *File) (changes []Change, ok bool, err error) {
	k := len(f.sections) - len(old.sections)
	if k < 0 || f.base != old.base || f.found != nil || old.found != nil {
		return nil, false, nil
	}
	for i, s := range old.sections {
		if f.sections[k+i].at != s.at {
			return nil, false, nil
		}
	}
	for _, s := range f.sections[:k] {
		if s.at < old.Size || s.hybrid != nil && s.hybrid.at < old.Size {
			return nil, false, nil
		}
	}
	changes, err = f.Changed(Revision{sections: f.sections[:k]})
	return changes, true, err
}

// Current is the reference an object number is in use under; ok is false for a free one.
func (f *File) Current(num int) (ref Ref, ok bool, err error) {
	e, err := f.entry(num)
	switch e.kind {
	case inFile:
		return Ref{num, e.gen}, true, err
	case inStream:
		return Ref{num, 0}, true, err
	}
	return Ref{}, false, err
}

// Same tells whether two values, of the files f and g, are the same; references are
// compared, not followed. Streams have to have the same bytes.
func (f *File) Same(a Object, g *File, b Object) (bool, error) {
	if err := f.spend(costSame); err != nil {
		return false, err
	}
	switch x := a.(type) {
	case Array:
		y, ok := b.(Array)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		for i := range x {
			if ok, err := f.Same(x[i], g, y[i]); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || (x == nil) != (y == nil) {
			return false, nil
		}
		return f.sameDict(x, g, y)
	case *Stream:
		y, ok := b.(*Stream)
		if !ok {
			return false, nil
		}
		if ok, err := f.sameDict(x.Dict, g, y.Dict); !ok || err != nil {
			return false, err
		}
		return f.sameData(x, g, y)
	case String:
		y, ok := b.(String)
		return ok && bytes.Equal(x.Value, y.Value), f.spend(int64(len(x.Value)) / 16)
	case nil, bool, Number, Name, Ref:
		return a == b, nil
	}
	return false, nil
}

func (f *File) sameDict(x *Dict, g *File, y *Dict) (bool, error) {
	if len(x.keys) != len(y.keys) {
		return false, nil
	}
	for i, k := range x.keys {
		if !y.Has(k) {
			return false, nil
		}
		if ok, err := f.Same(x.vals[i], g, y.Get(k)); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (f *File) sameData(x *Stream, g *File, y *Stream) (bool, error) {
	n, err := f.length(x)
	if err != nil {
		return false, err
	}
	m, err := g.length(y)
	if err != nil || n != m {
		return false, err
	}
	if x.At == y.At {
		return true, nil
	}
	for at := int64(0); at < n; at += 64 << 10 {
		k := int(min(64<<10, n-at))
		p, err := f.bytes(x.At+at, k)
		if err != nil {
			return false, err
		}
		q, err := g.bytes(y.At+at, k)
		if err != nil || !bytes.Equal(p, q) {
			return false, err
		}
	}
	return true, nil
}

// Ends tells whether the file ends as a complete revision does: after the end-of-file
// marker that follows its newest section, but for white space.
func (f *File) Ends() (bool, error) {
	_, end, err := f.endOf(f.sections[0])
	if err != nil || f.found != nil {
		return false, err
	}
	for _, s := range f.sections { // linearised: the marker at the end belongs to the older section
		_, e, err := f.endOf(s)
		if err != nil {
			return false, err
		}
		end = max(end, e)
	}
	if f.Size-end > 64 {
		return false, nil
	}
	b, err := f.bytes(max(0, end-16), 96)
	if err != nil {
		return false, err
	}
	return bytes.HasSuffix(bytes.TrimRight(b, white), []byte("%%EOF")), nil
}

// FirstByte is where the newest revision's first object or section begins: what lies
// before it is older.
func (f *File) FirstByte() (int64, error) {
	s := f.sections[0]
	first := s.at
	for _, x := range []*section{s, s.hybrid} {
		if x == nil {
			continue
		}
		for i := range x.runs {
			for j := range x.runs[i].count {
				e, err := f.get(x, &x.runs[i], j)
				if err != nil {
					return 0, err
				}
				if e.kind == inFile && e.offset > 0 {
					first = min(first, e.offset+f.base)
				}
			}
		}
	}
	return first, nil
}

// Stray is something in the updates that readers may see differently.
type Stray struct {
	At     int64
	Object bool // an object; otherwise other bytes
}

// Account reads everything from a byte on, as a scan would, and gives the first thing that
// does not belong to a complete update: an object that no newer section lists at that place,
// a section outside of the chain, other bytes. Nil when all is in order. tick is called
// between objects and may stop it.
func (f *File) Account(from int64, tick func() error) (*Stray, error) {
	var listed []int64 // where objects lie, by the sections
	places := map[int64]*section{}
	for _, s := range f.sections {
		for _, x := range []*section{s, s.hybrid} {
			if x == nil || x.at < from {
				continue
			}
			places[x.at] = x
			var err error
			if listed, err = f.list(x, listed); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(listed)
	for at := from; ; {
		if err := tick(); err != nil {
			return nil, err
		}
		next, stray, err := f.piece(at, listed, places)
		if err != nil || stray != nil || next < 0 {
			return stray, err
		}
		at = next
	}
}

func (f *File) list(s *section, listed []int64) ([]int64, error) {
	for i := range s.runs {
		for j := range s.runs[i].count {
			e, err := f.get(s, &s.runs[i], j)
			if err != nil {
				return nil, err
			}
			if e.kind == inFile {
				listed = append(listed, e.offset+f.base)
			}
			if len(listed) > maxLoaded {
				return nil, fmt.Errorf("%w: cross-reference entries", ErrTooComplex)
			}
		}
	}
	return listed, nil
}

// piece reads one object or section; next is negative at the end of the file.
func (f *File) piece(at int64, listed []int64, places map[int64]*section) (next int64, stray *Stray, err error) {
	var word string
	var done bool
	err = f.within(at, func(l *lexer) error {
		l.space()
		if l.pos == len(l.b) {
			if done = l.last; !done {
				return errShort
			}
			return nil
		}
		next = l.base + int64(l.pos)
		w, err := l.word()
		word = w
		if word == "startxref" {
			n, e := l.uint()
			if errors.Is(e, errShort) {
				return e
			}
			if e != nil || places[n+f.base] == nil && n != 0 { // 0: the first part of a linearised file
				word = ""
			}
			at = l.base + int64(l.pos)
		}
		return err
	})
	if err != nil || done {
		return -1, nil, err
	}
	switch s := places[next]; {
	case word == "startxref":
		return at, nil, nil
	case s != nil && s.table:
		return s.after, nil, nil
	case word != "" && isDigit(word[0]):
		_, o, end, err := f.objectAt(next)
		if err != nil {
			return 0, &Stray{At: next}, nil //nolint:nilerr // bytes that are no object are the finding
		}
		if _, known := slices.BinarySearch(listed, next); !known && s == nil {
			return 0, &Stray{At: next, Object: true}, nil
		}
		return f.afterObject(o, next, end)
	}
	return 0, &Stray{At: next}, nil
}

// afterObject goes past a stream's data and the closing words.
func (f *File) afterObject(o Object, begin, at int64) (int64, *Stray, error) {
	words := []string{"endobj"}
	if st, ok := o.(*Stream); ok {
		n, err := f.length(st)
		if err != nil {
			return 0, nil, err
		}
		at, words = st.At+n, []string{"endstream", "endobj"}
	}
	for _, want := range words {
		var got string
		err := f.within(at, func(l *lexer) (err error) {
			if got, err = l.keyword(); err == nil && got == want {
				at = l.base + int64(l.pos)
			}
			return err
		})
		if err != nil {
			return 0, nil, err
		}
		if got != want {
			return 0, &Stray{At: begin}, nil
		}
	}
	return at, nil, nil
}
