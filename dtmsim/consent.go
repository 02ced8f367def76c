package dtmsim

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	scopeService    = "service"
	scopeCredential = "credential"
)

// ask is one checked request to oauth2/authorize (CSC 8.3.2), waiting for a person.
type ask struct {
	redirect     string // where the answer goes
	sentRedirect string // as the request had it; empty: the registered one was meant
	scope, state string
	challenge    string // PKCE, S256
	description  string
	user         string // known from account_token, or as the owner of the credential
	credential   *credential
	signatures   int
	hashes       [][]byte
	until        time.Time
}

// authCode is what a person's consent is worth, once and for a short while.
type authCode struct {
	ask
	grant   string
	expires time.Time
	used    bool
}

// badAsk is an error that goes back to the application by redirect (RFC 6749, 4.1.2.1).
type badAsk struct{ code, text string }

func (e *badAsk) Error() string { return e.code + ": " + e.text }

var errNoRedirect = errors.New("the address to answer to is not registered")

// readAsk checks a request. With errNoRedirect there is nowhere to send the error to.
func (s *Sim) readAsk(r *http.Request, q url.Values) (*ask, error) {
	a := &ask{sentRedirect: q.Get("redirect_uri"), scope: cmpOr(q.Get("scope"), scopeService), state: q.Get("state"),
		challenge: q.Get("code_challenge"), description: q.Get("description"), until: s.now().Add(askLife)}
	a.redirect = cmpOr(a.sentRedirect, s.redirects()[0])
	if q.Get("client_id") != s.opt.ClientID || !s.registered(a.redirect) {
		return nil, errNoRedirect
	}
	bad := func(text string) (*ask, error) { return a, &badAsk{"invalid_request", text} }
	switch {
	case once(q) != nil:
		return bad(genericText)
	case q.Get("response_type") == "":
		return bad("Missing parameter response_type")
	case q.Get("response_type") != "code":
		return a, &badAsk{"unsupported_response_type", "Invalid parameter response_type"}
	case a.scope != scopeService && a.scope != scopeCredential: // also "service credential": never both at once
		return a, &badAsk{"invalid_scope", "Invalid parameter scope"}
	case len(a.state) > 255:
		return bad("Invalid parameter state")
	case (a.challenge != "") != (q.Get("code_challenge_method") == "S256"), a.challenge == "" && q.Has("code_challenge"):
		return bad("Invalid parameter code_challenge")
	}
	if q.Has("account_token") {
		u := s.accountToken(q.Get("account_token"))
		if u == nil {
			return bad("Invalid parameter account_token")
		}
		a.user = u.ID
	}
	if a.scope == scopeCredential {
		return a, s.readCredentialAsk(r, q, a)
	}
	return a, nil
}

// readCredentialAsk reads what is to be authorized, by the rules of credentials/authorize.
func (s *Sim) readCredentialAsk(r *http.Request, q url.Values, a *ask) error {
	c := &cscCall{Sim: s, r: r, version: "v1", auth: "oauth2", in: map[string]json.RawMessage{}}
	c.put("credentialID", q.Get("credentialID"))
	c.put("description", a.description)
	if n := q.Get("numSignatures"); n != "" {
		c.in["numSignatures"] = json.RawMessage(n)
	}
	if q.Has("hash") {
		hashes := []string{}
		for _, h := range strings.Split(q.Get("hash"), ",") {
			b, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(h, "="))
			if err != nil || h == "" {
				return &badAsk{"invalid_request", "Invalid Base64 hash string parameter"}
			}
			hashes = append(hashes, base64.StdEncoding.EncodeToString(b))
		}
		c.in["hash"], _ = json.Marshal(hashes)
	}
	w, err := c.wanted()
	var e *cscError
	switch {
	case errors.As(err, &e):
		return &badAsk{"invalid_request", e.text}
	case err != nil:
		return err
	case w.profile.AuthMode != "oauth2code":
		return &badAsk{"invalid_request", msgNotByOAuth}
	case a.user != "" && a.user != w.credential.User:
		return &badAsk{"access_denied", msgNotTheirs}
	}
	a.user, a.credential, a.signatures, a.hashes = w.credential.User, w.credential, w.signatures, w.hashes
	return nil
}

// withoutTokens is a query as it may be logged: account_token is worth a person's name.
func withoutTokens(u *url.URL) string {
	q := u.Query()
	if !q.Has("account_token") {
		return u.RawQuery
	}
	q.Set("account_token", "…")
	return q.Encode()
}

// put sets a string parameter.
func (c *cscCall) put(name, value string) {
	if value != "" {
		c.in[name], _ = json.Marshal(value)
	}
}

// redirects are the registered addresses, the default one first.
func (s *Sim) redirects() []string {
	if len(s.opt.RedirectURIs) > 0 {
		return s.opt.RedirectURIs
	}
	return []string{s.url(donePath)}
}

const donePath = "/oauth2/done"

