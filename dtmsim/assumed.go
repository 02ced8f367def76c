package dtmsim

import "time"

// Everything in this file is a guess: nothing public settles it. Someone with a
// DigiCert account corrects it here, and in the client's file of the same name.

// Defaults of the simulator, not of DigiCert.
const (
	defaultAPIKey       = "sim-api-key"
	defaultClientID     = "sim-client"
	defaultClientSecret = "sim-secret"
	defaultPassword     = "sim-password"
	defaultAccountID    = "6f1c0d9e-0000-4000-8000-000000000001"
	defaultOrgID        = "0a9b8c7d-0000-4000-8000-000000000002"
	serviceUserID       = "5e21ce00-0000-4000-8000-000000000003"
	serviceUserName     = "portal-service"
	defaultRateLimit    = 100                 // per key in rateWindow
	rateWindow          = 5 * time.Second     // only CertCentral's numbers are public
	defaultSADLife      = 95 * 24 * time.Hour // documented by DigiCert; the form of expiresIn is not
	defaultPushTimeout  = time.Minute         // documented by DigiCert
)

// Rules of codes and PINs.
const (
	pinDigits   = 8
	otpDigits   = 6
	otpLife     = 5 * time.Minute
	otpResend   = 30 * time.Second
	otpLockTime = 15 * time.Minute
	maxTries    = 5
	totpStep    = 30 * time.Second
)

// Lives of a validation. Only that they end is sensible; how soon is not known.
const (
	validationOpenLife     = 30 * 24 * time.Hour
	validationApprovedLife = 825 * 24 * time.Hour
	tokenLife              = time.Hour // documented: 60 minutes
	refreshLife            = 30 * 24 * time.Hour
	codeLife               = 2 * time.Minute
	askLife                = 10 * time.Minute // how long a person may look at the page of oauth2/authorize
	nonceLife              = 5 * time.Minute  // of a digest challenge
	jwtLife                = 10 * time.Minute // of account_token, and how long its id is remembered
)

// CSC only names HTTP Digest, and DigiCert only says that it is taken.
const digestRealm = "documentmanager"

// assertionType is how a client says that its assertion is a JWT (RFC 7523, 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Paging of lists below /documentmanager.
const (
	defaultPage = 20
	maxPage     = 100
	cscMaxPage  = 20
)

// Statuses of a validation.
const (
	valEmail     = "PENDING_EMAIL"
	valIdentity  = "PENDING_IDENTITY"
	valApproval  = "PENDING_APPROVAL"
	valApproved  = "APPROVED"
	valRejected  = "REJECTED"
	valCancelled = "CANCELLED"
	valExpired   = "EXPIRED"
	valDisabled  = "DISABLED"
)

// Sub-statuses of the identity step. The words shown to a signer are public, these constants are not.
const (
	idActionNeeded = "ACTION_NEEDED"
	idSubmitted    = "SUBMITTED"
	idInReview     = "IN_REVIEW"
	idVerified     = "VERIFIED"
	idResubmit     = "RESUBMIT"
)

// Statuses of a credential; these words are documented.
const (
	credPending     = "PENDING_ISSUANCE"
	credActive      = "ACTIVE"
	credSuspended   = "SUSPENDED"
	credRevoked     = "REVOKED"
	credDeactivated = "DEACTIVATED"
)

// reasonHold is what a suspension leaves in the CRL; DTM's own list has no hold.
const reasonHold = "CERTIFICATE_HOLD"

// revocationReasons maps DTM's documented reasons to the codes of RFC 5280, 5.3.1.
var revocationReasons = map[string]int{
	"KEY_COMPROMISE":         1,
	"AFFILIATION_CHANGED":    3,
	"SUPERSEDED":             4,
	"CESSATION_OF_OPERATION": 5,
	reasonHold:               6,
}

// standards in rising order: a validation covers certificate profiles up to its own.
var standards = []string{"BASIC", "ADVANCED_PLUS", "QUALIFIED"}

var defaultSeats = map[string]int{"BASIC": 100, "ADVANCED_PLUS": 100, "QUALIFIED": 10}

type validationProfile struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Standard string `json:"standard"`
	Status   string `json:"status"`
}

var validationProfiles = []validationProfile{
	{"vp-basic", "Basic natural person", "BASIC", "ACTIVE"},
	{"vp-advanced", "Advanced natural person", "ADVANCED_PLUS", "ACTIVE"},
	{"vp-qualified", "Qualified natural person", "QUALIFIED", "ACTIVE"},
}

