package dtmsim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// claims are what is looked at in the two tokens a client makes itself.
type claims struct {
	Subject  string   `json:"sub"`
	Issuer   string   `json:"iss"`
	Party    string   `json:"azp"`
	ID       string   `json:"jti"`
	Issued   int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	Audience audience `json:"aud"`
}

// audience is one text or a list of them (RFC 7519, 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// readJWT checks an HS256 token (RFC 7515); no other algorithm is taken.
func readJWT(text string, key []byte) (claims, bool) {
	signed, mac, ok := cutLast(text, ".")
	head, body, ok2 := strings.Cut(signed, ".")
	var h struct {
		Alg string `json:"alg"`
	}
	var c claims
	if !ok || !ok2 || !unpack(head, &h) || h.Alg != "HS256" || !unpack(body, &c) {
		return claims{}, false
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(signed))
	got, err := base64.RawURLEncoding.DecodeString(mac)
	return c, err == nil && hmac.Equal(got, m.Sum(nil))
}

func unpack(part string, into any) bool {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(b, into) == nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// fresh takes the id of a client's token once.
func (s *Sim) fresh(id string) bool {
	now := s.now()
	for old, until := range s.seen {
		if now.After(until) {
			delete(s.seen, old)
		}
	}
	if _, again := s.seen[id]; again || id == "" {
		return false
	}
	s.seen[id] = now.Add(jwtLife)
	return true
}

// assertion is a client's proof of itself (RFC 7523, 3), with the client secret as its key.
func (s *Sim) assertion(text string) bool {
	c, ok := readJWT(text, []byte(s.opt.ClientSecret))
	return ok && c.Subject == s.opt.ClientID && c.Issuer == s.opt.ClientID && s.now().Unix() < c.Expires &&
		slices.ContainsFunc(c.Audience, func(a string) bool { return strings.HasPrefix(a, s.opt.BaseURL) }) && s.fresh(c.ID)
}

// accountToken names the person an application speaks for (CSC 8.3.1).
func (s *Sim) accountToken(text string) *user {
	key := sha256.Sum256([]byte(s.opt.ClientSecret))
	c, ok := readJWT(text, key[:])
	age := s.now().Sub(time.Unix(c.Issued, 0))
	if !ok || c.Party != s.opt.ClientID || c.Subject == "" || age < -time.Minute || age > jwtLife || !s.fresh(c.ID) {
		return nil
	}
	return s.findUser(c.Subject)
}
