package identity

import (
	"time"

	"countersign/people"
)

// CredentialID names a credential in our database.
type CredentialID string

// Credential is a certificate with its remote key at DTM.
type Credential struct {
	ID          CredentialID
	Person      people.ID
	Validation  ValidationID
	Name        string // at DTM: path, nickname and CSC credentialID; unique
	Profile     string // certificate profile id
	ProfileName string
	Standard    Standard
	State       CredentialState
	DTMStatus   string
	Reason      string // of a revocation or suspension, code
	Subject     string // of the certificate; empty until issued
	Issuer      string
	Serial      string // hex
	NotBefore   time.Time
	NotAfter    time.Time
	IssuedBy    people.ID // admin who had it issued
	LastUsed    time.Time // last released signature

	Replaces     CredentialID // the one whose place it takes once it is active
	RenewalAsked time.Time    // when its owner asked for a successor; zero: not, or it is there
	RetiredAt    time.Time    // when a successor took its place: it finishes what has begun, and begins nothing

	CreatedAt time.Time
	Since     time.Time
	Deadline  time.Time
	LookAt    time.Time
	Version   int64
}

// RevocationReason is one of the four DTM takes.
type RevocationReason string

// The reasons of DTM's credential lifecycle.
const (
	KeyCompromise        RevocationReason = "KEY_COMPROMISE"
	AffiliationChanged   RevocationReason = "AFFILIATION_CHANGED"
	Superseded           RevocationReason = "SUPERSEDED"
	CessationOfOperation RevocationReason = "CESSATION_OF_OPERATION"
)
