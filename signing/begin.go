package signing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/pades"
	"countersign/people"
)

// Choice is what a person decides about several documents before they approve.
type Choice struct {
	GoOn bool // one document that fails does not stop the others
}

// Begin prepares every document for one approval with one credential, checks what can be
// checked before the person is asked for a code, and stores it. The answer to a failed
// check is the error and the list of checks up to it; nothing is stored then. When some of
// several documents are in the way, the error names each of them with its reason.
//
// A document has one open preparation. When it is the same one (same credential, same documents,
// same choice, not authorized), it is answered again; when the person now wants another
// credential or other documents, the old one is cancelled, and a code sent for it is worth nothing.
func (s *Service) Begin(ctx context.Context, a people.Actor, docs []DocumentID, credential string) (Ceremony, []Preflight, error) {
	return s.BeginWith(ctx, a, docs, credential, Choice{})
}

// BeginWith is Begin with a choice.
func (s *Service) BeginWith(ctx context.Context, a people.Actor, docs []DocumentID, credential string, how Choice) (Ceremony, []Preflight, error) {
	if err := s.may(ctx, a, people.Sign, "ceremony", ""); err != nil {
		return Ceremony{}, nil, err
	}
	c, failed, err := s.begin(ctx, a, docs, credential, how)
	if errors.Is(err, ErrConflict) {
		// Somebody else was quicker, most often the other half of a double click.
		if open, _, oerr := s.openFor(ctx, a, docs, credential, how); oerr == nil && open != nil {
			return *open, passed(""), nil
		}
	}
	var f *Error
	if errors.As(err, &f) && f.Code == codeChanged {
		// Or the file has grown by proof for later years: prepare on what it is now.
		c, failed, err = s.begin(ctx, a, docs, credential, how)
	}
	if err != nil {
		return Ceremony{}, passedUpTo(failed), s.declined(ctx, a, "ceremony.begin", "", err)
	}
	if !s.Lazy {
		s.look(c)
	}
	return c, passed(""), nil
}

func passedUpTo(failed string) []Preflight {
	if failed == "" {
		return nil
	}
	return passed(failed)
}

func (s *Service) begin(ctx context.Context, a people.Actor, docs []DocumentID, credential string, how Choice) (c Ceremony, failed string, err error) {
	if err := s.countDocuments(docs); err != nil {
		return c, "", err
	}
	open, stale, err := s.openFor(ctx, a, docs, credential, how)
	if err != nil || open != nil {
		if open != nil {
			c = *open
		}
		return c, "", err
	}
	k, failed, err := s.key(ctx, a, credential, len(docs))
	if err != nil {
		return c, failed, err
	}
	id, err := s.newID()
	if err != nil {
		return c, "", err
	}
	now := s.now()
	c = Ceremony{ID: CeremonyID(id), Owner: a.Person, Credential: credential, CredentialName: k.name, SignAlgo: k.oid,
		SignParams: k.params, Factor: k.factor, GoOn: how.GoOn && len(docs) > 1, CreatedAt: now}
	b := &beginning{s: s, a: a, c: c, key: k, now: now}
	if failed, err = b.prepareAll(ctx, docs); err == nil {
		err = b.store(ctx, stale)
	}
	if err != nil {
		b.drop(ctx)
		return c, failed, err
	}
	return b.c, "", nil
}

func (s *Service) countDocuments(docs []DocumentID) error {
	switch {
	case len(docs) == 0:
		return fail(codeNoDocuments, nil)
	case len(docs) > s.MaxTogether:
		return s.tooMany(s.MaxTogether)
	}
	for i, d := range docs {
		if slices.Contains(docs[:i], d) {
			return fail(codeInProgress, errors.New("a document is named twice"))
		}
	}
	return nil
}

// tooMany says how many one approval takes.
func (s *Service) tooMany(most int) error {
	f := fail(codeTooMany, nil)
	f.Args = map[string]any{"Most": min(max(most, 1), s.MaxTogether)}
	return f
}

// held is an open ceremony that a new one takes the place of.
type held struct {
	ceremony   Ceremony
	signatures []Signature
}

