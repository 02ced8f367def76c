package pades

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
	"time"

	"countersign/pades/pdf"
)

// target is the field a signature goes into.
type target struct {
	name     string
	form     *pdf.Form
	existing *pdf.Field    // nil: a new one on page
	page     pdf.Page      // for a new field
	lock     *pdf.FieldMDP // what the field wants locked once it is signed
	docMDP   int           // and what it leaves permitted in the document (PDF 2.0); zero: all
}

// chooseField checks what the file permits and picks the field.
func chooseField(f *pdf.File, o Options) (*target, error) {
	form, err := f.Form()
	if err != nil {
		return nil, err
	}
	sigs, err := f.SignaturesOf(form)
	if err != nil {
		return nil, err
	}
	if err := permitted(f, form, sigs, o); err != nil {
		return nil, err
	}
	t := &target{name: o.Field, form: form}
	if t.page, err = f.Page(max(1, o.Page)); err != nil {
		return nil, err
	}
	for i, fd := range form.Fields {
		if fd.Name == o.Field && o.Field != "" {
			t.existing = &form.Fields[i]
		}
	}
	certified, err := certification(f, sigs)
	if err != nil {
		return nil, err
	}
	if o.Field == "" && certified > 0 {
		// A certifying author permits signing; readers differ on whether that means new fields.
		t.existing = firstEmpty(f, form, sigs)
	}
	switch {
	case t.existing != nil:
		t.name = t.existing.Name
		err = canFill(f, t, o)
	case o.Field == "":
		t.name = freeName(form, "Signature")
	default:
		err = canAdd(form, o.Field)
	}
	if err != nil {
		return nil, err
	}
	for _, s := range sigs {
		for _, l := range s.FieldLocks {
			if l.Locks(t.name) {
				return nil, refuse(RefusedFieldLocked, "signature %q locks the field %q", s.Field.Name, t.name)
			}
		}
	}
	return t, nil
}

// permitted refuses what any change would break, whichever field it goes into.
func permitted(f *pdf.File, form *pdf.Form, sigs []pdf.Signature, o Options) error {
	if err := f.Whole(); err != nil {
		return err
	}
	p, err := certification(f, sigs)
	if err != nil {
		return err
	}
	if p == 1 {
		return refuse(RefusedCertified, "the author's signature permits no changes")
	}
	if o.Certify != 0 && (len(sigs) > 0 || p > 0) {
		return refuse(RefusedUnsupported, "only the first signature can certify")
	}
	if o.Certify < 0 || o.Certify > 3 {
		return refuse(RefusedUnsupported, "a certifying permission is 1, 2 or 3, not %d", o.Certify)
	}
	dynamic, err := dynamicXFA(f, form)
	if err != nil {
		return err
	}
	if dynamic {
		return refuse(RefusedDynamicForm, "the pages are made by the form when it is opened")
	}
	return nil
}

// certification is the strictest permission that a certifying signature or Perms leaves.
func certification(f *pdf.File, sigs []pdf.Signature) (int, error) {
	p, _, err := f.Perms()
	for _, s := range sigs {
		if s.DocMDP > 0 && (p == 0 || s.DocMDP < p) {
			p = s.DocMDP
		}
	}
	return p, err
}

// costLock is what asking one lock about one field costs, in nanoseconds.
const costLock = 60

// firstEmpty is the first signature field that is free, not locked and asks for nothing.
func firstEmpty(f *pdf.File, form *pdf.Form, sigs []pdf.Signature) *pdf.Field {
	locks := time.Duration(0)
	for _, s := range sigs {
		locks += 1 + time.Duration(len(s.FieldLocks))
	}
	for i, fd := range form.Fields {
		v, err := f.Resolve(fd.Value)
		if fd.Type != "Sig" || err != nil || v != nil {
			continue
		}
		if d, err := f.FieldDict(fd); err != nil || d.Has("SV") || d.Has("Lock") {
			continue
		}
		if f.Spend(costLock*locks) != nil {
			return nil // whoever asks is told when he asks for more
		}
		if !slices.ContainsFunc(sigs, func(s pdf.Signature) bool {
			return slices.ContainsFunc(s.FieldLocks, func(m pdf.FieldMDP) bool { return m.Locks(fd.Name) })
		}) {
			return &form.Fields[i]
		}
	}
	return nil
}

