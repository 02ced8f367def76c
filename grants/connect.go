package grants

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

const (
	askLife         = 10 * time.Minute
	exchangeWait    = 30 * time.Second
	verifierPurpose = "consent verifier"
)

// Grant of the actor, as the account page shows it; false when there is none.
func (s *Service) Grant(ctx context.Context, a people.Actor) (Grant, bool, error) {
	g, err := s.Store.Of(ctx, a.Person)
	if a.Person == "" || errors.Is(err, ErrNotFound) {
		return Grant{}, false, nil
	}
	if err != nil {
		return Grant{}, false, fail(CodeInternal, err)
	}
	return g, true, nil
}

// Needed reports whether the actor has to connect, or connect again, before they can sign.
func (s *Service) Needed(ctx context.Context, a people.Actor) (bool, error) {
	g, _, err := s.Grant(ctx, a)
	return g.State != Open, err
}

// Connect begins a way to DigiCert's page and answers its address. The way back is for this
// session alone, once, within ten minutes.
func (s *Service) Connect(ctx context.Context, a people.Actor, session, returnTo string) (address string, err error) {
	if err := s.may(ctx, a); err != nil {
		return "", err
	}
	random := make([]byte, 32)
	if _, err := io.ReadFull(s.Rand, random); err != nil {
		return "", fail(CodeInternal, err)
	}
	state := base64.RawURLEncoding.EncodeToString(random)
	verifier, err := s.Remote.NewVerifier()
	if err != nil {
		return "", fail(CodeInternal, err)
	}
	address, err = s.Remote.CodeURL(ctx, dtmclient.CodeRequest{ClientID: s.ClientID, RedirectURI: s.RedirectURL, State: state, Verifier: verifier})
	if err != nil {
		return "", fail(CodeAway, err)
	}
	ask := &Ask{State: hashOf(state), Session: session, Person: a.Person, ReturnTo: returnTo, Ends: s.now().Add(askLife)}
	if ask.Verifier, err = s.Seal.Seal(verifierPurpose, ask.subject(), []byte(verifier)); err != nil {
		return "", fail(CodeInternal, err)
	}
	if err := s.Store.Apply(ctx, Change{Ask: ask}); err != nil {
		return "", fail(CodeInternal, err)
	}
	return address, nil
}

func hashOf(state string) []byte {
	sum := sha256.Sum256([]byte("connect\x00" + state))
	return sum[:]
}

func (k Ask) subject() string {
	return string(k.State) + "\x00" + k.Session + "\x00" + string(k.Person)
}

