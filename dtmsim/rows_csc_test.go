package dtmsim_test

import (
	"crypto/sha1"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

func TestRowsOfTransport(t *testing.T) {
	r := start(t)
	bearer := []string{"Authorization", "Bearer " + r.bearer}
	plain := func(name, method, path string, body any, status int, header ...string) claim {
		return claim{name, func(t *testing.T) {
			got, b := r.send(method, path, body, header...)
			require.Equal(t, status, got, "%s", b)
		}}
	}
	all := []claim{
		plain("7.1 GET of info", "GET", base+"info", nil, 200),
		plain("7.1 POST of info", "POST", base+"info", object{}, 200),
		plain("7.1 empty body", "POST", base+"credentials/list", "", 400, bearer...),
		plain("7.1 body no object", "POST", base+"credentials/list", "[]", 400, bearer...),
		plain("7.1 Content-Type of another kind", "POST", base+"credentials/list", "{}", 400, append([]string{"Content-Type", "text/plain"}, bearer...)...),
		plain("8.1 no credential at all", "POST", base+"credentials/list", object{}, 401),
		plain("8.1 header malformed", "POST", base+"credentials/list", object{}, 400, "Authorization", "Bearer"),
		plain("10.1 method unknown", "POST", base+"credentials/steal", object{}, 404, bearer...),
		plain("7.2 the three endpoints hang off the base that info tells", "POST", "/account/api/v1/oauth2/token", object{}, 400),
		{"10.1 token unknown", func(t *testing.T) {
			(&rig{Sim: r.Sim, t: t, bearer: "x"}).refused("credentials/list", object{}, 401, "invalid_token", "The access token is not valid")
		}},
		{"10.1 rate limit", func(t *testing.T) {
			r := start(t, func(o *dtmsim.Options) { o.RateLimit = 1 })
			_, _ = r.csc("credentials/list", object{})
			r.refused("credentials/list", object{}, 429, "temporarily_unavailable", "Too many requests")
		}},
		{"10.1 token expired", func(t *testing.T) {
			r.Advance(2 * time.Hour)
			r.refused("credentials/list", object{}, 401, "expired_token", "The access token is expired or was revoked")
		}},
	}
	for _, m := range []string{"auth/login", "auth/revoke", "credentials/list", "credentials/info", "credentials/sendOTP", "credentials/authorize",
		"credentials/extendTransaction", "signatures/signHash", "signatures/timestamp", "oauth2/token", "oauth2/revoke"} {
		all = append(all, plain("7.1 GET of "+m, "GET", base+m, nil, http.StatusMethodNotAllowed))
	}
	r.claims(t, all)
}

func TestRowsOfInfo(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-p256", "ada")
	info := func(in object) object { _, out := r.csc("info", in); return out }
	r.claims(t, []claim{
		{"11.1 specs", func(t *testing.T) { require.Equal(t, "1.0.4.0", info(object{})["specs"]) }},
		{"11.1 name", func(t *testing.T) { require.NotEmpty(t, info(object{})["name"]) }},
		{"11.1 logo", func(t *testing.T) {
			resp, err := http.Get(info(object{})["logo"].(string))
			require.NoError(t, err)
			resp.Body.Close()
			require.Equal(t, "image/png", resp.Header.Get("Content-Type"))
		}},
		{"11.1 region", func(t *testing.T) { require.Equal(t, "NL", info(object{})["region"]) }},
		{"11.1 lang by default", func(t *testing.T) { require.Equal(t, "en-US", info(object{})["lang"]) }},
		{"11.1 lang that is there", func(t *testing.T) { require.Equal(t, "en-GB", info(object{"lang": "en-GB"})["lang"]) }},
		{"11.1 lang that is not", func(t *testing.T) { require.Equal(t, "en-US", info(object{"lang": "tlh"})["lang"]) }},
		{"11.1 description", func(t *testing.T) { require.NotEmpty(t, info(object{})["description"]) }},
		{"11.1 authType", func(t *testing.T) {
			require.Equal(t, []any{"oauth2code", "oauth2client", "basic", "digest"}, info(object{})["authType"])
		}},
		{"11.1 oauth2", func(t *testing.T) { require.Equal(t, r.BaseURL+"/account/api/v1", info(object{})["oauth2"]) }},
		{"11.1 methods", func(t *testing.T) {
			for _, m := range info(object{})["methods"].([]any) {
				status, b := r.send("POST", base+m.(string), object{}, "Authorization", "Bearer "+r.bearer)
				require.NotContains(t, []int{404, 405, 501}, status, "%s %s", m, b)
			}
		}},
	})
	r.rows(t, []row{
		{"11.4 pageToken invalid", "credentials/list", object{"userID": s.UserID, "pageToken": "x"}, 400, inv, "Invalid parameter pageToken"},
		{"11.4 userID invalid", "credentials/list", object{"userID": "nobody"}, 400, inv, "Invalid parameter userID"},
		{"11.4 userID no string", "credentials/list", object{"userID": 7}, 400, inv, "Invalid parameter userID"},
		{"11.4 userID missing", "credentials/list", object{}, 400, inv, "Missing (or invalid type) string parameter userID"},
		{"11.4 clientData no string", "credentials/list", object{"userID": s.UserID, "clientData": 7}, 400, inv, "Invalid parameter clientData"},
		{"11.5 credentialID missing", "credentials/info", object{}, 400, inv, "Missing (or invalid type) string parameter credentialID"},
		{"11.5 credentialID no string", "credentials/info", object{"credentialID": 7}, 400, inv, "Missing (or invalid type) string parameter credentialID"},
		{"11.5 credentialID invalid", "credentials/info", object{"credentialID": "x"}, 400, inv, "Invalid parameter credentialID"},
		{"11.5 certificates invalid", "credentials/info", object{"credentialID": "ada", "certificates": "all"}, 400, inv, "Invalid parameter certificates"},
		{"11.5 certInfo no boolean", "credentials/info", object{"credentialID": "ada", "certInfo": "true"}, 400, inv, "Invalid parameter certInfo"},
		{"11.5 authInfo no boolean", "credentials/info", object{"credentialID": "ada", "authInfo": 1}, 400, inv, "Invalid parameter authInfo"},
	})
	r.claims(t, []claim{
		{"11.4 userID with a user's token", func(t *testing.T) {
			own := r.asUser(s)
			own.refused("credentials/list", object{"userID": s.UserID}, 400, inv, "userID parameter MUST be null")
		}},
		{"11.4 maxResults too big is no error", func(t *testing.T) {
			status, _ := r.csc("credentials/list", object{"userID": s.UserID, "maxResults": 1e6})
			require.Equal(t, 200, status)
		}},
		{"11.4 user_id in the query", func(t *testing.T) {
			status, b := r.send("POST", base+"credentials/list?user_id="+s.UserID, object{}, "Authorization", "Bearer "+r.bearer)
			require.Equal(t, 200, status, "%s", b)
		}},
		{"11.5 credentialID of another user", func(t *testing.T) {
			r.asUser(r.Signer("cp-p256", "bob")).refused("credentials/info", object{"credentialID": "ada"}, 400, inv, "Invalid parameter credentialID")
		}},
	})
}

// Twelve combinations of certificates, certInfo and authInfo, and nothing in an answer that
// was not asked for (CSC 11.5).
func TestRowsOfCredentialInfo(t *testing.T) {
	r := start(t)
	for profile, explicit := range map[string]bool{"cp-advanced": true, "cp-p256": false} {
		s := r.Signer(profile, profile)
		for certificates, n := range map[string]int{"none": 0, "single": 1, "chain": 3} {
			for _, certInfo := range []bool{false, true} {
				for _, authInfo := range []bool{false, true} {
					name := "11.5 " + profile + " " + certificates + map[bool]string{true: " certInfo"}[certInfo] + map[bool]string{true: " authInfo"}[authInfo]
					t.Run(name, func(t *testing.T) {
						_, out := r.csc("credentials/info", object{"credentialID": s.Credential, "certificates": certificates, "certInfo": certInfo, "authInfo": authInfo})
						cert := out["cert"].(object)
						list, _ := cert["certificates"].([]any)
						require.Len(t, list, n)
						for _, member := range []string{"issuerDN", "subjectDN", "serialNumber", "validFrom", "validTo"} {
							require.Equal(t, certInfo, cert[member] != nil, member)
						}
						require.Equal(t, authInfo && explicit, out["PIN"] != nil)
						require.Equal(t, authInfo && explicit, out["OTP"] != nil)
						if certInfo {
							require.Regexp(t, `^\d{14}Z$`, cert["validFrom"])
							require.Regexp(t, `^[0-9A-F]+$`, cert["serialNumber"])
							require.Regexp(t, `^CN=`, cert["subjectDN"])
						}
					})
				}
			}
		}
	}
}

func TestRowsOfAuthorize(t *testing.T) {
	r := start(t)
	s, locked := r.Signer("cp-advanced", "ada"), r.Signer("cp-advanced-p256", "locked")
	r.Signer("cp-p256", "stopped")
	push, oauth := r.Signer("cp-advanced-push", "push"), r.Signer("cp-oauth2code", "oauth")
	sms := r.Signer("cp-basic-single", "sms")
	require.NoError(t, r.Suspend("stopped"))
	h := b64(digest("a"))
	for range 5 {
		_, _ = r.csc("credentials/authorize", object{"credentialID": "locked", "numSignatures": 1, "PIN": "x"})
		_, _ = r.csc("credentials/authorize", object{"credentialID": "sms", "numSignatures": 1, "OTP": "x"})
	}
	good := object{"credentialID": "ada", "numSignatures": 1, "hash": []string{h}, "PIN": s.PIN, "OTP": "000000"}
	const m = "credentials/authorize"
	bad := func(name string, change object, text string) row {
		return row{name, m, with(good, change), 400, inv, text}
	}
	r.rows(t, []row{
		bad("11.6 credentialID missing", object{"credentialID": nil}, "Missing (or invalid type) string parameter credentialID"),
		bad("11.6 credentialID unknown", object{"credentialID": "x"}, "Invalid parameter credentialID"),
		bad("11.6 key disabled", object{"credentialID": "stopped"}, "The credential identified by credentialID is disabled"),
		bad("11.6 numSignatures missing", object{"numSignatures": nil}, "Missing (or invalid type) integer parameter numSignatures"),
		bad("11.6 numSignatures not integer", object{"numSignatures": "1"}, "Missing (or invalid type) integer parameter numSignatures"),
		bad("11.6 numSignatures below 1", object{"numSignatures": 0}, "Invalid value for parameter numSignatures"),
		bad("11.6 numSignatures above multisign", object{"numSignatures": 101}, "Numbers of signatures is too high"),
		bad("11.6 hash missing under SCAL 2", object{"hash": nil}, "Missing (or invalid type) array parameter hash"),
		bad("11.6 hash empty", object{"hash": []string{}}, "Empty hash array"),
		bad("11.6 hash not base64", object{"hash": []string{"%"}}, "Invalid Base64 hash string parameter"),
		bad("11.6 hash with line breaks", object{"hash": []string{h[:20] + "\n" + h[20:]}}, "Invalid Base64 hash string parameter"),
		bad("11.6 hash in base64url", object{"hash": []string{strings.Repeat("_", 43) + "="}}, "Invalid Base64 hash string parameter"),
		bad("11.6 hash of another length", object{"hash": []string{"AAAA"}}, "Invalid digest value length"),
		bad("11.6 more hashes than numSignatures", object{"hash": []string{h, h}}, "Invalid parameter hash"),
		bad("11.6 description too long", object{"description": strings.Repeat("x", 501)}, "Invalid parameter description"),
		bad("11.6 clientData no string", object{"clientData": true}, "Invalid parameter clientData"),
		bad("11.6 PIN missing", object{"PIN": nil}, "Missing (or invalid type) string parameter PIN"),
		bad("11.6 OTP missing", object{"OTP": nil}, "Missing (or invalid type) string parameter OTP"),
		bad("11.6 PIN locked", object{"credentialID": "locked", "PIN": locked.PIN}, "PIN locked"),
		bad("11.6 OTP locked", object{"credentialID": "sms"}, "OTP locked"),
		bad("11.6 authMode oauth2code", object{"credentialID": oauth.Credential}, "The credential is authorized by oauth2/authorize"),
		{"11.6 PIN wrong", m, with(good, object{"PIN": "1"}), 400, "invalid_pin", "The PIN is invalid"},
		{"11.6 OTP wrong", m, with(good, object{"OTP": "1"}), 400, "invalid_otp", "The OTP is invalid"},
		{"11.8 credentialID missing", "credentials/sendOTP", object{}, 400, inv, "Missing (or invalid type) string parameter credentialID"},
		{"11.8 credentialID invalid", "credentials/sendOTP", object{"credentialID": "x"}, 400, inv, "Invalid parameter credentialID"},
		{"11.8 key disabled", "credentials/sendOTP", object{"credentialID": "stopped"}, 400, inv, "The credential identified by credentialID is disabled"},
		{"11.8 OTP locked", "credentials/sendOTP", object{"credentialID": sms.Credential}, 400, inv, "OTP locked"},
		{"11.8 OTP not online", "credentials/sendOTP", object{"credentialID": push.Credential}, 400, inv, "The credential does not use an OTP that is sent"},
	})
	require.Zero(t, r.Count(dtmsim.LedgerSADIssued, ""), "none of them gave anything")
	r.claims(t, []claim{
		{"11.6 certificate status", func(t *testing.T) {
			r := start(t)
			r.Signer("cp-p256", "n")
			r.Advance(366 * 24 * time.Hour)
			r.bearer = r.serviceToken()
			r.refused(m, object{"credentialID": "n", "numSignatures": 1, "hash": []string{h}}, 400, inv, "Invalid certificate status")
		}},
		{"11.6 declined on the phone", func(t *testing.T) {
			r.Phone(push.UserID, false)
			r.refused(m, object{"credentialID": "push", "numSignatures": 1, "hash": []string{h}}, 403, "access_denied", "The user declined the authorization")
		}},
		{"11.6 SAD and expiresIn", func(t *testing.T) {
			status, out := r.csc(m, with(good, object{"OTP": r.code(s)}))
			require.Equal(t, 200, status)
			require.Len(t, out, 2)
			require.IsType(t, "", out["SAD"])
			require.EqualValues(t, 8208000, out["expiresIn"], "95 days")
		}},
	})
}

// The order of the checks: each request repairs one fault of the one before it.
func TestTheChecksOfAuthorizeComeInOneOrder(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced", "ada")
	require.NoError(t, r.Suspend("ada"))
	in := object{"credentialID": "x", "numSignatures": 0, "hash": []string{"%"}, "PIN": "x", "OTP": "x"}
	expect := func(status int, code, text string) {
		t.Helper()
		r.refused("credentials/authorize", in, status, code, text)
	}
	good := r.bearer
	r.bearer = "x"
	expect(401, "invalid_token", "The access token is not valid")
	r.bearer = good
	expect(400, inv, "Invalid parameter credentialID")
	in["credentialID"] = "ada"
	expect(400, inv, "The credential identified by credentialID is disabled")
	status, _ := r.api("PUT", "/documentmanager/api/v1/credential/ada/resume", object{})
	require.Equal(t, 200, status)
	expect(400, inv, "Invalid value for parameter numSignatures")
	in["numSignatures"] = 1
	expect(400, inv, "Invalid Base64 hash string parameter")
	in["hash"] = []string{b64(digest("a"))}
	for range 4 {
		expect(400, "invalid_pin", "The PIN is invalid")
	}
	in["PIN"] = s.PIN
	for range 5 {
		expect(400, "invalid_otp", "The OTP is invalid")
	}
	in["PIN"] = "x"
	expect(400, inv, "OTP locked") // a lock is told before a wrong PIN, which would tell more
}

func TestRowsOfExtendTransaction(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.SADLife = time.Minute })
	s := r.Signer("cp-p256", "ada")
	one, two := b64(digest("1")), b64(digest("2"))
	sad := r.authorized(s, "cp-p256", 2, digest("1"))
	good := object{"credentialID": "ada", "SAD": sad, "hash": []string{one}}
	const m = "credentials/extendTransaction"
	bad := func(name string, change object, text string) row {
		return row{name, m, with(good, change), 400, inv, text}
	}
	r.Signer("cp-p256", "bob")
	r.rows(t, []row{
		bad("11.7 credentialID missing", object{"credentialID": nil}, "Missing (or invalid type) string parameter credentialID"),
		bad("11.7 credentialID unknown", object{"credentialID": "x"}, "Invalid parameter credentialID"),
		bad("11.7 SAD missing", object{"SAD": nil}, "Missing (or invalid type) string parameter SAD"),
		bad("11.7 SAD wrong", object{"SAD": "xxx"}, "Invalid parameter SAD"),
		bad("11.7 SAD of another credential", object{"credentialID": "bob"}, "Invalid parameter SAD"),
		bad("11.7 hash missing under SCAL 2", object{"hash": nil}, "Missing (or invalid type) array parameter hash"),
		bad("11.7 hash empty", object{"hash": []string{}}, "Empty hash array"),
		bad("11.7 hash not base64", object{"hash": []string{"%"}}, "Invalid Base64 hash string parameter"),
		bad("11.7 more hashes than are left", object{"hash": []string{one, one, one}}, "Invalid parameter hash"),
		bad("11.7 clientData no string", object{"clientData": 7}, "Invalid parameter clientData"),
	})
	r.claims(t, []claim{
		{"11.7 new SAD for new hashes, and the old one is dead", func(t *testing.T) {
			status, out := r.csc(m, with(good, object{"hash": []string{two}}))
			require.Equal(t, 200, status)
			sign := object{"credentialID": "ada", "SAD": out["SAD"], "signAlgo": sha256ECDSA}
			r.refused("signatures/signHash", with(sign, object{"hash": []string{one}}), 400, inv, "Hash is not authorized by the SAD.")
			r.refused(m, good, 400, inv, "Invalid parameter SAD")
			status, _ = r.csc("signatures/signHash", with(sign, object{"hash": []string{two}}))
			require.Equal(t, 200, status)
		}},
		{"11.7 SAD used up", func(t *testing.T) {
			sad := r.authorized(s, "cp-p256", 1, digest("1"))
			_, _ = r.csc("signatures/signHash", object{"credentialID": "ada", "SAD": sad, "signAlgo": sha256ECDSA, "hash": []string{one}})
			r.refused(m, with(good, object{"SAD": sad}), 400, inv, "Invalid parameter SAD")
		}},
		{"11.7 SAD expired", func(t *testing.T) {
			sad := r.authorized(s, "cp-p256", 1, digest("1"))
			r.Advance(time.Minute)
			r.refused(m, with(good, object{"SAD": sad}), 400, inv, "SAD expired")
		}},
	})
}

