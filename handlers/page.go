package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"countersign/auth"
	"countersign/identity"
	"countersign/people"
	"countersign/web/templates"
)

func personOf(r *http.Request) *people.Person {
	_, person := auth.FromContext(r.Context())
	return person
}

// actorOf makes the actor of a request from its session, never from anything it sends.
func actorOf(r *http.Request) people.Actor {
	rec := recordOf(r)
	actor := people.Actor{Address: rec.address, Agent: cut(r.UserAgent(), 200), Request: rec.reference}
	if p := personOf(r); p != nil {
		actor.Person, actor.Roles = p.ID, p.Roles
	}
	return actor
}

// pageFor fills what every page needs.
func (a *App) pageFor(r *http.Request, title, here string) templates.Page {
	p := templates.Page{
		Title: title, Here: here, Person: personOf(r), Brand: a.Brand, Path: r.URL.RequestURI(),
		Now: a.Now(), Zone: time.Local,
		Demo: a.DemoMail != "", MailURL: a.DemoMail, PhoneURL: a.DemoPhone,
	}
	if flash, ok := flashes[flashOf(r)]; ok {
		p.Flash = flash.text
		if flash.undo != "" {
			p.Undo, p.UndoText = strings.TrimSuffix(r.URL.Path, "/")+flash.undo, flash.undoText
		}
	}
	if p.Person != nil && p.Person.Has(people.Admin) {
		if counts, err := a.Identity.QueueCounts(r.Context(), actorOf(r)); err == nil {
			p.Waiting = counts[identity.ValidationAwaitingApproval] + counts[identity.ValidationAwaitingSecond]
		}
		p.Stuck = a.stuck(r)
	}
	return p
}

// task makes a page without a menu, with one named way out.
func task(p templates.Page, label, path string) templates.Page {
	p.Task, p.TaskPath = label, path
	return p
}

func (a *App) textContext(r *http.Request) context.Context {
	language := r.Header.Get("Accept-Language")
	if p := personOf(r); p != nil && p.Language != "" {
		language = p.Language
	}
	return templates.WithLanguage(r.Context(), language)
}

// flash is one sentence shown once, after a redirect. The cookie holds its name only.
type flash struct{ text, undo, undoText string }

var flashes = map[string]flash{
	"approved":        {"Approved. DigiCert is told when the time to undo is over.", "/undo", "Undo"},
	"approved-first":  {"Approved by you. A second admin has to approve it too.", "/undo", "Withdraw"},
	"approved-sent":   {"Approved. DigiCert knows.", "", ""},
	"undone":          {"The approval is taken back. Nothing was sent to DigiCert.", "", ""},
	"refused":         {"Refused. The person was told why.", "", ""},
	"corrected":       {"Sent back. The person was told what to correct.", "", ""},
	"issued":          {"The credential is being made.", "", ""},
	"check-cancelled": {"The identity check is cancelled.", "", ""},
	"suspended":       {"Suspended. It cannot sign until it is resumed.", "", ""},
	"resumed":         {"Resumed. It can sign again.", "", ""},
	"renewal-asked":   {"Asked for. An admin has it made.", "", ""},
	"renewal-dropped": {"The request is taken back.", "", ""},
	"default":         {"Kept. You sign with it unless you choose another.", "", ""},
	"person-off":      {"Switched off. All their sessions are ended.", "", ""},
	"person-on":       {"Switched on again.", "", ""},
	"revoked":         {"Revoked, for good.", "", ""},
	"log-check":       {"The check has begun. It takes seconds, or minutes for a large log.", "", ""},
	"log-checking":    {"A check was running already.", "", ""},
	"erased":          {"Erased. The fingerprint stays in the audit log.", "", ""},
	"cancelled":       {"Cancelled. Nothing was signed.", "", ""},
	"none-chosen":     {"Choose the documents first, then sign them together.", "", ""},
	"tried-again":     {"It is being tried now.", "", ""},
	"settled":         {"Taken off the list. It stays in the log.", "", ""},
	"waits-no-more":   {"It does not wait any more.", "", ""},
	"saved":           {"Saved.", "", ""},
	"session-ended":   {"The session is ended.", "", ""},
	"connected":       {"Your DigiCert account is connected.", "", ""},
	"disconnected":    {"Disconnected. DigiCert has revoked the permission.", "", ""},

	"disconnected-here": {"Disconnected here. DigiCert has not confirmed yet; it is asked again for a day. You can also take the permission back at DigiCert.", "", ""},
}

const flashCookie = "countersign-flash"

func (a *App) setFlash(w http.ResponseWriter, name string) {
	//nolint:gosec // Secure where the site is
	http.SetCookie(w, &http.Cookie{Name: flashCookie, Value: name, Path: "/", MaxAge: 60, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(a.BaseURL, "https://")})
}

func flashOf(r *http.Request) string {
	if c, err := r.Cookie(flashCookie); err == nil && r.Method == http.MethodGet {
		return c.Value
	}
	return ""
}

func (a *App) clearFlash(w http.ResponseWriter, r *http.Request) {
	if flashOf(r) != "" {
		//nolint:gosec // as above
		http.SetCookie(w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true,
			SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(a.BaseURL, "https://")})
	}
}

func queryEscape(s string) string { return url.QueryEscape(s) }

// cut bounds a text from outside, in bytes, between two characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// cursorOf is the place in a list that a page asks for: milliseconds, an underscore and an
// id. Anything else is the beginning of the list.
func cursorOf(r *http.Request) string {
	after := r.URL.Query().Get("after")
	at, id, _ := strings.Cut(after, "_")
	if _, err := strconv.ParseInt(at, 10, 64); err != nil || id == "" || len(after) > 200 || !utf8.ValidString(after) {
		return ""
	}
	return after
}

// older makes the path of the next page of a list: the same filter, another cursor.
func older(r *http.Request, next string) string {
	if next == "" {
		return ""
	}
	q := r.URL.Query()
	q.Del("all") // that is about this page
	q.Set("after", next)
	return r.URL.Path + "?" + q.Encode()
}
