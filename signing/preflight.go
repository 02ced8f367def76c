package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"

	"countersign/audit"
	"countersign/pades"
	"countersign/people"
)

// Preflight is one thing that was checked before the person is asked for a code. Text is a
// constant English sentence that holds when OK.
type Preflight struct {
	Name string // "credential", "key", "certificate", "file", "document", "time"
	Text string
	OK   bool
}

var preflights = []Preflight{
	{Name: "credential", Text: "Your credential is active."},
	{Name: "key", Text: "Its key is switched on and strong enough."},
	{Name: "certificate", Text: "Its certificate is valid today."},
	{Name: "file", Text: "The stored file is byte for byte the one you uploaded."},
	{Name: "document", Text: "The document takes a signature; nothing else in it is touched."},
	{Name: "time", Text: "There is room for the time from the clock service."},
}

// passed gives the list up to the check that failed; all of it when name is empty.
func passed(failed string) []Preflight {
	var list []Preflight
	for _, p := range preflights {
		p.OK = p.Name != failed
		list = append(list, p)
		if !p.OK {
			break
		}
	}
	return list
}

// Preflight tells what was checked when the ceremony began. A ceremony exists only when
// every check passed, so all are OK.
func (s *Service) Preflight(ctx context.Context, a people.Actor, id CeremonyID) ([]Preflight, error) {
	if _, _, err := s.Ceremony(ctx, a, id); err != nil {
		return nil, err
	}
	return passed(""), nil
}

// checkBytes reads the stored bytes of a document again and compares them with every
// fingerprint there is a record of. It answers ErrCorrupt when they differ, and else the
// stamp of what it read. When that is the stamp of an earlier check, known, nothing has
// touched the files since, and they are not read once more: with a gigabyte, a person who
// has typed a code would wait for it.
func (s *Service) checkBytes(ctx context.Context, d Document, revisions []Revision, known string) (stamp string, err error) {
	if !bytes.Equal(d.SHA256, revisions[0].SHA256) {
		return "", fmt.Errorf("the fingerprint of the document is not that of its first revision: %w", ErrCorrupt)
	}
	f, err := s.openFile(ctx, d, revisions)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if f.Size() != d.Size {
		return "", fmt.Errorf("the file has %d bytes, not %d: %w", f.Size(), d.Size, ErrCorrupt)
	}
	if stamp = f.Stamp(); stamp != "" && stamp == known {
		return stamp, nil
	}
	h := sha256.New()
	for _, r := range revisions {
		if err := pades.Feed(ctx, f, r.Offset, r.Offset+r.Size, h); err != nil {
			return "", fmt.Errorf("read stored bytes: %w", err)
		}
		if !bytes.Equal(h.Sum(nil), r.SHA256) {
			return "", fmt.Errorf("revision %d does not have its fingerprint: %w", r.Number, ErrCorrupt)
		}
	}
	return stamp, nil
}

// hashState is the state of the hash after the last revision, which must speak of the same
// bytes as the fingerprint: it is a shortcut and never evidence.
func (s *Service) hashState(d Document, last Revision) ([]byte, error) {
	state, err := s.Blobs.Unseal(d.ID, d.Key, last.State)
	if err != nil {
		return nil, fmt.Errorf("unseal hash state: %w", err)
	}
	h := sha256.New()
	if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		return nil, fmt.Errorf("read hash state: %w: %w", ErrCorrupt, err)
	}
	if !bytes.Equal(h.Sum(nil), last.SHA256) {
		return nil, fmt.Errorf("the hash state is of other bytes: %w", ErrCorrupt)
	}
	return state, nil
}

// ready loads a document to be signed with its released revisions.
func (s *Service) ready(ctx context.Context, a people.Actor, id DocumentID) (Document, []Revision, error) {
	d, err := s.Store.Document(ctx, a.Person, id)
	if err != nil {
		return d, nil, ofStore(err)
	}
	if err := readable(d); err != nil {
		return d, nil, err
	}
	revisions, err := s.released(ctx, d)
	return d, revisions, err
}

// broken quarantines the document when err says that its bytes are not what they were.
func (s *Service) broken(ctx context.Context, d Document, err error) error {
	if errors.Is(err, ErrCorrupt) {
		s.quarantine(ctx, people.System("pre-flight"), d, codeBytes, err)
		return fail(codeBytes, err)
	}
	return internal(err)
}

// declined writes a refused command into the log.
func (s *Service) declined(ctx context.Context, a people.Actor, action string, id CeremonyID, err error) error {
	return s.refused(ctx, a, audit.Entry{Action: action, Object: "ceremony", Subject: string(id)}, err)
}
