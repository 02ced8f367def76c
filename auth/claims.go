package auth

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"countersign/people"
)

const maxRoleValues = 500

// person makes a person of the claims of a login. Names are for display; only issuer and
// subject say who it is.
func (a *Auth) person(issuer, subject string, claims map[string]any) people.Person {
	return people.Person{
		Issuer: issuer, Subject: subject,
		Name:       text(claims, "name", 200),
		GivenName:  text(claims, "given_name", 100),
		FamilyName: text(claims, "family_name", 100),
		Email:      text(claims, "email", 320),
		Phone:      text(claims, "phone_number", 40),
		Roles:      a.roles(claims),
	}
}

// browserLanguage is the Accept-Language header as far as it can be one.
func browserLanguage(r *http.Request) string {
	wanted := r.Header.Get("Accept-Language")
	if len(wanted) > 200 || strings.Trim(wanted, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-,;=.* ") != "" {
		return ""
	}
	return wanted
}

// roles answers the mapped values of the role claim and the default roles, sorted.
func (a *Auth) roles(claims map[string]any) []people.Role {
	roles := slices.Clone(a.DefaultRoles)
	for _, v := range values(lookUp(claims, a.RoleClaim)) {
		if r, ok := a.RoleMap[v]; ok {
			roles = append(roles, r)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}

// lookUp finds a claim by its whole name first (some are URLs with dots), then as a dotted path.
func lookUp(claims map[string]any, name string) any {
	if name == "" {
		return nil
	}
	if v, ok := claims[name]; ok {
		return v
	}
	var at any = claims
	for _, part := range strings.Split(name, ".") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[part]
	}
	return at
}

// values reads a role claim: a list, one word or several, or an object whose keys are the roles.
func values(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		out = strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ',' })
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
	case map[string]any:
		for k := range v {
			out = append(out, k)
		}
	}
	return out[:min(len(out), maxRoleValues)]
}

// text reads a claim as one line of at most n runes, without controls that could turn
// the text around it.
func text(claims map[string]any, name string, n int) string {
	s, _ := claims[name].(string)
	if len(s) > 16*n {
		s = s[:16*n]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsGraphic(r) || unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	runes := []rune(strings.TrimSpace(s))
	return strings.TrimSpace(string(runes[:min(len(runes), n)]))
}

func decodeClaims(raw json.RawMessage) (map[string]any, error) {
	var claims map[string]any
	err := json.Unmarshal(raw, &claims)
	return claims, err
}
