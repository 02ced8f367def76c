package handlers

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"

	"countersign/auth"
	"countersign/signing"
	"countersign/web/templates"
)

// askConsent leads the person to the provider's page, where they approve. A page of ours does, since a
// browser holds form-action against a whole chain of redirects, and only the provider knows its own.
func (a *App) askConsent(w http.ResponseWriter, r *http.Request) error {
	session, _ := auth.FromContext(r.Context())
	address, err := a.Signing.AskConsent(r.Context(), actorOf(r), signing.CeremonyID(r.PathValue("id")), session.Hash)
	if err != nil {
		return a.ceremonyAgain(w, r, err)
	}
	to, err := url.Parse(address)
	if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" {
		return errors.New("the provider's page has no address that a browser can go to")
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	page := task(a.pageFor(r, "Going to DigiCert", "documents"), "Back to your signing", "/ceremonies/"+r.PathValue("id"))
	return a.page(w, r, http.StatusOK, templates.LeavingPage(templates.Leaving{Page: page, Host: to.Host, Address: address, At: address}))
}

// notUsedPath is where somebody is shown why an answer of the provider was not used.
const notUsedPath = "/ceremonies/not-taken"

// takeConsent is where the provider's page sends people back to. Whatever it brings is judged by
// the engine, and always answered with another address: what stands in this one shall not be
// read from a page, its history or what is loaded by it.
func (a *App) takeConsent(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer")
	session, person := auth.FromContext(r.Context())
	if person == nil {
		return a.redirect(w, r, "/login?return_to="+queryEscape(notUsedPath+"?why=consent_session"), "")
	}
	in, ok := readAnswer(r.URL.RawQuery)
	if !ok {
		in = signing.ConsentAnswer{} // refused, and written down as any other
	}
	c, err := a.Signing.TakeConsent(r.Context(), actorOf(r), session.Hash, in)
	if err == nil {
		return a.redirect(w, r, "/ceremonies/"+string(c.ID), "")
	}
	why := "internal"
	var domain *signing.Error
	if errors.As(err, &domain) {
		why = domain.Code
	}
	if domain == nil || domain.Kind == signing.KindInternal {
		a.log.ErrorContext(r.Context(), "an answer of the provider was not taken", slog.String("request", referenceOf(r)), slog.Any("cause", err))
	}
	q := url.Values{"why": {why}}
	if c.ID != "" {
		q.Set("ceremony", string(c.ID))
	}
	return a.redirect(w, r, notUsedPath+"?"+q.Encode(), "")
}

const maxAnswer = 8 << 10 // of a query

// readAnswer reads what CSC 8.3.2 lets come back. Anything else is passed over (RFC 6749, 4.1.2), and what
// comes twice is no answer.
func readAnswer(query string) (in signing.ConsentAnswer, ok bool) {
	if len(query) > maxAnswer {
		return in, false
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return in, false
	}
	for _, name := range []string{"state", "code", "error", "error_description", "iss"} {
		if len(q[name]) > 1 {
			return in, false
		}
	}
	return signing.ConsentAnswer{State: signing.Secret(q.Get("state")), Code: signing.Secret(q.Get("code")),
		Error: cut(q.Get("error"), 60), Issuer: cut(q.Get("iss"), 500)}, true
}

// showNotTaken says why an answer was not used. What it says is one of our own sentences, whoever
// made the address up.
func (a *App) showNotTaken(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	why := cut(q.Get("why"), 40)
	f := signing.Explain(why)
	if f.Kind == signing.KindInternal {
		if why != "internal" { // no code of ours
			f = signing.Explain("consent_unknown")
		}
		f.Kind = signing.KindConflict // this page itself is all right
	}
	status, v := a.explain(w, r, f)
	v.Title, v.Reference = "This approval was not used", ""
	v.WayOn, v.WayPath = "To your documents", "/documents"
	if id := signing.CeremonyID(cut(q.Get("ceremony"), 64)); id != "" {
		if c, _, err := a.Signing.Ceremony(r.Context(), actorOf(r), id); err == nil {
			v.WayOn, v.WayPath = "To your signing", "/ceremonies/"+url.PathEscape(string(c.ID))
		}
	}
	return a.page(w, r, status, templates.ProblemPage(a.pageFor(r, v.Title, "documents"), v))
}
