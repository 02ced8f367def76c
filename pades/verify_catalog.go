package pades

import (
	"slices"

	"countersign/pades/pdf"
)

// trailer: everything but what belongs to one section stays; the description may change.
func (c *comparison) trailer() error {
	ignored := []pdf.Name{"Size", "Prev", "XRefStm", "Type", "W", "Index", "Length", "Filter", "DecodeParms", "ID"}
	for _, k := range differing(c.old.Trailer, c.new.Trailer) {
		if slices.Contains(ignored, k) {
			continue
		}
		a, b := c.old.Trailer.Get(k), c.new.Trailer.Get(k)
		same, err := c.old.Same(a, c.new, b)
		if err != nil {
			return err
		}
		if same {
			continue
		}
		if k != "Info" {
			return refuseChange("the entry %s at its end is another one.", k)
		}
		was, err := c.old.Dict(a)
		if err != nil {
			return err
		}
		is, err := c.dict(b)
		if err != nil {
			return err
		}
		c.redescribed(was, is)
		if err := c.claim(b); err != nil {
			return err
		}
	}
	if ref, ok := c.new.Trailer.Get("Info").(pdf.Ref); ok && c.changed.has(ref.Num) {
		d, err := c.new.Resolve(ref)
		if err != nil {
			return err
		}
		info, ok := d.(*pdf.Dict)
		if same, err := c.unchanged(ref.Num); err != nil || same {
			return err
		}
		if !ok || !flat(info) {
			return refuseChange("its description holds more than text.")
		}
		was, err := c.old.Dict(ref)
		if err != nil {
			return err
		}
		c.redescribed(was, info)
		c.claimed.add(ref.Num)
	}
	return nil
}

// catalog: AcroForm and DSS are looked at by their own rules; Extensions, Perms, Version and
// Metadata within bounds; the rest stays.
func (c *comparison) catalog() error {
	root := c.new.Root()
	if root != c.old.Root() {
		return refuseChange("it has another catalog.")
	}
	a, err := c.old.Catalog()
	if err != nil {
		return err
	}
	b, err := c.new.Catalog()
	if err != nil {
		return err
	}
	for _, k := range differing(a, b) {
		if same, err := c.old.Same(a.Get(k), c.new, b.Get(k)); err != nil || same {
			if err != nil {
				return err
			}
			continue
		}
		switch k {
		case "AcroForm", "DSS", "Extensions": // below
		case "Version":
			if n, ok := b.Get(k).(pdf.Name); !ok || len(n) != 3 {
				return refuseChange("its version is not one.")
			}
		case "Metadata":
			if err := c.reworded(a.Get(k), b.Get(k)); err != nil {
				return err
			}
			if err := c.claim(b.Get(k)); err != nil {
				return err
			}
		case "Perms":
			p, ok := b.Get(k).(*pdf.Dict)
			if !ok || a.Has(k) || len(p.Keys()) != 1 || !p.Has("DocMDP") {
				return refuseChange("its permissions were changed.")
			}
		default:
			return refuseChange("the entry %s of its catalog was changed.", k)
		}
	}
	c.claimed.add(root.Num)
	if err := c.metadata(a, b); err != nil {
		return err
	}
	if err := c.extensions(b.Get("Extensions"), a.Get("Extensions")); err != nil {
		return err
	}
	return c.securityStore(b.Get("DSS"))
}

// metadata that is replaced under its own number.
func (c *comparison) metadata(a, b *pdf.Dict) error {
	ref, ok := b.Get("Metadata").(pdf.Ref)
	if !ok || a.Get("Metadata") != ref || !c.changed.has(ref.Num) {
		return nil
	}
	if same, err := c.unchanged(ref.Num); err != nil || same {
		return err
	}
	for _, f := range []*pdf.File{c.old, c.new} {
		o, err := f.Resolve(ref)
		if err != nil {
			return err
		}
		if s, ok := o.(*pdf.Stream); !ok || s.Get("Type") != pdf.Name("Metadata") {
			return refuseChange("its metadata is no longer metadata.")
		}
	}
	c.claimed.add(ref.Num)
	return c.reworded(ref, ref)
}

// extensions: a dictionary of developers, each with one or several dictionaries of plain
// values (ISO 32000-2, 7.12).
func (c *comparison) extensions(o, before pdf.Object) error {
	d, err := c.dict(o)
	if err != nil || o == nil {
		return err
	}
	const bad = "its list of extensions holds something else."
	if d == nil {
		return refuseChange(bad)
	}
	for _, k := range d.Keys() {
		if k == "Type" {
			continue
		}
		list, err := c.new.Resolve(d.Get(k))
		if err != nil {
			return err
		}
		all, ok := list.(pdf.Array)
		if !ok {
			all = pdf.Array{d.Get(k)}
		}
		for _, o := range all {
			x, err := c.dict(o)
			if err != nil {
				return err
			}
			if x == nil || !flat(x) || !only(x, []pdf.Name{"Type", "BaseVersion", "ExtensionLevel", "URL", "ExtensionRevision"}) {
				return refuseChange(bad)
			}
			if err := c.own(o, nil); err != nil {
				return err
			}
		}
		if err := c.own(d.Get(k), nil); err != nil {
			return err
		}
	}
	// Replaced under its number: then it must not be used for anything else.
	if ref, ok := o.(pdf.Ref); ok && o == before && c.changed.has(ref.Num) {
		c.shared[ref.Num] = true
	}
	return c.own(o, before)
}

// own claims the object behind a value if it is new, or if it is the one that stood in the
// same place before. Any other object that was there before has uses of its own.
func (c *comparison) own(o, before pdf.Object) error {
	ref, ok := o.(pdf.Ref)
	if !ok || !c.changed.has(ref.Num) {
		return nil
	}
	_, was, err := c.old.Current(ref.Num)
	if err == nil && (!was || o == before) {
		c.claimed.add(ref.Num)
	}
	return err
}
