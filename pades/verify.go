package pades

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"countersign/pades/pdf"
	"countersign/pades/trust"
)

// VerifyOptions are the reader's policy (EN 319 102-1, 5.2).
//
// Revocation is judged only from what the file carries in its security store; nothing is
// fetched. A file without such data passes all the same: the check "revocation" then says
// "not checked", and a reader who needs more has to ask the issuer. This is the policy's
// only concession. Changes after a signature pass only when they are on the short list of
// what signing itself does (see compare).
type VerifyOptions struct {
	Roots  *x509.CertPool // trusted issuers of signers and clock services; nil: nothing can pass
	Now    time.Time      // zero: the present
	Limits Limits

	Password string // of an encrypted file, the user's or the owner's; empty: the empty one
}

// Limits bound the work; zero values mean the defaults.
type Limits struct {
	Size       int64 // bytes of the file, default 10 GB
	Signatures int   // default 64
}

// ErrLimit says that the file is larger or holds more signatures than the limits allow.
var ErrLimit = errors.New("pades: a limit was reached")

// Verify checks every signature and document timestamp of a PDF. The file is read once from
// end to end (plus a few small pieces), never held: memory stays under 64 MB whatever the
// file, and ctx bounds the time.
//
// An error means that the file could not be read or judged at all; it is never good news.
// Anything that can be said about a signature is in the Result.
func Verify(ctx context.Context, r io.ReaderAt, size int64, o VerifyOptions) (Result, error) {
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if o.Limits.Size == 0 {
		o.Limits.Size = 10_000_000_000
	}
	if o.Limits.Signatures == 0 {
		o.Limits.Signatures = 64
	}
	if size > o.Limits.Size {
		return Result{}, fmt.Errorf("%w: %d bytes", ErrLimit, size)
	}
	opening := pdf.Options{Password: o.Password}.Shared()
	v := &verification{ctx: ctx, opening: opening, r: newBlocks(r, size, opening), size: size, o: o, evidence: trust.NewEvidence(o.Now), control: o.Now}
	for _, step := range []func() error{v.open, v.collect, v.digest, v.compareAll} {
		if err := step(); err != nil {
			return Result{}, refusal(err)
		}
	}
	// What was passed over because it could not be read may have been too much only for us.
	if err := v.f.Spent(); err != nil {
		return Result{}, refusal(err)
	}
	return v.result()
}

// verification is one run.
type verification struct {
	ctx  context.Context
	r    io.ReaderAt
	size int64
	o    VerifyOptions

	opening pdf.Options // one budget of work for all versions that are opened

	f         *pdf.File
	torn      bool // bytes after the last complete revision look like an update without its end
	revisions int
	evidence  *trust.Evidence
	certs     []*x509.Certificate // of the security store
	items     []*item
	values    int       // bytes of the signatures' values
	control   time.Time // the moment certificates are judged at; document timestamps move it back
	res       Result
}

// open reads the file as strictly as its signatures need. A damaged unsigned file is
// repaired, only to say that it is unsigned.
func (v *verification) open() error {
	f, err := pdf.Open(v.r, v.size, v.opening)
	if err == nil {
		v.f = f
		return nil
	}
	if !errors.Is(err, pdf.ErrDamaged) && !errors.Is(err, pdf.ErrTruncated) {
		return fmt.Errorf("open: %w", err)
	}
	// Signed and damaged: the newest complete revision may tell whose signature it was.
	end := v.size
	for range 16 {
		if end, err = v.lastMarker(end); err != nil || end < 0 {
			break
		}
		whole := v.afterLine(end + 5)
		if f, again := pdf.OpenStrict(io.NewSectionReader(v.r, 0, whole), whole, v.opening); again == nil {
			if sigs, again := f.Form(); again == nil && signed(sigs) {
				v.f, v.torn = f, true
				return nil
			}
		}
	}
	if err == nil {
		err = pdf.ErrDamaged
	}
	return fmt.Errorf("open: %w", err)
}

// afterLine is the place after the end of line at a place, if there is one.
func (v *verification) afterLine(at int64) int64 {
	b := make([]byte, 2)
	n, _ := v.r.ReadAt(b, at) // fewer at the end of the file
	switch {
	case n == 2 && b[0] == '\r' && b[1] == '\n':
		return at + 2
	case n > 0 && (b[0] == '\r' || b[0] == '\n'):
		return at + 1
	}
	return at
}

func signed(form *pdf.Form) bool {
	return slices.ContainsFunc(form.Fields, func(f pdf.Field) bool { return f.Type == "Sig" && f.Value != nil })
}

// lastMarker finds the last end-of-file marker that begins before a place; -1: none.
func (v *verification) lastMarker(before int64) (int64, error) {
	const piece = 1 << 20
	for to := before; to > 0; {
		if err := v.ctx.Err(); err != nil {
			return -1, err
		}
		from := max(0, to-piece)
		b := make([]byte, min(v.size, to+4)-from)
		if _, err := v.r.ReadAt(b, from); err != nil && err != io.EOF {
			return -1, fmt.Errorf("read: %w", err)
		}
		if i := bytes.LastIndex(b[:min(int64(len(b)), to-from+4)], []byte("%%EOF")); i >= 0 {
			return from + int64(i), nil
		}
		to = from
	}
	return -1, nil
}

