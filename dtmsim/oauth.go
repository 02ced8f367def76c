package dtmsim

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// token is an access or refresh token; those without a user are the service's own.
type token struct {
	user    string
	grant   string // ties access tokens to the refresh token they came with
	expires time.Time
	refresh bool
	revoked bool
}

const keepTokens = 10000

func (s *Sim) newToken(t token) string {
	for value, old := range s.tokens { // forget the dead before the map grows without end
		if len(s.tokens) < keepTokens {
			break
		}
		if old.revoked || !s.now().Before(old.expires) {
			delete(s.tokens, value)
		}
	}
	value := s.secret()
	s.tokens[value] = &t
	return value
}

// serveToken is oauth2/token (CSC 8.3.3) for client_credentials, as a form or, as older clients send it, as JSON.
func (s *Sim) serveToken(w http.ResponseWriter, r *http.Request) {
	form, err := tokenForm(w, r)
	if err != nil {
		s.writeCSCError(w, refuse(genericText))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if u, p, ok := r.BasicAuth(); ok { // RFC 6749, 2.3.1: both are form-encoded first
		u, err1 := url.QueryUnescape(u)
		p, err2 := url.QueryUnescape(p)
		if err1 == nil && err2 == nil {
			id, secret = u, p
		}
	}
	if err := s.checkTokenRequest(form.Get("grant_type"), id, secret); err != nil {
		s.writeCSCError(w, err)
		return
	}
	value := s.newToken(token{expires: s.now().Add(tokenLife)})
	writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(tokenLife / time.Second), "access_token": value})
}

func (s *Sim) checkTokenRequest(grant, id, secret string) error {
	switch {
	case id == "":
		return refuse("Missing parameter client_id")
	case id != s.opt.ClientID:
		return refuse("Invalid parameter client_id")
	case grant == "":
		return refuse("Missing parameter grant_type")
	case grant != "client_credentials":
		return refuse("Invalid parameter grant_type")
	case secret == "":
		return &cscError{status: http.StatusUnauthorized, code: "invalid_request", text: "Client authorization required"}
	case secret != s.opt.ClientSecret:
		return refuse("Invalid parameter client_secret")
	}
	return nil
}

func tokenForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	if ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); ct != "application/json" {
		return url.ParseQuery(string(body))
	}
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	form := url.Values{}
	for k, v := range in {
		if text, ok := v.(string); ok {
			form.Set(k, text)
		}
	}
	return form, nil
}

// serveLogin is auth/login with HTTP Basic (CSC 11.2); the token it gives is the user's.
func (s *Sim) serveLogin(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	c := &cscCall{Sim: s, r: r}
	if err == nil {
		err = c.parse(body)
	}
	if err != nil {
		s.writeCSCError(w, refuse(genericText))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := c.login()
	if err != nil {
		s.writeCSCError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (c *cscCall) login() (any, error) {
	if _, sent := c.in["refresh_token"]; sent {
		value := c.str("refresh_token")
		if value == "" {
			return nil, refuse("Invalid string parameter: refresh_token")
		}
		t := c.tokens[value]
		if t == nil || !t.refresh || t.revoked || !c.now().Before(t.expires) {
			return nil, refuse("Invalid refresh_token")
		}
		return c.loggedIn(t.user, t.grant, ""), nil
	}
	if !strings.HasPrefix(c.r.Header.Get("Authorization"), "Basic ") {
		return nil, &cscError{status: http.StatusUnauthorized, code: "invalid_request", text: "Malformed authentication parameter."}
	}
	name, password, ok := c.r.BasicAuth()
	if !ok || name == "" {
		return nil, refuse("Malformed username-password.")
	}
	u := c.findUser(name)
	if u == nil || password != c.opt.Password {
		return nil, &cscError{status: http.StatusBadRequest, code: "authentication_error", text: "An error occurred during authentication process"}
	}
	remember, err := c.boolean("rememberMe")
	if err != nil {
		return nil, err
	}
	grant, refresh := c.newID(), ""
	if remember {
		refresh = c.newToken(token{user: u.ID, grant: grant, expires: c.now().Add(30 * 24 * time.Hour), refresh: true})
	}
	return c.loggedIn(u.ID, grant, refresh), nil
}

func (c *cscCall) loggedIn(user, grant, refresh string) any {
	out := map[string]any{"access_token": c.newToken(token{user: user, grant: grant, expires: c.now().Add(tokenLife)}), "expires_in": int(tokenLife / time.Second)}
	if refresh != "" {
		out["refresh_token"] = refresh
	}
	return out
}

// cscRevoke is auth/revoke (CSC 11.3).
func cscRevoke(c *cscCall) (any, error) {
	value, err := c.need("token")
	if err != nil {
		return nil, err
	}
	hint := c.str("token_type_hint")
	if _, sent := c.in["token_type_hint"]; sent && hint != "access_token" && hint != "refresh_token" {
		return nil, refuse("Invalid string parameter token_type_hint")
	}
	t := c.tokens[value]
	if t == nil || t.revoked || (hint != "" && t.refresh != (hint == "refresh_token")) {
		return nil, refuse("Invalid string parameter token")
	}
	t.revoked = true
	if t.refresh {
		for _, o := range c.tokens {
			if o.grant == t.grant {
				o.revoked = true
			}
		}
	}
	return noContent{}, nil
}