// registered: where nothing was registered, any address on this machine will do.
func (s *Sim) registered(address string) bool {
	if slices.Contains(s.redirects(), address) {
		return true
	}
	u, err := url.Parse(address)
	return len(s.opt.RedirectURIs) == 0 && err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Fragment == "" && u.User == nil &&
		IsLoopback(net.JoinHostPort(u.Hostname(), "0"))
}

// answerTo is the address a request is answered at.
func (a *ask) answerTo(values url.Values) string {
	u, err := url.Parse(a.redirect)
	if err != nil { // it was parsed when it was registered
		return a.redirect
	}
	q := u.Query()
	for k, v := range values {
		q[k] = v
	}
	if a.state != "" {
		q.Set("state", a.state)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

func (a *ask) refusal(err error) string {
	v := url.Values{"error": {"server_error"}}
	var b *badAsk
	if errors.As(err, &b) {
		v = url.Values{"error": {b.code}, "error_description": {b.text}}
	}
	return a.answerTo(v)
}

// decide ends a request: with a code, or with access_denied.
func (s *Sim) decide(a *ask, who *user, allow bool) string {
	if !allow || who == nil || (a.user != "" && who.ID != a.user) {
		return a.refusal(&badAsk{"access_denied", msgDeclined})
	}
	now := s.now()
	for value, old := range s.codes {
		if now.Sub(old.expires) > time.Hour {
			delete(s.codes, value)
		}
	}
	value := s.secret()
	s.codes[value] = &authCode{ask: *a, grant: s.newID(), expires: now.Add(codeLife)}
	s.codes[value].user = who.ID
	return a.answerTo(url.Values{"code": {value}})
}

// Consent plays the person whom an oauth2/authorize address was shown to, and is the address
// the browser is sent back to. Who is an id, a user name or a mail address; it may be empty
// where the request itself names the person.
func (s *Sim) Consent(address, who string, allow bool) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	a, err := s.readAsk(nil, u.Query())
	switch {
	case errors.Is(err, errNoRedirect):
		return "", err
	case err != nil:
		return a.refusal(err), nil
	}
	return s.decide(a, s.findUser(cmpOr(who, a.user)), allow), s.save()
}

// showAsk is oauth2/authorize: a page with two buttons.
func showAsk(v *visit) {
	a, err := v.readAsk(v.r, v.r.URL.Query())
	switch {
	case errors.Is(err, errNoRedirect):
		v.status = http.StatusBadRequest
		v.show("confirmed", struct {
			frame
			Words, Next string
		}{frame{Title: "Not possible"}, "The application that sent you here is not known, or wants the answer at an address that is not registered.", ""})
		return
	case err != nil:
		v.goFound(a.refusal(err))
		return
	}
	now := v.now()
	for id, old := range v.asks {
		if now.After(old.until) {
			delete(v.asks, id)
		}
	}
	id := v.newID()
	v.asks[id] = a
	v.showAskPage(id, a)
}

func (v *visit) showAskPage(id string, a *ask) {
	page := struct {
		frame
		ID, Client, Description, Credential, Person string
		Signatures                                  int
		Hashes                                      []string
		Users                                       []phoneUser
	}{frame: frame{Title: "Let an application in"}, ID: id, Client: v.opt.ClientID, Description: a.description, Signatures: a.signatures}
	if a.credential != nil {
		page.Title, page.Credential = "Authorize signing", a.credential.Name
		all := hexes(a.hashes)
		page.Hashes = all[:min(len(all), hashesShown)]
	}
	for _, u := range slices.Backward(v.st.Users) {
		if a.user == "" || u.ID == a.user {
			page.Users = append(page.Users, u.onPhone())
		}
	}
	if a.user != "" && len(page.Users) == 1 {
		page.Person = page.Users[0].Name
	}
	// A browser holds form-action against the redirect that follows the form too.
	v.policy = strings.Replace(pagePolicy, "form-action 'self'", "form-action 'self' "+originOf(a.redirect), 1)
	v.show("ask", page)
}

func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// answerAsk takes the button that was pressed.
func answerAsk(v *visit) {
	id := v.r.PathValue("id")
	a := v.asks[id]
	if a == nil || v.now().After(a.until) {
		v.missing()
		return
	}
	delete(v.asks, id)
	v.goFound(v.decide(a, v.user(cmpOr(a.user, v.r.PostFormValue("user"))), v.r.PostFormValue("answer") == "allow"))
}

// goFound is a redirect as OAuth has it: 302 (CSC 8.3.2).
func (v *visit) goFound(location string) { v.location, v.status = location, http.StatusFound }

// showDone is the address answers go to when an application has none of its own.
func showDone(v *visit) {
	q := v.r.URL.Query()
	v.show("asked", struct {
		frame
		Code, State, Error, Description string
	}{frame{Title: "The answer"}, q.Get("code"), q.Get("state"), q.Get("error"), q.Get("error_description")})
}