// profile is a certificate profile with how its credentials are authorized.
type profile struct {
	ID, Name, Standard, Subject string
	Key                         string // "RSA": of Options.RSABits; "RSA-4096", "P-256", "P-384", "P-521"
	Days                        int
	AuthMode                    string // "explicit" or "implicit"
	PIN                         bool
	OTP                         string // "", "online", "offline"
	Optional                    string // the factor that may be left out: "PIN", "OTP", "either" (then the other one is demanded)
	Push                        bool   // implicit, approved on the phone
	SCAL                        string
	Multisign                   int
	Unlisted                    bool // for clients under test: works, but is not among the profiles on offer
}

var profiles = []profile{
	{ID: "cp-basic", Name: "Basic natural person", Standard: "BASIC", Subject: "NATURAL_PERSON", Key: "RSA", Days: 365,
		AuthMode: "explicit", OTP: "online", SCAL: "2", Multisign: 20},
	{ID: "cp-advanced", Name: "Advanced natural person", Standard: "ADVANCED_PLUS", Subject: "NATURAL_PERSON", Key: "RSA", Days: 730,
		AuthMode: "explicit", PIN: true, OTP: "online", SCAL: "2", Multisign: 100},
	{ID: "cp-advanced-p256", Name: "Advanced natural person, P-256", Standard: "ADVANCED_PLUS", Subject: "NATURAL_PERSON", Key: "P-256", Days: 730,
		AuthMode: "explicit", PIN: true, SCAL: "1", Multisign: 20},
	{ID: "cp-advanced-totp", Name: "Advanced natural person, authenticator", Standard: "ADVANCED_PLUS", Subject: "NATURAL_PERSON", Key: "P-256", Days: 730,
		AuthMode: "explicit", PIN: true, OTP: "offline", SCAL: "2", Multisign: 20},
	{ID: "cp-advanced-push", Name: "Advanced natural person, app approval", Standard: "ADVANCED_PLUS", Subject: "NATURAL_PERSON", Key: "RSA", Days: 730,
		AuthMode: "implicit", Push: true, SCAL: "2", Multisign: 100},
	{ID: "cp-basic-single", Name: "Basic natural person, one at a time", Standard: "BASIC", Subject: "NATURAL_PERSON", Key: "P-256", Days: 365,
		AuthMode: "explicit", OTP: "online", SCAL: "1", Multisign: 1},
	{ID: "cp-oauth2code", Name: "Advanced natural person, approval in the browser", Standard: "ADVANCED_PLUS", Subject: "NATURAL_PERSON", Key: "RSA", Days: 730,
		AuthMode: "oauth2code", SCAL: "2", Multisign: 100},
	{ID: "cp-totp", Name: "Authenticator alone", Standard: "BASIC", Subject: "NATURAL_PERSON", Key: "P-256", Days: 365,
		AuthMode: "explicit", OTP: "offline", SCAL: "2", Multisign: 20, Unlisted: true},
	{ID: "cp-otp-optional", Name: "PIN, and a code by text message that may be left out", Standard: "BASIC", Subject: "NATURAL_PERSON", Key: "P-256", Days: 365,
		AuthMode: "explicit", PIN: true, OTP: "online", Optional: "OTP", SCAL: "2", Multisign: 20, Unlisted: true},
	{ID: "cp-pin-optional", Name: "Authenticator, and a PIN that may be left out", Standard: "BASIC", Subject: "NATURAL_PERSON", Key: "P-256", Days: 365,
		AuthMode: "explicit", PIN: true, OTP: "offline", Optional: "PIN", SCAL: "2", Multisign: 20, Unlisted: true},
	{ID: "cp-either", Name: "PIN or authenticator", Standard: "BASIC", Subject: "NATURAL_PERSON", Key: "P-256", Days: 365,
		AuthMode: "explicit", PIN: true, OTP: "offline", Optional: "either", SCAL: "2", Multisign: 20, Unlisted: true},
	{ID: "cp-rsa2048", Name: "RSA with 2048 bits", Standard: "BASIC", Subject: "SEAL", Key: "RSA-2048", Days: 365, AuthMode: "implicit", SCAL: "2", Multisign: 100, Unlisted: true},
	{ID: "cp-rsa3072", Name: "RSA with 3072 bits", Standard: "BASIC", Subject: "SEAL", Key: "RSA-3072", Days: 365, AuthMode: "implicit", SCAL: "2", Multisign: 100, Unlisted: true},
	{ID: "cp-rsa4096", Name: "RSA with 4096 bits", Standard: "BASIC", Subject: "SEAL", Key: "RSA-4096", Days: 365, AuthMode: "implicit", SCAL: "2", Multisign: 100, Unlisted: true},
	{ID: "cp-p256", Name: "P-256", Standard: "BASIC", Subject: "SEAL", Key: "P-256", Days: 365, AuthMode: "implicit", SCAL: "2", Multisign: 100, Unlisted: true},
	{ID: "cp-p384", Name: "P-384", Standard: "BASIC", Subject: "SEAL", Key: "P-384", Days: 365, AuthMode: "implicit", SCAL: "2", Multisign: 100, Unlisted: true},
	{ID: "cp-p521", Name: "P-521", Standard: "BASIC", Subject: "SEAL", Key: "P-521", Days: 365, AuthMode: "implicit", SCAL: "2", Multisign: 100, Unlisted: true},
	{ID: "cp-seal", Name: "Organization seal", Standard: "BASIC", Subject: "SEAL", Key: "RSA", Days: 365,
		AuthMode: "implicit", SCAL: "2", Multisign: 10000},
}

