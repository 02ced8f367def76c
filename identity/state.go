package identity

// ValidationState is where an identity check stands.
type ValidationState string

// The states of an identity check. Values that DTM sends and we do not know are
// kept as ValidationUnknown with DTM's own word beside it.
const (
	ValidationStarted          ValidationState = "started"
	ValidationEmailSent        ValidationState = "email_sent"
	ValidationActionNeeded     ValidationState = "action_needed"
	ValidationSubmitted        ValidationState = "submitted"
	ValidationInReview         ValidationState = "in_review"
	ValidationResubmit         ValidationState = "resubmit"
	ValidationAwaitingApproval ValidationState = "awaiting_approval"
	ValidationApprovalHeld     ValidationState = "approval_held"
	ValidationApproved         ValidationState = "approved"
	ValidationApprovalUnknown  ValidationState = "approval_unknown"
	ValidationRejected         ValidationState = "rejected"
	ValidationCancelled        ValidationState = "cancelled"
	ValidationExpired          ValidationState = "expired"
	ValidationDisabled         ValidationState = "disabled"
	ValidationUnknown          ValidationState = "unknown"
)

// CredentialState is where a credential stands.
type CredentialState string

// The states of a credential.
const (
	CredentialPending         CredentialState = "pending_issuance"
	CredentialActive          CredentialState = "active"
	CredentialSuspended       CredentialState = "suspended"
	CredentialRevoked         CredentialState = "revoked"
	CredentialDeactivated     CredentialState = "deactivated"
	CredentialExpired         CredentialState = "expired"
	CredentialIssuanceUnknown CredentialState = "issuance_unknown"
	CredentialUnknown         CredentialState = "unknown"
)
