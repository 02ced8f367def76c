package dtmsim_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

// What is rehearsed by name is scripted as it says, and a reader is told everything.
func TestEveryRehearsalIsSwitchedOnMetAndOff(t *testing.T) {
	r := start(t)
	r.Signer("cp-p256", "ada")
	status, b := r.send("GET", "/sim/v1/rehearsals", nil)
	require.Equal(t, 200, status)
	var all []struct {
		dtmsim.Rehearsal
		On   bool
		Left int
		Hits int
	}
	look := func() {
		_, b := r.send("GET", "/sim/v1/rehearsals", nil)
		require.NoError(t, json.Unmarshal(b, &all))
	}
	require.NoError(t, json.Unmarshal(b, &all))
	require.Len(t, all, len(dtmsim.Rehearsals()))
	for i, one := range dtmsim.Rehearsals() {
		for _, text := range []string{one.Key, one.Group, one.Title, one.Does, one.Then} {
			require.NotEmpty(t, text, one.Key)
		}
		status, b = r.send("POST", "/sim/v1/rehearsals/"+one.Key, object{"n": 2})
		require.Equal(t, 204, status, "%s: %s", one.Key, b)
		look()
		require.True(t, all[i].On, one.Key)
		require.Equal(t, 2, all[i].Left)
		status, _ = r.send("DELETE", "/sim/v1/rehearsals/"+one.Key, nil)
		require.Equal(t, 204, status)
		look()
		require.False(t, all[i].On, one.Key)
	}
	require.NoError(t, r.Rehearse("all-down", 0, ""))
	require.NoError(t, r.Rehearse("all-down", 0, ""), "again is afresh")
	require.Len(t, r.Faults(), 1)
	got, _ := r.send("POST", base+"credentials/info", object{"credentialID": "ada"}, "Authorization", "Bearer "+r.bearer)
	require.Equal(t, 503, got)
	look()
	for _, one := range all {
		require.Equal(t, map[bool]int{true: 1}[one.Key == "all-down"], one.Hits, one.Key)
	}
	status, _ = r.send("POST", "/sim/v1/rehearsals/nothing", nil)
	require.Equal(t, 404, status)
	require.Error(t, r.Rehearse("nothing", 0, ""))
}

// meet makes the same calls and answers what each met.
func meet(t *testing.T, r *rig, more func()) (met []string) {
	t.Helper()
	for range 60 {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		req, err := http.NewRequestWithContext(ctx, "POST", r.BaseURL+base+"credentials/list", strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+r.bearer)
		req.Header.Set("Content-Type", "application/json")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // it may break, that is what is looked at
			resp.Body.Close()
		}
		cancel()
		if more != nil {
			more()
		}
	}
	require.Eventually(t, func() bool { // a call stands there once it is over, which is after its connection broke
		met = nil
		for _, c := range r.Calls() {
			if strings.HasSuffix(c.Path, "credentials/list") {
				met = append(met, c.Trouble)
				require.Equal(t, c.Trouble != "", c.Fault == dtmsim.HostileFault)
			}
		}
		return len(met) == 60
	}, 5*time.Second, 5*time.Millisecond)
	return met
}

func TestHostileTroubleIsDrawnFromTheSeedAndTheCall(t *testing.T) {
	hostile := func(seed uint64) *rig {
		r := start(t)
		require.NoError(t, r.Hostile(seed, 0.3))
		return r
	}
	r := hostile(5)
	first := meet(t, r, nil)
	require.Equal(t, first, meet(t, hostile(5), nil), "the same seed and the same calls")
	other := hostile(5)
	require.Equal(t, first, meet(t, other, func() {
		if resp, err := http.Get(other.BaseURL + "/crl/root.crl"); err == nil {
			resp.Body.Close()
		}
	}), "whatever else is called")
	require.NotEqual(t, first, meet(t, hostile(6), nil))
	troubled := 0
	for _, m := range first {
		if m != "" {
			troubled++
		}
	}
	require.Equal(t, troubled, r.Hostility().Met)
	require.InDelta(t, 18, troubled, 10, "three in ten")

	r.Trouble(dtmsim.Fault{Name: "scripted", Path: "csc/v1/info", N: 100, Status: 503})
	for range 100 {
		_, _, _, err := r.raw(base + "info")
		require.NoError(t, err)
	}
	status, b := r.send("DELETE", "/sim/v1/hostile", nil)
	require.Equal(t, 204, status, "%s", b)
	calls := len(r.Calls())
	for range 50 {
		_, _, _, err := r.raw(base + "info")
		require.NoError(t, err)
	}
	for _, c := range r.Calls()[calls:] {
		require.Empty(t, c.Trouble)
	}
	status, b = r.send("POST", "/sim/v1/hostile", object{"seed": 9})
	require.Equal(t, 200, status)
	require.InDelta(t, 0.05, r.json(b)["rate"], 1e-9)
	status, _ = r.send("POST", "/sim/v1/hostile", object{"seed": 9, "rate": 1.5})
	require.Equal(t, 400, status)
	_, err := dtmsim.New(dtmsim.Options{FastKeys: true, Hostile: 1, HostileRate: 2})
	require.Error(t, err)
	s, err := dtmsim.New(dtmsim.Options{FastKeys: true, Hostile: 3})
	require.NoError(t, err)
	require.Equal(t, dtmsim.Hostility{Seed: 3, Rate: 0.05}, s.Hostility())
}

// Everything that counts is in the ledger once, numbered, and can be picked out.
func TestTheLedgerIsCompleteNumberedAndPicked(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced", "ada")
	r.Signer("cp-p256", "ben")
	h := digest("a")
	status, _ := r.csc("signatures/signHash", object{"credentialID": "ada", "SAD": r.authorized(s, "cp-advanced", 1, h), "hash": encoded([][]byte{h}), "signAlgo": sha256RSA})
	require.Equal(t, 200, status)
	r.put(v1 + "/credential/ada/suspend")
	r.put(v1 + "/credential/ada/resume")
	require.NoError(t, r.Revoke("ada"))
	u := r.user("cleo")
	check := v1 + "/validation/" + r.validation(u, "BASIC")
	r.proofOf(check)
	r.put(check + "/approve")

	var kinds []string
	for i, e := range r.Ledger() {
		require.Equal(t, i+1, e.Number)
		require.False(t, e.At.IsZero())
		if e.Credential != "ben" {
			kinds = append(kinds, e.Kind)
		}
	}
	require.Equal(t, []string{"credential_issued", "otp_sent", "pin_try", "otp_try", "sad_issued", "sad_died", "signed", "credential_suspended", "credential_resumed", "credential_revoked", "seat_taken"}, kinds)
	for query, n := range map[string]int{"": 12, "?kind=signed": 1, "?credential=ben": 1, "?user=" + s.Email: 10, "?user=" + u: 1, "?hash=" + hex.EncodeToString(h): 2, "?after=10": 2,
		"?sad=" + r.LedgerOf(dtmsim.LedgerFilter{Kind: dtmsim.LedgerSigned})[0].SAD: 3, "?user=nobody": 0} {
		_, b := r.send("GET", "/sim/v1/ledger"+query, nil)
		var got []dtmsim.LedgerEntry
		require.NoError(t, json.Unmarshal(b, &got), query)
		require.Len(t, got, n, query)
	}
	status, _ = r.send("GET", "/sim/v1/ledger?after=x", nil)
	require.Equal(t, 400, status)
	for _, method := range []string{"DELETE", "POST", "PUT"} {
		status, _ = r.send(method, "/sim/v1/ledger", nil)
		require.Equal(t, 405, status, "nothing is taken away")
	}
}
