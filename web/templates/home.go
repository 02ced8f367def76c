package templates

import (
	"context"

	"countersign/identity"
)

// homeSentence is the situation of the home page, as one sentence.
func homeSentence(ctx context.Context, v Home) string {
	switch v.Situation {
	case "new":
		return T(ctx, "Prove once who you are, then sign in minutes.")
	case "waiting":
		return waitingSentence(ctx, v)
	case "your_turn":
		switch v.Validation.State {
		case identity.ValidationEmailSent:
			return T(ctx, "Confirm your e-mail address.")
		case identity.ValidationResubmit:
			return T(ctx, "Send your papers again.")
		}
		return T(ctx, "Show DigiCert your papers.")
	case "refused":
		return endedSentence(ctx, v)
	case "approved":
		if v.Credential == nil {
			return T(ctx, "You are approved. Your credential comes next.")
		}
		return T(ctx, "Your credential is being made.")
	case "suspended":
		return T(ctx, "Your credential is suspended.")
	case "ready":
		return T(ctx, "Everything is ready. What shall we sign?")
	case "document":
		if v.Document.Open != "" {
			return T(ctx, "One document waits for your code.")
		}
		return T(ctx, "One document is ready for your signature.")
	case "admin":
		if v.ReviewTotal == 0 && len(v.Review) == 0 {
			return T(ctx, "Nobody is waiting for you.")
		}
		return N(ctx, "One identity check waits for a decision.", "{{.Count}} identity checks wait for a decision.", max(v.ReviewTotal, len(v.Review)))
	}
	return T(ctx, "What happened here stands in the log.")
}

// workLink leads to what waits too long, with its number.
func workLink(ctx context.Context, v Home) string { return stuckWords(ctx, v.Stuck) }

func stuckWords(ctx context.Context, n int) string {
	if n == 0 {
		return T(ctx, "Work that waits")
	}
	return N(ctx, "One thing waits too long", "{{.Count}} things wait too long", n)
}

func waitingSentence(ctx context.Context, v Home) string {
	switch v.Validation.State {
	case identity.ValidationStarted:
		return T(ctx, "We are telling DigiCert about you.")
	case identity.ValidationSubmitted:
		return T(ctx, "DigiCert has your papers.")
	case identity.ValidationInReview:
		return T(ctx, "DigiCert is looking at your papers.")
	case identity.ValidationAwaitingApproval:
		return T(ctx, "{{.Organization}} decides next.", "Organization", organization(ctx, v.Brand))
	case identity.ValidationAwaitingSecond:
		return T(ctx, "A second admin decides next.")
	case identity.ValidationApprovalHeld:
		return T(ctx, "You are approved, in a moment for good.")
	}
	return T(ctx, "We are waiting for DigiCert’s word.")
}

func endedSentence(ctx context.Context, v Home) string {
	if v.Credential != nil {
		switch v.Credential.State {
		case identity.CredentialRevoked:
			return T(ctx, "Your credential was revoked.")
		case identity.CredentialExpired:
			return T(ctx, "Your credential has run out.")
		}
		return T(ctx, "Your credential has ended.")
	}
	if v.Validation != nil {
		switch v.Validation.State {
		case identity.ValidationExpired:
			return T(ctx, "Your identity check has run out.")
		case identity.ValidationDisabled:
			return T(ctx, "Your identity check is switched off.")
		}
	}
	return T(ctx, "Your identity check was refused.")
}

// turnSentence is what the reader has to do.
func turnSentence(ctx context.Context, v identity.Validation) string {
	switch v.State {
	case identity.ValidationEmailSent:
		return T(ctx, "DigiCert has sent you an e-mail with a link. Open it and confirm the address.")
	case identity.ValidationResubmit:
		if v.Reason != "" {
			return reasonText(ctx, v.Reason)
		}
		return T(ctx, "Something could not be read or did not match.")
	}
	return T(ctx, "Have your passport or identity card at hand, and daylight beside a window. It takes about five minutes.")
}

// checkHolder is who has to act.
func checkHolder(ctx context.Context, b Brand, s identity.ValidationState) string {
	switch s {
	case identity.ValidationAwaitingApproval, identity.ValidationAwaitingSecond, identity.ValidationApprovalHeld:
		return T(ctx, "An admin of {{.Organization}}", "Organization", organization(ctx, b))
	case identity.ValidationStarted:
		return T(ctx, "This site")
	}
	return T(ctx, "DigiCert")
}

// checkLine is an identity check that is over, in one sentence.
func checkLine(ctx context.Context, p Page, v identity.Validation) string {
	when := Near(ctx, p, v.Since)
	switch v.State {
	case identity.ValidationApproved:
		return T(ctx, "Approved {{.When}}. Nothing for you to do.", "When", when)
	case identity.ValidationRejected:
		return T(ctx, "Refused {{.When}}.", "When", when)
	case identity.ValidationExpired:
		return T(ctx, "Ran out {{.When}}.", "When", when)
	case identity.ValidationCancelled:
		return T(ctx, "Cancelled {{.When}}.", "When", when)
	}
	return ValidationBadge(ctx, v, false).Text + "."
}

func differences(ctx context.Context, r ReviewRow) string {
	if r.Differences == 0 {
		return T(ctx, "No difference")
	}
	return N(ctx, "{{.Count}} difference", "{{.Count}} differences", r.Differences)
}
