package dtmsim_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func with(in object, more object) object {
	out := object{}
	for k, v := range in {
		out[k] = v
	}
	for k, v := range more {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

func TestACodeWorksOnceForFiveMinutesAndOnlyTheNewest(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-basic", "ada")
	in := object{"credentialID": s.Credential, "numSignatures": 1, "hash": []string{b64(digest("a"))}}
	wrong := func(code string) {
		t.Helper()
		r.refused("credentials/authorize", with(in, object{"OTP": code}), 400, "invalid_otp", "The OTP is invalid")
	}
	first := r.code(s)
	require.Regexp(t, `^\d{6}$`, first)
	r.refused("credentials/sendOTP", object{"credentialID": s.Credential}, 429, "invalid_request", "An OTP was sent less than 30 seconds ago")
	r.Advance(30 * time.Second)
	second := r.code(s)
	if first != second { // one in a million
		wrong(first)
	}
	status, _ := r.csc("credentials/authorize", with(in, object{"OTP": second}))
	require.Equal(t, 200, status)
	wrong(second)
	third := r.code(s) // used codes do not delay the next
	r.Advance(5 * time.Minute)
	wrong(third)
}

func TestFiveWrongCodesLockForFifteenMinutes(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-basic", "ada")
	in := object{"credentialID": s.Credential, "numSignatures": 1, "hash": []string{b64(digest("a"))}}
	r.code(s)
	for range 5 {
		r.refused("credentials/authorize", with(in, object{"OTP": "wrong"}), 400, "invalid_otp", "The OTP is invalid")
	}
	r.refused("credentials/authorize", with(in, object{"OTP": r.LastCode(s.UserID)}), 400, "invalid_request", "OTP locked")
	r.refused("credentials/sendOTP", object{"credentialID": s.Credential}, 400, "invalid_request", "OTP locked")
	r.Advance(15 * time.Minute)
	status, _ := r.csc("credentials/authorize", with(in, object{"OTP": r.code(s)}))
	require.Equal(t, 200, status)
}

func TestFiveWrongPINsLockAllCredentialsUntilReset(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-p256", "ada")
	in := object{"credentialID": s.Credential, "numSignatures": 1}
	for range 5 {
		r.refused("credentials/authorize", with(in, object{"PIN": "x"}), 400, "invalid_pin", "The PIN is invalid")
	}
	r.refused("credentials/authorize", with(in, object{"PIN": s.PIN}), 400, "invalid_request", "PIN locked")
	r.Advance(50 * time.Minute)
	r.refused("credentials/authorize", with(in, object{"PIN": s.PIN}), 400, "invalid_request", "PIN locked")
	status, _ := r.send("POST", "/sim/v1/user/"+s.UserID+"/reset-pin", object{})
	require.Equal(t, 204, status)
	require.NotEmpty(t, r.Mailbox(s.Email)[0].PIN)
	status, _ = r.csc("credentials/authorize", with(in, object{"PIN": r.PIN(s.UserID)}))
	require.Equal(t, 200, status)
}

func TestAnAuthenticatorsCodeWorksOncePerStep(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-totp", "ada")
	r.refused("credentials/sendOTP", object{"credentialID": s.Credential}, 400, "invalid_request", "The credential does not use an OTP that is sent")
	in := object{"credentialID": s.Credential, "numSignatures": 1, "hash": []string{b64(digest("a"))}, "PIN": s.PIN, "OTP": r.TOTP(s.UserID)}
	status, _ := r.csc("credentials/authorize", in)
	require.Equal(t, 200, status)
	r.refused("credentials/authorize", in, 400, "invalid_otp", "The OTP is invalid")
}

func TestThePhoneDecidesAPush(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-push", "ada")
	in := object{"credentialID": s.Credential, "numSignatures": 1, "hash": []string{b64(digest("a"))}, "description": "Contract"}
	r.Phone(s.UserID, true)
	status, _ := r.csc("credentials/authorize", in)
	require.Equal(t, 200, status)
	r.Phone(s.UserID, false)
	r.refused("credentials/authorize", in, 403, "access_denied", "The user declined the authorization")
}

func TestAPushNobodyAnswersEndsAsAGatewayTimeout(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-push", "ada")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.Waiting(s.UserID) == 0 {
			time.Sleep(time.Millisecond)
		}
		r.Advance(61 * time.Second)
	}()
	status, b := r.send("POST", base+"credentials/authorize", object{"credentialID": s.Credential, "numSignatures": 1, "hash": []string{b64(digest("a"))}},
		"Authorization", "Bearer "+r.bearer)
	<-done
	require.Equal(t, http.StatusGatewayTimeout, status)
	require.Contains(t, string(b), "<html>", "the gateway speaks, not the service")
	require.False(t, r.AnswerPhone(s.UserID, true), "too late")
	require.Zero(t, r.Count(dtmsim.LedgerSADIssued, ""))
}

