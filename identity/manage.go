package identity

import (
	"context"
	"errors"

	"countersign/audit"
	"countersign/people"
)

// forManaging loads a credential the actor may suspend, resume and revoke: their own, or
// anybody's for an admin.
func (s *Service) forManaging(ctx context.Context, a people.Actor, id CredentialID, action string) (Credential, error) {
	c, err := s.credentialFor(ctx, a, id, action)
	if err != nil {
		return c, err
	}
	may := people.ManageCredentials
	if c.Person == a.Person {
		may = people.ManageOwnCredentials
	}
	return c, s.allow(ctx, a, may, ofCredential(c, action))
}

// Suspend holds a credential. Where the owner did it, the owner can resume it.
func (s *Service) Suspend(ctx context.Context, a people.Actor, id CredentialID) error {
	return anew(func() error { return s.suspend(ctx, a, id) })
}

func (s *Service) suspend(ctx context.Context, a people.Actor, id CredentialID) error {
	c, err := s.forManaging(ctx, a, id, "credential.suspend")
	if err != nil {
		return err
	}
	reason := codeOwner
	if c.Person != a.Person {
		reason = codeAdmin
	}
	return s.move(ctx, a, c, CommandSuspend, CredentialSuspended, reason, s.dtm.SuspendCredential)
}

// Resume ends a suspension.
func (s *Service) Resume(ctx context.Context, a people.Actor, id CredentialID) error {
	return anew(func() error { return s.resume(ctx, a, id) })
}

func (s *Service) resume(ctx context.Context, a people.Actor, id CredentialID) error {
	c, err := s.forManaging(ctx, a, id, "credential.resume")
	if err != nil {
		return err
	}
	if c.State == CredentialSuspended && c.Reason != codeOwner && !people.May(a, people.ManageCredentials) {
		return s.refuse(ctx, a, codeByAdmin, ofCredential(c, "credential.resume"))
	}
	return s.move(ctx, a, c, CommandResume, CredentialActive, "", s.dtm.ResumeCredential)
}

// Revoke ends a credential for good. One that is still being made is cancelled instead.
func (s *Service) Revoke(ctx context.Context, a people.Actor, id CredentialID, reason RevocationReason) error {
	return anew(func() error { return s.revoke(ctx, a, id, reason) })
}

func (s *Service) revoke(ctx context.Context, a people.Actor, id CredentialID, reason RevocationReason) error {
	c, err := s.forManaging(ctx, a, id, "credential.revoke")
	if err != nil {
		return err
	}
	switch reason {
	case KeyCompromise, AffiliationChanged, Superseded, CessationOfOperation:
	default:
		return fail(codeReason, nil)
	}
	if c.State == CredentialPending {
		return s.move(ctx, a, c, CommandRevoke, CredentialDeactivated, string(reason), s.dtm.CancelCredential)
	}
	p, err := s.store.Person(ctx, c.Person)
	if err != nil {
		return ofStore(err)
	}
	return s.move(ctx, a, c, CommandRevoke, CredentialRevoked, string(reason), func(ctx context.Context, name string) error {
		return s.dtm.RevokeCredential(ctx, name, string(reason), p.DTMUser)
	})
}

// errNotAsked marks a conflict with another change, found before DTM was asked for anything.
var errNotAsked = errors.New("the credential changed before DTM was asked")

// anew decides again where the credential changed between being read and being written, as it
// does when a look at DTM comes in between: nobody has to press twice for that.
func anew(do func() error) error {
	for try := 1; ; try++ {
		if err := do(); try == 5 || !errors.Is(err, errNotAsked) {
			return err
		}
	}
}

