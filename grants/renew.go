package grants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/audit"
	"countersign/blob"
	"countersign/dtmclient"
	"countersign/people"
)

const (
	lease    = time.Minute            // how long one process may be asking with a token
	askWait  = 40 * time.Second       // for the answer: well before the lease is over
	pollWait = 100 * time.Millisecond // between two looks at a row that somebody holds
	saves    = 4                      // tries to keep a token that has changed
)

// ErrNotConnected is answered where a person has to let the portal in at DigiCert first, or
// again. Nothing was sent in their name.
var ErrNotConnected = errors.New("the person has not connected their DigiCert account")

// Own authenticates with the site's own grant. It begins with the token of the configuration,
// goes on with what DigiCert gives in its place, also after a restart and at other replicas,
// and comes back to the configured one once when the kept one is refused.
func (s *Service) Own(configured dtmclient.Secret) dtmclient.Authenticator {
	return dtmclient.Held(func(ctx context.Context, c *dtmclient.Client) (dtmclient.Tokens, error) {
		return s.renewOwn(ctx, c, configured)
	})
}

func (s *Service) renewOwn(ctx context.Context, remote Remote, configured dtmclient.Secret) (dtmclient.Tokens, error) {
	if err := s.begin(ctx, configured); err != nil {
		return dtmclient.Tokens{}, err
	}
	g, err := s.claim(ctx, "", "")
	if err != nil {
		return dtmclient.Tokens{}, err
	}
	kept, err := s.unseal(g)
	switch {
	case err == nil:
	case errors.Is(err, blob.ErrCorrupt):
		s.Log.WarnContext(ctx, "the kept refresh token cannot be opened; the configured one is used", "cause", err)
		kept = configured
	default:
		return dtmclient.Tokens{}, s.closed(ctx, g, err)
	}
	next, err := s.ask(ctx, remote, g, kept)
	if refused(err) && kept != configured {
		s.Log.WarnContext(ctx, "the kept refresh token was refused; the configured one is tried")
		next, err = s.ask(ctx, remote, g, configured)
		kept = configured
	}
	if err != nil {
		s.release(ctx, g)
		return dtmclient.Tokens{}, err
	}
	return next, s.keep(ctx, remote, g, kept, next)
}

// begin makes the site's own row where there is none.
func (s *Service) begin(ctx context.Context, configured dtmclient.Secret) error {
	_, err := s.Store.Of(ctx, "")
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	g := Grant{State: Open, Since: s.now()}
	if g.ID, err = s.newID(); err != nil {
		return err
	}
	if err := s.seal(&g, configured); err != nil {
		return err
	}
	err = s.Store.Apply(ctx, Change{Grants: []Moved{{To: g}}})
	if errors.Is(err, ErrConflict) { // another process was quicker
		return nil
	}
	return err
}

// claim takes the lease of a grant, waiting for whoever has it. With an id it must be that
// grant. ErrNotConnected when there is none that is open.
func (s *Service) claim(ctx context.Context, p people.ID, id string) (Grant, error) {
	ctx, cancel := context.WithTimeout(ctx, lease+askWait)
	defer cancel()
	for {
		g, err := s.Store.Of(ctx, p)
		switch {
		case errors.Is(err, ErrNotFound), err == nil && (g.State != Open || id != "" && g.ID != id):
			return g, ErrNotConnected
		case err != nil:
			return g, fmt.Errorf("read a grant: %w", err)
		}
		now := s.now()
		if g.Held.After(now) && !g.Held.After(now.Add(2*lease)) { // later: a clock was put back
			select {
			case <-ctx.Done():
				return g, fmt.Errorf("wait for another process that asks with the token: %w", ctx.Err())
			case <-time.After(pollWait):
			}
			continue
		}
		claimed := g
		claimed.Held = now.Add(lease)
		err = s.Store.Apply(ctx, Change{Grants: []Moved{{From: g.State, To: claimed}}})
		if errors.Is(err, ErrConflict) {
			continue
		}
		claimed.Version++
		return claimed, err
	}
}

func (s *Service) ask(ctx context.Context, remote Remote, g Grant, token dtmclient.Secret) (dtmclient.Tokens, error) {
	ctx, cancel := context.WithDeadline(ctx, time.Now().Add(min(askWait, g.Held.Sub(s.now()))))
	defer cancel()
	return remote.Refresh(ctx, s.ClientID, s.ClientSecret, token)
}

func refused(err error) bool {
	var e *dtmclient.Error
	return errors.As(err, &e) && e.GrantRefused()
}

