package pades

import (
	"errors"
	"slices"

	"countersign/pades/pdf"
)

// watch notes the objects that the signed version may not refer to: those that were added,
// or that were replaced as part of a structure of which they have to be part only.
func (c *comparison) watch() error {
	var set numbers
	for num := range c.changed.all() {
		if _, was, err := c.old.Current(num); err != nil {
			return err
		} else if !was || c.shared[num] {
			set.add(num)
		}
	}
	for num := range c.sole {
		set.add(num)
	}
	c.watched = slices.AppendSeq(make([]int, 0, set.n), set.all())
	return nil
}

// references rules out that an added object, or a list of the store that grew, is also used
// by the signed version: a file may refer to objects it does not have, to show later what was
// not there when it was signed. All versions are read in one pass.
func (v *verification) references(revs []pdf.Revision, steps map[stepKey]*comparison) error {
	// A step that failed decides for all before it, whatever they hold.
	failed := 0
	for k, c := range steps {
		if c.state >= altered && k.number <= len(revs) && k.end == revs[k.number-1].End {
			failed = max(failed, k.number)
		}
	}
	var watching []*comparison
	for k, c := range steps {
		if c.state < altered && len(c.watched) > 0 && k.number >= failed {
			watching = append(watching, c)
		}
	}
	slices.SortFunc(watching, func(a, b *comparison) int { return int(max(-1, min(1, a.old.Size-b.old.Size))) })
	var union numbers
	versions := make([]*pdf.File, len(watching))
	holders := make([]map[int]bool, len(watching))
	for i, c := range watching {
		versions[i] = c.old
		for _, num := range c.watched {
			union.add(num)
		}
		var err error
		if holders[i], err = c.holders(); err != nil {
			if err := c.conclude(err); err != nil {
				return err
			}
		}
	}
	n := 0
	judge := func(first, last int, from, to pdf.Ref) error {
		if n++; n%1024 == 0 && v.ctx.Err() != nil {
			return v.ctx.Err()
		}
		if !union.has(to.Num) {
			return nil
		}
		for i := first; i <= last; i++ {
			if err := watching[i].conclude(watching[i].uses(from, to, holders[i])); err != nil {
				return err
			}
		}
		return nil
	}
	err := pdf.EachReference(versions, judge)
	for i := 0; i < len(versions) && errors.Is(err, pdf.ErrDamaged); i++ { // they do not build on each other
		if again := pdf.EachReference(versions[i:i+1], func(_, _ int, from, to pdf.Ref) error { return judge(i, i, from, to) }); again != nil {
			err = again
		} else if i == len(versions)-1 {
			err = nil
		}
	}
	for i, c := range watching {
		switch {
		case c.watched == nil: // judged
		case err == nil:
			err := pdf.References(c.old.Trailer, func(to pdf.Ref) error {
				if _, only := c.sole[to.Num]; !only {
					return nil // an index may have the number of an older one, and the trailer's own entries have their rules
				}
				return c.uses(pdf.Ref{}, to, holders[i])
			})
			if err := c.conclude(err); err != nil {
				return err
			}
		default:
			if err := c.conclude(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// uses judges a reference of the signed version.
func (c *comparison) uses(from, to pdf.Ref, holders map[int]bool) error {
	if _, watched := slices.BinarySearch(c.watched, to.Num); !watched {
		return nil
	}
	holder, only := c.sole[to.Num]
	switch {
	case c.shared[to.Num] && holders[from.Num], only && holder == from.Num:
		return nil
	case only:
		return refuseChange("the look of a form field was replaced that is used elsewhere as well (object %d).", to.Num)
	}
	return refuseChange("it now has an object that the signed version was waiting for (object %d).", to.Num)
}

// claim accepts the new objects a value leads to. Objects that were there before are left to
// their own rules.
func (c *comparison) claim(o pdf.Object) error {
	var next []pdf.Ref
	gather := func(ref pdf.Ref) error {
		if !c.changed.has(ref.Num) || c.claimed.has(ref.Num) {
			return nil
		}
		if _, was, err := c.old.Current(ref.Num); err != nil || was {
			return err
		}
		c.claimed.add(ref.Num)
		next = append(next, ref)
		return nil
	}
	if err := pdf.References(o, gather); err != nil {
		return err
	}
	for len(next) > 0 {
		if c.claimed.n > 100_000 {
			return pdf.ErrTooComplex
		}
		ref := next[len(next)-1]
		next = next[:len(next)-1]
		o, err := c.new.Resolve(ref)
		if err != nil {
			return err
		}
		if err := pdf.References(o, gather); err != nil {
			return err
		}
	}
	return nil
}
