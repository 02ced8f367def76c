package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/a-h/templ"

	"countersign/identity"
	"countersign/people"
	"countersign/web/templates"
)

func (a *App) newCheck(w http.ResponseWriter, r *http.Request) error {
	return a.page(w, r, http.StatusOK, templates.StartCheckPage(a.startForm(r)))
}

func (a *App) startForm(r *http.Request) templates.StartCheck {
	return templates.StartCheck{
		Page: task(a.pageFor(r, "Start your identity check", "home"), "Not now", "/"),
		Standards: []templates.StandardChoice{
			{Standard: identity.AdvancedPlus, Name: "Advanced+", Takes: "Your e-mail, and your passport or identity card with its photo, checked by DigiCert.", Usual: a.Usual[identity.AdvancedPlus]},
			{Standard: identity.Basic, Name: "Basic", Takes: "Your e-mail address. No papers.", Usual: a.Usual[identity.Basic]},
		},
		Chosen: identity.AdvancedPlus,
		Errors: map[string]string{},
	}
}

func (a *App) startCheck(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	view := a.startForm(r)
	view.Chosen = identity.Standard(r.PostForm.Get("standard"))
	if view.Chosen != identity.Basic && view.Chosen != identity.AdvancedPlus {
		view.Errors["standard"] = "Choose one of the two."
	}
	consent := r.PostForm.Get("consent") != ""
	if !consent {
		view.Errors["consent"] = "Without your consent DigiCert cannot check who you are."
	}
	if len(view.Errors) > 0 {
		return a.page(w, r, http.StatusUnprocessableEntity, templates.StartCheckPage(view))
	}
	check, err := a.Identity.Start(r.Context(), actorOf(r), view.Chosen, consent)
	if err != nil {
		var domain *identity.Error
		if !errors.As(err, &domain) || domain.Kind == identity.KindNotFound || domain.Kind == identity.KindInternal {
			return err
		}
		status, problem := a.explain(w, r, err)
		view.Problem = &problem
		return a.page(w, r, status, templates.StartCheckPage(view))
	}
	return a.redirect(w, r, "/identity-checks/"+string(check.ID), "")
}

func (a *App) showCheck(w http.ResponseWriter, r *http.Request) error {
	view, _, err := a.check(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.CheckPage(view))
}

func (a *App) watchCheck(w http.ResponseWriter, r *http.Request) error {
	view, _, err := a.check(r)
	if err != nil {
		return err
	}
	topics := []string{identity.ValidationTopic(view.Validation.ID), identity.PersonTopic(view.Validation.Person)}
	return a.stream(w, r, func(ctx context.Context) (templ.Component, bool, error) {
		if err := a.Identity.WatchValidation(ctx, view.Validation.ID); err != nil {
			a.log.DebugContext(ctx, "look soon", "cause", err)
		}
		view, changing, err := a.check(r)
		return templates.CheckLive(view), changing, err
	}, topics...)
}

func (a *App) cancelCheck(w http.ResponseWriter, r *http.Request) error {
	id := identity.ValidationID(r.PathValue("id"))
	if err := a.Identity.Cancel(r.Context(), actorOf(r), id); err != nil {
		return err
	}
	return a.redirect(w, r, "/identity-checks/"+string(id), "check-cancelled")
}

// check is the page of the person themself; an admin reads the case at the review desk.
func (a *App) check(r *http.Request) (templates.Check, bool, error) {
	ctx, actor := r.Context(), actorOf(r)
	v, err := a.Identity.Validation(ctx, actor, identity.ValidationID(r.PathValue("id")))
	if err != nil {
		return templates.Check{}, false, err
	}
	if v.Person != actor.Person {
		return templates.Check{}, false, notFound
	}
	view := templates.Check{Page: a.pageFor(r, "", "home"), Validation: v, DTMWord: v.DTMStatus}
	credentials, err := a.Identity.OwnCredentials(ctx, actor)
	if err != nil {
		return view, false, err
	}
	for i := range credentials {
		if credentials[i].Validation == v.ID {
			view.Credential = &credentials[i]
			break
		}
	}
	if v.DecidedBy != "" {
		names, err := a.People.Names(ctx, []people.ID{v.DecidedBy})
		if err != nil {
			return view, false, err
		}
		view.DecidedBy = names[v.DecidedBy]
	}
	view.CanCancel = identity.CanCancel(v.State)
	view.Title, view.Steps = a.checkSteps(v, view.Credential)
	view.Page.Title = view.Title
	changing := checkChanges(v, view.Credential)
	if changing {
		view.Live = "/identity-checks/" + string(v.ID) + "/live"
	}
	return view, changing, nil
}

