package dtmsim_test

import (
	"crypto/sha512"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

// What programs of others send and expect, as far as it is public. Each table is one client.

// speaker is a client with its own way of proving who it is and its own version.
type speaker struct {
	*rig
	version string
	header  []string
}

func (s speaker) call(method string, in object) object {
	s.t.Helper()
	status, b := s.send("POST", "/documentmanager/csc/"+s.version+"/"+method, in, s.header...)
	require.Contains(s.t, []int{200, 204}, status, "%s: %s", method, b)
	return s.json(b)
}

// The black-box conformance script for servers of version 1.
func TestTheConformanceTester(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced", "ada")
	for i := range 24 {
		r.issue(s.UserID, "cp-basic-single", fmt.Sprintf("more-%02d", i))
	}
	password := r.Options().Password
	login := func(in object) object {
		status, b := r.send("POST", base+"auth/login", in, "Authorization", basic(s.UserName, password))
		require.Equal(t, 200, status)
		return r.json(b)
	}
	out := login(object{"rememberMe": true})
	r.bearer = out["access_token"].(string)
	info := func(more object) object {
		_, out := r.csc("credentials/info", with(object{"credentialID": "ada"}, more))
		return out
	}
	h, long := digest("a"), sha512.Sum512([]byte("a"))
	var sad string
	authorize := func(t *testing.T, n int, hashes ...[]byte) {
		r.t = t
		sad = r.authorized(s, "cp-advanced", n, hashes...)
	}
	sign := func(more object) (int, object) {
		return r.csc("signatures/signHash", with(object{"credentialID": "ada", "SAD": sad, "hash": []string{b64(h)}}, more))
	}
	all := []claim{
		{"login without rememberMe", func(t *testing.T) { require.NotContains(t, login(object{}), "refresh_token") }},
		{"login with rememberMe", func(t *testing.T) { require.NotEmpty(t, login(object{"rememberMe": true})["refresh_token"]) }},
		{"info without lang", func(t *testing.T) { _, out := r.csc("info", object{}); require.Equal(t, "en-US", out["lang"]) }},
		{"info with certificates none still has cert", func(t *testing.T) {
			require.Contains(t, info(object{"certificates": "none"}), "cert")
			require.NotContains(t, info(object{"certificates": "none"})["cert"], "certificates")
		}},
		{"info tells no factors unless asked", func(t *testing.T) { require.NotContains(t, info(object{"certInfo": true}), "PIN") }},
		{"info tells no details unless asked", func(t *testing.T) { require.NotContains(t, info(object{"authInfo": true})["cert"], "subjectDN") }},
		{"info in full", func(t *testing.T) {
			out := info(object{"certificates": "chain", "certInfo": true, "authInfo": true})
			require.Contains(t, out, "OTP")
			require.Len(t, out["cert"].(object)["certificates"], 3)
		}},
		{"bad PIN", func(t *testing.T) {
			r.refused("credentials/authorize", object{"credentialID": "ada", "numSignatures": 1, "hash": []string{b64(h)}, "PIN": ">>0", "OTP": "000000"}, 400, "invalid_pin", "The PIN is invalid")
		}},
		{"bad OTP", func(t *testing.T) {
			r.refused("credentials/authorize", object{"credentialID": "ada", "numSignatures": 1, "hash": []string{b64(h)}, "PIN": s.PIN, "OTP": ">>0"}, 400, "invalid_otp", "The OTP is invalid")
		}},
		{"extend with a bad SAD", func(t *testing.T) {
			r.refused("credentials/extendTransaction", object{"credentialID": "ada", "SAD": "xxx", "hash": []string{b64(h)}}, 400, inv, "Invalid parameter SAD")
		}},
		{"signHash with sha256WithRSA", func(t *testing.T) {
			authorize(t, 4, h, long[:])
			status, _ := sign(object{"signAlgo": sha256RSA})
			require.Equal(t, 200, status)
		}},
		{"signHash with sha512WithRSA", func(t *testing.T) {
			status, _ := sign(object{"signAlgo": "1.2.840.113549.1.1.13", "hash": []string{b64(long[:])}})
			require.Equal(t, 200, status)
		}},
		{"signHash with RSA and hashAlgo", func(t *testing.T) {
			status, _ := sign(object{"signAlgo": plainRSA, "hashAlgo": oidSHA256})
			require.Equal(t, 200, status)
		}},
		{"signHash of a wrong length", func(t *testing.T) {
			_, out := sign(object{"signAlgo": sha256RSA, "hash": []string{b64(h[:31])}})
			require.Equal(t, "Invalid digest value length", out["error_description"])
		}},
		{"signHash with PSS", func(t *testing.T) {
			status, out := sign(object{"signAlgo": pssRSA, "hashAlgo": oidSHA256, "signAlgoParams": pssParams})
			require.Equal(t, 200, status)
			requireSignature(t, r.Certificate("ada"), h, unb64(t, out["signatures"].([]any)[0]), true)
		}},
		{"timestamp with a nonce", func(t *testing.T) {
			status, _ := r.csc("signatures/timestamp", object{"hash": b64(h), "hashAlgo": oidSHA256, "nonce": "1234567890"})
			require.Equal(t, 200, status)
		}},
		{"revoke, then use again", func(t *testing.T) {
			status, _ := r.csc("auth/revoke", object{"token": r.bearer})
			require.Equal(t, 204, status)
			status, _ = r.csc("credentials/list", object{})
			require.Equal(t, 401, status)
		}},
	}
	for _, n := range []int{1, 5, 20, 64} {
		walk := claim{fmt.Sprintf("list in pages of %d", n), func(t *testing.T) {
			seen, in := 0, object{"maxResults": n}
			for {
				status, out := r.csc("credentials/list", in)
				require.Equal(t, 200, status)
				ids := out["credentialIDs"].([]any)
				require.LessOrEqual(t, len(ids), n)
				seen += len(ids)
				if out["nextPageToken"] == nil {
					break
				}
				in["pageToken"] = out["nextPageToken"]
			}
			require.Equal(t, 25, seen)
		}}
		all = append([]claim{walk}, all...)
	}
	r.claims(t, all)
}

// SetaPDF takes the first of key.algo, sends a hash with every authorize and hashAlgo with
// every signHash, and reads a JSON body from every answer, which has to be a 200.
func TestSetaPDF(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.SendOTP200 = true })
	for _, profile := range []string{"cp-basic", "cp-basic-single"} {
		t.Run(profile, func(t *testing.T) {
			s := r.Signer(profile, profile)
			c := speaker{r, "v1", []string{"Authorization", "Bearer " + r.bearer}}
			info := c.call("credentials/info", object{"credentialID": s.Credential, "certificates": "chain", "certInfo": true, "authInfo": true})
			status, b := r.send("POST", base+"credentials/sendOTP", object{"credentialID": s.Credential}, c.header...)
			require.Equal(t, 200, status)
			require.Equal(t, "{}\n", string(b))
			h := digest("a")
			sad := c.call("credentials/authorize", object{"credentialID": s.Credential, "numSignatures": 1, "hash": []string{b64(h)}, "OTP": r.LastCode(s.UserID)})["SAD"]
			algo := info["key"].(object)["algo"].([]any)[0]
			out := c.call("signatures/signHash", object{"credentialID": s.Credential, "SAD": sad, "hash": []string{b64(h)}, "hashAlgo": oidSHA256, "signAlgo": algo})
			requireSignature(t, r.Certificate(s.Credential), h, unb64(t, out["signatures"].([]any)[0]), false)
		})
	}
}

