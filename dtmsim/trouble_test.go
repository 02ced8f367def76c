package dtmsim_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"countersign/dtmsim"
)

// A fault counts by what a client sees of it on the wire.

// asked signs three digests with a new key and answers which signatures hold for their own
// digest, and how many there are.
func (r *rig) asked(name string, fault dtmsim.Fault) (holds []bool, in object, answer object, status int) {
	r.t.Helper()
	s := r.Signer("cp-rsa2048", name)
	hashes := [][]byte{digest("a"), digest("b"), digest("c")}
	in = object{"credentialID": name, "SAD": r.authorized(s, "cp-rsa2048", 3, hashes...), "hash": encoded(hashes), "signAlgo": sha256RSA}
	fault.Path = "signatures/signHash"
	r.Trouble(fault)
	status, answer = r.csc("signatures/signHash", in)
	key := r.Certificate(name).PublicKey.(*rsa.PublicKey)
	values, _ := answer["signatures"].([]any)
	for i, v := range values {
		h := hashes[min(i, 2)]
		holds = append(holds, rsa.VerifyPKCS1v15(key, crypto.SHA256, h, unb64(r.t.(*testing.T), v)) == nil)
	}
	return holds, in, answer, status
}

func TestSignaturesCanBeSpoiledInEveryWay(t *testing.T) {
	r := start(t)
	for name, c := range map[string]struct {
		fault dtmsim.Fault
		holds []bool
	}{
		"one bit":      {dtmsim.Fault{Effect: dtmsim.EffectBitFlipped}, []bool{false, true, true}},
		"of the third": {dtmsim.Fault{Effect: dtmsim.EffectBitFlipped, Which: 3}, []bool{true, true, false}},
		"another key":  {dtmsim.Fault{Effect: dtmsim.EffectOtherKey, Which: 2}, []bool{true, false, true}},
		"the order":    {dtmsim.Fault{Effect: dtmsim.EffectOtherOrder}, []bool{false, true, false}},
		"too few":      {dtmsim.Fault{Effect: dtmsim.EffectOneTooFew}, []bool{true, true}},
		"too many":     {dtmsim.Fault{Effect: dtmsim.EffectOneTooMany}, []bool{true, true, true, true}},
		"none of it":   {dtmsim.Fault{Delay: 1}, []bool{true, true, true}},
	} {
		holds, _, answer, status := r.asked(name, c.fault)
		require.Equal(t, 200, status, "%s: %v", name, answer)
		require.Equal(t, c.holds, holds, name)
		signed := r.LedgerOf(dtmsim.LedgerFilter{Kind: dtmsim.LedgerSigned, Credential: name})
		require.Len(t, signed, 1)
		require.Equal(t, c.fault.Effect, signed[0].Text, "the ledger says what was spoiled")
		require.Len(t, signed[0].Hashes, 3)
	}
}

func TestAnApprovalCanRunOutAndACredentialEndBeforeTheSignature(t *testing.T) {
	r := start(t)
	for name, c := range map[string]struct {
		fault dtmsim.Fault
		text  string
	}{
		"expired":   {dtmsim.Fault{Effect: dtmsim.EffectSADExpired}, "SAD expired"},
		"revoked":   {dtmsim.Fault{Effect: dtmsim.EffectRevoked}, "Invalid parameter SAD"},
		"suspended": {dtmsim.Fault{Effect: dtmsim.EffectSuspended}, "Invalid parameter SAD"},
	} {
		holds, in, answer, status := r.asked(name, c.fault)
		require.Equal(t, 400, status, name)
		require.Equal(t, c.text, answer["error_description"], name)
		require.Empty(t, holds)
		require.Zero(t, r.Count(dtmsim.LedgerSigned, name))
		status, _ = r.csc("signatures/signHash", in)
		require.Equal(t, 400, status, "%s: it is over for good", name)
	}
	require.Equal(t, "REVOKED", r.statusOf(v2+"/credential/revoked"))
	require.Equal(t, "SUSPENDED", r.statusOf(v2+"/credential/suspended"))

	// Between the approval and the signature: the approval is answered as if nothing were.
	s := r.Signer("cp-rsa2048", "between")
	r.Trouble(dtmsim.Fault{Path: "credentials/authorize", After: true, Effect: dtmsim.EffectRevoked})
	sad := r.authorized(s, "cp-rsa2048", 1, digest("a"))
	_, info := r.csc("credentials/info", object{"credentialID": "between"})
	require.Equal(t, "disabled", info["key"].(object)["status"])
	r.refused("signatures/signHash", object{"credentialID": "between", "SAD": sad, "hash": encoded([][]byte{digest("a")}), "signAlgo": sha256RSA}, 400, "invalid_request", "Invalid parameter SAD")
}

