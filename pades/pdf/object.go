package pdf

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Object is nil (null), bool, Number, String, Name, Array, *Dict, *Stream, Ref or Hole.
// Objects a File returns are shared: do not change them, change what Update.Edit returns.
type Object any

// Number is a number as it was written.
type Number string

// Int is the number when it is an integer.
func (n Number) Int() (int64, bool) {
	i, err := strconv.ParseInt(strings.TrimPrefix(string(n), "+"), 10, 64)
	return i, err == nil
}

// Integer makes a Number.
func Integer(i int64) Number { return Number(strconv.FormatInt(i, 10)) }

// Name is a name, without the slash and with #xx undone.
type Name string

// Ref is a reference to an indirect object; the zero value refers to nothing.
type Ref struct{ Num, Gen int }

// Array is an array.
type Array []Object

// String is a string, decrypted. At and End are where its token, delimiters included,
// lies in the file; both are 0 for a string inside an object stream or one we made.
type String struct {
	Value   []byte
	Hex     bool
	At, End int64

	raw   []byte // as the file has it, when it was encrypted
	owner Ref    // the object whose key it is encrypted with
}

// Text decodes a text string (ISO 32000-2, 7.9.2.2): UTF-16, UTF-8 or PDFDocEncoding,
// of which the part that differs from Latin-1 is left as it is.
func (s String) Text() string {
	b := s.Value
	switch {
	case len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff:
		return utf16Text(b[2:], 0)
	case len(b) >= 2 && b[0] == 0xff && b[1] == 0xfe:
		return utf16Text(b[2:], 1)
	case len(b) >= 3 && b[0] == 0xef && b[1] == 0xbb && b[2] == 0xbf:
		return strings.ToValidUTF8(string(b[3:]), "\ufffd")
	}
	out := make([]byte, 0, len(b))
	for _, c := range b {
		out = utf8.AppendRune(out, rune(c))
	}
	return string(out)
}

// utf16Text decodes UTF-16 whose high byte is the first (0) or second (1) of each pair.
func utf16Text(b []byte, high int) string {
	unit := func(i int) rune { return rune(b[i+high])<<8 | rune(b[i+1-high]) }
	out := make([]byte, 0, len(b))
	for i := 0; i+1 < len(b); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if pair := utf16.DecodeRune(r, next(b, i+2, unit)); pair != utf8.RuneError {
				r = pair
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

func next(b []byte, i int, unit func(int) rune) rune {
	if i+1 < len(b) {
		return unit(i)
	}
	return utf8.RuneError
}

// Text makes a text string: ASCII as it is, anything else UTF-16BE with its mark.
func Text(s string) String {
	for _, r := range s {
		if r > 0x7e || r < 0x20 {
			b := []byte{0xfe, 0xff}
			for _, u := range utf16.Encode([]rune(s)) {
				b = append(b, byte(u>>8), byte(u))
			}
			return String{Value: b}
		}
	}
	return String{Value: []byte(s)}
}

// Dict is a dictionary that keeps the order of its keys.
type Dict struct {
	keys []Name
	vals []Object
	at   map[Name]int // where a key is, when there are many
}

// fewKeys are found faster by looking at each, and take a third of the memory.
const fewKeys = 16

// NewDict makes a dictionary from keys (Name) and values in turn.
func NewDict(pairs ...Object) *Dict {
	d := &Dict{}
	for i := 0; i+1 < len(pairs); i += 2 {
		d.Set(pairs[i].(Name), pairs[i+1])
	}
	return d
}

// Keys are the keys in order.
func (d *Dict) Keys() []Name {
	if d == nil {
		return nil
	}
	return slices.Clone(d.keys)
}

func (d *Dict) find(k Name) int {
	if d == nil {
		return -1
	}
	if d.at == nil {
		return slices.Index(d.keys, k)
	}
	if i, ok := d.at[k]; ok {
		return i
	}
	return -1
}

// Get is the value as written (a reference is not followed), nil when absent.
func (d *Dict) Get(k Name) Object {
	if i := d.find(k); i >= 0 {
		return d.vals[i]
	}
	return nil
}

// Has tells whether the key is there.
func (d *Dict) Has(k Name) bool { return d.find(k) >= 0 }

// Set adds or replaces a value.
func (d *Dict) Set(k Name, v Object) {
	if i := d.find(k); i >= 0 {
		d.vals[i] = v
		return
	}
	d.keys, d.vals = append(d.keys, k), append(d.vals, v)
	switch {
	case d.at != nil:
		d.at[k] = len(d.keys) - 1
	case len(d.keys) > fewKeys:
		d.index()
	}
}

func (d *Dict) index() {
	d.at = make(map[Name]int, len(d.keys))
	for i, k := range d.keys {
		d.at[k] = i
	}
}

// Delete removes a key.
func (d *Dict) Delete(k Name) {
	i := d.find(k)
	if i < 0 {
		return
	}
	d.keys, d.vals = slices.Delete(d.keys, i, i+1), slices.Delete(d.vals, i, i+1)
	if d.at != nil {
		d.index()
	}
}

// Stream is a stream: its dictionary, and its data in the file or, when made by us, in
// memory. Read it with File.Data.
type Stream struct {
	*Dict
	At   int64 // where the data begins in the file
	Body []byte
	ref  Ref // for the key
}

// Hole is a value with a fixed text whose place in the written bytes has to be known.
type Hole struct {
	Label string
	Text  string
}

func clone(o Object) Object {
	switch v := o.(type) {
	case Array:
		a := make(Array, len(v))
		for i := range v {
			a[i] = clone(v[i])
		}
		return a
	case *Dict:
		d := &Dict{keys: slices.Clone(v.keys), vals: make([]Object, len(v.vals)), at: maps.Clone(v.at)}
		for i, x := range v.vals {
			d.vals[i] = clone(x)
		}
		return d
	}
	return o
}

// numbers is a set of object numbers.
type numbers []uint64

// note adds the numbers a value refers to.
func (n *numbers) note(o Object) {
	switch v := o.(type) {
	case Ref:
		for len(*n) <= v.Num/64 {
			*n = append(*n, 0)
		}
		(*n)[v.Num/64] |= 1 << (v.Num % 64)
	case Array:
		for _, x := range v {
			n.note(x)
		}
	case *Dict:
		if v != nil {
			for _, x := range v.vals {
				n.note(x)
			}
		}
	case *Stream:
		n.note(v.Dict)
	}
}

func (n numbers) has(num int) bool { return num/64 < len(n) && n[num/64]&(1<<(num%64)) != 0 }
