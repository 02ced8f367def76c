package gallery

import (
	"fmt"
	"time"

	"countersign/identity"
	"countersign/signing"
	"countersign/web/templates"
)

// papers are the documents of a batch.
func papers() []templates.DocumentRow {
	var out []templates.DocumentRow
	for i, p := range []struct {
		name  string
		pages int
		size  int64
	}{
		{"Supply agreement 2026.pdf", 12, 2_400_000}, {"Lease annex B.pdf", 8, 1_100_000}, {"Confidentiality agreement.pdf", 5, 420_000},
		{"Board minutes October.pdf", 2, 96_000}, {"Purchase order 4471, framework contract of the northern region.pdf", 3, 310_000},
	} {
		d := document(fmt.Sprint("d-", i+1), p.name, signing.DocumentReady)
		d.Pages, d.Size = p.pages, p.size
		out = append(out, row(d))
	}
	return out
}

func together() templates.Together {
	v := templates.Together{Page: task(page(&ada, "Choose how to sign", "documents"), "Leave without signing", "/documents"), With: "c-1",
		Choices: []templates.CredentialChoice{{Credential: credential(identity.CredentialActive), Usable: true}}}
	for _, r := range papers() {
		v.Rows = append(v.Rows, templates.TogetherRow{Row: r})
		v.Pages, v.Bytes, v.Chosen = v.Pages+r.Document.Pages, v.Bytes+r.Document.Size, v.Chosen+1
	}
	return v
}

// batch is a ceremony over several documents, whose signatures are in these states.
func batch(state signing.CeremonyState, step string, states ...signing.SignatureState) templates.Ceremony {
	v := ceremony(state, step)
	v.Task, v.TaskPath = "Leave this page", "/documents"
	for i, r := range papers() {
		g := signing.Signature{ID: signing.SignatureID(fmt.Sprint("s-", i+1)), Ceremony: "y-1", Document: r.Document.ID, State: states[min(i, len(states)-1)],
			SignerName: "Ada Example", Since: ago(time.Duration(9-i) * time.Second)}
		if g.State != signing.SignaturePrepared {
			g.IntendedAt, g.ReleasedAt = ago(12*time.Second), g.Since
		}
		m := templates.TogetherRow{Row: r, Signature: g}
		if g.State == signing.SignatureFailed {
			code := "not_asked"
			if i == 2 {
				code = "sign_refused"
			}
			why := signing.Explain(code)
			m.Why, m.Signed, m.Who = why.Sentence, why.Signed, why.Who
		}
		if g.State == signing.SignatureOutcomeUnknown {
			why := signing.Explain("outcome_unknown")
			m.Why, m.Signed, m.Who = why.Sentence, why.Signed, why.Who
		}
		v.Many = append(v.Many, m)
	}
	return v
}

// preflight is the list of checks, with the slow ones as they stand.
func preflight(clock, revocation, file string) []templates.LiveStep {
	steps := []templates.LiveStep{
		{Step: "done", Text: "Your credential is active."}, {Step: "done", Text: "Its key is switched on and strong enough."},
		{Step: "done", Text: "Its certificate is valid today."}, {Step: "done", Text: "The document takes a signature; nothing else in it is touched."},
		{Step: clock, Text: "The clock service answers, agrees with our clock, and there is room for its time."},
		{Step: revocation, Text: "Whoever issued the certificate has not revoked it."},
		{Step: file, Text: "The stored file is byte for byte the one you uploaded."},
	}
	for i, code := range map[int]string{4: "clock_down", 5: "revocation_unknown", 6: "bytes_changed"} {
		switch steps[i].Step {
		case "done":
			steps[i].At = ago(time.Duration(9-i) * time.Second)
		case "bad", "hold":
			why := signing.Explain(code)
			steps[i].Text, steps[i].Who, steps[i].At = why.Sentence, why.Who, ago(time.Duration(9-i)*time.Second)
		}
	}
	return steps
}