// openFor finds what is open for the documents: the ceremony to go on with, or those that
// have to end first. One that has gone too far is the error.
func (s *Service) openFor(ctx context.Context, a people.Actor, docs []DocumentID, credential string, how Choice) (*Ceremony, []held, error) {
	var all []held
	var refused []Refused
	for _, id := range docs {
		if _, err := s.Store.Document(ctx, a.Person, id); err != nil {
			return nil, nil, ofStore(err)
		}
		c, err := s.Store.OpenCeremony(ctx, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, ofStore(err)
		}
		if !CanMoveCeremony(c.State, CeremonyCancelled) {
			refused = append(refused, Refused{id, closed(c)})
			continue
		}
		if slices.ContainsFunc(all, func(h held) bool { return h.ceremony.ID == c.ID }) {
			continue
		}
		signatures, err := s.Store.Signatures(ctx, c.ID)
		if err != nil {
			return nil, nil, ofStore(err)
		}
		all = append(all, held{c, signatures})
	}
	if len(refused) > 0 {
		return nil, nil, someRefused(refused, len(docs))
	}
	if len(all) == 1 && all[0].same(docs, credential, how) && s.now().Before(all[0].ceremony.Deadline) {
		return &all[0].ceremony, nil, nil
	}
	return nil, all, nil
}

func (h held) same(docs []DocumentID, credential string, how Choice) bool {
	signatures := toSign(h.signatures)
	if h.ceremony.Credential != credential || len(signatures) != len(docs) || h.ceremony.GoOn != (how.GoOn && len(docs) > 1) {
		return false
	}
	for _, g := range signatures {
		if !slices.Contains(docs, g.Document) {
			return false
		}
	}
	return true
}

// beginning is a ceremony being put together.
type beginning struct {
	s          *Service
	a          people.Actor
	c          Ceremony
	key        key
	now        time.Time
	documents  []Document
	prepared   []preparation // of each document, until it is kept
	signatures []Signature
}

// prepareAll prepares each document. Of several, all that are in the way are named at once.
func (b *beginning) prepareAll(ctx context.Context, docs []DocumentID) (failed string, err error) {
	var refused []Refused
	for _, d := range docs {
		step, err := b.prepare(ctx, d)
		var f *Error
		switch {
		case err == nil:
		case len(docs) > 1 && errors.As(err, &f) && f.Kind == KindConflict:
			refused = append(refused, Refused{d, f})
		default:
			return step, err
		}
	}
	if len(refused) > 0 {
		return "document", someRefused(refused, len(docs))
	}
	if err := b.attributes(ctx); err != nil {
		return "", err
	}
	return b.keepAll(ctx)
}

// keepAll keeps each preparation as a blob, now that its digest is final.
func (b *beginning) keepAll(ctx context.Context) (failed string, err error) {
	for i := range b.signatures {
		p, g := b.prepared[i], &b.signatures[i]
		if g.Prepared, err = b.s.keep(ctx, b.documents[i], p); err != nil {
			return "time", err
		}
		g.Digest = p.Digest()
		if r := room(p.Prepared); i == 0 || r < b.c.Room {
			b.c.Room = r
		}
	}
	return "", nil
}

// someRefused names those of several documents that are in the way.
func someRefused(refused []Refused, of int) *Error {
	if of == 1 {
		return refused[0].Error
	}
	f := fail(codeSomeRefused, refused[0].Error)
	f.Documents = refused
	return f
}

// prepare prepares the increment of one document. Its bytes are held
// against their fingerprint afterwards, while the person reads, and before anything is signed.
func (b *beginning) prepare(ctx context.Context, id DocumentID) (failed string, err error) {
	d, revisions, err := b.s.ready(ctx, b.a, id)
	if err != nil {
		return "file", err
	}
	last := revisions[len(revisions)-1]
	state, err := b.s.hashState(d, last)
	if err != nil {
		return "file", b.s.broken(ctx, d, err)
	}
	p, err := b.s.prepare(ctx, d, revisions, pades.Options{Chain: b.key.info.Certificates, Hash: b.key.hash, SignAlgo: b.key.oid,
		SignParams: b.key.params, Rand: b.s.Rand, Time: b.now, Name: b.key.info.Certificates[0].Subject.CommonName, Timestamped: !b.s.NoTimestamp, State: state})
	if err != nil {
		if code := refusalCode(err); code != "" {
			f := fail(code, err)
			f.Kind, f.Signed = KindConflict, nothing
			return "document", f
		}
		return "document", internal(fmt.Errorf("prepare document %s: %w", d.ID, err))
	}
	gid, err := b.s.newID()
	b.signatures = append(b.signatures, Signature{ID: SignatureID(gid), Ceremony: b.c.ID, Document: d.ID, Owner: d.Owner, Field: p.Field, Base: d.Revisions,
		CreatedAt: b.now, SignerName: b.key.info.Certificates[0].Subject.CommonName, Issuer: b.key.info.Certificates[0].Issuer.CommonName})
	b.documents = append(b.documents, d)
	b.prepared = append(b.prepared, preparation{Prepared: p})
	return "", err
}

