package signing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/audit"
	"countersign/people"
)

const sweepAtOnce = 100

// LookAgain ends or takes up what waits past its deadline, and answers how many rows it
// moved. It may run on any number of replicas at once: each row is moved by one of them.
func (s *Service) LookAgain(ctx context.Context) (int, error) {
	late, err := s.Store.Overdue(ctx, s.now(), sweepAtOnce)
	if err != nil {
		return 0, fmt.Errorf("list what is overdue: %w", err)
	}
	moved, errs := 0, []error(nil)
	count := func(err error) {
		switch {
		case err == nil:
			moved++
		case !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound): // else somebody else was quicker
			errs = append(errs, err)
		}
	}
	for _, d := range late.Documents {
		if ctx.Err() == nil {
			count(s.endDocument(ctx, d))
		}
	}
	for _, c := range late.Ceremonies {
		if ctx.Err() == nil {
			count(s.endCeremony(ctx, c))
		}
	}
	for _, g := range late.Signatures {
		if ctx.Err() == nil {
			count(s.endSignature(ctx, g))
		}
	}
	for _, e := range late.Extensions {
		if ctx.Err() == nil {
			count(s.endExtension(ctx, e))
		}
	}
	return moved, errors.Join(errs...)
}

// Sweep forgets what was counted longer ago than any limit looks, and what was checked for
// ceremonies that are long over; it answers how much.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	n, err := s.Store.ForgetOld(ctx, s.now().Add(-rest-time.Hour)) // clocks of replicas differ a little
	if err != nil {
		return n, fmt.Errorf("forget what was counted: %w", err)
	}
	return n, nil
}

// endDocument forgets an upload that stopped, and looks once more at a document that was
// never looked at to the end.
func (s *Service) endDocument(ctx context.Context, d Document) error {
	if d.State == DocumentReceiving {
		return s.Store.Apply(ctx, Change{Forget: []DocumentID{d.ID}, Topics: []string{PersonTopic(d.Owner)}})
	}
	sweeper := people.System(LookAgain{}.Kind())
	_, err := s.inspect(ctx, sweeper, d)
	var f *Error
	switch {
	case err == nil, errors.As(err, &f) && f.Kind == KindInvalid: // refused is an end too
		return nil
	case errors.Is(err, ErrConflict):
		return err
	case errors.Is(err, ErrCorrupt) || s.now().Sub(d.Since) > time.Hour:
		code := codeUncheckable
		if errors.Is(err, ErrCorrupt) {
			code = codeBytes
		}
		s.quarantine(ctx, sweeper, d, code, err)
		return nil
	}
	return err
}

// endCeremony says what became of an authorization nobody came back to.
func (s *Service) endCeremony(ctx context.Context, c Ceremony) error {
	signatures, err := s.Store.Signatures(ctx, c.ID)
	if err != nil {
		return err
	}
	t := s.step(people.System(LookAgain{}.Kind()))
	switch c.State {
	case CeremonyPrepared, CeremonyCodeSent, CeremonyConsenting:
		expire(t, &c, signatures)
	case CeremonyAuthorizing:
		// The activation data was on the stack of a request that is gone: nothing can come of it.
		s.failAll(t, &c, signatures, codeAuthorizeUnknown, codeAuthorizeUnknown)
	case CeremonyAuthorized:
		s.unknown(ctx, t, &c, signatures)
	default:
		return ErrConflict
	}
	if err := s.apply(ctx, t); err != nil {
		return err
	}
	s.dropPrepared(ctx, signatures)
	return nil
}

// unknown ends a ceremony that broke off while the key was in use. What was asked for and not
// stored is not known; what was not asked for is told as that; what has a value is finished.
func (s *Service) unknown(ctx context.Context, t *step, c *Ceremony, signatures []Signature) {
	lost, good := false, false
	for i := range signatures {
		g := &signatures[i]
		switch {
		case g.State == SignatureIntended:
			lost = true
			g.Reason = codeOutcomeUnknown
			t.signature(g, SignatureOutcomeUnknown, time.Time{}, "signature.unknown").Outcome = audit.Failed
			s.tell(ctx, t, *g, "signing.outcome_unknown")
		case g.State == SignaturePrepared:
			s.drop(t, g, codeNotAsked)
		case g.Value != nil:
			good = true
		}
	}
	if lost {
		s.alarm(ctx, "outcome of a signature is not known", "ceremony", c.ID)
	}
	switch {
	case good:
		t.ceremony(c, CeremonyUsed, time.Time{}, "ceremony.used")
	case lost:
		c.Reason = codeOutcomeUnknown
		t.ceremony(c, CeremonyFailed, time.Time{}, "ceremony.fail").Outcome = audit.Failed
	default:
		c.Reason = codeNotAsked
		t.ceremony(c, CeremonyFailed, time.Time{}, "ceremony.fail").Outcome = audit.Failed
	}
	s.tellWhenOver(ctx, t, signatures)
}

// endSignature finishes what has a value. What has none ends with its ceremony; should that
// have ended without it, it ends here.
func (s *Service) endSignature(ctx context.Context, g Signature) error {
	t := s.step(people.System(LookAgain{}.Kind()))
	switch g.State {
	case SignatureSigned, SignatureAssembled:
		// The try is counted first, so that one that kills the process is not made at once again.
		g.Attempts++
		t.signature(&g, g.State, t.now.Add(finishWait+backoff(g.Attempts)), "")
		if err := s.apply(ctx, t); err != nil {
			return err
		}
		fctx, cancel := context.WithTimeout(ctx, finishWait)
		defer cancel()
		return s.Finish(fctx, g.ID)
	}
	c, err := s.Store.Ceremony(ctx, g.Owner, g.Ceremony)
	if err != nil {
		return err
	}
	if !c.State.Final() {
		return ErrConflict // ends with it, at its own deadline
	}
	if g.State == SignatureIntended {
		g.Reason = codeOutcomeUnknown
		t.signature(&g, SignatureOutcomeUnknown, time.Time{}, "signature.unknown").Outcome = audit.Failed
		s.tell(ctx, t, g, "signing.outcome_unknown")
	} else {
		g.Reason = codeExpired
		t.signature(&g, SignatureExpired, time.Time{}, "signature.expire")
	}
	return s.apply(ctx, t)
}