// Bodies of DTM, in the platform's snake_case.

type refWire struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type userRefWire struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
}

type validationWire struct {
	ID                string        `json:"id"`
	Status            string        `json:"status"`
	Standard          string        `json:"standard"`
	ValidationProfile refWire       `json:"validation_profile"`
	User              userRefWire   `json:"user"`
	Email             emailWire     `json:"email"`
	Identity          *identityWire `json:"identity"`
	CreatedAt         time.Time     `json:"created_at"`
	ApprovedAt        *time.Time    `json:"approved_at"`
	ApprovedBy        *string       `json:"approved_by"`
	RejectReason      *string       `json:"reject_reason"`
}

type emailWire struct {
	Verified   bool       `json:"verified"`
	VerifiedAt *time.Time `json:"verified_at"`
}

type identityWire struct {
	Method     string            `json:"method"`
	Provider   string            `json:"provider"`
	Status     string            `json:"status"`
	URL        string            `json:"url,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"` // what was proofed, from SUBMITTED on
	UpdatedAt  time.Time         `json:"updated_at"`
}

// attributeNames of what is proofed of a person, in the order of the desk's form.
var attributeNames = []attributeName{
	{"given_name", "Given name"}, {"family_name", "Family name"}, {"birth_date", "Date of birth"}, {"birth_place", "Place of birth"},
	{"nationality", "Nationality"}, {"document_type", "Document"}, {"document_number", "Document number"}, {"document_expires", "Document valid until"},
}

type attributeName struct{ Key, Label string }

type credentialWire struct {
	ID                 string           `json:"id"`
	Name               string           `json:"name"`
	Nickname           string           `json:"nickname"`
	Status             string           `json:"status"`
	User               userRefWire      `json:"user"`
	AccountID          string           `json:"account_id"`
	Organization       refWire          `json:"organization"`
	ValidationID       *string          `json:"validation_id"`
	CertificateProfile refWire          `json:"certificate_profile"`
	Certificate        *certificateWire `json:"certificate"`
	Revocation         *revocationWire  `json:"revocation"`
	CreatedAt          time.Time        `json:"created_at"`
}

type certificateWire struct {
	SerialNumber string    `json:"serial_number"`
	Subject      string    `json:"subject"`
	ValidFrom    time.Time `json:"valid_from"`
	ValidTo      time.Time `json:"valid_to"`
	PEM          string    `json:"pem"`
}

type revocationWire struct {
	Reason         string    `json:"reason"`
	RevocationDate time.Time `json:"revocation_date"`
}

type profileWire struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Status       string `json:"status"`
	Standard     string `json:"standard"`
	SubjectType  string `json:"subject_type"`
	KeyAlgorithm string `json:"key_algorithm"`
	ValidityDays int    `json:"validity_days"`
	AuthMode     string `json:"auth_mode"`
}

type credentialProfileWire struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Status    string `json:"status"`
	AuthMode  string `json:"auth_mode"`
	SCAL      string `json:"scal"`
	Multisign int    `json:"multisign"`
}

