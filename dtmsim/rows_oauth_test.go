package dtmsim_test

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

func TestRowsOfOAuthAuthorize(t *testing.T) {
	r := start(t)
	s, other := r.Signer("cp-oauth2code", "ada"), r.Signer("cp-p256", "bob")
	h := [][]byte{digest("a")}
	errorsOf := func(name string, q map[string][]string, code, text string) claim {
		return claim{name, func(t *testing.T) {
			status, _, to := r.ask(q)
			require.Equal(t, http.StatusFound, status)
			require.Equal(t, code, to.Get("error"))
			require.Equal(t, text, to.Get("error_description"))
			require.Equal(t, q["state"], to["state"], "state comes back with an error too")
		}}
	}
	page := func(name string, q map[string][]string, words string) claim {
		return claim{name, func(t *testing.T) {
			status, page, _ := r.ask(q)
			require.Equal(t, 200, status)
			require.Contains(t, page, words)
		}}
	}
	token := func(sub string, key string, more object) string {
		k := sha256.Sum256([]byte(key))
		return jwt(t, "HS256", k[:], with(object{"sub": sub, "iat": r.Clock().Unix(), "jti": sub + key, "azp": r.ClientID}, more))
	}
	cred := r.credentialScope(s, h)
	secretKey := sha256.Sum256([]byte(r.ClientSecret))
	r.claims(t, []claim{
		errorsOf("8.3.2 response_type missing", r.service("response_type", ""), inv, "Missing parameter response_type"),
		errorsOf("8.3.2 response_type other", r.service("response_type", "token"), "unsupported_response_type", "Invalid parameter response_type"),
		{"8.3.2 client_id unknown", func(t *testing.T) {
			status, page, to := r.ask(r.service("client_id", "x"))
			require.Equal(t, 400, status)
			require.Nil(t, to, "nobody is sent to an address of an unknown client")
			require.Contains(t, page, "not known")
		}},
		{"8.3.2 redirect_uri not registered", func(t *testing.T) {
			for _, bad := range []string{"https://elsewhere.test/", "http://127.0.0.1@elsewhere.test/", "javascript:alert(1)", back + "#x"} {
				status, _, to := r.ask(r.service("redirect_uri", bad))
				require.Equal(t, 400, status, bad)
				require.Nil(t, to)
			}
		}},
		{"8.3.2 redirect_uri absent", func(t *testing.T) {
			r := start(t, registered(back, "https://second.test/"))
			s := r.Signer("cp-p256", "n")
			code := r.consent(r.service("redirect_uri", ""), s.UserID) // browse asserts that it is the first one
			status, _ := r.form("token", r.client("grant_type", "authorization_code", "code", code))
			require.Equal(t, 200, status)
			status, _, _ = r.ask(r.service("redirect_uri", back+"/other"))
			require.Equal(t, 400, status, "where addresses are registered, others on this machine are not taken")
		}},
		page("8.3.2 scope service is the default", r.service(), "Let an application in"),
		page("8.3.2 scope service", r.service("scope", "service", "lang", "de-DE"), "Who are you?"),
		page("8.3.2 scope credential", override(cred, "description", "Contract 7"), "Contract 7"),
		errorsOf("8.3.2 scope both", r.service("scope", "service credential"), "invalid_scope", "Invalid parameter scope"),
		errorsOf("8.3.2 scope unknown", r.service("scope", "openid"), "invalid_scope", "Invalid parameter scope"),
		page("8.3.2 state of 255 bytes", r.service("state", strings.Repeat("s", 255)), "Who are you?"),
		errorsOf("8.3.2 state longer", r.service("state", strings.Repeat("s", 256)), inv, "Invalid parameter state"),
		errorsOf("8.3.2 credentialID missing", override(cred, "credentialID", ""), inv, "Missing (or invalid type) string parameter credentialID"),
		errorsOf("8.3.2 credentialID unknown", override(cred, "credentialID", "x"), inv, "Invalid parameter credentialID"),
		errorsOf("8.3.2 credentialID of another mode", override(cred, "credentialID", other.Credential), inv, "The credential is not authorized by oauth2/authorize"),
		errorsOf("8.3.2 numSignatures missing", override(cred, "numSignatures", ""), inv, "Missing (or invalid type) integer parameter numSignatures"),
		errorsOf("8.3.2 numSignatures no number", override(cred, "numSignatures", "many"), inv, "Missing (or invalid type) integer parameter numSignatures"),
		errorsOf("8.3.2 numSignatures too high", override(cred, "numSignatures", "101"), inv, "Numbers of signatures is too high"),
		errorsOf("8.3.2 hash missing under SCAL 2", override(cred, "hash", ""), inv, "Missing (or invalid type) array parameter hash"),
		errorsOf("8.3.2 hash not base64url", override(cred, "hash", "a+/b"), inv, "Invalid Base64 hash string parameter"),
		errorsOf("8.3.2 hash of another length", override(cred, "hash", "AAAA"), inv, "Invalid digest value length"),
		errorsOf("8.3.2 description too long", override(cred, "description", strings.Repeat("x", 501)), inv, "Invalid parameter description"),
		page("8.3.1 account_token names the person", r.service("account_token", token(s.UserName, r.ClientSecret, nil)), "for Ada Example"),
		errorsOf("8.3.1 account_token of another key", r.service("account_token", token(s.UserName, "x", nil)), inv, "Invalid parameter account_token"),
		errorsOf("8.3.1 account_token of another algorithm", r.service("account_token", jwt(t, "none", secretKey[:], object{"sub": s.UserName, "iat": r.Clock().Unix(), "jti": "c", "azp": r.ClientID})),
			inv, "Invalid parameter account_token"),
		errorsOf("8.3.1 account_token of another client", r.service("account_token", token(s.UserName, r.ClientSecret, object{"azp": "x", "jti": "a"})), inv, "Invalid parameter account_token"),
		errorsOf("8.3.1 account_token too old", r.service("account_token", token(s.UserName, r.ClientSecret, object{"iat": r.Clock().Unix() - 3600, "jti": "b"})), inv, "Invalid parameter account_token"),
		errorsOf("8.3.1 account_token a second time", r.service("account_token", token(s.UserName, r.ClientSecret, nil)), inv, "Invalid parameter account_token"),
		errorsOf("8.3.1 account_token of somebody else", override(cred, "account_token", token(other.UserName, r.ClientSecret, nil)), "access_denied", "The credential belongs to another user"),
		errorsOf("RFC 7636 challenge without S256", r.service("code_challenge", challengeOf("v"), "code_challenge_method", "plain"), inv, "Invalid parameter code_challenge"),
		{"8.3.2 a parameter twice", func(t *testing.T) {
			q := r.service()
			q.Add("scope", "service")
			q.Add("scope", "credential")
			_, _, to := r.ask(q)
			require.Equal(t, inv, to.Get("error"))
		}},
		{"8.3.2 denied", func(t *testing.T) {
			_, page, _ := r.ask(cred)
			status, to := r.press(page, "deny", "")
			require.Equal(t, http.StatusFound, status)
			require.Equal(t, values("error", "access_denied", "error_description", "The user declined the authorization", "state", "s-1"), to)
		}},
		{"8.3.2 allowed", func(t *testing.T) {
			_, page, _ := r.ask(cred)
			_, to := r.press(page, "allow", "")
			require.Len(t, to, 2)
			require.Equal(t, "s-1", to.Get("state"))
			require.NotEmpty(t, to.Get("code"))
		}},
	})
}

