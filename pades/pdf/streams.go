package pdf

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/ascii85"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
)

// Data is the decoded content of a stream, at most limit bytes (32 MiB at most).
// Filters: Flate with predictors, ASCIIHex, ASCII85.
func (f *File) Data(s *Stream, limit int64) ([]byte, error) {
	return f.data(s, min(limit, f.limits.Inflated), true)
}

func (f *File) data(s *Stream, limit int64, encrypted bool) ([]byte, error) {
	if s.At == 0 {
		return s.Body, nil
	}
	n, err := f.length(s)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("%w: a stream of %d bytes", ErrTooComplex, n)
	}
	b, err := f.bytes(s.At, int(n))
	if err != nil {
		return nil, err
	}
	if encrypted && f.crypt != nil {
		if b, err = f.decrypt(f.crypt.stm, s.ref, b); err != nil {
			return nil, err
		}
	}
	filters, parms, err := f.filters(s.Dict)
	if err != nil {
		return nil, err
	}
	for i, name := range filters {
		if name != "FlateDecode" && name != "Fl" {
			if err := f.spend(int64(len(b)) * costDecoded); err != nil {
				return nil, err
			}
		}
		if b, err = f.decode(name, parms[i], b, limit); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// length is the Length of a stream, checked: endstream must follow, or it is searched.
func (f *File) length(s *Stream) (int64, error) {
	n, ok := f.int(s.Get("Length"))
	if ok && n >= 0 && n <= f.Size-s.At {
		b, err := f.bytes(s.At+n, 16)
		if err != nil {
			return 0, err
		}
		if bytes.HasPrefix(bytes.TrimLeft(b, white), []byte("endstream")) {
			return n, nil
		}
	}
	end, err := f.find(s.At, min(f.Size, s.At+f.limits.Inflated), []byte("endstream"))
	if err != nil {
		return 0, err
	}
	if end < 0 {
		return 0, fmt.Errorf("%w: a stream does not end", ErrDamaged)
	}
	tail, err := f.bytes(max(s.At, end-2), int(end-max(s.At, end-2)))
	if err != nil {
		return 0, err
	}
	if bytes.HasSuffix(tail, []byte("\r\n")) {
		end -= 2
	} else if bytes.HasSuffix(tail, []byte("\n")) || bytes.HasSuffix(tail, []byte("\r")) {
		end--
	}
	return end - s.At, nil
}

// find searches the file in pieces; -1 when it is not there.
func (f *File) find(from, to int64, what []byte) (int64, error) {
	const piece = 64 << 10
	for at := from; at < to; at += piece {
		b, err := f.bytes(at, piece+len(what)-1)
		if err != nil {
			return 0, err
		}
		if err := f.spend(piece / 16); err != nil {
			return 0, err
		}
		if i := bytes.Index(b, what); i >= 0 && at+int64(i) < to {
			return at + int64(i), nil
		}
	}
	return -1, nil
}

func (f *File) filters(d *Dict) (names []Name, parms []*Dict, err error) {
	fl, err := f.Resolve(d.Get("Filter"))
	if err != nil {
		return nil, nil, err
	}
	dp, err := f.Resolve(d.Get("DecodeParms"))
	if err != nil {
		return nil, nil, err
	}
	var list Array
	switch v := fl.(type) {
	case Name:
		list = Array{v}
		dp = Array{dp}
	case Array:
		list = v
	}
	pa, _ := dp.(Array)
	if len(list) > 4 {
		return nil, nil, fmt.Errorf("%w: filters", ErrTooComplex)
	}
	for i, o := range list {
		o, err := f.Resolve(o)
		if err != nil {
			return nil, nil, err
		}
		n, _ := o.(Name)
		var p *Dict
		if i < len(pa) {
			if p, err = f.Dict(pa[i]); err != nil {
				return nil, nil, err
			}
		}
		names, parms = append(names, n), append(parms, p)
	}
	return names, parms, nil
}

func (f *File) decode(name Name, p *Dict, b []byte, limit int64) ([]byte, error) {
	switch name {
	case "FlateDecode", "Fl":
		out, err := f.inflate(b, limit)
		if err != nil {
			return nil, err
		}
		return f.unpredict(p, out)
	case "ASCIIHexDecode", "AHx":
		l := &lexer{b: append(append([]byte{'<'}, b...), '>'), last: true, base: -1}
		o, err := l.hex()
		if err != nil {
			return nil, err
		}
		return o.(String).Value, nil
	case "ASCII85Decode", "A85":
		if i := bytes.Index(b, []byte("~>")); i >= 0 {
			b = b[:i]
		}
		out, err := io.ReadAll(io.LimitReader(ascii85.NewDecoder(bytes.NewReader(b)), limit))
		if err != nil {
			return nil, fmt.Errorf("%w: ASCII85: %v", ErrDamaged, err)
		}
		return out, nil
	case "Crypt":
		return b, nil
	}
	return nil, fmt.Errorf("%w: filter %s", ErrUnsupported, name)
}

// inflateBlind is what is inflated without knowing how much there is.
const inflateBlind = 1 << 20

// inflate measures what is large before it makes room for it: a bomb costs time, and no memory.
func (f *File) inflate(b []byte, limit int64) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: inflate: %v", ErrDamaged, err)
	}
	out, err := io.ReadAll(io.LimitReader(z, min(limit+1, inflateBlind)))
	size := int64(len(out))
	if err == nil && size == inflateBlind {
		var more int64
		more, err = io.Copy(io.Discard, io.LimitReader(z, limit+1-size))
		size += more
	}
	twice := int64(1)
	if size > int64(len(out)) {
		twice = 2
	}
	if err := f.spend(twice*size*costInflated + int64(len(b))); err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%w: a stream inflates to more than %d bytes", ErrTooComplex, limit)
	}
	// A wrong or missing checksum at the end is common and harmless.
	harmless := size > 0 && (errors.Is(err, zlib.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF))
	if err != nil && !harmless {
		return nil, fmt.Errorf("%w: inflate: %v", ErrDamaged, err)
	}
	if size == int64(len(out)) {
		return out, nil
	}
	again, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%w: inflate: %v", ErrDamaged, err)
	}
	whole := make([]byte, size)
	if _, err := io.ReadFull(again, whole); err != nil {
		return nil, fmt.Errorf("%w: inflate: %v", ErrDamaged, err)
	}
	return whole, nil
}

