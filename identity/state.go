package identity

import "slices"

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
	ValidationAwaitingSecond   ValidationState = "awaiting_second" // one admin has approved, and two have to
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

// Command is what a person, or a job in their name, asks for.
type Command string

// The commands on identity checks and credentials.
const (
	CommandCancel  Command = "cancel"
	CommandFirst   Command = "first"   // approve, where a second admin has to as well
	CommandHold    Command = "hold"    // approve, still undoable
	CommandUndo    Command = "undo"    // of a held approval
	CommandSend    Command = "send"    // the approval to DTM
	CommandSettle  Command = "settle"  // what DTM answered to it
	CommandRefuse  Command = "refuse"  // the check
	CommandCorrect Command = "correct" // ask for the papers again
	CommandExpire  Command = "expire"  // the deadline has come

	CommandIssue   Command = "issue"
	CommandSuspend Command = "suspend"
	CommandResume  Command = "resume"
	CommandRevoke  Command = "revoke"
)

// validationEdges are the moves commands may make: command, from, to. A look at DTM may
// set any state and is audited as observed.
var validationEdges = map[Command]map[ValidationState][]ValidationState{
	CommandCancel: {
		ValidationStarted:          {ValidationCancelled},
		ValidationEmailSent:        {ValidationCancelled},
		ValidationActionNeeded:     {ValidationCancelled},
		ValidationSubmitted:        {ValidationCancelled},
		ValidationInReview:         {ValidationCancelled},
		ValidationResubmit:         {ValidationCancelled},
		ValidationAwaitingApproval: {ValidationCancelled},
		ValidationAwaitingSecond:   {ValidationCancelled},
		ValidationApprovalHeld:     {ValidationCancelled},
	},
	CommandFirst: {ValidationAwaitingApproval: {ValidationAwaitingSecond}},
	CommandHold: {
		ValidationAwaitingApproval: {ValidationApprovalHeld},
		ValidationAwaitingSecond:   {ValidationApprovalHeld},
	},
	CommandUndo: {
		ValidationApprovalHeld:   {ValidationAwaitingApproval}, // both approvals, where there were two
		ValidationAwaitingSecond: {ValidationAwaitingApproval},
	},
	CommandSend: {ValidationApprovalHeld: {ValidationApprovalUnknown, ValidationAwaitingApproval}}, // back, when the approver may no more
	CommandSettle: {
		ValidationApprovalUnknown: {ValidationApproved, ValidationAwaitingApproval},
	},
	CommandRefuse: {
		ValidationAwaitingApproval: {ValidationRejected},
		ValidationAwaitingSecond:   {ValidationRejected},
	},
	CommandCorrect: {
		ValidationAwaitingApproval: {ValidationResubmit},
		ValidationAwaitingSecond:   {ValidationResubmit},
	},
	CommandExpire: {
		ValidationStarted:          {ValidationExpired},
		ValidationEmailSent:        {ValidationExpired},
		ValidationActionNeeded:     {ValidationExpired},
		ValidationSubmitted:        {ValidationExpired},
		ValidationInReview:         {ValidationExpired},
		ValidationResubmit:         {ValidationExpired},
		ValidationAwaitingApproval: {ValidationExpired},
		ValidationAwaitingSecond:   {ValidationExpired},
		ValidationUnknown:          {ValidationExpired},
	},
}

// credentialEdges are the moves commands may make on a credential.
var credentialEdges = map[Command]map[CredentialState][]CredentialState{
	CommandIssue: {
		"":                        {CredentialIssuanceUnknown}, // before DTM is asked
		CredentialIssuanceUnknown: {CredentialPending, CredentialActive, CredentialDeactivated},
	},
	CommandSuspend: {CredentialActive: {CredentialSuspended}},
	CommandResume:  {CredentialSuspended: {CredentialActive}},
	CommandRevoke: {
		CredentialActive:    {CredentialRevoked},
		CredentialSuspended: {CredentialRevoked},
		CredentialPending:   {CredentialDeactivated}, // DTM calls it cancel
	},
	CommandExpire: {
		CredentialActive:    {CredentialExpired},
		CredentialSuspended: {CredentialExpired},
	},
}

// ValidationStates lists all states of an identity check.
func ValidationStates() []ValidationState {
	return []ValidationState{ValidationStarted, ValidationEmailSent, ValidationActionNeeded, ValidationSubmitted,
		ValidationInReview, ValidationResubmit, ValidationAwaitingApproval, ValidationAwaitingSecond, ValidationApprovalHeld, ValidationApproved,
		ValidationApprovalUnknown, ValidationRejected, ValidationCancelled, ValidationExpired, ValidationDisabled, ValidationUnknown}
}

// CredentialStates lists all states of a credential.
func CredentialStates() []CredentialState {
	return []CredentialState{CredentialPending, CredentialActive, CredentialSuspended, CredentialRevoked,
		CredentialDeactivated, CredentialExpired, CredentialIssuanceUnknown, CredentialUnknown}
}

// Commands lists all commands.
func Commands() []Command {
	return []Command{CommandCancel, CommandFirst, CommandHold, CommandUndo, CommandSend, CommandSettle, CommandRefuse, CommandCorrect,
		CommandExpire, CommandIssue, CommandSuspend, CommandResume, CommandRevoke}
}

// MayMove reports whether the command may move an identity check so.
func MayMove(do Command, from, to ValidationState) bool {
	return slices.Contains(validationEdges[do][from], to)
}

// MayMoveCredential reports whether the command may move a credential so; an empty from makes one.
func MayMoveCredential(do Command, from, to CredentialState) bool {
	return slices.Contains(credentialEdges[do][from], to)
}

// CanCancel reports whether the person can still withdraw an identity check in this state.
func CanCancel(s ValidationState) bool { return len(validationEdges[CommandCancel][s]) > 0 }

// Ended reports whether an identity check is over: no look at DTM follows.
func (s ValidationState) Ended() bool {
	return s == ValidationRejected || s == ValidationCancelled || s == ValidationExpired
}

// Running reports whether the check is on its way to a decision.
func (s ValidationState) Running() bool {
	return !s.Ended() && s != ValidationApproved && s != ValidationDisabled
}

// Ended reports whether a credential is over for good.
func (s CredentialState) Ended() bool {
	return s == CredentialRevoked || s == CredentialDeactivated || s == CredentialExpired
}