type templateWire struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Status       string `json:"status"`
	SubjectType  string `json:"subject_type"`
	KeyAlgorithm string `json:"key_algorithm"`
	ValidityDays int    `json:"validity_days"`
}

type organizationWire struct {
	ID                 string `json:"id"`
	Name               string `json:"name"`
	Country            string `json:"country"`
	RegistrationNumber string `json:"registration_number"`
	Status             string `json:"status"`
}

type seatWire struct {
	Standard  string `json:"standard"`
	Total     int    `json:"total"`
	Used      int    `json:"used"`
	Available int    `json:"available"`
}

type auditWire struct {
	ID                 string         `json:"id"`
	Account            refWire        `json:"account"`
	ResourceType       string         `json:"resource_type"`
	ResourceID         string         `json:"resource_id"`
	Action             string         `json:"action"`
	User               refWire        `json:"user"`
	Timestamp          time.Time      `json:"timestamp"`
	Description        string         `json:"description"`
	Status             string         `json:"status"`
	Data               map[string]any `json:"data,omitempty"`
	AuthenticationType string         `json:"authentication_type"`
	CertificateType    string         `json:"certificate_type,omitempty"`
	CertificateLevel   string         `json:"certificate_level,omitempty"`
	Hashes             []string       `json:"hashes,omitempty"`
}

type roleWire struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	ApplicationCode string   `json:"application_code"`
	Scope           string   `json:"scope"`
	Permissions     []string `json:"permissions"`
}

// Only DSM_DOCUMENT_SIGNER is documented as spelled; the others are guessed after it.
const (
	roleSigner     = "DSM_DOCUMENT_SIGNER"
	roleAdmin      = "DSM_CLIENT_ADMIN"
	roleApprover   = "DSM_ORGANIZATION_APPROVER"
	roleSpecialist = "DSM_VALIDATION_SPECIALIST"
	roleAuditor    = "DSM_SYSTEM_AUDITOR"
	roleService    = "service" // of the service user: an administrator that also has people's documents signed
)

var roles = []roleWire{
	{ID: roleSigner, Name: "Document signer", ApplicationCode: "document_signing_manager", Scope: "account"},
	{ID: roleAdmin, Name: "Client admin", ApplicationCode: "document_signing_manager", Scope: "account"},
	{ID: roleApprover, Name: "Organization approver", ApplicationCode: "document_signing_manager", Scope: "account"},
	{ID: roleSpecialist, Name: "Validation specialist", ApplicationCode: "document_signing_manager", Scope: "system"},
	{ID: roleAuditor, Name: "System auditor", ApplicationCode: "document_signing_manager", Scope: "system"},
}

// permission is a permission code. Four are documented as spelled (add and view validations,
// view certificate profiles and templates), the labels of all but the last two.
type permission string

const (
	maySign              permission = "MANAGE_DSM_SIGN"
	mayAuthorize         permission = "MANAGE_DSM_AUTHORIZE_CREDENTIALS"
	maySendOTP           permission = "MANAGE_DSM_SEND_CREDENTIAL_OTP"
	mayCreateCredentials permission = "MANAGE_DSM_CREATE_CREDENTIALS"
	mayViewCredentials   permission = "MANAGE_DSM_VIEW_CREDENTIALS"
	mayManageCredentials permission = "MANAGE_DSM_MANAGE_CREDENTIALS"
	mayViewProfiles      permission = "MANAGE_DSM_VIEW_CERTIFICATE_PROFILES"
	mayViewTemplates     permission = "MANAGE_DSM_VIEW_CERTIFICATE_TEMPLATES"
	mayAddValidations    permission = "MANAGE_DSM_ADD_VALIDATIONS"
	mayManageValidations permission = "MANAGE_DSM_MANAGE_VALIDATIONS"
	mayViewValidations   permission = "MANAGE_DSM_VIEW_VALIDATIONS"
	mayManageOrgs        permission = "MANAGE_DSM_MANAGE_CERTIFICATE_ORGANIZATIONS"
	mayViewAudit         permission = "MANAGE_DSM_VIEW_AUDIT_LOG"
	mayViewLicence       permission = "MANAGE_DSM_VIEW_LICENSE"
	mayManageUsers       permission = "MANAGE_AM_USERS"
	mayBeHere            permission = "" // any key
)

