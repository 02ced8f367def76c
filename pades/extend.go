package pades

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"countersign/pades/cms"
	"countersign/pades/pdf"
	"countersign/pades/trust"
	"countersign/pades/tsp"
)

// ExtendOptions say how far a signed file is carried (EN 319 142-1, 6.1).
type ExtendOptions struct {
	Level string // "B-LT": validation data; "B-LTA": and a timestamp over the whole document

	// Fetch asks the addresses that certificates name. It must guard against addresses that
	// are not for it (see package fetch).
	Fetch trust.Fetcher
	// Stamp asks a clock service, for B-LTA. What it gives has passed tsp's own checks.
	Stamp func(ctx context.Context, digest []byte, h crypto.Hash) (*tsp.Token, error)

	Roots    *x509.CertPool // chains end here; nil: at certificates that signed themselves
	Now      time.Time      // zero: the present
	Fresh    bool           // data about signers from before their timestamp is not taken
	VRI      bool           // also list the data by signature; readers need it no more
	Field    string         // the signature that must get all its data; empty: every one
	State    []byte         // SHA-256 state after all bytes of the file; nil: B-LTA reads the file
	Password string         // of an encrypted file
	Rand     io.Reader      // nil is crypto/rand
}

// Extension is what Extend adds.
type Extension struct {
	Delta []byte // one or two incremental updates, to be appended; empty: nothing was missing
	State []byte // SHA-256 state after all bytes with Delta; nil when there was none and none was needed

	Certificates, Answers, Lists int // added to the security store

	Stamp *tsp.Token // over the document, nil below B-LTA
	// Lacking are signatures other than the one that must, whose data could not be had.
	Lacking map[string]error
	// Stale are names of certificates whose data is from before the timestamp, with the time
	// for which newer data is promised.
	Stale map[string]time.Time
}

// ErrNoTimestamp says that a signature has no timestamp yet: without one, later data proves
// nothing about the moment of signing.
var ErrNoTimestamp = errors.New("pades: the signature has no timestamp")

// Extend adds to a signed file what checks need once certificates have ended and services are
// gone: first the security store (chains, OCSP answers and lists, of signers, clock services
// and responders), and for B-LTA a timestamp over all of it. On a file that has such a
// timestamp it renews: data about the last clock service, then a new timestamp.
//
// Call it when revocation data newer than the signature's timestamp can be had, see Fresh. The
// errors are a *Refusal, a *trust.Unproven, a *trust.WithdrawnError, ErrNoTimestamp, or of
// Stamp; nothing is half done then.
func Extend(ctx context.Context, r io.ReaderAt, size int64, o ExtendOptions) (*Extension, error) {
	if o.Level != "B-LT" && o.Level != "B-LTA" {
		return nil, fmt.Errorf("pades: extend: no level %q", o.Level)
	}
	if o.Fetch == nil || o.Level == "B-LTA" && o.Stamp == nil {
		return nil, errors.New("pades: extend: Fetch or Stamp is missing")
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	e := &extending{r: r, size: size, o: o, out: &Extension{Lacking: map[string]error{}, Stale: map[string]time.Time{}}}
	e.opening = pdf.Options{Password: o.Password}.Shared()
	e.near = newBlocks(r, size, e.opening)
	if err := e.store(ctx); err != nil {
		return nil, refusal(err)
	}
	if err := e.hashed(ctx); err != nil {
		return nil, fmt.Errorf("pades: hash file: %w", err)
	}
	if o.Level == "B-LTA" {
		if err := e.stamp(ctx); err != nil {
			return nil, refusal(err)
		}
	}
	// What was passed over because it was too much may be what the level needs.
	if err := e.opening.Spend(0); err != nil {
		return nil, refusal(err)
	}
	if e.sum != nil {
		var err error
		if e.out.State, err = e.sum.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
			return nil, err
		}
	}
	return e.out, nil
}

// extending is one run.
type extending struct {
	r    io.ReaderAt
	size int64
	o    ExtendOptions

	near    io.ReaderAt // r, for the short reads of objects
	opening pdf.Options
	sum     hash.Hash // has seen the file and what was added so far; nil when not needed
	out     *Extension
}

// open reads the file with what was added so far.
func (e *extending) open() (*pdf.File, int64, error) {
	size := e.size + int64(len(e.out.Delta))
	f, err := pdf.OpenStrict(Join(Part{e.near, e.size}, Part{bytesAt(e.out.Delta), int64(len(e.out.Delta))}), size, e.opening)
	return f, size, err
}

// store adds what the security store lacks.
func (e *extending) store(ctx context.Context) error {
	f, size, err := e.open()
	if err != nil {
		return err
	}
	sigs, err := f.Signatures()
	if err != nil {
		return err
	}
	if len(sigs) == 0 {
		return refuse(RefusedUnsupported, "there is no signature to extend")
	}
	dss, err := f.DSS(maxStore)
	if err != nil {
		return err
	}
	w := newStoreWriter(f, dss)
	c := &trust.Collector{Fetch: e.o.Fetch, Roots: e.o.Roots, Now: e.o.Now, Strict: e.o.Fresh, Have: evidence(dss, e.o.Now)}
	c.Know(w.certificates()...)
	met := false
	for i := range sigs {
		s := &sigs[i]
		must := e.o.Field == "" || s.Field.Name == e.o.Field
		met = met || must
		err := collectFor(ctx, c, s, e.o.Now, stampedAfter(sigs, i))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && must:
			return fmt.Errorf("signature %q: %w", s.Field.Name, err)
		case err != nil:
			e.out.Lacking[s.Field.Name] = err
		}
	}
	if !met {
		return refuse(RefusedUnsupported, "there is no signature %q", e.o.Field)
	}
	for cert, next := range c.Stale {
		e.out.Stale[nameOf(cert.Subject.CommonName, cert.Subject.String())] = next
	}
	delta, err := w.write(c.Material(), sigs, e.o, size)
	if err != nil {
		return err
	}
	e.out.Delta = delta
	e.out.Certificates, e.out.Answers, e.out.Lists = w.certs, w.ocsps, w.crls
	return nil
}

