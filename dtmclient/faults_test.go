package dtmclient_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
)

// The calls that the other tables leave out. A read is tried again, at most three times; the
// others are sent once.
var moreCalls = map[string]func(context.Context, *dtmclient.Client) error{
	"sendOTP": func(ctx context.Context, c *dtmclient.Client) error { return c.SendOTP(ctx, "n", "ceremony") },
	"start a check": func(ctx context.Context, c *dtmclient.Client) error {
		_, err := c.CreateValidation(ctx, dtmclient.NewValidation{UserID: "u", Email: "ada@example.test", Standard: "basic"})
		return err
	},
	"approve": func(ctx context.Context, c *dtmclient.Client) error { return c.ApproveValidation(ctx, "v") },
	"revoke": func(ctx context.Context, c *dtmclient.Client) error {
		return c.RevokeCredential(ctx, "n", "SUPERSEDED", "u")
	},
	"prepare": func(ctx context.Context, c *dtmclient.Client) error {
		_, err := c.Hashes(ctx, toPrepare("a"))
		return err
	},
	"build": func(ctx context.Context, c *dtmclient.Client) error {
		_, err := c.Signatures(ctx, "h", dtmclient.LevelT, []dtmclient.NamedSignature{{Document: "a", Value: []byte{1}}})
		return err
	},
	"read a check": func(ctx context.Context, c *dtmclient.Client) error {
		_, err := c.Validation(ctx, "v")
		return err
	},
}

// F1 to F3 on codes, checks and credentials.
func TestTroubleOfEveryCallSaysWhetherItMayHaveHappened(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		may     bool
		tries   int32 // of a read
	}{
		"500":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, true, 1},
		"502":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, true, 3},
		"503":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, false, 3},
		"504":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) }, true, 1},
		"429":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, false, 3},
		"429 and to wait": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "60"); w.WriteHeader(429) }, false, 1},
		"reset": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		}, true, 3},
		"hangs": {func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, true, 1},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, true, 1},
	} {
		for call, do := range moreCalls {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				var n atomic.Int32
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n.Add(1)
					c.handler(w, r)
				}))
				defer s.Close()
				begin := time.Now()
				var e *dtmclient.Error
				require.ErrorAs(t, do(t.Context(), client(t, s.URL)), &e)
				require.Equal(t, c.may, e.MayHaveHappened(), "%v", e)
				require.Less(t, time.Since(begin), 5*time.Second)
				want := int32(1)
				if strings.HasPrefix(call, "read") {
					want = c.tries
				}
				require.Equal(t, want, n.Load(), "requests that reached the server")
			})
		}
	}
}

// F1 to F4 on the token: without one nothing is sent, so nothing can have happened.
func TestWithoutATokenNothingIsSent(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"500":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"503":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) },
		"429":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"401":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"HTML":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>sign in</html>") },
		"empty":   func(http.ResponseWriter, *http.Request) {},
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"access_token":`) },
		"50 MB": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"access_token":"`)
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 50<<20))
		},
		"line ends": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"access_token":"a\r\nX-Evil: 1","token_type":"Bearer"}`)
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var used atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/oauth2/token" {
					handler(w, r)
					return
				}
				used.Add(1)
			}))
			defer s.Close()
			cl := client(t, s.URL, func(c *dtmclient.Config) {
				c.ClientID, c.ClientSecret, c.TokenURL = "portal", "hush-hush", s.URL+"/oauth2/token"
			})
			for _, call := range []string{"sign", "authorize"} {
				var e *dtmclient.Error
				require.ErrorAs(t, calls[call](t.Context(), cl), &e, call)
				require.False(t, e.MayHaveHappened(), "%s: %v", call, e)
				require.NotContains(t, e.Error(), "hush-hush")
			}
			require.Zero(t, used.Load())
		})
	}
}
