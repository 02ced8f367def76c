package handlers

import (
	"net/http"
	"slices"

	"countersign/auth"
	"countersign/web/templates"
)

func (a *App) showAccount(w http.ResponseWriter, r *http.Request) error {
	view := templates.Account{Page: a.pageFor(r, "Your account", "account")}
	sessions, err := a.Auth.List(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if view.Connection, err = a.connection(r, "/account"); err != nil {
		return err
	}
	current, _ := auth.FromContext(r.Context())
	for _, s := range sessions {
		view.Sessions = append(view.Sessions, templates.SessionRow{ID: s.ID, Started: s.CreatedAt, Seen: s.SeenAt, Ends: s.Ending(),
			Agent: cut(s.Data.Agent, 200), Address: s.Data.Address, Current: current != nil && s.ID == current.ID})
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.AccountPage(view))
}

func (a *App) saveAccount(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	language, scheme := r.PostForm.Get("language"), r.PostForm.Get("scheme")
	if language != "" && !slices.Contains(templates.Languages(), language) || !slices.Contains([]string{"", "light", "dark"}, scheme) {
		return &problem{status: http.StatusUnprocessableEntity, title: "That could not be saved", sentence: "Choose one of the languages and one of the schemes. Nothing was changed."}
	}
	if err := a.People.SetLook(r.Context(), personOf(r).ID, language, scheme); err != nil {
		return err
	}
	return a.redirect(w, r, "/account", "saved")
}

// endSession ends one of the person's own sessions; an id of somebody else's is not found.
func (a *App) endSession(w http.ResponseWriter, r *http.Request) error {
	if err := a.Auth.EndSession(r.Context(), actorOf(r), r.PathValue("id")); err != nil {
		return err
	}
	return a.redirect(w, r, "/account", "session-ended")
}