func canFill(f *pdf.File, t *target, o Options) error {
	fd := t.existing
	if fd.Type != "Sig" {
		return refuse(RefusedUnsupported, "the field %q is not for signatures", fd.Name)
	}
	v, err := f.Resolve(fd.Value)
	if err != nil {
		return err
	}
	if v != nil {
		return refuse(RefusedFieldLocked, "the field %q is signed", fd.Name)
	}
	lock, d, err := f.Lock(*fd)
	if err != nil {
		return err
	}
	if d.Has("P") { // ISO 32000-2, table 236
		if t.docMDP = int(integer(f, d.Get("P"))); t.docMDP < 1 || t.docMDP > 3 {
			return refuse(RefusedUnsupported, "the lock of the field %q has the permission %d", fd.Name, t.docMDP)
		}
	}
	if lock != nil && !slices.Contains([]string{"All", "Include", "Exclude"}, lock.Action) {
		return refuse(RefusedUnsupported, "the lock of the field %q has the action %q", fd.Name, lock.Action)
	}
	t.lock = lock
	return seedValues(f, *fd, o)
}

// seedValues refuses what the field demands and we do not give (ISO 32000-2, table 237).
func seedValues(f *pdf.File, fd pdf.Field, o Options) error {
	own, err := f.FieldDict(fd)
	if err != nil {
		return err
	}
	sv, err := f.Dict(own.Get("SV"))
	if err != nil || sv == nil {
		return err
	}
	flags := integer(f, sv.Get("Ff"))
	hash := map[crypto.Hash]string{crypto.SHA256: "SHA256", crypto.SHA384: "SHA384", crypto.SHA512: "SHA512"}[o.Hash]
	for _, c := range []struct {
		bit  int64
		key  pdf.Name
		have string
	}{{1, "Filter", "Adobe.PPKLite"}, {2, "SubFilter", "ETSI.CAdES.detached"}, {8, "Reasons", o.Reason}, {64, "DigestMethod", hash}} {
		if flags&c.bit == 0 || !sv.Has(c.key) {
			continue
		}
		want, err := texts(f, sv.Get(c.key))
		if err != nil {
			return err
		}
		if !slices.Contains(want, c.have) {
			return refuse(RefusedUnsupported, "the field %q demands %s %s", fd.Name, c.key, strings.Join(want, " or "))
		}
	}
	if left := flags &^ (1 | 2 | 4 | 8 | 64); left != 0 {
		return refuse(RefusedUnsupported, "the field %q makes demands (%#x) that are not handled", fd.Name, left)
	}
	mdp, err := f.Dict(sv.Get("MDP"))
	if err != nil {
		return err
	}
	if p := integer(f, mdp.Get("P")); p != int64(o.Certify) && mdp.Has("P") {
		return refuse(RefusedUnsupported, "the field %q demands a certifying permission of %d", fd.Name, p)
	}
	for k, met := range map[pdf.Name]bool{"TimeStamp": o.Timestamped, "Cert": false} {
		d, err := f.Dict(sv.Get(k))
		if err != nil {
			return err
		}
		if integer(f, d.Get("Ff")) != 0 && !met {
			return refuse(RefusedUnsupported, "the field %q makes demands on the %s", fd.Name, k)
		}
	}
	return nil
}

func integer(f *pdf.File, o pdf.Object) int64 {
	o, _ = f.Resolve(o)
	n, _ := o.(pdf.Number)
	i, _ := n.Int()
	return i
}

// texts are a name or string, or an array of them.
func texts(f *pdf.File, o pdf.Object) ([]string, error) {
	o, err := f.Resolve(o)
	if err != nil {
		return nil, err
	}
	list, ok := o.(pdf.Array)
	if !ok {
		list = pdf.Array{o}
	}
	var out []string
	for _, o := range list {
		if o, err = f.Resolve(o); err != nil {
			return nil, err
		}
		switch v := o.(type) {
		case pdf.Name:
			out = append(out, string(v))
		case pdf.String:
			if err := f.Spend(time.Duration(50 + 3*len(v.Value))); err != nil {
				return nil, err
			}
			out = append(out, v.Text())
		}
	}
	return out, nil
}

