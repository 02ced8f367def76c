package idpsim

import (
	"context"
	"crypto/subtle"
	"errors"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

var (
	_ op.Storage                        = (*state)(nil)
	_ op.CanSetUserinfoFromRequest      = (*state)(nil)
	_ op.CanTerminateSessionFromRequest = (*state)(nil)
)

var errNotOffered = errors.New("the simulator does not offer this")

// CreateAuthRequest keeps a request until somebody has chosen who to be.
func (s *state) CreateAuthRequest(_ context.Context, asked *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if asked.CodeChallenge == "" {
		return nil, oidc.ErrInvalidRequest().WithDescription("code_challenge is needed (PKCE, S256)")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
	r := &request{id: randomID(), asked: *asked, made: s.options.Now()}
	s.requests[r.id] = r
	return *r, nil
}

// AuthRequestByID finds a request.
func (s *state) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	return s.get(id)
}

// AuthRequestByCode finds the request a code was given for. A code works once.
func (s *state) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	s.mu.Lock()
	id, ok := s.codes[code]
	delete(s.codes, code)
	s.mu.Unlock()
	if !ok {
		return nil, errUnknown
	}
	return s.get(id)
}

// SaveAuthCode remembers a code.
func (s *state) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = id
	return nil
}

// DeleteAuthRequest forgets a request that is answered.
func (s *state) DeleteAuthRequest(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
	return nil
}

// CreateAccessToken makes a token for the userinfo endpoint.
func (s *state) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := token{subject: r.GetSubject(), ends: s.options.Now().Add(s.options.TokenLife)}
	if asked, ok := r.(request); ok {
		t.sid = asked.session
	}
	id := randomID()
	s.tokens[id] = t
	return id, t.ends, nil
}

// CreateAccessAndRefreshTokens is not offered: the portal keeps no tokens.
func (s *state) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errNotOffered
}

// TokenRequestByRefreshToken is not offered.
func (s *state) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errNotOffered
}

// TerminateSession is only here to meet the interface; the request form below is used.
func (s *state) TerminateSession(context.Context, string, string) error { return errNotOffered }

// TerminateSessionFromRequest ends the session of the browser that asks, else those of the
// person the hint names, and tells the client by back channel.
func (s *state) TerminateSessionFromRequest(ctx context.Context, r *op.EndSessionRequest) (string, error) {
	s.logout(ctx, browserOf(ctx), r.UserID)
	return r.RedirectURI, nil
}

// RevokeToken forgets an access token.
func (s *state) RevokeToken(_ context.Context, id, _, _ string) *oidc.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, id)
	return nil
}

// GetRefreshTokenInfo knows no refresh tokens.
func (s *state) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

// SigningKey is the one key.
func (s *state) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms is RS256.
func (s *state) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

// KeySet is the public half.
func (s *state) KeySet(context.Context) ([]op.Key, error) { return []op.Key{publicKey{s.key}}, nil }

// GetClientByClientID knows the one client.
func (s *state) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != s.options.ClientID {
		return nil, errors.New("unknown client")
	}
	return client{s.options}, nil
}

// AuthorizeClientIDSecret compares in constant time, out of habit.
func (s *state) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != s.options.ClientID || subtle.ConstantTimeCompare([]byte(secret), []byte(s.options.ClientSecret)) != 1 {
		return errors.New("unknown client or wrong secret")
	}
	return nil
}

// SetUserinfoFromScopes is deprecated in favour of SetUserinfoFromRequest.
func (s *state) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest fills the ID token.
func (s *state) SetUserinfoFromRequest(_ context.Context, info *oidc.UserInfo, r op.IDTokenRequest, _ []string) error {
	info.Subject = r.GetSubject() // the library takes it from here
	if asked, ok := r.(request); ok {
		info.AppendClaims("sid", asked.session)
	}
	if s.options.Userinfo {
		return nil
	}
	return s.fill(info, r.GetSubject())
}

// SetUserinfoFromToken fills the answer of the userinfo endpoint.
func (s *state) SetUserinfoFromToken(_ context.Context, info *oidc.UserInfo, id, _, _ string) error {
	s.mu.Lock()
	t, ok := s.tokens[id]
	s.mu.Unlock()
	if !ok || s.options.Now().After(t.ends) {
		return errUnknown
	}
	info.Subject = t.subject
	return s.fill(info, t.subject)
}

func (s *state) fill(info *oidc.UserInfo, subject string) error {
	p, ok := s.person(subject)
	if !ok {
		return errUnknown
	}
	info.Name, info.GivenName, info.FamilyName = p.Name, p.GivenName, p.FamilyName
	info.Email, info.EmailVerified = p.Email, oidc.Bool(p.Email != "")
	info.PhoneNumber, info.PhoneNumberVerified = p.Phone, p.Phone != ""
	for k, v := range p.claims(s.options.RoleClaim) {
		info.AppendClaims(k, v)
	}
	return nil
}

// SetIntrospectionFromToken is not offered.
func (s *state) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotOffered
}

// GetPrivateClaimsFromScopes adds nothing: access tokens are opaque.
func (s *state) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return map[string]any{}, nil
}

// GetKeyByIDAndClientID knows no keys of clients.
func (s *state) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotOffered
}

// ValidateJWTProfileScopes is not offered.
func (s *state) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotOffered
}

// Health is always good.
func (s *state) Health(context.Context) error { return nil }

// client is the portal as the provider knows it.
type client struct{ o Options }

func (c client) GetID() string                       { return c.o.ClientID }
func (c client) RedirectURIs() []string              { return c.o.RedirectURIs }
func (c client) PostLogoutRedirectURIs() []string    { return c.o.PostLogoutURIs }
func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (c client) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c client) GrantTypes() []oidc.GrantType        { return []oidc.GrantType{oidc.GrantTypeCode} }
func (c client) LoginURL(id string) string           { return "/login?id=" + id }
func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeBearer }
func (c client) IDTokenLifetime() time.Duration      { return c.o.TokenLife }

// DevMode lets redirect addresses be http, as the demo's are.
func (c client) DevMode() bool { return true }
func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
func (c client) IsScopeAllowed(string) bool           { return false }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c client) ClockSkew() time.Duration             { return 0 }
