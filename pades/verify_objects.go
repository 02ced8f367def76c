package pades

import "countersign/pades/pdf"

// rest: pages that gain a signature's widget, lists that gain a signature, the index itself;
// then nothing may be left over.
func (c *comparison) rest() error {
	for num := range c.changed.all() {
		if err := c.v.ctx.Err(); err != nil {
			return err
		}
		if c.claimed.has(num) {
			continue
		}
		same, err := c.unchanged(num)
		if err != nil {
			return err
		}
		if same {
			continue
		}
		ok, err := c.plumbing(num)
		if err != nil {
			return err
		}
		if !ok {
			return c.unexplained(num)
		}
	}
	return nil
}

// unexplained says what was changed as far as that is plain to see.
func (c *comparison) unexplained(num int) error {
	_, was, err := c.old.Current(num)
	if err != nil {
		return err
	}
	ref, is, err := c.new.Current(num)
	if err != nil {
		return err
	}
	o, err := c.new.Resolve(ref)
	if err != nil {
		return err
	}
	d, _ := o.(*pdf.Dict)
	switch {
	case !is:
		return refuseChange("something was removed (object %d).", num)
	case !was:
		return refuseChange("something was added that no signature needs (object %d).", num)
	case d.Get("Type") == pdf.Name("Page"):
		return refuseChange("its pages are other ones.")
	case d.Has("FT") || d.Has("V") && d.Has("T"):
		return refuseChange("a form field was filled in or changed.")
	case d.Get("Subtype") == pdf.Name("Widget") || d.Get("Type") == pdf.Name("Annot"):
		return refuseChange("a mark or a form field on a page was changed.")
	}
	return refuseChange("object %d is another one.", num)
}

// unchanged tells whether an object is what it was; one that was not and is not there, too.
func (c *comparison) unchanged(num int) (bool, error) {
	a, was, err := c.old.Current(num)
	if err != nil {
		return false, err
	}
	b, is, err := c.new.Current(num)
	if err != nil || was != is || a != b {
		return false, err
	}
	if !was {
		return true, nil
	}
	x, err := c.old.Resolve(a)
	if err != nil {
		return false, err
	}
	y, err := c.new.Resolve(b)
	if err != nil {
		return false, err
	}
	return c.old.Same(x, c.new, y)
}

// plumbing tells whether a changed object is one of the structures that must change with a
// new signature, and has changed in that way only.
func (c *comparison) plumbing(num int) (bool, error) {
	ref, is, err := c.new.Current(num)
	if err != nil {
		return false, err
	}
	oldRef, was, err := c.old.Current(num)
	if err != nil {
		return false, err
	}
	if !is {
		d, err := c.old.Dict(oldRef)
		if err != nil || !was || !isAnnotation(d) {
			return false, err
		}
		return true, c.noteChanged(num, d, nil)
	}
	y, err := c.new.Resolve(ref)
	if err != nil {
		return false, err
	}
	var x pdf.Object
	if was {
		if x, err = c.old.Resolve(oldRef); err != nil || oldRef != ref {
			return false, err
		}
	}
	switch y := y.(type) {
	case *pdf.Stream:
		// The index, under a new number or that of an older index; packed objects only new,
		// since replacing a pack would change objects without naming them.
		if !was && y.Get("Type") != pdf.Name("XRef") && y.Get("Type") != pdf.Name("ObjStm") {
			c.unused++
			return true, nil
		}
		z, replaces := x.(*pdf.Stream)
		isIndex := y.Get("Type") == pdf.Name("XRef")
		return isIndex && (!was || replaces && z.Get("Type") == pdf.Name("XRef")) || y.Get("Type") == pdf.Name("ObjStm") && !was, nil
	case *pdf.Dict:
		if was {
			d, ok := x.(*pdf.Dict)
			if isAnnotation(d) {
				return true, c.noteChanged(num, d, y)
			}
			return ok, c.page(d, y, ok)
		}
	case pdf.Array:
		if was {
			d, ok := x.(pdf.Array)
			if !ok {
				return false, nil
			}
			return c.marks(d, y)
		}
	}
	return !was && c.idle(y), nil
}

// idle tells of a new object that no rule claimed, so that nothing new refers to it;
// references makes sure that nothing old does. Some writers leave such objects behind. What
// a reader that rebuilds a file might take for its root or a page is not among them.
func (c *comparison) idle(o pdf.Object) bool {
	d, _ := o.(*pdf.Dict)
	switch d.Get("Type") {
	case pdf.Name("Catalog"), pdf.Name("Pages"), pdf.Name("Page"):
		return false
	}
	c.unused++
	return !d.Has("FT") && !d.Has("ByteRange")
}

// page may gain widgets of signatures, and a tab order.
func (c *comparison) page(a, b *pdf.Dict, ok bool) error {
	if !ok {
		return nil
	}
	for _, k := range differing(a, b) {
		same, err := c.old.Same(a.Get(k), c.new, b.Get(k))
		if err != nil {
			return err
		}
		isPage := b.Get("Type") == pdf.Name("Page")
		switch {
		case same:
		case k == "Annots" && isPage:
			before, err := c.old.Array(a.Get(k))
			if err != nil {
				return err
			}
			after, err := c.new.Array(b.Get(k))
			if err != nil {
				return err
			}
			if ok, err := c.marks(before, after); err != nil || !ok {
				if err == nil {
					err = refuseChange("the marks on a page were changed.")
				}
				return err
			}
			if err := c.own(b.Get(k), a.Get(k)); err != nil {
				return err
			}
		case k == "Tabs" && isPage && !a.Has(k):
		case isPage:
			return refuseChange("a page was changed (its entry %s).", k)
		case b.Get("Type") == pdf.Name("Pages"):
			return c.otherPages()
		case b.Has("FT") || b.Get("Subtype") == pdf.Name("Widget"):
			return refuseChange("a form field was filled in or changed.")
		default:
			return refuseChange("the entry %s of an object was changed.", k)
		}
	}
	return nil
}

// otherPages says what was done to the pages.
func (c *comparison) otherPages() error {
	before, _ := c.old.PageCount() // zero when it cannot be told
	switch after, _ := c.new.PageCount(); {
	case after > before:
		return refuseChange("a page was added.")
	case after < before:
		return refuseChange("a page was removed.")
	}
	return refuseChange("its pages are other ones.")
}

// grown tells whether a list is the old one with new signature fields or widgets at its end.
func (c *comparison) grown(a, b pdf.Array) (bool, error) {
	if len(b) < len(a) {
		return false, nil
	}
	if same, err := c.old.Same(a, c.new, b[:len(a)]); err != nil || !same {
		return false, err
	}
	for _, o := range b[len(a):] {
		if ref, ok := o.(pdf.Ref); !ok || !c.signables[ref] {
			return false, nil
		}
	}
	return true, nil
}

// differing are the keys of either dictionary.
func differing(a, b *pdf.Dict) []pdf.Name {
	keys := a.Keys()
	for _, k := range b.Keys() {
		if !a.Has(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

func flat(d *pdf.Dict) bool {
	for _, k := range d.Keys() {
		switch d.Get(k).(type) {
		case pdf.String, pdf.Name, pdf.Number, bool, nil, pdf.Ref:
		default:
			return false
		}
	}
	return true
}
