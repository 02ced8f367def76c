package gallery

import (
	"time"

	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
)

func recent() []templates.DocumentRow {
	return []templates.DocumentRow{
		signed(document("d-2", "Lease annex B.pdf", signing.DocumentReady), ago(22*time.Hour+10*time.Minute)),
		signed(document("d-3", "Confidentiality agreement.pdf", signing.DocumentReady), ago(4*day)),
		trying(document("d-4", "Board minutes October.pdf", signing.DocumentReady), signing.SignatureExpired, ago(5*day)),
	}
}

func home(who *people.Person, situation string) templates.Home {
	return templates.Home{Page: page(who, "Home", "home"), Situation: situation, Upload: upload(), Usual: "a few hours"}
}

func homes() []Entry {
	var out []Entry
	show := func(slug, name string, v templates.Home) {
		out = append(out, entry("home-"+slug, "Home: "+name, templates.HomePage, v))
	}
	active := credential(identity.CredentialActive)
	approved := validation(identity.ValidationApproved)

	show("new", "new here", home(&ada, "new"))
	for _, s := range []identity.ValidationState{identity.ValidationStarted, identity.ValidationSubmitted, identity.ValidationInReview,
		identity.ValidationAwaitingApproval, identity.ValidationAwaitingSecond, identity.ValidationApprovalHeld, identity.ValidationApprovalUnknown, identity.ValidationUnknown} {
		v, check := home(&ada, "waiting"), validation(s)
		v.Validation = &check
		show("waiting-"+string(s), "waiting, "+string(s), v)
	}
	for _, s := range []identity.ValidationState{identity.ValidationEmailSent, identity.ValidationActionNeeded, identity.ValidationResubmit} {
		v, check := home(&ada, "your_turn"), validation(s)
		check.Deadline = in(7 * day)
		if s != identity.ValidationEmailSent {
			check.Link = "https://proofing.example/go"
		}
		if s == identity.ValidationResubmit {
			check.Reason, check.Note = "DOCUMENT_UNREADABLE", "The picture was too dark to read the number. Daylight beside a window works best."
		}
		v.Validation = &check
		show("turn-"+string(s), "your turn, "+string(s), v)
	}
	refused, check := home(&ada, "refused"), validation(identity.ValidationRejected)
	check.Reason, check.DecidedBy = "NAME_MISMATCH", ben.ID
	refused.Validation = &check
	show("refused", "refused", refused)

	ended, revoked := home(&ada, "refused"), credential(identity.CredentialRevoked)
	ended.Validation, ended.Credential, ended.Recent = &approved, &revoked, recent()
	show("ended", "credential ended", ended)

	next := home(&ada, "approved")
	next.Validation = &approved
	show("approved", "approved, nothing made yet", next)
	pending := credential(identity.CredentialPending)
	making := next
	making.Credential = &pending
	show("making", "credential being made", making)

	ready := home(&ada, "ready")
	ready.Validation, ready.Credential, ready.Recent, ready.Total = &approved, &active, recent(), 23
	show("ready", "ready, nothing to sign", ready)

	waiting := ready
	waiting.Situation = "document"
	first := row(document("d-1", "Supply agreement 2026.pdf", signing.DocumentReady))
	waiting.Document = &first
	show("document", "a document waits", waiting)

	ends, near := ready, active
	near.NotAfter = in(6*day + time.Hour)
	ends.Credential, ends.EndsSoon = &near, true
	show("ends-soon", "ready, the credential ends soon", ends)

	suspended, resting := home(&ada, "suspended"), credential(identity.CredentialSuspended)
	suspended.Validation, suspended.Credential, suspended.Recent = &approved, &resting, recent()
	show("suspended", "credential suspended", suspended)

	both := ready
	both.Page, both.Review, both.ReviewTotal = page(&ben, "Home", "home"), queue()[:2], 7
	show("admin-signer", "admin who signs too", both)

	admin := home(&una, "admin")
	admin.Review, admin.ReviewTotal = queue(), 7
	show("admin", "admin", admin)
	stuck := admin
	stuck.Stuck = 3
	show("admin-stuck", "admin, and work waits too long", stuck)
	idle := home(&una, "admin")
	idle.Waiting = 0
	show("admin-idle", "admin, nobody waits", idle)
	show("auditor", "auditor", home(&eve, "auditor"))

	long := home(&maxi, "document")
	long.Validation, long.Credential = &approved, &active
	name := row(document("d-9", "Rahmenvertrag_über_die_Lieferung_von_Schiffsausrüstung_und_Ersatzteilen_2026-2031_Anlage_7_Fassung_12_mit_Änderungen_final.pdf", signing.DocumentReady))
	long.Document = &name
	show("long", "long names", long)
	return out
}
