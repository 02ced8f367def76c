package signing

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"math/big"
	"time"

	_ "crypto/sha256" // for crypto.SHA256

	"countersign/audit"
	"countersign/pades"
	"countersign/pades/tsp"
	"countersign/people"
)

const clockDifference = 5 * time.Minute // between the clock service and us

// Finish takes a signature whose value is stored to its end: stamped, put into the file, read
// back, verified, released. It may be called any number of times, by several at once, and
// after any crash: each stage is one change from one state, and nothing before it is seen
// by anybody. An error means that it will be tried again; a signature that cannot be
// released is no error but a state.
func (s *Service) Finish(ctx context.Context, id SignatureID) error {
	const stages = 2
	for tries := 0; tries < stages+3; tries++ {
		g, err := s.Store.Signature(ctx, id)
		if err != nil {
			return ofStore(err)
		}
		switch g.State {
		case SignatureSigned:
			err = s.assemble(ctx, g)
		case SignatureAssembled:
			err = s.release(ctx, g)
		default:
			return nil
		}
		if err != nil && !errors.Is(err, ErrConflict) { // else somebody else moved it on: look again
			return s.later(context.WithoutCancel(ctx), g, err)
		}
	}
	return internal(fmt.Errorf("signature %s keeps changing under us", id))
}

// later notes a try that went wrong, so that the next one waits longer and the last one ends.
func (s *Service) later(ctx context.Context, g Signature, why error) error {
	if !g.SignedAt.IsZero() && s.now().Sub(g.SignedAt) > s.FinishLife {
		return s.discard(ctx, g, codeFinishLate, why)
	}
	t := s.step(people.System(FinishSignature{}.Kind()))
	g.Attempts++
	g.Waits = waitsFor(why)
	t.signature(&g, g.State, t.now.Add(backoff(g.Attempts)), "")
	if err := s.apply(ctx, t); err != nil && !errors.Is(err, ErrConflict) {
		return errors.Join(why, err)
	}
	return fmt.Errorf("finish signature %s: %w", g.ID, why)
}

// backoff doubles from half a minute to half an hour.
func backoff(attempts int) time.Duration {
	return min(30*time.Second<<min(max(attempts-1, 0), 10), 30*time.Minute)
}

// assemble gets the timestamp, completes the increment and stores it as a revision nobody sees yet.
func (s *Service) assemble(ctx context.Context, g Signature) error {
	d, revisions, err := s.base(ctx, g)
	if err != nil {
		return s.orDiscard(ctx, g, err)
	}
	p, err := s.prepared(ctx, d, g)
	if err != nil {
		return s.orDiscard(ctx, g, err)
	}
	delta, at, by, err := s.complete(ctx, g, d, revisions, p)
	var f *Error
	switch {
	case errors.As(err, &f) && f.Code == codeOwnCheck:
		return s.discard(ctx, g, codeOwnCheck, err)
	case err != nil:
		return err
	}
	state, sum, err := p.StateAfter(delta)
	if err != nil {
		return s.discard(ctx, g, codeOwnCheck, err)
	}
	last := revisions[len(revisions)-1]
	r := Revision{Document: d.ID, Number: g.Base + 1, Offset: last.Offset + last.Size, Size: int64(len(delta)), SHA256: sum, Signature: g.ID}
	if r.State, err = s.Blobs.Seal(d.ID, d.Key, state); err != nil {
		return fmt.Errorf("seal hash state: %w", err)
	}
	if r.Blob, err = s.write(ctx, PointAppend, d, delta); err != nil {
		return err
	}
	t := s.step(people.System(FinishSignature{}.Kind()))
	r.CreatedAt = t.now
	t.Revisions = []Revision{r}
	g.AssembledAt, g.StampedAt, g.Waits = t.now, at, ""
	facts := t.signature(&g, SignatureAssembled, t.now.Add(finishWait), "signature.assemble").Facts
	facts["sha256"] = fmt.Sprintf("%x", sum)
	if p.Outside != nil {
		facts["built"] = by
	}
	if err := s.applyAt(ctx, PointAssemble, t); err != nil {
		s.dropUnless(ctx, g.Document, r)
		return err
	}
	return nil
}

// dropUnless removes the bytes of a revision whose row was not written. When the store told
// of trouble it may have been written all the same; then they stay.
func (s *Service) dropUnless(ctx context.Context, id DocumentID, r Revision) {
	ctx = context.WithoutCancel(ctx)
	stored, err := s.Store.Revisions(ctx, id)
	if err != nil {
		return // unknown: the folder's own sweep decides later
	}
	for _, other := range stored {
		if other.Blob == r.Blob {
			return
		}
	}
	s.removeBlob(ctx, r.Blob)
}

