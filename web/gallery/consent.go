package gallery

import (
	"time"

	"countersign/signing"
	"countersign/web/templates"
)

// back is what stands on a page that a ceremony came back to.
func back(code string) *templates.Problem {
	return &templates.Problem{Title: "Nothing was signed", Sentence: signing.Explain(code).Sentence, Who: "You can ask for the approval again, or stop here."}
}

// consents are the steps of an approval at the provider's own page.
func consents() []Entry {
	show := func(slug, name string, v templates.Ceremony) Entry {
		return entry("sign-"+slug, "Signing: "+name, templates.CeremonyPage, v)
	}
	before := ceremony(signing.CeremonyPrepared, "check")
	before.Ceremony.Factor = signing.Factor{Mode: "oauth2code", Bound: true}
	before.Checks = preflight("done", "done", "done")
	moves := before
	moves.Checks = preflight("done", "now", "todo")
	blocked := before
	blocked.Checks = preflight("done", "done", "bad")
	declined := before
	declined.Problem = back("declined")
	away := ceremony(signing.CeremonyConsenting, "consent")
	away.Ceremony.Factor = before.Ceremony.Factor
	late := away
	late.Ceremony.CodeEnds = ago(time.Minute)
	used := templates.Problem{Status: 409, Title: "This approval was not used", Sentence: signing.Explain("consent_used").Sentence,
		Who: signing.Explain("consent_used").Who, WayOn: "To your signing", WayPath: "/ceremonies/y-1"}
	stranger := templates.Problem{Status: 422, Title: "This approval was not used", Sentence: signing.Explain("consent_unknown").Sentence,
		Who: signing.Explain("consent_unknown").Who, Signed: "Nothing was signed.", WayOn: "To your documents", WayPath: "/documents"}
	return []Entry{
		show("consent-check", "approval at DigiCert", before),
		show("consent-checking", "approval at DigiCert, still checking", moves),
		show("consent-check-bad", "approval at DigiCert, a check failed", blocked),
		show("consent-declined", "approval at DigiCert, declined", declined),
		entry("sign-consent-leaving", "Signing: on the way to DigiCert’s page", templates.LeavingPage, templates.Leaving{Page: before.Page,
			Host: "clientauth.one.digicert.com", Address: "https://clientauth.one.digicert.com/oauth2/authorize"}),
		show("consent", "at DigiCert’s page", away),
		show("consent-late", "at DigiCert’s page, for too long", late),
		entry("sign-consent-used", "Signing: an answer used already", problemPage, used),
		entry("sign-consent-stranger", "Signing: an answer nobody asked for", problemPage, stranger),
	}
}
