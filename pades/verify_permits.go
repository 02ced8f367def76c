package pades

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"countersign/pades/pdf"
)

// policy collects what the signatures up to the old revision permit and forbid. Whatever
// forbids counts, whoever says it; what permits has to come from where it cannot be slipped
// in afterwards: from the certification that was there before any other signature, or from
// every single signature.
func (c *comparison) policy() error {
	sigs, err := c.old.Signatures()
	if err != nil {
		return err
	}
	c.open = len(sigs) > 0
	for _, s := range sigs {
		c.restrict(s.DocMDP)
		lock, d, err := c.old.Lock(s.Field)
		if err != nil {
			return err
		}
		if lock != nil { // a signer who left it out of the signature has still signed the field
			c.locks = append(c.locks, *lock)
			n, _ := d.Get("P").(pdf.Number)
			if p, ok := n.Int(); ok && p <= 3 {
				c.restrict(int(p))
			}
		}
		c.locks = append(c.locks, s.FieldLocks...)
		c.open = c.open && len(s.FieldLocks) > 0
		for _, l := range s.FieldLocks {
			c.open = c.open && len(l.Fields) > 0
		}
	}
	return c.author(sigs)
}

func (c *comparison) restrict(p int) {
	if p > 0 && (c.certified == 0 || p < c.certified) {
		c.certified = p
	}
}

// author sets what a certifying signature permits (ISO 32000-2, 12.8.2.2): the oldest
// signature of all, whole, and the one that the catalog's Perms names. A certification that
// came after another signature permits nothing: it would change what that one covers.
func (c *comparison) author(sigs []pdf.Signature) error {
	var first *item
	for _, it := range c.v.byEnd() {
		if it.broken == "" {
			first = it
			break
		}
	}
	if first == nil || first.stamp || first.end > c.old.Size {
		return nil
	}
	root, err := c.old.Catalog()
	if err != nil {
		return err
	}
	perms, err := c.old.Dict(root.Get("Perms"))
	if err != nil {
		return err
	}
	for _, s := range sigs { // as the signed version has it: what is named in it may be another by now
		if s.ContentsAt != first.sig.ContentsAt || s.DocMDP == 0 || s.Direct() || perms.Get("DocMDP") != s.Ref {
			continue
		}
		if _, err := c.v.crypto(first); err == nil {
			c.permitted = min(s.DocMDP, c.certified)
		}
	}
	return nil
}

// mayFill tells whether a form field may be filled in: by the author's leave (DocMDP 2 or 3),
// or because every signature says which fields it locks, and this one is not among them
// (FieldMDP, ISO 32000-2, 12.8.2.4). A signature that says nothing of fields leaves none open:
// whoever signs without a word signs the form as it is filled in. Other readers take silence
// for consent; they show the change, we do not call it valid.
func (c *comparison) mayFill(name string) error {
	if err := c.new.Spend(time.Duration(len(c.locks) * (costLock + len(name)))); err != nil {
		return err
	}
	for _, l := range c.locks {
		if l.Locks(name) {
			return refuseChange("the field %s was changed although an earlier signature locks it.", bounded(name))
		}
	}
	switch {
	case c.permitted >= 2:
		c.filledIn = append(c.filledIn, name)
	case c.certified == 1:
		return refuseChange("the form field %s was changed, which its author does not permit.", bounded(name))
	case c.open:
		c.leftOpen = append(c.leftOpen, name)
	default:
		return refuseChange("the form field %s was filled in or changed.", bounded(name))
	}
	return nil
}

// agreements says what was done that is permitted, a sentence for each kind.
func agreements(f finding) (said []string) {
	switch n := len(f.filledIn); {
	case n == 1:
		said = append(said, "One form field was filled in, as the author permits: "+names(f.filledIn)+".")
	case n > 1:
		said = append(said, fmt.Sprintf("%d form fields were filled in, as the author permits: %s.", n, names(f.filledIn)))
	}
	switch n := len(f.leftOpen); {
	case n == 1:
		said = append(said, "One form field was filled in that no signature locks: "+names(f.leftOpen)+".")
	case n > 1:
		said = append(said, fmt.Sprintf("%d form fields were filled in that no signature locks: %s.", n, names(f.leftOpen)))
	}
	switch n := len(f.notes); {
	case n == 1:
		said = append(said, "One annotation was added, changed or removed, as the author permits.")
	case n > 1:
		said = append(said, fmt.Sprintf("%d annotations were added, changed or removed, as the author permits.", n))
	}
	return said
}

// names lists the first few.
func names(all []string) string {
	const most = 5
	var list []string
	for _, n := range all[:min(len(all), most)] {
		list = append(list, bounded(n))
	}
	if len(all) > most {
		list = append(list, "…")
	}
	return strings.Join(list, ", ")
}

// bounded is a name out of a file: it may be long, and try to steer what shows it.
func bounded(name string) string {
	const most = 60
	if r := []rune(name); len(r) > most {
		name = string(r[:most]) + "…"
	}
	return strconv.Quote(name)
}
