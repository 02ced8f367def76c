package idpsim

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/crypto"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// EndSessions ends all browser sessions of a person, as an administrator of the provider
// would, and tells the client by back channel. It answers how many there were.
func (p *Provider) EndSessions(ctx context.Context, subject string) int {
	return p.state.logout(ctx, "", subject)
}

func (s *state) logout(ctx context.Context, browser, subject string) int {
	ended := s.end(browser, subject)
	for _, n := range ended {
		if err := s.tell(ctx, n); err != nil {
			s.options.Log.WarnContext(ctx, "logout token not delivered", "cause", err)
		}
	}
	return len(ended)
}

// LogoutToken makes a signed logout token (OpenID Connect Back-Channel Logout 1.0, 2.4).
func (p *Provider) LogoutToken(subject, sid string) (string, error) {
	return p.state.logoutToken(subject, sid)
}

func (s *state) logoutToken(subject, sid string) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.key.key, KeyID: s.key.id}},
		(&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		return "", fmt.Errorf("sign logout token: %w", err)
	}
	now := s.options.Now()
	claims := oidc.NewLogoutTokenClaims(s.options.Issuer, subject, oidc.Audience{s.options.ClientID}, now.Add(2*time.Minute), randomID(), sid, 0)
	claims.IssuedAt = oidc.FromTime(now)
	return crypto.Sign(claims, signer)
}

// tell posts a logout token to the client (2.5).
func (s *state) tell(ctx context.Context, n session) error {
	if s.options.BackChannelURI == "" {
		return nil
	}
	raw, err := s.logoutToken(n.subject, n.sid)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	form := url.Values{"logout_token": {raw}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.options.BackChannelURI, strings.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.options.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("post logout token: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 1<<10)
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("post logout token: status %d", resp.StatusCode)
	}
	return nil
}
