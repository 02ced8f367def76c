package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"golang.org/x/oauth2"
)

const (
	attemptLife = 10 * time.Minute
	maxAttempts = 4 // tabs that sign in side by side; each has its cookie
)

// attempt is one begun login. It lives in the browser only, signed and encrypted: a
// visitor who begins and leaves costs no row.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r"`
	Ends     int64  `json:"e"` // milliseconds
}

// id names the attempt in the database, without giving the state away.
func (t attempt) id() string {
	sum := sha256.Sum256([]byte("login attempt\x00" + t.State))
	return hex.EncodeToString(sum[:])
}

func (a *Auth) newAttempt(returnTo string) (attempt, error) {
	b, err := a.random(96)
	if err != nil {
		return attempt{}, err
	}
	word := base64.RawURLEncoding.EncodeToString
	return attempt{
		State: word(b[:32]), Nonce: word(b[32:64]), Verifier: word(b[64:]), // 43 characters: RFC 7636, 4.1
		ReturnTo: ReturnTo(returnTo), Ends: a.Now().Add(attemptLife).UnixMilli(),
	}, nil
}

func (t attempt) options() []oauth2.AuthCodeOption {
	return []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(t.Verifier), oauth2.SetAuthURLParam("nonce", t.Nonce)}
}

func (a *Auth) cookiePrefix() string {
	name := "countersign"
	if a.CookieName != "" {
		name += "-" + a.CookieName
	}
	if a.Secure {
		return "__Host-" + name
	}
	return name
}

func (a *Auth) attemptCookie(state string) string {
	return a.cookiePrefix() + "-login-" + cut(state, 10)
}

// keepAttempt sets the attempt's cookie and takes away those that are over or too many.
func (a *Auth) keepAttempt(w http.ResponseWriter, r *http.Request, t attempt) error {
	plain, err := json.Marshal(t)
	if err != nil {
		return err
	}
	name := a.attemptCookie(t.State)
	value, err := securecookie.EncodeMulti(name, plain, a.codecs...)
	if err != nil {
		return err
	}
	type old struct {
		name string
		ends int64
	}
	var olds []old
	for _, c := range r.Cookies() {
		if !strings.HasPrefix(c.Name, a.cookiePrefix()+"-login-") {
			continue
		}
		t, _ := a.decodeAttempt(c) // one that does not decode sorts first
		olds = append(olds, old{c.Name, t.Ends})
	}
	slices.SortFunc(olds, func(x, y old) int { return int(x.ends - y.ends) })
	now := a.Now().UnixMilli()
	for i, o := range olds {
		if o.ends < now || len(olds)-i >= maxAttempts {
			http.SetCookie(w, a.cookie(o.name, "", -1))
		}
	}
	http.SetCookie(w, a.cookie(name, value, int(attemptLife/time.Second)))
	return nil
}

// takeAttempt finds the attempt a state belongs to, in this browser, and clears its cookie.
func (a *Auth) takeAttempt(w http.ResponseWriter, r *http.Request, state string) (attempt, bool) {
	if state == "" || len(state) > 100 {
		return attempt{}, false
	}
	cookies := r.CookiesNamed(a.attemptCookie(state))
	if len(cookies) != 1 {
		return attempt{}, false
	}
	t, ok := a.decodeAttempt(cookies[0])
	if !ok || subtle.ConstantTimeCompare([]byte(t.State), []byte(state)) != 1 {
		return attempt{}, false
	}
	http.SetCookie(w, a.cookie(cookies[0].Name, "", -1))
	left := time.UnixMilli(t.Ends).Sub(a.Now())
	return t, left > 0 && left <= attemptLife+allowedSkew
}

func (a *Auth) decodeAttempt(c *http.Cookie) (t attempt, ok bool) {
	var plain []byte
	if !strictBase64(c.Value) || securecookie.DecodeMulti(c.Name, c.Value, &plain, a.codecs...) != nil {
		return attempt{}, false
	}
	return t, json.Unmarshal(plain, &t) == nil
}

// strictBase64 refuses the other spellings of one value that a lenient decoder takes.
func strictBase64(s string) bool {
	if len(s) > 4096 || strings.ContainsAny(s, "\r\n") {
		return false
	}
	_, err := base64.URLEncoding.Strict().DecodeString(s)
	return err == nil
}

// cookie makes one of our cookies; SameSite=Lax because the provider's answer comes by a
// navigation from its site.
func (a *Auth) cookie(name, value string, maxAge int) *http.Cookie {
	//nolint:gosec // G124: Secure is off for a demo on localhost only
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, Secure: a.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}
