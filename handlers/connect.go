package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"

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

// notConnectedPath is where somebody is shown why an answer of DigiCert's page was not used.
const notConnectedPath = "/account/not-connected"

// connected is where DigiCert's page sends the browser back to. It is always answered with
// another address: no page of ours is shown at one that holds a code.
func (a *App) connected(w http.ResponseWriter, r *http.Request) error {
	if a.Grants == nil {
		return notFound
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	to, err := a.Grants.Complete(r.Context(), actorOf(r), sessionOf(r), r.URL.Query())
	if err == nil {
		return a.redirect(w, r, auth.ReturnTo(to), "connected")
	}
	why := grants.CodeInternal
	var domain *grants.Error
	if errors.As(err, &domain) {
		why = domain.Code
	}
	if domain == nil || domain.Kind == grants.KindInternal {
		a.log.ErrorContext(r.Context(), "an answer of DigiCert’s page was not taken", slog.String("request", referenceOf(r)), slog.Any("cause", err))
	}
	return a.redirect(w, r, notConnectedPath+"?"+url.Values{"why": {why}}.Encode(), "")
}

// showNotConnected says why nobody was connected, in one of our own sentences, whoever made the
// address up.
func (a *App) showNotConnected(w http.ResponseWriter, r *http.Request) error {
	if a.Grants == nil {
		return notFound
	}
	f := grants.Explain(r.URL.Query().Get("why"))
	if f.Kind == grants.KindInternal {
		f.Kind = grants.KindConflict // this page itself is all right
	}
	status, v := a.explain(w, r, f)
	v.Reference = ""
	return a.page(w, r, status, templates.ProblemPage(a.pageFor(r, v.Title, "account"), v))
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
