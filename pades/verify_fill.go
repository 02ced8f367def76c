package pades

import (
	"countersign/pades/pdf"
)

// The field flags that matter here (ISO 32000-2, tables 227 and 229).
const (
	readOnly   = 1 << 0
	pushButton = 1 << 16
)

// part is one object of a form field: the field, one of its widgets, or both in one.
type part struct {
	ref  pdf.Ref
	a, b *pdf.Dict // as it was and as it is
	kid  bool
}

// fillIn accepts a field for text, choices or a state that has another value now: the value,
// the look of its own widgets, the state they show. Nothing else of it may differ: neither
// place nor size, kind, name, actions, visibility, font or owner.
func (c *comparison) fillIn(was, now pdf.Field) error {
	if was.Direct() {
		return nil // what holds it is compared as a whole
	}
	parts, err := c.parts(was)
	if err != nil {
		return err
	}
	touched := false
	for _, p := range parts {
		t, err := c.touched(p)
		if err != nil {
			return err
		}
		touched = touched || t
	}
	if !touched {
		return nil
	}
	if err := c.mayFill(was.Name); err != nil {
		return err
	}
	switch {
	case was.Flags&readOnly != 0, was.Type == "Btn" && was.Flags&pushButton != 0:
		return refuseChange("the form field %s is not there to be filled in, and was changed.", bounded(was.Name))
	case now.Name != was.Name || now.Type != was.Type || now.Flags != was.Flags || was.Type != "Tx" && was.Type != "Btn" && was.Type != "Ch":
		return refuseChange("the form field %s is of another kind.", bounded(was.Name))
	}
	for _, p := range parts {
		if err := c.fillPart(was, p); err != nil {
			return err
		}
	}
	if was.Type == "Btn" {
		return c.states(now, parts)
	}
	return nil
}

// parts are the field's own object and the widgets below it.
func (c *comparison) parts(was pdf.Field) ([]part, error) {
	now, err := c.dict(was.Ref)
	if err != nil {
		return nil, err
	}
	own, err := c.old.FieldDict(was)
	if err != nil {
		return nil, err
	}
	all := []part{{ref: was.Ref, a: own, b: now}}
	kids, err := c.old.Array(own.Get("Kids"))
	if err != nil {
		return nil, err
	}
	for _, o := range kids {
		ref, ok := o.(pdf.Ref)
		if !ok {
			continue // what holds it is compared as a whole
		}
		p := part{ref: ref, kid: true}
		if p.a, err = c.old.Dict(ref); err != nil {
			return nil, err
		}
		if p.b, err = c.dict(ref); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// touched tells whether an object of a field, or the look that hangs on it, was changed.
func (c *comparison) touched(p part) (bool, error) {
	nums := []int{p.ref.Num}
	ap := p.a.Get("AP")
	if ref, ok := ap.(pdf.Ref); ok {
		nums = append(nums, ref.Num)
	}
	look, err := c.old.Dict(ap)
	if err != nil {
		return false, err
	}
	if ref, ok := look.Get("N").(pdf.Ref); ok {
		nums = append(nums, ref.Num)
	}
	for _, n := range nums {
		if !c.changed.has(n) {
			continue
		}
		if same, err := c.unchanged(n); err != nil || !same {
			return true, err
		}
	}
	return false, nil
}

func (c *comparison) fillPart(was pdf.Field, p part) error {
	name := bounded(was.Name)
	if p.a == nil || p.b == nil || p.kid && p.a.Get("Parent") != was.Ref {
		return refuseChange("the form field %s has other parts.", name)
	}
	for _, k := range differing(p.a, p.b) {
		if same, err := c.old.Same(p.a.Get(k), c.new, p.b.Get(k)); err != nil || same {
			if err != nil {
				return err
			}
			continue
		}
		ok := false
		switch v := p.b.Get(k); k {
		case "V":
			ok = !p.kid && fits(was.Type, v)
		case "RV":
			ok = !p.kid && was.Type == "Tx" && fits("Tx", v)
		case "I":
			_, list := v.(pdf.Array)
			ok = !p.kid && was.Type == "Ch" && (list || v == nil) && plain(v)
		case "M":
			_, ok = v.(pdf.String)
		case "AS":
			_, ok = v.(pdf.Name)
			ok = ok && was.Type == "Btn"
		case "AP":
			ok = was.Type != "Btn" // below; the looks of a button's states stay
		}
		if !ok {
			return refuseChange("the form field %s was changed in more than its value (its entry %s).", name, bounded(string(k)))
		}
	}
	if c.changed.has(p.ref.Num) {
		c.claimed.add(p.ref.Num)
	}
	if was.Type == "Btn" {
		return nil // a state's picture that is replaced under its number stays unexplained
	}
	return c.look(name, p)
}

// fits tells whether a value can be one of the field's type; those of other objects are not
// taken, which no writer of forms needs.
func fits(kind pdf.Name, v pdf.Object) bool {
	switch x := v.(type) {
	case nil:
		return true
	case pdf.String:
		return kind == "Tx" || kind == "Ch"
	case pdf.Name:
		return kind == "Btn"
	case pdf.Array:
		for _, o := range x {
			if _, ok := o.(pdf.String); !ok {
				return false
			}
		}
		return kind == "Ch"
	}
	return false
}

// states: a box or a row of buttons shows what its value says, in looks that were signed.
func (c *comparison) states(now pdf.Field, parts []part) error {
	value, _ := now.Value.(pdf.Name)
	shown := value == "" || value == "Off"
	for _, p := range parts {
		look, err := c.dict(p.b.Get("AP"))
		if err != nil {
			return err
		}
		n, err := c.dict(look.Get("N"))
		if err != nil {
			return err
		}
		as, _ := p.b.Get("AS").(pdf.Name)
		switch {
		case as == "" || as == "Off":
		case as != value || !n.Has(as):
			return refuseChange("the form field %s shows something else than its value.", bounded(now.Name))
		default:
			shown = true
		}
	}
	if !shown {
		return refuseChange("the form field %s shows something else than its value.", bounded(now.Name))
	}
	return nil
}

// plain tells whether a value holds nothing of other objects.
func plain(o pdf.Object) bool {
	return pdf.References(o, func(pdf.Ref) error { return pdf.ErrTooComplex }) == nil
}