// Complete takes what DigiCert's page sent back and keeps the refresh token for the actor.
// It answers where the person wanted to go.
func (s *Service) Complete(ctx context.Context, a people.Actor, session string, q url.Values) (returnTo string, err error) {
	if err := s.may(ctx, a); err != nil {
		return "", err
	}
	ask, err := s.take(ctx, a, session, q)
	if err != nil {
		return ask.ReturnTo, s.declined(ctx, a, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*exchangeWait)
	defer cancel()
	if err := s.complete(ctx, a, ask, q.Get("code")); err != nil {
		return ask.ReturnTo, s.declined(ctx, a, err)
	}
	return ask.ReturnTo, nil
}

// take uses the ask up, before anything in the answer is looked at.
func (s *Service) take(ctx context.Context, a people.Actor, session string, q url.Values) (Ask, error) {
	state := q.Get("state")
	if len(q["state"]) != 1 || state == "" || len(state) > 255 || session == "" {
		return Ask{}, fail(CodeUnknown, nil)
	}
	ask, err := s.Store.TakeAsk(ctx, hashOf(state), session, s.now())
	switch {
	case errors.Is(err, ErrNotFound), err == nil && ask.Person != a.Person:
		return Ask{}, fail(CodeUnknown, nil)
	case err != nil:
		return Ask{}, fail(CodeInternal, err)
	case len(q["code"]) > 1 || len(q["error"]) > 1 || len(q.Get("code")) > 4096:
		return ask, fail(CodeAnswer, nil)
	case q.Get("error") == "access_denied":
		return ask, fail(CodeDeclined, nil)
	case q.Get("error") != "":
		return ask, fail(CodeRefused, nil)
	case q.Get("code") == "":
		return ask, fail(CodeAnswer, nil)
	}
	return ask, nil
}

func (s *Service) complete(ctx context.Context, a people.Actor, ask Ask, code string) error {
	verifier, err := s.Seal.Unseal(verifierPurpose, ask.subject(), ask.Verifier)
	if err != nil {
		return fail(CodeInternal, err)
	}
	ectx, cancel := context.WithTimeout(ctx, exchangeWait)
	defer cancel()
	t, err := s.Remote.ExchangeCode(ectx, dtmclient.CodeRequest{ClientID: s.ClientID, RedirectURI: s.RedirectURL, Verifier: dtmclient.Secret(verifier)},
		s.ClientSecret, dtmclient.Secret(code))
	if err != nil {
		return fail(CodeExchange, err)
	}
	if t.Refresh == "" {
		return fail(CodeNothing, nil)
	}
	g := Grant{Person: a.Person, State: Open, Since: s.now()}
	if g.ID, err = s.newID(); err != nil {
		return fail(CodeInternal, err)
	}
	if err = s.theirs(ectx, a.Person, t.Access); err == nil {
		if err = s.seal(&g, t.Refresh); err == nil {
			err = s.replace(ctx, a, g)
		}
	}
	if err != nil {
		s.tell(ctx, s.Remote, g, t.Refresh) // nobody keeps it
		var f *Error
		if !errors.As(err, &f) {
			f = fail(CodeInternal, err)
		}
		return f
	}
	return nil
}

// theirs holds the account that let us in against what the person signs with here: with
// somebody else's account every signature would be asked for in a stranger's name. A person
// without a credential has nothing yet to be wrong about.
func (s *Service) theirs(ctx context.Context, p people.ID, access dtmclient.Secret) error {
	if s.Credentials == nil || s.Reachable == nil {
		return nil
	}
	own, err := s.Credentials(ctx, p)
	if err != nil {
		return fail(CodeInternal, err)
	}
	if len(own) == 0 {
		return nil
	}
	open, err := s.Reachable(ctx, access)
	if err != nil {
		return fail(CodeUnchecked, err)
	}
	if !slices.ContainsFunc(own, func(name string) bool { return slices.Contains(open, name) }) {
		return fail(CodeOther, nil)
	}
	return nil
}

// replace makes the new grant the person's, and the old one leave.
func (s *Service) replace(ctx context.Context, a people.Actor, g Grant) error {
	c := Change{Topics: []string{Topic(a.Person)}}
	old, err := s.Store.Of(ctx, a.Person)
	switch {
	case err == nil && old.State == Open:
		c.Grants = []Moved{{From: Open, To: s.leaving(old)}}
	case err == nil:
		c.Grants = []Moved{{From: old.State, To: Grant{ID: old.ID, Version: old.Version}}}
	case !errors.Is(err, ErrNotFound):
		return fail(CodeInternal, err)
	}
	c.Grants = append(c.Grants, Moved{To: g})
	c.Entries = []audit.Entry{s.entry(a, audit.Entry{Action: "grant.connect", Subject: g.ID, To: string(Open), Outcome: audit.Done})}
	err = s.Store.Apply(ctx, c)
	if err != nil && s.stored(ctx, g) {
		err = nil
	}
	if errors.Is(err, ErrConflict) {
		return fail(CodeChanged, err)
	}
	if err != nil {
		return fail(CodeInternal, err)
	}
	if old.ID != "" {
		s.forget(old.ID)
	}
	if left := c.Grants[0].To; left.State == Leaving {
		left.Version++
		s.settleOne(ctx, left)
	}
	return nil
}

func (s *Service) entry(a people.Actor, e audit.Entry) audit.Entry {
	e.At, e.Object, e.Owner = s.now(), "grant", a.Person
	return e.By(a)
}

// may refuses whoever may not sign: nobody else needs a grant.
func (s *Service) may(ctx context.Context, a people.Actor) error {
	if people.May(a, people.Sign) {
		return nil
	}
	return s.declined(ctx, a, fail(CodeForbidden, nil))
}

// declined writes down that nothing was connected.
func (s *Service) declined(ctx context.Context, a people.Actor, err error) error {
	var f *Error
	if !errors.As(err, &f) || f.Kind == KindInternal {
		return err
	}
	outcome := audit.Refused
	if f.Kind == KindRemote {
		outcome = audit.Failed
	}
	e := s.entry(a, audit.Entry{Action: "grant.connect", Outcome: outcome, Reason: f.Code})
	if werr := s.Store.Apply(context.WithoutCancel(ctx), Change{Entries: []audit.Entry{e}}); werr != nil {
		s.Log.ErrorContext(ctx, "refusal not written to the audit log", "error", fmt.Errorf("%s: %w", f.Code, werr))
	}
	return err
}
