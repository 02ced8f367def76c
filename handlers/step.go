package handlers

import (
	"cmp"
	"strings"

	"countersign/signing"
	"countersign/web/templates"
)

func stepOf(c signing.Ceremony, s signing.Signature) string {
	switch s.State {
	case signing.SignatureReleased:
		return "result"
	case signing.SignatureFailed, signing.SignatureOutcomeUnknown, signing.SignatureExpired, signing.SignatureCancelled:
		return "failed"
	case signing.SignatureIntended, signing.SignatureSigned, signing.SignatureAssembled:
		return "progress"
	}
	if c.State == signing.CeremonyUsed {
		return "progress"
	}
	return cmp.Or(stepBefore(c), "failed")
}

// stepBefore is the step of a ceremony that is not over; of one that is, nothing.
func stepBefore(c signing.Ceremony) string {
	switch c.State {
	case signing.CeremonyPrepared:
		if c.Factor.Sent() || c.Factor.Consent() {
			return "check"
		}
		return "code" // a PIN, an app's code, or nothing to enter: no code has to be sent
	case signing.CeremonyCodeSent:
		return "code"
	case signing.CeremonyConsenting:
		return "consent"
	case signing.CeremonyAuthorizing, signing.CeremonyAuthorized:
		return "progress"
	}
	return ""
}

// backBecause says why a ceremony came back to where it can be approved, unless a field says so.
func backBecause(c signing.Ceremony) *templates.Problem {
	if code, pin := factorErrors(c); c.Reason == "" || code != "" || pin != "" {
		return nil
	}
	why := signing.Explain(c.Reason)
	p := &templates.Problem{Title: "That did not work", Sentence: why.Sentence, Signed: why.Signed, Who: why.Who}
	if c.Factor.Consent() || c.Factor.Push() { // the words of the catalogue are those of codes
		p.Title, p.Signed, p.Who = "Nothing was signed", "", "You can ask for the approval again, or stop here."
	}
	return p
}

// factorErrors tells what was wrong with the last try: wrong, expired and locked are
// three things.
func factorErrors(c signing.Ceremony) (code, pin string) {
	switch c.Reason {
	case "otp_wrong":
		return "wrong", ""
	case "otp_expired":
		return "expired", ""
	case "otp_locked":
		return "locked", ""
	case "pin_wrong":
		return "", "wrong"
	case "pin_locked":
		return "", "locked"
	}
	return "", ""
}

// failedBecause tells what happened, whether anything was signed and who can help.
func failedBecause(c signing.Ceremony, s signing.Signature) templates.Problem {
	reason := s.Reason
	if reason == "" {
		reason = c.Reason
	}
	explained := signing.Explain(reason)
	p := templates.Problem{Title: "Nothing was signed", Sentence: explained.Sentence, Who: explained.Who, Signed: "Nothing was signed.",
		WayOn: "Start again", WayPath: "/documents/" + string(s.Document) + "/sign"}
	if explained.Signed != "" {
		p.Signed = explained.Signed
	}
	if !strings.HasPrefix(p.Signed, "Nothing was signed") { // DigiCert may have made a signature, or has
		p.Title = "There is no signed file"
	}
	switch s.State {
	case signing.SignatureOutcomeUnknown:
		p.Title = "We do not know whether DigiCert signed"
		p.Signed = "A signature may exist at DigiCert, but no signed file was made or given out. We never ask twice by ourselves."
	case signing.SignatureCancelled:
		p.Title = "You stopped here"
	case signing.SignatureExpired:
		p.Title = "The time for this ran out"
	case signing.SignatureFailed:
		if len(s.Value) > 0 {
			p.Title = "The signed file did not pass our check"
			p.Signed = "DigiCert signed, but the file was not given out."
		}
	}
	return p
}
