package pdf

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// writer serialises objects and remembers where holes fell.
type writer struct {
	bytes.Buffer
	holes map[string]Span
	crypt *crypt // nil: nothing is encrypted
	owner Ref    // the object being written
	rand  io.Reader
	err   error
}

// Span is a piece of the written bytes.
type Span struct{ Offset, Length int }

func (w *writer) object(o Object) {
	switch v := o.(type) {
	case nil:
		w.WriteString("null")
	case bool:
		w.WriteString(strconv.FormatBool(v))
	case Number:
		w.WriteString(string(v))
	case Name:
		w.name(v)
	case String:
		w.string(v)
	case Ref:
		fmt.Fprintf(w, "%d %d R", v.Num, v.Gen)
	case Array:
		w.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				w.WriteByte(' ')
			}
			w.object(x)
		}
		w.WriteByte(']')
	case *Dict:
		w.dict(v)
	case *Stream:
		w.stream(v)
	case Hole:
		w.holes[v.Label] = Span{w.Len(), len(v.Text)}
		w.WriteString(v.Text)
	default:
		w.err = fmt.Errorf("%w: value of type %T", ErrUnsupported, o)
	}
}

func (w *writer) dict(d *Dict) {
	w.WriteString("<<")
	plain := w.crypt
	for i, k := range d.keys {
		w.WriteByte('\n')
		w.name(k)
		w.WriteByte(' ')
		if k == "Contents" && isSignature(d) { // ISO 32000-2, 7.6.2: not encrypted
			w.crypt = nil
		}
		w.object(d.vals[i])
		w.crypt = plain
	}
	w.WriteString("\n>>")
}

func (w *writer) name(n Name) {
	w.WriteByte('/')
	for i := range len(n) {
		if c := n[i]; c < '!' || c > '~' || c == '#' || isDelim(c) {
			fmt.Fprintf(w, "#%02X", c)
		} else {
			w.WriteByte(c)
		}
	}
}

func (w *writer) string(s String) {
	b, hex := s.Value, s.Hex
	switch {
	case w.crypt == nil:
	case s.raw != nil && s.owner == w.owner:
		b, hex = s.raw, true // as it was: the same object has the same key
	default:
		enc, err := w.crypt.encrypt(w.crypt.str, w.owner, s.Value, w.rand)
		if err != nil {
			w.err = err
			return
		}
		b, hex = enc, true
	}
	if hex {
		fmt.Fprintf(w, "<%X>", b)
		return
	}
	w.WriteByte('(')
	for _, c := range b {
		switch c {
		case '(', ')', '\\':
			w.WriteByte('\\')
			w.WriteByte(c)
		case '\r':
			w.WriteString(`\r`)
		case '\n':
			w.WriteString(`\n`)
		default:
			w.WriteByte(c)
		}
	}
	w.WriteByte(')')
}

// stream writes a stream of ours; one that lies in the file is never rewritten.
func (w *writer) stream(s *Stream) {
	if s.At != 0 {
		w.err = fmt.Errorf("%w: rewriting a stream", ErrUnsupported)
		return
	}
	body := s.Body
	if t, _ := s.Get("Type").(Name); w.crypt != nil && t != "XRef" {
		enc, err := w.crypt.encrypt(w.crypt.stm, w.owner, body, w.rand)
		if err != nil {
			w.err = err
			return
		}
		body = enc
	}
	d := clone(s.Dict).(*Dict)
	d.Set("Length", Integer(int64(len(body))))
	w.dict(d)
	w.WriteString("\nstream\n")
	w.Write(body)
	w.WriteString("\nendstream")
}

// isSignature tells a signature dictionary, with or without its optional Type.
func isSignature(d *Dict) bool {
	switch d.Get("Type") {
	case Name("Sig"), Name("DocTimeStamp"):
		return true
	}
	return d.Has("ByteRange") && d.Has("Contents")
}
