package signing

import (
	"context"
	"slices"
	"time"

	"countersign/audit"
	"countersign/people"
)

// Erase destroys a document's contents for good: its key goes with the row's change, and
// with it every copy of the bytes that a backup may hold; the bytes themselves go after.
// The fingerprint stays, in the row and in the audit log. While the remote key may be at
// work on the document, or its answer is being put in, it is refused.
func (s *Service) Erase(ctx context.Context, a people.Actor, id DocumentID) error {
	if err := s.may(ctx, a, people.EraseDocument, "document", string(id)); err != nil {
		return err
	}
	about := audit.Entry{Action: "document.erase", Object: "document", Subject: string(id)}
	d, err := s.Store.Document(ctx, a.Person, id)
	if err != nil {
		return s.refused(ctx, a, about, ofStore(err))
	}
	if !CanMoveDocument(d.State, DocumentErased) {
		err = readable(d)
		return s.refused(ctx, a, about, err)
	}
	signatures, err := s.Store.SignaturesOf(ctx, id)
	if err != nil {
		return ofStore(err)
	}
	t := s.step(a)
	if err := s.letGo(ctx, t, a, signatures); err != nil {
		return s.refused(ctx, a, about, err)
	}
	revisions, err := s.Store.Revisions(ctx, id)
	if err != nil {
		return ofStore(err)
	}
	d.Key, d.Name = nil, ""
	t.document(&d, DocumentErased, time.Time{}, "document.erase")
	if err := s.apply(ctx, t); err != nil {
		return ofStore(err)
	}
	for _, r := range revisions {
		s.removeBlob(ctx, r.Blob)
	}
	for _, g := range signatures {
		s.removeBlob(ctx, g.Prepared)
	}
	return nil
}

// letGo cancels the ceremony that holds one of the signatures, unless it has gone too far.
func (s *Service) letGo(ctx context.Context, t *step, a people.Actor, signatures []Signature) error {
	for _, g := range signatures {
		if g.State.Final() {
			continue
		}
		c, all, err := s.ceremony(ctx, a, g.Ceremony)
		if err != nil {
			return err
		}
		if g.State.Sent() || !CanMoveCeremony(c.State, CeremonyCancelled) {
			f := fail(codeOnTheWay, nil)
			f.Ceremony = c.ID
			return f
		}
		s.takeOut(t, &c, all, g.Document)
		return nil // a document has one open preparation
	}
	return nil
}

// Cancel ends a ceremony that has not been authorized.
func (s *Service) Cancel(ctx context.Context, a people.Actor, id CeremonyID) error {
	if err := s.may(ctx, a, people.Sign, "ceremony", string(id)); err != nil {
		return err
	}
	about := audit.Entry{Action: "ceremony.cancel", Object: "ceremony", Subject: string(id)}
	c, signatures, err := s.ceremony(ctx, a, id)
	if err != nil {
		return s.refused(ctx, a, about, err)
	}
	if !CanMoveCeremony(c.State, CeremonyCancelled) {
		return s.refused(ctx, a, about, closed(c))
	}
	t := s.step(a)
	s.cancel(t, &c, signatures)
	if err := s.apply(ctx, t); err != nil {
		return ofStore(err)
	}
	s.dropPrepared(ctx, signatures)
	return nil
}

// TakeOut leaves one document out of a ceremony that has not been authorized: the others wait on,
// under the same code. Without the last one it is cancelled.
func (s *Service) TakeOut(ctx context.Context, a people.Actor, id CeremonyID, document DocumentID) error {
	if err := s.may(ctx, a, people.Sign, "ceremony", string(id)); err != nil {
		return err
	}
	about := audit.Entry{Action: "ceremony.take_out", Object: "ceremony", Subject: string(id)}
	c, signatures, err := s.ceremony(ctx, a, id)
	if err != nil {
		return s.refused(ctx, a, about, err)
	}
	if !CanMoveCeremony(c.State, CeremonyCancelled) {
		return s.refused(ctx, a, about, closed(c))
	}
	if !slices.ContainsFunc(toSign(signatures), func(g Signature) bool { return g.Document == document }) {
		return s.refused(ctx, a, about, fail(codeNotFound, nil))
	}
	t := s.step(a)
	s.takeOut(t, &c, signatures, document)
	if err := s.apply(ctx, t); err != nil {
		return ofStore(err)
	}
	s.dropPrepared(ctx, signatures)
	return nil
}

// takeOut moves the ceremony too, so that it and an approval of all of them exclude each other.
func (s *Service) takeOut(t *step, c *Ceremony, signatures []Signature, document DocumentID) {
	if len(toSign(signatures)) < 2 {
		s.cancel(t, c, signatures)
		return
	}
	to := c.State
	if to == CeremonyConsenting {
		to = CeremonyPrepared // the provider shows the person documents that are not all signed any more
	}
	t.ceremony(c, to, c.Deadline, "ceremony.take_out").Facts = map[string]string{"document": string(document)}
	for i := range signatures {
		if g := &signatures[i]; g.Document == document && g.State == SignaturePrepared {
			t.signature(g, SignatureCancelled, time.Time{}, "signature.cancel")
		}
	}
}

func (s *Service) cancel(t *step, c *Ceremony, signatures []Signature) *audit.Entry {
	e := t.ceremony(c, CeremonyCancelled, time.Time{}, "ceremony.cancel")
	for i := range signatures {
		if signatures[i].State == SignaturePrepared {
			t.signature(&signatures[i], SignatureCancelled, time.Time{}, "signature.cancel")
		}
	}
	return e
}

// closed answers why a ceremony takes nothing more.
func closed(c Ceremony) *Error {
	code := codeInProgress
	switch c.State {
	case CeremonyUsed:
		code = codeUsed
	case CeremonyCancelled:
		code = codeCancelled
	case CeremonyExpired:
		code = codeExpired
	case CeremonyFailed:
		code = c.Reason
	}
	f := fail(code, nil)
	f.Kind, f.Ceremony = KindConflict, c.ID
	return f
}

// dropPrepared removes stored preparations that nobody needs any more.
func (s *Service) dropPrepared(ctx context.Context, signatures []Signature) {
	for _, g := range signatures {
		if g.State.Final() {
			s.removeBlob(ctx, g.Prepared)
		}
	}
}