func canAdd(form *pdf.Form, name string) error {
	if strings.Contains(name, ".") {
		return refuse(RefusedUnsupported, "a new field with a dot in its name, %q", name)
	}
	if form.Groups[name] {
		return refuse(RefusedUnsupported, "%q is a group of fields", name)
	}
	return nil
}

func freeName(form *pdf.Form, word string) string {
	used := map[string]bool{}
	for _, fd := range form.Fields {
		top, _, _ := strings.Cut(fd.Name, ".")
		used[top] = true
	}
	for g := range form.Groups {
		used[g] = true
	}
	for i := 1; ; i++ {
		if n := fmt.Sprintf("%s%d", word, i); !used[n] {
			return n
		}
	}
}

func fillField(u *pdf.Update, t *target, sig pdf.Ref) error {
	o, err := u.Edit(t.existing.Place)
	if err != nil {
		return err
	}
	o.(*pdf.Dict).Set("V", sig)
	return setFlags(u, t.form)
}

// addField adds an invisible field, merged with its widget, to the form and to the first
// page: a widget that no page lists is not found by all readers.
func addField(f *pdf.File, u *pdf.Update, t *target, sig pdf.Ref) error {
	zero := pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(0), pdf.Integer(0)}
	look := u.Add(&pdf.Stream{Dict: pdf.NewDict(pdf.Name("Type"), pdf.Name("XObject"), pdf.Name("Subtype"), pdf.Name("Form"),
		pdf.Name("BBox"), zero, pdf.Name("Resources"), pdf.NewDict())})
	d := pdf.NewDict(
		pdf.Name("Type"), pdf.Name("Annot"), pdf.Name("Subtype"), pdf.Name("Widget"), pdf.Name("FT"), pdf.Name("Sig"),
		pdf.Name("T"), pdf.Text(t.name), pdf.Name("V"), sig, pdf.Name("F"), pdf.Integer(132), pdf.Name("Rect"), zero,
		pdf.Name("AP"), pdf.NewDict(pdf.Name("N"), look))
	if !t.page.Direct() {
		d.Set("P", t.page.Ref)
	}
	field := u.Add(d)
	if err := u.Extend(t.page.Place, "Annots", field); err != nil {
		return err
	}
	if t.form.Dict == nil {
		form := u.Add(pdf.NewDict(pdf.Name("Fields"), pdf.Array{field}, pdf.Name("SigFlags"), pdf.Integer(3)))
		c, err := u.Edit(pdf.Place{Ref: f.Root()})
		if err != nil {
			return err
		}
		c.(*pdf.Dict).Set("AcroForm", form)
		return nil
	}
	if err := u.Extend(t.form.At, "Fields", field); err != nil {
		return err
	}
	return setFlags(u, t.form)
}

// setFlags says that there are signatures and that nothing but appending is permitted.
func setFlags(u *pdf.Update, form *pdf.Form) error {
	n, _ := form.Dict.Get("SigFlags").(pdf.Number)
	have, _ := n.Int()
	if have&3 == 3 {
		return nil
	}
	o, err := u.Edit(form.At)
	if err != nil {
		return err
	}
	o.(*pdf.Dict).Set("SigFlags", pdf.Integer(have|3))
	return nil
}

// fieldMDP is the signature reference that keeps a field's Lock (ISO 32000-2, 12.8.2.4).
func fieldMDP(f *pdf.File, m *pdf.FieldMDP) *pdf.Dict {
	params := pdf.NewDict(pdf.Name("Type"), pdf.Name("TransformParams"), pdf.Name("Action"), pdf.Name(m.Action), pdf.Name("V"), pdf.Name("1.2"))
	if m.Action != "All" {
		var names pdf.Array
		for _, n := range m.Fields {
			names = append(names, pdf.Text(n))
		}
		params.Set("Fields", names)
	}
	return pdf.NewDict(pdf.Name("Type"), pdf.Name("SigRef"), pdf.Name("TransformMethod"), pdf.Name("FieldMDP"),
		pdf.Name("TransformParams"), params, pdf.Name("Data"), f.Root())
}
