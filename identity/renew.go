package identity

import (
	"context"
	"errors"
	"strconv"
	"time"

	"countersign/audit"
	"countersign/mail"
	"countersign/people"
)

// Renewal: the owner asks, an admin has a new credential made after the same identity check
// (issuing is never one's own), and in the transaction in which it is seen active it becomes
// the default and the old one retires. Each step is a row that another process goes on from;
// a unique index keeps it to one successor.

// AskRenewal asks the admins for a successor. Asking again changes nothing.
func (s *Service) AskRenewal(ctx context.Context, a people.Actor, id CredentialID) error {
	c, err := s.credentialFor(ctx, a, id, "credential.renew-ask")
	if err != nil {
		return err
	}
	e := ofCredential(c, "credential.renew-ask")
	if c.Person != a.Person || !people.May(a, people.ManageOwnCredentials) {
		return s.refuse(ctx, a, codeRole, e)
	}
	if !c.RenewalAsked.IsZero() {
		return nil
	}
	if _, err := s.renewable(ctx, c); err != nil {
		return err
	}
	if _, err := s.store.SuccessorOf(ctx, c.ID); !errors.Is(err, ErrNotFound) {
		if err == nil {
			return nil // on its way already
		}
		return ofStore(err)
	}
	c.RenewalAsked = s.now()
	letters, err := s.renewalLetters(ctx, c)
	if err != nil {
		return ofStore(err)
	}
	return s.change(ctx, a, c, e, letters)
}

// DropRenewal takes the wish back: its owner, or an admin, who thereby says no.
func (s *Service) DropRenewal(ctx context.Context, a people.Actor, id CredentialID) error {
	c, err := s.forManaging(ctx, a, id, "credential.renew-drop")
	if err != nil || c.RenewalAsked.IsZero() {
		return err
	}
	asked := c.RenewalAsked
	var letters []mail.Message
	if c.Person != a.Person {
		p, err := s.store.Person(ctx, c.Person)
		if err != nil {
			return ofStore(err)
		}
		l := s.letter(p)
		letters = s.send(l, "credential.renewal-declined:"+string(c.ID)+":"+stamp(asked), l.say("No new signing credential for now", nil), "/credentials/"+string(c.ID),
			l.say("an admin has declined to have a new signing credential made for you. The one you have stays as it is. Your admin can tell you why.", nil))
	}
	c.RenewalAsked = time.Time{}
	return s.change(ctx, a, c, ofCredential(c, "credential.renew-drop"), letters)
}

// Renew has a successor of the same profile made after the same identity check. DTM is
// looked at first: only a check that still counts leads to a credential.
func (s *Service) Renew(ctx context.Context, a people.Actor, id CredentialID) (Credential, error) {
	old, err := s.credentialFor(ctx, a, id, "credential.renew")
	if err != nil {
		return old, err
	}
	e := ofCredential(old, "credential.renew")
	if err := s.allow(ctx, a, people.IssueCredential, e); err != nil {
		return old, err
	}
	if old.Person == a.Person {
		return old, s.refuse(ctx, a, codeOwn, e)
	}
	v, err := s.renewable(ctx, old)
	if err != nil {
		return old, err
	}
	seen, err := s.look(ctx, v)
	if err != nil && !errors.Is(err, ErrConflict) {
		return old, ofRead(err)
	}
	if err == nil && seen.State != ValidationApproved {
		return old, fail(codeNewCheck, nil)
	}
	if c, err := s.store.SuccessorOf(ctx, old.ID); err == nil {
		return c, nil // the same wish once more
	} else if !errors.Is(err, ErrNotFound) {
		return old, ofStore(err)
	}
	c, ours, err := s.reserve(ctx, a, v, old.Profile, old.ID)
	if err != nil || !ours {
		return c, err
	}
	return s.issue(ctx, a, v, c, audit.Entry{Action: "credential.issue", Object: "credential", Owner: v.Person,
		Facts: map[string]string{"validation": string(v.ID), "replaces": string(old.ID)}})
}