// move makes one call to DTM that changes a credential, and writes down what came of it.
func (s *Service) move(ctx context.Context, a people.Actor, c Credential, do Command, state CredentialState, reason string,
	call func(ctx context.Context, name string) error) error {
	if !MayMoveCredential(do, c.State, state) {
		return fail(codeWrongState, nil)
	}
	if (do == CommandSuspend || do == CommandResume) && !s.o.CanSuspend {
		return fail(codeSuspending, nil)
	}
	e := ofCredential(c, "credential."+string(do))
	e.Reason = reason
	ctx, cancel := outlive(ctx, callTime)
	defer cancel()
	// Who asked is written down first: should we die meanwhile, a look finds what became of it.
	asked := e
	asked.Action += "-ask"
	if soon := s.now().Add(inFlight); c.LookAt.IsZero() || soon.Before(c.LookAt) {
		c.LookAt = soon
	}
	if do == CommandSuspend {
		c.Reason = reason // whose suspension it is decides who may resume it
	}
	c, err := answered(s, PointAsk, func() (Credential, error) { return s.recordCredential(ctx, c.State, c, done(asked, a)) })
	if errors.Is(err, ErrConflict) {
		return fail(codeChanged, errors.Join(errNotAsked, err))
	}
	if err != nil {
		return ofStore(err)
	}
	if err := s.at(PointCommand, func() error { return call(ctx, c.Name) }); err != nil {
		return s.notMoved(ctx, a, c, e, err)
	}
	to := s.enterCredential(c, state, s.now())
	to.Reason = reason
	err = s.at(PointDone, func() error {
		_, err := s.recordCredential(ctx, c.State, to, done(e, a))
		return err
	})
	if errors.Is(err, ErrConflict) { // a look was quicker: DTM has the last word
		return s.movedAfterAll(ctx, a, to, e)
	}
	return ofStore(err)
}

// movedAfterAll is for a call that DTM took while the row moved on without it. Whose
// suspension it is is written beside it.
func (s *Service) movedAfterAll(ctx context.Context, a people.Actor, to Credential, e audit.Entry) error {
	err := ErrConflict
	for try := 0; try < 10 && errors.Is(err, ErrConflict); try++ {
		var current Credential
		if current, err = s.store.Credential(ctx, to.ID); err != nil {
			return ofStore(err)
		}
		if current.State != to.State {
			if current, err = s.lookCredential(ctx, current); err != nil {
				continue
			}
			if current.State != to.State {
				return fail(codeChanged, nil)
			}
		}
		if to.State != CredentialSuspended || current.Reason != "" {
			return nil
		}
		current.Reason = to.Reason
		_, err = s.recordCredential(ctx, current.State, current, done(e, a))
	}
	if err != nil {
		return fail(codeChanged, err)
	}
	return nil
}

func (s *Service) notMoved(ctx context.Context, a people.Actor, c Credential, e audit.Entry, cause error) error {
	explained, mayBe := ofRemote(cause)
	e.Outcome, e.Reason = audit.Failed, explained.Code
	change := Change{Entries: []audit.Entry{e.By(a)}}
	if !mayBe && c.State == CredentialActive && c.Reason != "" { // it is not going to be that suspension
		c.Reason = ""
		change.Credentials = []Moved[CredentialState, Credential]{{From: c.State, To: c}}
	}
	err := s.store.Apply(ctx, change)
	if errors.Is(err, ErrConflict) { // a look has tidied up
		err = s.store.Apply(ctx, Change{Entries: change.Entries})
	}
	if err != nil {
		return ofStore(err)
	}
	if current, err := s.store.Credential(ctx, c.ID); err == nil {
		c = current
	}
	if mayBe {
		if err := s.store.LookSoon(ctx, "", c.ID, s.now()); err != nil {
			s.log.WarnContext(ctx, "look soon", "credential", c.ID, "cause", err)
		}
		return explained
	}
	if explained.Code == codeRefused {
		if seen, err := s.lookCredential(ctx, c); err == nil && seen.State != c.State {
			return fail(codeChanged, explained)
		}
	}
	return explained
}

// FreshCredential reads a credential's state at DTM now, writes it down and answers it. It
// is asked right before a signature, so what DTM does not answer is an error, and so is a
// credential that DTM gives to another person.
func (s *Service) FreshCredential(ctx context.Context, id CredentialID) (Credential, error) {
	c, err := s.store.Credential(ctx, id)
	if err != nil {
		return c, ofStore(err)
	}
	for try := 0; ; try++ {
		d, err := s.dtm.Credential(ctx, c.Name)
		if err != nil {
			return c, ofRead(err)
		}
		p, err := s.store.Person(ctx, c.Person)
		if err != nil {
			return c, ofStore(err)
		}
		if d.Name != c.Name || p.DTMUser == "" || d.UserID != "" && d.UserID != p.DTMUser {
			return c, s.refuse(ctx, people.System("fresh-credential"), codeBinding, ofCredential(c, "credential.use"))
		}
		seen, err := s.seeCredential(ctx, c, d)
		if !errors.Is(err, ErrConflict) || try == 2 {
			return seen, ofStore(err)
		}
		if c, err = s.store.Credential(ctx, id); err != nil { // it was written meanwhile: look once more
			return c, ofStore(err)
		}
	}
}
