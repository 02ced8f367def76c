package dtmclient

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// refusal sorts an answer outside 2xx. The body is evidence of why, never of whether:
// what may have happened is decided by the status alone.
func refusal(k call, res *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Status: res.StatusCode, RetryAfter: retryAfter(res.Header, now)}
	e.Code, e.Message = errorWords(body)
	e.challenges = readChallenges(res.Header.Values("WWW-Authenticate"))
	switch s := res.StatusCode; {
	case s == http.StatusGatewayTimeout && k.on504 != "":
		e.Kind = k.on504
	case s == http.StatusNotImplemented:
		e.Kind = Invalid
	case s >= 500 || s == http.StatusRequestTimeout:
		e.Kind = Unavailable
	case s == http.StatusTooManyRequests:
		e.Kind = Limited
	case s == http.StatusUnauthorized:
		e.Kind = Unauthorized
	case s == http.StatusForbidden:
		e.Kind = Denied
	case s == http.StatusNotFound:
		e.Kind = NotFound
	case s == http.StatusConflict:
		e.Kind = Duplicate
	case s >= 400:
		e.Kind = badRequestKind(e.Code, e.Message)
	default:
		e.Kind = Unknown // a redirect, or something that is no HTTP answer
	}
	return e
}

// badRequestKind reads the words of CSC 1.0.4.0 tables in 11.6 and 11.9, and of DTM.
func badRequestKind(code, message string) Kind {
	m := strings.ToLower(message)
	switch {
	case code == "invalid_otp":
		return WrongOTP
	case code == "invalid_pin":
		return WrongPIN
	case strings.Contains(m, "otp locked"):
		return LockedOTP
	case strings.Contains(m, "pin locked"):
		return LockedPIN
	case strings.Contains(m, "sad expired"):
		return SADExpired
	case code == "duplicate_error":
		return Duplicate
	case code == "resource_not_found":
		return NotFound
	case code == "access_denied":
		return Denied
	}
	return Invalid
}

// errorWords finds code and message in the forms that are seen: DTM's object and
// list, a bare pair, and CSC's flat pair in both spellings. Anything else says nothing.
func errorWords(body []byte) (code, message string) {
	var w struct {
		Error       json.RawMessage   `json:"error"`
		Errors      []json.RawMessage `json:"errors"`
		Code        looseString       `json:"code"`
		Message     looseString       `json:"message"`
		Description looseString       `json:"error_description"`
		CamelCode   looseString       `json:"errorCode"`
		CamelWords  looseString       `json:"errorDescription"`
	}
	// A wrong type in one member must not hide the others, so the error is not asked for.
	_ = json.Unmarshal(body, &w)
	pair := func(raw json.RawMessage) (string, string) {
		var p struct {
			Code    looseString `json:"code"`
			Message looseString `json:"message"`
		}
		if json.Unmarshal(raw, &p) != nil {
			var s looseString
			_ = json.Unmarshal(raw, &s)
			return string(s), ""
		}
		return string(p.Code), string(p.Message)
	}
	switch {
	case len(w.Error) > 0 && string(w.Error) != "null":
		code, message = pair(w.Error)
	case len(w.Errors) > 0:
		code, message = pair(w.Errors[0])
	default:
		code, message = string(w.Code), string(w.Message)
	}
	code = firstOf(code, string(w.CamelCode))
	message = firstOf(message, string(w.Description), string(w.CamelWords), string(w.Message))
	return clip(code, 64), clip(message, 300)
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// clip makes words from outside fit for a log line.
func clip(s string, runes int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if r := []rune(s); len(r) > runes {
		return string(r[:runes]) + "…"
	}
	return s
}
