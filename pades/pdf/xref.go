package pdf

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

type entryKind byte

const (
	missing  entryKind = iota // no section speaks of it
	free                      // free, or of a type we do not know
	inFile                    // offset, gen
	inStream                  // offset is the object stream's number, gen the index in it
)

type entry struct {
	kind   entryKind
	offset int64
	gen    int
}

// run is entries of consecutive numbers. Entries of a well-formed table stay in the file.
type run struct {
	first, count int64
	at           int64   // table: where the first 20-byte entry lies; stream: where in data
	loaded       []entry // table with odd entries
}

// section is one cross-reference section: a table, or a stream's data.
type section struct {
	at      int64 // where it begins in the file
	after   int64 // where its trailer, or the stream's dictionary, ends
	table   bool
	runs    []run
	sorted  bool
	trailer *Dict
	hybrid  *section // XRefStm
	data    []byte   // of a cross-reference stream
	width   [3]int
}

// readSections walks the chain of sections, newest first.
func (f *File) readSections(start int64) error {
	// Offsets count from the first byte or, with junk before the header, from the header.
	first, err := f.section(start)
	if err != nil && f.Header > 0 {
		f.base = f.Header
		first, err = f.section(start + f.base)
	}
	if err != nil {
		return err
	}
	seen := map[int64]bool{first.at: true}
	for s := first; ; {
		f.sections = append(f.sections, s)
		if x, ok := s.trailer.Get("XRefStm").(Number); ok && s.table {
			at, _ := x.Int()
			if s.hybrid, err = f.section(at + f.base); err != nil {
				return err
			}
			if s.hybrid.table {
				return fmt.Errorf("%w: XRefStm of the section at byte %d is a table", ErrDamaged, s.at)
			}
		}
		p, ok := s.trailer.Get("Prev").(Number)
		if !ok {
			return nil
		}
		prev, ok := p.Int()
		if !ok || prev < 0 {
			return fmt.Errorf("%w: bad Prev in the section at byte %d", ErrDamaged, s.at)
		}
		if prev == 0 { // some writers say "none" with 0
			return nil
		}
		if s, err = f.section(prev + f.base); err != nil {
			return err
		}
		if seen[s.at] {
			return fmt.Errorf("%w: the sections run in a circle at byte %d", ErrDamaged, s.at)
		}
		if seen[s.at] = true; len(seen) > f.limits.Sections {
			return fmt.Errorf("%w: cross-reference sections", ErrTooComplex)
		}
	}
}

