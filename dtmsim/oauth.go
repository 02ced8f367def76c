package dtmsim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
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

// revoke ends a token. A refresh token takes the access tokens of its grant with it; an
// access token leaves the refresh token alive (CSC 11.3).
func (s *Sim) revoke(t *token) {
	t.revoked = true
	if t.refresh {
		s.revokeGrant(t.grant)
	}
}

func (s *Sim) revokeGrant(grant string) {
	for _, t := range s.tokens {
		if grant != "" && t.grant == grant {
			t.revoked = true
		}
	}
}

// RevokeGrants plays persons who take back, at DigiCert, what they let applications have.
// Who is an id, a user name or a mail address; empty: everybody.
func (s *Sim) RevokeGrants(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.refresh && (who == "" || s.findUser(who) != nil && s.findUser(who).ID == t.user) {
			s.revoke(t)
		}
	}
}

// routeOAuth mounts the three endpoints of CSC 8.3 below a base address.
func (s *Sim) routeOAuth(mux *http.ServeMux, base string) {
	mux.Handle("GET "+base+"oauth2/authorize", s.guarded(s.visited(showAsk)))
	mux.HandleFunc("POST "+base+"oauth2/token", s.oauth(cscToken))
	mux.HandleFunc("POST "+base+"oauth2/revoke", s.oauth(cscOAuthRevoke))
}

// oauth wraps a call of a client: a form or, as older clients send it, JSON.
func (s *Sim) oauth(f func(*cscCall, url.Values) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, err := oauthForm(w, r)
		c := &cscCall{Sim: s, r: r, version: "v1", in: map[string]json.RawMessage{}, auth: "oauth2"}
		v, err := s.locked(func() (any, error) {
			if err != nil {
				return nil, refuse(genericText)
			}
			c.put("clientData", form.Get("clientData"))
			return f(c, form)
		})
		s.answerCSC(w, v, err)
	}
}