// pyHanko and its port to Go: no list, no info, one authorize for a batch of three.
func TestPyHanko(t *testing.T) {
	r := start(t)
	for _, key := range []struct{ profile, algo, params string }{{"cp-rsa3072", sha256RSA, ""}, {"cp-rsa2048", pssRSA, pssParams}, {"cp-p256", sha256ECDSA, ""}} {
		t.Run(key.profile, func(t *testing.T) {
			s := r.Signer(key.profile, key.profile)
			c := speaker{r, "v1", []string{"Authorization", "Bearer " + r.bearer}}
			info := c.call("credentials/info", object{"credentialID": s.Credential, "certificates": "chain", "certInfo": false})
			require.Contains(t, info["key"].(object)["algo"], key.algo)
			require.IsType(t, float64(0), info["multisign"])
			require.Contains(t, []any{"1", "2"}, info["SCAL"])
			hashes := [][]byte{digest("1"), digest("2"), digest("3")}
			sad := c.call("credentials/authorize", object{"credentialID": s.Credential, "numSignatures": 3, "hash": encoded(hashes), "clientData": "x", "description": "y"})
			require.IsType(t, float64(0), sad["expiresIn"])
			in := object{"credentialID": s.Credential, "SAD": sad["SAD"], "hash": encoded(hashes), "hashAlgo": oidSHA256, "signAlgo": key.algo}
			if key.params != "" {
				in["signAlgoParams"] = key.params
			}
			out := c.call("signatures/signHash", in)["signatures"].([]any)
			require.Len(t, out, 3)
			for i, h := range hashes {
				requireSignature(t, r.Certificate(s.Credential), h, unb64(t, out[i]), key.params != "")
			}
		})
	}
}

