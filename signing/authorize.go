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
	return s.authorize(ctx, a, id, f, false)
}

// Approve is Authorize for a page: where the provider itself asks the person, which takes up to
// a minute, it is answered as soon as the claim is made, and goes on by itself.
func (s *Service) Approve(ctx context.Context, a people.Actor, id CeremonyID, f Factors) (Ceremony, error) {
	return s.authorize(ctx, a, id, f, true)
}

func (s *Service) authorize(ctx context.Context, a people.Actor, id CeremonyID, f Factors, later bool) (Ceremony, error) {
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
	if err := s.connected(ctx, c.Owner); err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	if !c.Factor.Sent() { // else it was done before the code was sent
		if err := s.settle(ctx, c, signatures); err != nil {
			return c, s.declined(ctx, a, action, id, err)
		}
	}
	ctx = context.WithoutCancel(ctx)
	at := s.newAuthorizing(a, c, signatures)
	at.get = func(ctx context.Context) (dtmclient.SAD, error) { return at.authorize(ctx, f) }
	if err := at.claim(ctx); err != nil {
		return c, s.declined(ctx, a, action, id, err)
	}
	if c.Factor.Push() && later {
		claimed := at.c
		s.afoot.Go(func() { s.goOn(ctx, at) })
		return claimed, nil
	}
	err = at.run(ctx) // it moves at.c
	return at.c, err
}

func (s *Service) newAuthorizing(a people.Actor, c Ceremony, signatures []Signature) *authorizing {
	at := &authorizing{s: s, a: a, before: c.State, c: c, signatures: toSign(signatures)}
	at.bad, at.prepared = make([]*Error, len(at.signatures)), make([]*pades.Prepared, len(at.signatures))
	return at
}

// run is everything after the claim.
func (at *authorizing) run(ctx context.Context) error {
	sad, err := at.approve(ctx)
	if err == nil {
		err = at.sign(ctx, sad)
	}
	at.s.dropPrepared(ctx, at.signatures)
	if err != nil {
		return err
	}
	at.finish(ctx)
	return nil
}

// acceptable refuses factors that need not be tried.
func (s *Service) acceptable(c Ceremony, f Factors) (Factors, error) {
	if c.Factor.Consent() {
		return f, fail(codeByConsent, nil)
	}
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
	consent    *Consent      // the visit to the provider that this is the answer of; used up by the claim
	get        func(context.Context) (dtmclient.SAD, error)
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
	if at.consent != nil {
		t.Taken = []Consent{*at.consent}
	}
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
		if now.State == CeremonyPrepared || now.State == CeremonyCodeSent || now.State == CeremonyConsenting {
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
func (at *authorizing) approve(ctx context.Context) (sad dtmclient.SAD, err error) {
	actx, cancel := context.WithTimeout(ctx, at.s.AuthorizeWait)
	defer cancel()
	reread := make(chan error, 1)
	go func() { reread <- safely(func() error { return at.reread(actx) }) }()

	if sad, err = at.get(actx); err != nil {
		cancel()
		<-reread //nolint:errcheck // nothing was signed; what the service said is the answer
		return sad, at.back(ctx, at.s.refusedAsThem(ctx, at.c.Owner, err))
	}
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

// authorize hands the factors over.
func (at *authorizing) authorize(ctx context.Context, f Factors) (dtmclient.SAD, error) {
	var hashes [][]byte
	for _, g := range at.signatures {
		hashes = append(hashes, g.Digest)
	}
	at.s.Reached(PointApprove, false)
	sad, err := at.s.as(at.c.Owner).Authorize(ctx, dtmclient.Authorization{CredentialID: at.c.CredentialName, Hashes: hashes,
		OTP: f.OTP, PIN: f.PIN, Description: Described(len(hashes)), ClientData: string(at.c.ID)})
	if err == nil {
		at.s.Reached(PointApprove, true)
	}
	return sad, err
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

// Described is what the provider shows the person who is to approve: how much, and no names.
func Described(n int) string {
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
	Outside *outside `json:",omitempty"` // where the signed attributes were made elsewhere
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
	switch {
	case at.consent != nil:
		o = ofExchange(err)
	case at.c.Factor.Push() && declined(err):
		o = outcome{code: codePhoneDeclined, back: true}
	}
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
