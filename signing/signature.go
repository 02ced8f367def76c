package signing

import (
	"time"

	"countersign/people"
)

// SignatureID names one document in a ceremony.
type SignatureID string

// Signature is one document being signed in one ceremony. A new try is a new Signature.
type Signature struct {
	ID          SignatureID
	Ceremony    CeremonyID
	Document    DocumentID
	Owner       people.ID
	Field       string // name of the signature field, once prepared
	Base        int    // revision that is signed
	State       SignatureState
	Reason      string
	Waits       string // code of what finishing waits for; empty when it waits for nothing
	Digest      []byte // what signHash signs: the digest of the signed attributes
	Prepared    string // blob id of the stored preparation (pades.Prepared), under the document's key
	Value       []byte // the raw signature, stored the moment it comes
	Level       string // "B-B", "B-T" when it was released; the file's own may have grown since
	SignerName  string // common name in the certificate
	Issuer      string // common name of the issuer
	IntendedAt  time.Time
	SignedAt    time.Time // signHash answered
	AssembledAt time.Time
	ReleasedAt  time.Time
	StampedAt   time.Time // time in the timestamp token
	Attempts    int       // of finishing
	CreatedAt   time.Time
	Since       time.Time
	Deadline    time.Time
	Version     int64
}
