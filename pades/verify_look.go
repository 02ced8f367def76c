package pades

import (
	"bytes"
	"slices"
	"time"

	"countersign/pades/pdf"
)

// look accepts the look of a field that was filled in: a new object, or the one that was
// there under the same number if nothing else shows it. It may hold text and lines, no
// pictures and no other drawings, and a form clips it to the place that was signed. Whether
// it shows the very value is not looked at: fonts with codes of their own make that a guess.
func (c *comparison) look(name string, p part) error {
	before, err := c.old.Dict(p.a.Get("AP"))
	if err != nil {
		return err
	}
	after, err := c.dict(p.b.Get("AP"))
	if err != nil || after == nil {
		return err
	}
	for _, k := range differing(before, after) {
		if same, err := c.old.Same(before.Get(k), c.new, after.Get(k)); err != nil || !same && k != "N" {
			if err == nil {
				err = refuseChange("the form field %s was changed in more than its value (its entry %s).", name, bounded(string(k)))
			}
			return err
		}
	}
	ref, ok := after.Get("N").(pdf.Ref)
	stays := ok && before.Get("N") == ref
	if stays {
		if stays, err = c.unchanged(ref.Num); err != nil {
			return err
		}
	}
	holder := p.ref.Num
	if at, ok := p.b.Get("AP").(pdf.Ref); ok && (!stays || p.a.Get("AP") != at) {
		if err := c.inPlace(name, at, p.a.Get("AP"), holder); err != nil {
			return err
		}
		holder = at.Num
	}
	if stays {
		return nil
	}
	o, err := c.new.Resolve(after.Get("N"))
	if err != nil {
		return err
	}
	s, isStream := o.(*pdf.Stream)
	if !ok || !isStream {
		return refuseChange("the form field %s was given the look of something else.", name)
	}
	if err := c.inPlace(name, ref, before.Get("N"), holder); err != nil {
		return err
	}
	if err := c.onlyText(name, s); err != nil {
		return err
	}
	return c.claim(s)
}

// inPlace claims an object that is new, or stands where one stood before and has no other
// holder: references makes sure of that.
func (c *comparison) inPlace(name string, ref pdf.Ref, before pdf.Object, holder int) error {
	_, was, err := c.old.Current(ref.Num)
	switch {
	case err != nil:
		return err
	case was && before != ref:
		return refuseChange("the form field %s was given the look of something else.", name)
	case was:
		c.sole[ref.Num] = holder
	}
	if c.changed.has(ref.Num) {
		c.claimed.add(ref.Num)
	}
	return nil
}

// maxLook bounds the drawing of one field, in bytes.
const maxLook = 1 << 20

func (c *comparison) onlyText(name string, s *pdf.Stream) error {
	more := refuseChange("the form field %s was given a look of more than text.", name)
	if s.Get("Subtype") != pdf.Name("Form") ||
		!only(s.Dict, []pdf.Name{"Type", "Subtype", "FormType", "BBox", "Matrix", "Resources", "Length", "Filter", "DecodeParms"}) {
		return more
	}
	res, err := c.dict(s.Get("Resources"))
	if err != nil {
		return err
	}
	if !only(res, []pdf.Name{"Font", "ProcSet", "Encoding"}) {
		return more
	}
	fonts, err := c.dict(res.Get("Font"))
	if err != nil {
		return err
	}
	for _, k := range fonts.Keys() {
		f, err := c.dict(fonts.Get(k))
		if err != nil {
			return err
		}
		kind, err := c.new.Resolve(f.Get("Subtype"))
		if err != nil {
			return err
		}
		if !slices.Contains([]pdf.Object{pdf.Name("Type1"), pdf.Name("MMType1"), pdf.Name("TrueType"), pdf.Name("Type0")}, kind) {
			return more // letters of a Type 3 font are drawings
		}
	}
	b, err := c.new.Data(s, maxLook)
	if err != nil {
		return err
	}
	if err := c.new.Spend(time.Duration(len(b)) * costWords); err != nil {
		return err
	}
	if anyWord(b, func(w []byte) bool {
		switch string(w) {
		case "BI", "Do", "sh", "gs":
			return true
		}
		return false
	}) {
		return more
	}
	return nil
}

// costWords is what looking through a byte of a drawing costs, in nanoseconds.
const costWords = 5

// anyWord tells whether a word of a content stream, outside of its strings, is one that is
// looked for.
func anyWord(b []byte, is func([]byte) bool) bool {
	for i := 0; i < len(b); {
		switch ch := b[i]; {
		case ch == '(':
			i = afterString(b, i)
		case ch == '<' && i+1 < len(b) && b[i+1] != '<':
			for i < len(b) && b[i] != '>' {
				i++
			}
		case ch == '%':
			for i < len(b) && b[i] != '\n' && b[i] != '\r' {
				i++
			}
		case bytes.IndexByte([]byte(" \t\r\n\f\x00()<>[]{}"), ch) >= 0:
			i++
		default:
			start := i
			for i++; i < len(b) && bytes.IndexByte([]byte(" \t\r\n\f\x00()<>[]{}/%"), b[i]) < 0; {
				i++
			}
			if is(b[start:i]) {
				return true
			}
		}
	}
	return false
}

func afterString(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return i
}
