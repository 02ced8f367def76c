package templates

import (
	"context"

	"countersign/identity"
	"countersign/people"
	"countersign/signing"
)

// Badge is a state on screen: the ring's inside tells the family, the word the state, the
// tone comes last. Tones: "you" (the reader acts), "move", "hold", "ok", "bad", "off".
type Badge struct{ Glyph, Tone, Text string }

// ValidationBadge is the state of an identity check. Waiting for approval is the reader's
// turn only when the reader is an admin who looks at somebody else's.
func ValidationBadge(ctx context.Context, v identity.Validation, admin bool) Badge {
	switch v.State {
	case identity.ValidationStarted:
		return turn(!admin, T(ctx, "Started"))
	case identity.ValidationEmailSent:
		return turn(!admin, T(ctx, "Confirm your e-mail"))
	case identity.ValidationActionNeeded:
		return turn(!admin, T(ctx, "Action needed"))
	case identity.ValidationSubmitted:
		return Badge{"r-move", "move", T(ctx, "Submitted")}
	case identity.ValidationInReview:
		return Badge{"r-move", "move", T(ctx, "In review")}
	case identity.ValidationResubmit:
		return Badge{"r-you", "hold", T(ctx, "Send again")}
	case identity.ValidationAwaitingApproval:
		return turn(admin, T(ctx, "Waiting for approval"))
	case identity.ValidationAwaitingSecond:
		return turn(admin, T(ctx, "Waiting for a second approval"))
	case identity.ValidationApprovalHeld:
		return Badge{"r-hold", "hold", T(ctx, "Approved, can be undone")}
	case identity.ValidationApproved:
		return Badge{"r-ok", "ok", T(ctx, "Approved")}
	case identity.ValidationApprovalUnknown:
		return Badge{"r-ask", "hold", T(ctx, "Outcome unknown")}
	case identity.ValidationRejected:
		return Badge{"r-bad", "bad", T(ctx, "Refused")}
	case identity.ValidationCancelled:
		return Badge{"r-off", "off", T(ctx, "Cancelled")}
	case identity.ValidationExpired:
		return Badge{"r-time", "off", T(ctx, "Expired")}
	case identity.ValidationDisabled:
		return Badge{"r-off", "off", T(ctx, "Switched off")}
	}
	return Badge{"r-ask", "hold", T(ctx, "DigiCert says “{{.Word}}”", "Word", v.DTMStatus)}
}

func turn(yours bool, text string) Badge {
	if yours {
		return Badge{"r-you", "you", text}
	}
	return Badge{"r-move", "move", text}
}

// CredentialBadge is the state of a credential.
func CredentialBadge(ctx context.Context, c identity.Credential) Badge {
	switch c.State {
	case identity.CredentialPending:
		return Badge{"r-move", "move", T(ctx, "Being made")}
	case identity.CredentialActive:
		if !c.RetiredAt.IsZero() {
			return Badge{"r-off", "off", T(ctx, "Retired")}
		}
		return Badge{"r-ok", "ok", T(ctx, "Active")}
	case identity.CredentialSuspended:
		return Badge{"r-hold", "hold", T(ctx, "Suspended")}
	case identity.CredentialRevoked:
		return Badge{"r-bad", "bad", T(ctx, "Revoked")}
	case identity.CredentialDeactivated:
		return Badge{"r-off", "off", T(ctx, "Deactivated")}
	case identity.CredentialExpired:
		return Badge{"r-time", "off", T(ctx, "Expired")}
	case identity.CredentialIssuanceUnknown:
		return Badge{"r-ask", "hold", T(ctx, "Outcome unknown")}
	}
	return Badge{"r-ask", "hold", T(ctx, "DigiCert says “{{.Word}}”", "Word", c.DTMStatus)}
}

// DocumentBadge is the state of the file itself.
func DocumentBadge(ctx context.Context, d signing.Document) Badge {
	switch d.State {
	case signing.DocumentReceiving:
		return Badge{"r-move", "move", T(ctx, "Receiving")}
	case signing.DocumentChecking:
		return Badge{"r-move", "move", T(ctx, "Checking")}
	case signing.DocumentReady:
		return Badge{"r-you", "you", T(ctx, "Ready to sign")}
	case signing.DocumentRefused:
		return Badge{"r-bad", "bad", T(ctx, "Not accepted")}
	case signing.DocumentQuarantined:
		return Badge{"r-bad", "bad", T(ctx, "Set aside")}
	}
	return Badge{"r-gone", "off", T(ctx, "Erased")}
}

