package pades

import (
	"bytes"
	"fmt"
	"time"

	"countersign/pades/pdf"
)

// looker collects findings: the code, and where it was met first.
type looker struct {
	f     *pdf.File
	found map[string]string
	left  int // things still to be looked at
	fonts map[pdf.Object]bool
}

func (l *looker) note(yes bool, code, place string) {
	if _, again := l.found[code]; yes && !again {
		l.found[code] = place
	}
}

// lint looks at everything that can run, hide or change what is shown.
func (in *inspection) lint() error {
	l, c := &in.looker, in.catalog
	_, rights, _ := in.f.Perms()
	l.note(rights, "usage_rights", "the catalog")
	l.note(in.form.Dict.Has("XFA"), "xfa", "the form")
	need, _ := in.f.Resolve(in.form.Dict.Get("NeedAppearances"))
	l.note(need == true, "need_appearances", "the form")
	for _, fd := range in.form.Fields {
		l.note(fd.Type != "Sig", "form_fields", quoted(fd.Name))
		if l.left <= 0 {
			continue
		}
		d, err := in.f.FieldDict(fd)
		if err != nil {
			return err
		}
		l.actions(d, quoted(fd.Name))
	}
	names, err := in.f.Dict(c.Get("Names"))
	if err != nil {
		return err
	}
	l.note(names.Has("EmbeddedFiles") || c.Has("AF"), "embedded_files", "the catalog")
	l.note(names.Has("JavaScript"), "javascript", "the catalog")
	open, err := in.f.Resolve(c.Get("OpenAction"))
	if err != nil {
		return err
	}
	if d, ok := open.(*pdf.Dict); ok {
		l.action(d, "the catalog", 0)
		kind, _ := in.f.Resolve(d.Get("S"))
		l.note(kind != pdf.Name("GoTo"), "open_action", "the catalog")
	}
	l.actions(c, "the catalog")
	if err := l.layers(c); err != nil {
		return err
	}
	return l.eachPage()
}

// layers looks for content that is there but not shown, or shown on some occasions only.
func (l *looker) layers(c *pdf.Dict) error {
	oc, err := l.f.Dict(c.Get("OCProperties"))
	if err != nil || oc == nil {
		return err
	}
	d, err := l.f.Dict(oc.Get("D"))
	if err != nil {
		return err
	}
	off, err := l.f.Array(d.Get("OFF"))
	if err != nil {
		return err
	}
	as, err := l.f.Array(d.Get("AS"))
	base, _ := l.f.Resolve(d.Get("BaseState"))
	l.note(len(off) > 0 || len(as) > 0 || base == pdf.Name("OFF"), "hidden_layers", "the catalog")
	return err
}

// eachPage looks at the first pages and their annotations.
func (l *looker) eachPage() error {
	n := 0
	return l.f.Pages(func(p pdf.Page) bool {
		place := fmt.Sprintf("page %d", n+1)
		l.actions(p.Dict, place)
		l.elsewhere(p.Dict, place)
		list, _ := l.f.Array(p.Dict.Get("Annots"))
		for _, o := range list {
			d, err := l.f.Dict(o)
			if err != nil || l.left <= 0 {
				break
			}
			l.actions(d, place)
			t, _ := l.f.Resolve(d.Get("Subtype"))
			l.note(t == pdf.Name("FileAttachment"), "embedded_files", place)
		}
		n++
		return n < 200 && l.left > 0
	})
}

// elsewhere looks for content that is kept in another file or at an address: what is shown
// is not in what is signed (ISO 32000-2, 7.3.8.2, F of a stream, and 8.10.4, Ref of a form).
func (l *looker) elsewhere(page *pdf.Dict, place string) {
	contents, _ := l.f.Resolve(page.Get("Contents"))
	list, ok := contents.(pdf.Array)
	if !ok {
		list = pdf.Array{contents}
	}
	resources, err := l.f.Dict(page.Get("Resources"))
	if err != nil {
		return
	}
	drawn, err := l.f.Dict(resources.Get("XObject"))
	if err != nil {
		return
	}
	for _, name := range drawn.Keys() {
		list = append(list, drawn.Get(name))
	}
	for _, o := range list {
		if l.left--; l.left <= 0 {
			return
		}
		o, err := l.f.Resolve(o)
		s, ok := o.(*pdf.Stream)
		l.note(err == nil && ok && (s.Has("F") || s.Has("Ref")), "external", place)
	}
	l.pageFonts(resources, place)
}

