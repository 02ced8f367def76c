// Package pades signs, extends and verifies PDF files by the PAdES baseline profile (ETSI
// EN 319 142-1). Bytes in, appended bytes out: the original is read through an io.ReaderAt,
// never held and never touched; what signing adds is one incremental update of a few
// kilobytes, and a file of a gigabyte costs what one of a megabyte does.
//
// Signing has two phases with a storable value between them, because the key is remote and
// a person has to approve: Prepare gives the update with a hole and the digest of the signed
// attributes; Complete checks the raw value and fills the hole (levels B-B and B-T). Extend
// adds validation data and document timestamps (B-LT, B-LTA). Verify judges by EN 319 102-1,
// Inspect says what a file is, Join reads an original and what was appended as one.
//
// The package knows no network, database or person: clock services and responders are
// functions that are handed in.
package pades

import (
	"crypto"
	"crypto/x509"
	"io"
	"time"
)

// Refusal is why a file cannot be signed. The portal shows a sentence for each code.
type Refusal struct {
	Code  string // see the Refused… constants
	Cause error  // for the log
}

func (r *Refusal) Error() string {
	if r.Cause != nil {
		return "pades: " + r.Code + ": " + r.Cause.Error()
	}
	return "pades: " + r.Code
}

func (r *Refusal) Unwrap() error { return r.Cause }

// The codes of a Refusal.
const (
	RefusedNotPDF      = "not_pdf"    // no %PDF- header in the first KiB
	RefusedEmpty       = "empty"      // no bytes
	RefusedDamaged     = "damaged"    // cannot be read well enough to append to it safely
	RefusedTruncated   = "truncated"  // the end is missing
	RefusedPassword    = "password"   // needs a password to open
	RefusedEncryption  = "encryption" // encrypted in a way we cannot append to
	RefusedCertified   = "certified"  // certified against any change (DocMDP P=1)
	RefusedNoPage      = "no_page"
	RefusedDynamicForm = "dynamic_form" // XFA
	RefusedTooComplex  = "too_complex"  // a limit was reached: nesting, objects, inflated size
	RefusedUnsupported = "unsupported"  // valid, but not handled yet; Cause names what
	RefusedFieldLocked = "field_locked" // the field asked for is signed or locked
)

// Options of Prepare.
type Options struct {
	Chain       []*x509.Certificate // leaf first; the leaf must be there
	Hash        crypto.Hash         // SHA-256, 384 or 512; zero is SHA-256
	SignAlgo    string              // OID of the signature algorithm as the CSC service will be asked: 1.2.840.113549.1.1.11/.12/.13, .10 (PSS), 1.2.840.10045.4.3.2/.3/.4, or 1.2.840.113549.1.1.1
	Time        time.Time           // for /M: the claimed signing time
	Name        string              // /Name, optional
	Reason      string              // /Reason, optional
	Location    string              // /Location, optional
	Contact     string              // /ContactInfo, optional
	Field       string              // field to fill, or the name of a new one; empty: the next free "SignatureN"
	Page        int                 // of a new field, from 1; zero is the first
	Password    string              // of an encrypted file, the user's or the owner's; empty: the empty one
	Timestamped bool                // leave room for a timestamp token
	State       []byte              // SHA-256 state after all bytes of the file (encoding.BinaryMarshaler); nil: the file is read
	SignParams  []byte              // DER parameters of SignAlgo (RSASSA-PSS-params); nil: the usual ones for the hash
	Certify     int                 // 1–3: certify with this DocMDP permission, only as the first signature; 0: approve
	Rand        io.Reader           // for initialisation vectors in encrypted files; nil is crypto/rand
}