// DigiCert's eSeal: the API key alone, authorize for the grand total with the first batch
// only, then extendTransaction for each batch that follows.
func TestDigiCertESeal(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.CSCAllowAPIKey = true })
	s := r.Signer("cp-seal", "seal")
	c := speaker{r, "v1", []string{"x-api-key", r.APIKey}}
	require.Equal(t, []any{"seal"}, c.call("credentials/list?user_id="+s.UserID, object{})["credentialIDs"])
	info := c.call("credentials/info", object{"credentialID": "seal", "certificates": "chain", "authInfo": true, "certInfo": true, "lang": "en_US"})
	require.Equal(t, "implicit", info["authMode"])
	const total, size = 10, 4
	var hashes [][]byte
	for i := range total {
		hashes = append(hashes, digest(fmt.Sprint(i)))
	}
	sad := c.call("credentials/authorize", object{"credentialID": "seal", "numSignatures": total, "hash": encoded(hashes[:size])})["SAD"]
	signed := 0
	for from := 0; from < total; from += size {
		batch := hashes[from:min(from+size, total)]
		if from > 0 {
			sad = c.call("credentials/extendTransaction", object{"credentialID": "seal", "SAD": sad, "hash": encoded(batch)})["SAD"]
		}
		out := c.call("signatures/signHash", object{"credentialID": "seal", "SAD": sad, "hash": encoded(batch), "hashAlgo": oidSHA256, "signAlgo": sha256RSA})["signatures"].([]any)
		require.Len(t, out, len(batch))
		for i, h := range batch {
			requireSignature(t, r.Certificate("seal"), h, unb64(t, out[i]), false)
			signed++
		}
	}
	require.Equal(t, total, signed)
	status, _ := r.send("POST", base+"credentials/extendTransaction", object{"credentialID": "seal", "SAD": sad, "hash": encoded(hashes[:1])}, c.header...)
	require.Equal(t, 400, status, "all signatures are used up")
	require.Equal(t, 1, r.Count(dtmsim.LedgerSADIssued, "seal"))
	require.Equal(t, 2, r.Count(dtmsim.LedgerSADExtended, "seal"))
}

// A server that is stricter than DigiCert wants as many hashes as signatures.
func TestAStrictServerWantsEveryHashAtOnce(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.StrictHashes = true })
	r.Signer("cp-seal", "seal")
	r.refused("credentials/authorize", object{"credentialID": "seal", "numSignatures": 2, "hash": []string{b64(digest("1"))}}, 400, inv, "Invalid parameter hash")
}

// Clients of 0.1.7.9: a token by JSON below the API's own path, a code of an authenticator,
// and no hashAlgo.
func TestClientsOfVersionZero(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-advanced-totp", "ada")
	c := speaker{r, "v0", nil}
	token := c.call("oauth2/token", object{"grant_type": "client_credentials", "client_id": r.ClientID, "client_secret": r.ClientSecret})["access_token"].(string)
	c.header = []string{"Authorization", "Bearer " + token}
	require.Equal(t, "0.1.7.9", c.call("info", object{})["specs"])
	require.Equal(t, []any{"ada"}, c.call("credentials/list", object{"userID": s.UserID, "clientData": "EVCS"})["credentialIDs"])
	info := c.call("credentials/info", object{"credentialID": "ada", "certificates": "chain", "authInfo": true})
	require.Equal(t, true, info["multisign"])
	require.NotContains(t, info["OTP"], "format")
	h := digest("a")
	sad := c.call("credentials/authorize", object{"credentialID": "ada", "numSignatures": 1, "hash": []string{b64(h)}, "PIN": s.PIN, "OTP": r.TOTP(s.UserID)})["SAD"]
	out := c.call("signatures/signHash", object{"credentialID": "ada", "SAD": sad, "hash": []string{b64(h)}, "signAlgo": sha256ECDSA})
	requireSignature(t, r.Certificate("ada"), h, unb64(t, out["signatures"].([]any)[0]), false)
}
