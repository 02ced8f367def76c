package auth

import (
	"net/url"
	"strings"
)

const maxReturnTo = 512

// ReturnTo answers a path of this site to come back to after login. Whatever could lead
// elsewhere, or is not a plain local path, becomes "/".
func ReturnTo(raw string) string {
	if raw == "" || len(raw) > maxReturnTo || raw[0] != '/' {
		return "/"
	}
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "/"
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/"
	}
	// Judged decoded, as a proxy on the way might see it; twice, for what was encoded twice.
	plain := u.Path
	for range 2 {
		if strings.Contains(plain, "//") || strings.ContainsAny(plain, "\\\r\n\t\x00") {
			return "/"
		}
		next, err := url.PathUnescape(plain)
		if err != nil {
			return "/"
		}
		plain = next
	}
	// The login itself is not a place to come back to.
	for _, own := range []string{"/login", "/logout", "/auth", "/signed-out"} {
		if u.Path == own || strings.HasPrefix(u.Path, own+"/") {
			return "/"
		}
	}
	u.Fragment = ""
	return u.RequestURI()
}
