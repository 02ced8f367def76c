package templates

import (
	"context"
	"time"

	"countersign/pades"
	"countersign/signing"
)

// readable tells whether its pages can be shown.
func readable(v Document) bool { return v.Row.Document.State == signing.DocumentReady }

func documentScripts(v Document) []string {
	if readable(v) {
		return []string{"viewer.js"}
	}
	return nil
}

// documentStage changes when more of the page than its live part has to be drawn anew.
func documentStage(v Document) string {
	stage := string(v.Row.Document.State)
	if v.Row.Document.Signed {
		stage += "-" + decimal(int64(v.Row.Document.Revisions))
	}
	return stage
}

// levelNews is what is still to come for the level of a file, or why it does not come.
func levelNews(ctx context.Context, v Document) string {
	if v.Extension == nil {
		return ""
	}
	e := *v.Extension
	why := ""
	if e.Reason != "" {
		why = " " + T(ctx, signing.Explain(e.Reason).Sentence)
	}
	switch {
	case e.State == signing.ExtensionStopped:
		return T(ctx, "Proof for later years could not be added.") + why + " " + T(ctx, "The signed file is as it was. An admin can have it tried again.")
	case e.State == signing.ExtensionReached && !e.Deadline.IsZero():
		return T(ctx, "We renew its timestamp on {{.Day}}.", "Day", Day(ctx, v.Page, e.Deadline))
	case e.State != signing.ExtensionWaiting:
		return ""
	}
	first := T(ctx, "Proof for later years is added when the issuer publishes data from after the signature.")
	if why != "" {
		first = T(ctx, "Proof for later years is still missing.") + why
	}
	return first + " " + T(ctx, "Next try: {{.When}}. We try until {{.Day}}.", "When", nextTry(ctx, v.Page, e.Deadline), "Day", Day(ctx, v.Page, e.Ends))
}

func documentIndent(v Document) string {
	d := v.Row.Document
	switch {
	case d.State == signing.DocumentReceiving || d.State == signing.DocumentChecking:
		return "draft"
	case d.Signed:
		return "signed"
	case v.CanSign:
		return "awaiting"
	}
	return "fixed"
}

func documentClaim(ctx context.Context, v Document) string {
	switch v.Row.Document.State {
	case signing.DocumentReceiving, signing.DocumentChecking:
		return T(ctx, "We look into it first")
	case signing.DocumentRefused:
		return T(ctx, "This file cannot be signed")
	case signing.DocumentQuarantined:
		return T(ctx, "This file is set aside")
	case signing.DocumentErased:
		return T(ctx, "This document is erased")
	}
	if v.Row.Document.Signed {
		return T(ctx, "This is what you signed")
	}
	return T(ctx, "This is what you sign")
}

func documentClaimMore(ctx context.Context, v Document) string {
	d := v.Row.Document
	switch d.State {
	case signing.DocumentReceiving:
		return T(ctx, "It is still on its way.")
	case signing.DocumentChecking:
		return T(ctx, "A few seconds; then you can read and sign it.")
	case signing.DocumentRefused, signing.DocumentQuarantined:
		return T(ctx, "Nothing was signed.")
	case signing.DocumentErased:
		return T(ctx, "The bytes and their key are gone. Only the fingerprint is left, in the audit log.")
	}
	return T(ctx, "The exact bytes we keep, fixed since {{.When}}.", "When", Near(ctx, v.Page, d.CreatedAt))
}

func documentSignLabel(ctx context.Context, v Document) string {
	switch {
	case v.Row.Open != "":
		return T(ctx, "Go on signing")
	case v.Row.Document.Signed:
		return T(ctx, "Sign it once more")
	}
	return T(ctx, "Sign 1 document")
}

func documentDownloadLabel(ctx context.Context, v Document) string {
	if v.Row.Document.Signed {
		return T(ctx, "Download the signed PDF")
	}
	return T(ctx, "Download")
}

func indicationTone(i pades.Indication) string {
	switch i {
	case pades.TotalPassed:
		return "ok"
	case pades.TotalFailed:
		return "bad"
	case pades.NoSignature:
		return "off"
	}
	return "hold"
}

func indicationGlyph(i pades.Indication) string {
	switch i {
	case pades.TotalPassed:
		return "r-ok"
	case pades.TotalFailed:
		return "r-bad"
	case pades.NoSignature:
		return "info"
	}
	return "r-ask"
}

func signatureName(ctx context.Context, s pades.SignatureResult) string {
	if s.Type == "timestamp" {
		return T(ctx, "A time stamp by {{.Name}}", "Name", orUnknown(ctx, s.SignerName))
	}
	switch s.Indication {
	case pades.TotalPassed:
		return T(ctx, "Signed by {{.Name}}", "Name", orUnknown(ctx, s.SignerName))
	case pades.TotalFailed:
		return T(ctx, "Not valid: a signature by {{.Name}}", "Name", orUnknown(ctx, s.SignerName))
	}
	return T(ctx, "Cannot be confirmed: a signature by {{.Name}}", "Name", orUnknown(ctx, s.SignerName))
}

func orUnknown(ctx context.Context, name string) string {
	if name == "" {
		return T(ctx, "somebody without a name")
	}
	return name
}

// signatureTime is the best time known of a signature, and whether it is certain.
func signatureTime(s pades.SignatureResult) (at time.Time, certain bool) {
	if !s.StampTime.IsZero() {
		return s.StampTime, true
	}
	return s.ClaimedTime, false
}

func signatureWhen(ctx context.Context, p Page, s pades.SignatureResult) string {
	at, _ := signatureTime(s)
	if at.IsZero() {
		return T(ctx, "without a time")
	}
	return Day(ctx, p, at) + ", " + Clock(p, at)
}

func historyTime(s signing.Signature) time.Time {
	if s.State == signing.SignatureReleased {
		return s.ReleasedAt
	}
	return s.Since
}

func historySentence(ctx context.Context, s signing.Signature) string {
	switch s.State {
	case signing.SignatureReleased:
		return T(ctx, "{{.Name}} signed, and the result was checked.", "Name", orUnknown(ctx, s.SignerName))
	case signing.SignatureOutcomeUnknown:
		return T(ctx, "Whether it was signed is not known.")
	case signing.SignatureFailed:
		return T(ctx, "Signing failed. No signed file was given out.")
	case signing.SignatureExpired:
		return T(ctx, "The time ran out. Nothing was signed.")
	case signing.SignatureCancelled:
		return T(ctx, "You stopped. Nothing was signed.")
	}
	return T(ctx, "Signing began.")
}