// unpredict undoes the PNG predictors (ISO 32000-2, 7.4.4.4).
func (f *File) unpredict(p *Dict, b []byte) ([]byte, error) {
	num := func(k Name, def int64) int64 {
		if v, ok := f.int(p.Get(k)); ok {
			return v
		}
		return def
	}
	pred := num("Predictor", 1)
	if p == nil || pred < 2 {
		return b, nil
	}
	cols, colors, bits := num("Columns", 1), num("Colors", 1), num("BitsPerComponent", 8)
	if pred < 10 {
		return nil, fmt.Errorf("%w: predictor %d", ErrUnsupported, pred)
	}
	if cols < 1 || cols > 1<<20 || colors < 1 || colors > 32 || bits < 1 || bits > 16 {
		return nil, fmt.Errorf("%w: bad predictor", ErrDamaged)
	}
	row, bpp := int((cols*colors*bits+7)/8), int(max(1, colors*bits/8))
	out := b[:0] // in its place: each row becomes one byte shorter
	prev := make([]byte, row)
	for len(b) > 1 {
		kind, cur := b[0], b[1:min(len(b), row+1)]
		b = b[len(cur)+1:]
		at := len(out)
		out = append(out, cur...)
		line := out[at:]
		for i := range line {
			var a, c byte
			if i >= bpp {
				a, c = line[i-bpp], prev[i-bpp]
			}
			switch kind {
			case 1:
				line[i] += a
			case 2:
				line[i] += prev[i]
			case 3:
				line[i] += byte((int(a) + int(prev[i])) / 2)
			case 4:
				line[i] += paeth(a, prev[i], c)
			}
		}
		if len(line) == row {
			prev = line
		}
	}
	return out, nil
}

