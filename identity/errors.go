package identity

import (
	"errors"

	"countersign/dtmclient"
)

// Kind sorts an error by what the one who asked can be answered.
type Kind string

// The kinds.
const (
	KindNotFound  Kind = "not_found" // not there, or not there for this actor
	KindInvalid   Kind = "invalid"   // what was given cannot be used
	KindConflict  Kind = "conflict"  // not in this state; look at it again
	KindForbidden Kind = "forbidden" // the roles do not allow it, or it is about oneself
	KindLimited   Kind = "limited"   // too often
	KindRemote    Kind = "remote"    // DTM refused or did not answer
	KindInternal  Kind = "internal"  // ours
)

// Error is every error of this package that a person gets to see. Sentence and Who are
// constant English sentences, which are the keys of the catalogue of texts too; values
// stand in Args under the names the sentence has in {{.Name}}.
type Error struct {
	Kind     Kind
	Code     string // stable machine word
	Sentence string // what happened, and what is the case now
	Signed   string // always empty here: an identity check signs nothing
	Who      string // who can fix it, and how
	Args     map[string]any
	Cause    error // for the log, never for the page
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return "identity: " + e.Code + ": " + e.Cause.Error()
	}
	return "identity: " + e.Code
}

func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is(err, ErrNotFound) and errors.Is(err, ErrConflict) hold for the kinds.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Kind == KindNotFound
	case ErrConflict:
		return e.Kind == KindConflict
	}
	return false
}

// The codes, which also stand in Reason columns.
const (
	codeNotFound      = "not_found"
	codeRole          = "role"
	codeOwn           = "own"
	codeChanged       = "changed"
	codeInternal      = "internal"
	codeStandard      = "standard"
	codeConsent       = "consent"
	codeNoEmail       = "no_email"
	codeNoName        = "no_name"
	codeEmailTaken    = "email_taken"
	codeBound         = "bound"
	codeOpen          = "check_open"
	codeApproved      = "check_approved"
	codeStarting      = "starting"
	codeWrongState    = "wrong_state"
	codeReason        = "reason"
	codeNote          = "note"
	codeNoPapers      = "no_papers"
	codeProfile       = "profile"
	codeHasCredential = "credential_exists"
	codeRetired       = "retired"
	codeNewCheck      = "new_check"
	codeSuspending    = "cannot_suspend"
	codeByAdmin       = "suspended_by_admin"
	codeBinding       = "binding"
	codeNoSeat        = "no_seat"
	codeSeatsTaken    = "seats_taken"    // before DTM is asked: it counts none free
	codeFirst         = "approved_first" // the first approver cannot be the second
	codeTwo           = "needs_two"      // the rule came after the approval
	codeRefused       = "dtm_refused"
	codeAway          = "dtm_away"
	codeUnknown       = "dtm_unknown"
	codeNotStarted    = "not_started"  // reason of an expired check that never reached DTM
	codeDeadline      = "deadline"     // reason of an expired check that nobody went on with
	codeSent          = "sent"         // reason: the request is on its way, or its answer was lost
	codeLost          = "approve_lost" // reason: the approval that was sent did not arrive
	codeApprover      = "approver_gone"
	codeNotIssued     = "not_issued" // reason of a credential that DTM does not have
	codeOwner         = "by_owner"   // reason of a suspension
	codeAdmin         = "by_admin"
)

const (
	askAdmin = "An admin can help."
	tryLater = "Try again in a few minutes."
)

