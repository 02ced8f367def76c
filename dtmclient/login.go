package dtmclient

import (
	"context"
	"crypto/md5" //nolint:gosec // RFC 7616 still has it; taken only where nothing better is offered
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// loginSource gets a user's access token from auth/login (CSC 11.2).
type loginSource struct {
	user     string
	password Secret
	digest   bool
}

func (s *loginSource) secrets() []Secret { return []Secret{s.password} }

func (s *loginSource) get(ctx context.Context, c *Client) (Secret, time.Duration, error) {
	if !s.digest {
		return s.login(ctx, c, header("Basic "+base64.StdEncoding.EncodeToString([]byte(s.user+":"+string(s.password)))))
	}
	var auth Authenticator = noHeader{}
	for try := 0; ; try++ {
		token, life, err := s.login(ctx, c, auth)
		var e *Error
		// The first answer is the challenge; a second one only says that it came too late.
		if err == nil || try == 2 || !errors.As(err, &e) || e.Status != http.StatusUnauthorized || try == 1 && !e.stale() {
			return token, life, err
		}
		answer, err := s.answer(c, e.challenges)
		if err != nil {
			return "", 0, &Error{Op: "auth/login", Kind: Unauthorized, Status: e.Status, Cause: err}
		}
		auth = answer
	}
}

func (s *loginSource) login(ctx context.Context, c *Client, auth Authenticator) (Secret, time.Duration, error) {
	var w struct {
		Token   looseString `json:"access_token"`
		Expires looseInt    `json:"expires_in"`
	}
	k := c.cscCall("auth/login", struct{}{}, false)
	k.auth, k.secrets = auth, []Secret{s.password}
	k.decode = func(b []byte) error {
		if err := object(b, &w); err != nil {
			return err
		}
		if !lineless(w.Token) {
			return errors.New("the answer holds no access token")
		}
		return nil
	}
	err := c.do(ctx, k)
	return Secret(w.Token), lifeOf(w.Expires), err
}

// stale tells that only the nonce was too old (RFC 7616, 3.3).
func (e *Error) stale() bool {
	for _, ch := range e.challenges {
		if strings.EqualFold(ch.params["stale"], "true") {
			return true
		}
	}
	return false
}

// digests by rising strength.
var digests = []struct {
	name string
	make func() hash.Hash
}{{"MD5", md5.New}, {"SHA-256", sha256.New}, {"SHA-512-256", sha512.New512_256}}

// answer responds to the strongest challenge (RFC 7616, 3.4). A server of the older RFC 2069
// names no qop.
func (s *loginSource) answer(c *Client, challenges []challenge) (header, error) {
	best, strength := challenge{}, -1
	for _, ch := range challenges {
		algorithm := firstOf(ch.params["algorithm"], "MD5")
		for i, d := range digests {
			if strings.EqualFold(ch.scheme, "Digest") && strings.EqualFold(algorithm, d.name) && i > strength && ch.params["nonce"] != "" && takesAuth(ch.params["qop"]) {
				best, strength = ch, i
			}
		}
	}
	if strength < 0 {
		return "", errors.New("auth/login offers no Digest challenge that can be answered")
	}
	address, err := url.Parse(c.csc + "/auth/login")
	if err != nil {
		return "", errors.New("the address cannot be used")
	}
	nonce := make([]byte, 16)
	if _, err := io.ReadFull(c.c.Rand, nonce); err != nil {
		return "", err
	}
	h := func(parts ...string) string {
		m := digests[strength].make()
		_, _ = io.WriteString(m, strings.Join(parts, ":"))
		return hex.EncodeToString(m.Sum(nil))
	}
	const count = "00000001" // a nonce is used once here
	p, cnonce, uri := best.params, hex.EncodeToString(nonce), address.RequestURI()
	a1, a2 := h(s.user, p["realm"], string(s.password)), h(http.MethodPost, uri)
	text := fmt.Sprintf(`Digest username=%s, realm=%s, uri=%s, nonce=%s`, quoted(s.user), quoted(p["realm"]), quoted(uri), quoted(p["nonce"]))
	if p["algorithm"] != "" {
		text += ", algorithm=" + digests[strength].name
	}
	if p["qop"] == "" {
		text += `, response="` + h(a1, p["nonce"], a2) + `"`
	} else {
		text += fmt.Sprintf(`, nc=%s, cnonce="%s", qop=auth, response="%s"`, count, cnonce, h(a1, p["nonce"], count, cnonce, "auth", a2))
	}
	if p["opaque"] != "" {
		text += ", opaque=" + quoted(p["opaque"])
	}
	if strings.ContainsAny(text, "\r\n") {
		return "", errors.New("the challenge of auth/login cannot be answered in one line")
	}
	return header(text), nil
}

func takesAuth(qop string) bool {
	if qop == "" {
		return true
	}
	for _, one := range strings.Split(qop, ",") {
		if strings.EqualFold(strings.TrimSpace(one), "auth") {
			return true
		}
	}
	return false
}

func quoted(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }

// challenge is one scheme of a WWW-Authenticate header.
type challenge struct {
	scheme string
	params map[string]string
}

// readChallenges reads all challenges; several may stand in one line (RFC 9110, 11.6.1).
func readChallenges(lines []string) (all []challenge) {
	for _, line := range lines {
		for rest := line; ; {
			if rest = strings.TrimLeft(rest, " \t,"); rest == "" {
				break
			}
			end := strings.IndexAny(rest, " \t,=")
			if end < 0 {
				end = len(rest)
			}
			word := rest[:end]
			rest = strings.TrimLeft(rest[end:], " \t")
			value, is := strings.CutPrefix(rest, "=")
			switch {
			case !is:
				all = append(all, challenge{scheme: word, params: map[string]string{}})
			case len(all) == 0:
				return all // a parameter of nothing
			default:
				var text string
				text, rest = parameter(strings.TrimLeft(value, " \t"))
				all[len(all)-1].params[strings.ToLower(word)] = text
			}
		}
	}
	return all
}

// parameter reads a value, quoted or not, and is what follows it.
func parameter(s string) (value, rest string) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, ", \t")
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:]
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case s[i] == '"':
			return b.String(), s[i+1:]
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), ""
}
