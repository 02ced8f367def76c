package signing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/dtmclient"
	"countersign/pades"
	"countersign/people"
)

// Begin prepares every document for one approval with one credential, checks what can be
// checked before the person is asked for a code, and stores it. The answer to a failed
// check is the error and the list of checks up to it; nothing is stored then.
//
// A document has one open preparation. When it is the same one (same credential, same documents,
// not authorized), it is answered again; when the person now wants another credential or
// other documents, the old one is cancelled, and a code sent for it is worth nothing.
func (s *Service) Begin(ctx context.Context, a people.Actor, docs []DocumentID, credential string) (Ceremony, []Preflight, error) {
	if err := s.may(ctx, a, people.Sign, "ceremony", ""); err != nil {
		return Ceremony{}, nil, err
	}
	c, failed, err := s.begin(ctx, a, docs, credential)
	if errors.Is(err, ErrConflict) {
		// Somebody else was quicker, most often the other half of a double click.
		if open, _, oerr := s.openFor(ctx, a, docs, credential); oerr == nil && open != nil {
			return *open, passed(""), nil
		}
	}
	if err != nil {
		return Ceremony{}, passedUpTo(failed), s.declined(ctx, a, "ceremony.begin", "", err)
	}
	return c, passed(""), nil
}

func passedUpTo(failed string) []Preflight {
	if failed == "" {
		return nil
	}
	return passed(failed)
}

func (s *Service) begin(ctx context.Context, a people.Actor, docs []DocumentID, credential string) (c Ceremony, failed string, err error) {
	if err := s.countDocuments(docs); err != nil {
		return c, "", err
	}
	open, stale, err := s.openFor(ctx, a, docs, credential)
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
		SignParams: k.params, Factor: k.factor, CreatedAt: now}
	b := &beginning{s: s, a: a, c: c, key: k, now: now}
	for _, d := range docs {
		if failed, err := b.prepare(ctx, d); err != nil {
			b.drop(ctx)
			return c, failed, err
		}
	}
	if err := b.store(ctx, stale); err != nil {
		b.drop(ctx)
		return c, "", err
	}
	return b.c, "", nil
}

func (s *Service) countDocuments(docs []DocumentID) error {
	switch {
	case len(docs) == 0:
		return fail(codeNoDocuments, nil)
	case len(docs) > s.MaxTogether:
		return fail(codeTooMany, nil)
	}
	for i, d := range docs {
		if slices.Contains(docs[:i], d) {
			return fail(codeInProgress, errors.New("a document is named twice"))
		}
	}
	return nil
}

// held is an open ceremony that a new one takes the place of.
type held struct {
	ceremony   Ceremony
	signatures []Signature
}

// openFor finds what is open for the documents: the ceremony to go on with, or those that
// have to end first. One that has gone too far is the error.
func (s *Service) openFor(ctx context.Context, a people.Actor, docs []DocumentID, credential string) (*Ceremony, []held, error) {
	var all []held
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
			return nil, nil, closed(c)
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
	if len(all) == 1 && all[0].same(docs, credential) && s.now().Before(all[0].ceremony.Deadline) {
		return &all[0].ceremony, nil, nil
	}
	return nil, all, nil
}

func (h held) same(docs []DocumentID, credential string) bool {
	if h.ceremony.Credential != credential || len(h.signatures) != len(docs) {
		return false
	}
	for _, g := range h.signatures {
		if !slices.Contains(docs, g.Document) {
			return false
		}
	}
	return true
}

// key is what a credential signs with.
type key struct {
	algorithm
	name   string
	info   dtmclient.CredentialInfo
	factor Factor
}

// key asks for the state of the credential now and holds it against the policy.
func (s *Service) key(ctx context.Context, a people.Actor, credential string, n int) (k key, failed string, err error) {
	// First through the person: an id of somebody else's ends here.
	if _, err := s.Credentials.Credential(ctx, a.Person, credential); err != nil {
		if errors.Is(err, ErrNotFound) {
			return k, "credential", fail(codeNoCredential, err)
		}
		return k, "credential", internal(err)
	}
	if k.name, err = s.usable(ctx, a.Person, credential); err != nil {
		return k, "credential", err
	}
	if k.info, err = s.Remote.CredentialInfo(ctx, k.name); err != nil {
		return k, "key", ofRemote(err)
	}
	if k.info.KeyStatus != "enabled" {
		return k, "key", fail(codeKeyDisabled, fmt.Errorf("key status %q", k.info.KeyStatus))
	}
	if k.algorithm, err = choose(k.info); err != nil {
		return k, "key", err
	}
	if st := k.info.CertStatus; st != "" && st != "valid" {
		return k, "certificate", fail(codeCertificateTime, fmt.Errorf("certificate status %q", st))
	}
	if err = s.checkCertificate(k.info.Certificates, s.Now()); err != nil {
		return k, "certificate", err
	}
	if n > max(k.info.Multisign, 1) {
		return k, "key", fail(codeTooMany, nil)
	}
	k.factor, err = factorOf(k.info)
	return k, "key", err
}

