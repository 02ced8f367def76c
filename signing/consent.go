package signing

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

// OAuthClient is what the provider knows us by, where people approve at its own page (CSC 8.3.2,
// authMode oauth2code). Without an ID credentials of that kind are refused.
type OAuthClient struct {
	ID          string
	Secret      Secret
	RedirectURI string // registered there, and compared by it to the letter
}

// Consent is the last visit to the provider's page that a person was sent to for a ceremony.
// What comes back is taken once, in the session it was begun in.
type Consent struct {
	Ceremony CeremonyID
	State    []byte // SHA-256 of the state that comes back
	Session  []byte // SHA-256 of what the session is known by
	Provider string // address of the page, without its query
	Key      []byte // wrapped key of Verifier; nil once used
	Verifier []byte // of PKCE (RFC 7636), sealed, with the ceremony as associated data
	AskedAt  time.Time
	Ends     time.Time
	UsedAt   time.Time // zero: the answer may still come
}

// ConsentAnswer is what the provider sent the person back with.
type ConsentAnswer struct {
	State  Secret
	Code   Secret
	Error  string // RFC 6749, 4.1.2.1
	Issuer string // RFC 9207; most send none
}

const (
	maxState = 255 // bytes, CSC 8.3.2
	maxCode  = 4096
)

// AskConsent answers the address of the provider's page where the person approves exactly the
// documents of the ceremony. What can be told before is settled first, and the visit is counted.
// Another one makes the answer of the one before worthless.
func (s *Service) AskConsent(ctx context.Context, a people.Actor, id CeremonyID, session []byte) (address string, err error) {
	const action = "ceremony.ask_consent"
	if err := s.may(ctx, a, people.Sign, "ceremony", string(id)); err != nil {
		return "", err
	}
	c, signatures, err := s.ceremony(ctx, a, id)
	if err != nil {
		return "", s.declined(ctx, a, action, id, err)
	}
	if err := s.waits(ctx, a, &c, signatures); err != nil {
		return "", s.declined(ctx, a, action, id, err)
	}
	if !c.Factor.Consent() || len(session) == 0 {
		return "", s.declined(ctx, a, action, id, fail(codeNoConsent, nil))
	}
	if err := s.connected(ctx, c.Owner); err != nil {
		return "", s.declined(ctx, a, action, id, err)
	}
	if err := s.settle(ctx, c, signatures); err != nil {
		return "", s.declined(ctx, a, action, id, err)
	}
	v, q, err := s.visit(c, toSign(signatures), session)
	if err != nil {
		return "", err
	}
	if address, err = s.Remote.CodeURL(ctx, q); err != nil {
		return "", s.declined(ctx, a, action, id, ofRemote(err))
	}
	if v.Provider, err = provider(address); err != nil {
		return "", s.declined(ctx, a, action, id, fail(codeUnreachable, err))
	}
	if err := s.countConsent(context.WithoutCancel(ctx), a, &c, v); err != nil {
		return "", s.declined(ctx, a, action, id, err)
	}
	return address, nil
}

// provider is the address of the page without what is asked for there.
func provider(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("the address of the provider's page cannot be read")
	}
	u.RawQuery, u.Fragment = "", ""
	return u.String(), nil
}

// visit makes the secrets of one visit, and what it asks for.
func (s *Service) visit(c Ceremony, signatures []Signature, session []byte) (v Consent, q dtmclient.CodeRequest, err error) {
	var random [64]byte
	if _, err := io.ReadFull(s.Rand, random[:]); err != nil {
		return v, q, internal(fmt.Errorf("make the state of a consent: %w", err))
	}
	state, verifier := base64.RawURLEncoding.EncodeToString(random[:32]), base64.RawURLEncoding.EncodeToString(random[32:])
	v = Consent{Ceremony: c.ID, State: sum([]byte(state)), Session: sum(session), AskedAt: s.now()}
	v.Ends = v.AskedAt.Add(s.ConsentLife)
	if c.Deadline.Before(v.Ends) {
		v.Ends = c.Deadline
	}
	if v.Key, err = s.Blobs.NewKey(sealedFor(c.ID)); err == nil {
		v.Verifier, err = s.Blobs.Seal(sealedFor(c.ID), v.Key, []byte(verifier))
	}
	if err != nil {
		return v, q, internal(fmt.Errorf("seal the verifier of a consent: %w", err))
	}
	q = s.codeRequest(c, signatures, Secret(verifier))
	q.State = state
	return v, q, nil
}

