package auth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/auth"
)

// F1 to F4 and F9 on the token and the keys of the login provider: nobody is signed in, it
// ends soon, and the next login works as soon as the provider does.
func TestTroubleOfTheProviderSignsNobodyInAndPasses(t *testing.T) {
	faults := map[string]http.HandlerFunc{
		"500":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"503":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"429":   func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "9"); w.WriteHeader(429) },
		"HTML":  func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>Sign in</html>") },
		"empty": func(http.ResponseWriter, *http.Request) {},
		"half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"keys":[`)
		},
		"wrong types": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"keys":7,"access_token":[],"id_token":{}}`)
		},
		"reset": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		},
		"compressed without end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x08\x00" + strings.Repeat("\x00", 1000)))
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
		"hangs": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-time.After(20 * time.Second):
			}
		},
	}
	for name, fault := range faults {
		for _, where := range []string{"token", "keys"} {
			t.Run(name+"/"+where, func(t *testing.T) {
				t.Parallel()
				f := newForger(t)
				f.token = f.good
				if where == "token" {
					f.answer = fault
				} else {
					f.keySet = fault
				}
				begin := time.Now()
				cookies, err := f.session()
				var e *auth.Error
				require.ErrorAs(t, err, &e)
				require.Contains(t, []string{"provider_away", "token_refused"}, e.Code)
				require.Less(t, time.Since(begin), 15*time.Second)
				for _, c := range cookies {
					require.False(t, strings.HasSuffix(c.Name, "-session") && c.Value != "", "a session was given")
				}
				require.Zero(t, f.elsewhere, "no redirect is followed")
				f.mu.Lock()
				f.answer, f.keySet = nil, nil
				f.mu.Unlock()
				require.NoError(t, f.login(), "it has passed")
			})
		}
	}
}

// F5: a provider whose certificate nobody vouches for is not spoken to.
func TestAProviderThatCannotBeTrustedIsNotSpokenTo(t *testing.T) {
	f := newForger(t)
	f.token = f.good
	untrusting := auth.Config{Issuer: f.server.URL, ClientID: "portal", ClientSecret: "s", RedirectURL: "https://portal.example/auth/callback",
		CookieKeys: [][]byte{cookieKey(1)}, Secure: true, Store: newSite(t, nil).db.Auth()}
	a, err := auth.New(untrusting)
	require.NoError(t, err)
	f.auth = a
	f.refused("provider_away", "an authority nobody knows")
	require.Zero(t, f.keys)
}
