package pades

import (
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"countersign/pades/pdf"
)

// Inspect says what a file is, what is signed in it, what may still be done and what
// deserves a warning, without reading all of it. When the file cannot be signed the error
// is a *Refusal, with as much of the report as could be found.
func Inspect(r io.ReaderAt, size int64) (Report, error) {
	return InspectWith(r, size, pdf.Options{})
}

// InspectWith is Inspect of a file that is opened with options: a password, other limits.
func InspectWith(r io.ReaderAt, size int64, o pdf.Options) (Report, error) {
	o = o.Shared()
	r = newBlocks(r, size, o)
	rep, err := inspectFile(r, size, o)
	rep.Size = size
	if err = refusal(err); err != nil {
		var refused *Refusal
		if errors.As(err, &refused) {
			rep.Refused = refused.Code
			if refused.Cause != nil {
				rep.Why = refused.Cause.Error()
			}
		}
	}
	return rep, err
}

func inspectFile(r io.ReaderAt, size int64, o pdf.Options) (Report, error) {
	f, err := pdf.Open(r, size, o)
	if err != nil {
		in := &inspection{facts: pdf.Glance(r, size), looker: looker{found: map[string]string{}}}
		in.outside("")
		in.conclude()
		return in.rep, err
	}
	opens := "empty password"
	if o.Password != "" {
		bare := o
		bare.Password = ""
		if _, err := pdf.Open(r, size, bare); errors.Is(err, pdf.ErrPassword) {
			opens = "given password"
		}
	}
	rep, err := inspect(f, opens)
	if err == nil {
		err = f.Spent()
	}
	if err != nil && errors.Is(err, pdf.ErrDamaged) && !f.Repaired {
		if f, err2 := pdf.OpenRepaired(r, size, o); err2 == nil {
			if rep, err = inspect(f, opens); err == nil {
				err = f.Spent()
			}
		}
	}
	return rep, err
}

// inspection is one run over an open file.
type inspection struct {
	looker
	facts   pdf.Facts
	catalog *pdf.Dict
	form    *pdf.Form
	sigs    []pdf.Signature
	rep     Report
	words   int // names and values of locks and demands in the report
}

// inspect takes every step, whatever came of those before, and gives the first error.
func inspect(f *pdf.File, opens string) (Report, error) {
	in := &inspection{looker: looker{f: f, found: map[string]string{}, left: 5000, fonts: map[pdf.Object]bool{}}, facts: f.Facts(),
		form: &pdf.Form{}}
	in.outside(opens)
	c, err := f.Catalog()
	if err != nil {
		in.conclude()
		return in.rep, err
	}
	in.catalog = c
	if v, _ := f.Resolve(c.Get("Version")); v != nil {
		if n, ok := v.(pdf.Name); ok && string(n) > in.rep.Version && len(n) <= 4 {
			in.rep.Version = string(n)
		}
	}
	var first error
	for _, step := range []func() error{in.pages, in.signatures, in.lint, in.permitted, in.firstPage} {
		if err := step(); err != nil && first == nil {
			first = err
		}
	}
	in.revisions()
	in.metadata()
	in.conclude()
	return in.rep, first
}

// outside takes over what needs no object of the file.
func (in *inspection) outside(opens string) {
	x := in.facts
	in.rep = Report{Version: x.Version, CrossReference: x.XRef, Objects: x.Objects, Linearised: x.Linearised && !x.Stale}
	if x.Sections == 0 && in.f != nil {
		in.rep.CrossReference = "rebuilt"
		in.found["repaired"] = ""
	}
	in.note(x.Header > 0, "header_junk", "")
	in.note(x.XRef == "hybrid", "hybrid", "")
	in.note(!x.ID && in.f != nil, "no_id", "the trailer")
	in.note(x.Trailing > 0, "trailing_bytes", "")
	in.note(x.Encryption != nil, "encrypted", "")
	if e := x.Encryption; e != nil {
		r := &EncryptionReport{Handler: e.Handler, Version: e.V, Revision: e.R, Bits: e.Bits, OpensWith: opens, Permissions: int32(e.Permissions)}
		r.MaySign, r.MayAddField = e.MaySign()
		r.MayFill = r.MaySign // the same bits, ISO 32000-2, table 22
		in.rep.Encryption = r
		if e.Handler == "Standard" {
			in.note(!r.MaySign, "permissions", "the encryption dictionary")
			in.note(r.MaySign && !r.MayAddField, "permissions_field", "the encryption dictionary")
		}
	}
}

func (in *inspection) pages() (err error) {
	in.rep.Pages, err = in.f.PageCount()
	return err
}

// permitted asks what Prepare asks.
func (in *inspection) permitted() error { return permitted(in.f, in.form, in.sigs, Options{}) }

// firstPage gives the page's size as shown: the crop box, or the media box, turned.
func (in *inspection) firstPage() error {
	p, err := in.f.FirstPage()
	if err != nil {
		return err
	}
	box := in.numbers(p.Dict, "CropBox")
	if len(box) != 4 {
		box = in.numbers(p.Dict, "MediaBox")
	}
	if len(box) != 4 {
		return nil
	}
	unit := 1.0
	if u := in.numbers(p.Dict, "UserUnit"); len(u) == 1 && u[0] > 0 {
		unit = u[0]
	}
	s := &PageSize{math.Abs(box[2]-box[0]) * unit, math.Abs(box[3]-box[1]) * unit}
	if turn := in.numbers(p.Dict, "Rotate"); len(turn) == 1 && math.Mod(turn[0], 180) != 0 {
		s.Width, s.Height = s.Height, s.Width
	}
	in.rep.FirstPage = s
	return nil
}

// numbers are those of a page's entry, which it may inherit (ISO 32000-2, 7.7.3.4).
func (in *inspection) numbers(page *pdf.Dict, k pdf.Name) (out []float64) {
	for range 50 {
		if page == nil || page.Has(k) {
			break
		}
		page, _ = in.f.Dict(page.Get("Parent"))
	}
	o, _ := in.f.Resolve(page.Get(k))
	list, ok := o.(pdf.Array)
	if !ok {
		list = pdf.Array{o}
	}
	for _, o := range list[:min(len(list), 4)] {
		o, _ := in.f.Resolve(o)
		n, _ := o.(pdf.Number)
		v, err := strconv.ParseFloat(string(n), 64)
		if err != nil || math.Abs(v) > 1e7 {
			return nil
		}
		out = append(out, v)
	}
	return out
}

// conclude writes the findings down.
func (in *inspection) conclude() {
	in.note(in.rep.Version != "" && in.rep.Version < "1.4", "old_version", "")
	in.rep.Notices, in.rep.Findings = []string{}, []Finding{}
	for _, code := range slices.Sorted(maps.Keys(in.found)) {
		in.rep.Findings = append(in.rep.Findings, Finding{code, findingTexts[code], in.found[code]})
		if noticed[code] {
			in.rep.Notices = append(in.rep.Notices, code)
		}
	}
	in.rep.Claims = append([]string{}, in.rep.Claims...)
	in.rep.Revisions = append([]RevisionReport{}, in.rep.Revisions...)
	in.rep.Signatures = append([]SignatureReport{}, in.rep.Signatures...)
	in.rep.EmptyFields = append([]FieldReport{}, in.rep.EmptyFields...)
}

// quoted is a field's name for a place.
func quoted(name string) string { return "field “" + strings.ToValidUTF8(name, "?") + "”" }
