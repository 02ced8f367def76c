package pades

import (
	"crypto/x509"
	"time"

	"countersign/pades/trust"
)

// Indication is the main result of ETSI EN 319 102-1, clause 5.1.3.
type Indication = trust.Indication

// The indications, see package trust.
const (
	TotalPassed   = trust.TotalPassed
	TotalFailed   = trust.TotalFailed
	Indeterminate = trust.Indeterminate
	NoSignature   = trust.NoSignature
)

// Result is the outcome for a whole file: each signature, and the worst as the headline.
type Result struct {
	Indication Indication
	Signatures []SignatureResult
	Size       int64  // bytes of the file
	SHA256     []byte // of the file as given
	Pages      int
	Original   []byte // SHA-256 of the bytes before the first signature's increment, when there is one and it can be told
	// OriginalBare is the same without the end of line before the increment: a file that
	// did not end in one got it from the signer. A record may match either.
	OriginalBare []byte
}

// SignatureResult is the outcome for one signature or document timestamp.
type SignatureResult struct {
	Field         string // full field name
	Type          string // "signature" or "timestamp"
	Indication    Indication
	SubIndication string  // EN 319 102-1 clause 5.1.4, e.g. "HASH_FAILURE", "NO_CERTIFICATE_CHAIN_FOUND"; empty when passed
	Explanation   string  // one plain English sentence: why it is not passed
	Checks        []Check // in the order a person would ask

	SignerName   string // common name of the certificate
	Organization string
	Issuer       string // common name of the issuer
	Serial       string // hex
	Certificate  *x509.Certificate
	Chain        []*x509.Certificate // leaf first, as built; ends in a trusted root only if trust was found

	Qualified *trust.Qualified // what the issuer claims of the certificate, nil when nothing

	Algorithm   string       // "RSA with SHA-256", "ECDSA P-256 with SHA-256"
	Level       string       // "B-B", "B-T", "B-LT", "B-LTA", or empty when not PAdES baseline
	ClaimedTime time.Time    // from /M, only the signer's clock
	StampTime   time.Time    // from the signature timestamp, zero when there is none
	StampIssuer string       // common name of the clock service's certificate
	Stamp       *StampResult // of the signature timestamp, nil when there is none
	Digest      []byte       // message digest the signature speaks of
	Computed    []byte       // digest the file gives
	Revision    int          // number of the revision it covers, from 1
	Revisions   int          // of the file
	CoversAll   bool         // its byte range ends at the end of the file
	Length      int64        // bytes of the file that it covers, hole included
}

// StampResult is the outcome for the timestamp inside a signature (EN 319 102-1, 5.4).
type StampResult struct {
	Indication    Indication // PASSED is TotalPassed here
	SubIndication string
	Time          time.Time // as stated, proven only when passed
	Issuer        string    // common name of the clock service's certificate
	Text          string    // one sentence: why it is not passed
}

// Check is one row of a report.
type Check struct {
	Name  string // "integrity", "coverage", "changes", "signer", "qualified", "trust", "revocation", "time", "algorithm", "format"
	State string // "good", "bad", "unknown", "off"
	Text  string // bold claim, one plain English sentence
	More  string // a second sentence, may be empty
}
