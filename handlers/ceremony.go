package handlers

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"countersign/identity"
	"countersign/pades"
	"countersign/signing"
	"countersign/web/templates"
)

func (a *App) showCeremony(w http.ResponseWriter, r *http.Request) error {
	view, _, err := a.ceremony(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.CeremonyPage(view))
}

func (a *App) watchCeremony(w http.ResponseWriter, r *http.Request) error {
	if _, _, err := a.ceremony(r); err != nil {
		return err
	}
	return a.stream(w, r, func(context.Context) (templ.Component, bool, error) {
		view, changing, err := a.ceremony(r)
		return templates.CeremonyLive(view), changing, err
	}, signing.CeremonyTopic(signing.CeremonyID(r.PathValue("id"))))
}

// ceremony makes the view of whatever step the ceremony is at, and tells whether it
// can change without the person.
func (a *App) ceremony(r *http.Request) (view templates.Ceremony, changing bool, err error) {
	ctx, actor := r.Context(), actorOf(r)
	id := signing.CeremonyID(r.PathValue("id"))
	c, signatures, err := a.Signing.Ceremony(ctx, actor, id)
	if err != nil {
		return view, false, err
	}
	if len(signatures) == 0 {
		return view, false, notFound
	}
	s := signatures[0]
	document, err := a.Signing.Document(ctx, actor, s.Document)
	if err != nil {
		return view, false, err
	}
	view.Page = task(a.pageFor(r, "Sign", "documents"), "Leave without signing", "/documents/"+string(s.Document))
	view.Ceremony, view.Signature = c, s
	if view.Row, err = a.documentRow(r, document); err != nil {
		return view, false, err
	}
	if view.Credential, err = a.Identity.Credential(ctx, actor, identity.CredentialID(c.Credential)); err != nil {
		return view, false, err
	}
	view.TriesLeft = max(0, a.Signing.Limits.Tries-c.Tries)
	if view.Step = stepOf(c, s); len(signatures) > 1 {
		if err := a.many(r, &view, signatures); err != nil {
			return view, false, err
		}
	}
	switch view.Step {
	case "check":
		view.Title = "Checked. Ready for your approval"
		view.Problem = backBecause(c)
		err = a.preflight(ctx, r, &view)
	case "code":
		view.Title = "Enter the code we sent you"
		if !c.CodeSentAt.IsZero() {
			// Rounded up: who presses when the count is over shall not be told to wait.
			view.ResendIn = max(0, int(math.Ceil((a.Signing.Limits.SendEvery - a.Now().Sub(c.CodeSentAt)).Seconds())))
		}
		view.CodeError, view.PINError = factorErrors(c)
		view.Problem = backBecause(c)
		if !c.Factor.Sent() { // there was no page before this one that told of them
			err = a.preflight(ctx, r, &view)
		}
	case "consent":
		view.Title = "DigiCert waits for your approval"
	case "progress":
		view.Title = "Signing"
		if c.Factor.Push() && c.State == signing.CeremonyAuthorizing {
			view.PhoneLeft = max(0, int(math.Ceil((signing.PhoneWait - a.Now().Sub(c.Since)).Seconds())))
		}
		view.Task = "Leave this page"
		changing = true
		if view.Many != nil {
			break
		}
		view.Steps, view.Columns = progress(c, s)
		view.Until = s.SignedAt.Add(a.Signing.FinishLife)
		changing = true
	case "result":
		view.Title = "Signed, and checked"
		if view.Many != nil {
			break
		}
		view.Task, view.TaskPath = "To your documents", "/documents"
		view.Download = "/documents/" + string(s.Document) + "/download"
		view.Steps, view.Columns = progress(c, s)
		view.Result, err = a.resultOf(ctx, r, s)
	case "failed":
		view.Title = "It was not signed"
		if view.Many != nil {
			view.Failed = failedBecause(c, signing.Signature{State: s.State, Reason: c.Reason})
			view.Failed.Reference, view.Failed.WayPath = referenceOf(r), ""
			break
		}
		view.Task, view.TaskPath = "Back to the document", "/documents/"+string(s.Document)
		view.Failed = failedBecause(c, s)
		view.Failed.Reference = referenceOf(r)
		view.Title = view.Failed.Title
	}
	if view.Step == "check" || view.Step == "code" || view.Step == "consent" || view.Step == "progress" {
		view.Live = "/ceremonies/" + string(id) + "/live"
		changing = true
	}
	return view, changing, err
}