func paeth(a, b, c byte) byte {
	pa, pb, pc := int(b)-int(c), int(a)-int(c), int(a)+int(b)-2*int(c)
	pa, pb, pc = max(pa, -pa), max(pb, -pb), max(pc, -pc)
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

// objectStream is an inflated object stream.
type objectStream struct {
	file   int // among those that share what is remembered
	num    int
	data   []byte
	nums   []int32 // in the order of the index
	places []int32 // in data
	order  []int32 // of nums, nil when they are in order
	n      int     // of them the dictionary speaks of; another number only in a file under repair
}

func (s *objectStream) weight() int64 { return int64(len(s.data) + 12*len(s.nums)) }

func (s *objectStream) add(num, place int64) {
	s.nums, s.places = append(s.nums, int32(num)), append(s.places, int32(place))
}

// sort makes place quick.
func (s *objectStream) sort() {
	if slices.IsSorted(s.nums) {
		return
	}
	s.order = make([]int32, len(s.nums))
	for i := range s.order {
		s.order[i] = int32(i)
	}
	slices.SortFunc(s.order, func(a, b int32) int { return cmp.Or(cmp.Compare(s.nums[a], s.nums[b]), cmp.Compare(a, b)) })
}

// place is where an object lies in data, at its last mention.
func (s *objectStream) place(num int) (int, bool) {
	at := func(i int) int {
		if s.order == nil {
			return i
		}
		return int(s.order[i])
	}
	i := sort.Search(len(s.nums), func(i int) bool { return int(s.nums[at(i)]) > num }) - 1
	if i < 0 || int(s.nums[at(i)]) != num {
		return 0, false
	}
	return int(s.places[at(i)]), true
}

// stream loads an object stream; the last few stay, up to 4 MiB besides the newest.
func (f *File) stream(num int) (*objectStream, error) {
	for i, s := range f.mem.streams {
		if s.num == num && s.file == f.id {
			copy(f.mem.streams[1:i+1], f.mem.streams[:i])
			f.mem.streams[0] = s
			return s, nil
		}
	}
	e, err := f.entry(num)
	if err != nil {
		return nil, err
	}
	if e.kind != inFile {
		return nil, fmt.Errorf("%w: object stream %d is not in the file", ErrDamaged, num)
	}
	o, err := f.load(Ref{num, e.gen})
	if err != nil {
		return nil, err
	}
	st, ok := o.(*Stream)
	if !ok {
		return nil, fmt.Errorf("%w: object stream %d is no stream", ErrDamaged, num)
	}
	f.mem.room(f.limits.Inflated / 8)
	s, err := f.parseObjectStream(num, st)
	if err != nil {
		return nil, fmt.Errorf("object stream %d: %w", num, err)
	}
	f.mem.streams = slices.Insert(f.mem.streams, 0, s)
	return s, nil
}

func (f *File) parseObjectStream(num int, st *Stream) (*objectStream, error) {
	if st.Get("Type") != Name("ObjStm") {
		return nil, fmt.Errorf("%w: no object stream", ErrDamaged)
	}
	n, ok1 := f.int(st.Get("N"))
	first, ok2 := f.int(st.Get("First"))
	b, err := f.data(st, f.limits.Inflated/2, true)
	if err != nil {
		return nil, err
	}
	if !ok1 || !ok2 || n < 0 || n > int64(len(b)) || first < 0 || first > int64(len(b)) {
		return nil, fmt.Errorf("%w: bad N or First", ErrDamaged)
	}
	if n > maxLoaded {
		return nil, fmt.Errorf("%w: objects in a stream", ErrTooComplex)
	}
	if err := f.spend(n * costValue); err != nil {
		return nil, err
	}
	s := &objectStream{file: f.id, num: num, data: b, n: int(n)}
	l := &lexer{b: b[:first], last: true, base: -1}
	if f.found != nil {
		s.indexUnderRepair(l)
		return s, nil
	}
	for range n {
		num, err := l.uint()
		if err != nil {
			return nil, err
		}
		at, err := l.uint()
		if err != nil {
			return nil, err
		}
		if num > maxObject || at > int64(len(b))-first {
			return nil, fmt.Errorf("%w: bad object stream index", ErrDamaged)
		}
		s.add(num, first+at)
	}
	s.sort()
	return s, nil
}

func (f *File) fromStream(num int, e entry) (Object, error) {
	if e.offset > maxObject {
		return nil, fmt.Errorf("%w: bad object stream number", ErrDamaged)
	}
	s, err := f.stream(int(e.offset))
	if err != nil {
		return nil, err
	}
	at, ok := s.place(num)
	if !ok {
		return nil, fmt.Errorf("%w: not in object stream %d", ErrDamaged, s.num)
	}
	l := &lexer{b: s.data, pos: at, last: true, base: -1}
	o, err := l.object(0)
	f.mem.named.note(o)
	if err2 := f.parsed(l, at); err2 != nil {
		return nil, err2
	}
	return o, err
}
