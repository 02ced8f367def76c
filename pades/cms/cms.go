// Package cms makes and checks CMS SignedData (RFC 5652) as CAdES and PAdES use it:
// detached, one signer, with the signing certificate bound by the ESS attribute.
//
// Making has two phases with a storable value between them, since the key may be far
// away: NewUnsigned builds the signed attributes and gives the digest to sign; Complete
// takes the raw value, checked against the certificate, and a timestamp token.
//
// Checking tells apart what went wrong (see Kind), because "the bytes changed" and "the
// algorithm is too old" are different news for a reader. Whether the certificate is
// trusted is left to package trust, and what the digest covers to the caller.
package cms

import (
	"encoding/asn1"
	"errors"
	"fmt"
)

// Kind is the family of a failed check.
type Kind int

// The kinds, with the sub-indication of EN 319 102-1 clause 5.1.4 they lead to.
const (
	Malformed   Kind = iota + 1 // not SignedData as we accept it: FORMAT_FAILURE
	Digest                      // the message digest is another one: HASH_FAILURE
	Signature                   // the value does not verify: SIG_CRYPTO_FAILURE
	Weak                        // an algorithm or key that is no longer accepted: CRYPTO_CONSTRAINTS_FAILURE
	Unsupported                 // an algorithm we do not know: CRYPTO_CONSTRAINTS_FAILURE
	NoSigner                    // the signer's certificate is not in the structure: NO_SIGNING_CERTIFICATE_FOUND
)

// Error is a failed check. Text is a sentence fragment in plain words, for a person.
type Error struct {
	Kind Kind
	Text string
}

func (e *Error) Error() string { return "cms: " + e.Text }

// KindOf gives the kind of an error of this package, zero for any other.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

func fail(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// ErrIndefinite says that the structure uses BER's indefinite lengths; PDF asks for DER
// (ISO 32000-2, 12.8.3.3.1).
var ErrIndefinite error = &Error{Kind: Malformed, Text: "the signature is written with indefinite lengths (BER), where DER is required"}

// Content types.
var (
	OIDData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	OIDSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	OIDTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
)

// Attributes.
var (
	OIDContentType          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	OIDMessageDigest        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	OIDSigningTime          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	OIDSigningCertificate   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	OIDSigningCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	OIDTimeStampToken       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	OIDAlgorithmProtection  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 52}
)
