package dtmclient

// Everything this client assumes about DTM's bodies and paths is in this file. DigiCert
// documents the operations, the credential statuses, the revocation reasons, the user
// object and the two error shapes; member names of validation, credential, profile and
// seat bodies, the paths of listings, and the verbs below marked "assumed" are not public.
// A person with access to the real Swagger corrects them here and nowhere else. The wire
// forms of CSC are a published standard and sit in csc.go.

import (
	"strings"
	"time"
)

// Paths below BaseURL. %s is an escaped segment.
const (
	pathUsers        = "/api/v1/user"                  // create: documented; list: assumed
	pathValidations  = "/api/v1/validation"            // documented
	pathValidation   = "/api/v1/validation/%s"         // assumed
	pathApprove      = pathValidation + "/approve"     // documented
	pathReject       = pathValidation + "/reject"      // assumed
	pathCorrect      = pathValidation + "/restart"     // assumed: the operation exists as a permission
	pathCancel       = pathValidation + "/cancel"      // assumed
	pathCredentialV1 = "/api/v1/credential"            // create after a validation: documented
	pathCredentialV2 = "/api/v2/credential"            // create for a user: documented
	pathCredential   = "/api/v2/credential/%s"         // documented
	pathCancelCred   = pathCredential + "/cancel"      // documented
	pathRevoke       = "/api/v1/credential/%s/revoke"  // documented
	pathSuspend      = "/api/v1/credential/%s/suspend" // assumed
	pathResume       = "/api/v1/credential/%s/resume"  // assumed
	pathProfiles     = "/api/v1/certificate-profile"   // assumed
	pathSeats        = "/api/v1/seat"                  // assumed
	pathAudit        = "/api/v1/audit-log"             // by the sibling product
	pathUser         = "/api/v1/user/%s"               // change: documented; read: assumed
	pathDisable      = pathValidation + "/disable"     // assumed
	pathAuditEntry   = pathAudit + "/%s"               // by the sibling product
	pathHashes       = "/api/v1/hashes"                // documented
	pathSignatures   = "/api/v1/signatures"            // documented

	pathOrganizations      = "/api/v1/organization"       // assumed
	pathOrganization       = pathOrganizations + "/%s"    // assumed
	pathValidationProfiles = "/api/v1/validation-profile" // assumed

	// Below AccountURL, documented.
	pathRoles    = "/api/v1/role"
	pathMe       = "/api/v1/user/me"
	pathAccounts = "/api/v1/account"

	roleApplication = "document_signing_manager"
	signerRole      = SignerRole
)

// SignerRole is the role that a new user is given. Documented.
const SignerRole = "DSM_DOCUMENT_SIGNER"

// Assumption is the line of this file that a call stands on.
type Assumption struct {
	Line string // name of the constant
	Path string // below BaseURL or AccountURL
	Mark string // "documented", "assumed", "by the sibling product"
}

// assumptions are those of the calls that only read.
var assumptions = map[string]Assumption{
	"user.list":                {"pathUsers", pathUsers, "assumed"},
	"validation.list":          {"pathValidations", pathValidations, "documented"},
	"credential.get":           {"pathCredential", pathCredential, "documented"},
	"certificate-profile.list": {"pathProfiles", pathProfiles, "assumed"},
	"seat.list":                {"pathSeats", pathSeats, "assumed"},
	"audit-log.list":           {"pathAudit", pathAudit, "by the sibling product"},
	"role.list":                {"pathRoles", pathRoles, "documented"},
}

// Assumed answers what the path of a call is known from.
func Assumed(op string) Assumption { return assumptions[op] }

// identityStep is the step that CorrectValidation wants again.
const identityStep = "IDENTITY"

// pageSize of listings; the envelope {"total","offset","limit","items"} is the sibling product's.
const pageSize = 100