func TestAPushTimesOutWhereTheClockStandsStill(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	r := start(t, func(o *dtmsim.Options) { o.Now, o.PushTimeout = func() time.Time { return at }, 20*time.Millisecond })
	s := r.Signer("cp-advanced-push", "ada")
	status, _ := r.send("POST", base+"credentials/authorize", object{"credentialID": s.Credential, "numSignatures": 1, "hash": []string{b64(digest("a"))}},
		"Authorization", "Bearer "+r.bearer)
	require.Equal(t, http.StatusGatewayTimeout, status)
}

func TestAPushIsWithdrawnWhenTheCallerGoesAway(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-push", "ada")
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", r.BaseURL+base+"credentials/authorize",
		strings.NewReader(`{"credentialID":"ada","numSignatures":1,"hash":["`+b64(digest("a"))+`"]}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+r.bearer)
	req.Header.Set("Content-Type", "application/json")
	gone := make(chan error, 1)
	go func() { _, err := http.DefaultClient.Do(req); gone <- err }()
	require.Eventually(t, func() bool { return r.Waiting(s.UserID) == 1 }, 5*time.Second, 2*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-gone, context.Canceled)
	require.Eventually(t, func() bool { return r.Waiting(s.UserID) == 0 }, 5*time.Second, 2*time.Millisecond)
	require.False(t, r.AnswerPhone(s.UserID, true))
}

func TestASADSignsOnlyTheHashesAndTheNumberItWasGivenFor(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced", "ada")
	a, b, c := digest("a"), digest("b"), digest("c")
	sad := r.authorized(s, "cp-advanced", 2, a, b)
	in := object{"credentialID": s.Credential, "SAD": sad, "signAlgo": sha256RSA}
	r.refused("signatures/signHash", with(in, object{"hash": encoded([][]byte{c})}), 400, "invalid_request", "Hash is not authorized by the SAD.")
	r.refused("signatures/signHash", with(in, object{"hash": encoded([][]byte{a, b, a})}), 400, "invalid_request", "Invalid parameter SAD")
	status, out := r.csc("signatures/signHash", with(in, object{"hash": encoded([][]byte{b, a})})) // order is free
	require.Equal(t, 200, status)
	for i, h := range [][]byte{b, a} {
		requireSignature(t, r.Certificate(s.Credential), h, unb64(t, out["signatures"].([]any)[i]), false)
	}
	r.refused("signatures/signHash", with(in, object{"hash": encoded([][]byte{a})}), 400, "invalid_request", "Invalid parameter SAD")
}

func TestWithoutHashBindingOnlyTheNumberCounts(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-p256", "ada")
	in := object{"credentialID": s.Credential, "SAD": r.authorized(s, "cp-advanced-p256", 1, digest("told")), "signAlgo": sha256ECDSA, "hash": []string{b64(digest("other"))}}
	status, _ := r.csc("signatures/signHash", in)
	require.Equal(t, 200, status, "SCAL 1 does not bind the SAD to content")
	r.refused("signatures/signHash", in, 400, "invalid_request", "Invalid parameter SAD")
}

func TestSealingInBatchesExtendsOneAuthorization(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-seal", "seal")
	one, two := digest("1"), digest("2")
	sad := r.authorized(s, "cp-seal", 2, one) // total of two, first batch only
	in := object{"credentialID": s.Credential, "signAlgo": sha256RSA}
	status, _ := r.csc("signatures/signHash", with(in, object{"SAD": sad, "hash": []string{b64(one)}}))
	require.Equal(t, 200, status)
	r.refused("credentials/extendTransaction", object{"credentialID": s.Credential, "SAD": "xxx", "hash": []string{b64(two)}}, 400, "invalid_request", "Invalid parameter SAD")
	r.refused("credentials/extendTransaction", object{"credentialID": s.Credential, "SAD": sad}, 400, "invalid_request", "Missing (or invalid type) array parameter hash")
	status, out := r.csc("credentials/extendTransaction", object{"credentialID": s.Credential, "SAD": sad, "hash": []string{b64(two)}})
	require.Equal(t, 200, status)
	require.EqualValues(t, 8208000, out["expiresIn"])
	r.refused("signatures/signHash", with(in, object{"SAD": sad, "hash": []string{b64(two)}}), 400, "invalid_request", "Invalid parameter SAD")
	status, _ = r.csc("signatures/signHash", with(in, object{"SAD": out["SAD"], "hash": []string{b64(two)}}))
	require.Equal(t, 200, status)
}

func TestStrictlyASADSignsOnceAndIsThenExtended(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.StrictExtend = true })
	s := r.Signer("cp-advanced", "ada")
	one, two := digest("1"), digest("2")
	sad := r.authorized(s, "cp-advanced", 2, one, two)
	in := object{"credentialID": s.Credential, "signAlgo": sha256RSA}
	status, _ := r.csc("signatures/signHash", with(in, object{"SAD": sad, "hash": []string{b64(one)}}))
	require.Equal(t, 200, status)
	r.refused("signatures/signHash", with(in, object{"SAD": sad, "hash": []string{b64(two)}}), 400, "invalid_request", "Invalid parameter SAD")
	status, out := r.csc("credentials/extendTransaction", object{"credentialID": s.Credential, "SAD": sad, "hash": []string{b64(two)}})
	require.Equal(t, 200, status)
	r.refused("signatures/signHash", with(in, object{"SAD": out["SAD"], "hash": []string{b64(one)}}), 400, "invalid_request", "Hash is not authorized by the SAD.")
	status, _ = r.csc("signatures/signHash", with(in, object{"SAD": out["SAD"], "hash": []string{b64(two)}}))
	require.Equal(t, 200, status)
}

func TestASADEndsWithItsTimeAndWithItsCredential(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.SADLife = time.Minute })
	h := digest("a")
	s := r.Signer("cp-advanced-p256", "ada")
	in := object{"credentialID": s.Credential, "SAD": r.authorized(s, "cp-advanced-p256", 1), "signAlgo": sha256ECDSA, "hash": []string{b64(h)}}
	r.Advance(time.Minute)
	r.refused("signatures/signHash", in, 400, "invalid_request", "SAD expired")
	r.refused("credentials/extendTransaction", in, 400, "invalid_request", "SAD expired")

	in["SAD"] = r.authorized(s, "cp-advanced-p256", 1)
	require.NoError(t, r.Suspend(s.Credential))
	r.refused("signatures/signHash", in, 400, "invalid_request", "Invalid parameter SAD")
	r.refused("credentials/authorize", object{"credentialID": s.Credential, "numSignatures": 1, "PIN": s.PIN}, 400, "invalid_request",
		"The credential identified by credentialID is disabled")
	status, _ := r.api("PUT", "/documentmanager/api/v1/credential/ada/resume", object{})
	require.Equal(t, 200, status)
	r.refused("signatures/signHash", in, 400, "invalid_request", "Invalid parameter SAD")
}

func TestAnExpiredCertificateSignsNoMore(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.SADLife = 10 * 365 * 24 * time.Hour })
	s := r.Signer("cp-advanced-p256", "ada")
	sad := r.authorized(s, "cp-advanced-p256", 1)
	r.Advance(731 * 24 * time.Hour)
	r.bearer = r.serviceToken()
	r.refused("credentials/authorize", object{"credentialID": s.Credential, "numSignatures": 1, "PIN": s.PIN}, 400, "invalid_request", "Invalid certificate status")
	r.refused("signatures/signHash", object{"credentialID": s.Credential, "SAD": sad, "hash": []string{b64(digest("a"))}, "signAlgo": sha256ECDSA}, 400, "invalid_request",
		"Signing certificate 'O=DTM Simulator,CN=Ada Example' is expired.")
	_, out := r.csc("credentials/info", object{"credentialID": s.Credential})
	require.Equal(t, "expired", out["cert"].(object)["status"])
	require.Equal(t, "disabled", out["key"].(object)["status"])
}

func TestTheLedgerHoldsNoSecret(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced", "ada")
	h := digest("a")
	sad := r.authorized(s, "cp-advanced", 1, h)
	_, _ = r.csc("signatures/signHash", object{"credentialID": s.Credential, "SAD": sad, "hash": []string{b64(h)}, "signAlgo": sha256RSA, "clientData": "ceremony-1"})
	status, b := r.send("GET", "/sim/v1/ledger", nil)
	require.Equal(t, 200, status)
	for _, secret := range []string{sad, s.PIN, `"` + r.LastCode(s.UserID) + `"`} {
		require.NotContains(t, string(b), secret)
	}
	require.Contains(t, string(b), "ceremony-1")
	require.Contains(t, string(b), `"kind":"signed"`)
}
