package handlers

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"os"
	"strconv"
	"sync"

	"github.com/a-h/templ"

	"countersign/audit"
	"countersign/auth"
	"countersign/grants"
	"countersign/identity"
	"countersign/signing"
	"countersign/web/templates"
)

// problem is an error that a handler makes itself.
type problem struct {
	status   int
	title    string
	sentence string
	signed   string
}

func (p *problem) Error() string { return p.sentence }

var (
	notFound    = &problem{http.StatusNotFound, "There is nothing here", "The address is wrong, or what was here is gone, or it belongs to somebody else.", ""}
	notThisWay  = &problem{http.StatusMethodNotAllowed, "This cannot be asked for like that", "The address is right, but it does not take this kind of request. Nothing was changed.", ""}
	notYours    = &problem{http.StatusForbidden, "This page is not for this account", "Your account does not have the role this page needs. An admin of your organisation can give it at the login provider.", ""}
	signInFirst = &problem{http.StatusUnauthorized, "Your session has ended", "Nothing was changed. Sign in again and repeat the last step.", ""}
	foreignForm = &problem{http.StatusForbidden, "This request came from somewhere else", "Your browser did not say that the request came from this site, so nothing was changed. Go back, reload the page and try again.", ""}
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// page renders to a buffer, so that an error never follows half a page.
func (a *App) page(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	buffer := buffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= 1<<20 { // one huge page shall not be held for ever
			buffers.Put(buffer)
		}
	}()
	buffer.Reset()
	ctx := a.textContext(r)
	if err := c.Render(ctx, buffer); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Language", templates.Language(ctx))
	h.Add("Vary", "Accept-Language")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(buffer.Len()))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(buffer.Bytes()) // the visitor may be gone
	return nil
}

// redirect answers 303, with one sentence for the next page when flash names one.
func (a *App) redirect(w http.ResponseWriter, r *http.Request, to, flash string) error {
	if flash != "" {
		a.setFlash(w, flash)
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // auth.ReturnTo, the provider, or a path of ours
	return nil
}

// answer turns a handler that may fail into one that shows why.
func (a *App) answer(handle func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// statusGone is for the log and the counts: nobody is there to read an answer, and nothing
// went wrong here. Other servers write the same number.
const statusGone = 499

// gone ends a request whose visitor has left. What a database or a disk says of a call that
// was given up differs, so the request's own context decides.
func (a *App) gone(w http.ResponseWriter, r *http.Request, err error) bool {
	if r.Context().Err() == nil {
		return false
	}
	a.log.InfoContext(r.Context(), "visitor left", slog.String("request", referenceOf(r)), slog.Any("cause", err))
	w.WriteHeader(statusGone)
	return true
}

// fail logs the cause once and shows the sentence and the reference.
func (a *App) fail(w http.ResponseWriter, r *http.Request, err error) {
	if a.gone(w, r, err) {
		return
	}
	status, view := a.explain(w, r, err)
	if status >= 500 {
		a.log.ErrorContext(r.Context(), "request failed", slog.String("request", view.Reference), slog.Any("cause", err))
	} else {
		a.log.DebugContext(r.Context(), "request refused", slog.String("request", view.Reference), slog.Any("cause", err))
	}
	page := a.pageFor(r, view.Title, "")
	if renderErr := a.page(w, r, status, templates.ProblemPage(page, view)); renderErr != nil {
		a.log.ErrorContext(r.Context(), "error page failed", slog.Any("cause", renderErr))
		http.Error(w, "Something went wrong here. Reference "+view.Reference, status)
	}
}

// explain sorts an error into a status and what the visitor reads, and says in a header
// when it may be tried again.
func (a *App) explain(w http.ResponseWriter, r *http.Request, err error) (int, templates.Problem) {
	v := templates.Problem{Reference: referenceOf(r), WayOn: "Go to the start page", WayPath: "/"}
	var own *problem
	var ofIdentity *identity.Error
	var ofSigning *signing.Error
	var ofAuth *auth.Error
	var ofGrants *grants.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &own):
		v.Status, v.Title, v.Sentence, v.Signed = own.status, own.title, own.sentence, own.signed
	case errors.Is(err, identity.ErrNotFound), errors.Is(err, signing.ErrNotFound), errors.Is(err, audit.ErrNotFound):
		v.Status, v.Title, v.Sentence = notFound.status, notFound.title, notFound.sentence
	case errors.As(err, &ofIdentity):
		v.Status = statusOf(string(ofIdentity.Kind))
		v.Title, v.Sentence = titleOf(v.Status), ofIdentity.Sentence
		for name, value := range ofIdentity.Args {
			v.Args = append(v.Args, name, value)
		}
	case errors.As(err, &ofSigning):
		v.Status = statusOf(string(ofSigning.Kind))
		if ofSigning.Code == "no_space" {
			v.Status = http.StatusInsufficientStorage // nobody did anything too often
		}
		v.Title, v.Sentence, v.Signed, v.Who = titleOf(v.Status), ofSigning.Sentence, ofSigning.Signed, ofSigning.Who
		v.Args = argsOf(err)
		if ofSigning.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(ofSigning.RetryAfter.Seconds()))))
		}
	case errors.As(err, &ofGrants):
		v.Status, v.Title, v.Sentence = statusOf(string(ofGrants.Kind)), "Your DigiCert account was not connected", ofGrants.Sentence
		v.WayOn, v.WayPath = "To your account", "/account"
	case errors.As(err, &ofAuth):
		v.Status, v.Title, v.Sentence = statusOf(string(ofAuth.Kind)), "Signing in did not work", ofAuth.Sentence
		v.WayOn, v.WayPath = "Sign in again", "/login"
	case errors.As(err, &tooLarge):
		v.Status, v.Title, v.Sentence = http.StatusRequestEntityTooLarge, "That is too large", "The request is larger than this page takes. Nothing was changed."
	case errors.Is(err, os.ErrDeadlineExceeded):
		v.Status, v.Title, v.Sentence = http.StatusRequestTimeout, "That came too slowly", "The request did not arrive in time. Nothing was changed."
	default:
		v.Status, v.Title, v.Sentence = http.StatusInternalServerError, "Something went wrong here", "It is not your fault. What you did before this page is kept. An admin can find the cause with the reference."
	}
	if v.Status == http.StatusInternalServerError {
		a.blame(w, err, &v)
	}
	if v.Status == http.StatusNotFound {
		v.Title, v.Sentence = notFound.title, notFound.sentence // the same words for foreign and for missing
	}
	if v.Status == http.StatusUnauthorized {
		v.WayOn, v.WayPath = "Sign in", "/login"
		if asksByItself(r) {
			v.WayPath += "?return_to=" + queryEscape(backHere(r))
		}
	}
	if person := personOf(r); person != nil && v.Status == http.StatusForbidden {
		v.Account = person.DisplayName()
	}
	return v.Status, v
}

