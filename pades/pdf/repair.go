package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// OpenRepaired rebuilds the cross-reference by one scan of the file. What is appended to
// such a file carries a complete cross-reference without Prev, which heals it for every
// reader. A file that is already signed is not repaired (ErrDamaged).
func OpenRepaired(r io.ReaderAt, size int64, o Options) (*File, error) {
	f, err := bare(r, size, o)
	if err != nil {
		return nil, err
	}
	f.base, f.Repaired = f.Header, true
	f.found = map[int]entry{}
	s := &scan{f: f, streamAt: map[int]int64{}}
	if err := s.run(); err != nil {
		return nil, err
	}
	if err := s.trailer(); err != nil {
		return nil, err
	}
	if err := f.setEncryption(); errors.Is(err, ErrDamaged) {
		return nil, fmt.Errorf("%w: %v", ErrEncryption, err)
	} else if err != nil {
		return nil, err
	}
	if err := s.unpack(); err != nil {
		return nil, err
	}
	if _, err := f.Catalog(); err != nil {
		if err = s.findCatalog(); err != nil {
			return nil, err
		}
	}
	if err := f.probe(); err != nil {
		return nil, err
	}
	sigs, err := f.Signatures()
	if err != nil {
		return nil, err
	}
	if s.encrypted > 0 && !f.Encrypted() {
		return nil, fmt.Errorf("%w: no trailer names object %d, which says how", ErrEncryption, s.encrypted)
	}
	if len(sigs) > 0 || s.signed > 0 {
		return nil, fmt.Errorf("%w: and signed (byte %d), so it is not repaired", ErrDamaged, s.signed)
	}
	if s.cut > 0 {
		return nil, fmt.Errorf("%w: the last object, at byte %d, is cut off", ErrTruncated, s.cut)
	}
	return f, nil
}

// scan is one pass over the file for "N G obj" and trailers.
type scan struct {
	f         *File
	trailers  []*Dict // in the order of the file
	packed    []int   // object streams, in the order of the file
	streamAt  map[int]int64
	catalogs  []Ref
	signed    int64 // where a signature dictionary, or what is left of one, was seen; else 0
	encrypted int   // the object that is an encryption dictionary; else 0
	cut       int64 // where the last object found begins, when it does not end; else 0
}

const scanPiece = 1 << 20

// run looks for the word obj, which is rare outside of what it introduces; the data of
// streams is jumped over, so objects in attachments are not taken for ours.
func (s *scan) run() error {
	const overlap = 64
	at := s.f.Header
	for at < s.f.Size {
		b, err := s.f.bytes(at, scanPiece)
		if err != nil {
			return err
		}
		last := at+int64(len(b)) >= s.f.Size
		// Even when the signature's own object cannot be read, the file was signed.
		if i := bytes.Index(b, []byte("/ByteRange")); i >= 0 {
			s.signed = at + int64(i)
		}
		next, err := s.piece(b, at)
		if err != nil {
			return err
		}
		switch {
		case next >= 0:
			at = next
		case last:
			return nil
		default:
			at += int64(len(b)) - overlap
		}
	}
	return nil
}

// piece handles what begins in a window. It returns where to go on when that lies beyond
// the window, else -1.
func (s *scan) piece(b []byte, at int64) (int64, error) {
	objs, trailers := word{b: b, text: "obj", at: -1}, word{b: b, text: "trailer", at: -1}
	for pos := 0; ; {
		i := min(objs.from(pos), trailers.from(pos))
		if i == len(b) {
			return -1, nil
		}
		var next int64
		var err error
		if b[i] == 't' {
			next, err = s.trailerAt(at + int64(i))
		} else {
			from := headerStart(b, i)
			if from <= 0 { // at 0 the number may be cut: the window before had it whole
				pos = i + 3
				continue
			}
			next, err = s.object(at+int64(from), at+int64(i)+3)
		}
		if err != nil {
			return 0, err
		}
		if next >= at+int64(len(b)) {
			return next, nil
		}
		pos = int(next - at)
	}
}

// word finds a word in a window, looking at each byte once.
type word struct {
	b    []byte
	text string
	at   int // where it was found last; the window's length when it does not come again
}

// from is where the word comes next, from a position on that only grows.
func (w *word) from(pos int) int {
	if w.at < pos {
		if i := bytes.Index(w.b[pos:], []byte(w.text)); i >= 0 {
			w.at = pos + i
		} else {
			w.at = len(w.b)
		}
	}
	return w.at
}

// headerStart walks back from obj over "N G "; -1 when that is not what precedes it.
func headerStart(b []byte, i int) int {
	skip := func(i int, in func(byte) bool) int {
		for i > 0 && in(b[i-1]) {
			i--
		}
		return i
	}
	for range 2 {
		sp := skip(i, isSpace)
		dg := skip(sp, isDigit)
		if dg == sp || (sp == i && i < len(b) && isDigit(b[i])) {
			return -1
		}
		i = dg
	}
	if i > 0 && isRegular(b[i-1]) {
		// "endobj12 0 obj" without white space between is still an object
		if !bytes.HasSuffix(b[:i], []byte("endobj")) {
			return -1
		}
	}
	return i
}

