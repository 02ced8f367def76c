package handlers

import (
	"context"
	"errors"
	"math"
	"net/http"

	"github.com/a-h/templ"

	"countersign/audit"
	"countersign/identity"
	"countersign/people"
	"countersign/web/templates"
)

// queueFilters are the pills of the review desk; the first is the default.
var queueFilters = map[string][]identity.ValidationState{
	"waiting": {identity.ValidationAwaitingApproval, identity.ValidationAwaitingSecond, identity.ValidationApprovalUnknown},
	"held":    {identity.ValidationApprovalHeld},
	"running": {identity.ValidationStarted, identity.ValidationEmailSent, identity.ValidationActionNeeded, identity.ValidationSubmitted, identity.ValidationInReview, identity.ValidationResubmit, identity.ValidationUnknown},
	"decided": {identity.ValidationApproved, identity.ValidationRejected, identity.ValidationCancelled, identity.ValidationExpired, identity.ValidationDisabled},
}

func (a *App) showReview(w http.ResponseWriter, r *http.Request) error {
	view, err := a.review(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.ReviewPage(view))
}

func (a *App) watchReview(w http.ResponseWriter, r *http.Request) error {
	return a.stream(w, r, func(context.Context) (templ.Component, bool, error) {
		view, err := a.review(r)
		return templates.ReviewLive(view), true, err
	}, identity.ReviewTopic)
}

func (a *App) review(r *http.Request) (templates.Review, error) {
	view := templates.Review{Page: a.pageFor(r, "Identity checks to decide", "review"), Filter: r.URL.Query().Get("show"), Counts: map[string]int{}}
	view.Live = "/review/live?" + r.URL.RawQuery
	if view.Filter == "" {
		view.Filter = "waiting"
	}
	view.Standard = identity.Standard(r.URL.Query().Get("standard"))
	if view.Standard != identity.Basic && view.Standard != identity.AdvancedPlus {
		view.Standard = ""
	}
	counts, err := a.Identity.QueueCounts(r.Context(), actorOf(r))
	if err != nil {
		return view, err
	}
	var all []identity.ValidationState
	for name, states := range queueFilters {
		for _, s := range states {
			view.Counts[name] += counts[s]
			view.Counts["all"] += counts[s]
		}
		all = append(all, states...)
	}
	states := queueFilters[view.Filter]
	if states == nil {
		view.Filter, states = "all", all
	}
	rows, next, err := a.queueRows(r, identity.QueueQuery{States: states, Standard: view.Standard, After: cursorOf(r), Limit: 50})
	view.Rows, view.Older = rows, older(r, next)
	return view, err
}

func (a *App) queueRows(r *http.Request, q identity.QueueQuery) ([]templates.ReviewRow, string, error) {
	checks, next, err := a.Identity.Queue(r.Context(), actorOf(r), q)
	if err != nil {
		return nil, "", err
	}
	var rows []templates.ReviewRow
	for _, v := range checks {
		row, err := a.reviewRow(r, v)
		if err != nil {
			return nil, "", err
		}
		rows = append(rows, row)
	}
	return rows, next, nil
}

func (a *App) reviewRow(r *http.Request, v identity.Validation) (templates.ReviewRow, error) {
	person, err := a.People.Person(r.Context(), v.Person)
	row := templates.ReviewRow{Validation: v, Person: person, Own: v.Person == personOf(r).ID}
	for _, c := range compared(v) {
		if c.Kind != "same" && c.Kind != "missing" {
			row.Differences++
		}
	}
	return row, err
}

func (a *App) showCase(w http.ResponseWriter, r *http.Request) error {
	view, err := a.reviewCase(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.ReviewCasePage(view))
}

func (a *App) watchCase(w http.ResponseWriter, r *http.Request) error {
	id := identity.ValidationID(r.PathValue("id"))
	view, err := a.reviewCase(r)
	if err != nil {
		return err
	}
	return a.stream(w, r, func(ctx context.Context) (templ.Component, bool, error) {
		if err := a.Identity.WatchValidation(ctx, id); err != nil {
			a.log.DebugContext(ctx, "look soon", "cause", err)
		}
		view, err := a.reviewCase(r)
		return templates.ReviewCaseLive(view), true, err
	}, identity.ValidationTopic(id), identity.PersonTopic(view.Row.Person.ID))
}

