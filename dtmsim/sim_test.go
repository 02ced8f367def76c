package dtmsim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// rig talks to a simulator over the wire, with no client's help.
type rig struct {
	*dtmtest.Sim
	t      testing.TB
	bearer string
}

type object = map[string]any

func start(t *testing.T, options ...dtmtest.Option) *rig {
	t.Helper()
	r := &rig{Sim: dtmtest.Start(t, options...), t: t}
	r.bearer = r.serviceToken()
	return r
}

func (r *rig) serviceToken() string {
	r.t.Helper()
	resp, err := http.PostForm(r.BaseURL+"/account/api/v1/oauth2/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {r.ClientID}, "client_secret": {r.ClientSecret}})
	require.NoError(r.t, err)
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	require.NoError(r.t, json.NewDecoder(resp.Body).Decode(&out))
	require.Equal(r.t, "Bearer", out.Type)
	return out.Token
}

// send makes a call and answers status and body; header pairs follow.
func (r *rig) send(method, path string, body any, header ...string) (int, []byte) {
	r.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		require.NoError(r.t, err)
		in = bytes.NewReader(j)
	}
	req, err := http.NewRequest(method, r.BaseURL+path, in)
	require.NoError(r.t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp.StatusCode, out
}

func (r *rig) json(b []byte) object {
	r.t.Helper()
	if len(b) == 0 {
		return nil
	}
	var out object
	require.NoError(r.t, json.Unmarshal(b, &out), "%s", b)
	return out
}

// csc calls a v1 method as the service.
func (r *rig) csc(method string, in object) (int, object) {
	r.t.Helper()
	status, b := r.send("POST", "/documentmanager/csc/v1/"+method, in, "Authorization", "Bearer "+r.bearer)
	return status, r.json(b)
}

// refused asserts the flat error of CSC 10.
func (r *rig) refused(method string, in object, status int, code, text string) {
	r.t.Helper()
	got, body := r.csc(method, in)
	require.Equal(r.t, object{"error": code, "error_description": text}, body)
	require.Equal(r.t, status, got)
}

// api calls DTM as the service user.
func (r *rig) api(method, path string, in any) (int, object) {
	r.t.Helper()
	status, b := r.send(method, path, in, "x-api-key", r.APIKey)
	return status, r.json(b)
}

// apiRefused asserts the first error of DTM's list.
func (r *rig) apiRefused(method, path string, in any, status int, code, words string) {
	r.t.Helper()
	got, body := r.api(method, path, in)
	require.Equal(r.t, status, got, "%v", body)
	first := body["errors"].([]any)[0].(object)
	require.Equal(r.t, code, first["code"])
	require.Contains(r.t, first["message"], words)
}

func digest(text string) []byte {
	d := sha256.Sum256([]byte(text))
	return d[:]
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func unb64(t *testing.T, v any) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(v.(string))
	require.NoError(t, err)
	return b
}

// code asks for a one-time code and reads it off the phone.
func (r *rig) code(s dtmsim.Signer) string {
	r.t.Helper()
	status, body := r.csc("credentials/sendOTP", object{"credentialID": s.Credential})
	require.Equal(r.t, http.StatusNoContent, status, "%v", body)
	return r.LastCode(s.UserID)
}

// authorized gets a SAD for hashes with whatever factors a profile wants.
func (r *rig) authorized(s dtmsim.Signer, profile string, n int, hashes ...[]byte) string {
	r.t.Helper()
	in := object{"credentialID": s.Credential, "numSignatures": n}
	if len(hashes) > 0 {
		in["hash"] = encoded(hashes)
	}
	switch profile {
	case "cp-basic", "cp-basic-single":
		in["OTP"] = r.code(s)
	case "cp-advanced":
		in["PIN"], in["OTP"] = s.PIN, r.code(s)
	case "cp-advanced-p256":
		in["PIN"] = s.PIN
	case "cp-advanced-totp":
		in["PIN"], in["OTP"] = s.PIN, r.TOTP(s.UserID)
	case "cp-advanced-push":
		r.Phone(s.UserID, true)
	}
	status, body := r.csc("credentials/authorize", in)
	require.Equal(r.t, http.StatusOK, status, "%v", body)
	return body["SAD"].(string)
}

func encoded(hashes [][]byte) []string {
	out := []string{}
	for _, h := range hashes {
		out = append(out, b64(h))
	}
	return out
}

// issue gives a user one more credential over the API.
func (r *rig) issue(userID, profile, nickname string) {
	r.t.Helper()
	status, out := r.api("POST", "/documentmanager/api/v2/credential", object{"user_id": userID, "account_id": r.AccountID, "org_id": r.OrgID,
		"certificate_profile_id": profile, "nickname": nickname})
	require.Equal(r.t, http.StatusCreated, status, "%v", out)
}
