package signing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/pades"
	"countersign/people"
)

// release verifies the file as it is stored, as anybody else would, and lets it out.
func (s *Service) release(ctx context.Context, g Signature) error {
	d, base, err := s.base(ctx, g)
	if err != nil {
		return s.orDiscard(ctx, g, err)
	}
	revisions, err := s.Store.Revisions(ctx, d.ID)
	if err != nil {
		return err
	}
	if len(revisions) != g.Base+1 || revisions[g.Base].Signature != g.ID {
		return s.discard(ctx, g, codeOwnCheck, errors.New("the revision is not there"))
	}
	p, err := s.prepared(ctx, d, g)
	if err != nil {
		return s.orDiscard(ctx, g, err)
	}
	after, err := s.verifyRevisions(ctx, d, revisions)
	if err != nil {
		return s.orDiscard(ctx, g, err)
	}
	if err := asRecorded(after, d, revisions); err != nil {
		return s.orDiscard(ctx, g, err)
	}
	mine, err := s.judge(after, g, p.Prepared)
	if err != nil {
		return s.discard(ctx, g, codeOwnCheck, err)
	}
	if d.Earlier > 0 || g.Base > 1 {
		before, err := s.verifyRevisions(ctx, d, base)
		if err != nil {
			return s.orDiscard(ctx, g, err)
		}
		if err := noneWorse(before, after); err != nil {
			return s.discard(ctx, g, codeEarlierHarmed, err)
		}
	}
	made, err := s.Store.SignaturesOf(ctx, d.ID)
	if err != nil {
		return err
	}
	fields := []string{g.Field}
	for _, m := range made {
		if m.State == SignatureReleased {
			fields = append(fields, m.Field)
		}
	}
	last := revisions[g.Base]
	t := s.step(people.System(FinishSignature{}.Kind()))
	g.Level, g.SignerName, g.Issuer, g.ReleasedAt, g.Waits = mine.Level, mine.SignerName, mine.Issuer, t.now, ""
	d.Revisions, d.Size, d.Signed, d.Level = g.Base+1, last.Offset+last.Size, true, lowestOf(after, fields)
	t.signature(&g, SignatureReleased, time.Time{}, "signature.release").Facts["sha256"] = fmt.Sprintf("%x", last.SHA256)
	t.document(&d, DocumentReady, time.Time{}, "document.sign")
	if err := s.extendLater(ctx, t, d); err != nil {
		return err
	}
	s.tell(ctx, t, g, "signing.released")
	if err := s.applyAt(ctx, PointRelease, t); err != nil {
		return err
	}
	s.removeBlob(ctx, g.Prepared)
	return nil
}

func (s *Service) verifyRevisions(ctx context.Context, d Document, revisions []Revision) (pades.Result, error) {
	f, err := s.openFile(ctx, d, revisions)
	if err != nil {
		return pades.Result{}, err
	}
	defer f.Close()
	return s.verify(ctx, f)
}

// asRecorded holds the bytes that were judged against what was recorded when they were
// approved and assembled. Whatever differs was changed where it is kept: ErrCorrupt.
func asRecorded(result pades.Result, d Document, revisions []Revision) error {
	last := revisions[len(revisions)-1]
	switch {
	case !bytes.Equal(d.SHA256, revisions[0].SHA256):
		return fmt.Errorf("the fingerprint of the document is not that of its first revision: %w", ErrCorrupt)
	case result.Size != last.Offset+last.Size:
		return fmt.Errorf("the file has %d bytes, not %d: %w", result.Size, last.Offset+last.Size, ErrCorrupt)
	case !bytes.Equal(result.SHA256, last.SHA256):
		return fmt.Errorf("the file does not have its fingerprint: %w", ErrCorrupt)
	}
	return nil
}

// levels in their order; what is no PAdES baseline comes first.
var levels = []string{"", "B-B", "B-T", "B-LT", "B-LTA"}

// reaches reports whether a level is at least another one.
func reaches(level, least string) bool {
	return slices.Index(levels, level) >= slices.Index(levels, least)
}

// judge finds the signature we made in the result and says whether it may go out.
func (s *Service) judge(result pades.Result, g Signature, p *pades.Prepared) (pades.SignatureResult, error) {
	for _, r := range result.Signatures {
		if r.Field != g.Field || r.Type != "signature" {
			continue
		}
		promised := "B-B"
		if p.Stamped {
			promised = "B-T"
		}
		switch {
		case r.Certificate == nil || len(p.Unsigned.Chain) == 0 || !bytes.Equal(r.Certificate.Raw, p.Unsigned.Chain[0]):
			return r, errors.New("the signature carries another certificate than the credential's")
		case !r.CoversAll:
			return r, errors.New("the signature does not cover the whole file")
		case !reaches(r.Level, promised):
			return r, fmt.Errorf("the signature has the level %q, not %s", r.Level, promised)
		}
		if p.Stamped {
			if err := timely(r, g); err != nil {
				return r, err
			}
		}
		if r.Indication == pades.TotalPassed || s.Roots == nil && onlyTrust(r) {
			return r, nil
		}
		return r, fmt.Errorf("%s %s: %s", r.Indication, r.SubIndication, r.Explanation)
	}
	return pades.SignatureResult{}, errors.New("the signature is not in the file")
}

// timely holds the time in the timestamp against our own: not from before the key was
// asked, not from after it was put in, and the one that pages show.
func timely(r pades.SignatureResult, g Signature) error {
	if r.Stamp == nil || r.Stamp.Time.IsZero() {
		return errors.New("the signature has no timestamp")
	}
	at := r.Stamp.Time
	switch {
	case at.Before(g.IntendedAt.Add(-clockDifference)):
		return fmt.Errorf("the timestamp is of %s, before the signature was asked for", at.UTC().Format(time.RFC3339))
	case at.After(g.AssembledAt.Add(clockDifference)):
		return fmt.Errorf("the timestamp is of %s, after it was put in", at.UTC().Format(time.RFC3339))
	case at.Sub(g.StampedAt).Abs() >= time.Second:
		return fmt.Errorf("the timestamp is of %s, not the one that was put in", at.UTC().Format(time.RFC3339))
	}
	return nil
}

// onlyTrust reports whether nothing is missing but somebody to vouch for the certificate,
// which nobody can when no roots are configured.
func onlyTrust(r pades.SignatureResult) bool {
	if r.Indication != pades.Indeterminate || r.SubIndication != "NO_CERTIFICATE_CHAIN_FOUND" {
		return false
	}
	good := 0
	for _, c := range r.Checks {
		switch {
		case c.State == "bad":
			return false
		case c.State == "good" && (c.Name == "integrity" || c.Name == "coverage" || c.Name == "changes" || c.Name == "algorithm"):
			good++
		}
	}
	return good == 4
}

// noneWorse holds the signatures that were there before against themselves.
func noneWorse(before, after pades.Result) error {
	rank := map[pades.Indication]int{pades.TotalPassed: 0, pades.Indeterminate: 1, pades.TotalFailed: 2}
	for _, b := range before.Signatures {
		found := false
		for _, a := range after.Signatures {
			if a.Field != b.Field || a.Type != b.Type {
				continue
			}
			found = true
			if rank[a.Indication] > rank[b.Indication] {
				return fmt.Errorf("field %q went from %s to %s: %s", b.Field, b.Indication, a.Indication, a.Explanation)
			}
			if !reaches(a.Level, b.Level) {
				return fmt.Errorf("field %q went from %s down to %q", b.Field, b.Level, a.Level)
			}
		}
		if !found {
			return fmt.Errorf("field %q is gone", b.Field)
		}
	}
	return nil
}