// base is the document with the revisions that are signed. An *Error means that it is not
// there any more.
func (s *Service) base(ctx context.Context, g Signature) (Document, []Revision, error) {
	d, err := s.Store.Document(ctx, g.Owner, g.Document)
	if err != nil {
		return d, nil, err
	}
	if err := readable(d); err != nil {
		return d, nil, err
	}
	revisions, err := s.Store.Revisions(ctx, d.ID)
	switch {
	case err != nil:
		return d, nil, err
	case d.Revisions != g.Base || len(revisions) < g.Base:
		return d, nil, fail(codeOwnCheck, fmt.Errorf("the document has %d revisions, %d were signed", d.Revisions, g.Base))
	}
	return d, revisions[:g.Base], nil
}

// orDiscard ends the signature when err says that no later try can go better.
func (s *Service) orDiscard(ctx context.Context, g Signature, err error) error {
	// Somebody quicker may have finished, and tidied up, while we were reading.
	if now, rerr := s.Store.Signature(ctx, g.ID); rerr != nil || now.State != g.State {
		return errors.Join(ErrConflict, rerr)
	}
	var f *Error
	switch {
	case errors.As(err, &f) && f.Kind == KindConflict:
		return s.discard(ctx, g, f.Code, err)
	case errors.As(err, &f) && f.Code == codeOwnCheck:
		return s.discard(ctx, g, codeOwnCheck, err)
	case errors.Is(err, ErrCorrupt):
		return s.discard(ctx, g, codeBytes, err)
	}
	return err
}

// stamp asks the clock service about the value and checks what it answers.
func (s *Service) stamp(ctx context.Context, p *pades.Prepared, value []byte) (token []byte, at time.Time, err error) {
	if !p.Stamped {
		return nil, time.Time{}, nil
	}
	stamped, err := p.StampDigest(value)
	if err != nil {
		return nil, at, fmt.Errorf("check value: %w", err)
	}
	h := crypto.SHA256.New()
	h.Write(stamped)
	digest := h.Sum(nil)
	s.Reached(PointStamp, false)
	if token, at, err = s.ask(ctx, digest, crypto.SHA256); err == nil {
		s.Reached(PointStamp, true)
	}
	return token, at, err
}

// ask gets a token over a digest from the clock service, and holds it against what was
// asked and against our own clock.
func (s *Service) ask(ctx context.Context, digest []byte, h crypto.Hash) (token []byte, at time.Time, err error) {
	nonce, err := tsp.NewNonce(s.Rand)
	if err != nil {
		return nil, at, err
	}
	token, err = s.Remote.Timestamp(ctx, digest, h, nonce.Bytes())
	if err != nil {
		return nil, at, waiting{codeWaitClock, fmt.Errorf("ask the clock service: %w", err)}
	}
	parsed, err := checkToken(token, digest, nonce)
	if err != nil {
		return nil, at, waiting{codeWaitToken, err}
	}
	if off := parsed.Time.Sub(s.Now()).Abs(); off > clockDifference {
		return nil, at, waiting{codeWaitSkew, fmt.Errorf("the clock service and our clock are %s apart", off.Round(time.Second))}
	}
	return token, parsed.Time, nil
}

func checkToken(der, digest []byte, nonce *big.Int) (*tsp.Token, error) {
	token, err := tsp.ParseToken(der)
	if err != nil {
		return nil, fmt.Errorf("read timestamp: %w", err)
	}
	if token.Hash != crypto.SHA256 {
		return nil, fmt.Errorf("the timestamp was made with %s", token.Hash)
	}
	if err := token.Check(digest, nonce); err != nil {
		return nil, fmt.Errorf("check timestamp: %w", err)
	}
	return token, nil
}

// discard ends a signature that cannot be released: what it appended is taken away, the
// document is as before. Bytes that are not what they were close the document too.
func (s *Service) discard(ctx context.Context, g Signature, code string, why error) error {
	ctx = context.WithoutCancel(ctx)
	s.alarm(ctx, "signature discarded", "signature", g.ID, "document", g.Document, "code", code, "error", why)
	revisions, err := s.Store.Revisions(ctx, g.Document)
	if err != nil {
		return err
	}
	t := s.step(people.System(FinishSignature{}.Kind()))
	for _, r := range revisions {
		if r.Signature == g.ID {
			t.Withdrawn = append(t.Withdrawn, r)
		}
	}
	g.Reason = code
	t.signature(&g, SignatureFailed, time.Time{}, "signature.discard").Outcome = audit.Failed
	if code != codeBytes {
		s.tell(ctx, t, g, "signing.failed")
	} else {
		s.tell(ctx, t, g, "signing.quarantined")
		d, err := s.Store.Document(ctx, g.Owner, g.Document)
		if err == nil && CanMoveDocument(d.State, DocumentQuarantined) {
			d.Reason = code
			t.document(&d, DocumentQuarantined, time.Time{}, "document.quarantine").Outcome = audit.Failed
		}
	}
	if err := s.apply(ctx, t); err != nil {
		return err
	}
	for _, r := range t.Withdrawn {
		s.removeBlob(ctx, r.Blob)
	}
	s.removeBlob(ctx, g.Prepared)
	return nil
}
