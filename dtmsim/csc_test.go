package dtmsim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

const (
	base    = "/documentmanager/csc/v1/"
	generic = "The request is missing a required parameter, includes an invalid parameter value, includes a parameter more than once, or is otherwise malformed."
)

func TestCSCTakesABearerTokenAndNothingElse(t *testing.T) {
	r := start(t)
	for name, c := range map[string]struct {
		header []string
		status int
		code   string
	}{
		"no credential":  {nil, 401, "invalid_request"},
		"API key alone":  {[]string{"x-api-key", r.APIKey}, 401, "invalid_request"},
		"malformed":      {[]string{"Authorization", "Bearer"}, 400, "invalid_request"},
		"another scheme": {[]string{"Authorization", "Basic YTpi"}, 400, "invalid_request"},
		"unknown token":  {[]string{"Authorization", "Bearer nope"}, 401, "invalid_token"},
	} {
		t.Run(name, func(t *testing.T) {
			status, b := r.send("POST", base+"credentials/list", object{}, c.header...)
			require.Equal(t, c.status, status)
			require.Equal(t, c.code, r.json(b)["error"])
		})
	}
}

func TestSealModeTakesTheAPIKeyOnCSC(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.CSCAllowAPIKey = true })
	s := r.Signer("cp-seal", "seal")
	status, b := r.send("POST", base+"credentials/list?user_id="+s.UserID, object{}, "x-api-key", r.APIKey)
	require.Equal(t, 200, status, "%s", b)
	require.Equal(t, []any{"seal"}, r.json(b)["credentialIDs"])
}

func TestAnExpiredTokenSaysSo(t *testing.T) {
	r := start(t)
	r.Advance(61 * time.Minute)
	r.refused("credentials/list", object{}, 401, "expired_token", "The access token is expired or was revoked")
}

func TestInfoIsOpenByGetAndPost(t *testing.T) {
	r := start(t)
	for _, method := range []string{"GET", "POST"} {
		status, b := r.send(method, base+"info", object{"lang": "en-GB"})
		out := r.json(b)
		require.Equal(t, 200, status)
		require.Equal(t, "1.0.4.0", out["specs"])
		require.Len(t, out["region"], 2)
		require.Contains(t, out["methods"], "signatures/signHash")
		status, logo := r.send("GET", strings.TrimPrefix(out["logo"].(string), r.BaseURL), nil)
		require.Equal(t, 200, status)
		require.Equal(t, "\x89PNG", string(logo[:4]))
	}
	_, b := r.send("GET", "/documentmanager/csc/v0/info", nil)
	out := r.json(b)
	require.Equal(t, "0.1.7.9", out["specs"])
	require.True(t, strings.HasSuffix(out["oauth2"].(string), "/oauth2/authorize"), "v0 tells the whole address")
}

func TestMethodsArePostOnlyAndUnknownOnesAre404(t *testing.T) {
	r := start(t)
	status, _ := r.send("GET", base+"signatures/signHash", nil)
	require.Equal(t, http.StatusMethodNotAllowed, status)
	status, b := r.send("POST", base+"credentials/steal", object{})
	require.Equal(t, 404, status)
	require.Equal(t, "invalid_request", r.json(b)["error"])
	status, _ = r.send("POST", base+"oauth2/authorize", nil)
	require.Equal(t, http.StatusMethodNotAllowed, status)
}

func TestLoginGivesTheUsersOwnToken(t *testing.T) {
	r := start(t)
	s, other := r.Signer("cp-basic", "mine"), r.Signer("cp-basic", "theirs")
	login := func(in object, header ...string) (int, object) {
		status, b := r.send("POST", base+"auth/login", in, header...)
		return status, r.json(b)
	}
	status, out := login(object{})
	require.Equal(t, 401, status)
	require.Equal(t, "Malformed authentication parameter.", out["error_description"])
	status, out = login(object{}, "Authorization", basic(s.UserName, "wrong"))
	require.Equal(t, 400, status)
	require.Equal(t, "authentication_error", out["error"])
	status, out = login(object{"refresh_token": "nope"})
	require.Equal(t, 400, status)
	require.Equal(t, "Invalid refresh_token", out["error_description"])

	status, out = login(object{}, "Authorization", basic(s.UserName, r.Options().Password))
	require.Equal(t, 200, status)
	require.NotContains(t, out, "refresh_token")
	status, out = login(object{"rememberMe": true}, "Authorization", basic(s.UserName, r.Options().Password))
	require.Equal(t, 200, status)
	refresh := out["refresh_token"].(string)
	_, again := login(object{"refresh_token": refresh})
	r.bearer = again["access_token"].(string)

	r.refused("credentials/list", object{"userID": s.UserID}, 400, "invalid_request", "userID parameter MUST be null")
	_, out = r.csc("credentials/list", object{})
	require.Equal(t, []any{"mine"}, out["credentialIDs"])
	r.refused("credentials/info", object{"credentialID": other.Credential}, 400, "invalid_request", "Invalid parameter credentialID")

	r.refused("auth/revoke", object{}, 400, "invalid_request", "Missing (or invalid type) string parameter token")
	r.refused("auth/revoke", object{"token": refresh, "token_type_hint": "x"}, 400, "invalid_request", "Invalid string parameter token_type_hint")
	r.refused("auth/revoke", object{"token": "x"}, 400, "invalid_request", "Invalid string parameter token")
	status, _ = r.csc("auth/revoke", object{"token": refresh, "token_type_hint": "refresh_token"})
	require.Equal(t, 204, status)
	r.refused("credentials/list", object{}, 401, "expired_token", "The access token is expired or was revoked")
}

