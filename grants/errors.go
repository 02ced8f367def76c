package grants

// Kind sorts what went wrong by what can be done about it.
type Kind string

// The kinds.
const (
	KindInvalid  Kind = "invalid"
	KindConflict Kind = "conflict"
	KindRemote   Kind = "remote"
	KindForbid   Kind = "forbidden"
	KindInternal Kind = "internal"
)

// Error is what a person is told, and the cause for the log. It holds no token and no code.
type Error struct {
	Kind     Kind
	Code     string
	Sentence string // constant: the catalogue of translations is keyed by it
	Cause    error
}

func (e *Error) Error() string {
	s := "connect: " + e.Code
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// The codes.
const (
	CodeForbidden = "forbidden"
	CodeInternal  = "internal"
	CodeAway      = "away"
	CodeUnknown   = "unknown"
	CodeDeclined  = "declined"
	CodeRefused   = "refused"
	CodeAnswer    = "answer"
	CodeExchange  = "exchange"
	CodeNothing   = "no_refresh"
	CodeOther     = "other_account"
	CodeUnchecked = "unchecked"
	CodeChanged   = "changed"
)

var catalogue = map[string]Error{
	CodeForbidden: {Kind: KindForbid, Sentence: "Your role does not allow this."},
	CodeInternal:  {Kind: KindInternal, Sentence: "Something went wrong on our side. Nothing was connected."},
	CodeAway:      {Kind: KindRemote, Sentence: "DigiCert does not answer, so you cannot be sent to its page now. Nothing was changed. Try again in a few minutes."},
	CodeUnknown:   {Kind: KindInvalid, Sentence: "This answer belongs to no attempt of this session, was used before, or came more than 10 minutes later. Nothing was connected by it. You can begin again."},
	CodeDeclined:  {Kind: KindInvalid, Sentence: "You did not agree on DigiCert’s page. Nothing was connected."},
	CodeRefused:   {Kind: KindRemote, Sentence: "DigiCert’s page sent you back without a permission. Nothing was connected."},
	CodeAnswer:    {Kind: KindInvalid, Sentence: "The answer from DigiCert’s page is not complete. Nothing was connected. You can begin again."},
	CodeExchange:  {Kind: KindRemote, Sentence: "DigiCert did not give us what its page promised. Nothing was connected. You can begin again."},
	CodeNothing:   {Kind: KindRemote, Sentence: "DigiCert gave a permission that lasts an hour only, so you would have to connect each time. Nothing was kept. An admin can ask DigiCert for lasting ones."},
	CodeOther:     {Kind: KindConflict, Sentence: "This is another DigiCert account than the one that your credential belongs to. Nothing was connected. Sign out at DigiCert, and connect with your own account."},
	CodeUnchecked: {Kind: KindRemote, Sentence: "Whether this DigiCert account is yours could not be checked. Nothing was connected. You can begin again."},
	CodeChanged:   {Kind: KindConflict, Sentence: "This was changed meanwhile, perhaps in another window. Look at it again."},
}

// Explain gives what a person is told for a code; one that is none of ours is CodeUnknown.
func Explain(code string) *Error {
	if _, ok := catalogue[code]; !ok {
		code = CodeUnknown
	}
	return fail(code, nil)
}

func fail(code string, cause error) *Error {
	f := catalogue[code]
	f.Code, f.Cause = code, cause
	return &f
}
