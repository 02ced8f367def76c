package dtmsim_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

func TestAFaultAnswersTheNextCallsAndThenIsSpent(t *testing.T) {
	r := start(t)
	r.Signer("cp-basic-single", "ada")
	r.Trouble(dtmsim.Fault{Method: "GET", Path: "credential/*", N: 2, Status: 503, Body: "busy", ContentType: "text/plain", Header: map[string]string{"Retry-After": "1"}})
	for range 2 {
		resp, err := http.Get(r.BaseURL + v2 + "/credential/ada")
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 503, resp.StatusCode)
		require.Equal(t, "1", resp.Header.Get("Retry-After"))
	}
	require.Equal(t, "ACTIVE", r.statusOf(v2+"/credential/ada"))
	calls := r.Calls()
	require.Equal(t, 503, calls[len(calls)-2].Status)
	require.Equal(t, "api_key", calls[len(calls)-1].Auth)
}

func TestAnAnswerCanBeLostAfterTheCallTookEffect(t *testing.T) {
	for name, f := range map[string]dtmsim.Fault{
		"drop":     {Path: "signatures/signHash", After: true, Drop: true},
		"truncate": {Path: "signatures/signHash", After: true, Truncate: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			s := r.Signer("cp-basic", "ada")
			h := digest("a")
			sad := r.authorized(s, "cp-basic", 1, h)
			r.Trouble(f)
			req, err := http.NewRequest("POST", r.BaseURL+base+"signatures/signHash",
				strings.NewReader(`{"credentialID":"ada","SAD":"`+sad+`","hash":["`+b64(h)+`"],"signAlgo":"`+sha256RSA+`"}`))
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+r.bearer)
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			require.Error(t, err)
			require.Equal(t, 1, r.Count(dtmsim.LedgerSigned, "ada"), "it was signed all the same")
		})
	}
}

func TestADroppedCallTookNoEffect(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-basic", "ada")
	r.Trouble(dtmsim.Fault{Path: "credentials/sendOTP", Drop: true})
	_, err := http.Post(r.BaseURL+base+"credentials/sendOTP", "application/json", strings.NewReader("{}"))
	require.Error(t, err)
	require.Empty(t, r.LastCode(s.UserID))
}

func TestFaultsAreScriptedOverHTTPToo(t *testing.T) {
	r := start(t)
	status, b := r.send("POST", "/sim/v1/faults", object{"path": "csc/v1/info", "garbage": true})
	require.Equal(t, 200, status, "%s", b)
	require.Equal(t, "csc/v1/info: an answer that nobody can read", r.json(b)["name"])
	_, b = r.send("GET", base+"info", nil)
	require.NotContains(t, string(b), "specs")
	status, _ = r.send("POST", "/sim/v1/faults", object{"path": ""})
	require.Equal(t, 400, status)
	_, _ = r.send("POST", "/sim/v1/faults", object{"path": "csc/v1/info", "delay": "10s"})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", r.BaseURL+base+"info", nil)
	require.NoError(t, err)
	_, err = http.DefaultClient.Do(req)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	status, _ = r.send("DELETE", "/sim/v1/faults", nil)
	require.Equal(t, 204, status)
}

func TestTheRateLimitIsPerKeyAndOpensAgain(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.RateLimit = 3 })
	for range 3 {
		status, _ := r.api("GET", v1+"/seat", nil)
		require.Equal(t, 200, status)
	}
	r.apiRefused("GET", v1+"/seat", nil, 429, "rate_limit_exceeded", "Too many")
	status, _ := r.send("GET", v1+"/seat", nil, "x-api-key", "another")
	require.Equal(t, 401, status, "another key is not limited by this one")
	r.Advance(6 * time.Second)
	status, _ = r.api("GET", v1+"/seat", nil)
	require.Equal(t, 200, status)
}

func TestControlRoutesRefuseForeignPagesAndNames(t *testing.T) {
	r := start(t)
	status, _ := r.send("POST", "/sim/v1/clock", object{"advance": "1h"}, "Origin", "https://evil.example")
	require.Equal(t, 403, status)
	status, _ = r.send("GET", "/sim/v1/otp?user=x", nil, "Origin", "https://evil.example")
	require.Equal(t, 403, status)
	status, _ = r.send("POST", "/sim/v1/clock", object{"advance": "1h"}, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, 403, status)
	req, err := http.NewRequest("GET", r.BaseURL+"/sim/v1/ledger", nil)
	require.NoError(t, err)
	req.Host = "rebound.example"
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusMisdirectedRequest, resp.StatusCode)
	before := r.Clock()
	status, _ = r.send("POST", "/sim/v1/clock", object{"advance": "1h"}, "Origin", r.BaseURL)
	require.Equal(t, 200, status)
	require.WithinDuration(t, before.Add(time.Hour), r.Clock(), 2*time.Second)
}

func TestEverythingSurvivesARestartFromItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sim")
	o := dtmsim.Options{BaseURL: "http://127.0.0.1:1", Data: dir, RSABits: 2048, FastKeys: true}
	first, err := dtmsim.New(o)
	require.NoError(t, err)
	s, err := first.AddSigner("Ada", "Example", "cp-advanced", "ada")
	require.NoError(t, err)
	first.Advance(time.Hour)
	cert, root := first.Certificate("ada"), first.RootPEM()
	srv := httptest.NewServer(first)
	_, err = http.Post(srv.URL+"/sim/v1/mail", "application/json", strings.NewReader(`{"to":"x@example.test","subject":"Hello","text":"from the portal"}`))
	require.NoError(t, err)
	srv.Close()
	require.NoError(t, first.Close())
	// What a crash leaves of a line that was never answered for.
	f, err := os.OpenFile(filepath.Join(dir, "ledger.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"at":"2026-`)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	second, err := dtmsim.New(o)
	require.NoError(t, err)
	defer second.Close()
	require.Equal(t, root, second.RootPEM())
	require.True(t, cert.Equal(second.Certificate("ada")))
	require.Equal(t, s.PIN, second.PIN(s.UserID))
	require.Equal(t, "Hello", second.Mailbox("x@example.test")[0].Subject)
	require.WithinDuration(t, time.Now().Add(time.Hour), second.Clock(), time.Minute)
	require.Equal(t, first.Ledger(), second.Ledger())
	info, err := os.Stat(filepath.Join(dir, "keys", "root.key"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestTheLedgerIsOnDiskBeforeTheSignatureIsAnswered(t *testing.T) {
	dir := t.TempDir()
	r := start(t, func(o *dtmsim.Options) { o.Data = dir })
	s := r.Signer("cp-basic", "ada")
	h := digest("a")
	sad := r.authorized(s, "cp-basic", 1, h)
	status, _ := r.csc("signatures/signHash", object{"credentialID": "ada", "SAD": sad, "hash": []string{b64(h)}, "signAlgo": sha256RSA})
	require.Equal(t, 200, status)
	b, err := os.ReadFile(filepath.Join(dir, "ledger.jsonl"))
	require.NoError(t, err)
	require.Contains(t, string(b), `"kind":"signed"`)
	for _, name := range []string{"ledger.jsonl", "audit.jsonl"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NotContains(t, string(b), sad)
	}
}

// page fetches a page as a browser without scripts would, and posts forms likewise.
func (r *rig) page(method, path string, form url.Values) string {
	r.t.Helper()
	req, err := http.NewRequest(method, r.BaseURL+path, strings.NewReader(form.Encode()))
	require.NoError(r.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", r.BaseURL)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, 200, resp.StatusCode, "%s", b)
	require.Contains(r.t, string(b), "SIMULATOR")
	return string(b)
}

func (r *rig) find(page, pattern string) string {
	r.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	require.NotNil(r.t, m, "no %s in %s", pattern, page)
	return m[1]
}

func TestAPersonCanBeProofedByClickingAlone(t *testing.T) {
	r := start(t)
	id := r.validation(r.user("ada"), "ADVANCED_PLUS")
	link := r.find(r.page("GET", "/mailbox?to=ada@example.test", nil), `href="http://[^/]+(/confirm/\w+)">Confirm your e-mail<`)
	r.page("GET", link, nil)
	link = r.find(r.page("GET", "/mailbox", nil), `href="http://[^/]+(/proofing/\w+)">Show your papers<`)
	require.Contains(t, r.page("GET", link, nil), "Submit papers")
	require.Contains(t, r.page("POST", link, url.Values{"given_name": {"Ada"}, "family_name": {"Exemplary"}}), "Submitted")

	desk := r.find(r.page("GET", "/desk", nil), `href="(/desk/[^"]+)">Ada Example<`)
	require.Contains(t, r.page("GET", desk, nil), `value="Exemplary"`)
	for _, step := range []string{"resubmit", "submit", "start-review"} {
		r.page("POST", desk, url.Values{"step": {step}, "why": {"the photo is dark"}, "given_name": {"Ada"}, "family_name": {"Exemplary"}})
	}
	require.Contains(t, r.page("POST", desk, url.Values{"step": {"submit"}}), "moved on")
	r.page("POST", desk, url.Values{"step": {"verify"}, "given_name": {"Ada"}, "family_name": {"Exemplary"}})
	_, out := r.api("GET", v1+"/validation/"+id, nil)
	require.Equal(t, "PENDING_APPROVAL", out["status"])
	require.Equal(t, "Exemplary", out["identity"].(object)["attributes"].(object)["family_name"])
}

