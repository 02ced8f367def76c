package handlers

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
)

func (a *App) showPeople(w http.ResponseWriter, r *http.Request) error {
	view := templates.People{Page: a.pageFor(r, "People", "people"), Text: cut(strings.TrimSpace(r.URL.Query().Get("q")), 200)}
	rows, next, err := a.People.List(r.Context(), people.Query{Text: view.Text, After: cursorOf(r), Limit: 50})
	if err != nil {
		return err
	}
	view.Rows, view.Older = rows, older(r, next)
	return a.page(w, r, http.StatusOK, templates.PeoplePage(view))
}

func (a *App) showPerson(w http.ResponseWriter, r *http.Request) error {
	view, err := a.onePerson(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.PersonPage(view))
}

// onePerson tells what a person has here, and so what switching them off would mean now.
func (a *App) onePerson(r *http.Request) (templates.OnePerson, error) {
	ctx, actor := r.Context(), actorOf(r)
	view := templates.OnePerson{Page: a.pageFor(r, "Person", "people")}
	var err error
	if view.Of, err = a.People.Person(ctx, people.ID(r.PathValue("id"))); err != nil {
		return view, err
	}
	view.Own = view.Of.ID == actor.Person
	view.CanManage = actor.Has(people.Admin) && !view.Own
	if view.Credentials, err = a.Identity.CredentialsOf(ctx, actor, view.Of.ID); err != nil {
		return view, err
	}
	if view.Checks, err = a.Identity.ValidationsFor(ctx, actor, view.Of.ID); err != nil {
		return view, err
	}
	if view.Sessions, err = a.Auth.CountSessions(ctx, actor, view.Of.ID); err != nil {
		return view, err
	}
	for _, c := range view.Credentials {
		if c.State == identity.CredentialActive || c.State == identity.CredentialSuspended {
			view.Usable = append(view.Usable, c)
		}
		one, err := a.Signing.AtStake(ctx, actor, string(c.ID))
		if err != nil {
			return view, err
		}
		view.AtStake.Stops += one.Stops
		view.AtStake.OnTheWay += one.OnTheWay
		view.AtStake.Released += one.Released
	}
	for _, v := range view.Checks {
		if v.State.Running() {
			view.Running++
		}
	}
	view.Seen = fingerprintOf(view.Of.Disabled, view.Sessions, stakes(view.AtStake), view.Running, statesOf(view.Credentials))
	return view, nil
}

// stakes are the numbers that a page tells.
func stakes(all signing.AtStake) []int { return []int{all.Stops, all.OnTheWay, all.Released} }

func statesOf(all []identity.Credential) (states []string) {
	for _, c := range all {
		states = append(states, string(c.ID)+" "+string(c.State))
	}
	return states
}

// fingerprintOf is what somebody has read before they decide: a decision made after another
// reading is asked for again.
func fingerprintOf(facts ...any) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q", facts)))
	return hex.EncodeToString(sum[:12])
}

// sawThis reports whether the form was made from what is the case now.
func sawThis(r *http.Request, now string) bool {
	return subtle.ConstantTimeCompare([]byte(r.PostForm.Get("seen")), []byte(now)) == 1
}

func (a *App) askDisable(w http.ResponseWriter, r *http.Request) error {
	view, err := a.disabling(r)
	if err != nil {
		return err
	}
	return a.page(w, r, http.StatusOK, templates.DisablePage(view))
}

func (a *App) disabling(r *http.Request) (templates.OnePerson, error) {
	view, err := a.onePerson(r)
	switch {
	case err != nil:
		return view, err
	case !personOf(r).Has(people.Admin):
		return view, notYours
	case view.Own:
		return view, &problem{status: http.StatusForbidden, title: "This is about yourself", sentence: "Nobody switches off their own account. Another admin can."}
	case view.Of.Disabled:
		return view, &problem{status: http.StatusConflict, title: "This account is switched off already", sentence: "Nothing was changed now. It can be switched on again at any time."}
	}
	view.Page = task(view.Page, "Leave it on", "/people/"+string(view.Of.ID))
	view.Title = "Switch this account off?"
	return view, nil
}

func (a *App) disable(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	view, err := a.disabling(r)
	if err != nil {
		return a.refusedToManage(r, view, true, err)
	}
	if !sawThis(r, view.Seen) {
		view.Changed = true
		return a.page(w, r, http.StatusConflict, templates.DisablePage(view))
	}
	if err := a.Auth.SetDisabled(r.Context(), actorOf(r), view.Of.ID, true); err != nil {
		return err
	}
	for _, c := range view.Credentials {
		// The account is off, and that is said. What cannot be stopped now runs out by its deadline.
		if _, err := a.Signing.StopWith(context.WithoutCancel(r.Context()), actorOf(r), string(c.ID)); err != nil {
			a.log.WarnContext(r.Context(), "what somebody switched off had begun was not stopped", "credential", c.ID, "cause", err)
		}
	}
	a.withdrawn(r.Context(), view.Of.ID)
	return a.redirect(w, r, "/people/"+string(view.Of.ID), "person-off")
}

func (a *App) enable(w http.ResponseWriter, r *http.Request) error {
	view, err := a.onePerson(r)
	if err != nil {
		return err
	}
	if !personOf(r).Has(people.Admin) {
		return a.refusedToManage(r, view, false, notYours)
	}
	if view.Own {
		return &problem{status: http.StatusForbidden, title: "This is about yourself", sentence: "Nobody switches their own account on or off. Another admin can."}
	}
	if err := a.Auth.SetDisabled(r.Context(), actorOf(r), view.Of.ID, false); err != nil {
		return err
	}
	return a.redirect(w, r, "/people/"+string(view.Of.ID), "person-on")
}

// refusedToManage has the refusal written down by who decides, and answers why.
func (a *App) refusedToManage(r *http.Request, view templates.OnePerson, disabled bool, why error) error {
	if view.Of.ID != "" && !view.CanManage {
		if err := a.Auth.SetDisabled(r.Context(), actorOf(r), view.Of.ID, disabled); err == nil {
			return errors.New("somebody who may not manage people did")
		}
	}
	return why
}