// pageFonts looks for fonts that are not in the file (ISO 32000-2, 9.9); a Type 3 font always is.
func (l *looker) pageFonts(resources *pdf.Dict, place string) {
	fonts, _ := l.f.Dict(resources.Get("Font"))
	for _, k := range fonts.Keys() {
		ref, indirect := fonts.Get(k).(pdf.Ref)
		if l.left--; l.left <= 0 || indirect && l.fonts[ref] {
			continue
		}
		if indirect {
			l.fonts[ref] = true
		}
		font, _ := l.f.Dict(fonts.Get(k))
		kind, _ := l.f.Resolve(font.Get("Subtype"))
		if kind == pdf.Name("Type0") {
			below, _ := l.f.Array(font.Get("DescendantFonts"))
			if len(below) == 0 {
				continue
			}
			font, _ = l.f.Dict(below[0])
		}
		d, err := l.f.Dict(font.Get("FontDescriptor"))
		embedded := d.Has("FontFile") || d.Has("FontFile2") || d.Has("FontFile3")
		l.note(err == nil && font != nil && kind != pdf.Name("Type3") && !embedded, "fonts_not_embedded", place)
	}
}

// actions looks at A and AA of a dictionary.
func (l *looker) actions(d *pdf.Dict, place string) {
	if l.left--; l.left <= 0 || d == nil {
		return
	}
	if a, err := l.f.Dict(d.Get("A")); err == nil && a != nil {
		l.action(a, place, 0)
	}
	aa, err := l.f.Dict(d.Get("AA"))
	if err != nil {
		return
	}
	for _, k := range aa.Keys() {
		if a, err := l.f.Dict(aa.Get(k)); err == nil && a != nil {
			l.action(a, place, 0)
		}
	}
}

func (l *looker) action(a *pdf.Dict, place string, depth int) {
	if l.left--; l.left <= 0 || depth > 8 {
		return
	}
	kind, _ := l.f.Resolve(a.Get("S"))
	l.note(kind == pdf.Name("JavaScript"), "javascript", place)
	l.note(kind == pdf.Name("Launch"), "launch", place)
	next, _ := l.f.Resolve(a.Get("Next"))
	list, ok := next.(pdf.Array)
	if !ok {
		list = pdf.Array{next}
	}
	for _, o := range list {
		if d, err := l.f.Dict(o); err == nil && d != nil {
			l.action(d, place, depth+1)
		}
	}
}

// dynamicXFA tells a form whose pages are made when it is opened: what was signed would
// not be what is shown.
func dynamicXFA(f *pdf.File, form *pdf.Form) (bool, error) {
	c, err := f.Catalog()
	if err != nil {
		return false, err
	}
	if b, err := f.Resolve(c.Get("NeedsRendering")); err != nil || b == true {
		return b == true, err
	}
	xfa, err := f.Resolve(form.Dict.Get("XFA"))
	if err != nil {
		return false, err
	}
	parts, ok := xfa.(pdf.Array)
	if !ok {
		parts = pdf.Array{xfa}
	}
	for _, o := range parts {
		o, err := f.Resolve(o)
		if err != nil {
			return false, err
		}
		st, ok := o.(*pdf.Stream)
		if !ok {
			continue
		}
		b, err := f.Data(st, 4<<20)
		if err == nil {
			err = f.Spend(time.Duration(len(b) / 8))
		}
		if err != nil {
			return false, fmt.Errorf("XFA: %w", err)
		}
		if bytes.Contains(b, []byte("<dynamicRender>required")) {
			return true, nil
		}
	}
	return false, nil
}
