// Package work shows what waits longer than it should, over all of the portal, and has some
// of it tried again.
//
// The one idea: stuck work is looked for in the rows themselves, by their states and times,
// and not in a list that somebody would have to keep. What may be tried again is only what may
// be done twice; whether the remote key signed is never asked a second time, that is for
// people. Doing the work belongs to the domains. Items hold ids, never a document's name: an
// admin looks after work, and does not read.
package work

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"countersign/audit"
	"countersign/people"
	"countersign/signing"
)

// Kind of an item.
type Kind string

// The kinds, in the order that a page shows them.
const (
	Closed     Kind = "closed"     // a document kept closed, because stored bytes are not what they were
	Unknown    Kind = "unknown"    // the key was asked and nobody knows with what result
	Discarded  Kind = "discarded"  // the key signed, and the result was not given out
	Finishing  Kind = "finishing"  // signed, and the file is not finished
	Stopped    Kind = "stopped"    // a file that could not be carried to its level
	Extending  Kind = "extending"  // a file that waits long for that
	Approval   Kind = "approval"   // an approval whose outcome is not known
	Issuing    Kind = "issuing"    // a credential of which it is not known whether it is being made
	LostMail   Kind = "lostmail"   // given up
	Mail       Kind = "mail"       // tried in vain
	FailingJob Kind = "failingjob" // failed three times or more, or for good
)

// Kinds lists them.
func Kinds() []Kind {
	return []Kind{Closed, Unknown, Discarded, Finishing, Stopped, Extending, Approval, Issuing, LostMail, Mail, FailingJob}
}

// Again reports whether an item of the kind may be tried again at once.
func (k Kind) Again() bool {
	return slices.Contains([]Kind{Finishing, Stopped, Extending, LostMail, Mail, FailingJob}, k)
}

// Settles reports whether an item of the kind stays until somebody says to have looked at it.
func (k Kind) Settles() bool {
	return slices.Contains([]Kind{Closed, Unknown, Discarded, Stopped, LostMail}, k)
}

// After is how long something of the kind may take before it counts as waiting too long.
func (k Kind) After() time.Duration {
	switch k {
	case Finishing:
		return time.Minute
	case Extending:
		return 24 * time.Hour
	case Approval, Issuing:
		return 5 * time.Minute
	}
	return 0
}

// Item is one thing that waits.
type Item struct {
	Kind     Kind
	ID       string    // of the row
	Owner    people.ID // whose it is; empty for mails and jobs
	Document string    // id; empty when it is about none
	Code     string    // of signing.Explain, or the kind of a job or of a mail's event; may be empty
	Tries    int
	Since    time.Time
	Next     time.Time // of the next try; zero: none comes by itself
}

// Ref is the item's name in an address.
func (i Item) Ref() string { return string(i.Kind) + "-" + i.ID }

// Store is what this package needs of the database.
type Store interface {
	// Waiting lists items of a kind that began before then, oldest first, at most n.
	Waiting(ctx context.Context, k Kind, then time.Time, n int) ([]Item, error)
	// Counts counts each kind, at most 100 each.
	Counts(ctx context.Context, now time.Time) (map[Kind]int, error)
	// Apply writes the entries and does what else the change says, in one transaction; ErrGone when the row
	// is not there, or not in a state that can be tried again.
	Apply(ctx context.Context, c Change) error
}

// Change is what one command does.
type Change struct {
	Entries []audit.Entry
	Settle  *Item // needs no more looking after
	By      people.ID
	Mail    string // id of a mail that is due now
	Job     string // id of a job that is due now
}

// ErrGone is answered for an item that does not wait any more.
var ErrGone = errors.New("it does not wait any more")

// ErrNotFound is answered for a reference that names no item there could be.
var ErrNotFound = errors.New("there is no such item")

// ErrForbidden is answered when the roles do not allow it.
var ErrForbidden = errors.New("the roles do not allow it")