// collect finds the signatures and the security store, and checks each one's structure.
// Signatures that an update has taken out of the form are looked for in earlier revisions:
// whoever removes a signature should not get "this file carries none".
func (v *verification) collect() error {
	if err := v.collectFrom(v.f); err != nil {
		return err
	}
	if revs, err := v.f.Revisions(); err == nil {
		v.revisions = len(revs)
		for i := len(revs) - 2; i >= 0 && i >= len(revs)-maxEarlier; i-- {
			if f, err := v.f.At(revs[i].End); err == nil {
				if err := v.collectFrom(f); err != nil {
					return err
				}
			}
		}
	}
	v.readStore()
	return nil
}

// maxSignatureBytes bounds the values of all signatures, with their padding.
const maxSignatureBytes = 16 << 20

// maxEarlier bounds the revisions that are searched for removed signatures.
const maxEarlier = 32

func (v *verification) collectFrom(f *pdf.File) error {
	form, err := f.Form()
	if err != nil {
		if f != v.f {
			return nil // what an earlier version holds cannot be told
		}
		return fmt.Errorf("read form: %w", err)
	}
	for i := range form.Fields {
		fd := form.Fields[i]
		if fd.Type != "Sig" || fd.Value == nil {
			continue
		}
		if err := v.ctx.Err(); err != nil {
			return err
		}
		it := &item{name: fd.Name}
		sigs, err := f.SignaturesOf(&pdf.Form{Fields: []pdf.Field{fd}})
		switch {
		case err == nil && len(sigs) == 1:
			it.sig = sigs[0]
		case f != v.f:
			continue
		case err != nil:
			it.broken = "The signature's entry cannot be read."
		default: // V is null, or no dictionary
			if o, _ := f.Resolve(fd.Value); o == nil {
				continue
			}
			it.broken = "The signature's entry is not one."
		}
		if f != v.f && v.known(it) {
			continue
		}
		if len(v.items) == v.o.Limits.Signatures {
			return fmt.Errorf("%w: more than %d signatures", ErrLimit, v.o.Limits.Signatures)
		}
		if v.values += len(it.sig.Contents); v.values > maxSignatureBytes {
			return fmt.Errorf("%w: signatures of more than %d MB", ErrLimit, maxSignatureBytes>>20)
		}
		if it.broken == "" {
			v.inspect(it)
		}
		v.items = append(v.items, it)
	}
	return nil
}

// known tells whether a signature of an earlier revision was met before: the same value, or
// one in its place that cannot be read.
func (v *verification) known(it *item) bool {
	return slices.ContainsFunc(v.items, func(x *item) bool {
		return x.sig.ContentsAt == it.sig.ContentsAt && x.sig.ContentsEnd == it.sig.ContentsEnd || x.broken != "" && x.name == it.name
	})
}

// Bounds of the security store: certificates, CRLs and OCSP answers in bytes, and how many
// certificates are looked at.
const (
	maxStore  = 16 << 20
	maxStored = 100
)

// readStore takes the certificates and revocation data of the security store. What cannot
// be read proves nothing and is left out.
func (v *verification) readStore() {
	dss, err := v.f.DSS(maxStore)
	if err != nil || dss == nil {
		return
	}
	for i, b := range dss.Certs {
		if i == maxStored {
			break
		}
		if c, err := x509.ParseCertificate(b.DER); err == nil {
			v.certs = append(v.certs, c)
		}
	}
	v.evidence = evidence(dss, v.o.Now)
}

// evidence is the revocation data of a store, which may be nil.
func evidence(dss *pdf.DSS, now time.Time) *trust.Evidence {
	e := trust.NewEvidence(now)
	if dss == nil {
		return e
	}
	for _, b := range dss.CRLs {
		e.AddCRL(b.DER, b.At)
	}
	for _, b := range dss.OCSPs {
		e.AddOCSP(b.DER, b.At)
	}
	return e
}

// result judges the newest first, since a document timestamp proves when what is older
// existed, and reports in the order of the revisions.
func (v *verification) result() (Result, error) {
	slices.SortStableFunc(v.items, func(a, b *item) int { return int(max(-1, min(1, b.end-a.end))) })
	for _, it := range v.items {
		if err := v.ctx.Err(); err != nil {
			return Result{}, err
		}
		v.judge(it)
	}
	slices.Reverse(v.items)
	slices.SortStableFunc(v.items, func(a, b *item) int { // those that cover nothing last
		switch {
		case (a.broken == "") == (b.broken == ""):
			return 0
		case a.broken == "":
			return -1
		}
		return 1
	})
	v.res.Indication, v.res.Size = NoSignature, v.size
	v.res.Pages, _ = v.f.PageCount() // zero: cannot be told
	for _, it := range v.items {
		v.res.Signatures = append(v.res.Signatures, it.out)
		v.res.Indication = v.res.Indication.Worse(it.out.Indication)
	}
	return v.res, nil
}
