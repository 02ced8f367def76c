package signing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"countersign/pades"
)

// Flaw is one thing that is not as it must always be, told to whoever runs the site.
type Flaw struct {
	Invariant string    `json:"invariant"` // "I2"; docs/reliability.md lists them
	Object    string    `json:"object"`    // "document", "signature", "file", …
	Subject   string    `json:"subject"`   // its id
	Since     time.Time `json:"since"`     // the earliest moment it can be so from; zero: not known
	What      string    `json:"what"`      // what is wrong
	Do        string    `json:"do"`        // what to do about it
}

// Looked is how much a check looked at.
type Looked struct {
	Things int
	Bytes  int64
}

// Kept is what Examiner needs of the database.
type Kept interface {
	// KeptDocuments answers up to n documents whose bytes must be here, by id from after on.
	KeptDocuments(ctx context.Context, after DocumentID, n int) ([]Document, error)
	Revisions(ctx context.Context, id DocumentID) ([]Revision, error)
	SignaturesOf(ctx context.Context, id DocumentID) ([]Signature, error)
	// CertificateOf is the serial number, in hex, that is on record for the credential of a
	// ceremony; empty when none is.
	CertificateOf(ctx context.Context, id CeremonyID) (serial string, err error)
	// KeepsBlob reports whether a row speaks of the stored bytes.
	KeepsBlob(ctx context.Context, id string) (bool, error)
}

// Examiner holds the stored bytes against the rows. It writes nothing.
type Examiner struct {
	Store Kept
	Blobs Blobs
	// Walk visits all stored bytes by their id.
	Walk  func(ctx context.Context, visit func(id string, modified time.Time) error) error
	Roots *x509.CertPool
	Now   func() time.Time
	Quick bool // look whether everything is there and has its size, and read nothing
}

const atOnce = 200

// service is enough of one to read files with.
func (x Examiner) service() *Service {
	return &Service{Options: Options{Blobs: x.Blobs, Roots: x.Roots, Now: x.Now}}
}

// Documents reads every document: its bytes must be those of the record (I2), and its
// signatures must verify over them with the certificate on record (I7).
func (x Examiner) Documents(ctx context.Context, tell func(Flaw)) (Looked, error) {
	var all Looked
	for after := DocumentID(""); ; {
		page, err := x.Store.KeptDocuments(ctx, after, atOnce)
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, d := range page {
			n, err := x.document(ctx, d, tell)
			if err != nil {
				return all, fmt.Errorf("document %s: %w", d.ID, err)
			}
			all.Things++
			all.Bytes += n
			after = d.ID
		}
	}
}

const restore = "Restore the file from a backup of BLOB_DIR; until then nobody can read this document. Find out what touched the folder."

func (x Examiner) document(ctx context.Context, d Document, tell func(Flaw)) (int64, error) {
	bad := func(since time.Time, format string, args ...any) {
		tell(Flaw{Invariant: "I2", Object: "document", Subject: string(d.ID), Since: since, What: fmt.Sprintf(format, args...), Do: restore})
	}
	revisions, err := x.Store.Revisions(ctx, d.ID)
	if err != nil {
		return 0, err
	}
	if len(revisions) < d.Revisions || d.Revisions < 1 {
		bad(d.Since, "its row counts %d revisions, of which there are %d", d.Revisions, len(revisions))
		return 0, nil
	}
	n, whole, err := x.bytes(ctx, d, revisions, bad)
	if err != nil || !whole {
		return n, err
	}
	return n, x.signatures(ctx, d, revisions, tell, bad)
}