func TestACodeOrAMailIsLostOrLate(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-basic", "ada")
	send := func() {
		t.Helper()
		r.Advance(31 * time.Second)
		status, _ := r.csc("credentials/sendOTP", object{"credentialID": "ada"})
		require.Equal(t, 204, status, "the service says that it was sent")
	}
	r.Trouble(dtmsim.Fault{Path: "credentials/sendOTP", Effect: dtmsim.EffectLost})
	send()
	require.Empty(t, r.LastCode(s.UserID))
	r.Trouble(dtmsim.Fault{Path: "credentials/sendOTP", Effect: dtmsim.EffectLate, Shift: dtmsim.Duration(time.Minute)})
	send()
	require.Empty(t, r.LastCode(s.UserID))
	r.Advance(time.Minute)
	code := r.LastCode(s.UserID)
	require.NotEmpty(t, code)
	status, body := r.csc("credentials/authorize", object{"credentialID": "ada", "OTP": code, "numSignatures": 1, "hash": encoded([][]byte{digest("a")})})
	require.Equal(t, 200, status, "it is a code like any other: %v", body)
	sent := r.LedgerOf(dtmsim.LedgerFilter{Kind: dtmsim.LedgerOTPSent, Who: s.Email})
	require.Equal(t, []string{"lost", "late"}, []string{sent[0].Text, sent[1].Text})

	mail := func(to string) { r.send("POST", "/sim/v1/mail", object{"to": to, "subject": "Hello", "text": "x"}) }
	r.Trouble(dtmsim.Fault{Path: dtmsim.PathMail, Effect: dtmsim.EffectLost, For: "ben@example.test"})
	r.Trouble(dtmsim.Fault{Path: dtmsim.PathMail, Effect: dtmsim.EffectLate, Shift: dtmsim.Duration(time.Hour), For: "cleo@example.test"})
	for _, to := range []string{"ada@example.test", "ben@example.test", "cleo@example.test"} {
		mail(to)
	}
	require.Len(t, r.Mailbox("ada@example.test"), 1)
	require.Empty(t, r.Mailbox("ben@example.test"))
	require.Empty(t, r.Mailbox("cleo@example.test"))
	r.Advance(time.Hour)
	require.Empty(t, r.Mailbox("ben@example.test"))
	require.Len(t, r.Mailbox("cleo@example.test"), 1)
	mail("ben@example.test")
	require.Len(t, r.Mailbox("ben@example.test"), 1, "one was lost, not more")
}

