package pades

import (
	"errors"
	"fmt"
	"slices"

	"countersign/pades/pdf"
)

// finding is what was done to the file after a revision ended.
type finding struct {
	state  changeState
	text   string // why not, one sentence
	signed int    // signatures added
	stamps int    // document timestamps added
	fields int    // empty signature fields added
	store  bool   // validation data added
	unused int    // objects added that nothing refers to
}

type changeState int

const (
	unchanged changeState = iota
	expected              // only what signing does
	described             // also the description of the file: title, author, dates
	altered               // anything else
	forged                // the structure itself was tampered with
)

// compareAll finds out what was done to the file after each signed revision, update by
// update: what one update may do does not depend on what a later one makes of it.
func (v *verification) compareAll() error {
	revs, err := v.f.Revisions()
	if err != nil {
		return fmt.Errorf("read revisions: %w", err)
	}
	later := map[int]finding{} // what the updates after a revision did, by its number
	for _, it := range slices.Backward(v.byEnd()) {
		if it.broken != "" {
			continue
		}
		if v.torn {
			it.changes = finding{state: forged, text: "The file was changed after signing: something was added that is not a complete update."}
			continue
		}
		if it.end == v.size {
			continue
		}
		// The steps between later revisions are shared; the first begins where this one ends.
		for n := len(revs) - 1; n > it.number; n-- {
			if _, ok := later[n]; ok {
				continue
			}
			step, err := v.step(revs, n, revs[n-1].End)
			if err != nil {
				return err
			}
			later[n] = step.and(later[n+1])
		}
		step, err := v.step(revs, it.number, it.end)
		if err != nil {
			return err
		}
		it.changes = step.and(later[it.number+1])
	}
	return nil
}

func (v *verification) byEnd() []*item {
	return slices.SortedStableFunc(slices.Values(v.items), func(a, b *item) int { return int(max(-1, min(1, a.end-b.end))) })
}

// and joins what two steps did; the graver says why.
func (f finding) and(g finding) finding {
	if g.state > f.state {
		f.state, f.text = g.state, g.text
	}
	f.signed, f.stamps, f.fields, f.store = f.signed+g.signed, f.stamps+g.stamps, f.fields+g.fields, f.store || g.store
	f.unused += g.unused
	return f
}

// step compares a revision, of a number and ending at end, with the next one, or with the
// whole file if it is the last.
func (v *verification) step(revs []pdf.Revision, number int, end int64) (finding, error) {
	const text = "Whether the file was changed after signing cannot be told, because its later part cannot be read."
	old, err := v.f.At(end)
	if err != nil {
		return finding{state: altered, text: text}, v.ctx.Err()
	}
	next := v.f
	if number+1 < len(revs) {
		if next, err = v.f.At(revs[number].End); err != nil {
			return finding{state: altered, text: text}, v.ctx.Err()
		}
	}
	c := &comparison{v: v, old: old, new: next, changed: map[int]bool{}, claimed: map[int]bool{},
		signables: map[pdf.Ref]bool{}, shared: map[int]bool{}}
	err = c.run()
	var r refused
	switch {
	case err == nil:
		return c.finding, nil
	case errors.As(err, &r):
		return finding{state: max(c.state, altered), text: "The file was changed after signing: " + r.text}, nil
	case v.ctx.Err() != nil:
		return finding{}, v.ctx.Err()
	}
	// A file that the comparison cannot read through is not one it can vouch for.
	return finding{state: altered, text: text}, nil
}

// comparison explains the difference between a signed revision and the file, in the manner
// of a white list: every object the later updates speak of must either be as it was, or be
// claimed by a rule about what signing does. What no rule claims is a change.
type comparison struct {
	v         *verification
	old, new  *pdf.File
	changed   map[int]bool // numbers the later updates speak of
	claimed   map[int]bool
	signables map[pdf.Ref]bool // new signature fields and their widgets
	shared    map[int]bool     // replaced containers, whose other uses must be ruled out
	certified int              // DocMDP in force, 0: none
	locks     []pdf.FieldMDP
	finding
}

// refused ends a comparison with a reason.
type refused struct{ text string }

func (r refused) Error() string { return r.text }

func refuseChange(format string, args ...any) error { return refused{fmt.Sprintf(format, args...)} }

