package handlers

import (
	"context"
	"net/http"

	"github.com/a-h/templ"

	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
)

func (a *App) showHome(w http.ResponseWriter, r *http.Request) error {
	if personOf(r) == nil {
		return a.page(w, r, http.StatusOK, templates.LandingPage(templates.Landing{Page: a.pageFor(r, "Sign in", "")}))
	}
	view, err := a.home(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.HomePage(view))
}

func (a *App) watchHome(w http.ResponseWriter, r *http.Request) error {
	topics := []string{signing.PersonTopic(personOf(r).ID)}
	if personOf(r).Has(people.Admin) {
		topics = append(topics, identity.ReviewTopic)
	}
	return a.stream(w, r, func(context.Context) (templ.Component, bool, error) {
		view, err := a.home(r)
		return templates.HomeLive(view), true, err
	}, topics...)
}

// home decides where this person stands, and so what the one next action is.
func (a *App) home(r *http.Request) (templates.Home, error) {
	ctx, actor, person := r.Context(), actorOf(r), personOf(r)
	view := templates.Home{Page: a.pageFor(r, "Home", "home"), Upload: a.uploadLimits()}
	view.Live = "/live"

	if person.Has(people.Admin) {
		rows, _, err := a.queueRows(r, identity.QueueQuery{Limit: 5})
		if err != nil {
			return view, err
		}
		view.Review, view.ReviewTotal = rows, view.Waiting
	}
	if !person.Has(people.Signer) {
		view.Situation = "auditor"
		if person.Has(people.Admin) {
			view.Situation = "admin"
		}
		return view, nil
	}

	checks, err := a.Identity.Validations(ctx, actor)
	if err != nil {
		return view, err
	}
	credentials, err := a.Identity.OwnCredentials(ctx, actor)
	if err != nil {
		return view, err
	}
	documents, _, err := a.Signing.Documents(ctx, actor, signing.DocumentQuery{Limit: 6})
	if err != nil {
		return view, err
	}
	counts, err := a.Signing.DocumentCounts(ctx, actor)
	if err != nil {
		return view, err
	}
	for _, n := range counts {
		view.Total += n
	}
	if view.Recent, err = a.documentRows(r, documents); err != nil {
		return view, err
	}
	if len(checks) > 0 {
		view.Validation = &checks[0]
		view.Usual = a.Usual[checks[0].Standard]
	}
	view.Credential = bestCredential(credentials, identity.CredentialID(person.Default))
	view.Situation = situation(view.Validation, view.Credential)
	view.EndsSoon = view.Credential != nil && a.Identity.EndsSoon(*view.Credential)
	if view.Situation == "ready" {
		for i, row := range view.Recent {
			if row.Document.State == signing.DocumentReady && !row.Document.Signed {
				view.Situation, view.Document = "document", &view.Recent[i]
				view.Recent = append(view.Recent[:i:i], view.Recent[i+1:]...)
				break
			}
		}
	}
	view.Title = homeTitles[view.Situation]
	return view, nil
}

var homeTitles = map[string]string{
	"new": "Prove once who you are", "waiting": "Your identity check is running", "your_turn": "It is your turn",
	"refused": "Your identity check ended", "approved": "Your credential is being made", "ready": "Everything is ready",
	"document": "A document waits for you", "suspended": "Your credential cannot sign now",
}

// bestCredential is the default where it is usable, else a usable one, else the one most
// worth telling about.
func bestCredential(all []identity.Credential, chosen identity.CredentialID) *identity.Credential {
	var first *identity.Credential
	for i, c := range all {
		if c.State == identity.CredentialActive && c.RetiredAt.IsZero() && (first == nil || c.ID == chosen) {
			first = &all[i]
		}
	}
	if first != nil {
		return first
	}
	order := []identity.CredentialState{identity.CredentialActive, identity.CredentialPending, identity.CredentialSuspended,
		identity.CredentialIssuanceUnknown, identity.CredentialUnknown, identity.CredentialRevoked, identity.CredentialExpired, identity.CredentialDeactivated}
	for _, state := range order {
		for i := range all {
			if all[i].State == state {
				return &all[i]
			}
		}
	}
	return nil
}

func situation(v *identity.Validation, c *identity.Credential) string {
	if c != nil {
		switch c.State {
		case identity.CredentialActive:
			return "ready"
		case identity.CredentialPending, identity.CredentialIssuanceUnknown:
			return "approved"
		case identity.CredentialSuspended:
			return "suspended"
		}
	}
	if v == nil {
		return "new"
	}
	switch v.State {
	case identity.ValidationEmailSent, identity.ValidationActionNeeded, identity.ValidationResubmit:
		return "your_turn"
	case identity.ValidationApproved:
		if c != nil { // what it gave has ended: prove again
			return "refused"
		}
		return "approved"
	case identity.ValidationRejected, identity.ValidationExpired, identity.ValidationDisabled:
		return "refused"
	case identity.ValidationCancelled:
		return "new"
	}
	return "waiting"
}
