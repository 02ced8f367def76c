package handlerstest

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/net/html"
)

// Flaws names what an answer of the site lacks of what every answer must have: the
// headers that keep a browser from running or showing what it should not, nothing that a
// cache keeps, and in a page no code or style but by address.
func Flaws(a *Answer) []string {
	var flaws []string
	h := a.Header
	path := a.Request.URL.Path
	want := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Referrer-Policy":              "same-origin",
		"Strict-Transport-Security":    "max-age=31536000; includeSubDomains",
	}
	if a.Request.Method == "GET" && a.Request.URL.Path == "/ceremonies/approved" {
		want["Referrer-Policy"] = "no-referrer" // its address holds a code
	}
	if path == "/account/connected" && a.StatusCode == 303 && !strings.HasPrefix(h.Get("Location"), "/login") {
		want["Referrer-Policy"] = "no-referrer" // so does this one
	}
	if a.StatusCode == 200 && strings.HasSuffix(a.Request.URL.Path, "/consent") {
		want["Referrer-Policy"] = "no-referrer" // it leads to somebody else
	}
	for name, value := range want {
		if h.Get(name) != value {
			flaws = append(flaws, fmt.Sprintf("%s is %q", name, h.Get(name)))
		}
	}
	policy := h.Values("Content-Security-Policy")
	if len(policy) != 1 || !strings.HasPrefix(policy[0], "default-src 'none'") || strings.Contains(policy[0], "unsafe") {
		flaws = append(flaws, fmt.Sprintf("policy %q", policy))
	}
	if !strings.Contains(policy[0], "sandbox") { // what is no page may be boxed in altogether
		for _, part := range []string{"script-src 'self';", "style-src 'self';", "base-uri 'none'", "object-src 'none'", "frame-ancestors 'none'", "form-action 'self' https://"} {
			if !strings.Contains(policy[0], part) {
				flaws = append(flaws, "the policy lacks "+part)
			}
		}
	}
	public := strings.HasPrefix(path, "/static/") || path == "/brand.css" || path == "/icon.svg"
	if !public && !strings.Contains(h.Get("Cache-Control"), "no-store") {
		flaws = append(flaws, fmt.Sprintf("Cache-Control is %q", h.Get("Cache-Control")))
	}
	if !public && h.Get("X-Request-Id") == "" {
		flaws = append(flaws, "no reference")
	}
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") && a.Body != "" && a.StatusCode/100 != 3 {
		flaws = append(flaws, Inline(a.Body)...)
	}
	return flaws
}

// Inline names the code and style that stands in a page itself.
func Inline(page string) []string {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		src := ""
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch {
			case a.Key == "style", strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-on"):
				found = append(found, "<"+n.Data+" "+a.Key+">")
			case strings.HasPrefix(value, "javascript:"), strings.HasPrefix(value, "data:text"), strings.HasPrefix(value, "vbscript:"):
				found = append(found, "<"+n.Data+" "+a.Key+"="+a.Val+">")
			case a.Key == "src":
				src = value
			}
		}
		switch {
		case n.Data == "style", n.Data == "iframe", n.Data == "object", n.Data == "embed", n.Data == "base":
			found = append(found, "<"+n.Data+">")
		case n.Data == "script" && (!strings.HasPrefix(src, "/static/") || n.FirstChild != nil):
			found = append(found, "<script> that is not ours by address")
		}
	}
	return found
}

// hits counts requests by path.
type hits struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *hits) counting(next http.Handler) http.Handler {
	c.n = map[string]int{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.n[r.URL.Path]++
		c.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// ProviderHits counts the requests that the login provider got at a path.
func (s *Site) ProviderHits(path string) int {
	s.hits.mu.Lock()
	defer s.hits.mu.Unlock()
	return s.hits.n[path]
}
