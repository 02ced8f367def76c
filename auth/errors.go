package auth

import "errors"

// Kind sorts what went wrong by what can be done about it.
type Kind string

// The kinds.
const (
	KindInvalid   Kind = "invalid"   // the request itself: a stale, foreign or forged answer
	KindForbidden Kind = "forbidden" // known, but not let in
	KindRemote    Kind = "remote"    // the provider is away or answers what we cannot accept
	KindNotFound  Kind = "not_found"
	KindInternal  Kind = "internal"
)

// Error is what a person is told, and the cause for the log. It holds no token and no code.
type Error struct {
	Kind     Kind
	Code     string // stable word, e.g. "attempt_used"
	Sentence string // plain English, constant per code
	Cause    error
}

func (e *Error) Error() string {
	s := "sign in: " + e.Code
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// The errors of the store.
var (
	ErrNotFound = errors.New("not found")
	ErrUsed     = errors.New("used before")
	ErrDisabled = errors.New("person is disabled")
)

type told struct {
	kind     Kind
	sentence string
}

var sentences = map[string]told{
	"provider_away":    {KindRemote, "Your organisation's sign-in service does not answer. Nothing is wrong with your account. Try again in a few minutes."},
	"provider_wrong":   {KindRemote, "Your organisation's sign-in service is not the one this portal was set up for, so nobody is signed in here. An admin can correct the address."},
	"provider_refused": {KindForbidden, "Your organisation's sign-in service did not let you in. An admin there can tell why."},
	"cancelled":        {KindForbidden, "You left the sign-in page before it was done. Nothing was changed."},
	"attempt_unknown":  {KindInvalid, "This sign-in was begun in another browser, or more than 10 minutes ago. Start again here."},
	"attempt_used":     {KindInvalid, "This sign-in was used before. Start again here."},
	"answer_invalid":   {KindInvalid, "The answer of the sign-in service is not complete. Start again here."},
	"issuer_wrong":     {KindInvalid, "The answer came from another sign-in service than the one you were sent to, so nobody was signed in."},
	"token_refused":    {KindRemote, "The answer of your organisation's sign-in service did not pass our checks, so nobody was signed in."},
	"disabled":         {KindForbidden, "This account is switched off here. An admin of your organisation can switch it on."},
	"not_allowed":      {KindForbidden, "Your account does not have the role for this. An admin of your organisation can give it."},
	"own_account":      {KindForbidden, "Nobody switches off their own account. Another admin can."},
	"not_found":        {KindNotFound, "There is no such session."},
	"internal":         {KindInternal, "Something went wrong here while signing you in. Nothing was changed."},
}

func fail(code string, cause error) *Error {
	t, ok := sentences[code]
	if !ok {
		t = sentences["internal"]
	}
	return &Error{Kind: t.kind, Code: code, Sentence: t.sentence, Cause: cause}
}
