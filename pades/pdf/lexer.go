package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errShort says that the window ended before the object did.
var errShort = errors.New("window too short")

// lexer reads objects from a window of the file.
type lexer struct {
	b      []byte
	pos    int
	base   int64 // where b begins in the file; negative when it is not file bytes
	last   bool  // b ends where the input ends
	values int   // that were begun
	taken  int   // bytes of memory they take, about
}

// What values take in memory, about, with the slack of slices that grew.
const (
	sizeValue  = 48
	sizeDict   = 96
	sizeString = 96
)

const (
	white   = "\x00\t\n\f\r "
	delimit = "()<>[]{}/%"
)

// class is 1 for white space, 2 for delimiters and 0 for regular characters.
var class = func() (t [256]byte) {
	for i := range len(white) {
		t[white[i]] = 1
	}
	for i := range len(delimit) {
		t[delimit[i]] = 2
	}
	return t
}()

func isSpace(c byte) bool   { return class[c] == 1 }
func isDelim(c byte) bool   { return class[c] == 2 }
func isRegular(c byte) bool { return class[c] == 0 }
func isDigit(c byte) bool   { return c >= '0' && c <= '9' }

// end is the error for running out of bytes.
func (l *lexer) end() error {
	if l.last {
		return fmt.Errorf("%w: an object ends too early", ErrDamaged)
	}
	return errShort
}

func (l *lexer) bad(what string) error {
	return fmt.Errorf("%w: %s near byte %d", ErrDamaged, what, max(l.base, 0)+int64(l.pos))
}

// space skips white space and comments.
func (l *lexer) space() {
	for l.pos < len(l.b) {
		switch c := l.b[l.pos]; {
		case isSpace(c):
			l.pos++
		case c == '%':
			for l.pos < len(l.b) && l.b[l.pos] != '\n' && l.b[l.pos] != '\r' {
				l.pos++
			}
		default:
			return
		}
	}
}

// token reads regular characters; it needs one byte more to know where they end. It is part
// of the window, and gone with it.
func (l *lexer) token() ([]byte, error) {
	i := l.pos
	for l.pos < len(l.b) && isRegular(l.b[l.pos]) {
		l.pos++
	}
	if l.pos == len(l.b) && !l.last {
		return nil, errShort
	}
	return l.b[i:l.pos], nil
}

// word is token, to keep.
func (l *lexer) word() (string, error) {
	w, err := l.token()
	return string(w), err
}

// keyword skips white space and reads a word, which may be empty.
func (l *lexer) keyword() (string, error) {
	l.space()
	return l.word()
}

// uint reads an unsigned integer of at most 15 digits.
func (l *lexer) uint() (int64, error) {
	l.space()
	w, err := l.token()
	if err != nil {
		return 0, err
	}
	n, ok := parseUint(w)
	if !ok {
		return 0, l.bad("no number")
	}
	return n, nil
}

func parseUint[T string | []byte](w T) (int64, bool) {
	if len(w) == 0 || len(w) > 15 {
		return 0, false
	}
	var n int64
	for i := range len(w) {
		if !isDigit(w[i]) {
			return 0, false
		}
		n = n*10 + int64(w[i]-'0')
	}
	return n, true
}

// object reads one object.
func (l *lexer) object(depth int) (Object, error) {
	l.values++
	l.taken += sizeValue
	if depth > maxDepth || l.taken > maxValues {
		return nil, fmt.Errorf("%w: nesting or number of values near byte %d", ErrTooComplex, max(l.base, 0)+int64(l.pos))
	}
	l.space()
	if l.pos >= len(l.b) {
		return nil, l.end()
	}
	switch c := l.b[l.pos]; {
	case c == '/':
		return l.name()
	case c == '(':
		return l.literal()
	case c == '[':
		return l.array(depth)
	case c == '<':
		if l.pos+1 >= len(l.b) {
			return nil, l.end()
		}
		if l.b[l.pos+1] == '<' {
			return l.dict(depth)
		}
		return l.hex()
	case isDigit(c) || c == '+' || c == '-' || c == '.':
		return l.number()
	case !isRegular(c):
		return nil, l.bad("unexpected character")
	}
	w, err := l.token()
	if err != nil {
		return nil, err
	}
	switch string(w) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	case "null":
		return nil, nil
	}
	return nil, l.bad("unknown word")
}

// number reads a number or, looking ahead, a reference.
func (l *lexer) number() (Object, error) {
	w, err := l.token()
	if err != nil {
		return nil, err
	}
	num, ok := parseUint(w)
	if !ok {
		for i := range len(w) {
			if !isDigit(w[i]) && w[i] != '+' && w[i] != '-' && w[i] != '.' {
				return nil, l.bad("bad number")
			}
		}
		return Number(w), nil
	}
	after := l.pos
	l.space()
	if l.pos >= len(l.b) && !l.last {
		return nil, errShort
	}
	if l.pos < len(l.b) && isDigit(l.b[l.pos]) {
		g, err := l.token()
		if err != nil {
			return nil, err
		}
		gen, ok := parseUint(g)
		if ok && gen <= 65535 && num <= maxObject {
			l.space()
			r, err := l.token()
			if err != nil {
				return nil, err
			}
			if len(r) == 1 && r[0] == 'R' {
				return Ref{int(num), int(gen)}, nil
			}
		}
	}
	l.pos = after
	return Number(w), nil
}

