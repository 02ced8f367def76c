package signing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/pades"
	"countersign/people"
)

// inspect looks at the stored bytes of a document in checking and says whether they can be
// signed. For a file that cannot, the contents go and the row stays with the reason; the
// document is answered beside the error then.
func (s *Service) inspect(ctx context.Context, a people.Actor, d Document) (Document, error) {
	revisions, err := s.Store.Revisions(ctx, d.ID)
	if err != nil {
		return Document{}, ofStore(err)
	}
	report, err := s.report(ctx, d, revisions)
	if code := refusalCode(err); code != "" {
		return s.refuseDocument(ctx, a, d, revisions, fail(code, err))
	}
	if err != nil {
		// The bytes could not be read: the sweep looks again and then gives up.
		return Document{}, internal(fmt.Errorf("inspect document %s: %w", d.ID, err))
	}
	t := s.step(a)
	d.Pages, d.Earlier = report.Pages, len(report.Signatures)
	e := t.document(&d, DocumentReady, time.Time{}, "document.ready")
	e.Facts = map[string]string{"pages": fmt.Sprint(d.Pages), "signatures": fmt.Sprint(d.Earlier)}
	if err := s.applyAt(ctx, PointChecked, t); err != nil {
		return Document{}, ofStore(err)
	}
	return d, nil
}

func (s *Service) report(ctx context.Context, d Document, revisions []Revision) (pades.Report, error) {
	f, err := s.openFile(ctx, d, revisions)
	if err != nil {
		return pades.Report{}, err
	}
	defer f.Close()
	return pades.Inspect(f, f.Size())
}

func (s *Service) refuseDocument(ctx context.Context, a people.Actor, d Document, revisions []Revision, why *Error) (Document, error) {
	t := s.step(a)
	d.Reason, d.Key = why.Code, nil
	t.Withdrawn = revisions
	t.document(&d, DocumentRefused, time.Time{}, "document.refuse")
	if err := s.applyAt(ctx, PointChecked, t); err != nil {
		return Document{}, ofStore(err)
	}
	for _, r := range revisions {
		s.removeBlob(ctx, r.Blob)
	}
	return d, why
}

// quarantine closes a document whose stored bytes are not what was uploaded. Nothing is
// erased: somebody has to look.
func (s *Service) quarantine(ctx context.Context, a people.Actor, d Document, code string, why error) {
	s.alarm(ctx, "document quarantined", "document", d.ID, "code", code, "error", why)
	t := s.step(a)
	d.Reason = code
	t.document(&d, DocumentQuarantined, time.Time{}, "document.quarantine")
	if err := s.apply(ctx, t); err != nil && !errors.Is(err, ErrConflict) {
		s.alarm(ctx, "document not quarantined", "document", d.ID, "error", err)
	}
}