// troubles of the database, as the visitor reads of them.
var troubles = map[string]problem{
	"busy": {http.StatusServiceUnavailable, "This takes too long just now",
		"The database is busy. Nothing that was stored is lost. Wait a moment, and look whether your last step was taken before you repeat it.", ""},
	"away": {http.StatusServiceUnavailable, "The database does not answer",
		"Nothing that was stored is lost. Wait a moment, and look whether your last step was taken before you repeat it.", ""},
	"full": {http.StatusInsufficientStorage, "There is no room left here",
		"Nothing new can be kept until an admin has made room. What is here can still be read and downloaded.", ""},
	"read_only": {http.StatusServiceUnavailable, "Only reading is possible just now",
		"Nothing can be changed at the moment, most often because of maintenance. What is here can still be read and downloaded.", ""},
}

// tryAgainIn is the Retry-After of such an answer, in seconds.
const tryAgainIn = "5"

// blame tells trouble of the database, which passes, from a fault of ours, which does not.
// Whether anything was signed stays as the domain said.
func (a *App) blame(w http.ResponseWriter, err error, v *templates.Problem) {
	p, ok := troubles[a.Trouble(err)]
	if !ok {
		return
	}
	v.Status, v.Title, v.Sentence, v.Who, v.Args = p.status, p.title, p.sentence, "", nil
	v.WayOn, v.WayPath = "Go to the start page", "/"
	w.Header().Set("Retry-After", tryAgainIn)
}

func statusOf(kind string) int {
	switch kind {
	case "not_found":
		return http.StatusNotFound
	case "invalid":
		return http.StatusUnprocessableEntity
	case "conflict":
		return http.StatusConflict
	case "forbidden":
		return http.StatusForbidden
	case "limited":
		return http.StatusTooManyRequests
	case "remote":
		return http.StatusBadGateway
	case "unauthorized":
		return http.StatusUnauthorized
	}
	return http.StatusInternalServerError
}

func titleOf(status int) string {
	switch status {
	case http.StatusUnprocessableEntity:
		return "That could not be done"
	case http.StatusConflict:
		return "This has moved on"
	case http.StatusForbidden:
		return notYours.title
	case http.StatusTooManyRequests:
		return "Too many tries"
	case http.StatusInsufficientStorage:
		return troubles["full"].title
	case http.StatusBadGateway:
		return "DigiCert did not answer as it should"
	}
	return "Something went wrong here"
}