func (l *lexer) name() (Object, error) {
	l.pos++
	w, err := l.token()
	if err != nil {
		return nil, err
	}
	if name, ok := common[string(w)]; ok {
		return name, nil
	}
	if bytes.IndexByte(w, '#') < 0 {
		return Name(w), nil
	}
	var out []byte
	for i := 0; i < len(w); i++ {
		if w[i] == '#' && i+2 < len(w) && unhex(w[i+1]) >= 0 && unhex(w[i+2]) >= 0 {
			out = append(out, byte(unhex(w[i+1])<<4|unhex(w[i+2])))
			i += 2
			continue
		}
		out = append(out, w[i])
	}
	return Name(out), nil
}

// common are names that most objects have; they need no memory of their own.
var common = func() map[string]Object {
	m := map[string]Object{}
	for _, n := range strings.Fields(`Type Subtype Parent Kids Count Page Pages Length Filter FlateDecode Annots Annot Widget Rect Resources
		Contents MediaBox FT Tx Btn Ch Sig T V Ff F P AP N MK DA TU Q XObject Form BBox Font Name S A D H BS W C Border Next Prev First Last`) {
		m[n] = Name(n)
	}
	return m
}()

func unhex(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (l *lexer) array(depth int) (Object, error) {
	l.pos++
	a := Array{}
	for {
		l.space()
		if l.pos >= len(l.b) {
			return nil, l.end()
		}
		if l.b[l.pos] == ']' {
			l.pos++
			if cap(a)-len(a) > len(a)/4 && len(a) > 64 {
				a = slices.Clone(a)
			}
			return a, nil
		}
		o, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		if len(a) == cap(a) { // long ones are copied less often than append would
			a = slices.Grow(a, max(4, len(a)))
		}
		a = append(a, o)
	}
}

func (l *lexer) dict(depth int) (Object, error) {
	l.pos += 2
	l.taken += sizeDict
	d := NewDict()
	for {
		l.space()
		if l.pos+1 >= len(l.b) {
			return nil, l.end()
		}
		if l.b[l.pos] == '>' && l.b[l.pos+1] == '>' {
			l.pos += 2
			return d, nil
		}
		if l.b[l.pos] != '/' {
			return nil, l.bad("no name where a key belongs")
		}
		k, err := l.name()
		if err != nil {
			return nil, err
		}
		v, err := l.object(depth + 1)
		if err != nil {
			return nil, err
		}
		l.taken += sizeValue
		d.Set(k.(Name), v)
	}
}

func (l *lexer) place(s *String, from int) {
	if l.base >= 0 {
		s.At, s.End = l.base+int64(from), l.base+int64(l.pos)
	}
}

func (l *lexer) hex() (Object, error) {
	from := l.pos
	i := bytes.IndexByte(l.b[l.pos:], '>')
	if i < 0 {
		return nil, l.end()
	}
	src := l.b[l.pos+1 : l.pos+i]
	l.pos += i + 1
	out := make([]byte, 0, len(src)/2+1)
	half := -1
	for _, c := range src {
		h := unhex(c)
		switch {
		case h < 0 && isSpace(c):
		case h < 0:
			return nil, l.bad("bad hexadecimal string")
		case half < 0:
			half = h
		default:
			out, half = append(out, byte(half<<4|h)), -1
		}
	}
	if half >= 0 {
		out = append(out, byte(half<<4))
	}
	l.taken += len(out) + sizeString
	s := String{Value: out, Hex: true}
	l.place(&s, from)
	return s, nil
}

func (l *lexer) literal() (Object, error) {
	from := l.pos
	l.pos++
	out := []byte{}
	for depth := 1; ; {
		if l.pos >= len(l.b) {
			return nil, l.end()
		}
		c := l.b[l.pos]
		l.pos++
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				l.taken += len(out) + sizeString
				s := String{Value: out}
				l.place(&s, from)
				return s, nil
			}
		case '\r': // an end of line in a string is one line feed
			c = '\n'
			if l.pos < len(l.b) && l.b[l.pos] == '\n' {
				l.pos++
			}
		case '\\':
			if l.pos+3 >= len(l.b) && !l.last {
				return nil, errShort
			}
			out = l.escape(out)
			continue
		}
		out = append(out, c)
	}
}

func (l *lexer) escape(out []byte) []byte {
	if l.pos >= len(l.b) {
		return out
	}
	c := l.b[l.pos]
	l.pos++
	if i := bytes.IndexByte([]byte("nrtbf"), c); i >= 0 {
		return append(out, "\n\r\t\b\f"[i])
	}
	switch {
	case c == '\r':
		if l.pos < len(l.b) && l.b[l.pos] == '\n' {
			l.pos++
		}
		return out
	case c == '\n':
		return out
	case c >= '0' && c <= '7':
		n := int(c - '0')
		for i := 0; i < 2 && l.pos < len(l.b) && l.b[l.pos] >= '0' && l.b[l.pos] <= '7'; i++ {
			n = n<<3 | int(l.b[l.pos]-'0')
			l.pos++
		}
		return append(out, byte(n))
	}
	return append(out, c)
}
