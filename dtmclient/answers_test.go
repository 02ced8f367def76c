package dtmclient_test

import (
	"crypto"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
)

func discard() *log.Logger { return log.New(io.Discard, "", 0) }

// fixed serves one answer and remembers the last request.
func fixed(t *testing.T, status int, body string) (*dtmclient.Client, func() (string, map[string]any)) {
	t.Helper()
	var mu sync.Mutex
	var path string
	var sent map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		path, sent = r.Method+" "+r.URL.RequestURI(), nil
		_ = json.NewDecoder(r.Body).Decode(&sent)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return client(t, s.URL, func(c *dtmclient.Config) { c.CanSuspend = true }), func() (string, map[string]any) {
		mu.Lock()
		defer mu.Unlock()
		return path, sent
	}
}

func TestEveryShapeOfErrorIsUnderstood(t *testing.T) {
	for body, want := range map[string]struct {
		kind          dtmclient.Kind
		code, message string
	}{
		`{"error":{"code":"invalid_request","message":"no seat"}}`:           {dtmclient.Invalid, "invalid_request", "no seat"},
		`{"errors":[{"code":"invalid_request","message":"a"},{"code":"b"}]}`: {dtmclient.Invalid, "invalid_request", "a"},
		`{"code":"duplicate_error","message":"taken"}`:                       {dtmclient.Duplicate, "duplicate_error", "taken"},
		`{"error":"invalid_pin","error_description":"The PIN is invalid"}`:   {dtmclient.WrongPIN, "invalid_pin", "The PIN is invalid"},
		`{"errorCode":"invalid_otp","errorDescription":"no"}`:                {dtmclient.WrongOTP, "invalid_otp", "no"},
		`{"error":"invalid_request","error_description":"OTP locked"}`:       {dtmclient.LockedOTP, "invalid_request", "OTP locked"},
		`{"error":"invalid_request","error_description":"PIN locked."}`:      {dtmclient.LockedPIN, "invalid_request", "PIN locked."},
		`{"error":"invalid_request","error_description":"SAD expired"}`:      {dtmclient.SADExpired, "invalid_request", "SAD expired"},
		`{"error":17,"error_description":true}`:                              {dtmclient.Invalid, "17", "true"},
		`{"errors":[]}`:                                                      {dtmclient.Invalid, "", ""},
		`Bad Request`:                                                        {dtmclient.Invalid, "", ""},
	} {
		cl, _ := fixed(t, 400, body)
		_, err := cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "n", Hashes: [][]byte{digest()}})
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e, body)
		require.Equal(t, want.kind, e.Kind, body)
		require.Equal(t, want.code, e.Code, body)
		require.Equal(t, want.message, e.Message, body)
	}
}

func TestCredentialInfoToleratesTheOdditiesOfServers(t *testing.T) {
	body := func(rest string) string {
		return `{"key":{"status":"enabled","algo":["1.2.840.113549.1.1.11"],"len":3072},"cert":{"status":"valid"},"authMode":"explicit"` + rest + `}`
	}
	for rest, want := range map[string]struct {
		multisign int
		scal      string
		pin       dtmclient.Presence
	}{
		``:                               {1, "1", "false"},
		`,"multisign":5,"SCAL":"2"`:      {5, "2", "false"},
		`,"multisign":"5","SCAL":2`:      {5, "2", "false"},
		`,"multisign":true`:              {dtmclient.NoCeiling, "1", "false"},
		`,"multisign":false`:             {1, "1", "false"},
		`,"multisign":0`:                 {1, "1", "false"},
		`,"PIN":{"presence":true}`:       {1, "1", "true"},
		`,"PIN":{"presence":"optional"}`: {1, "1", "optional"},
		`,"PIN":null`:                    {1, "1", "false"},
	} {
		cl, _ := fixed(t, 200, body(rest))
		info, err := cl.CredentialInfo(t.Context(), "n")
		require.NoError(t, err, rest)
		require.Equal(t, want.multisign, info.Multisign, rest)
		require.Equal(t, want.scal, info.SCAL, rest)
		require.Equal(t, want.pin, info.PIN.Presence, rest)
	}
	for _, broken := range []string{`{}`, body(`,"multisign":"many"`), strings.Replace(body(""), `"status":"enabled"`, `"status":""`, 1),
		strings.Replace(body(""), `{"status":"valid"}`, `{"certificates":["AAAA"]}`, 1)} {
		cl, _ := fixed(t, 200, broken)
		_, err := cl.CredentialInfo(t.Context(), "n")
		require.Error(t, err, broken)
	}
}

