package identity

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"countersign/audit"
	"countersign/dtmclient"
)

const (
	lookBatch    = 50
	lookMost     = 500 // rows of one sweep; the next one takes the rest
	lookParallel = 3   // DigiCert advises two or three requests at a time
)

// LookAgain sweeps what is due: it looks at DTM, and ends what has waited past its
// deadline. It answers how many rows it looked at. A row that fails is due again later
// and does not keep the others.
func (s *Service) LookAgain(ctx context.Context) (n int, err error) {
	for n < lookMost && ctx.Err() == nil {
		now := s.now()
		checks, err := s.store.DueValidations(ctx, now, now.Add(longLook), lookBatch)
		if err != nil {
			return n, err
		}
		credentials, err := s.store.DueCredentials(ctx, now, now.Add(longLook), lookBatch)
		if err != nil {
			return n, err
		}
		if len(checks)+len(credentials) == 0 {
			return n, nil
		}
		var g errgroup.Group
		g.SetLimit(lookParallel)
		var looked atomic.Int64
		for _, v := range checks {
			g.Go(func() error { looked.Add(1); s.lookAt(ctx, v); return nil })
		}
		for _, c := range credentials {
			g.Go(func() error { looked.Add(1); s.lookAtCredential(ctx, c); return nil })
		}
		_ = g.Wait()
		n += int(looked.Load())
		if len(checks) < lookBatch && len(credentials) < lookBatch {
			return n, nil
		}
	}
	return n, ctx.Err()
}

// Reconcile is the job behind ReconcileValidation: it goes on with a start whose request
// may have died, and looks at anything else. It may run any number of times.
func (s *Service) Reconcile(ctx context.Context, id ValidationID) error {
	v, err := s.store.Validation(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !v.State.Ended() {
		s.lookAt(ctx, v)
	}
	return nil
}

// WatchValidation has a check looked at soon, for a page that is open.
func (s *Service) WatchValidation(ctx context.Context, id ValidationID) error {
	return s.store.LookSoon(ctx, id, "", s.now().Add(s.o.PollInterval))
}

// WatchCredential has a credential looked at soon, for a page that is open.
func (s *Service) WatchCredential(ctx context.Context, id CredentialID) error {
	return s.store.LookSoon(ctx, "", id, s.now().Add(s.o.PollInterval))
}

// lookAt does what one due check needs.
func (s *Service) lookAt(ctx context.Context, v Validation) {
	seen, err := v, error(nil)
	switch {
	case v.State.Ended():
		return
	case v.State == ValidationStarted:
		seen, err = s.begin(ctx, v)
	case v.State == ValidationApprovalHeld && !s.now().Before(v.HeldUntil):
		err = s.FinishApproval(ctx, v.ID) // the job that should have done it was lost
		if err == nil {
			return
		}
	default:
		seen, err = s.look(ctx, v)
		if err == nil || isRemote(err, dtmclient.NotFound) {
			seen, err = s.overdue(ctx, seen, err)
		}
	}
	if errors.Is(err, ErrConflict) {
		return // written meanwhile, and due again by what was written
	}
	if err != nil {
		s.log.WarnContext(ctx, "a look at DTM", "validation", v.ID, "state", v.State, "cause", err)
	}
	s.warnOfCheck(ctx, seen)
	if seen.Version != v.Version {
		return // written, with its own next look
	}
	s.again(ctx, seen)
}

// overdue ends a check that is still waiting at its deadline, after DTM was looked at.
func (s *Service) overdue(ctx context.Context, v Validation, looked error) (Validation, error) {
	now := s.now()
	if v.Deadline.IsZero() || now.Before(v.Deadline) {
		return v, looked
	}
	if MayMove(CommandExpire, v.State, ValidationExpired) {
		return s.expire(ctx, v, codeDeadline)
	}
	// An approval nobody can find out about is not ours to end. It is said again, for the
	// admin who can look it up at DTM.
	if v.State == ValidationApprovalUnknown {
		v.Deadline, v.LookAt = now.Add(s.o.Deadlines.Settle), now.Add(longLook)
		e := bySystem(ofValidation(v, "validation.overdue"), "look-again-identity")
		e.Outcome, e.Reason = audit.Failed, codeSent
		return s.record(ctx, v.State, v, e)
	}
	return v, looked
}

// again sets when an unchanged check is looked at next. The claim has put that five
// minutes ahead, so an earlier time is brought forward and a later one written.
func (s *Service) again(ctx context.Context, v Validation) {
	now := s.now()
	next := s.nextLook(v, now)
	if !next.After(now) {
		next = now.Add(s.o.PollInterval)
	}
	var err error
	if next.Sub(now) > longLook {
		v.LookAt = next
		err = s.store.Apply(ctx, Change{Validations: []Moved[ValidationState, Validation]{{From: v.State, To: v}}})
	} else {
		err = s.store.LookSoon(ctx, v.ID, "", next)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		s.log.WarnContext(ctx, "set the next look", "validation", v.ID, "cause", err)
	}
}

// lookAtCredential does what one due credential needs.
func (s *Service) lookAtCredential(ctx context.Context, c Credential) {
	if c.State.Ended() {
		return
	}
	seen, err := s.lookCredential(ctx, c)
	if errors.Is(err, ErrConflict) {
		return
	}
	now := s.now()
	if err != nil {
		s.log.WarnContext(ctx, "a look at DTM", "credential", c.ID, "state", c.State, "cause", err)
		seen = c
		if c.Deadline.Equal(c.NotAfter) && !c.NotAfter.IsZero() && now.After(c.NotAfter) {
			// The certificate says so itself, whether DTM answers or not.
			to := s.enterCredential(c, CredentialExpired, now)
			if _, err = s.recordCredential(ctx, c.State, to, bySystem(ofCredential(c, "credential.expire"), "look-again-identity")); err != nil {
				s.log.WarnContext(ctx, "note an expiry", "credential", c.ID, "cause", err)
			}
			return
		}
	}
	s.warnOfCredential(ctx, seen)
	if seen.Version != c.Version {
		return
	}
	s.againCredential(ctx, seen, now)
}

func (s *Service) againCredential(ctx context.Context, c Credential, now time.Time) {
	next, e := s.nextCredentialLook(c, now), []audit.Entry(nil)
	waits := c.State != CredentialActive && c.State != CredentialSuspended
	if waits && !c.Deadline.IsZero() && !now.Before(c.Deadline) {
		// Issuing is DTM's business and may take its time; it is said, once a day.
		c.Deadline = now.Add(s.o.Deadlines.Settle)
		entry := bySystem(ofCredential(c, "credential.overdue"), "look-again-identity")
		entry.To, entry.Outcome = string(c.State), audit.Failed
		e = []audit.Entry{entry}
	}
	var err error
	if len(e) > 0 || next.Sub(now) > longLook {
		c.LookAt = next
		err = s.store.Apply(ctx, Change{Credentials: []Moved[CredentialState, Credential]{{From: c.State, To: c}}, Entries: e})
	} else {
		err = s.store.LookSoon(ctx, "", c.ID, next)
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		s.log.WarnContext(ctx, "set the next look", "credential", c.ID, "cause", err)
	}
}
