package identity

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"countersign/audit"
	"countersign/people"
)

// forReview loads a check that the actor may decide about: an admin, and never about
// themselves, whatever other roles they hold.
func (s *Service) forReview(ctx context.Context, a people.Actor, id ValidationID, action string) (Validation, error) {
	v, err := s.validationFor(ctx, a, id, action)
	if err != nil {
		return v, err
	}
	if err := s.allow(ctx, a, people.ReviewChecks, ofValidation(v, action)); err != nil {
		return v, err
	}
	if v.Person == a.Person {
		return v, s.refuse(ctx, a, codeOwn, ofValidation(v, action))
	}
	return v, nil
}

// Approve holds the approval for Options.ApprovalHold, within which it can be undone; then
// DTM is told once. Without a hold DTM is told at once. Where two admins have to approve,
// the first approval waits for the second, which is never the same person's.
func (s *Service) Approve(ctx context.Context, a people.Actor, id ValidationID) (Validation, error) {
	v, err := s.forReview(ctx, a, id, "validation.approve")
	if err != nil {
		return v, err
	}
	if !MayMove(CommandHold, v.State, ValidationApprovalHeld) {
		return v, fail(codeWrongState, nil)
	}
	if v.FirstBy == a.Person {
		return v, s.refuse(ctx, a, codeFirst, ofValidation(v, "validation.approve"))
	}
	if err := s.seatFree(ctx, v.Standard); err != nil {
		return v, err
	}
	now := s.now()
	to := v
	to.Reason, to.Note = "", ""
	if v.State == ValidationAwaitingApproval && s.o.Approvals > 1 {
		to = s.enter(to, ValidationAwaitingSecond, now)
		to.FirstBy, to.DecidedBy, to.Approvals = a.Person, "", s.o.Approvals
		v, err = s.record(ctx, v.State, to, done(ofValidation(v, "validation.approve-first"), a))
		return v, ofStore(err)
	}
	to.HeldUntil = now.Add(s.o.ApprovalHold)
	to = s.enter(to, ValidationApprovalHeld, now)
	to.DecidedBy, to.Approvals = a.Person, s.o.Approvals
	v, err = answered(s, PointHold, func() (Validation, error) {
		return s.record(ctx, v.State, to, done(ofValidation(v, "validation.approve"), a), DueJob{Job: FinishApproval{v.ID}, At: to.HeldUntil})
	})
	if err != nil {
		return v, ofStore(err)
	}
	if s.o.ApprovalHold > 0 {
		return v, nil
	}
	ctx, cancel := outlive(ctx, callTime)
	defer cancel()
	return s.sendApproval(ctx, v)
}

// seatFree refuses an approval that DTM would refuse for want of a seat. When DTM does not
// tell, the approval goes its way: DTM has the last word then as well.
func (s *Service) seatFree(ctx context.Context, standard Standard) error {
	seats, err := s.seats(ctx, standard)
	if err == nil && seats.Total >= 0 && seats.Available <= 0 {
		return fail(codeSeatsTaken, nil)
	}
	return nil
}

// UndoApproval takes back an approval that was not sent yet, both halves of it where there
// are two. Any admin may.
func (s *Service) UndoApproval(ctx context.Context, a people.Actor, id ValidationID) error {
	v, err := s.forReview(ctx, a, id, "validation.undo")
	if err != nil {
		return err
	}
	if !MayMove(CommandUndo, v.State, ValidationAwaitingApproval) {
		return fail(codeWrongState, nil)
	}
	to := s.enter(v, ValidationAwaitingApproval, s.now())
	to.DecidedBy, to.HeldUntil = "", time.Time{}
	_, err = s.record(ctx, v.State, to, done(ofValidation(v, "validation.undo"), a))
	return ofStore(err)
}