func (a *App) reviewCase(r *http.Request) (templates.ReviewCase, error) {
	ctx, actor := r.Context(), actorOf(r)
	id := identity.ValidationID(r.PathValue("id"))
	v, err := a.Identity.Validation(ctx, actor, id)
	if err != nil {
		return templates.ReviewCase{}, err
	}
	view := templates.ReviewCase{Page: a.pageFor(r, "Identity check", "review"), Compare: compared(v)}
	view.Live = "/review/" + string(id) + "/live"
	if view.Row, err = a.reviewRow(r, v); err != nil {
		return view, err
	}
	view.Title = view.Row.Person.DisplayName()
	for _, reason := range identity.RefusalReasons {
		view.Reasons = append(view.Reasons, templates.Reason{Code: reason.Code, Text: reason.Text})
	}
	for _, reason := range identity.CorrectionReasons {
		view.Corrections = append(view.Corrections, templates.Reason{Code: reason.Code, Text: reason.Text})
	}
	if view.Events, _, err = a.Log.List(ctx, audit.Filter{Subject: string(id), Limit: 50}); err != nil {
		return view, err
	}
	if view.Names, err = a.namesIn(ctx, view.Events); err != nil {
		return view, err
	}
	switch {
	case view.Row.Own:
		view.WhyNot = "This is your own identity check. Another admin has to decide."
	case v.State == identity.ValidationAwaitingApproval, v.State == identity.ValidationAwaitingSecond && v.FirstBy != actor.Person:
		view.Decide = true
		if seats, err := a.Identity.Seats(ctx, actor, v.Standard); err == nil && seats.Total >= 0 {
			view.Seats = templates.T(a.textContext(r), "{{.Free}} of {{.Total}} seats of this standard are free.", "Free", seats.Available, "Total", seats.Total)
			view.NoSeat = seats.Available <= 0
		}
	}
	if v.FirstBy != "" {
		names, err := a.People.Names(ctx, []people.ID{v.FirstBy})
		if err != nil {
			return view, err
		}
		view.First, view.FirstOwn = names[v.FirstBy], v.FirstBy == actor.Person
	}
	view.Hold, view.Approvals = a.Identity.ApprovalHold(), a.Identity.Approvals()
	if v.State == identity.ValidationApprovalHeld {
		view.ToldIn = max(0, int(math.Ceil(v.HeldUntil.Sub(a.Now()).Seconds())))
	}
	if v.State == identity.ValidationApproved {
		if err := a.issuing(r, &view); err != nil {
			return view, err
		}
	}
	waiting, _, err := a.Identity.Queue(ctx, actor, identity.QueueQuery{Limit: 5})
	for _, next := range waiting {
		if next.ID != id && next.Person != actor.Person {
			view.NextCase = "/review/" + string(next.ID)
			break
		}
	}
	return view, err
}

// issuing adds what is needed to have a credential made for an approved person.
func (a *App) issuing(r *http.Request, view *templates.ReviewCase) error {
	ctx, actor, v := r.Context(), actorOf(r), view.Row.Validation
	credentials, err := a.Identity.CredentialsOf(ctx, actor, v.Person)
	if err != nil {
		return err
	}
	for _, c := range credentials {
		if c.Validation == v.ID {
			view.Credentials = append(view.Credentials, c)
		}
	}
	profiles, err := a.Identity.Profiles(ctx, actor, v.Standard)
	if err != nil { // DTM is away: the rest of the page is still worth showing
		a.log.WarnContext(ctx, "profiles", "request", referenceOf(r), "cause", err)
		view.Form, view.Error = "issue", "DigiCert did not tell its certificate profiles. Reload the page to ask again."
		return nil
	}
	for _, p := range profiles {
		view.Profiles = append(view.Profiles, templates.ProfileChoice{ID: p.ID, Name: p.Name})
	}
	return nil
}

func compared(v identity.Validation) []templates.Compared {
	var rows []templates.Compared
	for _, d := range identity.Differences(v.Claims, v.Proofed) {
		rows = append(rows, templates.Compared{Label: d.Label, Claimed: d.Claimed, Proofed: d.Proofed, Kind: string(d.Kind), From: d.From, To: d.To})
	}
	return rows
}

func (a *App) namesIn(ctx context.Context, entries []audit.Entry) (map[people.ID]string, error) {
	var ids []people.ID
	for _, e := range entries {
		if e.Person != "" {
			ids = append(ids, e.Person)
		}
	}
	return a.People.Names(ctx, ids)
}

func (a *App) approve(w http.ResponseWriter, r *http.Request) error {
	id := identity.ValidationID(r.PathValue("id"))
	v, err := a.Identity.Approve(r.Context(), actorOf(r), id)
	return a.decided(w, r, err, "", approvedFlash[v.State])
}

// approvedFlash is what an approval led to.
var approvedFlash = map[identity.ValidationState]string{
	identity.ValidationAwaitingSecond: "approved-first", identity.ValidationApprovalHeld: "approved", identity.ValidationApproved: "approved-sent",
}

func (a *App) undoApproval(w http.ResponseWriter, r *http.Request) error {
	err := a.Identity.UndoApproval(r.Context(), actorOf(r), identity.ValidationID(r.PathValue("id")))
	return a.decided(w, r, err, "", "undone")
}

func (a *App) correct(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	err := a.Identity.Correct(r.Context(), actorOf(r), identity.ValidationID(r.PathValue("id")), r.PostForm.Get("reason"), r.PostForm.Get("note"))
	return a.decided(w, r, err, "correct", "corrected")
}

func (a *App) refuse(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	err := a.Identity.Refuse(r.Context(), actorOf(r), identity.ValidationID(r.PathValue("id")), r.PostForm.Get("reason"), r.PostForm.Get("note"))
	return a.decided(w, r, err, "refuse", "refused")
}

func (a *App) issue(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	_, err := a.Identity.Issue(r.Context(), actorOf(r), identity.ValidationID(r.PathValue("id")), r.PostForm.Get("profile"))
	return a.decided(w, r, err, "issue", "issued")
}

// decided goes back to the case, or shows it again with what was wrong and the note kept.
func (a *App) decided(w http.ResponseWriter, r *http.Request, cause error, form, done string) error {
	if cause == nil {
		return a.redirect(w, r, "/review/"+r.PathValue("id"), done)
	}
	var domain *identity.Error
	if !errors.As(cause, &domain) || domain.Kind == identity.KindNotFound || domain.Kind == identity.KindInternal {
		return cause
	}
	status, problem := a.explain(w, r, cause)
	if status >= 500 {
		a.log.WarnContext(r.Context(), "decision did not go through", "request", problem.Reference, "cause", cause)
	}
	view, err := a.reviewCase(r)
	if err != nil {
		return err
	}
	view.Live = "" // the first event of a stream would take away what is said here
	view.Form, view.Error, view.Note = form, problem.Sentence, cut(r.PostForm.Get("note"), 1000)
	return a.page(w, r, status, templates.ReviewCasePage(view))
}