// usable looks the credential up at its service and answers its name there.
func (s *Service) usable(ctx context.Context, owner people.ID, credential string) (name string, err error) {
	fresh, err := s.Credentials.Fresh(ctx, credential)
	switch {
	case errors.Is(err, ErrNotFound):
		return "", fail(codeNoCredential, err)
	case err != nil:
		return "", ofRemote(err)
	case fresh.Person != owner:
		return "", fail(codeNoCredential, errors.New("the credential is bound to somebody else now"))
	case !fresh.Usable:
		f := fail(codeCredential, nil)
		f.Args = map[string]any{"Reason": fresh.Reason}
		return "", f
	}
	return fresh.Name, nil
}

// factorOf reads how a credential is approved. A factor that may be left out is asked for
// when no other is demanded: a signature without any is not the person's.
func factorOf(info dtmclient.CredentialInfo) (Factor, error) {
	f := Factor{Mode: info.AuthMode, PIN: string(info.PIN.Presence), PINLabel: info.PIN.Label, PINDigits: info.PIN.Format == "N",
		OTP: string(info.OTP.Presence), OTPType: info.OTP.Type, OTPLabel: info.OTP.Label, OTPDigits: info.OTP.Format == "N",
		Bound: info.SCAL == "2"}
	switch {
	case f.Mode == "implicit", f.NeedsOTP(), f.NeedsPIN():
		return f, nil
	case f.Mode == "explicit" && f.OTP == "optional":
		f.OTP = "true"
		return f, nil
	case f.Mode == "explicit" && f.PIN == "optional":
		f.PIN = "true"
		return f, nil
	}
	return f, fail(codeFactorUnsupported, fmt.Errorf("mode %q, PIN %q, OTP %q", f.Mode, f.PIN, f.OTP))
}

// beginning is a ceremony being put together.
type beginning struct {
	s          *Service
	a          people.Actor
	c          Ceremony
	key        key
	now        time.Time
	documents  []Document
	signatures []Signature
}

// prepare reads one document again, prepares its increment and keeps that as a blob.
func (b *beginning) prepare(ctx context.Context, id DocumentID) (failed string, err error) {
	d, revisions, err := b.s.ready(ctx, b.a, id)
	if err != nil {
		return "file", err
	}
	stored, err := b.s.checkBytes(ctx, d, revisions, "")
	if err != nil {
		return "file", b.s.broken(ctx, d, err)
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
	blob, err := b.s.keep(ctx, d, preparation{p, stored})
	if err != nil {
		return "time", err
	}
	g := Signature{Ceremony: b.c.ID, Document: d.ID, Owner: d.Owner, Field: p.Field, Base: d.Revisions, Digest: p.Digest(),
		Prepared: blob, CreatedAt: b.now, SignerName: b.key.info.Certificates[0].Subject.CommonName,
		Issuer: b.key.info.Certificates[0].Issuer.CommonName}
	b.signatures = append(b.signatures, g)
	b.documents = append(b.documents, d)
	gid, err := b.s.newID()
	b.signatures[len(b.signatures)-1].ID = SignatureID(gid)
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
	t.Limits = []Limit{{Action: "ceremony.begin", Subject: person, Since: t.now.Add(-time.Hour), Max: b.s.Limits.BeginsPerHour}}
	err := b.s.applyAt(ctx, PointBegin, t)
	if errors.Is(err, ErrLimited) {
		f := fail(codeTooOften, err)
		f.RetryAfter = 10 * time.Minute
		return f
	}
	if err == nil {
		for _, h := range stale {
			b.s.dropPrepared(ctx, h.signatures)
		}
	}
	return ofStore(err)
}

// drop removes the blobs of a ceremony that did not come to be.
func (b *beginning) drop(ctx context.Context) {
	for _, g := range b.signatures {
		b.s.removeBlob(ctx, g.Prepared)
	}
}