// section reads the section at a place.
func (f *File) section(at int64) (*section, error) {
	if err := f.spend(costSection); err != nil {
		return nil, err
	}
	var s *section
	err := f.within(at, func(l *lexer) error {
		l.space()
		if len(l.b)-l.pos < 5 && !l.last {
			return errShort
		}
		if bytes.HasPrefix(l.b[l.pos:], []byte("xref")) {
			s = &section{at: at + int64(l.pos), table: true, trailer: NewDict()}
		} else {
			s = &section{at: at + int64(l.pos)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if s.table {
		err = f.readTable(s)
	} else {
		err = f.readXRefStream(s)
	}
	if err != nil {
		return nil, fmt.Errorf("cross-reference at byte %d: %w", s.at, err)
	}
	s.trailer.Delete("Index") // it has become runs
	n, err := f.weigh(s.trailer)
	if f.mem.trailers += n; err != nil || f.mem.trailers > maxTrailers {
		return nil, cmp.Or(err, fmt.Errorf("%w: trailers of more than %d MB", ErrTooComplex, maxTrailers>>20))
	}
	s.sorted = slices.IsSortedFunc(s.runs, func(a, b run) int {
		if a.first+a.count <= b.first {
			return -1
		}
		return 1
	})
	if !s.sorted && len(s.runs) > 1024 {
		return nil, fmt.Errorf("%w: unordered subsections", ErrTooComplex)
	}
	return s, nil
}

// readTable reads subsection headers, skipping the entries, and the trailer.
func (f *File) readTable(s *section) error {
	for at := s.at + 4; ; {
		var first, count int64
		done := false
		err := f.within(at, func(l *lexer) error {
			w, err := l.keyword()
			if err != nil {
				return err
			}
			if w == "trailer" {
				o, err := l.object(0)
				if err != nil {
					return err
				}
				d, ok := o.(*Dict)
				if !ok {
					return l.bad("no trailer dictionary")
				}
				s.trailer, s.after, done = d, at+int64(l.pos), true
				return nil
			}
			var ok bool
			if first, ok = parseUint(w); !ok {
				return l.bad("no subsection")
			}
			if count, err = l.uint(); err != nil {
				return err
			}
			l.space()
			at += int64(l.pos)
			return nil
		})
		if err != nil || done {
			return err
		}
		if first+count > maxObject+1 {
			return fmt.Errorf("%w: cross-reference entries", ErrTooComplex)
		}
		if at, err = f.readRun(s, run{first: first, count: count, at: at}); err != nil {
			return err
		}
	}
}

// readRun checks the first and last entry of a subsection and that something sensible
// follows; if not, every entry is read token by token.
func (f *File) readRun(s *section, r run) (next int64, err error) {
	if r.count == 0 {
		return r.at, nil
	}
	if err := f.oneMore(); err != nil {
		return 0, err
	}
	next = r.at + 20*r.count
	if next <= f.Size && f.regular(r) {
		head, err := f.tableEntry(r.at)
		if err != nil {
			return 0, err
		}
		if r.first == 1 && head.kind == free && head.gen == 65535 {
			r.first = 0 // writers that count from 1 mean 0
		}
		s.runs = append(s.runs, r)
		return next, nil
	}
	if f.loaded += int(min(r.count, maxLoaded+1)); f.loaded > maxLoaded || r.count*11 > f.Size {
		return 0, fmt.Errorf("%w: irregular cross-reference table", ErrDamaged)
	}
	// One window for the lot: an irregular entry takes at most a few bytes more than 20.
	b, err := f.bytes(r.at, int(min(r.count*32+64, f.Size-r.at)))
	if err != nil {
		return 0, err
	}
	l := &lexer{b: b, base: r.at, last: true}
	for range r.count {
		e, err := l.tableEntry()
		if err != nil {
			return 0, err
		}
		r.loaded = append(r.loaded, e)
	}
	if r.first == 1 && r.loaded[0].kind == free && r.loaded[0].gen == 65535 {
		r.first = 0
	}
	s.runs = append(s.runs, r)
	return r.at + int64(l.pos), nil
}

// oneMore counts subsections: they are what is held of an index.
func (f *File) oneMore() error {
	f.runs++
	if f.mem.runs++; f.runs > maxRuns || f.mem.runs > 3*maxRuns {
		return fmt.Errorf("%w: more than %d subsections of cross-references", ErrTooComplex, maxRuns)
	}
	return nil
}

func (f *File) regular(r run) bool {
	for _, at := range []int64{r.at, r.at + 20*(r.count-1)} {
		if _, err := f.tableEntry(at); err != nil {
			return false
		}
	}
	b, err := f.bytes(r.at+20*r.count, 8)
	if err != nil || len(b) == 0 {
		return false
	}
	b = bytes.TrimLeft(b, white)
	return len(b) > 0 && (b[0] == 't' || isDigit(b[0]))
}

// tableEntry reads one 20-byte entry, strictly.
func (f *File) tableEntry(at int64) (e entry, err error) {
	b, err := f.bytes(at, 20)
	if err != nil {
		return e, err
	}
	e, ok := entryIn(b)
	if !ok {
		return e, fmt.Errorf("%w: bad cross-reference entry at %d", ErrDamaged, at)
	}
	return e, nil
}

func entryIn(b []byte) (e entry, ok bool) {
	if len(b) < 18 || b[10] != ' ' || b[16] != ' ' || len(bytes.TrimLeft(b[18:], white)) > 0 {
		return e, false
	}
	off, ok1 := parseUint(string(b[:10]))
	gen, ok2 := parseUint(string(b[11:16]))
	e = entry{inFile, off, int(gen)}
	if b[17] == 'f' {
		e.kind = free
	}
	return e, ok1 && ok2 && (b[17] == 'n' || b[17] == 'f')
}

func (l *lexer) tableEntry() (e entry, err error) {
	off, err := l.uint()
	if err != nil {
		return e, err
	}
	gen, err := l.uint()
	if err != nil {
		return e, err
	}
	w, err := l.keyword()
	if err != nil {
		return e, err
	}
	switch w {
	case "n":
		return entry{inFile, off, int(gen)}, nil
	case "f":
		return entry{free, off, int(gen)}, nil
	}
	return e, l.bad("bad cross-reference entry")
}

// readXRefStream inflates a cross-reference stream and keeps its bytes.
func (f *File) readXRefStream(s *section) error {
	_, o, end, err := f.objectAt(s.at)
	if err != nil {
		return err
	}
	st, ok := o.(*Stream)
	if !ok || st.Get("Type") != Name("XRef") {
		return fmt.Errorf("%w: no cross-reference at %d", ErrDamaged, s.at)
	}
	s.trailer, s.after = st.Dict, end
	w, _ := st.Get("W").(Array)
	if len(w) < 3 {
		return fmt.Errorf("%w: bad W", ErrDamaged)
	}
	row := int64(0)
	for i := range 3 {
		n, _ := w[i].(Number)
		v, ok := n.Int()
		if !ok || v < 0 || v > 8 {
			return fmt.Errorf("%w: bad W", ErrDamaged)
		}
		s.width[i] = int(v)
		row += v
	}
	if row == 0 {
		return fmt.Errorf("%w: bad W", ErrDamaged)
	}
	if s.data, err = f.data(st, f.limits.Inflated/2-f.xrefSum, false); err != nil {
		return err
	}
	f.xrefSum += int64(len(s.data))
	if f.mem.indexes += int64(len(s.data)); f.mem.indexes > f.limits.Inflated {
		return fmt.Errorf("%w: indexes of more than %d bytes", ErrTooComplex, f.limits.Inflated)
	}
	if n, ok := st.Get("Length").(Number); ok {
		if v, ok := n.Int(); ok && v > 0 && v < f.Size-end {
			s.after = end + v
		}
	}
	return f.index(s, row)
}

// index reads Index, or its default from Size.
func (f *File) index(s *section, row int64) error {
	idx, _ := s.trailer.Get("Index").(Array)
	if !s.trailer.Has("Index") {
		idx = Array{Integer(0), s.trailer.Get("Size")}
	}
	at := int64(0)
	for i := 0; i+1 < len(idx); i += 2 {
		a, _ := idx[i].(Number)
		b, _ := idx[i+1].(Number)
		first, ok1 := a.Int()
		count, ok2 := b.Int()
		if !ok1 || !ok2 || first < 0 || count < 0 || first > maxObject {
			return fmt.Errorf("%w: bad Index", ErrDamaged)
		}
		count = min(count, (int64(len(s.data))-at)/row, maxObject+1-first)
		if count > 0 {
			if err := f.oneMore(); err != nil {
				return err
			}
			s.runs = append(s.runs, run{first: first, count: count, at: at})
		}
		at += count * row
	}
	return nil
}

// runOf finds the run that holds a number.
func (s *section) runOf(num int64) *run {
	if s.sorted {
		i, ok := slices.BinarySearchFunc(s.runs, num, func(r run, n int64) int {
			switch {
			case n < r.first:
				return 1
			case n >= r.first+r.count:
				return -1
			}
			return 0
		})
		if !ok {
			return nil
		}
		return &s.runs[i]
	}
	for i := range s.runs {
		if r := &s.runs[i]; num >= r.first && num < r.first+r.count {
			return r
		}
	}
	return nil
}

// get is the i-th entry of a run.
func (f *File) get(s *section, r *run, i int64) (entry, error) {
	if err := f.spend(costLookup); err != nil {
		return entry{}, err
	}
	switch {
	case r.loaded != nil:
		return r.loaded[i], nil
	case s.table:
		return f.tableEntry(r.at + 20*i)
	}
	row := s.width[0] + s.width[1] + s.width[2]
	at := int(r.at) + int(i)*row
	var v [3]int64
	for j, w := range s.width {
		for _, c := range s.data[at : at+w] {
			v[j] = v[j]<<8 | int64(c)
		}
		at += w
	}
	if s.width[0] == 0 {
		v[0] = 1
	}
	if v[1] < 0 || v[2] < 0 || v[2] > 1<<31 {
		return entry{kind: free}, nil
	}
	switch v[0] {
	case 1:
		return entry{inFile, v[1], int(v[2])}, nil
	case 2:
		return entry{inStream, v[1], int(v[2])}, nil
	}
	return entry{free, v[1], int(v[2])}, nil
}

func (f *File) lookup(s *section, num int64) (entry, error) {
	cost := int64(costLookup + costLookup/2*bits.Len(uint(len(s.runs))))
	if !s.sorted {
		cost += int64(len(s.runs))
	}
	if err := f.spend(cost); err != nil {
		return entry{}, err
	}
	r := s.runOf(num)
	if r == nil {
		return entry{}, nil
	}
	return f.get(s, r, num-r.first)
}

// entry is where an object lies: the newest section that speaks of it decides.
func (f *File) entry(num int) (entry, error) {
	if f.found != nil {
		return f.found[num], nil
	}
	for _, s := range f.sections {
		if e, err := f.says(s, int64(num)); err != nil || e.kind != missing {
			return e, err
		}
	}
	return entry{}, nil
}

// says is what one section says of a number.
func (f *File) says(s *section, num int64) (e entry, err error) {
	if e, err = f.lookup(s, num); err != nil {
		return e, err
	}
	// A hybrid file hides objects from old readers: its stream is asked before Prev.
	if s.hybrid != nil && (e.kind == missing || e.kind == free) {
		h, err := f.lookup(s.hybrid, num)
		if err != nil {
			return h, err
		}
		if h.kind != missing {
			e = h
		}
	}
	if e.kind == inFile && e.offset == 0 {
		e.kind = free
	}
	return e, nil
}
