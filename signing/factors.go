package signing

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"countersign/dtmclient"
)

// Secret is a string that never shows itself; see dtmclient.Secret.
type Secret = dtmclient.Secret

// Factors is what the person entered. It lives in the request that brought it.
type Factors struct {
	OTP Secret
	PIN Secret
}

const (
	maxEntered = 1024 // bytes, before anything is done with it
	maxFactor  = 64   // characters that are left
)

// entered makes the factors fit to send, or says which one is not. What the credential does
// not ask for is dropped: it has no business upstream.
func entered(f Factor, in Factors) (out Factors, code string) {
	if f.Mode != "explicit" {
		return out, ""
	}
	var ok bool
	if f.OTP != "false" && f.OTP != "" {
		if out.OTP, ok = normalCode(in.OTP, f.OTPDigits); !ok {
			return out, codeOTPFormat
		}
		if out.OTP == "" && f.NeedsOTP() {
			return out, codeOTPEmpty
		}
	}
	if f.PIN != "false" && f.PIN != "" {
		if f.PINDigits {
			out.PIN, ok = normalCode(in.PIN, true)
		} else {
			out.PIN, ok = plainPIN(in.PIN)
		}
		if !ok {
			return out, codePINFormat
		}
		if out.PIN == "" && f.NeedsPIN() {
			return out, codePINEmpty
		}
	}
	return out, ""
}

// normalCode takes a code as people type and paste it: spaces and dashes between groups go,
// digits of any script become 0 to 9. It stays text, so that leading zeros stay.
func normalCode(in dtmclient.Secret, digits bool) (dtmclient.Secret, bool) {
	if len(in) > maxEntered {
		return "", false
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(string(in)) {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
		case unicode.Is(unicode.Nd, r):
			b.WriteByte(digit(r))
		case !digits && r < unicode.MaxASCII && unicode.IsLetter(r):
			b.WriteRune(r)
		default:
			return "", false
		}
	}
	return dtmclient.Secret(b.String()), b.Len() <= maxFactor
}

// digit is the value of a decimal digit of any script: each has its ten in a row, and the
// table's ranges begin with a zero.
func digit(r rune) byte {
	for _, t := range unicode.Nd.R16 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10)
		}
	}
	for _, t := range unicode.Nd.R32 {
		if r >= rune(t.Lo) && r <= rune(t.Hi) {
			return '0' + byte((r-rune(t.Lo))%10)
		}
	}
	return '0'
}

// plainPIN leaves a PIN of letters and signs as it is: any of them may be part of it.
func plainPIN(in dtmclient.Secret) (dtmclient.Secret, bool) {
	if len(in) > maxEntered {
		return "", false
	}
	n := 0
	for _, r := range string(in) {
		if !unicode.IsPrint(r) {
			return "", false
		}
		n++
	}
	return in, n <= maxFactor
}