var catalogue = map[string]Error{
	codeNotFound:      {Kind: KindNotFound, Sentence: "There is nothing here, or nothing for you."},
	codeRole:          {Kind: KindForbidden, Sentence: "Your account does not allow this.", Who: askAdmin},
	codeOwn:           {Kind: KindForbidden, Sentence: "This is about yourself. Another admin has to decide."},
	codeChanged:       {Kind: KindConflict, Sentence: "Something changed while you looked at it. This is how it stands now."},
	codeInternal:      {Kind: KindInternal, Sentence: "Something went wrong here. What you did before is kept."},
	codeStandard:      {Kind: KindInvalid, Sentence: "Choose Basic or Advanced+."},
	codeConsent:       {Kind: KindInvalid, Sentence: "We may only start once you agree."},
	codeNoEmail:       {Kind: KindInvalid, Sentence: "Your account has no e-mail address, and an identity check needs one.", Who: "Whoever keeps your company account can add it. Then sign in again."},
	codeNoName:        {Kind: KindInvalid, Sentence: "Your account does not tell your given and family name, and an identity check needs both.", Who: "Whoever keeps your company account can add them. Then sign in again."},
	codeEmailTaken:    {Kind: KindConflict, Sentence: "DigiCert knows somebody with your e-mail address already. An admin has to find out who, so nothing was started.", Who: askAdmin},
	codeBound:         {Kind: KindForbidden, Sentence: "DigiCert’s record of you is tied to another account here, so nothing was started.", Who: askAdmin},
	codeOpen:          {Kind: KindConflict, Sentence: "You have an identity check of this standard under way already."},
	codeApproved:      {Kind: KindConflict, Sentence: "Your identity is proved to this standard already."},
	codeStarting:      {Kind: KindConflict, Sentence: "We are just telling DigiCert about this identity check. It can be cancelled in a minute."},
	codeWrongState:    {Kind: KindConflict, Sentence: "This is not possible any more, or not yet. This is how it stands now."},
	codeReason:        {Kind: KindInvalid, Sentence: "Choose a reason from the list."},
	codeNote:          {Kind: KindInvalid, Sentence: "The note is too long: at most 1000 characters."},
	codeNoPapers:      {Kind: KindConflict, Sentence: "A Basic identity check has no papers that could be sent again."},
	codeProfile:       {Kind: KindInvalid, Sentence: "Choose a certificate profile from the list."},
	codeHasCredential: {Kind: KindConflict, Sentence: "This person has a credential from this identity check already."},
	codeRetired:       {Kind: KindConflict, Sentence: "A newer credential has taken the place of this one already."},
	codeNewCheck:      {Kind: KindConflict, Sentence: "The identity check behind this credential no longer counts. A new credential needs a new identity check."},
	codeSuspending:    {Kind: KindConflict, Sentence: "DigiCert offers no way to suspend a credential here."},
	codeByAdmin:       {Kind: KindForbidden, Sentence: "An admin suspended this credential, so an admin has to resume it."},
	codeBinding:       {Kind: KindForbidden, Sentence: "DigiCert says that this credential belongs to somebody else. It cannot be used.", Who: askAdmin},
	codeNoSeat:        {Kind: KindRemote, Sentence: "DigiCert has no free seat for this. Nothing was changed.", Who: "Whoever manages the DigiCert account can add seats."},
	codeSeatsTaken:    {Kind: KindConflict, Sentence: "No seat of this standard is free at DigiCert, so nothing was approved.", Who: "Whoever manages the DigiCert account can add seats."},
	codeFirst:         {Kind: KindForbidden, Sentence: "You have approved this already. A second admin has to approve it too."},
	codeTwo:           {Kind: KindConflict, Sentence: "Two admins have to approve now, so this approval was not sent. It has to be given again."},
	codeRefused:       {Kind: KindRemote, Sentence: "DigiCert refused this. Nothing was changed.", Who: askAdmin},
	codeAway:          {Kind: KindRemote, Sentence: "DigiCert does not answer. Nothing was changed.", Who: tryLater},
	codeUnknown:       {Kind: KindRemote, Sentence: "DigiCert was asked but has not confirmed. We keep looking and show here what we find.", Who: "Nothing needs to be done. Do not ask a second time."},
	codeNotStarted:    {Kind: KindRemote, Sentence: "DigiCert could not be reached in time, so nothing was started. You can start a new identity check."},
	codeDeadline:      {Kind: KindConflict, Sentence: "Nobody went on with this identity check in time. You can start a new one."},
	codeSent:          {Kind: KindConflict, Sentence: "DigiCert was asked; its answer has not arrived yet. We keep looking."},
	codeLost:          {Kind: KindConflict, Sentence: "The approval did not reach DigiCert. It has to be given again."},
	codeApprover:      {Kind: KindConflict, Sentence: "Whoever approved may not approve any more. Another admin has to decide."},
	codeNotIssued:     {Kind: KindConflict, Sentence: "DigiCert does not know this credential: it was never made. It can be asked for again."},
	codeOwner:         {Kind: KindConflict, Sentence: "Suspended by its owner."},
	codeAdmin:         {Kind: KindConflict, Sentence: "Suspended by an admin."},
}

// Explain gives the texts of a code as it stands in a Reason column; ok is false for
// DTM's own words and for codes of RefusalReasons and CorrectionReasons.
func Explain(code string) (e *Error, ok bool) {
	found, ok := catalogue[code]
	found.Code = code
	return &found, ok
}

// Codes lists every code there is a text for.
func Codes() []string {
	codes := make([]string, 0, len(catalogue))
	for code := range catalogue {
		codes = append(codes, code)
	}
	return codes
}

func fail(code string, cause error) *Error {
	e, _ := Explain(code)
	e.Cause = cause
	return e
}

// ofStore explains what the store answered.
func ofStore(err error) error {
	var own *Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.Is(err, ErrNotFound):
		return fail(codeNotFound, err)
	case errors.Is(err, ErrConflict):
		return fail(codeChanged, err)
	}
	return fail(codeInternal, err)
}

// ofRemote explains an error of DTM; mayBe is true when the call may have taken effect.
func ofRemote(err error) (e *Error, mayBe bool) {
	var remote *dtmclient.Error
	switch {
	case !errors.As(err, &remote) || remote.MayHaveHappened():
		return fail(codeUnknown, err), true
	case remote.Kind == dtmclient.Limited, remote.Kind == dtmclient.Unavailable, remote.Kind == dtmclient.Unreachable,
		remote.Kind == dtmclient.Unauthorized:
		return fail(codeAway, err), false
	case dtmclient.IsNoSeat(remote):
		return fail(codeNoSeat, err), false
	}
	return fail(codeRefused, err), false
}

// ofRead explains an error of a call that changes nothing.
func ofRead(err error) *Error { return fail(codeAway, err) }

func isRemote(err error, kind dtmclient.Kind) bool {
	var remote *dtmclient.Error
	return errors.As(err, &remote) && remote.Kind == kind
}