func checkings() []Entry {
	show := func(slug, name, clock, revocation, file string) Entry {
		v := ceremony(signing.CeremonyPrepared, "check")
		v.Checks = preflight(clock, revocation, file)
		return entry("sign-check-"+slug, "Signing: "+name, templates.CeremonyPage, v)
	}
	pin := ceremony(signing.CeremonyPrepared, "code")
	pin.Ceremony.Factor = signing.Factor{Mode: "explicit", PIN: "true", PINDigits: true}
	pin.Checks = preflight("done", "done", "now")
	none := pin
	none.Checks = preflight("bad", "done", "done")
	many := batch(signing.CeremonyPrepared, "check", signing.SignaturePrepared)
	many.Refused = true
	why := signing.Explain("bytes_changed")
	many.Many[2].Why, many.Many[2].Who = why.Sentence, why.Who
	many.Checks = append(preflight("done", "done", "done")[:6], templates.LiveStep{Step: "bad", Args: []any{"Done", 4, "All", 5},
		Text: "The stored files are byte for byte those you uploaded: {{.Done}} of {{.All}}."})
	return []Entry{
		show("running", "checks under way", "done", "now", "todo"),
		show("unchecked", "revocation not checked", "done", "hold", "done"),
		show("clock", "the clock service is away", "bad", "done", "done"),
		show("bytes", "the stored file is another", "done", "done", "bad"),
		entry("sign-check-pin", "Signing: checks above the PIN", templates.CeremonyPage, pin),
		entry("sign-check-pin-failed", "Signing: a check in the way of the PIN", templates.CeremonyPage, none),
		entry("together-check-refused", "Signing together: one is in the way", templates.CeremonyPage, many),
	}
}

func togethers() []Entry {
	const prepared, released, failed = signing.SignaturePrepared, signing.SignatureReleased, signing.SignatureFailed
	choose := together()
	refused := together()
	refused.Problem = "Some of these documents cannot be signed now."
	for i, code := range map[int]string{1: "field_locked", 3: "in_progress"} {
		why := signing.Explain(code)
		refused.Rows[i].Why, refused.Rows[i].Who = why.Sentence, why.Who
	}
	refused.Rows[3].Open = "y-2"
	many := together()
	many.Most, many.Chosen = 3, 5
	check := batch(signing.CeremonyPrepared, "check", prepared)
	check.Checks = append(preflight("done", "done", "done")[:6], templates.LiveStep{Step: "now", Args: []any{"Done", 2, "All", 5},
		Text: "The stored files are byte for byte those you uploaded: {{.Done}} of {{.All}}."})
	code := batch(signing.CeremonyCodeSent, "code", prepared)
	code.Ceremony.GoOn = true
	progress := batch(signing.CeremonyAuthorized, "progress", released, released, signing.SignatureAssembled, signing.SignatureIntended, prepared)
	all := batch(signing.CeremonyUsed, "result", released)
	some := batch(signing.CeremonyUsed, "result", released, released, failed, failed, failed)
	unknown := batch(signing.CeremonyUsed, "result", released, released, signing.SignatureOutcomeUnknown, signing.SignatureOutcomeUnknown, released)
	unknown.Ceremony.GoOn = true
	for _, v := range []*templates.Ceremony{&all, &some, &unknown} {
		v.Task, v.Download = "To your documents", "/ceremonies/y-1/download"
	}
	none := batch(signing.CeremonyFailed, "failed", failed)
	none.Signature.State, none.Task = failed, "To your documents"
	none.Failed = templates.Problem{Title: "Nothing was signed", Reference: "7K2P-40"}
	return []Entry{
		entry("together-choose", "Signing together: choose", templates.TogetherPage, choose),
		entry("together-refused", "Signing together: some are in the way", templates.TogetherPage, refused),
		entry("together-too-many", "Signing together: more than one approval takes", templates.TogetherPage, many),
		entry("together-check", "Signing together: check", templates.CeremonyPage, check),
		entry("together-code", "Signing together: code", templates.CeremonyPage, code),
		entry("together-progress", "Signing together: progress", templates.CeremonyPage, progress),
		entry("together-all", "Signing together: all signed", templates.CeremonyPage, all),
		entry("together-some", "Signing together: stopped at the first failure", templates.CeremonyPage, some),
		entry("together-unknown", "Signing together: outcomes that are not known", templates.CeremonyPage, unknown),
		entry("together-none", "Signing together: none signed", templates.CeremonyPage, none),
	}
}