// stampedAfter tells whether a document timestamp covers the i-th signature.
func stampedAfter(sigs []pdf.Signature, i int) bool {
	for j := range sigs {
		if isStamp(&sigs[j]) && sigs[j].ContentsAt > sigs[i].ContentsAt {
			return true
		}
	}
	return false
}

func isStamp(s *pdf.Signature) bool { return s.Type == "DocTimeStamp" || s.SubFilter == "ETSI.RFC3161" }

// collectFor gathers for one signature or document timestamp: who signed, at the proven time,
// and the clock service, now.
func collectFor(ctx context.Context, c *trust.Collector, s *pdf.Signature, now time.Time, covered bool) error {
	der, _ := cms.Trim(s.Contents)
	if isStamp(s) {
		token, err := tsp.ParseToken(der)
		if err != nil {
			return err
		}
		return collectToken(ctx, c, token, now, covered)
	}
	sd, err := cms.Parse(der)
	if err != nil {
		return err
	}
	signer, err := sd.One()
	if err != nil {
		return err
	}
	c.Know(sd.Certificates...)
	leaf, err := sd.Certificate(signer)
	if err != nil {
		return err
	}
	raw, err := signer.Token()
	if err != nil {
		return err
	}
	if raw == nil {
		if !covered {
			return ErrNoTimestamp
		}
		return c.Add(ctx, leaf, now, now)
	}
	token, err := tsp.ParseToken(raw)
	if err != nil {
		return err
	}
	if err := c.Add(ctx, leaf, token.Time, token.Time); err != nil {
		return err
	}
	return collectToken(ctx, c, token, now, covered)
}

// collectToken gathers about a clock service. It must have been good until the next timestamp
// came along, which may be the one that is about to be made.
func collectToken(ctx context.Context, c *trust.Collector, token *tsp.Token, now time.Time, covered bool) error {
	c.Know(token.Certificates...)
	if token.Certificate == nil {
		return errors.New("the clock service's certificate is not in the timestamp")
	}
	until := now
	if covered {
		until = token.Time
	}
	return c.Add(ctx, token.Certificate, token.Time, until)
}

// hashed brings the hash to the end of what there is, if it is needed or to be had cheaply.
func (e *extending) hashed(ctx context.Context) error {
	switch {
	case e.o.State != nil:
		e.sum = sha256.New()
		if err := restore(e.sum, e.o.State, e.size); err != nil {
			return err
		}
	case e.o.Level == "B-LTA":
		e.sum = sha256.New()
		if err := Feed(ctx, e.r, 0, e.size, e.sum); err != nil {
			return err
		}
	default:
		return nil
	}
	e.sum.Write(e.out.Delta)
	return nil
}

// stampDigits is the room for a document timestamp's token, which takes 3 to 8 KB.
const stampDigits = 32768

// stamp adds a document timestamp (EN 319 142-1, 5.4.3).
func (e *extending) stamp(ctx context.Context) error {
	f, size, err := e.open()
	if err != nil {
		return err
	}
	t := &target{}
	if t.form, err = f.Form(); err != nil {
		return err
	}
	if t.page, err = f.FirstPage(); err != nil {
		return err
	}
	t.name = freeName(t.form, "Timestamp")
	u, err := f.NewUpdate()
	if err != nil {
		return err
	}
	if err := addField(f, u, t, u.Add(signatureHoles("DocTimeStamp", "ETSI.RFC3161", stampDigits))); err != nil {
		return err
	}
	seen, err := e.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	out, err := u.Append(seed(seen, e.o.Now), e.o.Rand)
	if err != nil {
		return err
	}
	cut, err := openHole(out, size)
	if err != nil {
		return err
	}
	covered := sha256.New()
	if err := restore(covered, seen, size); err != nil {
		return err
	}
	cut.hash(covered, out.Bytes)
	if e.out.Stamp, err = e.o.Stamp(ctx, covered.Sum(nil), crypto.SHA256); err != nil {
		return fmt.Errorf("pades: document timestamp: %w", err)
	}
	// Whoever carried the token may have carried another one.
	if err := e.out.Stamp.Check(covered.Sum(nil), nil); err != nil {
		return fmt.Errorf("pades: document timestamp: %w", err)
	}
	if err := cut.fill(out.Bytes, e.out.Stamp.Raw); err != nil {
		return fmt.Errorf("pades: document timestamp: %w", err)
	}
	e.out.Delta = append(e.out.Delta, out.Bytes...)
	e.sum.Write(out.Bytes)
	return nil
}