type userWire struct {
	ID         looseString   `json:"id"`
	UserName   looseString   `json:"user_name"`
	Email      looseString   `json:"email"`
	FirstName  looseString   `json:"first_name"`
	LastName   looseString   `json:"last_name"`
	Phone      looseString   `json:"phone_number"` // a number in an older sample
	Locale     looseString   `json:"locale"`
	Status     looseString   `json:"status"`
	Roles      []looseString `json:"roles"`
	AccountIDs []looseString `json:"accounts"`
}

func (w userWire) user() User {
	return User{ID: string(w.ID), UserName: string(w.UserName), Email: string(w.Email), FirstName: string(w.FirstName),
		LastName: string(w.LastName), Phone: string(w.Phone), Locale: string(w.Locale), Status: string(w.Status),
		Roles: texts(w.Roles), Accounts: texts(w.AccountIDs)}
}

// newUserWire is documented, all of it.
type newUserWire struct {
	UserName    string   `json:"user_name"`
	Email       string   `json:"email"`
	FirstName   string   `json:"first_name"`
	LastName    string   `json:"last_name"`
	Type        string   `json:"user_type"`
	Accounts    []string `json:"accounts"`
	Roles       []string `json:"roles"`
	PIPL        bool     `json:"is_pipl_accepted"`
	Terms       bool     `json:"is_tou_accepted"`
	Description string   `json:"description,omitempty"`
	Phone       string   `json:"phone_number,omitempty"`
	Locale      string   `json:"locale,omitempty"`
}

type validationWire struct {
	ID       looseString `json:"id"`
	Status   looseString `json:"status"`
	Standard looseString `json:"standard"`
	User     refWire     `json:"user"`
	UserID   looseString `json:"user_id"` // instead of user, in some answers
	Email    struct {
		Verified bool `json:"verified"`
	} `json:"email"`
	Identity struct {
		Provider   looseString            `json:"provider"`
		Status     looseString            `json:"status"`
		URL        looseString            `json:"url"`
		Reason     looseString            `json:"reason"`
		Attributes map[string]looseString `json:"attributes"`
	} `json:"identity"`
	CreatedAt    looseTime   `json:"created_at"`
	ApprovedAt   looseTime   `json:"approved_at"`
	ApprovedBy   actorWire   `json:"approved_by"`
	RejectReason looseString `json:"reject_reason"`
}

func (w validationWire) validation() Validation {
	return Validation{ID: string(w.ID), Status: string(w.Status), Identity: string(w.Identity.Status),
		Standard: string(w.Standard), UserID: firstOf(string(w.User.ID), string(w.UserID)), UserName: string(w.User.Name),
		Email: string(w.User.Email), EmailChecked: w.Email.Verified, ProofingURL: string(w.Identity.URL),
		Provider: string(w.Identity.Provider), Proofed: textMap(w.Identity.Attributes),
		Reason: firstOf(string(w.RejectReason), string(w.Identity.Reason)), CreatedAt: w.CreatedAt.Time,
		ApprovedAt: w.ApprovedAt.Time, ApprovedBy: string(w.ApprovedBy)}
}

type newValidationWire struct {
	UserID       string `json:"user_id"`
	Email        string `json:"email"`
	FirstName    string `json:"first_name"`
	LastName     string `json:"last_name"`
	ProfileID    string `json:"validation_profile_id,omitempty"`
	Standard     string `json:"standard"`
	AccountID    string `json:"account_id,omitempty"`
	Organization string `json:"organization_id,omitempty"`
	Locale       string `json:"locale,omitempty"`
}

// reasonWire: Step names the step that is wanted again, of a restart that asks for a correction.
type reasonWire struct {
	Reason string `json:"reason"`
	Step   string `json:"step,omitempty"`
}

type refWire struct {
	ID    looseString `json:"id"`
	Name  looseString `json:"name"`
	Email looseString `json:"email"`
}

// actorWire is an id, or an object with one.
type actorWire string

func (a *actorWire) UnmarshalJSON(b []byte) error {
	var r refWire
	if len(b) > 0 && b[0] == '{' {
		err := decodeJSON(b, &r)
		*a = actorWire(r.ID)
		return err
	}
	var s looseString
	err := s.UnmarshalJSON(b)
	*a = actorWire(s)
	return err
}