func TestACodeIsSentByEitherGoodAnswer(t *testing.T) {
	for status, body := range map[int]string{204: "", 200: "{}", 202: "queued"} {
		cl, _ := fixed(t, status, body)
		require.NoError(t, cl.SendOTP(t.Context(), "n", ""), status)
	}
}

func TestTheFactorsReachTheWireAndHashesAlwaysDo(t *testing.T) {
	cl, last := fixed(t, 200, `{"SAD":"s","expiresIn":"8208000"}`)
	sad, err := cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "n", Hashes: [][]byte{digest(), digest()}, OTP: "123456", PIN: "1"})
	require.NoError(t, err)
	require.Equal(t, 8208000*time.Second, sad.ExpiresIn)
	require.Equal(t, "s", string(sad.Value))
	path, sent := last()
	require.Equal(t, "POST /documentmanager/csc/v1/credentials/authorize", path)
	require.Equal(t, "123456", sent["OTP"])
	require.Equal(t, "1", sent["PIN"])
	require.EqualValues(t, 2, sent["numSignatures"])
	require.Len(t, sent["hash"], 2)
}

func TestADigestOfTheWrongKindNeverLeaves(t *testing.T) {
	cl, last := fixed(t, 200, `{"signatures":["QUJD"]}`)
	for _, h := range []dtmclient.HashesToSign{
		{CredentialID: "n", Hash: crypto.SHA1, Hashes: [][]byte{make([]byte, 20)}},
		{CredentialID: "n", Hash: crypto.SHA384, Hashes: [][]byte{digest()}},
		{CredentialID: "n", Hash: crypto.SHA256},
	} {
		_, err := cl.SignHash(t.Context(), h)
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, dtmclient.Invalid, e.Kind)
	}
	path, _ := last()
	require.Empty(t, path)
}

func TestANameCannotLeaveItsPlaceInAnAddress(t *testing.T) {
	cl, last := fixed(t, 200, `{"name":"a/b","status":"ACTIVE"}`)
	_, err := cl.Credential(t.Context(), "../user?x=1#")
	require.NoError(t, err)
	path, _ := last()
	require.Equal(t, "GET /documentmanager/api/v2/credential/..%2Fuser%3Fx=1%23", path)
	for _, name := range []string{"", ".", "..", strings.Repeat("n", 201)} {
		_, err = cl.Credential(t.Context(), name)
		require.Error(t, err, name)
	}
}

func TestAListingIsAnEnvelopeOrABareArray(t *testing.T) {
	for _, body := range []string{`[{"standard":"BASIC","total":"3","used":1,"available":2}]`,
		`{"total":1,"offset":0,"limit":100,"items":[{"standard":"BASIC","total":3,"used":1,"available":2}]}`} {
		cl, _ := fixed(t, 200, body)
		seats, err := cl.Seats(t.Context())
		require.NoError(t, err)
		require.Equal(t, []dtmclient.Seats{{Standard: "BASIC", Total: 3, Used: 1, Available: 2}}, seats)
	}
	for _, body := range []string{`{}`, `null`, `""`, `{"items":{}}`, `{"items":"x"}`} {
		cl, _ := fixed(t, 200, body)
		_, err := cl.Seats(t.Context())
		require.Error(t, err, body)
	}
	cl, _ := fixed(t, 200, `{"total":1000000,"items":[{"standard":"BASIC"}]}`)
	_, err := cl.Seats(t.Context())
	require.ErrorContains(t, err, "does not end")
}

func TestAUserIsFoundByExactNameEvenWhenTheFilterIsIgnored(t *testing.T) {
	cl, last := fixed(t, 200, `[{"id":"1","user_name":"cs-b"},{"id":"2","user_name":"cs-a","phone_number":31600000000}]`)
	u, err := cl.FindUser(t.Context(), "cs-a")
	require.NoError(t, err)
	require.Equal(t, "2", u.ID)
	require.Equal(t, "31600000000", u.Phone)
	path, _ := last()
	require.Contains(t, path, "user_name=cs-a")
	_, err = cl.FindUser(t.Context(), "CS-A")
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.NotFound, e.Kind)
}

