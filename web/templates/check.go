package templates

import (
	"context"

	"countersign/identity"
)

// ended reports whether an identity check goes no further.
func ended(s identity.ValidationState) bool {
	switch s {
	case identity.ValidationRejected, identity.ValidationCancelled, identity.ValidationExpired, identity.ValidationDisabled:
		return true
	}
	return false
}

func checkDone(v Check) bool {
	return v.Credential != nil && v.Credential.State == identity.CredentialActive
}

// checkPlace says which step of how many is current.
func checkPlace(ctx context.Context, v Check) string {
	for i, step := range v.Steps {
		if step.Step == "now" && !ended(v.Validation.State) {
			return T(ctx, "Identity check · step {{.At}} of {{.All}}", "At", i+1, "All", len(v.Steps))
		}
	}
	return T(ctx, "Identity check")
}

// checkLead is what the reader should do or not do now.
func checkLead(ctx context.Context, v Check) string {
	s := v.Validation.State
	switch {
	case s == identity.ValidationCancelled:
		return T(ctx, "Nothing goes on by itself. You can start again whenever you like.")
	case s == identity.ValidationExpired:
		return T(ctx, "Too much time passed without an answer. Nothing is lost: start again, it takes about ten minutes.")
	case s == identity.ValidationRejected:
		return T(ctx, "You cannot sign with this check. You can ask, or start a new one.")
	case s == identity.ValidationDisabled:
		return T(ctx, "It was approved once and does not count any more. An admin can tell you why.")
	case checkDone(v):
		return T(ctx, "You can sign now: choose a document, enter a code, done.")
	case s == identity.ValidationUnknown:
		return T(ctx, "DigiCert uses a word we do not know, “{{.Word}}”. We show it as it is and keep looking; an admin can look it up.", "Word", v.DTMWord)
	}
	for _, step := range v.Steps {
		if step.Step == "now" && step.Yours {
			return T(ctx, "It is your turn. You may leave this page and come back: nothing gets lost.")
		}
	}
	if v.Person != nil && v.Person.Email != "" {
		return T(ctx, "Nothing for you to do now. You may close this page: we will mail {{.Address}} when it is your turn again.", "Address", v.Person.Email)
	}
	return T(ctx, "Nothing for you to do now. You may close this page: we will mail you when it is your turn again.")
}

// checkBadge is the credential's state once one is being made, else the check's.
func checkBadge(ctx context.Context, v Check) Badge {
	if v.Validation.State == identity.ValidationApproved && v.Credential != nil {
		return CredentialBadge(ctx, *v.Credential)
	}
	return ValidationBadge(ctx, v.Validation, false)
}