// Signing tries what is its own again; *signing.Service is one.
type Signing interface {
	FinishAgain(ctx context.Context, a people.Actor, id signing.SignatureID) error
	ExtendAgain(ctx context.Context, a people.Actor, id signing.DocumentID) error
}

// Service lists and tries again.
type Service struct {
	Store   Store
	Signing Signing
	Now     func() time.Time
}

// AtOnce is how many items of one kind a page shows.
const AtOnce = 50

// Waiting lists what waits too long, by kind and then oldest first.
func (s *Service) Waiting(ctx context.Context, a people.Actor) ([]Item, error) {
	if !people.May(a, people.ReadHealth) {
		return nil, ErrForbidden
	}
	var all []Item
	for _, k := range Kinds() {
		items, err := s.Store.Waiting(ctx, k, s.Now().Add(-k.After()), AtOnce)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

// Counts counts what waits too long, by kind, at most 100 each.
func (s *Service) Counts(ctx context.Context, a people.Actor) (map[Kind]int, error) {
	if !people.May(a, people.ReadHealth) {
		return nil, ErrForbidden
	}
	return s.Store.Counts(ctx, s.Now())
}

// Again has an item tried now, for those kinds that may be done twice.
func (s *Service) Again(ctx context.Context, a people.Actor, ref string) error {
	k, id, err := s.command(ctx, a, "work.again", ref)
	switch {
	case err != nil:
		return err
	case !k.Again():
		return ErrGone
	}
	switch k {
	case Finishing:
		return gone(s.Signing.FinishAgain(ctx, a, signing.SignatureID(id)))
	case Stopped, Extending:
		return gone(s.Signing.ExtendAgain(ctx, a, signing.DocumentID(id)))
	}
	c := Change{Entries: []audit.Entry{entry(a, "work.again", k, id)}}
	if k == FailingJob {
		c.Job = id
	} else {
		c.Mail = id
	}
	return s.Store.Apply(ctx, c)
}

// Settle takes an item off the list, since somebody has looked after it.
func (s *Service) Settle(ctx context.Context, a people.Actor, ref string) error {
	k, id, err := s.command(ctx, a, "work.settle", ref)
	switch {
	case err != nil:
		return err
	case !k.Settles():
		return ErrGone
	}
	return s.Store.Apply(ctx, Change{Entries: []audit.Entry{entry(a, "work.settle", k, id)}, Settle: &Item{Kind: k, ID: id}, By: a.Person})
}

// command reads a reference and checks who asks; a refusal is written down.
func (s *Service) command(ctx context.Context, a people.Actor, action, ref string) (Kind, string, error) {
	kind, id, ok := strings.Cut(ref, "-")
	k := Kind(kind)
	if !people.May(a, people.ManageWork) {
		e := entry(a, action, k, id)
		e.Outcome = audit.Refused
		return k, id, errors.Join(ErrForbidden, s.Store.Apply(ctx, Change{Entries: []audit.Entry{e}}))
	}
	if !ok || id == "" || !slices.Contains(Kinds(), k) {
		return k, id, ErrNotFound
	}
	return k, id, nil
}

func entry(a people.Actor, action string, k Kind, id string) audit.Entry {
	return audit.Entry{Action: action, Object: object(k), Subject: id, Outcome: audit.Done, Facts: map[string]string{"kind": string(k)}}.By(a)
}

// object is the kind of row that an item is.
func object(k Kind) string {
	switch k {
	case Closed, Stopped, Extending:
		return "document"
	case Unknown, Discarded, Finishing:
		return "signature"
	case Approval:
		return "validation"
	case Issuing:
		return "credential"
	case LostMail, Mail:
		return "mail"
	}
	return "job"
}

func gone(err error) error {
	if errors.Is(err, signing.ErrNotFound) || errors.Is(err, signing.ErrConflict) {
		return errors.Join(ErrGone, err)
	}
	return err
}