// oauthForm reads the parameters; one that comes twice is an error (RFC 6749, 3.2).
func oauthForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	if ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); ct != "application/json" {
		form, err := url.ParseQuery(string(body))
		return form, firstError(err, once(form))
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

func once(form url.Values) error {
	for _, values := range form {
		if len(values) > 1 {
			return refuse(genericText)
		}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// clientProof checks that the caller is the client it names (CSC 8.3.3).
func (c *cscCall) clientProof(form url.Values) error {
	header := c.r.Header.Get("Authorization")
	switch {
	case header != "":
		id, secret, ok := c.r.BasicAuth()
		id, err1 := url.QueryUnescape(id) // RFC 6749, 2.3.1: both are form-encoded first
		secret, err2 := url.QueryUnescape(secret)
		if !ok || err1 != nil || err2 != nil || id != c.opt.ClientID || !same(secret, c.opt.ClientSecret) {
			return &cscError{status: http.StatusUnauthorized, code: "invalid_client", text: "Invalid authorization header", challenge: []string{`Basic realm="documentmanager"`}}
		}
		return nil
	case form.Get("client_assertion") != "":
		if form.Get("client_assertion_type") != assertionType || !c.assertion(form.Get("client_assertion")) {
			return refuse("Invalid parameter client_assertion")
		}
		return nil
	case form.Get("client_secret") == "":
		return &cscError{status: http.StatusUnauthorized, code: "invalid_request", text: "Client authorization required"}
	case !same(form.Get("client_secret"), c.opt.ClientSecret):
		return refuse("Invalid parameter client_secret")
	}
	return nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// clientID is the id a request names, in its form or its Basic header.
func (c *cscCall) clientID(form url.Values) error {
	id := form.Get("client_id")
	if id == "" {
		if user, _, ok := c.r.BasicAuth(); ok {
			id, _ = url.QueryUnescape(user)
		}
	}
	switch id {
	case "":
		return refuse("Missing parameter client_id")
	case c.opt.ClientID:
		return nil
	}
	return refuse("Invalid parameter client_id")
}

// cscToken is oauth2/token (CSC 8.3.3).
func cscToken(c *cscCall, form url.Values) (any, error) {
	if err := c.clientID(form); err != nil {
		return nil, err
	}
	grants := map[string]func(url.Values) (any, error){
		"client_credentials": c.grantClient, "authorization_code": c.grantCode, "refresh_token": c.grantRefresh}
	name := form.Get("grant_type")
	if name == "" {
		return nil, refuse("Missing parameter grant_type")
	}
	grant, ok := grants[name]
	if !ok {
		return nil, refuse("Invalid parameter grant_type")
	}
	if err := c.clientProof(form); err != nil {
		return nil, err
	}
	return grant(form)
}

func (c *cscCall) grantClient(url.Values) (any, error) {
	return c.bearer(token{grant: c.newID()}, ""), nil
}

func (c *cscCall) bearer(t token, refresh string) map[string]any {
	t.expires = c.now().Add(tokenLife)
	out := map[string]any{"token_type": "Bearer", "expires_in": int(tokenLife / time.Second), "access_token": c.newToken(t)}
	if refresh != "" {
		out["refresh_token"] = refresh
	}
	return out
}

func invalidGrant(text string) error {
	return &cscError{status: http.StatusBadRequest, code: "invalid_grant", text: text}
}

// grantCode exchanges a code: for a bearer token, or for a SAD where the scope was credential.
func (c *cscCall) grantCode(form url.Values) (any, error) {
	value := form.Get("code")
	code := c.codes[value]
	switch {
	case value == "":
		return nil, refuse("Missing parameter code")
	case code == nil:
		return nil, invalidGrant("Invalid parameter code")
	case code.used || !c.now().Before(code.expires):
		c.revokeGrant(code.grant) // who has a code for the second time may have stolen it (RFC 6749, 4.1.2)
		return nil, invalidGrant("Authorization code is invalid or expired")
	case form.Get("redirect_uri") != code.sentRedirect:
		return nil, invalidGrant("redirect_uri parameter does not match redirect_uri parameter of authorization request")
	}
	if err := code.prove(form.Get("code_verifier")); err != nil {
		return nil, err
	}
	code.used = true
	if code.scope == scopeCredential {
		return c.grantSAD(code)
	}
	refresh := c.newToken(token{user: code.user, grant: code.grant, expires: c.now().Add(refreshLife), refresh: true})
	return c.bearer(token{user: code.user, grant: code.grant}, refresh), nil
}

// prove is PKCE (RFC 7636): enforced once a challenge was sent.
func (a *authCode) prove(verifier string) error {
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case a.challenge == "" && verifier == "":
		return nil
	case a.challenge == "", verifier == "", !same(base64.RawURLEncoding.EncodeToString(sum[:]), a.challenge):
		return invalidGrant(msgVerifier)
	}
	return nil
}

// grantSAD: the token of scope credential is the SAD itself (CSC 8.3.3).
func (c *cscCall) grantSAD(code *authCode) (any, error) {
	if err := c.ready(code.credential); err != nil { // it may have ended while the person was asked
		return nil, err
	}
	value, err := c.issueSAD(LedgerSADIssued, code.credential, code.signatures, code.hashes)
	if err != nil {
		return nil, err
	}
	c.recordUse(code.credential, "authorize", "success", "Authorized", code.hashes)
	return map[string]any{"token_type": "SAD", "expires_in": int(c.opt.SADLife / time.Second), "access_token": value}, nil
}

func (c *cscCall) grantRefresh(form url.Values) (any, error) {
	value := form.Get("refresh_token")
	t := c.tokens[value]
	switch {
	case value == "":
		return nil, refuse("Missing parameter refresh_token")
	case t == nil || !t.refresh || t.revoked:
		return nil, invalidGrant("Invalid parameter refresh_token")
	case !c.now().Before(t.expires):
		return nil, invalidGrant("Refresh token expired")
	}
	refresh := ""
	if c.opt.RotateRefresh {
		next := *t
		t.revoked = true
		refresh = c.newToken(next)
	}
	return c.bearer(token{user: t.user, grant: t.grant}, refresh), nil
}

// cscOAuthRevoke is oauth2/revoke (CSC 8.3.4).
func cscOAuthRevoke(c *cscCall, form url.Values) (any, error) {
	if err := firstError(c.clientID(form), c.clientProof(form)); err != nil {
		return nil, err
	}
	hint := form.Get("token_type_hint")
	if hint != "" && hint != "access_token" && hint != "refresh_token" {
		return nil, &cscError{status: http.StatusBadRequest, code: "unsupported_token_type", text: "Invalid parameter token_type_hint"}
	}
	if form.Get("token") == "" {
		return nil, refuse("Missing parameter token")
	}
	if !c.revokeValue(form.Get("token"), hint) {
		return nil, refuse("Invalid parameter token")
	}
	return noContent{}, nil
}

// revokeValue ends a token or a SAD; false: there is none of that kind.
func (c *cscCall) revokeValue(value, hint string) bool {
	if d := c.sads[value]; d != nil && hint != "refresh_token" {
		c.killSAD(value, d, "revoked")
		return true
	}
	t := c.tokens[value]
	if t == nil || t.revoked || (hint != "" && t.refresh != (hint == "refresh_token")) {
		return false
	}
	c.revoke(t)
	return true
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
	if !c.revokeValue(value, hint) {
		return nil, refuse("Invalid string parameter token")
	}
	return noContent{}, nil
}