// renewable answers the identity check that a successor would rest on.
func (s *Service) renewable(ctx context.Context, c Credential) (Validation, error) {
	switch {
	case !c.RetiredAt.IsZero():
		return Validation{}, fail(codeRetired, nil)
	case c.State != CredentialActive:
		return Validation{}, fail(codeWrongState, nil)
	}
	v, err := s.store.Validation(ctx, c.Validation)
	if errors.Is(err, ErrNotFound) || err == nil && v.State != ValidationApproved {
		return v, fail(codeNewCheck, err)
	}
	return v, ofStore(err)
}

// Successor is the credential that takes this one's place, being made or made; ErrNotFound.
func (s *Service) Successor(ctx context.Context, a people.Actor, id CredentialID) (Credential, error) {
	if _, err := s.credentialFor(ctx, a, id, "credential.read"); err != nil {
		return Credential{}, err
	}
	c, err := s.store.SuccessorOf(ctx, id)
	return c, ofStore(err)
}

// SetDefault keeps which of their own a person signs with unless they choose another.
func (s *Service) SetDefault(ctx context.Context, a people.Actor, id CredentialID) error {
	c, err := s.credentialFor(ctx, a, id, "credential.default")
	if err != nil {
		return err
	}
	e := ofCredential(c, "credential.default")
	if c.Person != a.Person || !people.May(a, people.ManageOwnCredentials) {
		return s.refuse(ctx, a, codeRole, e)
	}
	if c.State != CredentialActive {
		return fail(codeWrongState, nil)
	}
	if !c.RetiredAt.IsZero() {
		return fail(codeRetired, nil)
	}
	e.To = e.From
	return ofStore(s.store.Apply(ctx, Change{Default: &Default{Person: c.Person, Credential: c.ID}, Entries: []audit.Entry{done(e, a)}, Topics: credentialTopics(c)}))
}

// succeed adds to the change that makes a successor active what follows from it.
func (s *Service) succeed(ctx context.Context, change *Change, to Credential) error {
	old, err := s.store.Credential(ctx, to.Replaces)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	change.Default = &Default{Person: to.Person, Credential: to.ID, InsteadOf: old.ID}
	if old.State.Ended() || !old.RetiredAt.IsZero() {
		return nil
	}
	old.RetiredAt, old.RenewalAsked = s.now(), time.Time{}
	e := bySystem(ofCredential(old, "credential.retire"), "renewal")
	e.To, e.Facts = string(old.State), map[string]string{"successor": string(to.ID)}
	change.Credentials = append(change.Credentials, Moved[CredentialState, Credential]{From: old.State, To: old})
	change.Entries = append(change.Entries, e)
	change.Topics = append(change.Topics, credentialTopics(old)...)
	return nil
}

// change writes a credential that stays in its state.
func (s *Service) change(ctx context.Context, a people.Actor, c Credential, e audit.Entry, letters []mail.Message) error {
	e.To = string(c.State)
	return ofStore(s.store.Apply(ctx, Change{Credentials: []Moved[CredentialState, Credential]{{From: c.State, To: c}},
		Entries: []audit.Entry{done(e, a)}, Mail: letters, Topics: credentialTopics(c)}))
}

func (s *Service) renewalLetters(ctx context.Context, c Credential) (all []mail.Message, err error) {
	admins, err := s.store.Admins(ctx)
	for _, admin := range admins {
		if admin.ID == c.Person {
			continue
		}
		l := s.letter(admin)
		all = append(all, s.send(l, "credential.renewal:"+string(c.ID)+":"+stamp(c.RenewalAsked)+":"+string(admin.ID),
			l.say("A new signing credential is asked for", nil), "/credentials/"+string(c.ID),
			l.say("somebody asks for a new signing credential in the place of one that they have. Their identity check still counts; an admin has it made or declines.", nil))...)
	}
	return all, err
}

func stamp(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
