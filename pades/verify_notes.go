package pades

import (
	"slices"

	"countersign/pades/pdf"
)

// Annotations that a certified file with P=3 may gain, change and lose. The attack on such
// files draws over what was signed, so the list holds only what a reader draws by itself and
// what cannot pass for the page's own content: notes, their windows and markings of text, as
// long as they bring no picture of their own (AP) and do nothing (A, AA). Free text, stamps,
// redactions, shapes, ink, links and attached files can write, cover or act: whether they do
// cannot be told from here, and so they are named.
var (
	noteKinds = []pdf.Name{"Text", "Popup", "Highlight", "Underline", "StrikeOut", "Squiggly"}
	noteKeys  = []pdf.Name{"Type", "Subtype", "Rect", "Contents", "P", "NM", "M", "F", "C", "CA", "T", "Popup", "RC", "CreationDate", "IRT", "RT",
		"Subj", "State", "StateModel", "QuadPoints", "Open", "Name", "Parent", "Lang", "Border", "BS"}
)

// isAnnotation tells of annotations other than a form's.
func isAnnotation(d *pdf.Dict) bool {
	sub, ok := d.Get("Subtype").(pdf.Name)
	return ok && sub != "Widget" && d.Has("Rect") && (!d.Has("Type") || d.Get("Type") == pdf.Name("Annot"))
}

// note tells whether an annotation is a mere note, and if its kind is one, the entry that
// keeps it from being that. An old one might be used for something else as well, say as a
// state of graphics: hence no opacity.
func note(d *pdf.Dict, old bool) (ok bool, entry string) {
	sub, _ := d.Get("Subtype").(pdf.Name)
	if !slices.Contains(noteKinds, sub) || !isAnnotation(d) {
		return false, ""
	}
	for _, k := range d.Keys() {
		v := d.Get(k)
		ok := slices.Contains(noteKeys, k)
		switch k {
		case "P", "Popup", "IRT", "Parent":
			if _, isRef := v.(pdf.Ref); isRef {
				continue
			}
		case "Contents", "RC":
			_, isText := v.(pdf.String)
			ok = isText
		case "CA":
			ok = !old
		}
		if !ok || !plain(v) {
			return false, string(k)
		}
	}
	return true, ""
}

// marks tells whether a list is the old one with widgets of signatures at its end, or,
// where its author permits notes, with other notes among the annotations that stayed.
func (c *comparison) marks(a, b pdf.Array) (bool, error) {
	if ok, err := c.grown(a, b); ok || err != nil {
		return ok, err
	}
	in := func(list pdf.Array) map[pdf.Ref]bool {
		set := map[pdf.Ref]bool{}
		for _, o := range list {
			if ref, ok := o.(pdf.Ref); ok {
				set[ref] = true
			}
		}
		return set
	}
	stayed := func(list pdf.Array, other map[pdf.Ref]bool, gone func(pdf.Ref) error) (pdf.Array, error) {
		var kept pdf.Array
		for _, o := range list {
			if ref, ok := o.(pdf.Ref); ok && !other[ref] {
				if err := gone(ref); err != nil {
					return nil, err
				}
				continue
			}
			kept = append(kept, o)
		}
		return kept, nil
	}
	was, is := in(a), in(b)
	before, err := stayed(a, is, c.noteRemoved)
	if err != nil {
		return false, err
	}
	after, err := stayed(b, was, c.noteAdded)
	if err != nil {
		return false, err
	}
	return c.old.Same(before, c.new, after)
}

func (c *comparison) noteAdded(ref pdf.Ref) error {
	if c.signables[ref] {
		return nil
	}
	d, err := c.dict(ref)
	if err != nil {
		return err
	}
	if c.permitted < 3 || c.certified < 3 {
		if c.certified > 0 {
			return refuseChange("an annotation was added, which its author does not permit.")
		}
		return refuseChange("an annotation was added to a page.")
	}
	if _, was, err := c.old.Current(ref.Num); err != nil || was {
		if err == nil {
			err = refuseChange("an annotation was added that had been in the file before.")
		}
		return err
	}
	if err := c.noteFits(d); err != nil {
		return err
	}
	c.claimed.add(ref.Num)
	c.notes[ref.Num] = true
	for _, k := range []pdf.Name{"Popup", "IRT", "Parent"} { // their windows may not be listed anywhere
		if to, ok := d.Get(k).(pdf.Ref); ok && c.changed.has(to.Num) && !c.claimed.has(to.Num) {
			x, err := c.dict(to)
			if err != nil {
				return err
			}
			if err := c.noteFits(x); err != nil {
				return err
			}
			if _, was, err := c.old.Current(to.Num); err != nil || was {
				return err // a changed one has a rule of its own
			}
			c.claimed.add(to.Num)
		}
	}
	return nil
}

func (c *comparison) noteFits(d *pdf.Dict) error {
	switch ok, entry := note(d, false); {
	case ok:
	case entry != "":
		return refuseChange("an annotation was added or changed that may hide or do something (its entry %s).", bounded(entry))
	default:
		kind, _ := d.Get("Subtype").(pdf.Name)
		return refuseChange("an annotation of the kind %s was added or changed, which may hide what was signed.", bounded(string(kind)))
	}
	return nil
}

// noteRemoved accepts that a note of the signed version is gone.
func (c *comparison) noteRemoved(ref pdf.Ref) error {
	d, err := c.old.Dict(ref)
	if err != nil {
		return err
	}
	if c.permitted < 3 || c.certified < 3 {
		if c.certified > 0 {
			return refuseChange("an annotation was removed, which its author does not permit.")
		}
		return refuseChange("an annotation was removed from a page.")
	}
	if ok, _ := note(d, true); !ok {
		return refuseChange("an annotation was removed that may have shown what was signed.")
	}
	c.notes[ref.Num] = true
	return nil
}

// noteChanged accepts a note that was changed, or freed (b is nil), under its number.
func (c *comparison) noteChanged(num int, a, b *pdf.Dict) error {
	switch ok, _ := note(a, true); {
	case c.permitted < 3 || c.certified < 3:
		if c.certified > 0 {
			return refuseChange("an annotation was changed, which its author does not permit.")
		}
		return refuseChange("an annotation on a page was changed.")
	case !ok || b != nil && a.Get("Subtype") != b.Get("Subtype"):
		return refuseChange("an annotation was changed that may have shown what was signed.")
	}
	c.notes[num] = true
	if b == nil {
		return nil
	}
	return c.noteFits(b)
}
