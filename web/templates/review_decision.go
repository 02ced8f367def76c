package templates

import (
	"context"

	"countersign/audit"
	"countersign/identity"
	"countersign/people"
)

func reasonLabel(ctx context.Context, form string) string {
	if form == "refuse" {
		return T(ctx, "Refuse…")
	}
	return T(ctx, "Ask for a correction…")
}

func reasonButton(ctx context.Context, form, name string) string {
	if form == "refuse" {
		return T(ctx, "Refuse {{.Name}}", "Name", name)
	}
	return T(ctx, "Ask {{.Name}} to correct", "Name", name)
}

func noDecision(ctx context.Context, v ReviewCase) string {
	switch v.Row.Validation.State {
	case identity.ValidationRejected, identity.ValidationCancelled, identity.ValidationExpired, identity.ValidationDisabled:
		return T(ctx, "This case is over. A new identity check can be started by {{.Name}}.", "Name", v.Row.Person.DisplayName())
	case identity.ValidationApproved:
		return T(ctx, "Approved. Another admin has the credential made, since this is your own.")
	}
	if v.FirstOwn && v.Row.Validation.State == identity.ValidationAwaitingSecond {
		return T(ctx, "You have approved. DigiCert is not told before a second admin has approved too.")
	}
	if v.Row.Own {
		return T(ctx, "Another admin decides about you.")
	}
	return T(ctx, "Nothing to decide yet. The case comes to the desk by itself once DigiCert has looked at the papers.")
}

func whoActed(ctx context.Context, e audit.Entry, names map[people.ID]string) string {
	switch {
	case names[e.Person] != "":
		return names[e.Person]
	case e.Person != "":
		return T(ctx, "Somebody")
	case e.System == "dtm":
		return T(ctx, "DigiCert")
	}
	return T(ctx, "This site")
}

// keptNote is what was typed into the form that came back with an error.
func keptNote(v ReviewCase, form string) string {
	if v.Form == form {
		return v.Note
	}
	return ""
}
