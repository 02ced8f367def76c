package handlers

import (
	"context"
	"errors"
	"net/http"

	"github.com/a-h/templ"

	"countersign/people"
	"countersign/web/templates"
	"countersign/work"
)

func (a *App) showWork(w http.ResponseWriter, r *http.Request) error {
	view, err := a.work(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.WorkPage(view))
}

// watchWork looks every few seconds: what waits too long is told by time, not by a change.
func (a *App) watchWork(w http.ResponseWriter, r *http.Request) error {
	return a.stream(w, r, func(context.Context) (templ.Component, bool, error) {
		view, err := a.work(r)
		return templates.WorkLive(view), true, err
	})
}

func (a *App) work(r *http.Request) (templates.Work, error) {
	view := templates.Work{Page: a.pageFor(r, "Work that waits", "work")}
	view.Live = "/work/live"
	items, err := a.Work.Waiting(r.Context(), actorOf(r))
	if err != nil {
		return view, err
	}
	var owners []people.ID
	for _, i := range items {
		if i.Owner != "" {
			owners = append(owners, i.Owner)
		}
	}
	names, err := a.People.Names(r.Context(), owners)
	if err != nil {
		return view, err
	}
	for _, i := range items {
		if n := len(view.Groups); n == 0 || view.Groups[n-1].Kind != i.Kind {
			view.Groups = append(view.Groups, templates.WorkGroup{Kind: i.Kind})
		}
		g := &view.Groups[len(view.Groups)-1]
		g.Rows = append(g.Rows, templates.WorkRow{Item: i, Name: names[i.Owner]})
	}
	return view, nil
}

func (a *App) workAgain(w http.ResponseWriter, r *http.Request) error {
	return a.looked(w, r, a.Work.Again(r.Context(), actorOf(r), r.PathValue("id")), "tried-again")
}

func (a *App) workSettled(w http.ResponseWriter, r *http.Request) error {
	return a.looked(w, r, a.Work.Settle(r.Context(), actorOf(r), r.PathValue("id")), "settled")
}

func (a *App) looked(w http.ResponseWriter, r *http.Request, err error, done string) error {
	switch {
	case errors.Is(err, work.ErrForbidden):
		return notYours
	case errors.Is(err, work.ErrNotFound):
		return notFound
	case errors.Is(err, work.ErrGone):
		return a.redirect(w, r, "/work", "waits-no-more")
	case err != nil:
		return err
	}
	return a.redirect(w, r, "/work", done)
}

// stuck counts what waits too long; the page it is for is worth showing without it.
func (a *App) stuck(r *http.Request) (n int) {
	counts, err := a.Work.Counts(r.Context(), actorOf(r))
	if err != nil {
		a.log.WarnContext(r.Context(), "waiting work cannot be counted", "request", referenceOf(r), "cause", err)
	}
	for _, one := range counts {
		n += one
	}
	return n
}
