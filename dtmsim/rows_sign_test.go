package dtmsim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

func TestRowsOfSignHash(t *testing.T) {
	r := start(t, func(o *dtmsim.Options) { o.SADLife = 10 * 365 * 24 * time.Hour })
	s := r.Signer("cp-rsa2048", "ada")
	h := digest("a")
	long := sha512.Sum512([]byte("a"))
	good := object{"credentialID": "ada", "SAD": r.authorized(s, "cp-rsa2048", 1, h), "hash": []string{b64(h)}, "signAlgo": sha256RSA}
	const m = "signatures/signHash"
	bad := func(name string, change object, text string) row {
		return row{name, m, with(good, change), 400, inv, text}
	}
	r.rows(t, []row{
		bad("11.9 SAD missing", object{"SAD": nil}, "Missing (or invalid type) string parameter SAD"),
		bad("11.9 SAD wrong", object{"SAD": "x"}, "Invalid parameter SAD"),
		bad("11.9 credentialID missing", object{"credentialID": nil}, "Missing (or invalid type) string parameter credentialID"),
		bad("11.9 credentialID wrong", object{"credentialID": "x"}, "Invalid parameter credentialID"),
		bad("11.9 hash missing", object{"hash": nil}, "Missing (or invalid type) array parameter hash"),
		bad("11.9 hash no array", object{"hash": b64(h)}, "Missing (or invalid type) array parameter hash"),
		bad("11.9 hash empty", object{"hash": []string{}}, "Empty hash array"),
		bad("11.9 hash not base64", object{"hash": []string{"%"}}, "Invalid Base64 hash string parameter"),
		bad("11.9 hash of another length", object{"hash": []string{b64(long[:])}}, "Invalid digest value length"),
		bad("11.9 hash outside the SAD", object{"hash": []string{b64(digest("b"))}}, "Hash is not authorized by the SAD."),
		bad("11.9 more hashes than authorized", object{"hash": []string{b64(h), b64(h)}}, "Invalid parameter SAD"),
		bad("11.9 signAlgo missing", object{"signAlgo": nil}, "Missing (or invalid type) string parameter signAlgo"),
		bad("11.9 signAlgo wrong", object{"signAlgo": "1.2.3"}, "Invalid parameter signAlgo"),
		bad("11.9 signAlgo of another kind of key", object{"signAlgo": sha256ECDSA}, "Invalid parameter signAlgo"),
		bad("11.9 signAlgo with SHA-1", object{"signAlgo": "1.2.840.113549.1.1.5"}, "Invalid parameter signAlgo"),
		bad("11.9 signAlgoParams missing for PSS", object{"signAlgo": pssRSA}, "Missing (or invalid type) string parameter signAlgoParams"),
		bad("11.9 signAlgoParams wrong", object{"signAlgo": pssRSA, "signAlgoParams": "MAA="}, "Invalid parameter signAlgoParams"),
		bad("11.9 signAlgoParams with a salt that does not fit", object{"signAlgo": pssRSA, "signAlgoParams": pssOf(t, sha256OID, 256-32-2+1)}, "Invalid parameter signAlgoParams"),
		bad("11.9 hashAlgo missing for RSA", object{"signAlgo": plainRSA}, "Missing (or invalid type) string parameter hashAlgo"),
		bad("11.9 hashAlgo wrong", object{"hashAlgo": "1.2.3"}, "Invalid parameter hashAlgo"),
		bad("11.9 hashAlgo SHA-1", object{"signAlgo": plainRSA, "hashAlgo": "1.3.14.3.2.26"}, "Invalid parameter hashAlgo"),
		bad("11.9 hashAlgo against signAlgo", object{"hashAlgo": oidSHA512}, "Invalid parameter hashAlgo"),
		bad("11.9 hashAlgo against signAlgoParams", object{"signAlgo": pssRSA, "signAlgoParams": pssParams, "hashAlgo": oidSHA512}, "Invalid parameter hashAlgo"),
		bad("11.9 clientData no string", object{"clientData": 7}, "Invalid parameter clientData"),
	})
	r.claims(t, []claim{
		{"11.9 OTP behind the SAD invalid", func(t *testing.T) {
			// This simulator looks at the code when it authorizes, so a SAD with a wrong code behind it cannot be had.
			sms := r.Signer("cp-basic-single", "sms")
			r.refused("credentials/authorize", object{"credentialID": sms.Credential, "numSignatures": 1, "OTP": "0"}, 400, "invalid_otp", "The OTP is invalid")
		}},
		{"11.9 hashAlgo that agrees is no error", func(t *testing.T) {
			status, out := r.csc(m, with(good, object{"hashAlgo": oidSHA256}))
			require.Equal(t, 200, status, "%v", out)
		}},
		{"11.9 SAD used up", func(t *testing.T) { r.refused(m, good, 400, inv, "Invalid parameter SAD") }},
		{"11.9 the same hash twice is two signatures", func(t *testing.T) {
			in := with(good, object{"SAD": r.authorized(s, "cp-rsa2048", 2, h), "hash": []string{b64(h), b64(h)}})
			status, out := r.csc(m, in)
			require.Equal(t, 200, status)
			require.Len(t, out["signatures"], 2)
			r.refused(m, in, 400, inv, "Invalid parameter SAD")
		}},
		{"11.9 signAlgoParams with the longest salt", func(t *testing.T) { // as pyHanko sends it
			in := with(good, object{"SAD": r.authorized(s, "cp-rsa2048", 1, h), "signAlgo": pssRSA, "signAlgoParams": pssOf(t, sha256OID, 256-32-2)})
			status, out := r.csc(m, in)
			require.Equal(t, 200, status, "%v", out)
			key := r.Certificate("ada").PublicKey.(*rsa.PublicKey)
			require.NoError(t, rsa.VerifyPSS(key, crypto.SHA256, h, unb64(t, out["signatures"].([]any)[0]), &rsa.PSSOptions{SaltLength: 256 - 32 - 2}))
		}},
		{"11.9 certificate expired", func(t *testing.T) {
			in := with(good, object{"SAD": r.authorized(s, "cp-rsa2048", 1, h)})
			r.Advance(366 * 24 * time.Hour)
			r.bearer = r.serviceToken()
			r.refused(m, in, 400, inv, "Signing certificate 'O=DTM Simulator,CN=Example BV Seal (Simulator)' is expired.")
		}},
		{"11.9 SAD expired", func(t *testing.T) {
			r := start(t, func(o *dtmsim.Options) { o.SADLife = time.Second })
			s := r.Signer("cp-p256", "n")
			in := object{"credentialID": "n", "SAD": r.authorized(s, "cp-p256", 1, h), "hash": []string{b64(h)}, "signAlgo": sha256ECDSA}
			r.Advance(time.Second)
			r.refused(m, in, 400, inv, "SAD expired")
		}},
	})
}

