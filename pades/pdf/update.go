package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Update collects changed and new objects for one incremental update (ISO 32000-2,
// 7.5.6). Nothing of the file is touched; Append gives the bytes that follow it.
type Update struct {
	f    *File
	objs map[int]*changed
	next int
}

type changed struct {
	ref Ref
	obj Object
}

// Appended is an update as bytes.
type Appended struct {
	Bytes []byte
	Holes map[string]Span // by label, within Bytes
}

// NewUpdate begins an update. New objects get numbers no section has spoken of: free
// numbers are never used again.
func (f *File) NewUpdate() (*Update, error) {
	next := int64(1)
	grow := func(s *section) {
		if n, ok := s.trailer.Get("Size").(Number); ok {
			if v, ok := n.Int(); ok && v <= maxObject {
				next = max(next, v)
			}
		}
		for _, r := range s.runs {
			next = max(next, r.first+r.count)
		}
	}
	for _, s := range f.sections {
		grow(s)
		if s.hybrid != nil {
			grow(s.hybrid)
		}
	}
	for n := range f.found {
		next = max(next, int64(n)+1)
	}
	if f.found != nil {
		if n, ok := f.int(f.Trailer.Get("Size")); ok && n <= maxObject {
			next = max(next, n)
		}
	}
	if next > maxObject-1024 {
		return nil, fmt.Errorf("%w: object numbers", ErrTooComplex)
	}
	u := &Update{f: f, objs: map[int]*changed{}, next: int(next)}
	for _, n := range f.rescued {
		if f.found[n].kind != inStream {
			continue
		}
		if _, err := u.Edit(Place{Ref: Ref{Num: n}}); err != nil && !errors.Is(err, ErrDamaged) {
			return nil, err
		}
	}
	return u, nil
}

// Add gives a new object a number.
func (u *Update) Add(o Object) Ref {
	r := Ref{Num: u.number()}
	u.objs[r.Num] = &changed{r, o}
	return r
}

// number is the next free number. One that something refers to, though no object has it,
// is passed over: the reference would suddenly mean what we add.
func (u *Update) number() int {
	for u.f.mem.named.has(u.next) {
		u.next++
	}
	u.next++
	return u.next - 1
}

// Set replaces an object, keeping its number and generation.
func (u *Update) Set(r Ref, o Object) { u.objs[r.Num] = &changed{r, o} }

// Edit is the value at a place as the update will write it: change a *Dict as you like;
// a changed Array has to be handed to Replace.
func (u *Update) Edit(p Place) (Object, error) {
	c, ok := u.objs[p.Ref.Num]
	if !ok {
		o, err := u.f.load(p.Ref)
		if err != nil {
			return nil, err
		}
		if _, isStream := o.(*Stream); isStream {
			return nil, fmt.Errorf("%w: changing a stream", ErrUnsupported)
		}
		c = &changed{p.Ref, clone(o)}
		u.objs[p.Ref.Num] = c
	}
	o := c.obj
	for _, k := range p.Path {
		switch v := o.(type) {
		case *Dict:
			o = v.Get(k.(Name))
		case Array:
			i := k.(int)
			if i >= len(v) {
				return nil, fmt.Errorf("%w: array is shorter than it was", ErrDamaged)
			}
			o = v[i]
		default:
			return nil, fmt.Errorf("%w: a value is not where it was", ErrDamaged)
		}
	}
	return o, nil
}

// Replace puts a value at a place.
func (u *Update) Replace(p Place, o Object) error {
	if !p.Direct() {
		u.Set(p.Ref, o)
		return nil
	}
	n := len(p.Path) - 1
	up, err := u.Edit(Place{p.Ref, p.Path[:n]})
	if err != nil {
		return err
	}
	switch v := up.(type) {
	case *Dict:
		v.Set(p.Path[n].(Name), o)
	case Array:
		v[p.Path[n].(int)] = o
	default:
		return fmt.Errorf("%w: a value is not where it was", ErrDamaged)
	}
	return nil
}

// Extend appends values to the array under a key of the dictionary at a place, wherever
// that array lies, or makes one.
func (u *Update) Extend(p Place, key Name, more ...Object) error {
	o, err := u.view(p)
	if err != nil {
		return err
	}
	d, ok := o.(*Dict)
	if !ok {
		return fmt.Errorf("%w: no dictionary to extend", ErrDamaged)
	}
	under := Place{p.Ref, append(slices.Clone(p.Path), key)}
	at, v, err := u.follow(under, d.Get(key))
	if err != nil {
		return err
	}
	list, ok := v.(Array)
	if !ok { // absent or nonsense: a fresh array under the key
		at = under
	}
	fresh, _ := clone(list).(Array)
	return u.Replace(at, append(fresh, more...))
}

// Find is where the value under a key of the dictionary at a place lies.
func (u *Update) Find(p Place, key Name) (Place, error) {
	o, err := u.view(p)
	if err != nil {
		return p, err
	}
	d, _ := o.(*Dict)
	at, _, err := u.follow(Place{p.Ref, append(slices.Clone(p.Path), key)}, d.Get(key))
	return at, err
}

// follow resolves a value, found at a place, as the update will write it.
func (u *Update) follow(at Place, v Object) (Place, Object, error) {
	for range maxDepth {
		r, ok := v.(Ref)
		if !ok {
			break
		}
		at = Place{Ref: r}
		var err error
		if v, err = u.view(at); err != nil {
			return at, nil, err
		}
	}
	return at, v, nil
}

// view is the value at a place as the update will write it, to be read only.
func (u *Update) view(p Place) (Object, error) {
	if _, ok := u.objs[p.Ref.Num]; ok {
		return u.Edit(p)
	}
	return u.f.Value(p)
}

// Append writes the update: objects, a cross-reference of the type the newest section
// has, and the trailer. seed makes the second half of ID; rand is for encryption.
func (u *Update) Append(seed []byte, rand io.Reader) (*Appended, error) {
	w := &writer{holes: map[string]Span{}, rand: rand}
	if tail, err := u.f.bytes(u.f.Size-1, 1); err != nil {
		return nil, err
	} else if tail[0] != '\n' && tail[0] != '\r' {
		w.WriteByte('\n')
	}
	places := u.f.complete()
	for _, num := range u.numbers() {
		c := u.objs[num]
		places[num] = entry{inFile, u.f.Size + int64(w.Len()) - u.f.base, c.ref.Gen}
		w.crypt, w.owner = u.f.crypt, c.ref
		if c.ref == u.f.encRef {
			w.crypt = nil
		}
		fmt.Fprintf(w, "%d %d obj\n", num, c.ref.Gen)
		w.object(c.obj)
		w.WriteString("\nendobj\n")
	}
	w.crypt = nil
	start := u.f.Size + int64(w.Len()) - u.f.base
	t := u.trailer(seed)
	if u.f.wantsStream(places) {
		u.xrefStream(w, t, places, start)
	} else {
		u.xrefTable(w, t, places)
	}
	fmt.Fprintf(w, "startxref\n%d\n%%%%EOF\n", start)
	if u.next > maxObject {
		return nil, fmt.Errorf("%w: object numbers", ErrTooComplex)
	}
	return &Appended{Bytes: w.Bytes(), Holes: w.holes}, w.err
}

func (u *Update) numbers() []int {
	var nums []int
	for n := range u.objs {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	return nums
}

// complete is what the update's cross-reference has to say of the file's own objects:
// nothing, or in a repaired file everything.
func (f *File) complete() map[int]entry {
	m := map[int]entry{}
	if f.found == nil {
		return m
	}
	m[0] = entry{free, 0, 65535}
	maps.Copy(m, f.found)
	return m
}

// wantsStream: the type of the newest section; PDF/A-1 forbids streams, and objects in
// object streams can be named by a stream only.
func (f *File) wantsStream(places map[int]entry) bool {
	if f.found == nil {
		return !f.sections[0].table
	}
	for _, e := range places {
		if e.kind == inStream {
			return true
		}
	}
	return false
}

// trailer keeps what the newest trailer says but for what belongs to one section.
func (u *Update) trailer(seed []byte) *Dict {
	t := NewDict()
	drop := []Name{"Size", "Prev", "XRefStm", "Type", "W", "Index", "Length", "Filter", "DecodeParms", "F", "FFilter",
		"FDecodeParms", "DL", "ID", "DocChecksum"}
	t.Set("Size", nil)
	for _, k := range u.f.Trailer.Keys() {
		if !slices.Contains(drop, k) {
			t.Set(k, clone(u.f.Trailer.Get(k)))
		}
	}
	if u.f.found == nil {
		t.Set("Prev", Integer(u.f.sections[0].at-u.f.base))
	}
	var first []byte
	ids, _ := u.f.Array(u.f.Trailer.Get("ID"))
	if len(ids) > 0 {
		o, _ := u.f.Resolve(ids[0])
		s, _ := o.(String)
		first = s.Value
	}
	sum := sha256.Sum256(slices.Concat(seed, first, binary.BigEndian.AppendUint64(nil, uint64(u.f.Size))))
	second := String{Value: sum[:16], Hex: true}
	switch {
	case len(ids) > 0:
		t.Set("ID", Array{String{Value: first, Hex: true}, second})
	case !u.f.Encrypted(): // the key of an encrypted file depends on there being none
		t.Set("ID", Array{second, second})
	}
	return t
}

func sortedKeys(m map[int]entry) []int {
	nums := make([]int, 0, len(m))
	for n := range m {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	return nums
}

// runs calls each with first and numbers of consecutive entries.
func runs(nums []int, each func(run []int)) {
	for i := 0; i < len(nums); {
		j := i + 1
		for j < len(nums) && nums[j] == nums[j-1]+1 {
			j++
		}
		each(nums[i:j])
		i = j
	}
}

func (u *Update) xrefTable(w *writer, t *Dict, places map[int]entry) {
	w.WriteString("xref\n")
	runs(sortedKeys(places), func(run []int) {
		fmt.Fprintf(w, "%d %d\n", run[0], len(run))
		for _, n := range run {
			e, c := places[n], 'n'
			if e.kind == free {
				c = 'f'
			}
			if e.offset > 9_999_999_999 {
				w.err = fmt.Errorf("%w: the file is too long for a cross-reference table", ErrTooComplex)
			}
			fmt.Fprintf(w, "%010d %05d %c \n", e.offset, e.gen, c)
		}
	})
	t.Set("Size", Integer(int64(u.next)))
	w.WriteString("trailer\n")
	w.object(t)
	w.WriteByte('\n')
}

func (u *Update) xrefStream(w *writer, t *Dict, places map[int]entry, start int64) {
	me := u.number()
	places[me] = entry{inFile, start, 0}
	var data bytes.Buffer
	var index Array
	runs(sortedKeys(places), func(run []int) {
		index = append(index, Integer(int64(run[0])), Integer(int64(len(run))))
		for _, n := range run {
			e := places[n]
			var b [12]byte
			binary.BigEndian.PutUint64(b[:8], uint64(e.offset))
			binary.BigEndian.PutUint32(b[8:], uint32(e.gen))
			kind := byte(0)
			switch e.kind {
			case inFile:
				kind = 1
			case inStream:
				kind = 2
			}
			data.WriteByte(kind)
			data.Write(b[3:8]) // five bytes: a terabyte
			data.Write(b[10:])
		}
	})
	d := NewDict(Name("Type"), Name("XRef"), Name("Size"), Integer(int64(u.next)),
		Name("W"), Array{Integer(1), Integer(5), Integer(2)}, Name("Index"), index)
	for _, k := range t.Keys() {
		if k != "Size" {
			d.Set(k, t.Get(k))
		}
	}
	body := data.Bytes()
	if len(body) > 1024 {
		var z bytes.Buffer
		zw := zlib.NewWriter(&z)
		_, _ = zw.Write(body) // a bytes.Buffer takes all
		_ = zw.Close()
		body = z.Bytes()
		d.Set("Filter", Name("FlateDecode"))
	}
	fmt.Fprintf(w, "%d 0 obj\n", me)
	w.object(&Stream{Dict: d, Body: body})
	w.WriteString("\nendobj\n")
}
