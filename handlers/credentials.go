package handlers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"countersign/audit"
	"countersign/identity"
	"countersign/people"
	"countersign/web/templates"
)

// credentialFilters are the pills of the list.
var credentialFilters = map[string][]identity.CredentialState{
	"active":    {identity.CredentialActive},
	"pending":   {identity.CredentialPending, identity.CredentialIssuanceUnknown, identity.CredentialUnknown},
	"suspended": {identity.CredentialSuspended},
	"ended":     {identity.CredentialRevoked, identity.CredentialDeactivated, identity.CredentialExpired},
}

func (a *App) showCredentials(w http.ResponseWriter, r *http.Request) error {
	view, err := a.credentials(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.CredentialsPage(view))
}

func (a *App) watchCredentials(w http.ResponseWriter, r *http.Request) error {
	return a.stream(w, r, func(context.Context) (templ.Component, bool, error) {
		view, err := a.credentials(r)
		return templates.CredentialsLive(view), true, err
	}, identity.PersonTopic(personOf(r).ID))
}

// credentials is everybody's for those who may read them, one's own for the others.
func (a *App) credentials(r *http.Request) (templates.Credentials, error) {
	ctx, actor := r.Context(), actorOf(r)
	view := templates.Credentials{Page: a.pageFor(r, "Credentials", "credentials"), Filter: r.URL.Query().Get("show"), Counts: map[string]int{}}
	view.Live = "/credentials/live?" + r.URL.RawQuery
	view.All = actor.HasAny(people.Admin, people.Auditor)
	if !view.All {
		own, err := a.Identity.OwnCredentials(ctx, actor)
		for _, c := range own {
			view.Rows = append(view.Rows, templates.CredentialRow{Credential: c, Person: *personOf(r)})
		}
		return view, err
	}
	counts, err := a.Identity.CredentialCounts(ctx, actor)
	if err != nil {
		return view, err
	}
	for name, states := range credentialFilters {
		for _, s := range states {
			view.Counts[name] += counts[s]
			view.Counts["all"] += counts[s]
		}
	}
	if view.Counts["soon"], err = a.Identity.EndingCount(ctx, actor); err != nil {
		return view, err
	}
	if view.Counts["asked"], err = a.Identity.AskedCount(ctx, actor); err != nil {
		return view, err
	}
	states := credentialFilters[view.Filter]
	if states == nil && view.Filter != "soon" && view.Filter != "asked" {
		view.Filter = "all"
	}
	view.Text = cut(strings.TrimSpace(r.URL.Query().Get("q")), 200)
	list := a.Identity.Credentials
	query := identity.CredentialQuery{States: states, Text: view.Text, After: cursorOf(r), Limit: 50}
	query.Asked = view.Filter == "asked"
	if view.Filter == "soon" {
		list = a.Identity.EndingCredentials
	}
	rows, next, err := list(ctx, actor, query)
	if err != nil {
		return view, err
	}
	for _, c := range rows {
		person, err := a.People.Person(ctx, c.Person)
		if err != nil {
			return view, err
		}
		view.Rows = append(view.Rows, templates.CredentialRow{Credential: c, Person: person})
	}
	view.Older = older(r, next)
	return view, nil
}

func (a *App) showCredential(w http.ResponseWriter, r *http.Request) error {
	view, err := a.credential(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.CredentialPage(view))
}

func (a *App) watchCredential(w http.ResponseWriter, r *http.Request) error {
	id := identity.CredentialID(r.PathValue("id"))
	seen, err := a.credential(r)
	if err != nil {
		return err
	}
	return a.stream(w, r, func(ctx context.Context) (templ.Component, bool, error) {
		if err := a.Identity.WatchCredential(ctx, id); err != nil {
			a.log.DebugContext(ctx, "look soon", "cause", err)
		}
		view, err := a.credential(r)
		if next := view.Renewal.Successor; next != nil && view.Renewal.At < 4 {
			if err := a.Identity.WatchCredential(ctx, next.ID); err != nil {
				a.log.DebugContext(ctx, "look soon", "cause", err)
			}
		}
		return templates.CredentialLive(view), true, err
	}, identity.CredentialTopic(id), identity.PersonTopic(seen.Row.Person.ID))
}