// raw makes a call and answers how much of the body came, after how long, and how it ended.
func (r *rig) raw(path string) (body []byte, took time.Duration, header http.Header, err error) {
	begin := time.Now()
	resp, err := http.Get(r.BaseURL + path)
	if err != nil {
		return nil, time.Since(begin), nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return body, time.Since(begin), resp.Header, err
}

func TestAnswersDripBreakOffAndComeLate(t *testing.T) {
	r := start(t)
	whole, _, _, err := r.raw(base + "info")
	require.NoError(t, err)

	r.Trouble(dtmsim.Fault{Path: "csc/v1/info", Reset: 37})
	body, _, _, err := r.raw(base + "info")
	require.Error(t, err)
	require.Equal(t, whole[:37], body)

	r.Trouble(dtmsim.Fault{Path: "csc/v1/info", Drip: 2 * len(whole)})
	body, took, _, err := r.raw(base + "info")
	require.NoError(t, err)
	require.Equal(t, whole, body)
	require.Greater(t, took, 400*time.Millisecond)

	r.Trouble(dtmsim.Fault{Path: "csc/v1/info", Delay: dtmsim.Duration(120 * time.Millisecond)})
	body, took, _, err = r.raw(base + "info")
	require.NoError(t, err)
	require.Equal(t, whole, body)
	require.Greater(t, took, 100*time.Millisecond)

	drawn := func(seed uint64) (all []time.Duration) {
		r.ClearFaults()
		r.Trouble(dtmsim.Fault{Path: "csc/v1/info", N: 4, Spread: dtmsim.Duration(40 * time.Millisecond), Seed: seed})
		for range 4 {
			_, took, _, err := r.raw(base + "info")
			require.NoError(t, err)
			all = append(all, took)
		}
		return all
	}
	first, again := drawn(7), drawn(7)
	for i := range first {
		require.InDelta(t, first[i].Seconds(), again[i].Seconds(), 0.035, "the same seed, the same delays")
	}
}

func TestClocksAreMovedByName(t *testing.T) {
	r := start(t)
	date := func() time.Time {
		_, _, header, err := r.raw(base + "info")
		require.NoError(t, err)
		at, err := http.ParseTime(header.Get("Date"))
		require.NoError(t, err)
		return at
	}
	r.Trouble(dtmsim.Fault{Path: "*", Effect: dtmsim.EffectDate, Shift: dtmsim.Duration(-10 * time.Minute)})
	require.WithinDuration(t, r.Clock().Add(-10*time.Minute), date(), 3*time.Second)
	require.WithinDuration(t, time.Now(), date(), 3*time.Second)

	stamp := r.stamps()
	r.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Effect: dtmsim.EffectClock, Shift: dtmsim.Duration(48 * time.Hour)})
	require.Contains(t, stamp(), r.Clock().Add(48*time.Hour).UTC().Format("Jan _2 15:04"))
	require.Contains(t, stamp(), r.Clock().UTC().Format("Jan _2 "))

	ask, _ := r.responder("ada")
	r.Trouble(dtmsim.Fault{Path: "ocsp", Effect: dtmsim.EffectClock, Shift: dtmsim.Duration(time.Hour)})
	require.WithinDuration(t, r.Clock().Add(time.Hour), ask().ThisUpdate, 3*time.Second)
	require.WithinDuration(t, r.Clock(), ask().ThisUpdate, 3*time.Second)

	r.Advance(time.Hour) // all of them, until it is moved back
	require.WithinDuration(t, time.Now().Add(time.Hour), ask().ThisUpdate, 3*time.Second)
	r.Advance(-time.Hour)
	require.WithinDuration(t, time.Now(), ask().ThisUpdate, 3*time.Second)
}

// stamps asks for a timestamp over CSC and tells what openssl reads in it.
func (r *rig) stamps() func() string {
	dir := r.t.TempDir()
	return func() string {
		r.t.Helper()
		status, out := r.csc("signatures/timestamp", object{"hash": b64(digest("data")), "hashAlgo": oidSHA256, "nonce": "c0ffee"})
		require.Equal(r.t, 200, status, "%v", out)
		require.NoError(r.t, os.WriteFile(filepath.Join(dir, "token"), unb64(r.t.(*testing.T), out["timestamp"]), 0o600))
		text := r.openssl(dir, "ts", "-reply", "-token_in", "-in", "token", "-token_out", "-text")
		cmd := exec.Command("openssl", "cms", "-verify", "-inform", "DER", "-in", "token", "-purpose", "timestampsign", "-CAfile", "root.pem", "-out", "info")
		cmd.Dir = dir
		if cmd.Run() != nil {
			text += "\ndoes not hold"
		}
		return text
	}
}

