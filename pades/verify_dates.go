package pades

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"

	"countersign/pades/pdf"
)

// maxXMP bounds the metadata that is compared, in bytes.
const maxXMP = 1 << 20

// redescribed notes that the description (Info) is another one, or only says anew when the
// file was changed and with what.
func (c *comparison) redescribed(a, b *pdf.Dict) {
	for _, k := range differing(a, b) {
		same, err := c.old.Same(a.Get(k), c.new, b.Get(k))
		if err == nil && same {
			continue
		}
		if _, isText := b.Get(k).(pdf.String); k != "ModDate" && k != "Producer" || !isText {
			c.state = max(c.state, described)
			return
		}
	}
	c.dated = true
}

// reworded is redescribed for the metadata.
func (c *comparison) reworded(a, b pdf.Object) error {
	var text [2][]byte
	for i, f := range []*pdf.File{c.old, c.new} {
		o, err := f.Resolve([]pdf.Object{a, b}[i])
		if err != nil {
			return err
		}
		s, ok := o.(*pdf.Stream)
		if !ok {
			c.state = max(c.state, described)
			return nil
		}
		if text[i], err = f.Data(s, maxXMP); err != nil {
			c.state = max(c.state, described)
			return nil //nolint:nilerr // what cannot be read is another description
		}
	}
	if sameButDates(text[0], text[1]) {
		c.dated = true
	} else {
		c.state = max(c.state, described)
	}
	return nil
}

// sameButDates compares two XMP packets but for the dates of the change, the name of the
// version and the tool (xmp:ModifyDate, xmp:MetadataDate, xmpMM:InstanceID, pdf:Producer).
func sameButDates(a, b []byte) bool {
	x, y := xml.NewDecoder(bytes.NewReader(a)), xml.NewDecoder(bytes.NewReader(b))
	for in, in2 := false, false; ; {
		s, err := xmpToken(x, &in)
		t, err2 := xmpToken(y, &in2)
		if errors.Is(err, io.EOF) && errors.Is(err2, io.EOF) {
			return true
		}
		if err != nil || err2 != nil || s != t {
			return false
		}
	}
}

var xmpDates = []string{"ModifyDate", "MetadataDate", "InstanceID", "Producer"}

// xmpToken is the next token as text, without what may differ.
func xmpToken(d *xml.Decoder, dated *bool) (string, error) {
	for {
		t, err := d.RawToken()
		if err != nil {
			return "", err
		}
		switch t := t.(type) {
		case xml.StartElement:
			*dated = slices.Contains(xmpDates, t.Name.Local)
			var b strings.Builder
			b.WriteString("<" + t.Name.Space + ":" + t.Name.Local)
			for _, a := range t.Attr {
				if slices.Contains(xmpDates, a.Name.Local) {
					a.Value = ""
				}
				b.WriteString(" " + a.Name.Space + ":" + a.Name.Local + "=\"" + a.Value + "\"")
			}
			return b.String(), nil
		case xml.EndElement:
			*dated = false
			return ">" + t.Name.Space + ":" + t.Name.Local, nil
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" && !*dated {
				return "\"" + text, nil
			}
		case xml.ProcInst:
			return "?" + t.Target + " " + string(t.Inst), nil
		}
	}
}