// keep stores the token to use from now on. Where DigiCert has changed it the old one is
// dead, so a database that stumbles is asked again.
func (s *Service) keep(ctx context.Context, remote Remote, g Grant, used dtmclient.Secret, t dtmclient.Tokens) error {
	newest := t.Refresh
	if newest == "" {
		newest = used
	}
	g.Held, g.RenewedAt = time.Time{}, s.now()
	if err := s.seal(&g, newest); err != nil {
		return err
	}
	var err error
	for try := range saves {
		err = s.Store.Apply(ctx, Change{Grants: []Moved{{From: Open, To: g}}})
		if err != nil && s.stored(ctx, g) {
			err = nil
		}
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrConflict) {
			// It was taken back meanwhile: what DigiCert gave just now has to go too.
			if t.Refresh != "" {
				s.tell(ctx, remote, g, newest)
			}
			return ErrNotConnected
		}
		time.Sleep(time.Duration(try) * 300 * time.Millisecond)
	}
	if t.Refresh != "" {
		s.alarm(ctx, "a refresh token that DigiCert has changed could not be kept", "grant", g.ID, "error", err)
	}
	return fmt.Errorf("keep a refresh token: %w", err)
}

// stored reports whether a write took place whose answer was lost. No two sealings are alike.
func (s *Service) stored(ctx context.Context, g Grant) bool {
	now, err := s.Store.Of(ctx, g.Person)
	return err == nil && now.ID == g.ID && now.State == Open && bytes.Equal(now.Sealed, g.Sealed)
}

// release gives the lease back after a try that changed nothing.
func (s *Service) release(ctx context.Context, g Grant) {
	g.Held = time.Time{}
	if err := s.Store.Apply(ctx, Change{Grants: []Moved{{From: Open, To: g}}}); err != nil && !errors.Is(err, ErrConflict) {
		s.Log.WarnContext(ctx, "the lease of a grant runs out by itself", "grant", g.ID, "error", err)
	}
}

// renew gets an access token of a person.
func (s *Service) renew(ctx context.Context, p people.ID, id string) (dtmclient.Tokens, error) {
	g, err := s.claim(ctx, p, id)
	if err != nil {
		return dtmclient.Tokens{}, err
	}
	token, err := s.unseal(g)
	switch {
	case err == nil:
	case errors.Is(err, blob.ErrCorrupt):
		s.alarm(ctx, "a person’s refresh token cannot be opened", "grant", g.ID, "person", p, "error", err)
		s.end(ctx, g, "unreadable")
		return dtmclient.Tokens{}, fmt.Errorf("%w: %w", ErrNotConnected, err)
	default:
		return dtmclient.Tokens{}, s.closed(ctx, g, err)
	}
	t, err := s.ask(ctx, s.Remote, g, token)
	switch {
	case refused(err):
		s.end(ctx, g, "refused")
		return dtmclient.Tokens{}, fmt.Errorf("%w: %w", ErrNotConnected, err)
	case err != nil:
		s.release(ctx, g)
		return dtmclient.Tokens{}, err
	}
	return t, s.keep(ctx, s.Remote, g, token, t)
}

// closed leaves a token alone that does not open here: with its master key missing it is as good
// as ever, and another replica, or the next start, may have the key.
func (s *Service) closed(ctx context.Context, g Grant, err error) error {
	s.alarm(ctx, "a refresh token cannot be opened for want of its master key", "grant", g.ID, "person", g.Person, "error", err)
	s.release(ctx, g)
	return fmt.Errorf("open a refresh token: %w", err)
}

// end writes down that DigiCert takes a person's token no longer.
func (s *Service) end(ctx context.Context, g Grant, reason string) {
	g.State, g.Sealed, g.Key, g.Held = Ended, nil, "", time.Time{}
	e := audit.Entry{At: s.now(), System: "dtm", Owner: g.Person, Action: "grant.end", Object: "grant", Subject: g.ID,
		From: string(Open), To: string(Ended), Outcome: audit.Observed, Reason: reason}
	err := s.Store.Apply(ctx, Change{Grants: []Moved{{From: Open, To: g}}, Entries: []audit.Entry{e}, Topics: []string{Topic(g.Person)}})
	if err != nil && !errors.Is(err, ErrConflict) {
		s.Log.ErrorContext(ctx, "a grant that has ended could not be marked", "grant", g.ID, "error", err)
	}
	s.forget(g.ID)
}
