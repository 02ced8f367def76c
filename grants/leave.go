package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

const (
	tellWait = 10 * time.Second
	tellLife = 24 * time.Hour // how long DigiCert is told again that a grant is over
	atOnce   = 50
)

// Disconnect ends the actor's grant here, at once, and tells DigiCert; told reports whether
// DigiCert has confirmed. Else it is told again for a day.
func (s *Service) Disconnect(ctx context.Context, a people.Actor) (told bool, err error) {
	g, has, err := s.Grant(ctx, a)
	if err != nil || !has {
		return true, err
	}
	c := Change{Topics: []string{Topic(a.Person)}}
	to := s.leaving(g)
	if g.State != Open {
		to.State = "" // there is no token to take back
	}
	c.Grants = []Moved{{From: g.State, To: to}}
	c.Entries = []audit.Entry{s.entry(a, audit.Entry{Action: "grant.disconnect", Subject: g.ID, From: string(g.State), To: "gone", Outcome: audit.Done})}
	err = s.Store.Apply(ctx, c)
	if errors.Is(err, ErrConflict) {
		return false, fail(CodeChanged, err)
	}
	if err != nil {
		return false, fail(CodeInternal, err)
	}
	s.forget(g.ID)
	if to.State == "" {
		return true, nil
	}
	to.Version++
	return s.settleOne(context.WithoutCancel(ctx), to), nil
}

func (s *Service) leaving(g Grant) Grant {
	g.State, g.Held, g.Deadline = Leaving, time.Time{}, s.now().Add(tellLife)
	return g
}

// SettleOf tells DigiCert of the grants of a person that are over. It is for whoever has made one
// leave, within a request: it takes no longer than one answer may, and the sweep goes on.
func (s *Service) SettleOf(ctx context.Context, p people.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWait)
	defer cancel()
	s.settle(ctx, func(g Grant) bool { return g.Person == p })
}

func (s *Service) settle(ctx context.Context, which func(Grant) bool) {
	all, err := s.Store.Leaving(ctx, atOnce)
	if err != nil {
		s.Log.WarnContext(ctx, "grants that are over could not be read", "error", err)
	}
	for _, g := range all {
		if which(g) {
			s.settleOne(ctx, g)
		}
	}
}

// settleOne deletes the row once DigiCert knows, or its time to be told is over.
func (s *Service) settleOne(ctx context.Context, g Grant) (told bool) {
	token, err := s.unseal(g)
	if err == nil {
		told = s.tell(ctx, s.Remote, g, token)
	} else {
		s.Log.WarnContext(ctx, "a token to be revoked cannot be opened", "grant", g.ID, "cause", err)
	}
	if !told && s.now().Before(g.Deadline) {
		return false
	}
	e := audit.Entry{At: s.now(), System: "sweep-grants", Owner: g.Person, Action: "grant.revoke", Object: "grant", Subject: g.ID, Outcome: audit.Done}
	if !told {
		e.Outcome, e.Reason = audit.Failed, "not_confirmed"
	}
	err = s.Store.Apply(ctx, Change{Grants: []Moved{{From: Leaving, To: Grant{ID: g.ID, Version: g.Version}}}, Entries: []audit.Entry{e}, Topics: []string{Topic(g.Person)}})
	if err != nil && !errors.Is(err, ErrConflict) {
		s.Log.WarnContext(ctx, "a grant that is over could not be deleted", "grant", g.ID, "error", err)
	}
	return told
}

// tell asks DigiCert to revoke a token; true when it is worth nothing there any more.
func (s *Service) tell(ctx context.Context, remote Remote, g Grant, token dtmclient.Secret) bool {
	ctx, cancel := context.WithTimeout(ctx, tellWait)
	defer cancel()
	err := remote.Revoke(ctx, s.ClientID, s.ClientSecret, token)
	var e *dtmclient.Error
	// A token that DigiCert does not know cannot be used either.
	if err == nil || errors.As(err, &e) && e.TokenUnknown() {
		return true
	}
	s.Log.WarnContext(ctx, "revoking a token was not confirmed", "grant", g.ID, "cause", err)
	return false
}

// Sweep goes on with what waits: grants that are over, tokens under an old master key, asks
// nobody came back from.
func (s *Service) Sweep(ctx context.Context) (int, error) {
	if s.Remote != nil {
		s.settle(ctx, func(Grant) bool { return true })
	}
	n, err := s.Store.ForgetAsks(ctx, s.now())
	return n, errors.Join(err, s.reseal(ctx))
}

// reseal brings tokens under the newest master key, so that the old one can go.
func (s *Service) reseal(ctx context.Context) error {
	old, err := s.Store.SealedBefore(ctx, s.Seal.KeyID(), atOnce)
	if err != nil {
		return err
	}
	var all []error
	for _, g := range old {
		if g.Held.After(s.now()) {
			continue // somebody is about to write it
		}
		token, err := s.unseal(g)
		if err != nil {
			all = append(all, fmt.Errorf("grant %s: %w", g.ID, err))
			continue
		}
		if err := s.seal(&g, token); err != nil {
			return err
		}
		if err := s.Store.Apply(ctx, Change{Grants: []Moved{{From: g.State, To: g}}}); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return errors.Join(all...)
}