var permissions = []permission{mayAuthorize, maySign, maySendOTP, mayCreateCredentials, mayViewCredentials, mayManageCredentials, mayViewProfiles,
	mayViewTemplates, mayAddValidations, mayManageValidations, mayViewValidations, mayManageOrgs, mayViewAudit, mayViewLicence, mayManageUsers}

// The signer's row follows the public list of that role, the others are guessed.
var permits = map[string]map[permission]reach{
	roleSigner: {mayAuthorize: ownOnly, maySign: ownOnly, maySendOTP: ownOnly, mayCreateCredentials: ownOnly, mayViewCredentials: ownOnly,
		mayManageCredentials: ownOnly, mayViewProfiles: everyone, mayViewAudit: ownOnly},
	roleAdmin: {mayCreateCredentials: everyone, mayViewCredentials: everyone, mayManageCredentials: everyone, mayViewProfiles: everyone, mayViewTemplates: everyone,
		mayAddValidations: everyone, mayManageValidations: everyone, mayViewValidations: everyone, mayManageOrgs: everyone, mayViewAudit: everyone,
		mayViewLicence: everyone, mayManageUsers: everyone},
	roleApprover:   {mayViewCredentials: everyone, mayViewProfiles: everyone, mayViewValidations: everyone, mayManageValidations: basicOnly},
	roleSpecialist: {mayViewValidations: everyone, mayViewProfiles: everyone},
	roleAuditor:    {mayViewCredentials: everyone, mayViewProfiles: everyone, mayViewValidations: everyone, mayViewAudit: everyone, mayViewLicence: everyone},
	roleService:    {maySign: everyone},
}

// Documented of /hashes and /signatures is only that they are there, and make hashes and
// signatures fit for advanced electronic signatures: every name and rule here is guessed.
const (
	formatPAdES = "PADES"
	formatCAdES = "CADES"
	hashesLife  = time.Hour
	maxHashes   = 1000 // documents in one call

	levelB  = "B-B"
	levelT  = "B-T"
	levelLT = "B-LT"
)

var cmsLevels = []string{levelB, levelT, levelLT}

type hashesWire struct {
	Credential    string         `json:"credential_id"`
	HashAlgorithm string         `json:"hash_algorithm"`        // dotted
	SignAlgorithm string         `json:"sign_algorithm"`        // dotted
	SignParams    []byte         `json:"sign_algorithm_params"` // DER, for RSASSA-PSS
	Format        string         `json:"signature_format"`
	Documents     []documentWire `json:"documents"`
}

type documentWire struct {
	ID   string `json:"id"`
	Hash []byte `json:"hash"`
}

type hashesAnswerWire struct {
	ID        string     `json:"id"`
	ExpiresAt time.Time  `json:"expires_at"`
	Hashes    []hashWire `json:"hashes"`
}

type hashWire struct {
	Document   string `json:"document_id"`
	Hash       []byte `json:"hash"`              // of the attributes as SET OF
	Attributes []byte `json:"signed_attributes"` // DER SET
}

type signaturesWire struct {
	Hashes     string          `json:"hashes_id"`
	Level      string          `json:"level"`
	Signatures []signatureWire `json:"signatures"`
}

type signatureWire struct {
	Document  string `json:"document_id"`
	Signature []byte `json:"signature"`
}

type signaturesAnswerWire struct {
	Signatures []cmsWire `json:"signatures"`
}

type cmsWire struct {
	Document   string              `json:"document_id"`
	CMS        []byte              `json:"cms"` // DER ContentInfo
	Level      string              `json:"level"`
	Validation *validationDataWire `json:"validation_data,omitempty"` // of PADES at B-LT, for the DSS
}

type validationDataWire struct {
	Certificates [][]byte `json:"certificates"`
	CRLs         [][]byte `json:"crls"`
	OCSP         [][]byte `json:"ocsp_responses"`
}

// Error strings that no page gives.
const (
	msgHashMissing  = "Missing (or invalid type) array parameter hash"
	msgHashCount    = "Invalid parameter hash"
	msgOTPTooSoon   = "An OTP was sent less than 30 seconds ago"
	msgOTPNotOnline = "The credential does not use an OTP that is sent"
	msgDeclined     = "The user declined the authorization"
	msgVerifier     = "Invalid parameter code_verifier"
	msgByOAuth      = "The credential is authorized by oauth2/authorize"
	msgNotByOAuth   = "The credential is not authorized by oauth2/authorize"
	msgNotTheirs    = "The credential belongs to another user"
)
