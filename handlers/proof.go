package handlers

import (
	"errors"
	"net/http"
	"strconv"

	"countersign/audit"
	"countersign/people"
	"countersign/web/templates"
)

// showProof is what proves that the log is whole.
func (a *App) showProof(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view := templates.Proof{Page: a.pageFor(r, "Proof of the log", "audit"), Export: "/audit/export", By: map[string]string{}}
	var err error
	if view.State, err = a.Log.State(ctx); err != nil {
		return err
	}
	var ids []people.ID
	for i, c := range view.State.Checks {
		if c.AskedBy != "" {
			ids = append(ids, c.AskedBy)
		}
		switch {
		case c.Runs():
			view.Runs = &view.State.Checks[i]
		case view.Last == nil:
			view.Last = &view.State.Checks[i]
		}
	}
	names, err := a.People.Names(ctx, ids)
	if err != nil {
		return err
	}
	for id, name := range names {
		view.By[string(id)] = name
	}
	if view.Refusals, err = a.Log.Refusals(ctx, a.Now().AddDate(0, 0, -7)); err != nil {
		return err
	}
	older, newer := sizeOf(r, "older"), sizeOf(r, "newer")
	if kept := view.State.Kept; older == 0 && len(kept) > 0 {
		older = kept[len(kept)-1].Size
	}
	if older > 0 {
		grown, err := a.Log.Grown(ctx, older, newer)
		switch {
		case err == nil:
			view.Grown = &grown
		case !errors.Is(err, audit.ErrNotFound) && !errors.Is(err, audit.ErrNodeMissing):
			return err
		}
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.ProofPage(view))
}

// sizeOf is a size of the log from the address; what is none counts as not given.
func sizeOf(r *http.Request, name string) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// checkLog begins a check of the whole log.
func (a *App) checkLog(w http.ResponseWriter, r *http.Request) error {
	err := a.Log.AskCheck(r.Context(), actorOf(r))
	if errors.Is(err, audit.ErrChecking) {
		return a.redirect(w, r, "/audit/log", "log-checking")
	}
	if err != nil {
		return err
	}
	return a.redirect(w, r, "/audit/log", "log-check")
}

// exportLog gives out the whole log, from a number on.
func (a *App) exportLog(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", contentDisposition("attachment", "audit-log.jsonl"))
	h.Set("Cache-Control", "no-store")
	flush := func() { _ = http.NewResponseController(w).Flush() }
	if err := a.Log.Export(r.Context(), w, sizeOf(r, "from"), flush); err != nil {
		if r.Context().Err() == nil {
			a.log.ErrorContext(r.Context(), "the log was not exported to its end", "request", referenceOf(r), "cause", err)
		}
		panic(http.ErrAbortHandler) // a file that ends early must not look like a whole one
	}
	return nil
}