// checkChanges reports whether anything on the page can still move by itself.
func checkChanges(v identity.Validation, c *identity.Credential) bool {
	switch v.State {
	case identity.ValidationRejected, identity.ValidationCancelled, identity.ValidationExpired:
		return false
	case identity.ValidationApproved:
		return c == nil || c.State == identity.CredentialPending || c.State == identity.CredentialIssuanceUnknown
	}
	return true
}

// stage is where a state stands on the stepper, and what is said there.
type stage struct {
	at    int // step that is current; past the last: all done
	title string
	text  string
	yours bool
	with  string
	next  string
}

var stages = map[identity.ValidationState]stage{
	identity.ValidationStarted:          {0, "We are telling DigiCert", "This takes a few seconds.", false, "DigiCert", "DigiCert sends you an e-mail"},
	identity.ValidationEmailSent:        {0, "Confirm your e-mail", "DigiCert has sent you an e-mail with a link. Open it and confirm the address.", true, "You", "DigiCert checks your papers"},
	identity.ValidationActionNeeded:     {1, "Show DigiCert your papers", "Have your passport or identity card at hand. It takes about five minutes.", true, "You", "DigiCert looks at them"},
	identity.ValidationSubmitted:        {1, "DigiCert has your papers", "There is nothing for you to do.", false, "DigiCert", "DigiCert looks at them"},
	identity.ValidationInReview:         {1, "DigiCert is looking at your papers", "There is nothing for you to do.", false, "DigiCert", "An admin decides"},
	identity.ValidationResubmit:         {1, "Send your papers again", "Something could not be read or did not match.", true, "You", "DigiCert looks again"},
	identity.ValidationAwaitingApproval: {2, "An admin decides", "Everything is there. There is nothing for you to do.", false, "", "Your credential is made"},
	identity.ValidationAwaitingSecond:   {2, "A second admin decides", "One admin has approved. There is nothing for you to do.", false, "", "Your credential is made"},
	identity.ValidationApprovalHeld:     {2, "Approved, can still be undone", "DigiCert is told in a moment.", false, "", "Your credential is made"},
	identity.ValidationApprovalUnknown:  {2, "Waiting for DigiCert’s word", "The approval was sent; DigiCert has not confirmed it. We keep looking.", false, "DigiCert", "Your credential is made"},
	identity.ValidationApproved:         {3, "Your identity is proved", "Your credential comes next.", false, "", "You can sign"},
	identity.ValidationRejected:         {2, "Your identity check was refused", "", false, "", ""},
	identity.ValidationCancelled:        {0, "This identity check is cancelled", "", false, "", ""},
	identity.ValidationExpired:          {0, "This identity check has run out", "You can start a new one.", false, "", ""},
	identity.ValidationDisabled:         {3, "Your identity check is switched off", "An admin can tell you why.", false, "", ""},
	identity.ValidationUnknown:          {1, "DigiCert says something new", "We do not know this state yet and show DigiCert’s own word. An admin can look it up.", false, "DigiCert", ""},
}

func (a *App) checkSteps(v identity.Validation, c *identity.Credential) (string, []templates.CheckStep) {
	now := stages[v.State]
	const admin = "An admin of {{.Organization}}"
	names := []string{"Confirm your e-mail", "Show your papers", "Decision", "Your credential"}
	if v.Standard == identity.Basic {
		names = append(names[:1], names[2:]...)
		if now.at >= 1 {
			now.at = max(1, now.at-1)
		}
	}
	last := len(names) - 1
	if v.State == identity.ValidationApproved && c != nil {
		switch c.State {
		case identity.CredentialPending:
			now.title, now.text, now.with = "Your credential is being made", "It usually takes a few minutes.", "DigiCert"
		case identity.CredentialActive:
			now.at, now.title, now.text = last+1, "Your credential is ready", ""
		default:
			now.at, now.title, now.text = last+1, "Your credential has ended", ""
		}
	} else if v.State == identity.ValidationApproved {
		now.with = admin
	}
	if now.with == "" && !now.yours {
		now.with = admin
	}
	var steps []templates.CheckStep
	for i, name := range names {
		step := templates.CheckStep{Name: name, Step: "todo"}
		switch {
		case i < now.at:
			step.Step = "done"
		case i == now.at:
			step.Step, step.With, step.Yours, step.Since, step.Next, step.Text = "now", now.with, now.yours, v.Since, now.next, now.text
			step.Usual = a.Usual[v.Standard]
			if now.yours && v.Link != "" {
				step.Action, step.ActionPath = "Go on with DigiCert", v.Link
			}
			if v.State == identity.ValidationEmailSent && a.DemoMail != "" {
				step.Action, step.ActionPath = "Open the demo mailbox", a.DemoMail
			}
			if c != nil && c.State == identity.CredentialPending {
				step.Since = c.Since
			}
		}
		steps = append(steps, step)
	}
	return now.title, steps
}
