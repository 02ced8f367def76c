package templates

import (
	"context"
	"strings"
	"time"

	"countersign/identity"
	"countersign/signing"
)

func signingSteps(ctx context.Context, f signing.Factor) []string {
	third := T(ctx, "Code")
	if f.Consent() || f.Push() {
		third = T(ctx, "Approval")
	}
	return []string{T(ctx, "Choose"), T(ctx, "Check"), third, T(ctx, "Done")}
}

func choiceFacts(ctx context.Context, p Page, c identity.Credential) string {
	var parts []string
	if c.Issuer != "" {
		parts = append(parts, commonName(c.Issuer))
	}
	if !c.NotAfter.IsZero() {
		parts = append(parts, T(ctx, "valid until {{.Day}}", "Day", Day(ctx, p, c.NotAfter)))
	}
	return strings.Join(parts, ", ")
}

// ceremonyTitle is the situation of a ceremony as a sentence; it leads the document's title too.
func ceremonyTitle(ctx context.Context, v Ceremony) string {
	f := v.Ceremony.Factor
	switch v.Step {
	case "check":
		if checksFailed(v.Checks) {
			return T(ctx, "This cannot be signed as it is")
		}
		if checksMove(v.Checks) {
			return T(ctx, "We are checking what you sign")
		}
		if f.Consent() {
			return T(ctx, "Checked, and ready for your approval")
		}
		return T(ctx, "Checked, and ready for your code")
	case "consent":
		return T(ctx, "DigiCert waits for your approval")
	case "code":
		switch {
		case v.CodeError == "locked" || v.PINError == "locked":
			return T(ctx, "Signing rests for a while")
		case f.NeedsOTP() && f.NeedsPIN():
			return T(ctx, "Enter your code and your PIN")
		case f.Sent():
			return T(ctx, "Enter the code we sent you")
		case f.NeedsOTP():
			return T(ctx, "Enter the code from your app")
		case f.NeedsPIN():
			return T(ctx, "Enter your PIN")
		}
		return T(ctx, "Approve it on your phone")
	case "progress":
		if waitsForPhone(v) {
			return T(ctx, "Open the app on your phone and approve")
		}
		if v.Many != nil {
			return T(ctx, "Signing {{.Count}} documents", "Count", len(v.Many))
		}
		return T(ctx, "Signing your document")
	case "result":
		if v.Many != nil {
			return manyTitle(ctx, v)
		}
		return T(ctx, "Signed, and checked.")
	}
	return T(ctx, v.Failed.Title)
}

// waitsForPhone reports whether the person has to approve on another device right now.
func waitsForPhone(v Ceremony) bool {
	return v.Ceremony.State == signing.CeremonyAuthorizing && v.Ceremony.Factor.Push()
}

// phoneCount is how many documents the phone speaks of.
func phoneCount(v Ceremony) int { return max(1, len(v.Many)) }

// spentWords say that nobody is asked a second time for what the key was asked for.
func spentWords(ctx context.Context, v Ceremony) string {
	f := v.Ceremony.Factor
	switch {
	case f.Consent() || f.Push():
		return N(ctx, "Your approval is used. Whatever happens now, you will not be asked again for this signature.",
			"Your approval is used. Whatever happens now, you will not be asked again for these {{.Count}} signatures.", max(1, len(v.Many)))
	case len(v.Many) > 1:
		return T(ctx, "Your code is spent. Whatever happens now, you will not need it again for these signatures.")
	}
	return T(ctx, "Your code is spent. Whatever happens now, you will not need it again for this signature.")
}

// longAfter is when finishing has taken so long that the page must not say "a few seconds".
const longAfter = 30 * time.Second

// takesLong reports whether the remote key has signed some time ago and the file is not
// finished: a clock service that is away or wrong, a full disk.
func takesLong(v Ceremony) bool {
	s := v.Signature
	waits := s.State == signing.SignatureSigned || s.State == signing.SignatureAssembled
	return waits && !s.SignedAt.IsZero() && v.Now.Sub(s.SignedAt) > longAfter
}

// nextTry is when work that waits is tried again.
func nextTry(ctx context.Context, p Page, at time.Time) string {
	if at.IsZero() || !at.After(p.now()) {
		return T(ctx, "now")
	}
	return Near(ctx, p, at)
}

func checksFailed(steps []LiveStep) bool {
	for _, s := range steps {
		if s.Step == "bad" {
			return true
		}
	}
	return false
}

// checksMove reports whether a check is not done yet, or may go better by itself.
func checksMove(steps []LiveStep) bool {
	for _, s := range steps {
		if s.Step == "now" || s.Step == "todo" {
			return true
		}
	}
	return false
}

func ceremonyBack(v Ceremony) string {
	if v.Many != nil {
		return "/documents"
	}
	return documentPath(v.Row.Document.ID)
}

func ceremonyBackLabel(ctx context.Context, v Ceremony) string {
	if v.Many != nil {
		return T(ctx, "To your documents")
	}
	return T(ctx, "Back to the document")
}

// progressSay is what a screen reader hears when a step is finished.
func progressSay(ctx context.Context, v Ceremony) string {
	if v.Step != "progress" {
		return ceremonyTitle(ctx, v)
	}
	if v.Many != nil {
		return T(ctx, "{{.Done}} of {{.All}} documents are done", "Done", manyEnded(v), "All", len(v.Many))
	}
	done, now := 0, ""
	for _, s := range v.Steps {
		if s.Step == "done" {
			done++
		}
		if s.Step == "now" {
			now = T(ctx, s.Text)
		}
	}
	return T(ctx, "{{.Done}} of {{.All}} steps done. {{.Now}}", "Done", done, "All", len(v.Steps), "Now", now)
}

func stepGlyph(step string) string {
	switch step {
	case "done":
		return "tick"
	case "now":
		return "r-move"
	case "bad":
		return "cross"
	case "hold":
		return "r-ask"
	}
	return "r-todo"
}

// levelMeans is what a level is worth to the reader.
func levelMeans(ctx context.Context, level string) string {
	switch level {
	case "B-B":
		return T(ctx, "The time of signing is the signer’s own.")
	case "B-T":
		return T(ctx, "An independent clock confirms the time of signing.")
	case "B-LT":
		return T(ctx, "The file itself carries the proof that the certificates were good. It can be checked without us and without the issuer.")
	case "B-LTA":
		return T(ctx, "The file itself carries the proof that the certificates were good, and a timestamp over all of it keeps that proof for the long term.")
	}
	return level
}

// levelWords says what a signature's level means.
func levelWords(ctx context.Context, level string) string {
	switch level {
	case "B-B":
		return T(ctx, "B-B: the time is the signer’s own")
	case "B-T":
		return T(ctx, "B-T: with the time of an independent clock")
	case "B-LT":
		return T(ctx, "B-LT: provable without us")
	case "B-LTA":
		return T(ctx, "B-LTA: provable without us, for the long term")
	}
	return level
}

func codeInputMode(f signing.Factor) string {
	if f.OTPDigits {
		return "numeric"
	}
	return "text"
}
