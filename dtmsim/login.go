package dtmsim

import (
	"crypto/md5" //nolint:gosec // RFC 7616 still has it, and so do clients
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// serveLogin is auth/login (CSC 11.2); the token it gives is the user's own.
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
	answer, err := s.locked(c.login)
	s.answerCSC(w, answer, err)
}

func (c *cscCall) login() (any, error) {
	if err := c.clientData(); err != nil {
		return nil, err
	}
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
	remember, err := c.boolean("rememberMe")
	if err != nil {
		return nil, err
	}
	var u *user
	switch scheme, rest, _ := strings.Cut(c.r.Header.Get("Authorization"), " "); strings.ToLower(scheme) {
	case "basic":
		u, err = c.basicLogin()
	case "digest":
		u, err = c.digestLogin(rest)
	default:
		err = c.challenged(false)
	}
	if err != nil {
		return nil, err
	}
	grant, refresh := c.newID(), ""
	if remember {
		refresh = c.newToken(token{user: u.ID, grant: grant, expires: c.now().Add(refreshLife), refresh: true})
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

var errLogin = &cscError{status: http.StatusBadRequest, code: "authentication_error", text: "An error occurred during authentication process"}

func (c *cscCall) basicLogin() (*user, error) {
	name, password, ok := c.r.BasicAuth()
	if !ok || name == "" {
		return nil, refuse("Malformed username-password.")
	}
	u := c.findUser(name)
	if !same(password, c.opt.Password) || u == nil {
		return nil, errLogin
	}
	return u, nil
}

// digestNonce is one challenge; its counts only rise (RFC 7616, 3.3 and 5.3).
type digestNonce struct {
	until time.Time
	last  uint64
}

// challenged asks who it is: SHA-256 first, MD5 for older clients, and Basic.
func (c *cscCall) challenged(stale bool) error {
	now := c.now()
	for value, n := range c.nonces {
		if now.After(n.until) || len(c.nonces) > keepTokens {
			delete(c.nonces, value)
		}
	}
	nonce := c.secret()
	c.nonces[nonce] = &digestNonce{until: now.Add(nonceLife)}
	digest := func(algorithm string) string {
		text := fmt.Sprintf(`Digest realm="%s", qop="auth", algorithm=%s, nonce="%s", opaque="%s"`, digestRealm, algorithm, nonce, c.opaque)
		if stale {
			text += ", stale=true"
		}
		return text
	}
	return &cscError{status: http.StatusUnauthorized, code: "invalid_request", text: "Malformed authentication parameter.",
		challenge: []string{digest("SHA-256"), digest("MD5"), `Basic realm="` + digestRealm + `"`}}
}

// digestLogin checks a response (RFC 7616, 3.4).
func (c *cscCall) digestLogin(header string) (*user, error) {
	p, ok := authParams(header)
	make, known := map[string]func() hash.Hash{"SHA-256": sha256.New, "MD5": md5.New, "": md5.New}[strings.ToUpper(p["algorithm"])]
	count, err := strconv.ParseUint(p["nc"], 16, 32)
	if !ok || !known || err != nil || len(p["nc"]) != 8 || p["qop"] != "auth" || p["cnonce"] == "" || p["username"] == "" ||
		p["realm"] != digestRealm || p["opaque"] != c.opaque || p["uri"] != c.r.URL.RequestURI() {
		return nil, c.challenged(false)
	}
	n := c.nonces[p["nonce"]]
	if n == nil || !c.now().Before(n.until) || count <= n.last {
		return nil, c.challenged(true)
	}
	n.last = count
	h := func(parts ...string) string {
		m := make()
		_, _ = io.WriteString(m, strings.Join(parts, ":"))
		return hex.EncodeToString(m.Sum(nil))
	}
	want := h(h(p["username"], digestRealm, c.opt.Password), p["nonce"], p["nc"], p["cnonce"], "auth", h(c.r.Method, p["uri"]))
	u := c.findUser(p["username"])
	if !same(strings.ToLower(p["response"]), want) || u == nil {
		return nil, errLogin
	}
	return u, nil
}

// authParams reads name=value pairs, quoted or not (RFC 9110, 11.2). A name that comes
// twice makes the whole unreadable.
func authParams(text string) (map[string]string, bool) {
	out := map[string]string{}
	for text = strings.TrimSpace(text); text != ""; {
		name, rest, ok := strings.Cut(text, "=")
		name, rest = strings.ToLower(strings.TrimSpace(name)), strings.TrimLeft(rest, " \t")
		if _, twice := out[name]; !ok || name == "" || twice {
			return nil, false
		}
		var value strings.Builder
		if quoted, is := strings.CutPrefix(rest, `"`); is {
			i := 0
			for ; i < len(quoted) && quoted[i] != '"'; i++ {
				if quoted[i] == '\\' && i+1 < len(quoted) {
					i++
				}
				value.WriteByte(quoted[i])
			}
			if i == len(quoted) {
				return nil, false
			}
			rest = strings.TrimLeft(quoted[i+1:], " \t")
			if rest != "" && rest[0] != ',' {
				return nil, false
			}
			text = strings.TrimLeft(strings.TrimPrefix(rest, ","), " \t")
		} else {
			word, after, _ := strings.Cut(rest, ",")
			value.WriteString(strings.TrimSpace(word))
			text = strings.TrimLeft(after, " \t")
		}
		out[name] = value.String()
	}
	return out, len(out) > 0
}
