package dtmsim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

func TestThePersonAtTheSwitchboardTurnsTroubleOnAndOff(t *testing.T) {
	r := start(t)
	r.Signer("cp-p256", "ada")
	stamp := func() int {
		status, _ := r.send("POST", base+"signatures/timestamp", object{"hash": b64(digest("x")), "hashAlgo": oidSHA256}, "Authorization", "Bearer "+r.bearer)
		return status
	}
	page := r.page("GET", "/switchboard", nil)
	for _, one := range dtmsim.Rehearsals() {
		require.Contains(t, page, one.Title)
		require.Contains(t, page, `id="`+one.Key+`"`)
	}
	require.Contains(t, page, "Nothing is switched on")

	page = r.page("POST", "/switchboard/trouble/clock-down", url.Values{"turn": {"on"}, "n": {"-1"}})
	require.Contains(t, page, "until it is switched off · not met yet")
	require.Equal(t, []int{503, 503}, []int{stamp(), stamp()})
	page = r.page("GET", "/switchboard", nil)
	require.Contains(t, page, "until it is switched off · met 2 times")
	require.Contains(t, page, `<code>POST /csc/v1/signatures/timestamp</code> <span class="tag bad">The clock service is down</span>`)
	require.Contains(t, r.page("POST", "/switchboard/trouble/clock-down", url.Values{"turn": {"off"}}), "Nothing is switched on")
	require.Equal(t, 200, stamp())

	r.page("POST", "/switchboard/trouble/clock-down", url.Values{"turn": {"on"}, "n": {"1"}})
	r.Trouble(dtmsim.Fault{ID: "mine", Name: "A program’s own", Path: "credentials/list", Status: 500})
	page = r.page("POST", "/switchboard/hostile", url.Values{"turn": {"on"}, "seed": {"42"}, "rate": {"0.2"}})
	require.Contains(t, page, "seed 42 · not met yet")
	require.Contains(t, page, "scripted by a program, once more")
	require.Equal(t, 0.2, r.Hostility().Rate)
	require.NotContains(t, r.page("POST", "/switchboard/fault/mine", nil), "scripted by a program")
	require.Contains(t, r.page("POST", "/switchboard", nil), "Nothing is switched on")
	require.Equal(t, 200, stamp())
	require.Zero(t, r.Hostility())

	before := r.Clock()
	require.Contains(t, r.page("POST", "/switchboard/clock", url.Values{"advance": {"-1h"}}), "−1h0m0s")
	require.WithinDuration(t, before.Add(-time.Hour), r.Clock(), 3*time.Second)
	require.Contains(t, r.page("POST", "/switchboard/clock", url.Values{"advance": {"real"}}), "which is right")
	require.Contains(t, r.page("GET", "/sim/", nil), "<h1>Switchboard</h1>")
	for _, bad := range []url.Values{{"turn": {"on"}, "seed": {"x"}, "rate": {"0.2"}}, {"turn": {"on"}, "seed": {"1"}, "rate": {"2"}}, {"turn": {"on"}, "seed": {"1"}}} {
		resp, err := http.PostForm(r.BaseURL+"/switchboard/hostile", bad)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, 400, resp.StatusCode)
	}
	require.Zero(t, r.Hostility())
	resp, err := http.PostForm(r.BaseURL+"/switchboard/trouble/nothing", nil)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, 404, resp.StatusCode)
}

func TestTheSwitchboardShowsLedgerAndCallsAsTheyAreWanted(t *testing.T) {
	r := start(t)
	for _, name := range []string{"ada", "ben"} {
		s := r.Signer("cp-p256", name)
		r.Trouble(dtmsim.Fault{Path: "signatures/signHash", Effect: dtmsim.EffectBitFlipped, For: `"ben"`})
		r.csc("signatures/signHash", object{"credentialID": name, "SAD": r.authorized(s, "cp-p256", 1, digest(name)), "hash": encoded([][]byte{digest(name)}), "signAlgo": sha256ECDSA})
	}
	log := func(query, part string) string {
		t.Helper()
		_, rest, ok := strings.Cut(r.page("GET", "/switchboard"+query, nil), `id="`+part+`"`)
		require.True(t, ok)
		text, _, _ := strings.Cut(rest, "</section>")
		return text
	}
	all := log("", "ledger-rows")
	require.Equal(t, 2, strings.Count(all, "<b>Signed</b>"))
	require.Equal(t, 1, strings.Count(all, "one bit of a signature is wrong"))
	require.Less(t, strings.Index(all, " · ben"), strings.Index(all, " · ada"), "newest first")
	require.NotContains(t, log("?who=credential:ada", "ledger-rows"), " · ben")
	require.Equal(t, 2, strings.Count(log("?kind=signed", "ledger-rows"), "<li"))
	require.Equal(t, 1, strings.Count(log("?kind=signed&who=credential:ben", "ledger-rows"), "<li"))
	require.Equal(t, 2, strings.Count(log("?path=signHash", "call-rows"), "<li>"))
	require.Equal(t, 1, strings.Count(log("?trouble=1", "call-rows"), "<li>"))
	require.Contains(t, log("?path=%3Cscript%3E", "call-rows"), "None.")
	require.NotContains(t, r.page("GET", "/switchboard?path=%3Cscript%3E", nil), "<script>")
}

func TestForeignPagesCannotTurnSwitches(t *testing.T) {
	r := start(t)
	for _, path := range []string{"/switchboard", "/switchboard/trouble/all-down", "/switchboard/hostile", "/switchboard/clock", "/switchboard/fault/x"} {
		for _, header := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
			status, _ := r.send("POST", path, "turn=on&seed=1&rate=0.5&advance=1h", append(header, "Content-Type", "application/x-www-form-urlencoded")...)
			require.Equal(t, 403, status, path)
		}
		req, err := http.NewRequest("POST", r.BaseURL+path, nil)
		require.NoError(t, err)
		req.Host = "rebound.example"
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusMisdirectedRequest, resp.StatusCode, path)
	}
	require.Empty(t, r.Faults())
	require.Zero(t, r.Hostility())
}