func (s *scan) object(at, afterWord int64) (int64, error) {
	ref, o, end, err := s.f.objectAt(at)
	s.cut = 0
	if errors.Is(err, ErrDamaged) {
		s.cut = at
		return afterWord, nil
	}
	if err != nil {
		return 0, err
	}
	if len(s.f.found) >= maxLoaded {
		return 0, fmt.Errorf("%w: more than %d objects in a damaged file", ErrTooComplex, maxLoaded)
	}
	if ref.Num == 0 {
		return afterWord, nil
	}
	s.f.found[ref.Num] = entry{inFile, at - s.f.base, ref.Gen}
	d, _ := o.(*Dict)
	st, isStream := o.(*Stream)
	if isStream {
		d = st.Dict
	}
	if d != nil {
		s.note(ref, d, at, isStream)
	}
	if !isStream {
		return end, nil
	}
	next, err := s.afterStream(st)
	if err != nil {
		return 0, err
	}
	if next < 0 {
		s.cut = at
		return end, nil
	}
	return next, nil
}

func (s *scan) note(ref Ref, d *Dict, at int64, isStream bool) {
	switch d.Get("Type") {
	case Name("ObjStm"):
		if isStream {
			s.packed = append(s.packed, ref.Num)
			s.streamAt[ref.Num] = at
		}
	case Name("XRef"):
		if isStream {
			s.trailers = append(s.trailers, d)
		}
	case Name("Catalog"):
		s.catalogs = append(s.catalogs, ref)
	}
	if f, _ := d.Get("Filter").(Name); (f == "Standard" || f == "Adobe.PubSec") && d.Has("V") {
		s.encrypted = ref.Num
	}
}

// afterStream is where a stream's data ends: by its Length when that is written down and
// right, else at the next endstream; -1 when there is none.
func (s *scan) afterStream(st *Stream) (int64, error) {
	if n, ok := st.Get("Length").(Number); ok {
		if v, ok := n.Int(); ok && v >= 0 && v < s.f.Size-st.At {
			b, err := s.f.bytes(st.At+v, 16)
			if err != nil {
				return 0, err
			}
			if bytes.HasPrefix(bytes.TrimLeft(b, white), []byte("endstream")) {
				return st.At + v, nil
			}
		}
	}
	return s.f.find(st.At, s.f.Size, []byte("endstream"))
}

func (s *scan) trailerAt(at int64) (int64, error) {
	after := at + 7
	err := s.f.within(after, func(l *lexer) error {
		o, err := l.object(0)
		if err != nil {
			return err
		}
		if d, ok := o.(*Dict); ok {
			s.trailers = append(s.trailers, d)
			after += int64(l.pos)
			s.cut = 0
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrDamaged) {
		return 0, err
	}
	return after, nil
}

// trailer takes the newest trailer that names a catalog, completed from the others: in a
// damaged linearised file each of the two may lack something.
func (s *scan) trailer() error {
	t := NewDict()
	for _, d := range slices.Backward(s.trailers) {
		_, rooted := d.Get("Root").(Ref)
		newest := rooted && !t.Has("Root")
		for _, k := range d.Keys() {
			if !t.Has(k) && (newest || k == "Encrypt" || k == "ID" || k == "Info") {
				t.Set(k, d.Get(k))
			}
		}
	}
	s.f.Trailer = t
	return nil
}

// unpack registers what object streams hold, unless the object also lies plain in the
// file further on.
func (s *scan) unpack() error {
	where := map[int]int64{}
	for _, num := range s.packed {
		at := s.streamAt[num]
		if e := s.f.found[num]; e.kind != inFile || e.offset+s.f.base != at {
			continue
		}
		os, err := s.f.stream(num)
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return err
		}
		for i, num32 := range os.nums {
			n := int(num32)
			if _, known := s.f.found[n]; known && i >= os.n {
				continue
			}
			if e, ok := s.f.found[n]; ok && e.kind == inFile && e.offset+s.f.base > at {
				continue
			}
			if w, ok := where[n]; ok && w > at {
				continue
			}
			if len(s.f.found) >= maxLoaded {
				return fmt.Errorf("%w: more than %d objects in a damaged file", ErrTooComplex, maxLoaded)
			}
			where[n] = at
			s.f.found[n] = entry{inStream, int64(num), i}
			if len(os.nums) != os.n {
				s.f.rescued = append(s.f.rescued, n)
			}
		}
	}
	s.f.mem.forget(s.f.id)
	return nil
}

// indexUnderRepair reads an object stream's index as far as it goes, whatever N says of it.
func (s *objectStream) indexUnderRepair(l *lexer) {
	first := len(l.b)
	defer s.sort()
	for len(s.nums) < maxLoaded {
		num, err := l.uint()
		if err != nil {
			return
		}
		at, err := l.uint()
		if err != nil || num > maxObject || at > int64(len(s.data)-first) {
			return
		}
		s.add(num, int64(first)+at)
	}
}

// findCatalog takes the last catalog in the file when no trailer names one.
func (s *scan) findCatalog() error {
	for _, r := range slices.Backward(s.catalogs) {
		if e := s.f.found[r.Num]; e.kind != inFile || e.gen != r.Gen {
			continue
		}
		d, err := s.f.Dict(r)
		if err == nil && d.Has("Pages") {
			s.f.Trailer.Set("Root", r)
			return nil
		}
	}
	return fmt.Errorf("%w: no catalog found in %d bytes", ErrDamaged, s.f.Size)
}
