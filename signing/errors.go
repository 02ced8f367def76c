package signing

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"countersign/dtmclient"
	"countersign/pades"
)

// Kind sorts an error by what the one who asked can be answered.
type Kind string

// The kinds.
const (
	KindNotFound  Kind = "not_found" // not there, or not there for this actor
	KindInvalid   Kind = "invalid"   // what was given cannot be used; give something else
	KindConflict  Kind = "conflict"  // not in this state; look at it again
	KindForbidden Kind = "forbidden" // the roles do not allow it
	KindLimited   Kind = "limited"   // too often, too much; later, see RetryAfter
	KindRemote    Kind = "remote"    // the signing service refused or did not answer
	KindInternal  Kind = "internal"  // ours
)

// Error is every error of this package that a person gets to see. Sentence, Signed and
// Who are constant English sentences, which are the keys of the catalogue of texts too;
// values stand in Args under the names the sentence has in {{.Name}}.
type Error struct {
	Kind       Kind
	Code       string // stable machine word, the same as in a Reason column
	Sentence   string // what happened
	Signed     string // was anything signed, is the code spent; empty when signing was not touched
	Who        string // who can fix it, and how
	Args       map[string]any
	RetryAfter time.Duration // with KindLimited; zero when unknown
	Ceremony   CeremonyID    // the open ceremony to look at instead, with KindConflict; may be empty
	Documents  []Refused     // which of several documents are in the way, and why
	Cause      error         // for the log, never for the page
}

// Refused is one of several documents and what is wrong with it.
type Refused struct {
	Document DocumentID
	Error    *Error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return "signing: " + e.Code + ": " + e.Cause.Error()
	}
	return "signing: " + e.Code
}

func (e *Error) Unwrap() error { return e.Cause }

// Is makes errors.Is(err, ErrNotFound) and errors.Is(err, ErrConflict) hold for the kinds.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Kind == KindNotFound
	case ErrConflict:
		return e.Kind == KindConflict
	case ErrLimited:
		return e.Kind == KindLimited
	}
	return false
}

// Explain gives the texts of a code, as it stands in a Reason column. An unknown code
// is explained as an error of ours.
func Explain(code string) *Error {
	e, ok := catalogue[code]
	if !ok {
		e = catalogue[codeInternal]
	}
	e.Code = code
	return &e
}

// Codes lists every code there is a text for.
func Codes() []string {
	codes := make([]string, 0, len(catalogue))
	for code := range catalogue {
		codes = append(codes, code)
	}
	return codes
}

// fail makes the error of a code.
func fail(code string, cause error) *Error {
	e := Explain(code)
	e.Cause = cause
	return e
}

// internal makes an error of ours out of anything that is not explained yet.
func internal(cause error) error {
	var e *Error
	if cause == nil || errors.As(cause, &e) {
		return cause
	}
	return fail(codeInternal, cause)
}

// ofStore explains what the store answered.
func ofStore(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return fail(codeNotFound, err)
	case errors.Is(err, ErrConflict):
		return fail(codeChanged, err)
	case errors.Is(err, ErrQuota):
		return fail(codeQuota, err)
	}
	return internal(err)
}

// notThere reports whether the store found nothing.
func notThere(err error) bool { return errors.Is(err, ErrNotFound) }

// refusalCode is the code for a file the PDF engine refuses; empty when err is no refusal.
func refusalCode(err error) string {
	var r *pades.Refusal
	if !errors.As(err, &r) {
		return ""
	}
	if _, known := catalogue[r.Code]; known {
		return r.Code
	}
	return pades.RefusedUnsupported
}

// outcome is what an error of a remote call means for us.
type outcome struct {
	code string
	back bool // the factors were not the last word: the person may enter them again
	free bool // the call was never made: the try does not count
}

// ofAuthorize says what an error of credentials/authorize means. Nothing was signed in any
// case: a signature needs the SAD, which we never had.
func ofAuthorize(err error) outcome {
	var e *dtmclient.Error
	if errors.Is(err, ErrNotConnected) {
		return outcome{code: codeNotConnected, back: true, free: true}
	}
	if !errors.As(err, &e) {
		return outcome{code: codeAuthorizeUnknown, back: true}
	}
	switch e.Kind {
	case dtmclient.WrongOTP:
		return outcome{code: codeOTPWrong, back: true}
	case dtmclient.WrongPIN:
		return outcome{code: codePINWrong, back: true}
	case dtmclient.LockedOTP:
		return outcome{code: codeOTPLocked}
	case dtmclient.LockedPIN:
		return outcome{code: codePINLocked}
	case dtmclient.NotApproved:
		return outcome{code: codeNotApproved, back: true}
	case dtmclient.Unreachable:
		return outcome{code: codeUnreachable, back: true, free: true}
	case dtmclient.Limited:
		return outcome{code: codeRemoteBusy, back: true}
	case dtmclient.Unavailable, dtmclient.Unknown:
		return outcome{code: codeAuthorizeUnknown, back: true}
	}
	return outcome{code: codeRemoteRefused}
}

// declined reports whether the service says that the person did not want to.
func declined(err error) bool {
	var e *dtmclient.Error
	return errors.As(err, &e) && e.Kind == dtmclient.Denied && e.Code == "access_denied"
}

// ofSignHash says what an error of signatures/signHash means: the code, and whether the
// outcome is not known, which is so for anything but a clear refusal, a request that never
// left, and a whole answer that is not what was asked for.
func ofSignHash(err error) (code string, unknown bool) {
	var e *dtmclient.Error
	if !errors.As(err, &e) {
		return codeOutcomeUnknown, true
	}
	if answered(e) {
		return codeValueCount, false
	}
	if e.MayHaveHappened() {
		return codeOutcomeUnknown, true
	}
	switch e.Kind {
	case dtmclient.SADExpired:
		return codeSADExpired, false
	case dtmclient.WrongOTP, dtmclient.WrongPIN:
		return codeOTPWrong, false
	case dtmclient.LockedOTP:
		return codeOTPLocked, false
	case dtmclient.LockedPIN:
		return codePINLocked, false
	case dtmclient.Unreachable:
		return codeSignUnreachable, false
	case dtmclient.Limited, dtmclient.Unavailable:
		return codeRemoteBusy, false
	}
	return codeSignRefused, false
}

// answered reports whether a whole answer came that says "done" and cannot be used.
func answered(e *dtmclient.Error) bool {
	var broken net.Error
	return e.Kind == dtmclient.Unknown && e.Status >= 200 && e.Status <= 299 && !errors.As(e.Cause, &broken) &&
		!errors.Is(e.Cause, io.ErrUnexpectedEOF) && !errors.Is(e.Cause, context.DeadlineExceeded) && !errors.Is(e.Cause, context.Canceled)
}

// ofRemote says what an error of a call that changes nothing means.
func ofRemote(err error) error {
	var e *dtmclient.Error
	switch {
	case errors.Is(err, ErrNotConnected):
		return fail(codeNotConnected, err)
	case !errors.As(err, &e):
		return fail(codeUnreachable, err)
	case e.Kind == dtmclient.Limited || e.Kind == dtmclient.Unavailable:
		f := fail(codeRemoteBusy, err)
		f.RetryAfter = e.RetryAfter
		return f
	case e.Kind == dtmclient.Unreachable || e.Kind == dtmclient.Unknown:
		return fail(codeUnreachable, err)
	case e.Kind == dtmclient.LockedOTP:
		return fail(codeOTPLocked, err)
	case e.Kind == dtmclient.LockedPIN:
		return fail(codePINLocked, err)
	}
	return fail(codeRemoteRefused, err)
}