func (c *comparison) run() error {
	changes, ok, err := c.new.Continues(c.old)
	if err != nil {
		return err
	}
	if !ok {
		c.state = forged
		return refuseChange("what was added does not build on the signed version.")
	}
	stray, err := c.new.Account(c.old.Size, c.v.ctx.Err)
	if err != nil {
		return err
	}
	if stray != nil {
		if stray.Object {
			c.state = forged
			return refuseChange("it holds an object that no index lists.")
		}
		return refuseChange("it holds bytes that belong to no update.")
	}
	if len(changes) == 0 {
		return nil
	}
	c.state = expected
	for _, ch := range changes {
		if ch.Num != 0 {
			c.changed[ch.Num] = true
		}
	}
	if err := c.policy(); err != nil {
		return err
	}
	for _, step := range []func() error{c.trailer, c.catalog, c.form, c.rest, c.references} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// policy collects what the signatures up to the old revision permit.
func (c *comparison) policy() error {
	sigs, err := c.old.Signatures()
	if err != nil {
		return err
	}
	for _, s := range sigs {
		if s.DocMDP > 0 && (c.certified == 0 || s.DocMDP < c.certified) {
			c.certified = s.DocMDP
		}
		c.locks = append(c.locks, s.FieldLocks...)
	}
	return nil
}

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
		c.state = described
		if err := c.claim(b); err != nil {
			return err
		}
	}
	if ref, ok := c.new.Trailer.Get("Info").(pdf.Ref); ok && c.changed[ref.Num] {
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
		c.state = described
		c.claimed[ref.Num] = true
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
			c.state = described
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
	c.claimed[root.Num] = true
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
	if !ok || a.Get("Metadata") != ref || !c.changed[ref.Num] {
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
	c.state = described
	c.claimed[ref.Num] = true
	return nil
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
	if ref, ok := o.(pdf.Ref); ok && o == before && c.changed[ref.Num] {
		c.shared[ref.Num] = true
	}
	return c.own(o, before)
}

// own claims the object behind a value if it is new, or if it is the one that stood in the
// same place before. Any other object that was there before has uses of its own.
func (c *comparison) own(o, before pdf.Object) error {
	ref, ok := o.(pdf.Ref)
	if !ok || !c.changed[ref.Num] {
		return nil
	}
	_, was, err := c.old.Current(ref.Num)
	if err == nil && (!was || o == before) {
		c.claimed[ref.Num] = true
	}
	return err
}

// rest: pages that gain a signature's widget, lists that gain a signature, the index itself;
// then nothing may be left over.
func (c *comparison) rest() error {
	for _, num := range sorted(c.changed) {
		if err := c.v.ctx.Err(); err != nil {
			return err
		}
		if c.claimed[num] {
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
	case d.Get("Type") == pdf.Name("Page") || d.Get("Type") == pdf.Name("Pages"):
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
	if err != nil || !is {
		return false, err
	}
	y, err := c.new.Resolve(ref)
	if err != nil {
		return false, err
	}
	oldRef, was, err := c.old.Current(num)
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
			return ok, c.page(d, y, ok)
		}
	case pdf.Array:
		if was {
			d, ok := x.(pdf.Array)
			if !ok {
				return false, nil
			}
			return c.grown(d, y)
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
			if ok, err := c.grown(before, after); err != nil || !ok {
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
		case b.Has("FT") || b.Get("Subtype") == pdf.Name("Widget"):
			return refuseChange("a form field was filled in or changed.")
		default:
			return refuseChange("the entry %s of an object was changed.", k)
		}
	}
	return nil
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

// references rules out that an added object, or a list of the store that grew, is also used
// by the signed version: a file may refer to objects it does not have, to show later what
// was not there when it was signed.
func (c *comparison) references() error {
	watched := map[int]bool{}
	for num := range c.changed {
		if _, was, err := c.old.Current(num); err != nil {
			return err
		} else if !was || c.shared[num] {
			watched[num] = true
		}
	}
	if len(watched) == 0 {
		return nil
	}
	holders, err := c.holders()
	if err != nil {
		return err
	}
	n := 0
	return c.old.EachReference(func(from, to pdf.Ref) error {
		if n++; n%1024 == 0 && c.v.ctx.Err() != nil {
			return c.v.ctx.Err()
		}
		if !watched[to.Num] || c.shared[to.Num] && holders[from.Num] {
			return nil
		}
		return refuseChange("it now has an object that the signed version was waiting for (object %d).", to.Num)
	})
}

// claim accepts the new objects a value leads to. Objects that were there before are left to
// their own rules.
func (c *comparison) claim(o pdf.Object) error {
	if len(c.claimed) > 100_000 {
		return pdf.ErrTooComplex
	}
	return pdf.References(o, func(ref pdf.Ref) error {
		if !c.changed[ref.Num] || c.claimed[ref.Num] {
			return nil
		}
		if _, was, err := c.old.Current(ref.Num); err != nil || was {
			return err
		}
		c.claimed[ref.Num] = true
		next, err := c.new.Resolve(ref)
		if err != nil {
			return err
		}
		return c.claim(next)
	})
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

func sorted(set map[int]bool) []int {
	nums := make([]int, 0, len(set))
	for n := range set {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	return nums
}
