package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"countersign/signing"
)

// checked is what became of one invariant.
type checked struct {
	ID      string         `json:"id"`
	Holds   string         `json:"holds"`   // what must hold
	Outcome string         `json:"outcome"` // "ok", "fail", "not checked", "could not look"
	Detail  string         `json:"detail"`  // how much was looked at, or why not
	Flaws   []signing.Flaw `json:"flaws"`
}

const (
	isOK        = "ok"
	isBroken    = "fail"
	isUnchecked = "not checked"
	isUnknown   = "could not look"
)

// look checks every invariant; one that cannot be looked at does not keep the others.
func (e *examination) look(ctx context.Context) (all []checked) {
	e.walked, e.booked = nil, nil
	e.examiner.Quick, e.examiner.Store = e.quick, e.rows()
	for _, i := range invariants {
		c := checked{ID: i.id, Holds: i.holds, Outcome: isOK, Flaws: []signing.Flaw{}}
		var err error
		c.Detail, err = i.look(e, ctx, func(f signing.Flaw) { c.Flaws = append(c.Flaws, f) })
		why, left := err.(unchecked) //nolint:errorlint // it is made here and never wrapped
		switch {
		case left:
			c.Outcome, c.Detail = isUnchecked, string(why)
		case err != nil:
			c.Outcome, c.Detail = isUnknown, cause(err)
		case len(c.Flaws) > 0:
			c.Outcome = isBroken
		}
		all = append(all, c)
	}
	return all
}

func anyFlaw(all []checked) bool {
	return slices.ContainsFunc(all, func(c checked) bool { return len(c.Flaws) > 0 })
}

// both keeps of the second look the flaws that were there at the first.
func both(first, second []checked) []checked {
	for i := range second {
		c := &second[i]
		c.Flaws = slices.DeleteFunc(c.Flaws, func(f signing.Flaw) bool {
			return !slices.ContainsFunc(first[i].Flaws, func(g signing.Flaw) bool {
				return f.Invariant == g.Invariant && f.Object == g.Object && f.Subject == g.Subject
			})
		})
		if c.Outcome == isBroken && len(c.Flaws) == 0 {
			c.Outcome = isOK
		}
	}
	return second
}

func exitOf(all []checked) int {
	code := 0
	for _, c := range all {
		switch c.Outcome {
		case isBroken:
			return 1
		case isUnknown:
			code = 2
		}
	}
	return code
}

// writeFindings prints one line for each invariant, and below it what is wrong.
func writeFindings(out io.Writer, all []checked) error {
	w := bufio.NewWriter(out)
	for _, c := range all {
		mark, rest := c.Outcome, c.Detail
		switch c.Outcome {
		case isUnchecked:
			mark, rest = "skip", "not checked: "+c.Detail
		case isUnknown:
			mark, rest = "?", "could not look: "+c.Detail
		case isBroken:
			rest = fmt.Sprintf("%d found (%s)", len(c.Flaws), c.Detail)
		}
		fmt.Fprintf(w, "%-4s  %-3s  %s: %s.\n", mark, c.ID, c.Holds, rest)
		for _, f := range c.Flaws {
			since := ""
			if !f.Since.IsZero() {
				since = ", since " + f.Since.Format(time.RFC3339)
			}
			fmt.Fprintf(w, "           %s %s%s: %s.\n           %s\n", f.Object, f.Subject, since, f.What, cmp.Or(f.Do, "Report it."))
		}
	}
	return w.Flush()
}