// SignatureBadge is the state of one signature. A prepared one waits for the reader once
// its ceremony is open.
func SignatureBadge(ctx context.Context, s signing.Signature, open bool) Badge {
	switch s.State {
	case signing.SignaturePrepared:
		if open {
			return Badge{"r-you", "you", T(ctx, "Waiting for your code")}
		}
		return Badge{"r-todo", "move", T(ctx, "Prepared")}
	case signing.SignatureIntended:
		return Badge{"r-move", "move", T(ctx, "Signing")}
	case signing.SignatureSigned:
		return Badge{"r-move", "move", T(ctx, "Finishing")}
	case signing.SignatureAssembled:
		return Badge{"r-move", "move", T(ctx, "Checking")}
	case signing.SignatureReleased:
		return Badge{"r-signed", "ok", T(ctx, "Signed")}
	case signing.SignatureOutcomeUnknown:
		return Badge{"r-ask", "hold", T(ctx, "Outcome unknown")}
	case signing.SignatureExpired:
		return Badge{"r-time", "off", T(ctx, "Expired")}
	case signing.SignatureCancelled:
		return Badge{"r-off", "off", T(ctx, "Cancelled")}
	}
	return Badge{"r-bad", "bad", T(ctx, "Failed")}
}

// CeremonyBadge is the state of an authorization.
func CeremonyBadge(ctx context.Context, c signing.Ceremony) Badge {
	switch c.State {
	case signing.CeremonyPrepared:
		return Badge{"r-todo", "move", T(ctx, "Prepared")}
	case signing.CeremonyCodeSent:
		return Badge{"r-you", "you", T(ctx, "Waiting for your code")}
	case signing.CeremonyConsenting:
		return Badge{"r-you", "you", T(ctx, "Waiting for your approval")}
	case signing.CeremonyAuthorizing:
		return Badge{"r-move", "move", T(ctx, "Checking your code")}
	case signing.CeremonyAuthorized:
		return Badge{"r-move", "move", T(ctx, "Code accepted")}
	case signing.CeremonyUsed:
		return Badge{"r-ok", "ok", T(ctx, "Done")}
	case signing.CeremonyExpired:
		return Badge{"r-time", "off", T(ctx, "Expired")}
	case signing.CeremonyCancelled:
		return Badge{"r-off", "off", T(ctx, "Cancelled")}
	}
	return Badge{"r-bad", "bad", T(ctx, "Failed")}
}

// RowBadge is what matters most about a document in a list: a signature on its way, else
// that it is signed, else the file's own state.
func RowBadge(ctx context.Context, r DocumentRow) Badge {
	if r.Document.State != signing.DocumentReady {
		return DocumentBadge(ctx, r.Document)
	}
	if r.Signature != nil && moving(r.Signature.State) {
		return SignatureBadge(ctx, *r.Signature, r.Open != "")
	}
	if r.Document.Signed {
		return Badge{"r-signed", "ok", T(ctx, "Signed")}
	}
	return DocumentBadge(ctx, r.Document)
}

// moving reports whether a signature is on its way or of unknown outcome.
func moving(s signing.SignatureState) bool {
	switch s {
	case signing.SignaturePrepared, signing.SignatureIntended, signing.SignatureSigned,
		signing.SignatureAssembled, signing.SignatureOutcomeUnknown:
		return true
	}
	return false
}

// LevelName is the standard's name on screen.
func LevelName(ctx context.Context, s identity.Standard) string {
	switch s {
	case identity.Basic:
		return T(ctx, "Basic")
	case identity.AdvancedPlus:
		return T(ctx, "Advanced+")
	case "qualified":
		return T(ctx, "Qualified")
	}
	return string(s)
}

// RoleNames lists a person's roles in words.
func RoleNames(ctx context.Context, p people.Person) string {
	switch {
	case p.Has(people.Admin):
		return T(ctx, "Admin")
	case p.Has(people.Auditor):
		return T(ctx, "Auditor")
	case p.Has(people.Signer):
		return T(ctx, "Signer")
	}
	return T(ctx, "No role")
}

// RevocationReason is a reason of DTM in words.
func RevocationReason(ctx context.Context, code string) string {
	switch identity.RevocationReason(code) {
	case identity.KeyCompromise:
		return T(ctx, "Somebody else may know the key")
	case identity.AffiliationChanged:
		return T(ctx, "The person changed place or left")
	case identity.Superseded:
		return T(ctx, "Replaced by a new credential")
	case identity.CessationOfOperation:
		return T(ctx, "No longer needed")
	}
	return code
}
