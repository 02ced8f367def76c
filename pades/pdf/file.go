package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// File is an open PDF. It is not safe for concurrent use.
type File struct {
	Size     int64
	Version  string // of the header, "1.7"
	Header   int64  // where %PDF- begins: what precedes it is junk
	Trailer  *Dict  // of the newest section
	Repaired bool   // the cross-reference was lost and rebuilt by a scan

	r        io.ReaderAt
	opened   Options
	limits   Limits // of opened, with the defaults filled in
	base     int64  // added to every offset the file gives: 0 or Header
	sections []*section
	eof      int64 // after the newest end-of-file marker
	found    map[int]entry
	rescued  []int        // objects that other readers do not find in their object streams
	loading  map[Ref]bool // objects that are being read, for loops and depth
	mem      *work
	id       int // among the files that share mem
	crypt    *crypt
	encRef   Ref
	xrefSum  int64
	runs     int
	loaded   int
}

// Open reads the end of the file, its cross-reference sections and the catalog. An
// unsigned file whose cross-reference is damaged is scanned and repaired (Repaired is
// set); a signed one is not, since a signature speaks of the file as it was read.
func Open(r io.ReaderAt, size int64, o Options) (*File, error) {
	if o.work == nil {
		o = o.Shared()
	}
	f, err := open(r, size, o)
	if err == nil {
		if err = f.probe(); err == nil {
			return f, nil
		}
	}
	if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrTruncated) {
		return nil, err
	}
	fixed, err2 := OpenRepaired(r, size, o)
	switch {
	case errors.Is(err2, ErrDamaged):
		return nil, fmt.Errorf("%w (repair: %v)", err, err2)
	case err2 != nil: // the plainer of two reasons
		return nil, err2
	}
	return fixed, nil
}

// OpenStrict is Open without repair.
func OpenStrict(r io.ReaderAt, size int64, o Options) (*File, error) {
	f, err := open(r, size, o)
	if err != nil {
		return nil, err
	}
	if err := f.probe(); err != nil {
		return nil, err
	}
	return f, nil
}

// At opens the file as it was when it was n bytes long, with the same options, without
// repair. Sections that lie in those bytes are not read again.
func (f *File) At(n int64) (*File, error) {
	if n < 0 || n > f.Size {
		return nil, fmt.Errorf("%w: %d bytes of %d", ErrDamaged, n, f.Size)
	}
	g, err := bare(io.NewSectionReader(f.r, 0, n), n, f.opened)
	if err != nil {
		return nil, err
	}
	start, err := g.startxref()
	if err != nil {
		return nil, err
	}
	if g.base = f.base; !g.share(f.sections, start+f.base) {
		g.base = 0
		if err := g.readSections(start); err != nil {
			return nil, err
		}
	}
	g.Trailer = g.sections[0].trailer
	if err := g.setEncryption(); err != nil {
		return nil, err
	}
	if err := g.probe(); err != nil {
		return nil, err
	}
	return g, nil
}

// share takes the sections from the one at a place on, if all of them lie in the file: their
// bytes are the same, so reading them again would find the same.
func (f *File) share(sections []*section, at int64) bool {
	for i, s := range sections {
		if s.at != at {
			continue
		}
		for _, s := range sections[i:] {
			if s.after > f.Size || s.hybrid != nil && s.hybrid.after > f.Size {
				return false
			}
		}
		f.sections = sections[i:]
		return true
	}
	return false
}

func bare(r io.ReaderAt, size int64, o Options) (*File, error) {
	if size <= 0 {
		return nil, ErrEmpty
	}
	if o.work == nil {
		o = o.Shared()
	}
	o.work.files++
	f := &File{r: r, Size: size, opened: o, limits: o.Limits.filled(), mem: o.work, id: o.work.files, loading: map[Ref]bool{}}
	return f, f.header()
}

func open(r io.ReaderAt, size int64, o Options) (*File, error) {
	f, err := bare(r, size, o)
	if err != nil {
		return nil, err
	}
	start, err := f.startxref()
	if err != nil {
		return nil, err
	}
	if err := f.readSections(start); err != nil {
		return nil, err
	}
	f.Trailer = f.sections[0].trailer
	return f, f.setEncryption()
}

// header finds %PDF-1.n in the first KiB.
func (f *File) header() error {
	b, err := f.bytes(0, 1024+16)
	if err != nil {
		return err
	}
	i := bytes.Index(b, []byte("%PDF-"))
	if i < 0 || i > 1024 {
		return ErrNotPDF
	}
	f.Header = int64(i)
	v := b[i+5:]
	n := 0
	for n < len(v) && n < 4 && (isDigit(v[n]) || v[n] == '.') {
		n++
	}
	f.Version = string(v[:n])
	return nil
}

