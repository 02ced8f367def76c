package identity

import (
	"strings"
	"time"

	"countersign/people"
)

// ValidationID names an identity check in our database.
type ValidationID string

// Standard is how thoroughly a person is checked.
type Standard string

// The standards a person can choose.
const (
	Basic        Standard = "basic"
	AdvancedPlus Standard = "advanced_plus"
)

// DTM is how DTM writes the standard.
func (s Standard) DTM() string { return strings.ToUpper(string(s)) }

// Known reports whether it is one of the standards.
func (s Standard) Known() bool { return s == Basic || s == AdvancedPlus }

// Validation is one identity check of one person.
type Validation struct {
	ID        ValidationID
	Reference string // "VC-1234-56", for people to say to each other
	Person    people.ID
	Standard  Standard
	State     ValidationState
	DTM       string     // DTM's id; empty while started
	DTMStatus string     // DTM's own word, kept for states we do not know
	Reason    string     // code of a refusal or correction, or DTM's words
	Note      string     // the admin's note that is shown to the person
	Link      string     // where the person goes on with the proofing; empty when there is nothing to do
	Claims    Attributes // from the login, at the start
	Proofed   Attributes // from DTM, as they came
	Consent   time.Time  // when the person agreed
	DecidedBy people.ID  // admin who approved, refused or asked for correction
	FirstBy   people.ID  // admin who approved first, where two have to; DecidedBy is the second
	Approvals int        // how many admins had to approve when the first one did
	HeldUntil time.Time  // approval can be undone until then; while started: DTM is not asked again before then
	CreatedAt time.Time
	Since     time.Time // of the state
	Deadline  time.Time // when a waiting state ends by itself
	LookAt    time.Time // when to look at DTM again
	Version   int64
}

// Attributes are what is claimed or proofed of a person. Empty means not told.
type Attributes struct {
	GivenName       string `json:"given_name,omitempty"`
	FamilyName      string `json:"family_name,omitempty"`
	Email           string `json:"email,omitempty"`
	BirthDate       string `json:"birth_date,omitempty"` // YYYY-MM-DD
	BirthPlace      string `json:"birth_place,omitempty"`
	Nationality     string `json:"nationality,omitempty"` // ISO 3166-1 alpha-2
	DocumentType    string `json:"document_type,omitempty"`
	DocumentNumber  string `json:"document_number,omitempty"` // only its last characters
	DocumentExpires string `json:"document_expires,omitempty"`
}
