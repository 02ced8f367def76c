package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"time"

	"countersign/audit"
	"countersign/pades"
	"countersign/people"
)

// CheckState is where one check stands.
type CheckState string

// The states of a check.
const (
	CheckWaits     CheckState = "waits" // not done yet; nothing is stored of it
	CheckOK        CheckState = "ok"
	CheckFailed    CheckState = "failed"
	CheckUnchecked CheckState = "unchecked" // could not be looked at: said, and in the way only where configured
)

// Check is what came of a check that takes its time, as it is kept: made in the background
// while the person reads, on whichever replica, and made again by nobody before it is due.
type Check struct {
	Ceremony CeremonyID
	Document DocumentID // empty: of the ceremony as a whole
	Name     string     // "clock", "revocation", "file"
	State    CheckState // never CheckWaits
	Reason   string     // code, unless OK
	Stamp    string     // of the stored bytes that were read, for "file"
	At       time.Time
}

// Preflight is one thing that is checked before the person is asked for a code. Texts are
// constant English sentences: Text says what holds, or what does not, and Who can change it.
type Preflight struct {
	Name     string     // "credential", "key", "certificate", "document", and those of Check
	Document DocumentID // empty: of the ceremony as a whole
	Text     string
	Who      string
	State    CheckState
	OK       bool      // not in the way
	At       time.Time // of one that takes its time
}

var preflights = []Preflight{
	{Name: "credential", Text: "Your credential is active."},
	{Name: "key", Text: "Its key is switched on and strong enough."},
	{Name: "certificate", Text: "Its certificate is valid today."},
	{Name: "document", Text: "The document takes a signature; nothing else in it is touched."},
}

// What holds when a check that takes its time is passed, by its name.
var passedTexts = map[string]string{
	"revocation": "Whoever issued the certificate has not revoked it.",
	"clock":      "The clock service answers, agrees with our clock, and there is room for its time.",
	"file":       "The stored file is byte for byte the one you uploaded.",
}

// passed gives the list up to the check that failed; all of it when name is empty.
func passed(failed string) []Preflight {
	var list []Preflight
	for _, p := range preflights {
		p.OK, p.State = p.Name != failed, CheckOK
		if !p.OK {
			p.State = CheckFailed
		}
		list = append(list, p)
		if !p.OK {
			break
		}
	}
	return list
}

// Preflight tells what was checked for a ceremony and what is being checked, in the order in
// which it is shown: what takes its time comes last, with one line for each document. What is
// not done yet goes on in the background.
func (s *Service) Preflight(ctx context.Context, a people.Actor, id CeremonyID) ([]Preflight, error) {
	c, signatures, err := s.Ceremony(ctx, a, id)
	if err != nil {
		return nil, err
	}
	stored, err := s.Store.Checks(ctx, id)
	if err != nil {
		return nil, ofStore(err)
	}
	if c.State == CeremonyPrepared && len(s.missing(c, signatures, stored)) > 0 && !s.Lazy {
		s.look(c)
	}
	list := passed("")
	for _, w := range s.slow(signatures) {
		list = append(list, s.told(w, stored))
	}
	return list, nil
}

// told is what the page says of a check.
func (s *Service) told(w Check, stored []Check) Preflight {
	p := Preflight{Name: w.Name, Document: w.Document, Text: passedTexts[w.Name], State: CheckWaits}
	if found := find(stored, w); found != nil {
		p.State, p.At = found.State, found.At
		p.OK = !s.inTheWay(*found)
		if found.State != CheckOK {
			why := Explain(found.Reason)
			p.Text, p.Who = why.Sentence, why.Who
		}
	}
	return p
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