func (a *App) credential(r *http.Request) (templates.Credential, error) {
	ctx, actor := r.Context(), actorOf(r)
	c, err := a.Identity.Credential(ctx, actor, identity.CredentialID(r.PathValue("id")))
	if err != nil {
		return templates.Credential{}, err
	}
	view := templates.Credential{Page: a.pageFor(r, "Credential", "credentials"), Own: c.Person == actor.Person}
	view.Live = "/credentials/" + string(c.ID) + "/live"
	person, err := a.People.Person(ctx, c.Person)
	if err != nil {
		return view, err
	}
	view.Row = templates.CredentialRow{Credential: c, Person: person}
	view.EndsSoon = a.Identity.EndsSoon(c)
	if view.Renewal, err = a.renewal(r, c); err != nil {
		return view, err
	}
	if view.Own && c.State == identity.CredentialActive {
		if view.Connection, err = a.connection(r, "/credentials/"+string(c.ID)); err != nil {
			return view, err
		}
	}
	view.Default = person.Default == string(c.ID)
	view.CanDefault = view.Own && !view.Default && c.State == identity.CredentialActive && c.RetiredAt.IsZero()
	if view.Events, _, err = a.Log.List(ctx, audit.Filter{Subject: string(c.ID), Limit: 50}); err != nil {
		return view, err
	}
	if view.Names, err = a.namesIn(ctx, view.Events); err != nil {
		return view, err
	}
	if view.Own || actor.Has(people.Admin) {
		if view.AtStake, err = a.Signing.AtStake(ctx, actor, string(c.ID)); err != nil {
			return view, err
		}
		if !view.Own {
			view.AtStake.Ceremonies = nil // nobody else may open them
		}
		view.Seen = fingerprintOf(c.State, stakes(view.AtStake))
		view.CanSuspend = c.State == identity.CredentialActive && a.Identity.CanSuspend()
		view.CanResume = c.State == identity.CredentialSuspended && a.Identity.CanSuspend()
		view.CanRevoke = c.State == identity.CredentialActive || c.State == identity.CredentialSuspended
	}
	return view, nil
}

func (a *App) suspend(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	view, err := a.credential(r)
	if err != nil {
		return err
	}
	if view.CanSuspend && !sawThis(r, view.Seen) {
		view.Changed = true
		view.Live = "" // the first event of a stream would take away what is said here
		return a.page(w, r, http.StatusConflict, templates.CredentialPage(view))
	}
	err = a.Identity.Suspend(r.Context(), actorOf(r), identity.CredentialID(r.PathValue("id")))
	return a.credentialChanged(w, r, err, "suspended")
}

func (a *App) resume(w http.ResponseWriter, r *http.Request) error {
	err := a.Identity.Resume(r.Context(), actorOf(r), identity.CredentialID(r.PathValue("id")))
	return a.credentialChanged(w, r, err, "resumed")
}

func (a *App) credentialChanged(w http.ResponseWriter, r *http.Request, cause error, done string) error {
	if cause == nil {
		return a.redirect(w, r, "/credentials/"+r.PathValue("id"), done)
	}
	var domain *identity.Error
	if !errors.As(cause, &domain) || domain.Kind == identity.KindNotFound || domain.Kind == identity.KindInternal {
		return cause
	}
	status, problem := a.explain(w, r, cause)
	view, err := a.credential(r)
	if err != nil {
		return err
	}
	view.Live = "" // the first event of a stream would take away what is said here
	view.Problem = problem.Sentence
	return a.page(w, r, status, templates.CredentialPage(view))
}

var revocationReasons = []templates.Reason{
	{Code: string(identity.KeyCompromise), Text: "Somebody else may have used it"},
	{Code: string(identity.AffiliationChanged), Text: "The person no longer belongs to the organisation"},
	{Code: string(identity.Superseded), Text: "A newer credential takes its place"},
	{Code: string(identity.CessationOfOperation), Text: "It is no longer needed"},
}

func (a *App) askRevoke(w http.ResponseWriter, r *http.Request) error {
	view, err := a.consequences(r)
	if err != nil {
		return err
	}
	return a.page(w, r, http.StatusOK, templates.ConsequencesPage(view))
}

// consequences tells what revoking ends before it is done: it cannot be undone.
func (a *App) consequences(r *http.Request) (templates.Consequences, error) {
	c, err := a.credential(r)
	if err != nil {
		return templates.Consequences{}, err
	}
	if !c.CanRevoke {
		return templates.Consequences{}, &problem{status: http.StatusConflict, title: "This credential cannot be revoked now",
			sentence: "Only a credential that is active or suspended can be revoked, by its owner or an admin. Nothing was changed."}
	}
	id := string(c.Row.Credential.ID)
	view := templates.Consequences{Page: task(c.Page, "Keep it", "/credentials/"+id), Row: c.Row, Own: c.Own,
		Reasons: revocationReasons, Ask: c.Row.Credential.Name, Errors: map[string]string{}}
	view.Live = ""
	view.Title = "Revoke this credential?"
	view.AtStake, view.Seen = c.AtStake, c.Seen
	return view, nil
}

func (a *App) revoke(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	view, err := a.consequences(r)
	if err != nil {
		return err
	}
	view.Chosen, view.Typed = r.PostForm.Get("reason"), cut(strings.TrimSpace(r.PostForm.Get("typed")), 200)
	if !known(view.Reasons, view.Chosen) {
		view.Errors["reason"] = "Choose a reason."
	}
	if view.Typed != view.Ask {
		view.Errors["typed"] = "This is not the name of the credential."
	}
	if len(view.Errors) == 0 && !sawThis(r, view.Seen) {
		view.Changed = true
		return a.page(w, r, http.StatusConflict, templates.ConsequencesPage(view))
	}
	if len(view.Errors) > 0 {
		return a.page(w, r, http.StatusUnprocessableEntity, templates.ConsequencesPage(view))
	}
	err = a.Identity.Revoke(r.Context(), actorOf(r), view.Row.Credential.ID, identity.RevocationReason(view.Chosen))
	return a.credentialChanged(w, r, err, "revoked")
}

func known(reasons []templates.Reason, code string) bool {
	for _, reason := range reasons {
		if reason.Code == code {
			return true
		}
	}
	return false
}