// bytes reads the revisions and answers whether they are what the record says.
func (x Examiner) bytes(ctx context.Context, d Document, revisions []Revision, bad func(time.Time, string, ...any)) (int64, bool, error) {
	last := revisions[len(revisions)-1]
	f, err := x.service().openFile(ctx, d, revisions)
	if errors.Is(err, ErrCorrupt) {
		bad(last.CreatedAt, "its stored bytes are not there or not what they were: %v", err)
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	if x.Quick {
		return f.Size(), true, nil
	}
	h := sha256.New()
	for _, r := range revisions {
		err := pades.Feed(ctx, f, r.Offset, r.Offset+r.Size, h)
		if errors.Is(err, ErrCorrupt) {
			bad(r.CreatedAt, "revision %d cannot be deciphered: %v", r.Number, err)
			return f.Size(), false, nil
		}
		if err != nil {
			return f.Size(), false, err
		}
		if !bytes.Equal(h.Sum(nil), r.SHA256) {
			bad(r.CreatedAt, "revision %d has the SHA-256 %x, the record says %x", r.Number, h.Sum(nil), r.SHA256)
			return f.Size(), false, nil
		}
	}
	if !bytes.Equal(d.SHA256, revisions[0].SHA256) {
		bad(d.CreatedAt, "the fingerprint %x in its row is not that of the original, %x", d.SHA256, revisions[0].SHA256)
		return f.Size(), false, nil
	}
	return f.Size(), true, nil
}

// signatures looks at what each signature of the document has stored, by its state.
func (x Examiner) signatures(ctx context.Context, d Document, revisions []Revision, tell func(Flaw), bad func(time.Time, string, ...any)) error {
	all, err := x.Store.SignaturesOf(ctx, d.ID)
	if err != nil {
		return err
	}
	s := x.service()
	var result *pades.Result
	for _, g := range all {
		wrong := func(format string, args ...any) {
			tell(Flaw{Invariant: "I7", Object: "signature", Subject: string(g.ID), Since: g.Since, What: fmt.Sprintf(format, args...),
				Do: "Keep people from relying on document " + string(d.ID) + ", and have somebody look at it with portal verify: a signature that does not verify must never have been given out."})
		}
		switch {
		case g.State.Open():
			p, err := s.prepared(ctx, d, g)
			if errors.Is(err, ErrCorrupt) {
				bad(g.CreatedAt, "the preparation of its signature %s is not there or not what it was: %v", g.ID, err)
				continue
			}
			if err != nil {
				return err
			}
			if g.Value != nil {
				if err := p.CheckValue(g.Value); err != nil {
					wrong("its stored value does not verify with the certificate: %v", err)
				}
			}
		case g.State == SignatureReleased && !x.Quick:
			if result == nil {
				r, err := s.verifyRevisions(ctx, d, revisions[:d.Revisions])
				if err != nil {
					return err
				}
				result = &r
			}
			serial, err := x.Store.CertificateOf(ctx, g.Ceremony)
			if err != nil {
				return err
			}
			if why := holds(*result, g, serial); why != "" {
				wrong("%s", why)
			}
		}
	}
	return nil
}

// holds says why a released signature does not hold, or nothing. That nobody can vouch for
// the certificate today is no flaw of what is stored.
func holds(result pades.Result, g Signature, serial string) string {
	for _, r := range result.Signatures {
		if r.Field != g.Field || r.Type != "signature" {
			continue
		}
		switch {
		case r.Indication == pades.TotalFailed:
			return "it does not verify over the stored bytes: " + r.Explanation
		case r.Certificate == nil:
			return "it carries no certificate"
		case serial != "" && hexDigits(serial) != hexDigits(r.Certificate.SerialNumber.Text(16)):
			return fmt.Sprintf("it was made with the certificate %s, on record is %s", r.Certificate.SerialNumber.Text(16), serial)
		case g.SignerName != "" && g.SignerName != r.SignerName:
			return "its certificate names somebody else than the record"
		}
		return ""
	}
	return fmt.Sprintf("it was released, and the stored file has no signature in the field %q", g.Field)
}

// hexDigits is a serial number however it is written.
func hexDigits(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("0123456789abcdef", r) {
			return r
		}
		return -1
	}, strings.ToLower(s))
	return strings.TrimLeft(s, "0")
}

// strayAfter is how old stored bytes without a row may be: the site clears them away once
// they are a day old, looking every ten minutes.
const strayAfter = 25 * time.Hour

// Files walks all stored bytes: a row must speak of each (I3). What an upload or a signing
// that broke off left behind is young, and answered as a number.
func (x Examiner) Files(ctx context.Context, tell func(Flaw)) (all Looked, stray int, err error) {
	err = x.Walk(ctx, func(id string, modified time.Time) error {
		all.Things++
		kept, err := x.Store.KeepsBlob(ctx, id)
		if err != nil || kept {
			return err
		}
		if x.Now().Sub(modified) < strayAfter {
			stray++
			return nil
		}
		tell(Flaw{Invariant: "I3", Object: "file", Subject: id, Since: modified, What: "no row speaks of these stored bytes, and they were not cleared away",
			Do: "See whether the database is the one that belongs to BLOB_DIR, perhaps after a restore. If it is, start the site: it clears them away within minutes."})
		return nil
	})
	return all, stray, err
}
