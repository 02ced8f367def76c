package dtmclient

import (
	"fmt"
	"net/http"
	"regexp"
	"time"
)

// Kind sorts what went wrong by what can be done about it.
type Kind string

// The kinds.
const (
	Invalid      Kind = "invalid"      // the service refused the request: 400, and nothing changed
	Unauthorized Kind = "unauthorized" // our own credentials were refused: 401
	Denied       Kind = "denied"       // 403
	NotFound     Kind = "not_found"    // 404
	Duplicate    Kind = "duplicate"    // 409
	WrongOTP     Kind = "wrong_otp"    // CSC invalid_otp
	WrongPIN     Kind = "wrong_pin"    // CSC invalid_pin
	LockedOTP    Kind = "locked_otp"   // "OTP locked"
	LockedPIN    Kind = "locked_pin"   // "PIN locked"
	SADExpired   Kind = "sad_expired"  // "SAD expired"
	NotApproved  Kind = "not_approved" // authorize: nobody approved in time: 504
	Limited      Kind = "limited"      // 429
	Unavailable  Kind = "unavailable"  // 5xx: the service says it could not
	Unreachable  Kind = "unreachable"  // the request was never sent: no connection
	Unknown      Kind = "unknown"      // sent, but no answer or one we cannot read: it may have happened
)

// Error is every error of this package. It keeps what the service said and never holds a secret.
type Error struct {
	Op         string // method, e.g. "signatures/signHash"
	Kind       Kind
	Status     int    // HTTP status, 0 without an answer
	Code       string // the service's own code
	Message    string // the service's own words, bounded, for the log and never for the page as it is
	RetryAfter time.Duration
	Cause      error

	lost  bool // the connection failed: for a read, worth another try
	again bool // refused for its token, and another one can be had

	challenges []challenge // of a 401
}

func (e *Error) Error() string {
	s := e.Op + ": " + string(e.Kind)
	if e.Status != 0 {
		s += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Cause }

// MayHaveHappened reports whether the request may have taken effect at the service
// although we have no good answer: then it must not be sent again.
func (e *Error) MayHaveHappened() bool {
	return e.Kind == Unknown || (e.Kind == Unavailable && e.Status != 503)
}

// GrantRefused reports whether the service refused a refresh token or a code itself, rather
// than the call: it will never take it again (RFC 6749, 5.2).
func (e *Error) GrantRefused() bool { return e.Op == "oauth2/token" && e.Code == "invalid_grant" }

var invalidToken = regexp.MustCompile(`(?i)^invalid (string )?parameter:? ["']?token\b`)

// TokenUnknown reports whether a token was not revoked because the service knows none like it
// (any more). Another refusal says nothing of the token.
func (e *Error) TokenUnknown() bool {
	if e.Op != "oauth2/revoke" || e.Status != http.StatusBadRequest && e.Status != http.StatusUnauthorized {
		return false
	}
	switch e.Code {
	case "invalid_grant", "invalid_token":
		return true
	case "invalid_request": // CSC 8.3.4
		return e.Status == http.StatusBadRequest && invalidToken.MatchString(e.Message)
	}
	return false
}