// FinishApproval sends a held approval to DTM once its time has come: exactly one call,
// whatever happens. It is the job's work and may run any number of times.
func (s *Service) FinishApproval(ctx context.Context, id ValidationID) error {
	v, err := s.store.Validation(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if v.State != ValidationApprovalHeld || s.now().Before(v.HeldUntil) {
		return nil
	}
	_, err = s.sendApproval(ctx, v)
	var e *Error
	if errors.Is(err, ErrConflict) || errors.As(err, &e) && e.Kind != KindInternal {
		return nil // settled, or to be settled by a look; the row says how
	}
	return err
}

func (s *Service) sendApproval(ctx context.Context, v Validation) (Validation, error) {
	const job = "finish-approval"
	facts := map[string]string{"decided_by": string(v.DecidedBy), "dtm": v.DTM}
	approver, err := s.store.Person(ctx, v.DecidedBy)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return v, ofStore(err)
	}
	if err != nil || !approver.Has(people.Admin) {
		return s.approvalBack(ctx, v, codeApprover, facts)
	}
	if v.FirstBy != "" {
		facts["first_by"] = string(v.FirstBy)
		first, err := s.store.Person(ctx, v.FirstBy)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return v, ofStore(err)
		}
		if err != nil || !first.Has(people.Admin) {
			return s.approvalBack(ctx, v, codeApprover, facts)
		}
	} else if s.o.Approvals > 1 {
		return s.approvalBack(ctx, v, codeTwo, facts)
	}
	to := s.enter(v, ValidationApprovalUnknown, s.now())
	to.Reason = codeSent
	e := bySystem(ofValidation(v, "validation.approve-send"), job)
	e.Facts = facts
	if v, err = answered(s, PointDecide, func() (Validation, error) { return s.record(ctx, v.State, to, e) }); err != nil {
		return v, ofStore(err) // undone, withdrawn, or another worker has it
	}
	if err := s.at(PointApprove, func() error { return s.dtm.ApproveValidation(ctx, v.DTM) }); err != nil {
		explained, mayBe := ofRemote(err)
		s.log.WarnContext(ctx, "an approval was not confirmed", "validation", v.ID, "may_have_happened", mayBe, "cause", err)
		if mayBe {
			return v, explained
		}
		v, recorded := s.approvalBack(ctx, v, explained.Code, facts)
		if recorded != nil {
			return v, recorded
		}
		// A refusal may also mean that DTM approved by itself: a look tells.
		if seen, err := s.look(ctx, v); err == nil {
			v = seen
		}
		if v.State == ValidationApproved {
			return v, nil
		}
		return v, explained
	}
	to = s.enter(v, ValidationApproved, s.now())
	to.Reason, to.HeldUntil, to.LookAt = "", time.Time{}, s.now().Add(s.o.PollInterval)
	e = bySystem(ofValidation(v, "validation.approved"), job)
	e.Facts = facts
	confirmed, err := answered(s, PointApproved, func() (Validation, error) { return s.record(ctx, v.State, to, e) })
	if errors.Is(err, ErrConflict) { // a look was quicker
		confirmed, err = s.store.Validation(ctx, v.ID)
	}
	return confirmed, ofStore(err)
}

// approvalBack returns a check to the desk: the approval did not happen, for certain.
func (s *Service) approvalBack(ctx context.Context, v Validation, reason string, facts map[string]string) (Validation, error) {
	to := s.enter(v, ValidationAwaitingApproval, s.now())
	to.Reason, to.DecidedBy, to.HeldUntil = reason, "", time.Time{}
	e := bySystem(ofValidation(v, "validation.approve-failed"), "finish-approval")
	e.Outcome, e.Reason, e.Facts = audit.Failed, reason, facts
	to, err := s.record(ctx, v.State, to, e)
	if err != nil {
		return to, ofStore(err)
	}
	if reason == codeApprover || reason == codeTwo {
		return to, fail(reason, nil)
	}
	return to, nil
}

// Refuse ends a check for one of RefusalReasons. The note is shown to the person.
func (s *Service) Refuse(ctx context.Context, a people.Actor, id ValidationID, reason, note string) error {
	return s.decide(ctx, a, id, CommandRefuse, ValidationRejected, RefusalReasons, reason, note, s.dtm.RejectValidation)
}

// Correct asks for the papers again, for one of CorrectionReasons.
func (s *Service) Correct(ctx context.Context, a people.Actor, id ValidationID, reason, note string) error {
	return s.decide(ctx, a, id, CommandCorrect, ValidationResubmit, CorrectionReasons, reason, note, s.dtm.CorrectValidation)
}

