package dtmclient

import (
	"crypto"
	"crypto/x509"
	"time"
)

// User is a person as DTM knows one.
type User struct {
	ID        string
	UserName  string // unique at DTM; ours is made from the person's id, so a lost answer can be looked up
	Email     string
	FirstName string
	LastName  string
	Phone     string // digits with country code
	Locale    string // "en_US"
	Status    string
	Roles     []string // as DTM has them; a new user gets the signer's role
	Accounts  []string // ids of the accounts a new user belongs to, at least one
}

// Validation is DTM's record of an identity check.
type Validation struct {
	ID           string
	Status       string // as DTM sent it; see the Validation… constants, other values are kept as they are
	Identity     string // sub-state while proofing: "ACTION_NEEDED", "SUBMITTED", "IN_REVIEW", "VERIFIED", "RESUBMIT"
	Standard     string // "BASIC", "ADVANCED_PLUS", "QUALIFIED"
	UserID       string
	UserName     string
	Email        string
	EmailChecked bool
	ProofingURL  string            // where the person goes on, empty when there is nothing to do
	Provider     string            // of the proofing, e.g. "idnow"
	Proofed      map[string]string // attributes proofed: given_name, family_name, birth_date, birth_place, nationality, document_type, document_number, document_expires
	Reason       string            // of a rejection or a request to submit again, as DTM sent it
	CreatedAt    time.Time
	ApprovedAt   time.Time
	ApprovedBy   string
}

// NewValidation asks DTM to start an identity check for a user.
type NewValidation struct {
	UserID    string
	Email     string
	FirstName string
	LastName  string
	ProfileID string // validation profile
	Standard  string
	AccountID string
	// OrganizationID is the organisation the person belongs to, empty when there is none.
	OrganizationID string
	Locale         string
}

// Credential is DTM's record of a certificate with its remote key.
type Credential struct {
	ID           string
	Name         string // path segment at DTM, nickname, and CSC credentialID (assumed to be one string)
	Status       string // "PENDING_ISSUANCE", "ACTIVE", "SUSPENDED", "REVOKED", "DEACTIVATED"
	UserID       string
	ProfileID    string
	ProfileName  string
	ValidationID string
	Serial       string // hex
	Subject      string
	NotBefore    time.Time
	NotAfter     time.Time
	PEM          string // empty until issued
	Reason       string // of a revocation
	RevokedAt    time.Time
	CreatedAt    time.Time
}

// NewCredential asks DTM to issue. With ValidationID set it goes by api/v1, else by api/v2.
type NewCredential struct {
	ValidationID   string
	UserID         string
	AccountID      string
	OrganizationID string
	ProfileID      string
	Nickname       string
}

// Profile is a certificate profile.
type Profile struct {
	ID           string
	Name         string
	Status       string
	Standard     string // "BASIC", "ADVANCED_PLUS", "QUALIFIED"
	KeyAlgorithm string
	ValidityDays int
	SubjectType  string // "NATURAL_PERSON", "NATURAL_PERSON_ORGANIZATION", "SEAL"; empty when not told
}

// Role is a role of DTM, as its account service lists it.
type Role struct {
	ID          string
	Name        string
	Application string
	Scope       string
	Permissions []string
}

// Seats counts the seats of one standard.
type Seats struct {
	Standard               string
	Total, Used, Available int
}

// AuditEntry is one line of DTM's own log.
type AuditEntry struct {
	ID             string
	At             time.Time
	ResourceType   string
	ResourceID     string
	Action         string
	Status         string // "success", "warning", "failure"
	UserID         string
	UserName       string
	Authentication string
	Description    string
	Hashes         []string
}

// AuditQuery narrows DTM's log. Zero fields do not narrow.
type AuditQuery struct {
	ResourceType, ResourceID, Action, Status string
	From, To                                 time.Time
	Offset, Limit                            int
}

// Page is one page of a listing.
type Page[T any] struct {
	Items                []T
	Total, Offset, Limit int
}

// Info is what the CSC service says of itself (CSC 1.0.4.0, 11.1).
type Info struct {
	Specs, Name, Region, Lang, Description, OAuth2 string
	AuthType, Methods                              []string
}

// Presence tells whether a factor is asked for: CSC sends "true", "false" or "optional".
type Presence string

// The presences of CSC 11.5.
const (
	PresenceTrue     Presence = "true"
	PresenceFalse    Presence = "false"
	PresenceOptional Presence = "optional"
)

// PIN describes the PIN of a credential (CSC 11.5).
type PIN struct {
	Presence           Presence
	Format             string // "A" or "N"
	Label, Description string
}

// OTP describes the one-time code of a credential (CSC 11.5).
type OTP struct {
	Presence                         Presence
	Type                             string // "online": needs SendOTP; "offline": the person's own generator
	Format                           string // "A" or "N"
	Label, Description, ID, Provider string
}

// CredentialInfo is what CSC tells of a credential (CSC 11.5).
type CredentialInfo struct {
	ID           string
	Description  string
	KeyStatus    string              // "enabled", "disabled"
	KeyAlgo      []string            // OIDs, dotted
	KeyLen       int                 // bits
	KeyCurve     string              // OID of the curve, ECDSA only
	CertStatus   string              // "valid", "expired", "revoked", "suspended", or empty when not told
	Certificates []*x509.Certificate // leaf first
	AuthMode     string              // "implicit", "explicit", "oauth2code"
	SCAL         string              // "1" or "2": only whether the SAD is bound to the hashes
	PIN          PIN
	OTP          OTP
	Multisign    int // most signatures in one authorization; at least 1
}

// Authorization asks for a SAD (CSC 11.6). OTP and PIN are secrets of the request that holds them.
type Authorization struct {
	CredentialID string
	Hashes       [][]byte // always sent, also under SCAL 1
	Signatures   int      // in all, when more follow by ExtendTransaction; 0: as many as Hashes
	OTP          Secret
	PIN          Secret
	Description  string // shown by a push, at most 500 characters
	ClientData   string // our ceremony id, for later reconciliation
}

// SAD is the signature activation data: a bearer secret that lives on the stack of one request.
type SAD struct {
	Value     Secret
	ExpiresIn time.Duration
}

// HashesToSign is one signHash call (CSC 11.9).
type HashesToSign struct {
	CredentialID string
	SAD          Secret
	Hashes       [][]byte
	Hash         crypto.Hash // what the digests were made with
	SignAlgo     string      // OID, one of CredentialInfo.KeyAlgo
	SignParams   []byte      // DER, only for RSASSA-PSS
	ClientData   string
}

// Secret is a string that never shows itself: not in a log, not in an error, not in JSON made by accident.
type Secret string

// String redacts.
func (Secret) String() string { return "[redacted]" }

// GoString redacts.
func (Secret) GoString() string { return "[redacted]" }

// MarshalText redacts; the client writes secrets to the wire by hand.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }
