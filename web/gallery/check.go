package gallery

import (
	"time"

	"countersign/identity"
	"countersign/web/templates"
)

var checkTitles = map[identity.ValidationState]string{
	identity.ValidationStarted: "We are telling DigiCert", identity.ValidationEmailSent: "Confirm your e-mail",
	identity.ValidationActionNeeded: "Show DigiCert your papers", identity.ValidationSubmitted: "DigiCert has your papers",
	identity.ValidationInReview: "DigiCert is looking at your papers", identity.ValidationResubmit: "Send your papers again",
	identity.ValidationAwaitingApproval: "An admin decides", identity.ValidationAwaitingSecond: "A second admin decides", identity.ValidationApprovalHeld: "Approved, can still be undone",
	identity.ValidationApproved: "Your identity is proved", identity.ValidationApprovalUnknown: "Waiting for DigiCert’s word",
	identity.ValidationRejected: "Your identity check was refused", identity.ValidationCancelled: "This identity check is cancelled",
	identity.ValidationExpired: "This identity check has run out", identity.ValidationDisabled: "Your identity check is switched off",
	identity.ValidationUnknown: "DigiCert says something new",
}

var checkAt = map[identity.ValidationState]int{
	identity.ValidationActionNeeded: 1, identity.ValidationSubmitted: 1, identity.ValidationInReview: 1, identity.ValidationResubmit: 1,
	identity.ValidationUnknown: 1, identity.ValidationAwaitingApproval: 2, identity.ValidationAwaitingSecond: 2, identity.ValidationApprovalHeld: 2,
	identity.ValidationApprovalUnknown: 2, identity.ValidationApproved: 3,
}

func check(state identity.ValidationState) templates.Check {
	v := validation(state)
	v.Deadline = in(7 * day)
	view := templates.Check{Page: page(&ada, checkTitles[state], "home"), Validation: v, Title: checkTitles[state], DTMWord: v.DTMStatus}
	yours := state == identity.ValidationEmailSent || state == identity.ValidationActionNeeded || state == identity.ValidationResubmit
	at := checkAt[state]
	for i, name := range []string{"Confirm your e-mail", "Show your papers", "Decision", "Your credential"} {
		step := templates.CheckStep{Name: name, Step: "todo"}
		switch {
		case i < at:
			step.Step, step.At = "done", ago(5*time.Hour-time.Duration(i)*20*time.Minute)
		case i == at:
			step.Step, step.With, step.Since = "now", "DigiCert", v.Since
			step.Usual, step.Next, step.Yours = "a few hours", "An admin decides", yours
			if yours {
				step.With = "You"
			}
			if yours && i == 1 {
				step.Text, step.Action, step.ActionPath = "Have your passport or identity card at hand. It takes about five minutes.", "Go on with DigiCert", "https://proofing.example/go"
			}
			if i >= 2 {
				step.With = "An admin of {{.Organization}}"
			}
		case i == 3:
			step.Usual = "a few minutes"
		}
		view.Steps = append(view.Steps, step)
	}
	switch state {
	case identity.ValidationRejected:
		view.Validation.Reason, view.Validation.Note, view.DecidedBy = "NAME_MISMATCH", "Your account says Ada Sample. Ask the service desk to change it, then start again.", ben.Name
	case identity.ValidationResubmit:
		view.Validation.Reason, view.Validation.Note = "DOCUMENT_UNREADABLE", "The picture was too dark to read the number. Daylight beside a window works best."
	case identity.ValidationApprovalHeld:
		view.Validation.HeldUntil = in(8 * time.Minute)
	}
	view.CanCancel = at < 3 && state != identity.ValidationRejected && state != identity.ValidationCancelled && state != identity.ValidationExpired && state != identity.ValidationDisabled
	return view
}

func checks() []Entry {
	var out []Entry
	for _, s := range identity.ValidationStates() {
		out = append(out, entry("check-"+string(s), "Identity check: "+string(s), templates.CheckPage, check(s)))
	}
	making, pending := check(identity.ValidationApproved), credential(identity.CredentialPending)
	making.Title, making.Credential = "Your credential is being made", &pending
	out = append(out, entry("check-making", "Identity check: credential being made", templates.CheckPage, making))

	done, active := check(identity.ValidationApproved), credential(identity.CredentialActive)
	done.Title, done.Credential = "Your credential is ready", &active
	for i := range done.Steps {
		done.Steps[i] = templates.CheckStep{Step: "done", Name: done.Steps[i].Name, At: ago(time.Duration(4-i) * time.Hour)}
	}
	out = append(out, entry("check-done", "Identity check: done", templates.CheckPage, done))

	form := templates.StartCheck{
		Page: task(page(&ada, "Start your identity check", "home"), "Not now", "/"), Chosen: identity.AdvancedPlus, Errors: map[string]string{},
		Standards: []templates.StandardChoice{
			{Standard: identity.AdvancedPlus, Name: "Advanced+", Takes: "Your e-mail, and your passport or identity card with its photo, checked by DigiCert.", Usual: "a few hours"},
			{Standard: identity.Basic, Name: "Basic", Takes: "Your e-mail address. No papers.", Usual: "a few minutes"},
		},
	}
	out = append(out, entry("start-check", "Start an identity check", templates.StartCheckPage, form))
	wrong := form
	wrong.Chosen = ""
	wrong.Errors = map[string]string{"standard": "Choose one of the two.", "consent": "Without your consent DigiCert cannot check who you are."}
	out = append(out, entry("start-check-errors", "Start an identity check, with errors", templates.StartCheckPage, wrong))
	away := form
	away.Problem = &templates.Problem{Status: 502, Title: "DigiCert did not answer as it should", Sentence: "DigiCert does not answer. Nothing was changed.", Who: "Try again in a few minutes.", Reference: "7K2P-40"}
	out = append(out, entry("start-check-away", "Start an identity check, DigiCert away", templates.StartCheckPage, away))
	return out
}
