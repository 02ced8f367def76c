package pades

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"countersign/pades/pdf"
)

// Inspect says what a file is and what in it deserves a warning, without reading all of
// it. When the file cannot be signed the error is a *Refusal, with as much of the report
// as could be found.
func Inspect(r io.ReaderAt, size int64) (Report, error) {
	f, err := pdf.Open(r, size)
	if err != nil {
		return Report{}, refusal(err)
	}
	rep, err := inspect(f)
	if err != nil && errors.Is(err, pdf.ErrDamaged) && !f.Repaired {
		if f, err2 := pdf.OpenRepaired(r, size); err2 == nil {
			rep, err = inspect(f)
		}
	}
	return rep, refusal(err)
}

func inspect(f *pdf.File) (Report, error) {
	rep := Report{Version: f.Version, Encrypted: f.Encrypted()}
	c, err := f.Catalog()
	if err != nil {
		return rep, err
	}
	if v, _ := f.Resolve(c.Get("Version")); v != nil {
		if n, ok := v.(pdf.Name); ok && string(n) > rep.Version && len(n) <= 4 {
			rep.Version = string(n)
		}
	}
	if rep.Pages, err = f.PageCount(); err != nil {
		return rep, err
	}
	form, err := f.Form()
	if err != nil {
		return rep, err
	}
	sigs, err := f.SignaturesOf(form)
	if err != nil {
		return rep, err
	}
	rep.Signatures = len(sigs)
	if rep.Certified, err = certification(f, sigs); err != nil {
		return rep, err
	}
	if rep.Notices, err = notices(f, c, form); err != nil {
		return rep, err
	}
	if err := permitted(f, form, sigs, Options{}); err != nil {
		return rep, err
	}
	_, err = f.FirstPage()
	return rep, err
}

// looker collects notices.
type looker struct {
	f     *pdf.File
	found map[string]bool
	left  int // actions still to be looked at
}

func notices(f *pdf.File, c *pdf.Dict, form *pdf.Form) ([]string, error) {
	l := &looker{f: f, found: map[string]bool{}, left: 5000}
	l.found["header_junk"] = f.Header > 0
	l.found["encrypted"] = f.Encrypted()
	_, l.found["usage_rights"], _ = f.Perms()
	l.found["xfa"] = form.Dict.Has("XFA")
	need, _ := f.Resolve(form.Dict.Get("NeedAppearances"))
	l.found["need_appearances"] = need == true
	for _, fd := range form.Fields {
		l.found["form_fields"] = l.found["form_fields"] || fd.Type != "Sig"
		l.actions(fd.Dict)
	}
	names, err := f.Dict(c.Get("Names"))
	if err != nil {
		return nil, err
	}
	l.found["embedded_files"] = names.Has("EmbeddedFiles") || c.Has("AF")
	l.found["javascript"] = l.found["javascript"] || names.Has("JavaScript")
	open, err := f.Resolve(c.Get("OpenAction"))
	if err != nil {
		return nil, err
	}
	if d, ok := open.(*pdf.Dict); ok {
		l.action(d, 0)
		kind, _ := f.Resolve(d.Get("S"))
		l.found["open_action"] = kind != pdf.Name("GoTo")
	}
	l.actions(c)
	if err := l.layers(c); err != nil {
		return nil, err
	}
	if err := l.pages(); err != nil {
		return nil, err
	}
	var out []string
	for k, yes := range l.found {
		if yes {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out, nil
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
	l.found["hidden_layers"] = len(off) > 0 || len(as) > 0 || base == pdf.Name("OFF")
	return err
}

// pages looks at the actions of the first pages and their annotations.
func (l *looker) pages() error {
	n := 0
	return l.f.Pages(func(p pdf.Page) bool {
		l.actions(p.Dict)
		l.elsewhere(p.Dict)
		list, _ := l.f.Array(p.Dict.Get("Annots"))
		for _, o := range list {
			d, err := l.f.Dict(o)
			if err != nil || l.left <= 0 {
				break
			}
			l.actions(d)
			if t, _ := l.f.Resolve(d.Get("Subtype")); t == pdf.Name("FileAttachment") {
				l.found["embedded_files"] = true
			}
		}
		n++
		return n < 200 && l.left > 0
	})
}

// elsewhere looks for content that is kept in another file or at an address: what is shown
// is not in what is signed (ISO 32000-2, 7.3.8.2, F of a stream, and 8.10.4, Ref of a form).
func (l *looker) elsewhere(page *pdf.Dict) {
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
		if s, ok := o.(*pdf.Stream); err == nil && ok && (s.Has("F") || s.Has("Ref")) {
			l.found["external"] = true
		}
	}
}

// actions looks at A and AA of a dictionary.
func (l *looker) actions(d *pdf.Dict) {
	if l.left--; l.left <= 0 || d == nil {
		return
	}
	if a, err := l.f.Dict(d.Get("A")); err == nil && a != nil {
		l.action(a, 0)
	}
	aa, err := l.f.Dict(d.Get("AA"))
	if err != nil {
		return
	}
	for _, k := range aa.Keys() {
		if a, err := l.f.Dict(aa.Get(k)); err == nil && a != nil {
			l.action(a, 0)
		}
	}
}

func (l *looker) action(a *pdf.Dict, depth int) {
	if l.left--; l.left <= 0 || depth > 8 {
		return
	}
	switch s, _ := l.f.Resolve(a.Get("S")); s {
	case pdf.Name("JavaScript"):
		l.found["javascript"] = true
	case pdf.Name("Launch"):
		l.found["launch"] = true
	}
	next, _ := l.f.Resolve(a.Get("Next"))
	list, ok := next.(pdf.Array)
	if !ok {
		list = pdf.Array{next}
	}
	for _, o := range list {
		if d, err := l.f.Dict(o); err == nil && d != nil {
			l.action(d, depth+1)
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
		if err != nil {
			return false, fmt.Errorf("XFA: %w", err)
		}
		if bytes.Contains(b, []byte("<dynamicRender>required")) {
			return true, nil
		}
	}
	return false, nil
}
