package pades

import (
	"errors"
	"fmt"
	"maps"
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

	filledIn []string     // fields filled in by the author's leave
	leftOpen []string     // fields filled in that no signature locks
	notes    map[int]bool // objects of notes added, changed or removed by the author's leave
}

type changeState int

const (
	unchanged changeState = iota
	expected              // only what signing does
	agreed                // also what the author, or every signer, left open
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
	f.filledIn, f.leftOpen = unique(f.filledIn, g.filledIn), unique(f.leftOpen, g.leftOpen)
	notes := maps.Clone(f.notes)
	if notes == nil {
		notes = map[int]bool{}
	}
	maps.Copy(notes, g.notes)
	f.notes = notes
	return f
}

// unique joins names, each once, in order.
func unique(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
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
		signables: map[pdf.Ref]bool{}, shared: map[int]bool{}, sole: map[int]int{}}
	c.notes = map[int]bool{}
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
	sole      map[int]int      // objects that only one other may refer to, by number

	certified int // the strictest DocMDP of any signature, 0: none
	permitted int // what a certification that counts permits, 0: nothing
	locks     []pdf.FieldMDP
	open      bool // every signature says which fields it locks
	dated     bool // the time and the tool of the last change were written down, and nothing else described
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
	agreedOn := len(c.filledIn)+len(c.leftOpen)+len(c.notes) > 0
	if agreedOn {
		c.state = max(c.state, agreed)
	}
	// Who signs, fills in or adds proof also writes down when, and with what; by itself that is an edit.
	if c.dated && !agreedOn && !c.store && c.signed+c.stamps == 0 {
		c.state = max(c.state, described)
	}
	return nil
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
	for num := range c.sole {
		watched[num] = true
	}
	if len(watched) == 0 {
		return nil
	}
	holders, err := c.holders()
	if err != nil {
		return err
	}
	uses := func(from, to pdf.Ref) error {
		holder, only := c.sole[to.Num]
		switch {
		case !watched[to.Num], c.shared[to.Num] && holders[from.Num], only && holder == from.Num:
			return nil
		case only:
			return refuseChange("the look of a form field was replaced that is used elsewhere as well (object %d).", to.Num)
		}
		return refuseChange("it now has an object that the signed version was waiting for (object %d).", to.Num)
	}
	n := 0
	if err := c.old.EachReference(func(from, to pdf.Ref) error {
		if n++; n%1024 == 0 && c.v.ctx.Err() != nil {
			return c.v.ctx.Err()
		}
		return uses(from, to)
	}); err != nil {
		return err
	}
	return pdf.References(c.old.Trailer, func(to pdf.Ref) error {
		if _, only := c.sole[to.Num]; !only {
			return nil // an index may have the number of an older one, and the trailer's own entries have their rules
		}
		return uses(pdf.Ref{}, to)
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
