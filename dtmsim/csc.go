package dtmsim

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cscCall is one CSC request, made under the lock, with its caller and parameters.
type cscCall struct {
	*Sim
	r       *http.Request
	version string // "v0" or "v1"
	user    *user  // of a user-specific token; nil for the service's own
	auth    string // how the caller came, for the audit log
	in      map[string]json.RawMessage
}

// cscError is CSC's flat error (CSC 10).
type cscError struct {
	status     int
	code, text string
	retryAfter int      // seconds
	challenge  []string // WWW-Authenticate of a 401, in place of Bearer
	plain      bool
}

func (e *cscError) Error() string { return e.code + ": " + e.text }

// refuse is the ordinary error: 400 invalid_request with one of the specification's sentences.
func refuse(text string) error {
	return &cscError{status: http.StatusBadRequest, code: "invalid_request", text: text}
}

const genericText = "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed."

// cscMethods in the order info lists them.
var cscMethods = []string{"auth/login", "auth/revoke", "credentials/list", "credentials/info", "credentials/sendOTP", "credentials/authorize",
	"credentials/extendTransaction", "signatures/signHash", "signatures/timestamp"}

// routeCSC mounts both versions; they differ in an encoder, not in behaviour.
func (s *Sim) routeCSC(mux *http.ServeMux) {
	for _, v := range []string{"v0", "v1"} {
		base := "/documentmanager/csc/" + v + "/"
		on := func(method string, f func(*cscCall) (any, error)) { mux.Handle("POST "+base+method, s.csc(v, f)) }
		mux.Handle("GET "+base+"info", s.open(v, cscInfo))
		mux.Handle("POST "+base+"info", s.open(v, cscInfo))
		mux.HandleFunc("POST "+base+"auth/login", s.serveLogin)
		s.routeOAuth(mux, base)
		on("auth/revoke", cscRevoke)
		on("credentials/list", cscList)
		on("credentials/info", cscCredential)
		on("credentials/sendOTP", cscSendOTP)
		on("credentials/authorize", cscAuthorize)
		on("credentials/extendTransaction", cscExtend)
		on("signatures/signHash", cscSign)
		on("signatures/timestamp", cscTimestamp)
		mux.HandleFunc(base, func(w http.ResponseWriter, r *http.Request) {
			name := strings.TrimPrefix(r.URL.Path, base)
			if name == "info" || slices.Contains(oauthMethods, name) || slices.Contains(cscMethods, name) {
				w.Header().Set("Allow", allowed(name))
				s.writeCSCError(w, &cscError{status: http.StatusMethodNotAllowed, code: "invalid_request", text: genericText})
				return
			}
			s.writeCSCError(w, &cscError{status: http.StatusNotFound, code: "invalid_request", text: genericText})
		})
	}
	s.routeOAuth(mux, "/account/api/v1/")
	mux.HandleFunc("GET /logo.png", serveLogo)
}

// oauthMethods may be left out of info's list (CSC 11.1).
var oauthMethods = []string{"oauth2/authorize", "oauth2/token", "oauth2/revoke"}

func allowed(method string) string {
	switch method {
	case "oauth2/authorize":
		return http.MethodGet
	case "info":
		return http.MethodGet + ", " + http.MethodPost
	}
	return http.MethodPost
}

// csc wraps a method that needs a token.
func (s *Sim) csc(version string, f func(*cscCall) (any, error)) http.HandlerFunc {
	return s.cscCalled(version, func(c *cscCall) (any, error) {
		if err := c.authenticate(); err != nil {
			return nil, err
		}
		if err := c.clientData(); err != nil {
			return nil, err
		}
		return f(c)
	})
}

// open wraps a method anybody may call.
func (s *Sim) open(version string, f func(*cscCall) (any, error)) http.HandlerFunc {
	return s.cscCalled(version, f)
}

// noContent makes a method answer 204.
type noContent struct{}

func (s *Sim) cscCalled(version string, f func(*cscCall) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &cscCall{Sim: s, r: r, version: version}
		body, readErr := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		v, err := s.locked(func() (any, error) {
			if readErr != nil {
				return nil, refuse(genericText)
			}
			if err := c.parse(body); err != nil {
				return nil, err
			}
			return f(c)
		})
		s.answerCSC(w, v, err)
	}
}

// locked makes a call under the lock, which it gives back also when the call breaks: the
// others must not hang with it.
func (s *Sim) locked(f func() (any, error)) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	v, err := f()
	if saveErr := s.save(); err == nil {
		err = saveErr
	}
	return v, err
}