func TestAClockServiceGoesWrongInEveryWay(t *testing.T) {
	r := start(t)
	stamp := r.stamps()
	good := stamp()
	require.Contains(t, good, "Nonce: 0xC0FFEE")
	require.NotContains(t, good, "does not hold")
	for effect, said := range map[string]string{dtmsim.EffectSpoiled: "does not hold", dtmsim.EffectOtherNonce: "Nonce: 0xC0FFEF"} {
		r.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Effect: effect})
		require.Contains(t, stamp(), said)
	}
	r.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Effect: dtmsim.EffectOtherHash})
	imprint := func(text string) string { _, rest, _ := strings.Cut(text, "Message data:"); return rest[:200] }
	require.NotEqual(t, imprint(good), imprint(stamp()))

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), []byte("data"), 0o600))
	r.openssl(dir, "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "q.tsq")
	q, err := os.ReadFile(filepath.Join(dir, "q.tsq"))
	require.NoError(t, err)
	r.Trouble(dtmsim.Fault{Path: "tsa", Effect: dtmsim.EffectRejected})
	resp, err := http.Post(r.TSA, "application/timestamp-query", strings.NewReader(string(q)))
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "r.tsr"), b, 0o600))
	require.Contains(t, r.openssl(dir, "ts", "-reply", "-in", "r.tsr", "-text"), "time source is not available")
}

// responder asks OCSP about a new credential.
func (r *rig) responder(name string) (ask func() *ocsp.Response, asked func() (*ocsp.Response, error)) {
	s := r.Signer("cp-p256", name)
	cert := r.Certificate(s.Credential)
	block, _ := pem.Decode([]byte(r.CAPEM()))
	issuer, err := x509.ParseCertificate(block.Bytes)
	require.NoError(r.t, err)
	der, err := ocsp.CreateRequest(cert, issuer, nil)
	require.NoError(r.t, err)
	asked = func() (*ocsp.Response, error) {
		// By GET, whose path ends in the request and not in "ocsp".
		return ocsp.ParseResponse(r.get(cert.OCSPServer[0]+"/"+strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(b64(der))), issuer)
	}
	return func() *ocsp.Response {
		r.t.Helper()
		resp, err := asked()
		require.NoError(r.t, err)
		return resp
	}, asked
}

func TestRespondersAndListsGoWrongByName(t *testing.T) {
	r := start(t)
	ask, asked := r.responder("ada")
	trouble := func(path, effect string) { r.Trouble(dtmsim.Fault{Path: path, Effect: effect}) }
	require.Equal(t, ocsp.Good, ask().Status)
	trouble("ocsp", dtmsim.EffectUnknown)
	require.Equal(t, ocsp.Unknown, ask().Status)
	trouble("ocsp", dtmsim.EffectSaysRevoked)
	require.Equal(t, ocsp.Revoked, ask().Status)
	require.Equal(t, "ACTIVE", r.statusOf(v2+"/credential/ada"), "it was only said")
	trouble("ocsp", dtmsim.EffectStale)
	require.True(t, ask().NextUpdate.Before(r.Clock()))
	trouble("ocsp", dtmsim.EffectTryLater)
	_, err := asked()
	require.ErrorContains(t, err, "try later")
	trouble("ocsp", dtmsim.EffectSpoiled)
	_, err = asked()
	require.ErrorContains(t, err, "bad")
	require.Equal(t, ocsp.Good, ask().Status)

	block, _ := pem.Decode([]byte(r.CAPEM()))
	issuer, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	list := func() *x509.RevocationList {
		l, err := x509.ParseRevocationList(r.get(r.BaseURL + "/crl/issuing.crl"))
		require.NoError(t, err)
		return l
	}
	require.NoError(t, list().CheckSignatureFrom(issuer))
	trouble("crl/*", dtmsim.EffectSpoiled)
	require.Error(t, list().CheckSignatureFrom(issuer))
	trouble("crl/*", dtmsim.EffectStale)
	require.True(t, list().NextUpdate.Before(r.Clock()))
	require.True(t, list().NextUpdate.After(r.Clock()))
}

