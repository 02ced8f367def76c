package signing

import (
	"time"

	"countersign/people"
)

// CeremonyID names one authorization.
type CeremonyID string

// Ceremony is one authorization: one credential, one second factor, one SAD, one or
// more signatures. The SAD itself never leaves the request that gets it.
type Ceremony struct {
	ID             CeremonyID
	Owner          people.ID
	Credential     string // our id of the credential
	CredentialName string // at DTM
	SignAlgo       string // OID chosen from what the key offers
	SignParams     []byte
	Factor         Factor
	State          CeremonyState
	Reason         string // code, when failed, expired or sent back
	Tries          int    // wrong codes or PINs so far
	Sends          int    // codes sent, or visits to the provider, so far
	CodeSentAt     time.Time
	CodeEnds       time.Time // when the code that was sent runs out, or the answer of the provider comes too late
	GoOn           bool      // one document that fails does not stop the others; fixed at the beginning
	Room           int       // bytes that the tightest preparation leaves for a timestamp token
	CreatedAt      time.Time
	Since          time.Time
	Deadline       time.Time
	Version        int64
}

// PhoneWait is how long the provider waits for an approval on the phone (DTM answers 504 then).
const PhoneWait = time.Minute

// Factor is the shape of the second factor, taken from credentials/info.
type Factor struct {
	Mode      string // CSC authMode: "explicit", "implicit", "oauth2code"
	PIN       string // "true", "false", "optional"
	PINLabel  string
	PINDigits bool   // PIN.format N
	OTP       string // "true", "false", "optional"
	OTPType   string // "online" is sent, "offline" is the person's own generator
	OTPLabel  string
	OTPDigits bool
	Bound     bool // SCAL "2": the SAD is bound to these hashes
}

// NeedsPIN reports whether a PIN must be entered.
func (f Factor) NeedsPIN() bool { return f.Mode == "explicit" && f.PIN == "true" }

// NeedsOTP reports whether a code must be entered.
func (f Factor) NeedsOTP() bool { return f.Mode == "explicit" && f.OTP == "true" }

// Consent reports whether the person approves at the provider's own page, where they are sent.
func (f Factor) Consent() bool { return f.Mode == "oauth2code" }

// Push reports whether the person is asked by the provider itself, most often on their phone.
func (f Factor) Push() bool { return f.Mode == "implicit" }

// Sent reports whether the code has to be sent first.
func (f Factor) Sent() bool { return f.NeedsOTP() && f.OTPType == "online" }
