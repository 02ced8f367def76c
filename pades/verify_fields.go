package pades

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"countersign/pades/pdf"
)

// What a signature field, its widget and its signature dictionary may hold (ISO 32000-2,
// tables 226, 166, 192, 255). No actions, no page content, no layers.
var (
	fieldKeys  = []pdf.Name{"FT", "T", "TU", "TM", "V", "Ff", "Kids", "Lock", "SV", "DA", "Q"}
	widgetKeys = []pdf.Name{"Type", "Subtype", "Rect", "P", "F", "AP", "AS", "MK", "BS", "Border", "NM", "M", "Parent", "StructParent", "H", "C", "DR"}
	valueKeys  = []pdf.Name{"Type", "Filter", "SubFilter", "Contents", "ByteRange", "M", "Name", "Reason", "Location", "ContactInfo",
		"Prop_Build", "Prop_AuthTime", "Prop_AuthType", "Reference", "Cert", "R", "V", "Changes"}
)

// form: the field list may gain signature fields; empty signature fields may be filled.
func (c *comparison) form() error {
	before, err := c.old.Form()
	if err != nil {
		return err
	}
	after, err := c.new.Form()
	if err != nil {
		return err
	}
	if after.Dict == nil {
		if before.Dict != nil {
			return refuseChange("its form was removed.")
		}
		return nil
	}
	if err := c.formDict(before.Dict, after.Dict); err != nil {
		return err
	}
	if !after.At.Direct() {
		if err := c.own(after.At.Ref, before.At.Ref); err != nil {
			return err
		}
	}
	was, err := c.old.Array(before.Dict.Get("Fields"))
	if err != nil {
		return err
	}
	is, err := c.new.Array(after.Dict.Get("Fields"))
	if err != nil {
		return err
	}
	if len(is) < len(was) {
		return refuseChange("a form field was removed.")
	}
	for _, o := range is[len(was):] {
		ref, ok := o.(pdf.Ref)
		if !ok {
			return refuseChange("a form field was added that is not for signatures.")
		}
		if err := c.newField(ref); err != nil {
			return err
		}
	}
	if ok, err := c.grown(was, is); err != nil || !ok {
		if err == nil {
			err = refuseChange("its form fields are in another order.")
		}
		return err
	}
	if err := c.own(after.Dict.Get("Fields"), before.Dict.Get("Fields")); err != nil {
		return err
	}
	return c.filled(before, after)
}

func (c *comparison) formDict(a, b *pdf.Dict) error {
	for _, k := range differing(a, b) {
		same, err := c.old.Same(a.Get(k), c.new, b.Get(k))
		if err != nil {
			return err
		}
		switch {
		case same, k == "Fields", k == "SigFlags":
		case k == "XFA":
			return refuseChange("its XFA form was changed.")
		case !a.Has(k) && (k == "DR" || k == "DA"):
			if err := c.claim(b.Get(k)); err != nil {
				return err
			}
		case k == "NeedAppearances" && b.Get(k) == false && a == nil:
		default:
			return refuseChange("the entry %s of its form was changed.", k)
		}
	}
	return nil
}

// newField accepts a signature field that was not there before.
func (c *comparison) newField(ref pdf.Ref) error {
	const bad = "a form field was added that is not for signatures."
	if _, was, err := c.old.Current(ref.Num); err != nil || was {
		if err == nil {
			err = refuseChange(bad)
		}
		return err
	}
	d, err := c.dict(ref)
	if err != nil {
		return err
	}
	if d == nil || d.Get("FT") != pdf.Name("Sig") || d.Has("Parent") || !only(d, fieldKeys, widgetKeys) {
		return refuseChange(bad)
	}
	kind, err := c.value(d.Get("V"))
	if err != nil {
		return err
	}
	c.signables[ref] = true
	c.claimed.add(ref.Num)
	if err := c.widget(d, kind); err != nil {
		return err
	}
	kids, err := c.new.Array(d.Get("Kids"))
	if err != nil {
		return err
	}
	for _, o := range kids {
		kid, ok := o.(pdf.Ref)
		k, err := c.dict(kid)
		if err != nil {
			return err
		}
		if _, was, err := c.old.Current(kid.Num); err != nil || was || !ok || k.Has("Parent") && k.Get("Parent") != ref || !only(k, widgetKeys) {
			return refuseChange(bad)
		}
		c.signables[kid] = true
		c.claimed.add(kid.Num)
		if err := c.widget(k, kind); err != nil {
			return err
		}
	}
	return c.claim(d)
}

// widget of a new field: what it shows may not be more than a signature shows.
func (c *comparison) widget(d *pdf.Dict, kind string) error {
	if seen := visible(c.new, d) && d.Has("AP"); seen {
		switch {
		case kind == "":
			return refuseChange("an empty signature field was added that shows something.")
		case c.certified > 0:
			return refuseChange("a visible mark was added, which its author does not permit.")
		}
	}
	for _, k := range []pdf.Name{"AP", "MK", "DR", "BS", "Border", "C"} {
		if err := c.claim(d.Get(k)); err != nil {
			return err
		}
	}
	return nil
}

// value accepts a new signature dictionary and tells its kind; "" is none.
func (c *comparison) value(o pdf.Object) (kind string, err error) {
	if o == nil {
		if c.certified == 1 {
			return "", refuseChange("a signature field was added, which its author does not permit.")
		}
		c.fields++
		return "", nil
	}
	if ref, ok := o.(pdf.Ref); ok {
		if _, was, err := c.old.Current(ref.Num); err != nil || was {
			if err == nil {
				err = refuseChange("a signature was moved to another field.")
			}
			return "", err
		}
	}
	d, err := c.dict(o)
	if err != nil {
		return "", err
	}
	if d == nil || !only(d, valueKeys) {
		return "", refuseChange("what was put into a signature field is no signature.")
	}
	if d.Get("Type") == pdf.Name("DocTimeStamp") || d.Get("SubFilter") == pdf.Name("ETSI.RFC3161") {
		c.stamps++
		return "timestamp", c.claim(o)
	}
	if c.certified == 1 {
		return "", refuseChange("a signature was added, which its author does not permit.")
	}
	c.signed++
	return "signature", c.claim(o)
}

// costField is what comparing a field costs, besides reading it.
const costField = 2 * time.Microsecond

// filled accepts existing signature fields that were empty and have a value now, and other
// fields that may be filled in.
func (c *comparison) filled(before, after *pdf.Form) error {
	is := make(map[any]int, len(after.Fields))
	for i, f := range after.Fields {
		is[placeKey(f.Place)] = i
	}
	for _, was := range before.Fields {
		if err := c.v.ctx.Err(); err != nil {
			return err
		}
		if err := c.new.Spend(costField); err != nil {
			return err
		}
		i, ok := is[placeKey(was.Place)]
		if !ok {
			return refuseChange("a form field was removed.")
		}
		now := after.Fields[i]
		if was.Type != "Sig" {
			if err := c.fillIn(was, now); err != nil {
				return err
			}
			continue
		}
		if was.Direct() || !c.changed.has(was.Ref.Num) {
			continue
		}
		a, err := c.old.FieldDict(was)
		if err != nil {
			return err
		}
		b, err := c.new.FieldDict(now)
		if err != nil {
			return err
		}
		if empty, err := c.old.Resolve(a.Get("V")); err != nil || empty != nil || b.Get("V") == nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := c.fill(was, now, a, b); err != nil {
			return err
		}
	}
	return nil
}

// fill accepts a field whose dictionary was a and is b.
func (c *comparison) fill(was, now pdf.Field, a, b *pdf.Dict) error {
	for _, l := range c.locks {
		if l.Locks(now.Name) {
			return refuseChange("the field %s was signed although an earlier signature locks it.", bounded(now.Name))
		}
	}
	kind, err := c.value(b.Get("V"))
	if err != nil {
		return err
	}
	if kind == "" {
		return nil
	}
	if err := c.dressed(a, b); err != nil {
		return err
	}
	c.claimed.add(was.Ref.Num)
	kids, err := c.new.Array(b.Get("Kids"))
	if err != nil {
		return err
	}
	for _, o := range kids {
		ref, ok := o.(pdf.Ref)
		if !ok || !c.changed.has(ref.Num) {
			continue
		}
		a, err := c.old.Dict(ref)
		if err != nil {
			return err
		}
		b, err := c.dict(ref)
		if err != nil {
			return err
		}
		if a == nil || b == nil || a.Get("Parent") != was.Ref {
			return refuseChange("a signature field was changed.")
		}
		if err := c.dressed(a, b); err != nil {
			return err
		}
		c.claimed.add(ref.Num)
	}
	return nil
}

// dressed accepts the value and the look of a field that was signed in its place.
func (c *comparison) dressed(a, b *pdf.Dict) error {
	for _, k := range differing(a, b) {
		same, err := c.old.Same(a.Get(k), c.new, b.Get(k))
		if err != nil {
			return err
		}
		switch {
		case same, k == "V", k == "M", k == "F", k == "P" && !a.Has(k), k == "Type" && !a.Has(k), k == "MK":
		case k == "AP":
			// The old look may have been an object that is replaced under its number: that is
			// left to the general rule, which refuses it.
		default:
			return refuseChange("the entry %s of a signature field was changed.", k)
		}
		if err := c.claim(b.Get(k)); err != nil {
			return err
		}
	}
	return nil
}

// placeKey is a place as the key of a map.
func placeKey(p pdf.Place) any {
	if !p.Direct() {
		return p.Ref
	}
	return fmt.Sprint(p.Ref, p.Path)
}

func (c *comparison) dict(o pdf.Object) (*pdf.Dict, error) {
	o, err := c.new.Resolve(o)
	d, _ := o.(*pdf.Dict)
	return d, err
}

func only(d *pdf.Dict, allowed ...[]pdf.Name) bool {
	for _, k := range d.Keys() {
		if !slices.ContainsFunc(allowed, func(list []pdf.Name) bool { return slices.Contains(list, k) }) {
			return false
		}
	}
	return true
}

// visible tells whether a widget takes room on its page.
func visible(f *pdf.File, d *pdf.Dict) bool {
	r, err := f.Array(d.Get("Rect"))
	if err != nil || len(r) != 4 {
		return d.Has("Rect")
	}
	var v [4]float64
	for i, o := range r {
		o, err := f.Resolve(o)
		n, ok := o.(pdf.Number)
		if err != nil || !ok {
			return true
		}
		if v[i], err = strconv.ParseFloat(string(n), 64); err != nil {
			return true
		}
	}
	return v[0] != v[2] && v[1] != v[3]
}