func TestRowsOfTimestamp(t *testing.T) {
	r := start(t)
	good := object{"hash": b64(digest("a")), "hashAlgo": oidSHA256}
	const m = "signatures/timestamp"
	bad := func(name string, change object, text string) row {
		return row{name, m, with(good, change), 400, inv, text}
	}
	r.rows(t, []row{
		bad("11.10 hash missing", object{"hash": nil}, "Missing (or invalid type) string parameter hash"),
		bad("11.10 hash no string", object{"hash": []string{b64(digest("a"))}}, "Missing (or invalid type) string parameter hash"),
		bad("11.10 hash empty", object{"hash": ""}, "Empty hash parameter"),
		bad("11.10 hash of another length", object{"hash": "AAAA"}, "Invalid digest value length"),
		bad("11.10 hash not base64", object{"hash": "%"}, "Invalid Base64 hash string parameter"),
		bad("11.10 hashAlgo missing", object{"hashAlgo": nil}, "Invalid parameter hashAlgo"),
		bad("11.10 hashAlgo unknown", object{"hashAlgo": "1.2.840.113549.2.5"}, "Invalid parameter hashAlgo"),
		bad("11.10 nonce not hex", object{"nonce": "xyz"}, "Invalid parameter nonce"),
		bad("11.10 nonce no string", object{"nonce": 7}, "Invalid parameter nonce"),
		bad("11.10 clientData no string", object{"clientData": 7}, "Invalid parameter clientData"),
	})
	r.claims(t, []claim{
		{"11.10 the token alone, with the nonce within", func(t *testing.T) {
			status, out := r.csc(m, with(good, object{"nonce": "0123456789ABCDEF"}))
			require.Equal(t, 200, status)
			token := unb64(t, out["timestamp"])
			require.Equal(t, byte(0x30), token[0])
			require.Contains(t, string(token[:30]), "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", "a ContentInfo of signed data, not a TimeStampResp")
			require.Contains(t, string(token), "\x02\x08\x01\x23\x45\x67\x89\xab\xcd\xef")
		}},
		{"11.10 SHA-1 here and nowhere else", func(t *testing.T) {
			sum := sha1.Sum([]byte("a"))
			status, _ := r.csc(m, object{"hash": b64(sum[:]), "hashAlgo": "1.3.14.3.2.26", "nonce": "1234567890"})
			require.Equal(t, 200, status)
		}},
	})
}
