package signing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/pades"
	"countersign/people"
)

// Authorize hands the person's factors to the signing service and, with the activation data it
// answers, signs: all in this call, on a context that outlives the caller's connection. Of
// any number of calls at the same time one goes through; the others get KindConflict with
// the ceremony to look at. The factors and the activation data live on this stack only.
//
// The ceremony is answered as it stands at the end, beside the error if there is one. With
// a nil error every value was stored; whether the files are finished is told by the
// signatures.
func (s *Service) Authorize(ctx context.Context, a people.Actor, id CeremonyID, f Factors) (Ceremony, error) {
	const action = "ceremony.authorize"
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
	if f, err = s.acceptable(c, f); err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	if !c.Factor.Sent() { // else it was done before the code was sent
		if err := s.settle(ctx, c, signatures); err != nil {
			return c, s.declined(ctx, a, action, id, err)
		}
	}
	ctx = context.WithoutCancel(ctx)
	at := &authorizing{s: s, a: a, before: c.State, c: c, signatures: toSign(signatures)}
	at.bad, at.prepared = make([]*Error, len(at.signatures)), make([]*pades.Prepared, len(at.signatures))
	if err := at.claim(ctx); err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	sad, err := at.approve(ctx, f)
	if err == nil {
		err = at.sign(ctx, sad)
	}
	s.dropPrepared(ctx, at.signatures)
	if err != nil {
		return at.c, err
	}
	at.finish(ctx)
	return at.c, nil
}

// acceptable refuses factors that need not be tried.
func (s *Service) acceptable(c Ceremony, f Factors) (Factors, error) {
	if c.Factor.Sent() {
		switch {
		case c.State != CeremonyCodeSent:
			return f, fail(codeNotSent, nil)
		case !s.now().Before(c.CodeEnds):
			return f, fail(codeOTPExpired, nil)
		}
	}
	f, code := entered(c.Factor, f)
	if code != "" {
		return f, fail(code, nil)
	}
	return f, nil
}

// authorizing is one call of Authorize that won.
type authorizing struct {
	s          *Service
	a          people.Actor
	before     CeremonyState // to go back to
	c          Ceremony
	signatures []Signature
	prepared   []*pades.Prepared // of each signature
	bad        []*Error          // why one of many is not signed, found before the key is asked
	first      error             // the first thing that went wrong
	dead       time.Time         // when the activation data may not be used any more
}

// claim moves the ceremony to authorizing and counts the try, before anything goes out.
// One of any number of callers gets through.
func (at *authorizing) claim(ctx context.Context) error {
	s, c := at.s, at.c
	t := s.step(at.a)
	c.Tries++
	c.Reason = ""
	t.ceremony(&c, CeremonyAuthorizing, t.now.Add(s.AuthorizeWait+spare), "ceremony.authorize")
	t.Attempts = append(row(c, "try", t.now), Attempt{Action: "otp.try", Subject: c.Credential, At: t.now})
	t.Limits = append(s.inRow(c, t.now), Limit{Action: "otp.try", Except: "otp.back", Subject: c.Credential, Since: t.now.Add(-time.Hour), Max: s.Limits.TriesPerHour})
	err := s.applyAt(ctx, PointClaim, t)
	switch {
	case err == nil:
		at.c = c
		return nil
	case errors.Is(err, ErrLimited):
		if f := s.rests(ctx, c, t.now, err); f != nil {
			return f
		}
		f := fail(codeTriesHour, err)
		f.RetryAfter = 10 * time.Minute
		return f
	case errors.Is(err, ErrConflict):
		now, rerr := s.Store.Ceremony(ctx, at.c.Owner, at.c.ID)
		if rerr != nil {
			return ofStore(rerr)
		}
		if now.State == CeremonyPrepared || now.State == CeremonyCodeSent {
			f := fail(codeChanged, err)
			f.Ceremony = now.ID
			return f
		}
		return closed(now)
	}
	return ofStore(err)
}