func (s *Sim) answerCSC(w http.ResponseWriter, v any, err error) {
	if err != nil {
		s.writeCSCError(w, err)
		return
	}
	if _, none := v.(noContent); none {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

func (s *Sim) writeCSCError(w http.ResponseWriter, err error) {
	var e *cscError
	if !errors.As(err, &e) {
		s.log.Error("dtmsim: CSC call", "err", err)
		e = &cscError{status: http.StatusInternalServerError, code: "server_error", text: "The operation could not be done"}
	}
	if e.plain { // a gateway answers, not the service
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(e.status)
		_, _ = io.WriteString(w, "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>\n")
		return
	}
	switch {
	case len(e.challenge) > 0:
		w.Header()["Www-Authenticate"] = e.challenge
	case e.status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="documentmanager"`)
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	writeJSON(w, e.status, map[string]string{"error": e.code, "error_description": e.text})
}

// parse reads the JSON object every CSC request carries (CSC 7.1).
func (c *cscCall) parse(body []byte) error {
	c.in = map[string]json.RawMessage{}
	if c.r.Method == http.MethodGet {
		return nil
	}
	if ct, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); strings.TrimSpace(ct) != "application/json" {
		return refuse(genericText)
	}
	if err := json.Unmarshal(body, &c.in); err != nil || c.in == nil {
		return refuse(genericText)
	}
	return nil
}

// authenticate finds the caller (CSC 8.1): a bearer token, and nothing else unless told.
func (c *cscCall) authenticate() error {
	h := c.r.Header.Get("Authorization")
	if h == "" {
		if key := c.r.Header.Get("x-api-key"); key == c.opt.APIKey && c.opt.CSCAllowAPIKey {
			c.auth = "api_key"
			return nil
		}
		if certified(c.r) {
			c.auth = "mtls"
			return nil
		}
		return &cscError{status: http.StatusUnauthorized, code: "invalid_request", text: genericText}
	}
	value, ok := strings.CutPrefix(h, "Bearer ")
	if value = strings.TrimSpace(value); !ok || value == "" {
		return refuse(genericText)
	}
	t := c.tokens[value]
	switch {
	case t == nil || t.refresh:
		return &cscError{status: http.StatusUnauthorized, code: "invalid_token", text: "The access token is not valid"}
	case t.revoked || !c.now().Before(t.expires):
		return &cscError{status: http.StatusUnauthorized, code: "expired_token", text: "The access token is expired or was revoked"}
	}
	c.user, c.auth = c.Sim.user(t.user), "oauth2"
	return nil
}

func (c *cscCall) clientData() error {
	if _, ok := c.in["clientData"]; ok && c.str("clientData") == "" && string(c.in["clientData"]) != `""` {
		return refuse("Invalid parameter clientData")
	}
	return nil
}

// str is a string parameter; absent or of another type it is empty.
func (c *cscCall) str(name string) string {
	var v string
	if json.Unmarshal(c.in[name], &v) != nil {
		return ""
	}
	return v
}

func (c *cscCall) need(name string) (string, error) {
	if v := c.str(name); v != "" {
		return v, nil
	}
	return "", refuse("Missing (or invalid type) string parameter " + name)
}

// boolean is false when absent.
func (c *cscCall) boolean(name string) (bool, error) {
	raw, ok := c.in[name]
	if !ok {
		return false, nil
	}
	var v bool
	if json.Unmarshal(raw, &v) == nil {
		return v, nil
	}
	if text := c.str(name); c.opt.Lenient && (text == "true" || text == "false") {
		return text == "true", nil
	}
	return false, refuse("Invalid parameter " + name)
}

// integer reports whether there is a whole number under the name.
func (c *cscCall) integer(name string) (int, bool) {
	raw, ok := c.in[name]
	if !ok {
		return 0, false
	}
	text := string(raw)
	if c.opt.Lenient {
		text = strings.Trim(text, `"`)
	}
	n, err := strconv.Atoi(text)
	return n, err == nil
}

// hashes reads an array of base64 digests; missing is told by the second value.
func (c *cscCall) hashes() ([][]byte, bool, error) {
	raw, ok := c.in["hash"]
	if !ok || string(raw) == "null" {
		return nil, false, nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) != nil {
		return nil, false, nil
	}
	if len(texts) == 0 {
		return nil, true, refuse("Empty hash array")
	}
	out := make([][]byte, len(texts))
	for i, t := range texts {
		b, err := base64.StdEncoding.Strict().DecodeString(t)
		if err != nil || strings.ContainsAny(t, "\r\n") {
			return nil, true, refuse("Invalid Base64 hash string parameter")
		}
		out[i] = b
	}
	return out, true, nil
}

// credentialParam finds the credential a request is about, among those the caller may use.
func (c *cscCall) credentialParam() (*credential, error) {
	name, err := c.need("credentialID")
	if err != nil {
		return nil, err
	}
	cr := c.credential(name)
	if cr == nil || !listed(cr) || (c.user != nil && cr.User != c.user.ID) {
		return nil, refuse("Invalid parameter credentialID")
	}
	return cr, nil
}

// listed tells whether CSC shows a credential at all.
func listed(c *credential) bool {
	return c.Status == credActive || c.Status == credSuspended || c.Status == credRevoked
}