// preflight is the list of checks as it stands. Of many documents the reading is one line, and
// what is wrong with one of them stands beside its name.
func (a *App) preflight(ctx context.Context, r *http.Request, view *templates.Ceremony) error {
	checks, err := a.Signing.Preflight(ctx, actorOf(r), view.Ceremony.ID)
	if err != nil {
		return err
	}
	running := false
	read, files := 0, 0
	for _, c := range checks {
		if view.Many != nil && c.Document != "" {
			files++
			if c.State == signing.CheckOK {
				read++
			}
			for i := range view.Many {
				if view.Many[i].Row.Document.ID == c.Document && c.State == signing.CheckFailed {
					view.Many[i].Why, view.Many[i].Who = c.Text, c.Who
					view.Refused = true
				}
			}
			continue
		}
		view.Checks = append(view.Checks, checkStep(c, &running))
	}
	if files > 0 {
		step := templates.LiveStep{Step: "done", Text: "The stored files are byte for byte those you uploaded: {{.Done}} of {{.All}}.", Args: []any{"Done", read, "All", files}}
		switch {
		case view.Refused:
			step.Step = "bad"
		case read < files:
			step.Step = map[bool]string{true: "todo", false: "now"}[running]
		}
		view.Checks = append(view.Checks, step)
	}
	return nil
}

// checkStep is one line of it; what is next to be done is the one being done.
func checkStep(c signing.Preflight, running *bool) templates.LiveStep {
	step := templates.LiveStep{Step: "done", Text: c.Text, At: c.At}
	switch {
	case c.State == signing.CheckFailed, c.State == signing.CheckUnchecked && !c.OK:
		step.Step, step.Who = "bad", c.Who
	case c.State == signing.CheckUnchecked:
		step.Step, step.Who = "hold", c.Who
	case c.State == signing.CheckWaits && *running:
		step.Step = "todo"
	case c.State == signing.CheckWaits:
		step.Step, *running = "now", true
	}
	return step
}

// progress tells the named steps, and how many of the twelve columns are written.
func progress(c signing.Ceremony, s signing.Signature) ([]templates.LiveStep, int) {
	steps := []templates.LiveStep{
		{Text: "Your approval is checked by DigiCert"},
		{Text: "What will be signed is written down"},
		{Text: "Signed with your key, inside DigiCert", At: s.SignedAt},
		{Text: "Stamped with the time", At: s.StampedAt},
		{Text: "Put into the document", At: s.AssembledAt},
		{Text: "Opened again and checked", At: s.ReleasedAt},
	}
	done := 0
	switch s.State {
	case signing.SignatureIntended:
		done = 2
	case signing.SignatureSigned:
		done = 3
	case signing.SignatureAssembled:
		done = 5
	case signing.SignatureReleased:
		done = 6
	default:
		if c.State == signing.CeremonyAuthorized || c.State == signing.CeremonyUsed {
			done = 1
		}
	}
	for i := range steps {
		switch {
		case i < done:
			steps[i].Step = "done"
		case i == done:
			steps[i].Step, steps[i].At = "now", time.Time{}
		default:
			steps[i].Step, steps[i].At = "todo", time.Time{}
		}
	}
	if !s.IntendedAt.IsZero() {
		steps[0].At, steps[1].At = s.IntendedAt, s.IntendedAt
	}
	return steps, 2 * done
}

