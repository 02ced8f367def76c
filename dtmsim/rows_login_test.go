package dtmsim_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRowsOfAuthLogin(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-p256", "ada")
	password := r.Options().Password
	login := func(in object, header ...string) (int, object) {
		status, b := r.send("POST", base+"auth/login", in, header...)
		return status, r.json(b)
	}
	refused := func(name string, status int, code, text string, in object, header ...string) claim {
		return claim{name, func(t *testing.T) {
			got, body := login(in, header...)
			require.Equal(t, object{"error": code, "error_description": text}, body)
			require.Equal(t, status, got)
		}}
	}
	_, out := login(object{"rememberMe": true}, "Authorization", basic(s.UserName, password))
	refresh := out["refresh_token"].(string)
	r.claims(t, []claim{
		refused("11.2 no header", 401, inv, "Malformed authentication parameter.", object{}),
		refused("11.2 header of another scheme", 401, inv, "Malformed authentication parameter.", object{}, "Authorization", "Bearer x"),
		refused("11.2 Basic that is none", 400, inv, "Malformed username-password.", object{}, "Authorization", "Basic %%%"),
		refused("11.2 Basic without a user", 400, inv, "Malformed username-password.", object{}, "Authorization", basic("", password)),
		refused("11.2 password wrong", 400, "authentication_error", "An error occurred during authentication process", object{}, "Authorization", basic(s.UserName, "x")),
		refused("11.2 user unknown", 400, "authentication_error", "An error occurred during authentication process", object{}, "Authorization", basic("x", password)),
		refused("11.2 rememberMe no boolean", 400, inv, "Invalid parameter rememberMe", object{"rememberMe": "true"}, "Authorization", basic(s.UserName, password)),
		refused("11.2 refresh_token no string", 400, inv, "Invalid string parameter: refresh_token", object{"refresh_token": 7}),
		refused("11.2 refresh_token invalid", 400, inv, "Invalid refresh_token", object{"refresh_token": "x"}),
		refused("11.2 clientData no string", 400, inv, "Invalid parameter clientData", object{"clientData": 7}, "Authorization", basic(s.UserName, password)),
		{"11.2 without rememberMe", func(t *testing.T) {
			status, out := login(object{}, "Authorization", basic(s.UserName, password))
			require.Equal(t, 200, status)
			require.NotContains(t, out, "refresh_token")
			require.EqualValues(t, 3600, out["expires_in"])
		}},
		{"11.2 with refresh_token in place of the header", func(t *testing.T) {
			status, out := login(object{"refresh_token": refresh})
			require.Equal(t, 200, status)
			own := &rig{Sim: r.Sim, t: t, bearer: out["access_token"].(string)}
			status, _ = own.csc("credentials/list", object{})
			require.Equal(t, 200, status)
		}},
		{"11.2 refresh_token expired", func(t *testing.T) {
			r.Advance(31 * 24 * time.Hour)
			_, out := login(object{"refresh_token": refresh})
			require.Equal(t, "Invalid refresh_token", out["error_description"])
		}},
	})
}

func TestRowsOfAuthRevoke(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-p256", "ada")
	status, b := r.send("POST", base+"auth/login", object{"rememberMe": true}, "Authorization", basic(s.UserName, r.Options().Password))
	require.Equal(t, 200, status)
	access, refresh := r.json(b)["access_token"].(string), r.json(b)["refresh_token"].(string)
	r.rows(t, []row{
		{"11.3 token missing", "auth/revoke", object{}, 400, inv, "Missing (or invalid type) string parameter token"},
		{"11.3 token no string", "auth/revoke", object{"token": 7}, 400, inv, "Missing (or invalid type) string parameter token"},
		{"11.3 token_type_hint invalid", "auth/revoke", object{"token": access, "token_type_hint": "x"}, 400, inv, "Invalid string parameter token_type_hint"},
		{"11.3 token unknown", "auth/revoke", object{"token": "x"}, 400, inv, "Invalid string parameter token"},
		{"11.3 token of the other kind", "auth/revoke", object{"token": access, "token_type_hint": "refresh_token"}, 400, inv, "Invalid string parameter token"},
	})
	r.claims(t, []claim{
		{"11.3 SAD", func(t *testing.T) {
			sad := r.authorized(s, "cp-p256", 1, digest("a"))
			status, _ := r.csc("auth/revoke", object{"token": sad})
			require.Equal(t, 204, status)
			r.refused("signatures/signHash", object{"credentialID": "ada", "SAD": sad, "hash": []string{b64(digest("a"))}, "signAlgo": sha256ECDSA}, 400, inv, "Invalid parameter SAD")
		}},
		{"11.3 access token leaves the refresh token alive", func(t *testing.T) {
			status, body := r.csc("auth/revoke", object{"token": access})
			require.Equal(t, 204, status)
			require.Nil(t, body)
			status, _ = r.send("POST", base+"auth/login", object{"refresh_token": refresh})
			require.Equal(t, 200, status)
		}},
		{"11.3 refresh token takes its access tokens along", func(t *testing.T) {
			_, b := r.send("POST", base+"auth/login", object{"refresh_token": refresh})
			status, _ := r.csc("auth/revoke", object{"token": refresh, "token_type_hint": "refresh_token"})
			require.Equal(t, 204, status)
			own := &rig{Sim: r.Sim, t: t, bearer: r.json(b)["access_token"].(string)}
			own.refused("credentials/list", object{}, 401, "expired_token", "The access token is expired or was revoked")
		}},
	})
}

