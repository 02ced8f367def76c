package signing

import (
	"context"
	"fmt"
	"time"

	"countersign/audit"
	"countersign/people"
)

// FinishAgain has the finishing of a signature tried now. The value is stored, so nothing is asked of
// the key; KindConflict when it waits for nothing any more.
func (s *Service) FinishAgain(ctx context.Context, a people.Actor, id SignatureID) error {
	if err := s.may(ctx, a, people.ManageWork, "signature", string(id)); err != nil {
		return err
	}
	g, err := s.Store.Signature(ctx, id)
	if err != nil {
		return ofStore(err)
	}
	if g.State != SignatureSigned && g.State != SignatureAssembled {
		return fail(codeChanged, fmt.Errorf("the signature is %s", g.State))
	}
	t := s.step(a)
	t.signature(&g, g.State, t.now.Add(finishWait), "signature.again")
	t.job(FinishSignature{Signature: g.ID}, time.Time{})
	return ofStore(s.apply(ctx, t))
}

// ExtendAgain has a file's extension tried now, and for as long again as at first.
func (s *Service) ExtendAgain(ctx context.Context, a people.Actor, id DocumentID) error {
	if err := s.may(ctx, a, people.ManageWork, "document", string(id)); err != nil {
		return err
	}
	e, err := s.Store.Extension(ctx, id)
	if err != nil {
		return ofStore(err)
	}
	if e.State != ExtensionWaiting && e.State != ExtensionStopped {
		return fail(codeChanged, fmt.Errorf("the extension is %s", e.State))
	}
	t := s.step(a)
	from := e.State
	e.Attempts, e.Ends = 0, t.now.Add(s.ExtendLife)
	t.extension(&e, ExtensionWaiting, t.now.Add(extendTry))
	t.entry(audit.Entry{Action: "document.extend-again", Object: "document", Subject: string(e.ID), Owner: e.Owner, From: string(from), To: string(ExtensionWaiting)})
	t.job(ExtendDocument{Document: e.ID}, time.Time{})
	return ofStore(s.apply(ctx, t))
}