func (a *App) resultOf(ctx context.Context, r *http.Request, s signing.Signature) (*pades.SignatureResult, error) {
	result, err := a.Signing.Check(ctx, actorOf(r), s.Document)
	if err != nil {
		return nil, err
	}
	for i := range result.Signatures {
		if result.Signatures[i].Revision == s.Base+1 || i == len(result.Signatures)-1 {
			if field := result.Signatures[i].Field; s.Field == "" || field == s.Field {
				return &result.Signatures[i], nil
			}
		}
	}
	return nil, errors.New("the released signature is not in the stored file")
}

func (a *App) sendCode(w http.ResponseWriter, r *http.Request) error {
	id := signing.CeremonyID(r.PathValue("id"))
	if _, err := a.Signing.SendCode(r.Context(), actorOf(r), id); err != nil {
		return a.ceremonyAgain(w, r, err)
	}
	return a.redirect(w, r, "/ceremonies/"+string(id), "")
}

func (a *App) authorize(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	factors := signing.Factors{OTP: signing.Secret(r.PostForm.Get("otp")), PIN: signing.Secret(r.PostForm.Get("pin"))}
	id := signing.CeremonyID(r.PathValue("id"))
	if _, err := a.Signing.Approve(r.Context(), actorOf(r), id, factors); err != nil {
		return a.ceremonyAgain(w, r, err)
	}
	return a.redirect(w, r, "/ceremonies/"+string(id), "")
}

// ceremonyAgain shows the ceremony as it stands now, with what was wrong in its place.
// Who lost a race against another press sees the winner's page.
func (a *App) ceremonyAgain(w http.ResponseWriter, r *http.Request, cause error) error {
	var domain *signing.Error
	if !errors.As(cause, &domain) || domain.Kind == signing.KindNotFound || domain.Kind == signing.KindForbidden {
		return cause
	}
	status, problem := a.explain(w, r, cause)
	if domain.Kind == signing.KindConflict && domain.Code != "not_connected" {
		return a.redirect(w, r, "/ceremonies/"+r.PathValue("id"), "")
	}
	if status >= 500 {
		a.log.WarnContext(r.Context(), "signing did not go on", "request", problem.Reference, "cause", cause)
	}
	view, _, err := a.ceremony(r)
	if err != nil {
		return err
	}
	view.Live = "" // the first event of a stream would take away what is said here
	switch domain.Code {
	case "otp_empty":
		view.CodeError = "empty"
	case "otp_format":
		view.CodeError = "format"
	case "pin_empty":
		view.PINError = "empty"
	case "otp_wrong", "otp_expired", "otp_locked", "pin_wrong", "pin_locked":
		view.CodeError, view.PINError = factorErrors(signing.Ceremony{Reason: domain.Code})
	default:
		if view.Step != "failed" { // that page says it all itself
			problem.Title, problem.WayPath = "That did not work", "" // the way on is this page
			if domain.Code == "not_connected" {
				problem.Title, problem.WayOn, problem.WayPath = "Connect your DigiCert account", "Go to DigiCert and connect", "/account/connect?return_to="+queryEscape("/ceremonies/"+string(view.Ceremony.ID))
			}
			view.Problem = &problem
		}
	}
	return a.page(w, r, status, templates.CeremonyPage(view))
}

func (a *App) cancelCeremony(w http.ResponseWriter, r *http.Request) error {
	id := signing.CeremonyID(r.PathValue("id"))
	_, signatures, err := a.Signing.Ceremony(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	if err := a.Signing.Cancel(r.Context(), actorOf(r), id); err != nil {
		return a.ceremonyAgain(w, r, err)
	}
	if len(signatures) != 1 {
		return a.redirect(w, r, "/documents", "cancelled")
	}
	return a.redirect(w, r, "/documents/"+string(signatures[0].Document), "cancelled")
}