type credentialWire struct {
	ID           looseString `json:"id"`
	Name         looseString `json:"name"`
	Nickname     looseString `json:"nickname"`
	Status       looseString `json:"status"`
	User         refWire     `json:"user"`
	ValidationID looseString `json:"validation_id"`
	Profile      refWire     `json:"certificate_profile"`
	Certificate  struct {
		Serial  looseString `json:"serial_number"`
		Subject looseString `json:"subject"`
		From    looseTime   `json:"valid_from"`
		To      looseTime   `json:"valid_to"`
		PEM     looseString `json:"pem"`
	} `json:"certificate"`
	Revocation struct {
		Reason looseString `json:"reason"`
		At     looseTime   `json:"revocation_date"`
	} `json:"revocation"`
	CreatedAt looseTime `json:"created_at"`
}

func (w credentialWire) credential() Credential {
	return Credential{ID: string(w.ID), Name: firstOf(string(w.Name), string(w.Nickname)), Status: string(w.Status),
		UserID: string(w.User.ID), ProfileID: string(w.Profile.ID), ProfileName: string(w.Profile.Name),
		ValidationID: string(w.ValidationID), Serial: string(w.Certificate.Serial), Subject: string(w.Certificate.Subject),
		NotBefore: w.Certificate.From.Time, NotAfter: w.Certificate.To.Time, PEM: string(w.Certificate.PEM),
		Reason: string(w.Revocation.Reason), RevokedAt: w.Revocation.At.Time, CreatedAt: w.CreatedAt.Time}
}

// newCredentialWire serves api/v1 (validation_id) and api/v2 (user_id, account_id, org_id).
type newCredentialWire struct {
	ValidationID string `json:"validation_id,omitempty"`
	UserID       string `json:"user_id,omitempty"`
	AccountID    string `json:"account_id,omitempty"`
	OrgID        string `json:"org_id,omitempty"`
	ProfileID    string `json:"certificate_profile_id"`
	Nickname     string `json:"nickname"`
}

// revokeWire: the reasons are documented, the member's name is the sibling product's.
type revokeWire struct {
	Reason string `json:"revocation_reason"`
	UserID string `json:"user_id,omitempty"`
}

type profileWire struct {
	ID           looseString `json:"id"`
	Name         looseString `json:"name"`
	Status       looseString `json:"status"`
	Standard     looseString `json:"standard"`
	KeyAlgorithm looseString `json:"key_algorithm"`
	ValidityDays looseInt    `json:"validity_days"`
	SubjectType  looseString `json:"subject_type"`
}

func (w profileWire) profile() Profile {
	return Profile{ID: string(w.ID), Name: string(w.Name), Status: string(w.Status), Standard: string(w.Standard),
		KeyAlgorithm: string(w.KeyAlgorithm), ValidityDays: int(w.ValidityDays), SubjectType: string(w.SubjectType)}
}

type organizationWire struct {
	ID           looseString `json:"id"`
	Name         looseString `json:"name"`
	Country      looseString `json:"country"`
	Registration looseString `json:"registration_number"`
	Status       looseString `json:"status"`
}

func (w organizationWire) organization() Organization {
	return Organization{ID: string(w.ID), Name: string(w.Name), Country: string(w.Country), Registration: string(w.Registration), Status: string(w.Status)}
}

type newOrganizationWire struct {
	Name         string `json:"name"`
	Country      string `json:"country"`
	Registration string `json:"registration_number,omitempty"`
	Status       string `json:"status,omitempty"`
}

// accountWire is documented.
type accountWire struct {
	ID     looseString `json:"id"`
	Name   looseString `json:"name"`
	Active looseString `json:"active"`
}

func (w accountWire) account() Account {
	return Account{ID: string(w.ID), Name: string(w.Name), Active: w.Active == "true"}
}

