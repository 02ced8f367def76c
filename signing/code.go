package signing

import (
	"context"
	"errors"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

const sendWait = 30 * time.Second

// SendCode has a code sent to the person by the signing service. A new one makes the one
// before worthless. It is counted before it is asked for, and never asked for twice.
func (s *Service) SendCode(ctx context.Context, a people.Actor, id CeremonyID) (Ceremony, error) {
	const action = "ceremony.send_code"
	if err := s.may(ctx, a, people.Sign, "ceremony", string(id)); err != nil {
		return Ceremony{}, err
	}
	c, signatures, err := s.ceremony(ctx, a, id)
	if err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	if err := s.waits(ctx, a, &c, signatures); err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	if !c.Factor.Sent() {
		return c, s.declined(ctx, a, action, id, fail(codeNoCode, nil))
	}
	if err := s.connected(ctx, c.Owner); err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	if err := s.settle(ctx, c, signatures); err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	ctx = context.WithoutCancel(ctx)
	before := c
	if err := s.countSend(ctx, a, &c); err != nil {
		return before, s.declined(ctx, a, action, id, err)
	}
	sctx, cancel := context.WithTimeout(ctx, sendWait)
	defer cancel()
	s.Reached(PointSend, false)
	if err := s.as(c.Owner).SendOTP(sctx, c.CredentialName, string(c.ID)); err != nil {
		return s.notSent(ctx, a, before, c, signatures, s.refusedAsThem(ctx, c.Owner, err))
	}
	s.Reached(PointSend, true)
	return c, nil
}

// waits refuses what comes to a ceremony that takes neither codes nor factors now, and
// ends one that waited too long.
func (s *Service) waits(ctx context.Context, a people.Actor, c *Ceremony, signatures []Signature) error {
	if c.State != CeremonyPrepared && c.State != CeremonyCodeSent && c.State != CeremonyConsenting {
		return closed(*c)
	}
	if s.now().Before(c.Deadline) {
		return nil
	}
	t := s.step(a)
	expire(t, c, signatures)
	if err := s.apply(ctx, t); err != nil {
		return ofStore(err)
	}
	s.dropPrepared(ctx, signatures)
	return closed(*c)
}

func expire(t *step, c *Ceremony, signatures []Signature) {
	c.Reason = codeExpired
	t.ceremony(c, CeremonyExpired, time.Time{}, "ceremony.expire")
	for i := range signatures {
		if g := &signatures[i]; g.State == SignaturePrepared {
			g.Reason = codeExpired
			t.signature(g, SignatureExpired, time.Time{}, "signature.expire")
		}
	}
}

// countSend moves the ceremony and counts the code, within the limits.
func (s *Service) countSend(ctx context.Context, a people.Actor, c *Ceremony) error {
	t := s.step(a)
	c.Sends++
	c.Reason, c.CodeSentAt, c.CodeEnds = "", t.now, t.now.Add(s.Limits.CodeLife)
	t.ceremony(c, CeremonyCodeSent, c.Deadline, "ceremony.send_code")
	t.Attempts = []Attempt{{Action: "otp.send", Subject: c.Credential, At: t.now}}
	soon := Limit{Action: "otp.send", Subject: c.Credential, Since: t.now.Add(time.Millisecond - s.Limits.SendEvery), Max: 1}
	often := Limit{Action: "otp.send", Subject: c.Credential, Since: t.now.Add(-time.Hour), Max: s.Limits.SendsPerHour}
	t.Limits = append(s.inRow(*c, t.now), soon, often)
	err := s.applyAt(ctx, PointCount, t)
	if !errors.Is(err, ErrLimited) {
		return ofStore(err)
	}
	if f := s.rests(ctx, *c, t.now, err); f != nil {
		return f
	}
	f := fail(codeSendOften, err)
	f.RetryAfter = 10 * time.Minute
	if probe := s.Store.Apply(ctx, Change{Limits: []Limit{often}}); probe == nil {
		f = fail(codeSendSoon, err)
		f.RetryAfter = s.Limits.SendEvery
	}
	return f
}

// notSent takes the step back when the service said no. When it said nothing clear, the code
// may be on its way, and the ceremony stays as if it were.
func (s *Service) notSent(ctx context.Context, a people.Actor, before, c Ceremony, signatures []Signature, err error) (Ceremony, error) {
	why := ofRemote(err)
	var e *dtmclient.Error
	unclear := !errors.Is(err, ErrNotConnected) && (!errors.As(err, &e) || e.MayHaveHappened())
	if unclear {
		why = fail(codeSendUnknown, err)
	}
	var f *Error
	errors.As(why, &f)
	t := s.step(a)
	c.Reason = f.Code
	switch {
	case f.Code == codeOTPLocked || f.Code == codePINLocked:
		s.failAll(t, &c, signatures, f.Code, f.Code)
	case unclear:
		t.ceremony(&c, CeremonyCodeSent, c.Deadline, "ceremony.send_code").Outcome = audit.Failed
	default:
		c.CodeSentAt, c.CodeEnds = before.CodeSentAt, before.CodeEnds
		t.ceremony(&c, before.State, c.Deadline, "ceremony.send_code").Outcome = audit.Failed
	}
	if aerr := s.apply(ctx, t); aerr != nil && !errors.Is(aerr, ErrConflict) {
		return c, ofStore(aerr)
	}
	s.dropPrepared(ctx, signatures)
	return c, why
}