var sha256OID = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}

// pssOf writes RSASSA-PSS-params (RFC 8017, A.2.3).
func pssOf(t *testing.T, hash asn1.ObjectIdentifier, salt int) string {
	t.Helper()
	type algorithm struct {
		OID    asn1.ObjectIdentifier
		Params asn1.RawValue `asn1:"optional"`
	}
	null := asn1.RawValue{Tag: asn1.TagNull}
	inner, err := asn1.Marshal(algorithm{hash, null})
	require.NoError(t, err)
	der, err := asn1.Marshal(struct {
		Hash algorithm `asn1:"explicit,tag:0"`
		Mask algorithm `asn1:"explicit,tag:1"`
		Salt int       `asn1:"explicit,tag:2"`
	}{algorithm{hash, null}, algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}, asn1.RawValue{FullBytes: inner}}, salt})
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(der)
}

// Every identifier of section 10 with every key it goes with: what comes back holds against
// the certificate, and the key tells of itself what it is.
func TestRowsOfAlgorithms(t *testing.T) {
	r := start(t)
	sha2 := []asn1.ObjectIdentifier{{2, 16, 840, 1, 101, 3, 4, 2, 1}, {2, 16, 840, 1, 101, 3, 4, 2, 2}, {2, 16, 840, 1, 101, 3, 4, 2, 3}}
	hashes := []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}
	for _, key := range []struct {
		profile string
		bits    int
		curve   any
		first   string
	}{
		{"cp-rsa2048", 2048, nil, sha256RSA}, {"cp-rsa3072", 3072, nil, sha256RSA}, {"cp-rsa4096", 4096, nil, sha256RSA},
		{"cp-p256", 256, "1.2.840.10045.3.1.7", sha256ECDSA}, {"cp-p384", 384, "1.3.132.0.34", "1.2.840.10045.4.3.3"}, {"cp-p521", 521, "1.3.132.0.35", "1.2.840.10045.4.3.4"},
	} {
		t.Run(key.profile, func(t *testing.T) {
			s := r.Signer(key.profile, key.profile)
			_, info := r.csc("credentials/info", object{"credentialID": s.Credential})
			told := info["key"].(object)
			require.EqualValues(t, key.bits, told["len"])
			require.Equal(t, key.curve, told["curve"])
			require.Equal(t, key.first, told["algo"].([]any)[0], "the combined identifier comes first, with the digest of the key's size")
			cert := r.Certificate(s.Credential)
			for _, algo := range told["algo"].([]any) {
				for i, h := range hashes {
					if want, combined := combinedHash[algo.(string)]; combined && want != h {
						continue
					}
					m := h.New()
					m.Write([]byte(key.profile))
					in := object{"credentialID": s.Credential, "SAD": r.authorized(s, key.profile, 1, m.Sum(nil)), "hash": []string{b64(m.Sum(nil))}, "signAlgo": algo}
					if algo == plainRSA || algo == pssRSA {
						in["hashAlgo"] = sha2[i].String()
					}
					if algo == pssRSA {
						in["signAlgoParams"] = pssOf(t, sha2[i], h.Size())
					}
					status, out := r.csc("signatures/signHash", in)
					require.Equal(t, 200, status, "%s %v: %v", algo, h, out)
					verify(t, cert, h, m.Sum(nil), unb64(t, out["signatures"].([]any)[0]), algo == pssRSA)
				}
			}
		})
	}
}

var combinedHash = map[string]crypto.Hash{
	"1.2.840.113549.1.1.11": crypto.SHA256, "1.2.840.113549.1.1.12": crypto.SHA384, "1.2.840.113549.1.1.13": crypto.SHA512,
	"1.2.840.10045.4.3.2": crypto.SHA256, "1.2.840.10045.4.3.3": crypto.SHA384, "1.2.840.10045.4.3.4": crypto.SHA512,
}

func verify(t *testing.T, cert *x509.Certificate, h crypto.Hash, digest, sig []byte, pss bool) {
	t.Helper()
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if pss {
			require.NoError(t, rsa.VerifyPSS(k, h, digest, sig, &rsa.PSSOptions{SaltLength: h.Size()}))
			require.Error(t, rsa.VerifyPKCS1v15(k, h, digest, sig))
			return
		}
		require.NoError(t, rsa.VerifyPKCS1v15(k, h, digest, sig))
	case *ecdsa.PublicKey:
		require.True(t, ecdsa.VerifyASN1(k, digest, sig))
	default:
		t.Fatalf("unexpected key %T", k)
	}
}