// bytes reads up to n bytes at an offset; fewer only at the end of the file.
func (f *File) bytes(at int64, n int) ([]byte, error) {
	if at < 0 || at > f.Size {
		return nil, fmt.Errorf("%w: offset %d outside the file", ErrDamaged, at)
	}
	k := min(int64(n), f.Size-at)
	if err := f.spend(k / 4); err != nil {
		return nil, err
	}
	b := make([]byte, k)
	return b, f.fill(b, at)
}

// fill reads as many bytes as there is room for.
func (f *File) fill(b []byte, at int64) error {
	if err := f.spend(costRead + int64(len(b))/16); err != nil {
		return err
	}
	if got, err := f.r.ReadAt(b, at); got < len(b) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read at %d: %w", at, err)
	}
	return nil
}

// startxref finds the newest cross-reference section.
func (f *File) startxref() (int64, error) {
	for _, n := range []int64{4 << 10, 64 << 10} {
		from := max(0, f.Size-n)
		b, err := f.bytes(from, int(n))
		if err != nil {
			return 0, err
		}
		i := bytes.LastIndex(b, []byte("startxref"))
		if i < 0 {
			continue
		}
		l := &lexer{b: b, pos: i + 9, last: true, base: from}
		v, err := l.uint()
		if err != nil {
			return 0, err
		}
		f.eof = from + int64(l.pos)
		tail := b[l.pos:]
		if j := bytes.Index(tail, []byte("%%EOF")); j >= 0 {
			f.eof += int64(j) + 5
			tail = tail[j+5:]
		}
		if looksCut(tail) {
			return 0, fmt.Errorf("%w: an update without its cross-reference follows the end at byte %d", ErrTruncated, f.eof)
		}
		return v, nil
	}
	return 0, fmt.Errorf("%w: no startxref before byte %d", ErrTruncated, f.Size)
}

var objectHeader = regexp.MustCompile(`\d\s+\d+\s+obj\b`)

// looksCut tells an unfinished update from the junk that mail and web servers append.
func looksCut(tail []byte) bool { return objectHeader.Match(tail) }

// within reads windows, growing, until parse has enough. What parse makes of a window must
// not hold on to its bytes, and parse must not read.
func (f *File) within(at int64, parse func(*lexer) error) error {
	if at < 0 || at > f.Size {
		return fmt.Errorf("%w: offset %d outside the file", ErrDamaged, at)
	}
	for n := int64(window); ; n *= 8 {
		n = min(n, f.limits.Object)
		k := min(n, f.Size-at)
		if k > int64(len(f.mem.scratch)) {
			if err := f.spend(n / 4); err != nil {
				return err
			}
			f.mem.scratch = nil // before there is another
			f.mem.scratch = make([]byte, n)
		}
		b := f.mem.scratch[:k]
		if err := f.fill(b, at); err != nil {
			return err
		}
		l := &lexer{b: b, base: at, last: at+k >= f.Size}
		err := parse(l)
		if k > maxScratch {
			f.mem.scratch = nil
		}
		if err2 := f.parsed(l, 0); err2 != nil {
			return err2
		}
		if !errors.Is(err, errShort) {
			return err
		}
		if n == f.limits.Object {
			return fmt.Errorf("%w: an object of more than %d bytes at %d", ErrTooComplex, n, at)
		}
	}
}

// parsed accounts for what a lexer did since a position.
func (f *File) parsed(l *lexer, since int) error {
	f.mem.weight += int64(l.taken)
	return f.spend(int64(l.values)*costValue + int64(l.pos-since)*costByte)
}

// objectAt reads "N G obj …" at a place in the file, and where it ends: for a stream
// after the word stream.
func (f *File) objectAt(at int64) (ref Ref, o Object, end int64, err error) {
	err = f.within(at, func(l *lexer) error {
		l.space()
		num, err := l.uint()
		if err != nil {
			return err
		}
		gen, err := l.uint()
		if err != nil {
			return err
		}
		w, err := l.keyword()
		if err != nil {
			return err
		}
		if w != "obj" || num > maxObject || gen > 65535 {
			return l.bad("no object")
		}
		ref = Ref{int(num), int(gen)}
		o, err = indirect(l, ref)
		end = at + int64(l.pos)
		return err
	})
	f.mem.named.note(o)
	return ref, o, end, err
}

// indirect reads the value of an indirect object and what follows it.
func indirect(l *lexer, ref Ref) (Object, error) {
	l.space()
	if bytes.HasPrefix(l.b[l.pos:], []byte("endobj")) {
		return nil, nil
	}
	o, err := l.object(0)
	if err != nil {
		return nil, err
	}
	d, ok := o.(*Dict)
	if !ok {
		return o, nil
	}
	after := l.pos
	w, err := l.keyword()
	if err != nil {
		return nil, err
	}
	if w != "stream" {
		l.pos = after
		return o, nil
	}
	if l.pos+1 >= len(l.b) && !l.last {
		return nil, errShort
	}
	if l.pos < len(l.b) && l.b[l.pos] == '\r' {
		l.pos++
	}
	if l.pos < len(l.b) && l.b[l.pos] == '\n' {
		l.pos++
	}
	return &Stream{Dict: d, At: l.base + int64(l.pos), ref: ref}, nil
}

