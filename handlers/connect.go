package handlers

import (
	"context"
	"net/http"

	"countersign/auth"
	"countersign/grants"
	"countersign/people"
	"countersign/web/templates"
)

// connection is how the visitor stands with DigiCert, where each signer has to have connected
// an account of their own; empty where nobody has to, and for who does not sign.
func (a *App) connection(r *http.Request, back string) (templates.Connection, error) {
	if a.Grants == nil {
		return templates.Connection{}, nil
	}
	g, has, err := a.Grants.Grant(r.Context(), actorOf(r))
	if err != nil || !has && !personOf(r).Has(people.Signer) {
		return templates.Connection{}, err
	}
	c := templates.Connection{State: "none", Back: back}
	if has {
		c.State, c.Since = string(g.State), g.Since
	}
	return c, nil
}

// connect sends the browser to DigiCert's page. It changes nothing that a person has, so it is
// a plain link as signing in is; one that another site put into a page leads to ours.
func (a *App) connect(w http.ResponseWriter, r *http.Request) error {
	if a.Grants == nil {
		return notFound
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return a.redirect(w, r, "/account", "")
	}
	back := "/account"
	if asked := r.URL.Query().Get("return_to"); asked != "" {
		back = auth.ReturnTo(asked)
	}
	to, err := a.Grants.Connect(r.Context(), actorOf(r), sessionOf(r), back)
	if err != nil {
		return err
	}
	return a.redirect(w, r, to, "")
}

func sessionOf(r *http.Request) string {
	if session, _ := auth.FromContext(r.Context()); session != nil {
		return session.ID
	}
	return ""
}

// connected is where DigiCert's page sends the browser back to.
func (a *App) connected(w http.ResponseWriter, r *http.Request) error {
	if a.Grants == nil {
		return notFound
	}
	to, err := a.Grants.Complete(r.Context(), actorOf(r), sessionOf(r), r.URL.Query())
	if err != nil {
		return err
	}
	return a.redirect(w, r, auth.ReturnTo(to), "connected")
}

func (a *App) askDisconnect(w http.ResponseWriter, r *http.Request) error {
	c, err := a.connection(r, "/account")
	if err != nil {
		return err
	}
	if c.State != string(grants.Open) {
		return a.redirect(w, r, "/account", "")
	}
	page := task(a.pageFor(r, "Disconnect your DigiCert account?", "account"), "Stay connected", "/account")
	return a.page(w, r, http.StatusOK, templates.DisconnectPage(templates.Disconnect{Page: page}))
}

func (a *App) disconnect(w http.ResponseWriter, r *http.Request) error {
	if a.Grants == nil {
		return notFound
	}
	told, err := a.Grants.Disconnect(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if !told {
		return a.redirect(w, r, "/account", "disconnected-here")
	}
	return a.redirect(w, r, "/account", "disconnected")
}

// withdrawn tells DigiCert of the grant of somebody who was switched off: the row has left with
// the switch.
func (a *App) withdrawn(ctx context.Context, p people.ID) {
	if a.Grants != nil {
		a.Grants.SettleOf(ctx, p)
	}
}