func TestAPageOfConsentIsAnsweredOnce(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-oauth2code", "ada")
	_, page, _ := r.ask(r.credentialScope(s, [][]byte{digest("a")}))
	_, to := r.press(page, "allow", "")
	require.NotEmpty(t, to.Get("code"))
	status, to := r.press(page, "allow", "")
	require.Equal(t, 404, status)
	require.Nil(t, to)
}

func TestRowsOfOAuthToken(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-oauth2code", "ada")
	code := func(more ...string) string { return r.consent(r.service(more...), s.UserID) }
	exchange := func(code string, more ...string) (int, object) {
		return r.form("token", r.client(append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", back}, more...)...))
	}
	refused := func(name string, status int, code, text string, call func() (int, object)) claim {
		return claim{name, func(t *testing.T) {
			got, body := call()
			require.Equal(t, object{"error": code, "error_description": text}, body)
			require.Equal(t, status, got)
		}}
	}
	form := func(pairs ...string) func() (int, object) {
		return func() (int, object) { return r.form("token", values(pairs...)) }
	}
	id, grant := r.ClientID, "client_credentials"
	assertion := func(more object) string {
		return jwt(t, "HS256", []byte(r.ClientSecret), with(object{"iss": id, "sub": id, "aud": r.BaseURL + "/account/api/v1/oauth2/token", "jti": "j-1", "exp": r.Clock().Unix() + 60}, more))
	}
	const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	_, first := exchange(code())
	refresh := first["refresh_token"].(string)
	r.claims(t, []claim{
		refused("8.3.3 client_id missing", 400, inv, "Missing parameter client_id", form("grant_type", grant)),
		refused("8.3.3 client_id invalid", 400, inv, "Invalid parameter client_id", form("grant_type", grant, "client_id", "x")),
		refused("8.3.3 grant_type missing", 400, inv, "Missing parameter grant_type", form("client_id", id)),
		refused("8.3.3 grant_type invalid", 400, inv, "Invalid parameter grant_type", form("client_id", id, "grant_type", "password")),
		refused("8.3.3 no secret", 401, inv, "Client authorization required", form("client_id", id, "grant_type", grant)),
		refused("8.3.3 secret wrong", 400, inv, "Invalid parameter client_secret", form("client_id", id, "grant_type", grant, "client_secret", "x")),
		refused("8.3.3 code missing", 400, inv, "Missing parameter code", func() (int, object) { return exchange("") }),
		refused("8.3.3 code invalid", 400, "invalid_grant", "Invalid parameter code", func() (int, object) { return exchange("x") }),
		refused("8.3.3 code used", 400, "invalid_grant", "Authorization code is invalid or expired", func() (int, object) {
			c := code()
			status, _ := exchange(c)
			require.Equal(t, 200, status)
			return exchange(c)
		}),
		refused("8.3.3 code expired", 400, "invalid_grant", "Authorization code is invalid or expired", func() (int, object) {
			c := code()
			r.Advance(2 * time.Minute)
			return exchange(c)
		}),
		refused("8.3.3 redirect_uri differs", 400, "invalid_grant", "redirect_uri parameter does not match redirect_uri parameter of authorization request",
			func() (int, object) { return exchange(code(), "redirect_uri", back+"2") }),
		refused("8.3.3 refresh_token missing", 400, inv, "Missing parameter refresh_token", func() (int, object) { return r.form("token", r.client("grant_type", "refresh_token")) }),
		refused("8.3.3 refresh_token invalid", 400, "invalid_grant", "Invalid parameter refresh_token", func() (int, object) {
			return r.form("token", r.client("grant_type", "refresh_token", "refresh_token", first["access_token"].(string)))
		}),
		refused("RFC 7636 verifier missing", 400, "invalid_grant", "Invalid parameter code_verifier", func() (int, object) {
			return exchange(code("code_challenge", challengeOf("v"), "code_challenge_method", "S256"))
		}),
		refused("RFC 7636 verifier wrong", 400, "invalid_grant", "Invalid parameter code_verifier", func() (int, object) {
			return exchange(code("code_challenge", challengeOf("v"), "code_challenge_method", "S256"), "code_verifier", "w")
		}),
		refused("RFC 7636 verifier of nothing", 400, "invalid_grant", "Invalid parameter code_verifier", func() (int, object) { return exchange(code(), "code_verifier", "v") }),
		{"RFC 7636 verifier right", func(t *testing.T) {
			status, _ := exchange(code("code_challenge", challengeOf("v"), "code_challenge_method", "S256"), "code_verifier", "v")
			require.Equal(t, 200, status)
		}},
		{"8.3.3 authorization_code of scope service", func(t *testing.T) {
			require.Equal(t, "Bearer", first["token_type"])
			require.EqualValues(t, 3600, first["expires_in"])
			own := &rig{Sim: r.Sim, t: t, bearer: first["access_token"].(string)}
			_, out := own.csc("credentials/list", object{})
			require.Equal(t, []any{"ada"}, out["credentialIDs"], "the token is the person's own")
		}},
		{"8.3.3 authorization_code of scope credential", func(t *testing.T) {
			h := digest("a")
			status, out := exchange(r.consent(r.credentialScope(s, [][]byte{h}), ""))
			require.Equal(t, 200, status)
			require.Equal(t, "SAD", out["token_type"])
			require.NotContains(t, out, "refresh_token")
			in := object{"credentialID": s.Credential, "SAD": out["access_token"], "signAlgo": sha256RSA}
			r := &rig{Sim: r.Sim, t: t, bearer: r.serviceToken()}
			r.refused("signatures/signHash", with(in, object{"hash": []string{b64(digest("b"))}}), 400, inv, "Hash is not authorized by the SAD.")
			status, out = r.csc("signatures/signHash", with(in, object{"hash": []string{b64(h)}}))
			require.Equal(t, 200, status)
			requireSignature(t, r.Certificate(s.Credential), h, unb64(t, out["signatures"].([]any)[0]), false)
		}},
		{"8.3.3 refresh_token", func(t *testing.T) {
			status, out := r.form("token", r.client("grant_type", "refresh_token", "refresh_token", refresh))
			require.Equal(t, 200, status)
			require.Equal(t, "Bearer", out["token_type"])
			require.NotContains(t, out, "refresh_token", "the old one stays good")
		}},
		{"8.3.3 client_credentials by HTTP Basic", func(t *testing.T) {
			status, out := r.form("token", values("grant_type", grant, "client_id", id), "Authorization", basic(id, r.ClientSecret))
			require.Equal(t, 200, status)
			require.NotContains(t, out, "refresh_token")
			status, out = r.form("token", values("grant_type", grant, "client_id", id), "Authorization", basic(id, "x"))
			require.Equal(t, 401, status)
			require.Equal(t, object{"error": "invalid_client", "error_description": "Invalid authorization header"}, out)
		}},
		{"8.3.3 client_credentials by client_assertion", func(t *testing.T) {
			send := func(more object, kind string) (int, object) {
				return r.form("token", values("grant_type", grant, "client_id", id, "client_assertion", assertion(more), "client_assertion_type", kind))
			}
			status, _ := send(nil, jwtBearer)
			require.Equal(t, 200, status)
			for name, c := range map[string]struct {
				more object
				kind string
			}{"again": {nil, jwtBearer}, "late": {object{"jti": "j-2", "exp": r.Clock().Unix() - 1}, jwtBearer}, "to another": {object{"jti": "j-3", "aud": []string{"https://else.test"}}, jwtBearer},
				"of another": {object{"jti": "j-4", "iss": "x"}, jwtBearer}, "of no kind": {object{"jti": "j-5"}, ""}} {
				status, out := send(c.more, c.kind)
				require.Equal(t, 400, status, name)
				require.Equal(t, "Invalid parameter client_assertion", out["error_description"], name)
			}
		}},
		{"8.3.3 body as JSON", func(t *testing.T) {
			status, _ := r.send("POST", base+"oauth2/token", object{"grant_type": grant, "client_id": id, "client_secret": r.ClientSecret})
			require.Equal(t, 200, status)
		}},
		refused("8.3.3 a parameter twice", 400, inv, generic, func() (int, object) {
			v := r.client("grant_type", grant)
			v.Add("grant_type", "refresh_token")
			return r.form("token", v)
		}),
		refused("8.3.3 refresh_token expired", 400, "invalid_grant", "Refresh token expired", func() (int, object) {
			r.Advance(31 * 24 * time.Hour)
			return r.form("token", r.client("grant_type", "refresh_token", "refresh_token", refresh))
		}),
	})
}

func TestACodeThatComesTwiceEndsWhatItGave(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-p256", "ada")
	code := r.consent(r.service(), s.UserID)
	in := r.client("grant_type", "authorization_code", "code", code, "redirect_uri", back)
	_, out := r.form("token", in)
	_, _ = r.form("token", in)
	r.bearer = out["access_token"].(string)
	r.refused("credentials/list", object{}, 401, "expired_token", "The access token is expired or was revoked")
}

func TestARefreshTokenCanChangeWithEachUse(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.RotateRefresh = true })
	s := r.Signer("cp-p256", "ada")
	_, out := r.form("token", r.client("grant_type", "authorization_code", "code", r.consent(r.service(), s.UserID), "redirect_uri", back))
	old := out["refresh_token"].(string)
	_, out = r.form("token", r.client("grant_type", "refresh_token", "refresh_token", old))
	require.NotEqual(t, old, out["refresh_token"])
	status, _ := r.form("token", r.client("grant_type", "refresh_token", "refresh_token", old))
	require.Equal(t, 400, status)
	status, _ = r.form("token", r.client("grant_type", "refresh_token", "refresh_token", out["refresh_token"].(string)))
	require.Equal(t, 200, status)
}