func TestRolesAreAskedOfTheAccountService(t *testing.T) {
	cl, last := fixed(t, 200, `[{"id":"DSM_DOCUMENT_SIGNER","name":"Document signer","permissions":["x"]}]`)
	roles, err := cl.Roles(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"x"}, roles[0].Permissions)
	path, _ := last()
	require.Contains(t, path, "GET /account/api/v1/role?application_code=document_signing_manager")
}

// roundTrip plays the far side without a network, so that a bubble of synctest can hold it.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestRetryAfterIsHonouredUpToThirtySeconds(t *testing.T) {
	for after, want := range map[string]struct {
		waited time.Duration
		tries  int32
	}{"2": {4 * time.Second, 3}, "30": {60 * time.Second, 3}, "31": {0, 1}, "nonsense": {0, 3}, "-1": {0, 3}} {
		synctest.Test(t, func(t *testing.T) {
			var n atomic.Int32
			cl, err := dtmclient.New(dtmclient.Config{BaseURL: "https://dtm.test/documentmanager", APIKey: "k", Rand: zeros{},
				HTTP: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					n.Add(1)
					return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {after}}, Body: http.NoBody, Request: r}, nil
				})}})
			require.NoError(t, err)
			start := time.Now()
			_, err = cl.Seats(t.Context())
			var e *dtmclient.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, want.tries, n.Load(), after)
			require.Equal(t, want.waited, time.Since(start), after)
		})
	}
}

func TestABadAddressIsRefusedAtTheStart(t *testing.T) {
	for _, base := range []string{"", "x", "http://dtm.example/documentmanager", "ftp://127.0.0.1/", "https://user:pw@dtm.example/", "https://dtm.example/?q=1"} {
		_, err := dtmclient.New(dtmclient.Config{BaseURL: base, APIKey: "k"})
		require.Error(t, err, base)
	}
	_, err := dtmclient.New(dtmclient.Config{BaseURL: "http://dtm:8081/documentmanager", APIKey: "k", PlainHTTP: true})
	require.NoError(t, err)
	_, err = dtmclient.New(dtmclient.Config{BaseURL: "https://dtm.example/documentmanager"})
	require.ErrorContains(t, err, "API key")
}

func TestEveryCallIsObservedOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]dtmclient.Kind{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer s.Close()
	cl := client(t, s.URL, func(c *dtmclient.Config) {
		c.Observe = func(op string, k dtmclient.Kind, _ time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			require.NotContains(t, seen, op)
			seen[op] = k
		}
	})
	_, _ = cl.Seats(t.Context())
	_ = cl.SendOTP(t.Context(), "n", "")
	require.Equal(t, map[string]dtmclient.Kind{"seat.list": dtmclient.Unavailable, "credentials/sendOTP": dtmclient.Unavailable}, seen)
}

func TestAServiceThatStoppedAnsweringIsLeftAloneForAWhile(t *testing.T) {
	var asked atomic.Int32
	var well atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if well.Load() {
			_, _ = io.WriteString(w, `[]`)
			return
		}
		w.WriteHeader(500)
	}))
	defer s.Close()
	now := time.Now()
	cl := client(t, s.URL, func(c *dtmclient.Config) {
		c.BreakAfter, c.Now = 3, func() time.Time { return now }
	})
	for range 3 {
		require.Error(t, calls["read"](t.Context(), cl))
	}
	require.EqualValues(t, 3, asked.Load())
	for _, call := range calls {
		var e *dtmclient.Error
		require.ErrorAs(t, call(t.Context(), cl), &e)
		require.Equal(t, dtmclient.Unreachable, e.Kind, "never sent")
	}
	require.EqualValues(t, 3, asked.Load())

	now = now.Add(6 * time.Second)
	require.Error(t, calls["read"](t.Context(), cl))
	require.Error(t, calls["read"](t.Context(), cl))
	require.EqualValues(t, 4, asked.Load(), "one failure begins another rest")

	now = now.Add(6 * time.Second)
	well.Store(true)
	for range 5 {
		_, err := cl.Seats(t.Context())
		require.NoError(t, err)
	}
}
