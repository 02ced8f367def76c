package dtmclient_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
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

// zeros is a source of jitter that makes every wait nothing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

const apiKey = "key-4711-secret"

func client(t *testing.T, base string, change ...func(*dtmclient.Config)) *dtmclient.Client {
	t.Helper()
	c := dtmclient.Config{BaseURL: base + "/documentmanager", APIKey: apiKey, Rand: zeros{},
		Timeouts: dtmclient.Timeouts{Call: 300 * time.Millisecond, Authorize: 300 * time.Millisecond, Sign: 300 * time.Millisecond}}
	for _, f := range change {
		f(&c)
	}
	cl, err := dtmclient.New(c)
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func digest() []byte { return bytes.Repeat([]byte{7}, 32) }

// The calls the table makes: one read and the three that must never be repeated.
var calls = map[string]func(context.Context, *dtmclient.Client) error{
	"read": func(ctx context.Context, c *dtmclient.Client) error { _, err := c.Credential(ctx, "n"); return err },
	"create": func(ctx context.Context, c *dtmclient.Client) error {
		_, err := c.CreateCredential(ctx, dtmclient.NewCredential{UserID: "u", ProfileID: "p", Nickname: "n"})
		return err
	},
	"authorize": func(ctx context.Context, c *dtmclient.Client) error {
		_, err := c.Authorize(ctx, dtmclient.Authorization{CredentialID: "n", Hashes: [][]byte{digest()}, OTP: "987654", PIN: "13572468"})
		return err
	},
	"sign": func(ctx context.Context, c *dtmclient.Client) error {
		_, err := c.SignHash(ctx, dtmclient.HashesToSign{CredentialID: "n", SAD: "sad-secret-value", Hashes: [][]byte{digest()},
			Hash: crypto.SHA256, SignAlgo: "1.2.840.113549.1.1.11"})
		return err
	},
}

func TestEveryBrokenAnswerSaysWhetherItMayHaveHappened(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, body) }
	}
	reset := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}
	const html = "<html><body>Bad gateway</body></html>"
	all := []string{"read", "create", "authorize", "sign"}
	for _, c := range []struct {
		name    string
		calls   []string
		handler http.HandlerFunc
		kind    dtmclient.Kind
		may     bool // what Error.MayHaveHappened must say
		tries   int  // requests of a read; everything else is always one
	}{
		{"500 json", all, answer(500, `{"error":{"code":"internal_error","message":"boom"}}`), dtmclient.Unavailable, true, 1},
		{"502 html", all, answer(502, html), dtmclient.Unavailable, true, 3},
		{"503", all, answer(503, ""), dtmclient.Unavailable, false, 3},
		{"504 for a push", []string{"authorize"}, answer(504, html), dtmclient.NotApproved, false, 1},
		{"504 elsewhere", []string{"read", "sign", "create"}, answer(504, html), dtmclient.Unavailable, true, 1},
		{"501", all, answer(501, `{"error":"invalid_request"}`), dtmclient.Invalid, false, 1},
		{"429", all, answer(429, ""), dtmclient.Limited, false, 3},
		{"400 without a body", all, answer(400, ""), dtmclient.Invalid, false, 1},
		{"401", all, answer(401, `{"errors":[{"code":"invalid_api_key"}]}`), dtmclient.Unauthorized, false, 1},
		{"403", all, answer(403, `null`), dtmclient.Denied, false, 1},
		{"404 html", all, answer(404, html), dtmclient.NotFound, false, 1},
		{"409", all, answer(409, `{"code":"duplicate_error","message":"taken"}`), dtmclient.Duplicate, false, 1},
		{"200 html", all, answer(200, html), dtmclient.Unknown, true, 1},
		{"200 empty", all, answer(200, ""), dtmclient.Unknown, true, 1},
		{"204", all, answer(204, ""), dtmclient.Unknown, true, 1},
		{"200 null", all, answer(200, "null"), dtmclient.Unknown, true, 1},
		{"200 array", all, answer(200, "[]"), dtmclient.Unknown, true, 1},
		{"200 empty object", all, answer(200, "{}"), dtmclient.Unknown, true, 1},
		{"200 truncated json", all, answer(200, `{"SAD":"x`), dtmclient.Unknown, true, 1},
		{"200 NaN", all, answer(200, `{"SAD":"x","expiresIn":NaN,"signatures":[NaN]}`), dtmclient.Unknown, true, 1},
		{"200 UTF-16", all, answer(200, "\xff\xfe{\x00}\x00"), dtmclient.Unknown, true, 1},
		{"200 wrong types", all, answer(200, `{"SAD":{},"signatures":[1],"name":[],"status":{}}`), dtmclient.Unknown, true, 1},
		{"200 an error inside", all, answer(200, `{"error":"server_error"}`), dtmclient.Unknown, true, 1},
		{"too few signatures", []string{"sign"}, answer(200, `{"signatures":[]}`), dtmclient.Unknown, true, 1},
		{"too many signatures", []string{"sign"}, answer(200, `{"signatures":["QUJD","QUJD"]}`), dtmclient.Unknown, true, 1},
		{"a signature that is no base64", []string{"sign"}, answer(200, `{"signatures":["***"]}`), dtmclient.Unknown, true, 1},
		{"an empty signature", []string{"sign"}, answer(200, `{"signatures":[""]}`), dtmclient.Unknown, true, 1},
		{"redirect", all, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, dtmclient.Unknown, true, 1},
		{"reset after the request", all, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			reset(w, r)
		}, dtmclient.Unknown, true, 3},
		{"reset inside the body", all, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"SAD":"x"`)
			_ = http.NewResponseController(w).Flush()
			reset(w, r)
		}, dtmclient.Unknown, true, 3},
		{"hangs", all, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, dtmclient.Unknown, true, 1},
		{"one byte at a time", all, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		}, dtmclient.Unknown, true, 1},
		{"50 MB", all, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"SAD":"`)
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 50<<20))
		}, dtmclient.Unknown, true, 1},
		{"gzip nobody asked for", all, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x08\x00garbage"))
		}, dtmclient.Unknown, true, 1},
	} {
		for _, name := range c.calls {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				var n atomic.Int32
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n.Add(1)
					c.handler(w, r)
				}))
				defer s.Close()
				cl := client(t, s.URL)
				err := calls[name](t.Context(), cl)

				var e *dtmclient.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, c.kind, e.Kind, "%v", err)
				require.Equal(t, c.may, e.MayHaveHappened(), "%v", err)
				for _, secret := range []string{apiKey, "987654", "13572468", "sad-secret-value"} {
					require.NotContains(t, err.Error(), secret)
				}
				want := 1
				if name == "read" {
					want = c.tries
				}
				require.EqualValues(t, want, n.Load(), "requests that reached the server")
			})
		}
	}
}

func TestNothingWasSentWhenThereIsNoConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	cl := client(t, "http://"+address)
	for name, call := range calls {
		var e *dtmclient.Error
		require.ErrorAs(t, call(t.Context(), cl), &e, name)
		require.Equal(t, dtmclient.Unreachable, e.Kind, name)
		require.False(t, e.MayHaveHappened(), name)
	}
}

func TestAnUntrustedCertificateEndsBeforeAnythingIsSent(t *testing.T) {
	var n atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n.Add(1) }))
	s.Config.ErrorLog = discard()
	defer s.Close()
	var e *dtmclient.Error
	require.ErrorAs(t, calls["sign"](t.Context(), client(t, s.URL)), &e)
	require.Equal(t, dtmclient.Unreachable, e.Kind)
	require.Zero(t, n.Load())

	trusting := client(t, s.URL, func(c *dtmclient.Config) { c.HTTP = s.Client() })
	require.ErrorAs(t, calls["sign"](t.Context(), trusting), &e)
	require.Equal(t, dtmclient.Unknown, e.Kind, "the transport that was given is used, and got an empty answer")
}

// A server that closes its kept connections in the moment of use is the classic way to
// have net/http send a request twice.
func TestExactlyOneRequestArrivesOnADroppedConnection(t *testing.T) {
	var good, dropped atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info") {
			good.Add(1)
			_, _ = io.WriteString(w, `{"specs":"1.0.4.0"}`)
			return
		}
		dropped.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.Close()
	}))
	defer s.Close()
	cl := client(t, s.URL)
	for i := range int32(20) {
		_, err := cl.Info(t.Context()) // leaves a kept connection behind
		require.NoError(t, err)
		var e *dtmclient.Error
		require.ErrorAs(t, calls["sign"](t.Context(), cl), &e)
		require.Equal(t, dtmclient.Unknown, e.Kind)
		require.Equal(t, i+1, dropped.Load())
	}
}

func TestTheWordsOfAServiceAreScrubbedAndBounded(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(400)
		_, _ = fmt.Fprintf(w, `{"error":"invalid_otp","error_description":"The OTP 987654 is invalid\n%s"}`, strings.Repeat("x", 5000))
	}))
	defer s.Close()
	err := calls["authorize"](t.Context(), client(t, s.URL))
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.WrongOTP, e.Kind)
	require.Equal(t, "invalid_otp", e.Code)
	require.NotContains(t, err.Error(), "987654")
	require.NotContains(t, err.Error(), "\n")
	require.Less(t, len(err.Error()), 500)
}
