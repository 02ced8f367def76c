package handlers

import (
	"net/http"

	"countersign/web/templates"
)

func (a *App) login(w http.ResponseWriter, r *http.Request) error {
	to, err := a.Auth.Begin(w, r, r.URL.Query().Get("return_to"))
	if err != nil {
		return err
	}
	return a.redirect(w, r, to, "")
}

func (a *App) finishLogin(w http.ResponseWriter, r *http.Request) error {
	to, err := a.Auth.Complete(w, r)
	if err != nil {
		return err
	}
	return a.redirect(w, r, to, "")
}

func (a *App) logout(w http.ResponseWriter, r *http.Request) error {
	to, err := a.Auth.End(w, r)
	if err != nil {
		return err
	}
	if to == "" {
		to = "/signed-out"
	}
	return a.redirect(w, r, to, "")
}

func (a *App) showSignedOut(w http.ResponseWriter, r *http.Request) error {
	p := a.pageFor(r, "You are signed out", "")
	return a.page(w, r, http.StatusOK, templates.SignedOutPage(templates.SignedOut{Page: p, AtProvider: r.URL.Query().Has("state")}))
}

// backchannelLogout takes a logout token of the provider (OpenID Connect Back-Channel
// Logout 1.0). It carries its own proof, so no cookie and no origin is asked for.
func (a *App) backchannelLogout(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	if err := readForm(r); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return nil
	}
	if err := a.Auth.LogoutToken(r.Context(), r.PostForm.Get("logout_token")); err != nil {
		a.log.InfoContext(r.Context(), "logout token refused", "cause", err)
		w.WriteHeader(http.StatusBadRequest)
		return nil
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
