package idpsim

import (
	"context"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

//go:embed page.html style.css
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

type view struct {
	Title   string
	Request string   // id of the request to complete; the sign-in page
	People  []Person // to choose from
	Person  *Person  // signed in in this browser
	Text    string
}

// cookieName carries the port: cookies do not tell ports of one host apart.
func (p *Provider) cookieName() string {
	u, _ := url.Parse(p.options.Issuer)
	return "idpsim-" + strings.NewReplacer(".", "-", ":", "-", "[", "", "]", "").Replace(u.Host)
}

type browserKey struct{}

// withBrowser hands the browser's session id to the storage, which sees only the context.
func (p *Provider) withBrowser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie(p.cookieName()); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), browserKey{}, c.Value))
		}
		next.ServeHTTP(w, r)
	})
}

func browserOf(ctx context.Context) string {
	id, _ := ctx.Value(browserKey{}).(string)
	return id
}

func (p *Provider) current(r *http.Request) (session, *Person) {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return session{}, nil
	}
	n, ok := p.state.session(c.Value)
	if !ok {
		return session{}, nil
	}
	who, ok := p.state.person(n.subject)
	if !ok {
		return session{}, nil
	}
	return n, &who
}

// showLogin completes a request at once for a browser that is signed in, as a real
// provider does, unless the client wants the person asked; else it lists who to be.
func (p *Provider) showLogin(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	asked, err := p.state.get(id)
	if err != nil {
		p.show(w, http.StatusBadRequest, view{Title: "This sign-in has run out", Text: "Go back to the portal and start again."})
		return
	}
	n, who := p.current(r)
	fresh := who != nil && !p.mustAsk(asked, n)
	switch {
	case fresh:
		p.complete(w, r, id, n)
	case slices.Contains(asked.asked.Prompt, oidc.PromptNone):
		op.AuthRequestError(w, r.WithContext(op.ContextWithIssuer(r.Context(), p.options.Issuer)), asked, oidc.ErrLoginRequired(), p.op)
	default:
		p.show(w, http.StatusOK, view{Title: "Who is signing in?", Request: id, People: p.state.everybody()})
	}
}

func (p *Provider) mustAsk(asked request, n session) bool {
	if slices.Contains(asked.asked.Prompt, oidc.PromptLogin) || slices.Contains(asked.asked.Prompt, oidc.PromptSelectAccount) {
		return true
	}
	max := asked.asked.MaxAge
	return max != nil && p.options.Now().Sub(n.authTime) > time.Duration(*max)*time.Second
}

func (p *Provider) takeLogin(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("id")
	who, ok := p.state.person(r.PostFormValue("subject"))
	if _, err := p.state.get(id); err != nil || !ok {
		p.show(w, http.StatusBadRequest, view{Title: "This sign-in has run out", Text: "Go back to the portal and start again."})
		return
	}
	if c, err := r.Cookie(p.cookieName()); err == nil {
		p.state.end(c.Value, "") // one person per browser
	}
	n := p.state.begin(who.Subject)
	p.setCookie(w, n.id, 0)
	p.complete(w, r, id, n)
}

func (p *Provider) setCookie(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: p.cookieName(), Value: value, Path: "/", MaxAge: age, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.options.Issuer, "https:")})
}

func (p *Provider) complete(w http.ResponseWriter, r *http.Request, id string, n session) {
	if err := p.state.choose(id, n); err != nil {
		p.show(w, http.StatusBadRequest, view{Title: "This sign-in has run out", Text: "Go back to the portal and start again."})
		return
	}
	ctx := op.ContextWithIssuer(r.Context(), p.options.Issuer)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, op.AuthCallbackURL(p.op)(ctx, id), http.StatusSeeOther)
}

func (p *Provider) showHome(w http.ResponseWriter, r *http.Request) {
	_, who := p.current(r)
	v := view{Title: "Nobody is signed in", Text: "Sign-ins begin at the portal."}
	if who != nil {
		v = view{Title: who.Name + " is signed in", Person: who, Text: "The portal can ask for a sign-in without asking you again."}
	}
	p.show(w, http.StatusOK, v)
}

func (p *Provider) showSignedOut(w http.ResponseWriter, r *http.Request) {
	p.show(w, http.StatusOK, view{Title: "You are signed out", Text: "The next sign-in asks again who you are."})
}

// signOut ends the browser's session from the provider's side.
func (p *Provider) signOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(p.cookieName()); err == nil {
		p.state.logout(r.Context(), c.Value, "")
	}
	p.setCookie(w, "", -1)
	http.Redirect(w, r, "/signed-out", http.StatusSeeOther)
}

func (p *Provider) show(w http.ResponseWriter, status int, v view) {
	// Browsers apply form-action to the redirect that follows a form, so the client's origins are named.
	policy := "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	for _, raw := range p.options.RedirectURIs {
		if u, err := url.Parse(raw); err == nil {
			policy += " " + u.Scheme + "://" + u.Host
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	if err := page.Execute(w, v); err != nil {
		p.options.Log.Error("page failed", "cause", err)
	}
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	b, err := files.ReadFile("style.css")
	if err != nil {
		http.Error(w, "gone", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b)
}