func TestThePhoneShowsTheLiveCodeAndAnswersPushes(t *testing.T) {
	r := start(t)
	s, p := r.Signer("cp-basic", "sms"), r.Signer("cp-advanced-push", "app")
	code := r.code(s)
	page := r.page("GET", "/phone?user="+url.QueryEscape(s.Email), nil)
	require.Equal(t, code, r.find(page, `data-code="(\d+)"`))
	require.Contains(t, page, "<p>Your code for signing with sms. It works once, within five minutes.</p>")
	status, _ := r.csc("credentials/authorize", object{"credentialID": "sms", "numSignatures": 1, "hash": []string{b64(digest("a"))}, "OTP": code})
	require.Equal(t, 200, status)
	require.NotContains(t, r.page("GET", "/phone/"+s.UserID, nil), "data-code", "a used code is shown as such")

	type reply struct {
		status int
		err    error
	}
	replies := make(chan reply, 1)
	go func() {
		req, err := http.NewRequest("POST", r.BaseURL+base+"credentials/authorize",
			strings.NewReader(`{"credentialID":"app","numSignatures":1,"hash":["`+b64(digest("a"))+`"],"description":"Lease <b>2026</b>"}`))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+r.bearer)
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				resp.Body.Close()
				replies <- reply{status: resp.StatusCode}
				return
			}
		}
		replies <- reply{err: errors.Join(errors.New("authorize"), err)}
	}()
	require.Eventually(t, func() bool { return r.Waiting(p.UserID) == 1 }, 5*time.Second, 2*time.Millisecond)
	page = r.page("GET", "/phone/"+p.UserID, nil)
	require.Contains(t, page, "Lease &lt;b&gt;2026")
	r.page("POST", r.find(page, `action="([^"]+/push/[^"]+)"`), url.Values{"answer": {"approve"}})
	got := <-replies
	require.NoError(t, got.err)
	require.Equal(t, 200, got.status)
}

func TestWithoutANumberTheCodeIsMailedToo(t *testing.T) {
	r := start(t)
	status, out := r.api("POST", v1+"/user", with(r.newUser("ada"), object{"phone_number": nil}))
	require.Equal(t, 201, status)
	r.issue(out["id"].(string), "cp-basic-single", "ada")
	_, info := r.csc("credentials/info", object{"credentialID": "ada", "authInfo": true})
	require.Equal(t, "email", info["OTP"].(object)["provider"])
	r.code(dtmsim.Signer{Credential: "ada", UserID: out["id"].(string)})
	require.Contains(t, r.page("GET", "/mailbox?to=ada@example.test", nil), "data-code")
}

func TestMailTextIsShownAsTextWithItsLinks(t *testing.T) {
	r := start(t)
	status, _ := r.send("POST", "/sim/v1/mail", object{"to": "x@example.test", "subject": "<script>", "text": "See https://portal.test/a?b=1&c=2. <i>Bye</i>", "link": "javascript:alert(1)", "label": "click"})
	require.Equal(t, 204, status)
	page := r.page("GET", "/mailbox", nil)
	require.Contains(t, page, `<a href="https://portal.test/a?b=1&amp;c=2">`)
	require.Contains(t, page, "&lt;i&gt;Bye")
	require.NotContains(t, page, "javascript:")
	require.NotContains(t, page, "<script>")
}

func TestEveryPageOpens(t *testing.T) {
	r := start(t)
	id := r.validation(r.user("ada"), "ADVANCED_PLUS")
	require.NoError(t, r.Step(id, "confirm-email", ""))
	for _, path := range []string{"/", "/mailbox", "/phone", "/desk", "/desk/" + id} {
		r.page("GET", path, nil)
	}
	require.Contains(t, r.page("POST", "/clock", url.Values{"advance": {"24h"}}), "Clock")
	for _, path := range []string{"/phone/none", "/desk/none", "/confirm/none", "/proofing/none", "/nothing"} {
		status, _ := r.send("GET", path, nil)
		require.Equal(t, 404, status, path)
	}
	for _, path := range []string{"/static/sim.css", "/static/sim.js"} {
		status, _ := r.send("GET", path, nil)
		require.Equal(t, 200, status)
	}
}