// Resolve follows references to a value; an object the file does not have is nil.
func (f *File) Resolve(o Object) (Object, error) {
	if err := f.spend(costStep); err != nil {
		return nil, err
	}
	for range maxDepth {
		r, ok := o.(Ref)
		if !ok {
			return o, f.walked(o)
		}
		var err error
		if o, err = f.load(r); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: references to references", ErrDamaged)
}

// walked accounts for the one walk over a list or dictionary that whoever asks for it may
// take: many may ask for the same one.
func (f *File) walked(o Object) error {
	switch v := o.(type) {
	case Array:
		return f.spend(int64(len(v)) * costElement)
	case *Dict:
		if v != nil {
			return f.spend(int64(len(v.keys)) * costElement)
		}
	}
	return nil
}

func (f *File) load(r Ref) (Object, error) {
	if err := f.spend(costFound); err != nil {
		return nil, err
	}
	if o, ok := f.mem.objects[key{f.id, r}]; ok {
		return o, nil
	}
	before := f.mem.weight
	if f.loading[r] {
		return nil, fmt.Errorf("%w: object %d needs itself", ErrDamaged, r.Num)
	}
	if len(f.loading) > maxDepth {
		return nil, fmt.Errorf("%w: objects that need objects", ErrTooComplex)
	}
	f.loading[r] = true
	defer delete(f.loading, r)
	e, err := f.entry(r.Num)
	if err != nil {
		return nil, err
	}
	var o Object
	switch {
	case e.kind == inFile && e.gen == r.Gen:
		got, v, _, err := f.objectAt(e.offset + f.base)
		if err != nil {
			return nil, fmt.Errorf("object %d: %w", r.Num, err)
		}
		if got != r {
			return nil, fmt.Errorf("%w: object %d is not where it should be", ErrDamaged, r.Num)
		}
		if o = v; f.crypt != nil && r != f.encRef {
			o = f.decryptStrings(o, r)
			if err := f.Spent(); err != nil {
				return nil, err
			}
		}
	case e.kind == inStream && r.Gen == 0:
		if o, err = f.fromStream(r.Num, e); err != nil {
			return nil, fmt.Errorf("object %d: %w", r.Num, err)
		}
	}
	f.mem.remember(key{f.id, r}, o, max(0, f.mem.weight-before))
	return o, nil
}

// Dict resolves a value that should be a dictionary; nil when it is something else.
func (f *File) Dict(o Object) (*Dict, error) {
	o, err := f.Resolve(o)
	if s, ok := o.(*Stream); ok {
		return s.Dict, err
	}
	d, _ := o.(*Dict)
	return d, err
}

// Array resolves a value that should be an array; nil when it is something else.
func (f *File) Array(o Object) (Array, error) {
	o, err := f.Resolve(o)
	a, _ := o.(Array)
	return a, err
}

// int resolves a value that should be an integer.
func (f *File) int(o Object) (int64, bool) {
	o, err := f.Resolve(o)
	n, ok := o.(Number)
	if err != nil || !ok {
		return 0, false
	}
	return n.Int()
}

// text resolves a value that should be a text string or a name.
func (f *File) text(o Object) string {
	o, _ = f.Resolve(o)
	switch v := o.(type) {
	case String:
		if f.spend(int64(len(v.Value))*costByte) != nil {
			return "" // whoever asks is told when he asks for more
		}
		return v.Text()
	case Name:
		return string(v)
	}
	return ""
}

// probe looks at what everything else hangs on.
func (f *File) probe() error {
	c, err := f.Catalog()
	if err != nil {
		return err
	}
	for _, k := range []Name{"Pages", "AcroForm"} {
		if _, err := f.Resolve(c.Get(k)); err != nil {
			return err
		}
	}
	_, err = f.Resolve(f.Trailer.Get("Info"))
	return err
}

// Root is where the catalog lies.
func (f *File) Root() Ref {
	r, _ := f.Trailer.Get("Root").(Ref)
	return r
}

// Catalog is the document catalog.
func (f *File) Catalog() (*Dict, error) {
	d, err := f.Dict(f.Trailer.Get("Root"))
	if err == nil && (d == nil || f.Root() == Ref{}) {
		err = fmt.Errorf("%w: no catalog in object %d", ErrDamaged, f.Root().Num)
	}
	return d, err
}

// Encrypted tells whether the file is encrypted (and opened with the password given, or the empty one).
func (f *File) Encrypted() bool { return f.Trailer.Has("Encrypt") }