func (s *Service) prepare(ctx context.Context, d Document, revisions []Revision, o pades.Options) (*pades.Prepared, error) {
	f, err := s.openFile(ctx, d, revisions)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return pades.Prepare(f, f.Size(), o)
}

// keep stores a preparation under the document's key.
func (s *Service) keep(ctx context.Context, d Document, p preparation) (blob string, err error) {
	b, err := json.Marshal(p)
	if err != nil {
		return "", internal(fmt.Errorf("keep preparation: %w", err))
	}
	return s.write(ctx, PointPrepare, d, b)
}

// write stores a small blob.
func (s *Service) write(ctx context.Context, p Point, d Document, b []byte) (id string, err error) {
	w, err := s.Blobs.Create(ctx, d.ID, d.Key)
	if err != nil {
		return "", noSpace(fmt.Errorf("create blob: %w", err))
	}
	if _, err := w.Write(b); err != nil {
		return "", errors.Join(noSpace(fmt.Errorf("write blob: %w", err)), w.Abort())
	}
	id, err = s.commitAt(p, w)
	if err != nil {
		return "", noSpace(fmt.Errorf("commit blob: %w", err))
	}
	return id, nil
}

// store commits the ceremony, and with it the end of those it takes the place of.
func (b *beginning) store(ctx context.Context, stale []held) error {
	t := b.s.step(b.a)
	for i := range stale {
		b.s.cancel(t, &stale[i].ceremony, stale[i].signatures)
	}
	end := t.now.Add(b.s.CeremonyLife)
	t.ceremony(&b.c, CeremonyPrepared, end, "ceremony.begin").Facts = map[string]string{"credential": b.c.Credential}
	for i := range b.signatures {
		g := &b.signatures[i]
		t.signature(g, SignaturePrepared, end, "signature.prepare").Facts["digest"] = fmt.Sprintf("%x", g.Digest)
		// The document's version moves too, so that erasing it and preparing it exclude each other.
		t.document(&b.documents[i], DocumentReady, time.Time{}, "")
	}
	person := string(b.a.Person)
	t.Attempts = []Attempt{{Action: "ceremony.begin", Subject: person, At: t.now}}
	for range b.signatures {
		t.Attempts = append(t.Attempts, Attempt{Action: "document.prepare", Subject: person, At: t.now})
	}
	t.Limits = b.limits(t.now)
	err := b.s.applyAt(ctx, PointBegin, t)
	if errors.Is(err, ErrLimited) {
		return tooOften(err)
	}
	if err == nil {
		for _, h := range stale {
			b.s.dropPrepared(ctx, h.signatures)
		}
	}
	return ofStore(err)
}

func (b *beginning) limits(now time.Time) []Limit {
	person, since := string(b.a.Person), now.Add(-time.Hour)
	return []Limit{{Action: "ceremony.begin", Subject: person, Since: since, Max: b.s.Limits.BeginsPerHour},
		{Action: "document.prepare", Subject: person, Since: since, Max: b.s.Limits.SignsPerHour - len(b.signatures) + 1}}
}

func tooOften(cause error) *Error {
	f := fail(codeTooOften, cause)
	f.RetryAfter = 10 * time.Minute
	return f
}

// drop removes the blobs of a ceremony that did not come to be.
func (b *beginning) drop(ctx context.Context) {
	for _, g := range b.signatures {
		if g.Prepared != "" {
			b.s.removeBlob(ctx, g.Prepared)
		}
	}
}
