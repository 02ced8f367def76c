package gallery

import (
	"time"

	"countersign/identity"
	"countersign/pades"
	"countersign/signing"
	"countersign/web/templates"
)

var sentCode = signing.Factor{Mode: "explicit", OTP: "true", OTPType: "online", OTPDigits: true, Bound: true}

func ceremony(state signing.CeremonyState, step string) templates.Ceremony {
	r := row(document("d-1", "Supply agreement 2026.pdf", signing.DocumentReady))
	r.Open = "y-1"
	return templates.Ceremony{
		Page: task(page(&ada, "Sign", "documents"), "Leave without signing", "/documents/d-1"),
		Row:  r, Step: step, TriesLeft: 4, Credential: credential(identity.CredentialActive),
		Ceremony:  signing.Ceremony{ID: "y-1", Owner: ada.ID, Credential: "c-1", Factor: sentCode, State: state, CodeSentAt: ago(time.Minute), CodeEnds: in(9 * time.Minute), CreatedAt: ago(2 * time.Minute), Since: ago(time.Minute)},
		Signature: signing.Signature{ID: "s-1", Ceremony: "y-1", Document: "d-1", State: signing.SignaturePrepared, CreatedAt: ago(2 * time.Minute), Since: ago(2 * time.Minute)},
	}
}

func steps(done int) []templates.LiveStep {
	texts := []string{"Your approval is checked by DigiCert", "What will be signed is written down", "Signed with your key, inside DigiCert", "Stamped with the time", "Put into the document", "Opened again and checked"}
	var out []templates.LiveStep
	for i, text := range texts {
		s := templates.LiveStep{Step: "todo", Text: text}
		if i < done {
			s.Step, s.At = "done", ago(time.Duration(6-i)*time.Second)
		}
		if i == done {
			s.Step = "now"
		}
		out = append(out, s)
	}
	return out
}

func signings() []Entry {
	var out []Entry
	show := func(slug, name string, v templates.Ceremony) {
		out = append(out, entry("sign-"+slug, "Signing: "+name, templates.CeremonyPage, v))
	}
	out = append(out, chooses()...)

	before := ceremony(signing.CeremonyPrepared, "check")
	before.Checks = preflight("done", "done", "done")
	show("check", "checked", before)
	blocked := before
	blocked.Checks = []templates.LiveStep{{Step: "done", Text: "The stored file is byte for byte the one you uploaded."}, {Step: "bad", Text: "Its certificate is valid today."}, {Step: "todo", Text: "Its key is switched on and strong enough."}}
	show("check-bad", "check failed", blocked)

	code := ceremony(signing.CeremonyCodeSent, "code")
	code.ResendIn, code.Destination = 38, "the number ending in 47"
	show("code", "code", code)
	for _, kind := range []string{"wrong", "expired", "locked", "empty", "format"} {
		v := code
		v.ResendIn, v.CodeError = 0, kind
		if kind == "locked" {
			v.TriesLeft = 0
		}
		show("code-"+kind, "code, "+kind, v)
	}
	pin := ceremony(signing.CeremonyPrepared, "code")
	pin.Ceremony.Factor = signing.Factor{Mode: "explicit", PIN: "true", PINDigits: true}
	show("pin", "PIN", pin)
	pin.PINError = "wrong"
	show("pin-wrong", "PIN, wrong", pin)
	both := code
	both.Ceremony.Factor.PIN = "true"
	show("code-and-pin", "code and PIN", both)
	app := ceremony(signing.CeremonyPrepared, "code")
	app.Ceremony.Factor = signing.Factor{Mode: "explicit", OTP: "true", OTPType: "offline", OTPDigits: true}
	show("app-code", "code from an app", app)
	push := ceremony(signing.CeremonyPrepared, "code")
	push.Ceremony.Factor = signing.Factor{Mode: "implicit"}
	show("push", "approval on the phone", push)
	away := code
	away.Problem = &templates.Problem{Title: "That did not work", Sentence: "DigiCert did not say whether the code was sent.", Signed: "Nothing was signed.", Who: "When none has come in a minute, you can ask for a new one.", Reference: "7K2P-40"}
	show("code-away", "code, DigiCert away", away)

	phone := ceremony(signing.CeremonyAuthorizing, "progress")
	phone.Ceremony.Factor, phone.Steps, phone.PhoneLeft = push.Ceremony.Factor, steps(0), 47
	phone.Task = "Leave this page"
	show("progress-phone", "waits for the phone", phone)
	phone.PhoneLeft = 0
	show("progress-phone-over", "waits for the phone, the minute is over", phone)
	nobody := push
	nobody.Checks = preflight("done", "done", "done")
	nobody.Problem = back("not_approved")
	show("push-late", "approval on the phone, nobody approved in time", nobody)
	nobody.Problem = back("phone_declined")
	show("push-declined", "approval on the phone, declined", nobody)
	out = append(out, consents()...)
	for i, at := range []struct {
		ceremony  signing.CeremonyState
		signature signing.SignatureState
		done      int
	}{
		{signing.CeremonyAuthorizing, signing.SignaturePrepared, 0}, {signing.CeremonyAuthorized, signing.SignaturePrepared, 1},
		{signing.CeremonyAuthorized, signing.SignatureIntended, 2}, {signing.CeremonyUsed, signing.SignatureSigned, 3}, {signing.CeremonyUsed, signing.SignatureAssembled, 5},
	} {
		v := ceremony(at.ceremony, "progress")
		v.Task, v.Signature.State, v.Steps, v.Columns = "Leave this page", at.signature, steps(at.done), 2*at.done
		if at.done > 1 {
			v.Signature.IntendedAt = ago(5 * time.Second)
		}
		show("progress-"+string(rune('0'+i)), "progress, "+string(at.signature), v)
	}
	slow := ceremony(signing.CeremonyUsed, "progress")
	slow.Task, slow.Signature.State, slow.Steps, slow.Columns = "Leave this page", signing.SignatureSigned, steps(3), 6
	slow.Signature.IntendedAt, slow.Signature.SignedAt = ago(5*time.Minute), ago(5*time.Minute)
	slow.Signature.Waits, slow.Signature.Deadline, slow.Until = "wait_clock", in(4*time.Minute), in(24*time.Hour-5*time.Minute)
	show("progress-slow", "progress, longer than usual", slow)
	done := ceremony(signing.CeremonyUsed, "result")
	result := good()
	done.Task, done.TaskPath = "To your documents", "/documents"
	done.Row = signed(done.Row.Document, ago(6*time.Minute))
	done.Row.Document.Level = result.Level
	done.Signature, done.Result, done.Download = *done.Row.Signature, &result, "/documents/d-1/download"
	show("result", "result", done)
	return append(out, failures()...)
}