// approve gets the activation data, and reads every stored file again while the service, or the
// person with the phone, takes their time.
func (at *authorizing) approve(ctx context.Context, f Factors) (sad dtmclient.SAD, err error) {
	actx, cancel := context.WithTimeout(ctx, at.s.AuthorizeWait)
	defer cancel()
	reread := make(chan error, 1)
	go func() { reread <- safely(func() error { return at.reread(actx) }) }()

	var hashes [][]byte
	for _, g := range at.signatures {
		hashes = append(hashes, g.Digest)
	}
	at.s.Reached(PointApprove, false)
	sad, err = at.s.Remote.Authorize(actx, dtmclient.Authorization{CredentialID: at.c.CredentialName, Hashes: hashes,
		OTP: f.OTP, PIN: f.PIN, Description: description(len(hashes)), ClientData: string(at.c.ID)})
	if err != nil {
		cancel()
		<-reread //nolint:errcheck // nothing was signed; what the service said is the answer
		return sad, at.back(ctx, err)
	}
	at.s.Reached(PointApprove, true)
	at.dead = at.s.Now().Add(min(sad.ExpiresIn, sadLife))
	if err := <-reread; err != nil {
		return sad, at.void(ctx, err)
	}
	for _, bad := range at.bad {
		if bad != nil && (!at.c.GoOn || len(at.parts()) == 0) {
			return sad, at.void(ctx, bad)
		}
	}
	return sad, nil
}

// safely keeps the panic of a goroutine from ending the process.
func safely(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %T", r)
		}
	}()
	return f()
}

func description(n int) string {
	if n == 1 {
		return "Sign one document"
	}
	return fmt.Sprintf("Sign %d documents", n)
}

// reread holds what is about to be signed against what was prepared and what is stored. A
// document that is not as it was is noted; any other trouble is the error.
func (at *authorizing) reread(ctx context.Context) error {
	stored, err := at.s.Store.Checks(ctx, at.c.ID)
	if err != nil {
		return ofStore(err)
	}
	for i := range at.signatures {
		stamp := ""
		if found := find(stored, Check{Name: "file", Document: at.signatures[i].Document}); found != nil {
			stamp = found.Stamp
		}
		p, err := at.asPrepared(ctx, at.signatures[i], stamp)
		var f *Error
		switch {
		case err == nil:
			at.prepared[i] = p
		case errors.As(err, &f) && f.Kind == KindConflict:
			at.bad[i] = f
		default:
			return err
		}
	}
	return nil
}

func (at *authorizing) asPrepared(ctx context.Context, g Signature, stamp string) (*pades.Prepared, error) {
	d, revisions, err := at.s.ready(ctx, at.a, g.Document)
	if err != nil {
		return nil, err
	}
	if d.Revisions != g.Base || g.State != SignaturePrepared {
		return nil, fail(codeChanged, errors.New("the document has another revision than was prepared"))
	}
	p, err := at.s.prepared(ctx, d, g)
	if err != nil {
		return nil, at.s.broken(context.WithoutCancel(ctx), d, err)
	}
	if _, err := at.s.checkBytes(ctx, d, revisions, stamp); err != nil {
		return nil, at.s.broken(context.WithoutCancel(ctx), d, err)
	}
	return p.Prepared, nil
}

// preparation is what is stored between Begin and the release.
type preparation struct {
	*pades.Prepared
}

// prepared reads a stored preparation, which must be the one that was shown.
func (s *Service) prepared(ctx context.Context, d Document, g Signature) (*preparation, error) {
	r, err := s.Blobs.Open(ctx, d.ID, d.Key, g.Prepared)
	if err != nil {
		return nil, fmt.Errorf("open preparation: %w", err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		return nil, fmt.Errorf("read preparation: %w", err)
	}
	p := &preparation{Prepared: new(pades.Prepared)}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("read preparation: %w: %w", ErrCorrupt, err)
	}
	if p.Unsigned == nil || !bytes.Equal(p.Digest(), g.Digest) {
		return nil, fmt.Errorf("the preparation has another digest: %w", ErrCorrupt)
	}
	return p, nil
}

// back ends a try that the service did not accept: to where the factors can be entered
// again, or for good.
func (at *authorizing) back(ctx context.Context, err error) error {
	o := ofAuthorize(err)
	why := fail(o.code, err)
	var e *dtmclient.Error
	if errors.As(err, &e) {
		why.RetryAfter = e.RetryAfter
	}
	left := at.s.Limits.Tries - at.c.Tries
	why.Args = map[string]any{"Left": left}
	if o.back && !o.free && left <= 0 {
		why = fail(codeTooManyTries, err)
		if rests := at.s.rests(ctx, at.c, at.s.now(), err); rests != nil {
			why = rests
		}
		o.back = false
	}
	if !o.back {
		return at.void(ctx, why)
	}
	t := at.s.step(at.a)
	to := at.before
	at.c.Reason = o.code
	if o.code == codeAuthorizeUnknown && at.c.Factor.Sent() {
		to = CeremonyPrepared // the code may be spent
	}
	if o.free {
		at.c.Tries--
		t.Attempts = []Attempt{at.takenOff(t.now)}
	}
	if o.free || o.code == codeAuthorizeUnknown || o.code == codeRemoteBusy { // nobody called it wrong
		t.Attempts = append(t.Attempts, row(at.c, "back", t.now)...)
	}
	t.ceremony(&at.c, to, at.c.CreatedAt.Add(at.s.CeremonyLife), "ceremony.send_back").Outcome = audit.Failed
	if aerr := at.s.apply(ctx, t); aerr != nil {
		return ofStore(aerr)
	}
	return why
}

