package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"countersign/audit"
	"countersign/people"
)

// List answers the actor's own sessions that still count, newest first.
func (a *Auth) List(ctx context.Context, actor people.Actor) ([]Session, error) {
	all, err := a.Store.Sessions(ctx, actor.Person)
	if err != nil {
		return nil, fail("internal", err)
	}
	open := all[:0]
	for _, s := range all {
		if a.over(s, people.Person{}) == "" {
			open = append(open, s)
		}
	}
	return open, nil
}

// CountSessions counts a person's sessions that still count, for those who may read people.
func (a *Auth) CountSessions(ctx context.Context, actor people.Actor, p people.ID) (int, error) {
	if !people.May(actor, people.ReadPeople) {
		return 0, fail("not_allowed", nil)
	}
	open, err := a.List(ctx, people.Actor{Person: p})
	return len(open), err
}

// EndSession ends one of the actor's own sessions by its public id.
func (a *Auth) EndSession(ctx context.Context, actor people.Actor, id string) error {
	all, err := a.Store.Sessions(ctx, actor.Person)
	if err != nil {
		return fail("internal", err)
	}
	for _, s := range all {
		if s.ID != id {
			continue
		}
		e := a.actorEntry(actor, audit.Entry{Owner: s.Person, Action: "session.end", Object: "session", Subject: s.ID,
			From: "open", To: "ended", Outcome: audit.Done, Reason: "ended_by_person"})
		if err := a.Store.End(ctx, s.Hash, e); err != nil {
			return fail("internal", err)
		}
		return nil
	}
	return fail("not_found", nil)
}

// EndAll ends every session of a person: one's own, or anybody's for those who manage people.
func (a *Auth) EndAll(ctx context.Context, actor people.Actor, p people.ID) (int, error) {
	e := a.actorEntry(actor, audit.Entry{Owner: p, Action: "session.end", Object: "session",
		From: "open", To: "ended", Outcome: audit.Done, Reason: "all_ended"})
	if actor.Person != p {
		if err := a.mayManage(ctx, actor, e, p); err != nil {
			return 0, err
		}
	}
	n, err := a.Store.EndAll(ctx, Which{Person: p}, e)
	if err != nil {
		return n, fail("internal", err)
	}
	return n, nil
}

// SetDisabled switches a person off, which ends their sessions at once, or on again.
func (a *Auth) SetDisabled(ctx context.Context, actor people.Actor, p people.ID, disabled bool) error {
	e := a.actorEntry(actor, audit.Entry{Owner: p, Action: "person.enable", Object: "person", Subject: string(p),
		From: "disabled", To: "enabled", Outcome: audit.Done})
	if disabled {
		e.Action, e.From, e.To = "person.disable", "enabled", "disabled"
	}
	if err := a.mayManage(ctx, actor, e, p); err != nil {
		return err
	}
	err := a.Store.SetDisabled(ctx, p, disabled, e)
	if errors.Is(err, ErrNotFound) {
		return fail("not_found", nil)
	}
	if err != nil {
		return fail("internal", err)
	}
	return nil
}

// mayManage refuses, with a line in the log, whoever may not manage people, and everybody about themselves.
func (a *Auth) mayManage(ctx context.Context, actor people.Actor, e audit.Entry, p people.ID) error {
	code := ""
	switch {
	case !people.May(actor, people.ManagePeople):
		code = "not_allowed"
	case actor.Person == p:
		code = "own_account"
	default:
		return nil
	}
	e.From, e.To, e.Outcome, e.Reason = "", "", audit.Refused, code
	if err := a.Store.Record(ctx, e); err != nil {
		return fail("internal", err)
	}
	return fail(code, nil)
}

// LogoutToken takes a back-channel logout token (OpenID Connect Back-Channel Logout 1.0,
// 2.6) and ends the sessions it names, on every replica with their next request. A token
// works once.
func (a *Auth) LogoutToken(ctx context.Context, raw string) error {
	typ, err := tokenType(raw)
	if err != nil {
		return fail("token_refused", err)
	}
	if typ != "" && typ != "jwt" && typ != "logout+jwt" {
		return fail("token_refused", fmt.Errorf("a token of type %q is not a logout token", cut(typ, 40)))
	}
	d, err := a.provider.discover(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*remoteWait)
	defer cancel()
	t, err := d.verifier.VerifyLogout(ctx, raw)
	if err != nil {
		return fail("token_refused", short(fmt.Errorf("verify logout token: %w", err)))
	}
	now := a.Now()
	if t.Issuer != d.issuer || !t.IssuedAt.After(time.Unix(0, 0)) || t.IssuedAt.After(now.Add(allowedSkew)) || t.Expiry.After(now.Add(24*time.Hour)) || len(t.TokenID) > 255 {
		return fail("token_refused", errors.New("logout token is of another issuer, time or form"))
	}
	which := Which{Issuer: t.Issuer, Subject: t.Subject, ProviderSession: t.SessionID}
	e := audit.Entry{At: now.UTC(), System: "provider", Action: "session.end", Object: "session",
		From: "open", To: "ended", Outcome: audit.Observed, Reason: "provider_logout"}
	n, err := a.Store.EndByToken(ctx, "logout "+t.Issuer+" "+t.TokenID, t.Expiry.Add(allowedSkew), which, e)
	if errors.Is(err, ErrUsed) {
		return fail("attempt_used", errors.New("logout token was used before"))
	}
	if err != nil {
		return fail("internal", err)
	}
	a.Log.InfoContext(ctx, "provider ended sessions", "count", n)
	return nil
}

// Sweep deletes what is over: sessions nobody came back to, and ids that need no longer
// be remembered. A job calls it now and then.
func (a *Auth) Sweep(ctx context.Context) (int, error) {
	n, err := a.Store.SweepSessions(ctx, a.now())
	if err != nil {
		return n, fmt.Errorf("sweep sessions: %w", err)
	}
	return n, nil
}