func (s *Service) decide(ctx context.Context, a people.Actor, id ValidationID, do Command, state ValidationState, list []Reason,
	reason, note string, call func(ctx context.Context, dtm, reason string) error) error {
	action := "validation." + string(do)
	v, err := s.forReview(ctx, a, id, action)
	if err != nil {
		return err
	}
	if !MayMove(do, v.State, state) {
		return fail(codeWrongState, nil)
	}
	if v.FirstBy == a.Person { // withdraw first: nobody is both for and against
		return s.refuse(ctx, a, codeFirst, ofValidation(v, action))
	}
	if do == CommandCorrect && v.Standard == Basic {
		return fail(codeNoPapers, nil)
	}
	if _, ok := findReason(list, reason); !ok {
		return fail(codeReason, nil)
	}
	if note = strings.TrimSpace(note); utf8.RuneCountInString(note) > 1000 || !utf8.ValidString(note) {
		return fail(codeNote, nil)
	}
	// The reason is kept before DTM is asked: should we die meanwhile, a look that finds the
	// check refused finds our reason beside it.
	v.Reason, v.Note, v.DecidedBy = reason, note, a.Person
	asked := done(ofValidation(v, action+"-ask"), a)
	asked.Reason = reason
	if v, err = answered(s, PointAsk, func() (Validation, error) { return s.record(ctx, v.State, v, asked) }); err != nil {
		return ofStore(err)
	}
	e := ofValidation(v, action)
	e.Reason = reason
	to := s.enter(v, state, s.now())
	err = s.ask(ctx, a, v, to, e, func(ctx context.Context) error { return call(ctx, v.DTM, reason) })
	var explained *Error
	if errors.As(err, &explained) && explained.Code != codeUnknown && explained.Kind == KindRemote {
		s.forget(ctx, v)
	}
	return err
}

// forget takes back a reason that came to nothing, unless somebody has written since: their
// reason may be on its way.
func (s *Service) forget(ctx context.Context, v Validation) {
	now, err := s.store.Validation(ctx, v.ID)
	if err != nil || now.Version != v.Version {
		return
	}
	now.Reason, now.Note, now.DecidedBy = "", "", ""
	e := bySystem(ofValidation(now, "validation.decide-failed"), "review")
	e.Outcome = audit.Failed
	if _, err := s.record(ctx, now.State, now, e); err != nil {
		s.log.WarnContext(ctx, "a reason stays on a check that was not decided", "validation", v.ID, "cause", err)
	}
}

// ask makes one call to DTM that changes a check, and writes down what came of it. The
// caller has checked that the move is allowed.
func (s *Service) ask(ctx context.Context, a people.Actor, v, to Validation, e audit.Entry, call func(context.Context) error) error {
	ctx, cancel := outlive(ctx, callTime)
	defer cancel()
	if err := s.at(PointCommand, func() error { return call(ctx) }); err != nil {
		explained, mayBe := ofRemote(err)
		failed := e
		failed.Outcome, failed.Reason = audit.Failed, explained.Code
		if err := s.store.Apply(ctx, Change{Entries: []audit.Entry{failed.By(a)}}); err != nil {
			return ofStore(err)
		}
		if mayBe {
			if err := s.store.LookSoon(ctx, v.ID, "", s.now()); err != nil {
				s.log.WarnContext(ctx, "look soon", "validation", v.ID, "cause", err)
			}
			return explained
		}
		if explained.Code == codeRefused { // most often because it has moved at DTM
			seen, err := s.look(ctx, v)
			if errors.Is(err, ErrConflict) { // somebody has written meanwhile
				seen, err = s.store.Validation(ctx, v.ID)
			}
			if err == nil && seen.State != v.State {
				return fail(codeChanged, explained)
			}
		}
		return explained
	}
	err := s.at(PointDone, func() error {
		_, err := s.record(ctx, v.State, to, done(e, a))
		return err
	})
	if errors.Is(err, ErrConflict) { // a look was quicker, or another command: DTM has the last word
		return s.afterAll(ctx, a, v.ID, to, e)
	}
	return ofStore(err)
}

// afterAll is for a call that DTM took while the row moved on without it. When the check
// is at DTM where the call has put it, who decided and why is written beside it.
func (s *Service) afterAll(ctx context.Context, a people.Actor, id ValidationID, to Validation, e audit.Entry) error {
	err := ErrConflict
	for try := 0; try < 10 && errors.Is(err, ErrConflict); try++ { // each time somebody else got on
		var current Validation
		if current, err = s.store.Validation(ctx, id); err != nil {
			return ofStore(err)
		}
		if current.State != to.State {
			if current, err = s.look(ctx, current); err != nil {
				continue
			}
			if current.State != to.State {
				return fail(codeChanged, nil)
			}
		}
		if to.DecidedBy == "" || current.DecidedBy != "" {
			return nil
		}
		current.Reason, current.Note, current.DecidedBy = to.Reason, to.Note, to.DecidedBy
		_, err = s.record(ctx, current.State, current, done(e, a))
	}
	if err != nil {
		return fail(codeChanged, err)
	}
	return nil
}
