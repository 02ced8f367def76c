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
	steps := map[stepKey]*comparison{}
	step := func(number int, end int64) error {
		k := stepKey{number, end}
		if steps[k] == nil {
			steps[k], err = v.step(revs, k)
		}
		return err
	}
	changed := func(it *item) bool { return it.broken == "" && !v.torn && it.end != v.size }
	for _, it := range v.items {
		if it.broken == "" && v.torn {
			it.changes = finding{state: forged, text: "The file was changed after signing: something was added that is not a complete update."}
		}
		if !changed(it) {
			continue
		}
		if err := step(it.number, it.end); err != nil {
			return err
		}
		// The steps between later revisions are shared; the first begins where this one ends.
		for n := it.number + 1; n < len(revs); n++ {
			if err := step(n, revs[n-1].End); err != nil {
				return err
			}
		}
	}
	if err := v.references(revs, steps); err != nil {
		return err
	}
	later := map[int]finding{} // what the updates after a revision did, by its number
	for n := len(revs) - 1; n > 0; n-- {
		later[n] = later[n+1]
		if c := steps[stepKey{n, revs[n-1].End}]; c != nil {
			later[n] = c.and(later[n+1])
		}
	}
	for _, it := range v.items {
		if changed(it) {
			it.changes = steps[stepKey{it.number, it.end}].and(later[it.number+1])
		}
	}
	return nil
}

// stepKey is the revision a step begins at, and where that ends.
type stepKey struct {
	number int
	end    int64
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

const cannotTell = "Whether the file was changed after signing cannot be told, because its later part cannot be read."

// step compares a revision with the next one, or with the whole file if it is the last. What
// references has to say about it is left for later.
func (v *verification) step(revs []pdf.Revision, at stepKey) (*comparison, error) {
	c := &comparison{v: v, signables: map[pdf.Ref]bool{}, shared: map[int]bool{}, sole: map[int]int{}}
	c.notes = map[int]bool{}
	var err error
	if c.old, err = v.f.At(at.end); err == nil {
		c.new = v.f
		if at.number+1 < len(revs) {
			c.new, err = v.f.At(revs[at.number].End)
		}
	}
	if err == nil {
		err = c.run()
	}
	// What is not needed any more: there may be thousands of steps.
	c.new, c.signables, c.changed, c.claimed, c.locks = nil, nil, numbers{}, numbers{}, nil
	err = c.conclude(err)
	if len(c.watched) == 0 {
		c.old = nil
	}
	return c, err
}

// conclude turns what stopped a comparison into its finding.
func (c *comparison) conclude(err error) error {
	var r refused
	switch {
	case err == nil:
		return nil
	case c.v.ctx.Err() != nil:
		return c.v.ctx.Err()
	case errors.As(err, &r):
		c.finding = finding{state: max(c.state, altered), text: "The file was changed after signing: " + r.text}
	default: // a file that the comparison cannot read through is not one it can vouch for
		c.finding = finding{state: altered, text: cannotTell}
	}
	c.watched = nil
	return nil
}

// comparison explains the difference between a signed revision and the file, in the manner
// of a white list: every object the later updates speak of must either be as it was, or be
// claimed by a rule about what signing does. What no rule claims is a change.
type comparison struct {
	v         *verification
	old, new  *pdf.File
	changed   numbers // those the later updates speak of
	claimed   numbers
	signables map[pdf.Ref]bool // new signature fields and their widgets
	shared    map[int]bool     // replaced containers, whose other uses must be ruled out
	sole      map[int]int      // objects that only one other may refer to, by number
	watched   []int            // objects that the signed version may not refer to, but for the last two

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
			c.changed.add(ch.Num)
		}
	}
	if err := c.policy(); err != nil {
		return err
	}
	for _, step := range []func() error{c.trailer, c.catalog, c.form, c.rest, c.watch} {
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