type seatWire struct {
	Standard  looseString `json:"standard"`
	Total     looseInt    `json:"total"`
	Used      looseInt    `json:"used"`
	Available looseInt    `json:"available"`
}

func (w seatWire) seats() Seats {
	return Seats{Standard: string(w.Standard), Total: int(w.Total), Used: int(w.Used), Available: int(w.Available)}
}

type roleWire struct {
	ID          looseString   `json:"id"`
	Name        looseString   `json:"name"`
	Application looseString   `json:"application_code"`
	Scope       looseString   `json:"scope"`
	Permissions []looseString `json:"permissions"`
}

func (w roleWire) role() Role {
	return Role{ID: string(w.ID), Name: string(w.Name), Application: string(w.Application), Scope: string(w.Scope),
		Permissions: texts(w.Permissions)}
}

type auditWire struct {
	ID             looseString   `json:"id"`
	At             looseTime     `json:"timestamp"`
	ResourceType   looseString   `json:"resource_type"`
	ResourceID     looseString   `json:"resource_id"`
	Action         looseString   `json:"action"`
	Status         looseString   `json:"status"`
	User           refWire       `json:"user"`
	Authentication looseString   `json:"authentication_type"`
	Description    looseString   `json:"description"`
	Hashes         []looseString `json:"hashes"`
}

func (w auditWire) entry() AuditEntry {
	return AuditEntry{ID: string(w.ID), At: w.At.Time, ResourceType: string(w.ResourceType), ResourceID: string(w.ResourceID),
		Action: string(w.Action), Status: string(w.Status), UserID: string(w.User.ID), UserName: string(w.User.Name),
		Authentication: string(w.Authentication), Description: clip(string(w.Description), 300), Hashes: texts(w.Hashes)}
}

// Of hashes and signatures only the paths are documented, and that they make hashes and
// signatures fit for advanced electronic signatures. All members are assumed.

// Formats and levels that are asked for.
const (
	FormatPAdES = "PADES" // no signing-time among the attributes
	FormatCAdES = "CADES" // with it
	LevelB      = "B-B"
	LevelT      = "B-T" // with a signature timestamp
)

type hashesWire struct {
	CredentialID string         `json:"credential_id"`
	Hash         string         `json:"hash_algorithm"`
	SignAlgo     string         `json:"sign_algorithm"`
	SignParams   string         `json:"sign_algorithm_params,omitempty"` // base64 of DER
	Format       string         `json:"signature_format"`
	Documents    []documentWire `json:"documents"`
}

type documentWire struct {
	ID   string `json:"id"`
	Hash string `json:"hash"`
}

type hashesAnswerWire struct {
	ID      looseString `json:"id"`
	Expires looseTime   `json:"expires_at"`
	Hashes  []hashWire  `json:"hashes"`
}

type hashWire struct {
	Document   looseString `json:"document_id"`
	Hash       looseString `json:"hash"`
	Attributes looseString `json:"signed_attributes"`
}

func (w hashWire) document() string { return string(w.Document) }

type signaturesWire struct {
	HashesID   string          `json:"hashes_id"`
	Level      string          `json:"level"`
	Signatures []signatureWire `json:"signatures"`
}

type signatureWire struct {
	Document  string `json:"document_id"`
	Signature string `json:"signature"`
}

type cmsWire struct {
	Document looseString `json:"document_id"`
	CMS      looseString `json:"cms"`
	Level    looseString `json:"level"`
}

func (w cmsWire) document() string { return string(w.Document) }

// dtmTime is how a time is asked for.
func dtmTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func texts(in []looseString) []string {
	if len(in) == 0 {
		return nil
	}
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s)
	}
	return out
}

func textMap(in map[string]looseString) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[k] = string(v)
	}
	return out
}

// IsNoSeat reports whether DTM refused for want of a seat. The words are assumed.
func IsNoSeat(e *Error) bool {
	return e.Kind == Invalid && strings.Contains(strings.ToLower(e.Message), "seat")
}