// digestAnswer makes an Authorization header from a challenge, by a reading of RFC 7616 of its own.
func digestAnswer(challenge, user, password, uri, count string, change ...string) string {
	p := map[string]string{}
	for _, part := range strings.Split(strings.TrimPrefix(challenge, "Digest "), ", ") {
		name, value, _ := strings.Cut(part, "=")
		p[name] = strings.Trim(value, `"`)
	}
	m := sha256.New
	if p["algorithm"] == "MD5" {
		m = md5.New
	}
	h := func(text string) string {
		d := m()
		_, _ = io.WriteString(d, text)
		return hex.EncodeToString(d.Sum(nil))
	}
	response := h(h(user+":"+p["realm"]+":"+password) + ":" + p["nonce"] + ":" + count + ":0a4f113b:auth:" + h("POST:"+uri))
	out := fmt.Sprintf(`Digest username="%s", realm="%s", uri="%s", algorithm=%s, nonce="%s", nc=%s, cnonce="0a4f113b", qop=auth, response="%s", opaque="%s"`,
		user, p["realm"], uri, p["algorithm"], p["nonce"], count, response, p["opaque"])
	for i := 0; i < len(change); i += 2 {
		out = strings.Replace(out, change[i], change[i+1], 1)
	}
	return out
}

func TestRowsOfDigest(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-p256", "ada")
	const uri = base + "auth/login"
	post := func(authorization string) (*http.Response, object) {
		req, err := http.NewRequest("POST", r.BaseURL+uri, bytes.NewReader([]byte("{}")))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		var out object
		require.NoError(t, json.NewDecoder(resp.Body).Decode(&out))
		return resp, out
	}
	challenges := func() []string {
		resp, _ := post("")
		require.Equal(t, 401, resp.StatusCode)
		return resp.Header.Values("WWW-Authenticate")
	}
	login := func(n int, count string, change ...string) (*http.Response, object) {
		return post(digestAnswer(challenges()[n], s.UserName, r.Options().Password, uri, count, change...))
	}
	good := func(name string, n int) claim {
		return claim{name, func(t *testing.T) {
			resp, out := login(n, "00000001")
			require.Equal(t, 200, resp.StatusCode, "%v", out)
			own := &rig{Sim: r.Sim, t: t, bearer: out["access_token"].(string)}
			status, _ := own.csc("credentials/list", object{})
			require.Equal(t, 200, status)
		}}
	}
	malformed := func(name string, change ...string) claim {
		return claim{name, func(t *testing.T) {
			resp, out := login(0, "00000001", change...)
			require.Equal(t, 401, resp.StatusCode)
			require.Equal(t, "Malformed authentication parameter.", out["error_description"])
			require.NotContains(t, resp.Header.Values("WWW-Authenticate")[0], "stale")
		}}
	}
	r.claims(t, []claim{
		{"RFC 7616 3.3 the strongest challenge comes first", func(t *testing.T) {
			c := challenges()
			require.Len(t, c, 3)
			for i, algorithm := range []string{"SHA-256", "MD5"} {
				require.Contains(t, c[i], `Digest realm="documentmanager", qop="auth", algorithm=`+algorithm+`, nonce="`)
				require.Contains(t, c[i], `opaque="`)
			}
			require.Contains(t, c[2], "Basic ")
		}},
		good("RFC 7616 3.4 SHA-256", 0),
		good("RFC 7616 3.4 MD5", 1),
		malformed("RFC 7616 3.4 another realm", `realm="documentmanager"`, `realm="x"`),
		malformed("RFC 7616 3.4 another uri", uri, "/x"),
		malformed("RFC 7616 3.4 another opaque", `opaque="`, `opaque="0`),
		malformed("RFC 7616 3.4 qop missing", ", qop=auth", ""),
		malformed("RFC 7616 3.4 count not of eight digits", "nc=00000001", "nc=1"),
		malformed("RFC 7616 3.4 cnonce empty", `cnonce="0a4f113b"`, `cnonce=""`),
		malformed("RFC 7616 3.4 algorithm unknown", "algorithm=SHA-256", "algorithm=SHA-256-sess"),
		malformed("RFC 7616 3.4 a name twice", ", nc=", `, realm="documentmanager", nc=`),
		malformed("RFC 7616 3.4 a quote left open", `opaque="`, `x="`+"\\\\"),
		{"RFC 7616 3.4 password wrong", func(t *testing.T) {
			resp, out := post(digestAnswer(challenges()[0], s.UserName, "x", uri, "00000001"))
			require.Equal(t, 400, resp.StatusCode)
			require.Equal(t, object{"error": "authentication_error", "error_description": "An error occurred during authentication process"}, out)
		}},
		{"RFC 7616 3.4 response changed", func(t *testing.T) {
			resp, _ := login(0, "00000001", `response="`, `response="0`)
			require.Equal(t, 400, resp.StatusCode)
		}},
		{"RFC 7616 3.3 a count works once and only rises", func(t *testing.T) {
			c := challenges()[0]
			for i, want := range []struct {
				count  string
				status int
			}{{"00000002", 200}, {"00000002", 401}, {"00000001", 401}, {"00000003", 200}} {
				resp, _ := post(digestAnswer(c, s.UserName, r.Options().Password, uri, want.count))
				require.Equal(t, want.status, resp.StatusCode, i)
				if want.status == 401 {
					require.Contains(t, resp.Header.Values("WWW-Authenticate")[0], "stale=true")
				}
			}
		}},
		{"RFC 7616 3.3 a nonce ends", func(t *testing.T) {
			c := challenges()[0]
			r.Advance(6 * time.Minute)
			resp, _ := post(digestAnswer(c, s.UserName, r.Options().Password, uri, "00000001"))
			require.Equal(t, 401, resp.StatusCode)
			require.Contains(t, resp.Header.Values("WWW-Authenticate")[0], "stale=true")
		}},
	})
}