func TestAFaultHasAnEndACountAndANameAndMayBeForOneOnly(t *testing.T) {
	r := start(t)
	r.Signer("cp-p256", "ada")
	r.Signer("cp-p256", "ben")
	info := func(name string) int {
		status, _ := r.csc("credentials/info", object{"credentialID": name})
		return status
	}
	r.Trouble(dtmsim.Fault{ID: "one", Name: "Ada is away", Path: "credentials/info", For: `"ada"`, Skip: 1, N: 2, Status: 503})
	require.Equal(t, []int{200, 200, 503, 200, 503, 200}, []int{info("ben"), info("ada"), info("ada"), info("ben"), info("ada"), info("ada")})
	f := r.Faults()[0]
	require.Equal(t, 2, f.Hits)
	require.WithinDuration(t, r.Clock(), f.LastHit, 3*time.Second)
	calls := r.Calls()
	require.Equal(t, "Ada is away", calls[len(calls)-2].Trouble)
	require.Equal(t, "one", calls[len(calls)-2].Fault)
	require.Empty(t, calls[len(calls)-1].Trouble)
	require.Equal(t, calls[len(calls)-2].Number+1, calls[len(calls)-1].Number)

	r.Trouble(dtmsim.Fault{ID: "for ever", Path: "credentials/info", N: dtmsim.UntilCleared, Status: 503})
	for range 5 {
		require.Equal(t, 503, info("ada"))
	}
	require.False(t, r.ClearFault("another"))
	require.True(t, r.ClearFault("for ever"))
	require.Equal(t, 200, info("ada"))

	status, b := r.send("POST", "/sim/v1/faults", dtmsim.Fault{Path: "credentials/info", N: dtmsim.UntilCleared, Status: 418})
	require.Equal(t, 200, status)
	require.Equal(t, 418, info("ada"))
	status, _ = r.send("DELETE", "/sim/v1/faults/"+r.json(b)["id"].(string), nil)
	require.Equal(t, 204, status)
	require.Equal(t, 200, info("ada"))
	status, _ = r.send("DELETE", "/sim/v1/faults/none", nil)
	require.Equal(t, 404, status)
}

func TestAFaultThatCannotBeIsRefused(t *testing.T) {
	r := start(t)
	for name, f := range map[string]dtmsim.Fault{
		"no path":                    {},
		"no such effect":             {Path: "ocsp", Effect: "sulks"},
		"an effect elsewhere":        {Path: "ocsp", Effect: dtmsim.EffectBitFlipped},
		"none of mail":               {Path: dtmsim.PathMail, Effect: dtmsim.EffectRevoked},
		"mail and nothing":           {Path: dtmsim.PathMail, Drop: true},
		"a clock that is not moved":  {Path: "tsa", Effect: dtmsim.EffectClock},
		"before it was sent":         {Path: dtmsim.PathMail, Effect: dtmsim.EffectLate, Shift: -1},
		"an effect and no call":      {Path: "signatures/signHash", Effect: dtmsim.EffectBitFlipped, Status: 500},
		"two things":                 {Path: "x", Drip: 1, Reset: 1},
		"dropped and answered":       {Path: "x", Drop: true, Status: 500},
		"a truncated nothing":        {Path: "x", Truncate: true},
		"less than no delay":         {Path: "x", Delay: -1},
		"no status":                  {Path: "x", Status: 42},
		"less than until it is over": {Path: "x", N: -2},
	} {
		require.Error(t, r.Fault(f), name)
	}
	r.Trouble(dtmsim.Fault{ID: "once", Path: "x"})
	require.Error(t, r.Fault(dtmsim.Fault{ID: "once", Path: "x"}))
}