func TestRowsOfOAuthRevoke(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-oauth2code", "ada")
	_, out := r.form("token", r.client("grant_type", "authorization_code", "code", r.consent(r.service(), s.UserID), "redirect_uri", back))
	access, refresh := out["access_token"].(string), out["refresh_token"].(string)
	refused := func(name string, status int, code, text string, form map[string][]string, header ...string) claim {
		return claim{name, func(t *testing.T) {
			got, body := r.form("revoke", form, header...)
			require.Equal(t, object{"error": code, "error_description": text}, body)
			require.Equal(t, status, got)
		}}
	}
	r.claims(t, []claim{
		refused("8.3.4 token missing", 400, inv, "Missing parameter token", r.client()),
		refused("8.3.4 token unknown", 400, inv, "Invalid parameter token", r.client("token", "x")),
		refused("8.3.4 token_type_hint unknown", 400, "unsupported_token_type", "Invalid parameter token_type_hint", r.client("token", access, "token_type_hint", "sad")),
		refused("8.3.4 token_type_hint of the other kind", 400, inv, "Invalid parameter token", r.client("token", access, "token_type_hint", "refresh_token")),
		refused("8.3.4 client_id missing", 400, inv, "Missing parameter client_id", values("token", access)),
		refused("8.3.4 no secret", 401, inv, "Client authorization required", values("token", access, "client_id", r.ClientID)),
		refused("8.3.4 authorization header invalid", 401, "invalid_client", "Invalid authorization header", values("token", access, "client_id", r.ClientID), "Authorization", "Basic %%%"),
		{"8.3.4 access token leaves the refresh token alive", func(t *testing.T) {
			status, body := r.form("revoke", r.client("token", access, "token_type_hint", "access_token"))
			require.Equal(t, 204, status)
			require.Nil(t, body)
			status, _ = r.form("token", r.client("grant_type", "refresh_token", "refresh_token", refresh))
			require.Equal(t, 200, status)
		}},
		{"8.3.4 refresh token takes its access tokens along", func(t *testing.T) {
			_, out := r.form("token", r.client("grant_type", "refresh_token", "refresh_token", refresh))
			status, _ := r.form("revoke", r.client("token", refresh))
			require.Equal(t, 204, status)
			own := &rig{Sim: r.Sim, t: t, bearer: out["access_token"].(string)}
			own.refused("credentials/list", object{}, 401, "expired_token", "The access token is expired or was revoked")
		}},
		{"8.3.4 SAD", func(t *testing.T) {
			h := digest("a")
			_, out := r.form("token", r.client("grant_type", "authorization_code", "code", r.consent(r.credentialScope(s, [][]byte{h}), ""), "redirect_uri", back))
			status, _ := r.form("revoke", r.client("token", out["access_token"].(string)))
			require.Equal(t, 204, status)
			r.refused("signatures/signHash", object{"credentialID": s.Credential, "SAD": out["access_token"], "hash": []string{b64(h)}, "signAlgo": sha256RSA}, 400, inv, "Invalid parameter SAD")
			require.Equal(t, 1, r.Count(dtmsim.LedgerSADDied, s.Credential))
		}},
	})
}