func TestListPagesThroughEveryCredentialOnce(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-basic-single", "c00")
	for i := 1; i < 23; i++ {
		r.issue(s.UserID, "cp-basic-single", "c"+string(rune('0'+i/10))+string(rune('0'+i%10)))
	}
	for _, size := range []any{1, 5, 20, 64, "x", 0} {
		var seen []any
		in := object{"userID": s.UserID, "maxResults": size}
		for {
			status, out := r.csc("credentials/list", in)
			require.Equal(t, 200, status, "%v", out)
			seen = append(seen, out["credentialIDs"].([]any)...)
			next, more := out["nextPageToken"]
			if !more {
				break
			}
			in["pageToken"] = next
		}
		require.Len(t, seen, 23, "size %v", size)
	}
	r.refused("credentials/list", object{"userID": s.UserID, "pageToken": "x"}, 400, "invalid_request", "Invalid parameter pageToken")
	r.refused("credentials/list", object{"userID": "nobody"}, 400, "invalid_request", "Invalid parameter userID")
	r.refused("credentials/list", object{}, 400, "invalid_request", "Missing (or invalid type) string parameter userID")
}

func TestCredentialInfoTellsWhatWasAskedAndNoMore(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced", "ada")
	for _, c := range []struct {
		in      object
		certs   int
		details bool
		factors bool
	}{
		{object{}, 1, false, false},
		{object{"certificates": "none"}, 0, false, false},
		{object{"certificates": "single"}, 1, false, false},
		{object{"certificates": "chain"}, 3, false, false},
		{object{"certInfo": true}, 1, true, false},
		{object{"authInfo": true}, 1, false, true},
		{object{"certificates": "chain", "certInfo": true, "authInfo": true, "lang": "en_US"}, 3, true, true},
	} {
		c.in["credentialID"] = s.Credential
		status, out := r.csc("credentials/info", c.in)
		require.Equal(t, 200, status, "%v", out)
		cert := out["cert"].(object)
		require.Equal(t, "valid", cert["status"])
		if c.certs == 0 {
			require.NotContains(t, cert, "certificates")
		} else {
			require.Len(t, cert["certificates"], c.certs)
		}
		require.Equal(t, c.details, cert["subjectDN"] != nil)
		require.Equal(t, c.factors, out["PIN"] != nil)
		require.Equal(t, c.factors, out["OTP"] != nil)
		require.Equal(t, "explicit", out["authMode"])
		require.Equal(t, "2", out["SCAL"], "a string")
		require.EqualValues(t, 100, out["multisign"])
		require.Equal(t, sha256RSA, out["key"].(object)["algo"].([]any)[0], "the combined identifier comes first")
		require.EqualValues(t, 2048, out["key"].(object)["len"])
	}
	r.refused("credentials/info", object{}, 400, "invalid_request", "Missing (or invalid type) string parameter credentialID")
	r.refused("credentials/info", object{"credentialID": 7}, 400, "invalid_request", "Missing (or invalid type) string parameter credentialID")
	r.refused("credentials/info", object{"credentialID": "x"}, 400, "invalid_request", "Invalid parameter credentialID")
	r.refused("credentials/info", object{"credentialID": s.Credential, "certificates": "all"}, 400, "invalid_request", "Invalid parameter certificates")
	r.refused("credentials/info", object{"credentialID": s.Credential, "certInfo": "true"}, 400, "invalid_request", "Invalid parameter certInfo")
	r.refused("credentials/info", object{"credentialID": s.Credential, "clientData": 1}, 400, "invalid_request", "Invalid parameter clientData")
}

func TestPushAndSealCredentialsTellNoFactors(t *testing.T) {
	r := start(t)
	for _, p := range []string{"cp-advanced-push", "cp-seal"} {
		s := r.Signer(p, p)
		_, out := r.csc("credentials/info", object{"credentialID": s.Credential, "authInfo": true})
		require.Equal(t, "implicit", out["authMode"])
		require.NotContains(t, out, "PIN")
		require.NotContains(t, out, "OTP")
	}
}

func TestLenientModeTakesNumbersWrittenAsStrings(t *testing.T) {
	in := `{"credentialID":"ada","numSignatures":"1","PIN":"%s","hash":["` + b64(digest("x")) + `"]}`
	for _, lenient := range []bool{false, true} {
		r := start(t, func(o *dtmsim.Options) { o.Lenient = lenient })
		s := r.Signer("cp-advanced-p256", "ada")
		status, _ := r.send("POST", base+"credentials/authorize", strings.Replace(in, "%s", s.PIN, 1), "Authorization", "Bearer "+r.bearer)
		require.Equal(t, map[bool]int{false: 400, true: 200}[lenient], status)
	}
}

func TestABodyThatIsNoJSONObjectIsRefused(t *testing.T) {
	r := start(t)
	for _, body := range []string{"", "[]", "null", "{", `"x"`} {
		status, b := r.send("POST", base+"credentials/info", body, "Authorization", "Bearer "+r.bearer)
		require.Equal(t, 400, status)
		var e map[string]string
		require.NoError(t, json.Unmarshal(b, &e))
		require.Equal(t, generic, e["error_description"])
	}
}