// inRow are the limits of wrong tries without a right one between, however many ceremonies
// and sessions they are spread over. Those of codes and PINs are lower than where the
// service locks, so that nobody locks anything there through us. A PIN is the person's, for
// all their credentials.
func (s *Service) inRow(c Ceremony, now time.Time) []Limit {
	limits := []Limit{{Action: "otp.try", Except: "otp.back", After: "otp.right", Subject: c.Credential, Since: now.Add(-rest), Max: s.Limits.TriesInRow}}
	for _, f := range rows(c) {
		limits = append(limits, Limit{Action: f.name + ".try", Except: f.name + ".back", After: f.name + ".right", Subject: f.of,
			Since: now.Add(-rest), Max: s.Limits.LocksAfter - 1})
	}
	return limits
}

type counted struct{ name, of string }

// rows are what is counted in a row of a ceremony's factors.
func rows(c Ceremony) (of []counted) {
	if c.Factor.NeedsOTP() {
		of = append(of, counted{"code", c.Credential})
	}
	if c.Factor.NeedsPIN() {
		of = append(of, counted{"pin", string(c.Owner)})
	}
	return of
}

func row(c Ceremony, what string, now time.Time) (made []Attempt) {
	for _, f := range rows(c) {
		made = append(made, Attempt{Action: f.name + "." + what, Subject: f.of, At: now})
	}
	return made
}

// rests tells whether it was one of those limits which refused a change, or would.
func (s *Service) rests(ctx context.Context, c Ceremony, now time.Time, cause error) *Error {
	if err := s.Store.Apply(ctx, Change{Limits: s.inRow(c, now)}); !errors.Is(err, ErrLimited) {
		return nil
	}
	f := fail(codeTriesRow, cause)
	f.RetryAfter = time.Hour
	return f
}

func (at *authorizing) takenOff(now time.Time) Attempt {
	return Attempt{Action: "otp.back", Subject: at.c.Credential, At: now}
}

// void ends the ceremony where nothing was signed, and tells why.
func (at *authorizing) void(ctx context.Context, why error) error {
	var f *Error
	if !errors.As(why, &f) {
		f = fail(codeInternal, why)
	}
	if f.Signed == "" {
		f.Signed = nothingSpent
	}
	t := at.s.step(at.a)
	for i, bad := range at.bad {
		if g := &at.signatures[i]; bad != nil && g.State == SignaturePrepared {
			at.s.drop(t, g, bad.Code)
		}
	}
	rest := f.Code
	if slices.ContainsFunc(at.bad, func(e *Error) bool { return e != nil }) {
		rest = codeNotAsked // what was wrong was wrong with others
	}
	at.s.failAll(t, &at.c, at.signatures, f.Code, rest)
	if err := at.s.apply(ctx, t); err != nil && !errors.Is(err, ErrConflict) {
		at.s.Log.ErrorContext(ctx, "ceremony left to the sweep", "ceremony", at.c.ID, "code", f.Code, "error", err)
	}
	return f
}

// failAll ends a ceremony and what it had open, where nothing was signed.
func (s *Service) failAll(t *step, c *Ceremony, signatures []Signature, code, each string) {
	c.Reason = code
	t.ceremony(c, CeremonyFailed, time.Time{}, "ceremony.fail").Outcome = audit.Failed
	for i := range signatures {
		if g := &signatures[i]; CanMoveSignature(g.State, SignatureFailed) && g.Value == nil {
			s.drop(t, g, each)
		}
	}
}

// toSign are the signatures that are still to be made: a document may have been taken out.
func toSign(all []Signature) (some []Signature) {
	for _, g := range all {
		if g.State == SignaturePrepared {
			some = append(some, g)
		}
	}
	return some
}