func failures() []Entry {
	var out []Entry
	for _, f := range []struct {
		ceremony  signing.CeremonyState
		signature signing.SignatureState
		problem   templates.Problem
	}{
		{signing.CeremonyExpired, signing.SignatureExpired, templates.Problem{Title: "The time for this ran out", Sentence: "This signing waited too long and was closed.", Signed: "Nothing was signed."}},
		{signing.CeremonyCancelled, signing.SignatureCancelled, templates.Problem{Title: "You stopped here", Sentence: "This signing was cancelled.", Signed: "Nothing was signed."}},
		{signing.CeremonyFailed, signing.SignatureFailed, templates.Problem{Title: "Nothing was signed", Sentence: "DigiCert accepted the approval and then refused to sign.", Signed: "Nothing was signed."}},
		{signing.CeremonyUsed, signing.SignatureOutcomeUnknown, templates.Problem{Title: "We do not know whether DigiCert signed", Sentence: "DigiCert was asked to sign and gave no clear answer.", Signed: "A signature may exist at DigiCert, but no signed file was made or given out. We never ask twice by ourselves."}},
	} {
		v := ceremony(f.ceremony, "failed")
		v.Signature.State, v.Failed = f.signature, f.problem
		v.Failed.WayOn, v.Failed.WayPath, v.Failed.Reference = "Start again", "/documents/d-1/sign", "7K2P-40"
		v.Task, v.TaskPath = "Back to the document", "/documents/d-1"
		out = append(out, entry("sign-failed-"+string(f.signature), "Signing: "+string(f.signature), templates.CeremonyPage, v))
	}
	return out
}

func chooses() []Entry {
	basic := credential(identity.CredentialSuspended)
	basic.ID, basic.Standard = "c-2", identity.Basic
	choose := templates.Choose{
		Page: task(page(&ada, "Choose what you sign with", "documents"), "Leave without signing", "/documents/d-1"),
		Row:  row(document("d-1", "Supply agreement 2026.pdf", signing.DocumentReady)), Chosen: "c-1",
		Choices: []templates.CredentialChoice{
			{Credential: credential(identity.CredentialActive), Usable: true},
			{Credential: basic, Why: "It is suspended. You or an admin can resume it."},
		},
	}
	first, ended := choose, choose
	first.Connection = templates.Connection{State: "none", Back: "/documents/d-1/sign"}
	ended.Connection = templates.Connection{State: "ended", Back: "/documents/d-1/sign"}
	none := choose
	none.Chosen, none.Choices = "", choose.Choices[1:]
	wrong := choose
	wrong.Problem = "DigiCert is too busy at the moment."
	return []Entry{
		entry("sign-choose", "Signing: choose", templates.ChoosePage, choose),
		entry("sign-choose-connect", "Signing: choose, DigiCert to be connected first", templates.ChoosePage, first),
		entry("sign-choose-again", "Signing: choose, DigiCert to be connected again", templates.ChoosePage, ended),
		entry("sign-choose-none", "Signing: choose, none usable", templates.ChoosePage, none),
		entry("sign-choose-problem", "Signing: choose, with a problem", templates.ChoosePage, wrong),
	}
}

// good is a signature that holds.
func good() pades.SignatureResult {
	at := ago(6 * time.Minute)
	return pades.SignatureResult{
		Field: "Signature1", Type: "signature", Indication: pades.TotalPassed, SignerName: "Ada Example", Issuer: "Example Issuing CA 2", Serial: "4f3a9c12d07b44e1",
		Algorithm: "ECDSA P-256 with SHA-256", Level: "B-T", ClaimedTime: at, StampTime: at, StampIssuer: "Example TSA", Digest: fingerprint("x"), Computed: fingerprint("x"),
		Revision: 2, Revisions: 2, CoversAll: true,
		Checks: []pades.Check{
			{Name: "integrity", State: "good", Text: "The signed bytes are unchanged.", More: "Their fingerprint is the one that was signed."},
			{Name: "signer", State: "good", Text: "The certificate names Ada Example.", More: "For Example BV. The certificate was issued by Example Issuing CA 2."},
			{Name: "revocation", State: "good", Text: "The certificate was not revoked.", More: "The proof is in the file."},
			{Name: "time", State: "good", Text: "Signed no later than 23\u00a0November\u00a02026, 13:24\u00a0UTC.", More: "The clock service Example TSA confirms it."},
			{Name: "format", State: "off", Text: "It follows PAdES B-T."},
		},
	}
}
