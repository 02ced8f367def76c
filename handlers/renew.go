package handlers

import (
	"errors"
	"net/http"

	"countersign/identity"
	"countersign/people"
	"countersign/web/templates"
)

// renewal tells how far the successor of a credential is, and what the reader may do about it.
func (a *App) renewal(r *http.Request, c identity.Credential) (templates.Renewal, error) {
	ctx, actor := r.Context(), actorOf(r)
	view := templates.Renewal{Asked: c.RenewalAsked, Retired: c.RetiredAt}
	if c.State.Ended() {
		return view, nil
	}
	successor, err := a.Identity.Successor(ctx, actor, c.ID)
	switch {
	case err == nil:
		view.Successor, view.At = &successor, 2
		if successor.State != identity.CredentialPending && successor.State != identity.CredentialIssuanceUnknown {
			view.At = 4
		}
		return view, nil
	case !errors.Is(err, identity.ErrNotFound):
		return view, err
	}
	if !c.RetiredAt.IsZero() {
		view.At = 4
		return view, nil
	}
	if c.State != identity.CredentialActive {
		return view, nil
	}
	check, err := a.Identity.Validation(ctx, actor, c.Validation)
	if err != nil || check.State != identity.ValidationApproved {
		view.NeedsCheck = true
		return view, nil //nolint:nilerr // a check that cannot be read leads to no credential
	}
	own, admin := c.Person == actor.Person, actor.Has(people.Admin)
	asked := !c.RenewalAsked.IsZero()
	if asked {
		view.At = 1
	}
	view.CanAsk = own && !asked
	view.CanDrop = asked && (own || admin)
	view.CanMake = admin && !own
	return view, nil
}

func (a *App) askRenewal(w http.ResponseWriter, r *http.Request) error {
	err := a.Identity.AskRenewal(r.Context(), actorOf(r), identity.CredentialID(r.PathValue("id")))
	return a.credentialChanged(w, r, err, "renewal-asked")
}

func (a *App) dropRenewal(w http.ResponseWriter, r *http.Request) error {
	err := a.Identity.DropRenewal(r.Context(), actorOf(r), identity.CredentialID(r.PathValue("id")))
	return a.credentialChanged(w, r, err, "renewal-dropped")
}

func (a *App) renew(w http.ResponseWriter, r *http.Request) error {
	_, err := a.Identity.Renew(r.Context(), actorOf(r), identity.CredentialID(r.PathValue("id")))
	return a.credentialChanged(w, r, err, "issued")
}

func (a *App) setDefault(w http.ResponseWriter, r *http.Request) error {
	err := a.Identity.SetDefault(r.Context(), actorOf(r), identity.CredentialID(r.PathValue("id")))
	return a.credentialChanged(w, r, err, "default")
}
