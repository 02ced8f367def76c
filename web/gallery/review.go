package gallery

import (
	"time"

	"countersign/audit"
	"countersign/identity"
	"countersign/people"
	"countersign/web/templates"
)

func queue() []templates.ReviewRow {
	of := func(id string, who people.Person, standard identity.Standard, since time.Duration, differ int) templates.ReviewRow {
		v := validation(identity.ValidationAwaitingApproval)
		v.ID, v.Person, v.Standard, v.Since, v.Reference = identity.ValidationID(id), who.ID, standard, ago(since), "VC-7F2K-"+id[2:]
		return templates.ReviewRow{Validation: v, Person: who, Differences: differ}
	}
	own := of("v-12", ben, identity.Basic, 3*time.Hour, 0)
	own.Own = true
	return []templates.ReviewRow{
		of("v-19", ada, identity.AdvancedPlus, 27*time.Hour, 2), of("v-23", maxi, identity.AdvancedPlus, 5*time.Hour, 1), own,
		of("v-31", people.Person{ID: "p-cem", Name: "Cem Example"}, identity.Basic, 40*time.Minute, 0),
	}
}

func everyCheck() []templates.ReviewRow {
	var rows []templates.ReviewRow
	for _, s := range identity.ValidationStates() {
		v := validation(s)
		v.ID = identity.ValidationID("v-" + s)
		rows = append(rows, templates.ReviewRow{Validation: v, Person: ada})
	}
	return rows
}

func reviewCase(state identity.ValidationState) templates.ReviewCase {
	v := validation(state)
	return templates.ReviewCase{
		Page: page(&ben, ada.Name, "review"), Row: templates.ReviewRow{Validation: v, Person: ada, Differences: 2},
		Compare: []templates.Compared{
			{Label: "Given name", Claimed: "Ada", Proofed: "Ada Maria", Kind: "differs", From: 4, To: 9},
			{Label: "Family name", Claimed: "Example", Proofed: "EXAMPLE", Kind: "case", From: 1, To: 7},
			{Label: "Date of birth", Proofed: "1988-05-04", Kind: "missing"},
			{Label: "E-mail", Claimed: "ada@example.com", Proofed: "ada@example.com", Kind: "same"},
			{Label: "Nationality", Proofed: "NL", Kind: "missing"},
		},
		Events: []audit.Entry{
			{At: ago(2 * time.Hour), System: "dtm", Object: "validation", Action: "validation.observe", To: "awaiting_approval", Outcome: audit.Observed},
			{At: ago(4 * time.Hour), System: "dtm", Object: "validation", Action: "validation.observe", To: "submitted", Outcome: audit.Observed},
			{At: ago(5 * time.Hour), Person: ada.ID, Object: "validation", Action: "validation.start", To: "started", Outcome: audit.Done},
		},
		Names: map[people.ID]string{ada.ID: ada.Name, ben.ID: ben.Name}, NextCase: "/review/v-23",
		Reasons:     []templates.Reason{{Code: "NAME_MISMATCH", Text: "The name on the papers is not the name of the account"}, {Code: "NOT_A_MEMBER", Text: "The person does not belong to the organisation"}},
		Corrections: []templates.Reason{{Code: "DOCUMENT_UNREADABLE", Text: "The papers could not be read"}, {Code: "DOCUMENT_EXPIRED", Text: "The papers have run out"}},
	}
}

func reviews() []Entry {
	list := templates.Review{Page: page(&ben, "Identity checks to decide", "review"), Rows: queue(), Filter: "waiting",
		Counts: map[string]int{"waiting": 7, "held": 1, "running": 4, "decided": 212, "all": 224}, Older: "/review?after=x"}
	every := list
	every.Filter, every.Rows = "all", everyCheck()
	empty := list
	empty.Rows, empty.Older, empty.Counts = nil, "", map[string]int{"waiting": 0, "held": 0, "running": 0, "decided": 0, "all": 0}
	out := []Entry{
		entry("review", "Review desk", templates.ReviewPage, list),
		entry("review-all", "Review desk: every state", templates.ReviewPage, every),
		entry("review-empty", "Review desk: nobody waits", templates.ReviewPage, empty),
	}
	for _, s := range identity.ValidationStates() {
		v := reviewCase(s)
		switch s {
		case identity.ValidationStarted, identity.ValidationEmailSent, identity.ValidationActionNeeded:
			v.Compare, v.Row.Differences = nil, 0
		case identity.ValidationAwaitingApproval:
			v.Decide, v.Seats, v.Hold = true, "3 of 10 seats of this standard are free.", 5*time.Minute
		case identity.ValidationAwaitingSecond:
			v.Decide, v.Seats, v.Hold, v.Approvals, v.First = true, "3 of 10 seats of this standard are free.", 5*time.Minute, 2, una.Name
		case identity.ValidationApprovalHeld:
			v.Row.Validation.HeldUntil, v.ToldIn = in(8*time.Minute), 480
			v.Flash, v.Undo, v.UndoText = "Approved. DigiCert is told when the time to undo is over.", "/review/v-1/undo", "Undo"
		case identity.ValidationApproved:
			v.Profiles = []templates.ProfileChoice{{ID: "p1", Name: "Advanced+ personal"}, {ID: "p2", Name: "Advanced+ on behalf of Example BV"}}
		case identity.ValidationRejected:
			v.Row.Validation.Reason, v.Row.Validation.Note = "NAME_MISMATCH", "Your account says Ada Sample."
		}
		out = append(out, entry("case-"+string(s), "Review case: "+string(s), templates.ReviewCasePage, v))
	}
	wrong := reviewCase(identity.ValidationAwaitingApproval)
	wrong.Decide, wrong.Form, wrong.Error, wrong.Note = true, "refuse", "Choose a reason from the list.", "Ask the service desk first."
	own := reviewCase(identity.ValidationAwaitingApproval)
	own.Row.Own, own.WhyNot = true, "This is your own identity check. Another admin has to decide."
	first := reviewCase(identity.ValidationAwaitingSecond)
	first.First, first.FirstOwn, first.Approvals = ben.Name, true, 2
	full := reviewCase(identity.ValidationAwaitingApproval)
	full.Decide, full.NoSeat, full.Seats = true, true, "0 of 10 seats of this standard are free."
	atOnce := reviewCase(identity.ValidationAwaitingApproval)
	atOnce.Decide = true
	issued := reviewCase(identity.ValidationApproved)
	issued.Credentials = []identity.Credential{credential(identity.CredentialPending)}
	return append(out,
		entry("case-error", "Review case: refusal without a reason", templates.ReviewCasePage, wrong),
		entry("case-own", "Review case: one’s own", templates.ReviewCasePage, own),
		entry("case-first", "Review case: approved by oneself, waits for a second admin", templates.ReviewCasePage, first),
		entry("case-no-seat", "Review case: no seat is free", templates.ReviewCasePage, full),
		entry("case-at-once", "Review case: approving cannot be undone, seats not told", templates.ReviewCasePage, atOnce),
		entry("case-issued", "Review case: credential being made", templates.ReviewCasePage, issued))
}