// sealedFor binds what is sealed to the ceremony. No document has such an id.
func sealedFor(id CeremonyID) DocumentID { return DocumentID("consent of " + id) }

func (s *Service) codeRequest(c Ceremony, signatures []Signature, verifier Secret) dtmclient.CodeRequest {
	q := dtmclient.CodeRequest{ClientID: s.OAuth.ID, RedirectURI: s.OAuth.RedirectURI, Verifier: verifier, CredentialID: c.CredentialName,
		Description: Described(len(signatures)), ClientData: string(c.ID)}
	for _, g := range signatures {
		q.Hashes = append(q.Hashes, g.Digest)
	}
	return q
}

func sum(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

// countConsent moves the ceremony and counts the visit, within the limit.
func (s *Service) countConsent(ctx context.Context, a people.Actor, c *Ceremony, v Consent) error {
	t := s.step(a)
	c.Sends++
	c.Reason, c.CodeSentAt, c.CodeEnds = "", v.AskedAt, v.Ends
	t.ceremony(c, CeremonyConsenting, c.Deadline, "ceremony.ask_consent")
	t.Consents = []Consent{v}
	t.Attempts = []Attempt{{Action: "consent.ask", Subject: c.Credential, At: t.now}}
	t.Limits = append(s.inRow(*c, t.now), Limit{Action: "consent.ask", Subject: c.Credential, Since: t.now.Add(-time.Hour), Max: s.Limits.ConsentsPerHour})
	err := s.applyAt(ctx, PointConsent, t)
	if !errors.Is(err, ErrLimited) {
		return ofStore(err)
	}
	if f := s.rests(ctx, *c, t.now, err); f != nil {
		return f
	}
	f := fail(codeConsentOften, err)
	f.RetryAfter = 10 * time.Minute
	return f
}

// TakeConsent takes the answer a person came back with. An answer that is not for this session,
// this person and a ceremony that waits for it is refused, and nothing is exchanged. A good one is
// used up in the change that lets this call through; then the code is exchanged and all is signed,
// on a context that outlives the call, which does not wait for it.
//
// The ceremony is answered as it stands; its ID is set whenever the answer was this person's.
func (s *Service) TakeConsent(ctx context.Context, a people.Actor, session []byte, in ConsentAnswer) (Ceremony, error) {
	const action = "ceremony.authorize"
	if err := s.may(ctx, a, people.Sign, "ceremony", ""); err != nil {
		return Ceremony{}, err
	}
	c, signatures, v, err := s.answered(ctx, a, session, in)
	if err != nil {
		return c, s.declined(ctx, a, action, c.ID, err)
	}
	ctx = context.WithoutCancel(ctx)
	if in.Error != "" {
		return s.notConsented(ctx, a, c, v, in.Error)
	}
	if err := s.connected(ctx, c.Owner); err != nil { // the approval could not be used
		return c, s.declined(ctx, a, action, c.ID, err)
	}
	verifier, err := s.Blobs.Unseal(sealedFor(c.ID), v.Key, v.Verifier)
	if err != nil {
		return c, s.declined(ctx, a, action, c.ID, fail(codeConsentUnknown, err))
	}
	at := s.newAuthorizing(a, c, signatures)
	at.before, at.consent = CeremonyPrepared, &v
	at.get = func(ctx context.Context) (dtmclient.SAD, error) {
		return s.exchange(ctx, at, Secret(verifier), in.Code)
	}
	if err := at.claim(ctx); err != nil {
		return c, s.declined(ctx, a, action, c.ID, err)
	}
	claimed := at.c
	s.afoot.Go(func() { s.goOn(ctx, at) })
	return claimed, nil
}

// answered finds what an answer belongs to, and refuses it unless all of it is as it was asked.
func (s *Service) answered(ctx context.Context, a people.Actor, session []byte, in ConsentAnswer) (c Ceremony, signatures []Signature, v Consent, err error) {
	refused := func(code string, cause error) (Ceremony, []Signature, Consent, error) {
		return c, nil, v, fail(code, cause)
	}
	if in.State == "" || len(in.State) > maxState || len(in.Code) > maxCode || (in.Code == "") == (in.Error == "") {
		return refused(codeConsentUnknown, errors.New("the answer is not one"))
	}
	v, err = s.Store.Consent(ctx, sum([]byte(in.State)))
	if errors.Is(err, ErrNotFound) {
		return refused(codeConsentUnknown, errors.New("no such state"))
	}
	if err != nil {
		return c, nil, v, ofStore(err)
	}
	found, signatures, err := s.ceremony(ctx, a, v.Ceremony)
	if errors.Is(err, ErrNotFound) {
		return refused(codeConsentUnknown, errors.New("the answer is for somebody else's ceremony"))
	}
	if err != nil {
		return c, nil, v, err
	}
	c = found
	if subtle.ConstantTimeCompare(v.Session, sum(session)) != 1 {
		return refused(codeConsentSession, nil)
	}
	if !v.UsedAt.IsZero() {
		return refused(codeConsentUsed, nil)
	}
	if err := s.waits(ctx, a, &c, signatures); err != nil {
		return c, nil, v, err
	}
	switch {
	case c.State != CeremonyConsenting:
		return refused(codeConsentUsed, fmt.Errorf("the ceremony is %s", c.State))
	case !s.now().Before(v.Ends):
		return refused(codeConsentLate, nil)
	}
	same, err := s.stillAsked(ctx, v.Provider, in.Issuer)
	if err != nil { // the answer stays good, for as long as it is
		return c, nil, v, ofRemote(err)
	}
	if !same {
		return refused(codeConsentUnknown, errors.New("the answer is of another provider than was asked"))
	}
	return c, signatures, v, nil
}

// stillAsked holds that the code goes where it comes from: the provider in the configuration is
// the one the person was sent to, and who the answer says it is from is there too. The error is that the
// provider cannot be asked where its page is.
func (s *Service) stillAsked(ctx context.Context, asked, issuer string) (bool, error) {
	address, err := s.Remote.CodeURL(ctx, dtmclient.CodeRequest{ClientID: s.OAuth.ID, State: "-", Verifier: "-"})
	if err != nil {
		return false, err
	}
	now, err := provider(address)
	if err != nil || now != asked {
		return false, nil
	}
	if issuer == "" {
		return true, nil
	}
	page, err := url.Parse(now)
	from, ferr := url.Parse(issuer)
	return err == nil && ferr == nil && from.Scheme == page.Scheme && from.Host == page.Host, nil
}

// notConsented takes a "no" of the person or the provider: nothing was signed, and they may go there again.
func (s *Service) notConsented(ctx context.Context, a people.Actor, c Ceremony, v Consent, why string) (Ceremony, error) {
	t := s.step(a)
	c.Reason = codeConsentRefused
	switch why {
	case "access_denied":
		c.Reason = codeDeclined
	case "server_error", "temporarily_unavailable":
		c.Reason = codeRemoteBusy
	}
	t.ceremony(&c, CeremonyPrepared, c.Deadline, "ceremony.send_back").Outcome = audit.Failed
	t.Taken = []Consent{v}
	if err := s.applyAt(ctx, PointClaim, t); err != nil {
		return c, ofStore(err)
	}
	if c.Reason == codeConsentRefused {
		s.Log.WarnContext(ctx, "the provider's page gave an error", "ceremony", c.ID, "code", known(why))
	}
	return c, nil
}

// known is a code of RFC 6749 or CSC; anybody may have written another one.
func known(code string) string {
	switch code {
	case "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope":
		return code
	}
	return "another"
}

// exchange trades the code for the activation data.
func (s *Service) exchange(ctx context.Context, at *authorizing, verifier, code Secret) (dtmclient.SAD, error) {
	s.Reached(PointRedeem, false)
	t, err := s.Remote.ExchangeCode(ctx, s.codeRequest(at.c, at.signatures, verifier), s.OAuth.Secret, code)
	if err != nil {
		return dtmclient.SAD{}, err
	}
	s.Reached(PointRedeem, true)
	if !t.SAD {
		return dtmclient.SAD{}, fail(codeConsentNoSAD, nil)
	}
	return dtmclient.SAD{Value: t.Access, ExpiresIn: t.Life}, nil
}

// ofExchange says what an error of the exchange means. The code is worth nothing afterwards
// whatever it was, and nothing was signed: the person may go there again.
func ofExchange(err error) outcome {
	var f *Error
	if errors.As(err, &f) {
		return outcome{code: f.Code, back: true}
	}
	if errors.Is(err, dtmclient.ErrOtherToken) {
		return outcome{code: codeConsentNoSAD, back: true}
	}
	o := ofAuthorize(err)
	if o.code == codeRemoteRefused || o.code == codeNotApproved {
		o = outcome{code: codeConsentRefused, back: true}
	}
	o.back = true
	return o
}
