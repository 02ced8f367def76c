package dtmsim_test

import (
	"encoding/asn1"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

// hashesOf asks for signed attributes over the digest of a text.
func hashesOf(credential string, more object) object {
	return with(object{"credential_id": credential, "hash_algorithm": oidSHA256, "sign_algorithm": sha256RSA, "signature_format": "PADES",
		"documents": []object{{"id": "doc-1", "hash": b64(digest("doc"))}}}, more)
}

// made is the answer of POST /hashes to something good.
func (r *rig) made(in object) (id string, hashes []object) {
	r.t.Helper()
	status, out := r.api("POST", v1+"/hashes", in)
	require.Equal(r.t, 200, status, "%v", out)
	for _, h := range out["hashes"].([]any) {
		hashes = append(hashes, h.(object))
	}
	return out["id"].(string), hashes
}

// signedBy has what POST /hashes gave signed by the key.
func (r *rig) signedBy(t *testing.T, s dtmsim.Signer, profile, algo, params string, hash object) string {
	t.Helper()
	h := unb64(t, hash["hash"])
	in := object{"credentialID": s.Credential, "SAD": r.authorized(s, profile, 1, h), "hash": []string{b64(h)}, "signAlgo": algo}
	if algo == plainRSA || algo == pssRSA {
		in["hashAlgo"] = oidSHA256
	}
	if params != "" {
		in["signAlgoParams"] = params
	}
	status, out := r.csc("signatures/signHash", in)
	require.Equal(t, 200, status, "%v", out)
	return out["signatures"].([]any)[0].(string)
}

func TestRowsOfHashes(t *testing.T) {
	r := start(t)
	r.Signer("cp-rsa2048", "ada")
	good := hashesOf("ada", nil)
	for _, c := range []struct {
		name   string
		change object
		words  string
	}{
		{"10 credential_id missing", object{"credential_id": nil}, "credential_id is required"},
		{"10 credential_id unknown", object{"credential_id": "x"}, "names no credential"},
		{"10 hash_algorithm missing", object{"hash_algorithm": nil}, "hash_algorithm must be"},
		{"10 hash_algorithm SHA-1", object{"hash_algorithm": "1.3.14.3.2.26"}, "hash_algorithm must be"},
		{"10 hash_algorithm against sign_algorithm", object{"hash_algorithm": oidSHA512}, "is not that of sign_algorithm"},
		{"10 sign_algorithm of another key", object{"sign_algorithm": sha256ECDSA}, "not one of the credential's"},
		{"10 sign_algorithm_params without PSS", object{"sign_algorithm_params": pssParams}, "goes with RSASSA-PSS"},
		{"10 sign_algorithm_params missing for PSS", object{"sign_algorithm": pssRSA}, "does not fit"},
		{"10 sign_algorithm_params of another hash", object{"sign_algorithm": pssRSA, "sign_algorithm_params": pssOf(t, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, 64)}, "does not fit"},
		{"10 signature_format missing", object{"signature_format": nil}, "PADES or CADES"},
		{"10 signature_format unknown", object{"signature_format": "XADES"}, "PADES or CADES"},
		{"10 documents missing", object{"documents": nil}, "documents must name"},
		{"10 documents without an id", object{"documents": []object{{"hash": b64(digest("a"))}}}, "1 to 64 characters"},
		{"10 documents twice", object{"documents": []object{{"id": "a", "hash": b64(digest("a"))}, {"id": "a", "hash": b64(digest("b"))}}}, "occurs twice"},
		{"10 documents with a hash of another length", object{"documents": []object{{"id": "a", "hash": b64([]byte("short"))}}}, "wrong length"},
		{"10 documents with a hash that is not base64", object{"documents": []object{{"id": "a", "hash": "%"}}}, "not a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.apiRefused("POST", v1+"/hashes", with(good, c.change), 400, "invalid_request", c.words)
		})
	}
	r.claims(t, []claim{
		{"10 a credential of somebody else", func(t *testing.T) {
			other := r.Signer("cp-rsa2048", "bob")
			status, b := r.send("POST", v1+"/hashes", good, "x-api-key", r.keyOf(other))
			require.Equal(t, 400, status, "%s", b)
			status, b = r.send("POST", v1+"/hashes", hashesOf("bob", nil), "x-api-key", r.keyOf(other))
			require.Equal(t, 200, status, "%s", b)
		}},
		{"10 a credential that is suspended", func(t *testing.T) {
			r.Signer("cp-rsa2048", "held")
			require.NoError(t, r.Suspend("held"))
			r.apiRefused("POST", v1+"/hashes", hashesOf("held", nil), 400, "invalid_request", "cannot sign")
		}},
		{"10 the digest is over the SET, and the attributes are those three", func(t *testing.T) {
			_, hashes := r.made(good)
			set := unb64(t, hashes[0]["signed_attributes"])
			require.EqualValues(t, 0x31, set[0])
			require.Equal(t, digest(string(set)), unb64(t, hashes[0]["hash"]))
			require.Equal(t, []string{"1.2.840.113549.1.9.3", "1.2.840.113549.1.9.4", "1.2.840.113549.1.9.16.2.47"}, attributesOf(t, set))
		}},
		{"10 CADES has the signing time too", func(t *testing.T) {
			_, hashes := r.made(with(good, object{"signature_format": "CADES"}))
			require.Contains(t, attributesOf(t, unb64(t, hashes[0]["signed_attributes"])), "1.2.840.113549.1.9.5")
		}},
		{"10 every document has its own", func(t *testing.T) {
			_, hashes := r.made(with(good, object{"documents": []object{{"id": "a", "hash": b64(digest("a"))}, {"id": "b", "hash": b64(digest("b"))}}}))
			require.Equal(t, "a", hashes[0]["document_id"])
			require.Equal(t, "b", hashes[1]["document_id"])
			require.NotEqual(t, hashes[0]["hash"], hashes[1]["hash"])
		}},
		{"11 ledger and audit log tell of it", func(t *testing.T) {
			before := r.Count(dtmsim.LedgerHashes, "ada")
			r.made(good)
			require.Equal(t, before+1, r.Count(dtmsim.LedgerHashes, "ada"))
			_, out := r.api("GET", v1+"/audit-log?resource_type=signature&action=prepare&limit=1", nil)
			require.Equal(t, "success", out["items"].([]any)[0].(object)["status"])
		}},
	})
}

// keyOf is an API key of the person's own.
func (r *rig) keyOf(s dtmsim.Signer) string {
	r.t.Helper()
	_, b := r.send("POST", "/sim/v1/user/"+s.UserID+"/api-key", nil)
	return r.json(b)["api_key"].(string)
}

func attributesOf(t *testing.T, der []byte) (oids []string) {
	t.Helper()
	var attributes []struct {
		OID    asn1.ObjectIdentifier
		Values asn1.RawValue
	}
	_, err := asn1.UnmarshalWithParams(der, &attributes, "set")
	require.NoError(t, err)
	for _, a := range attributes {
		oids = append(oids, a.OID.String())
	}
	return oids
}

func TestRowsOfSignatures(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-rsa2048", "ada")
	id, hashes := r.made(hashesOf("ada", nil))
	value := r.signedBy(t, s, "cp-rsa2048", sha256RSA, "", hashes[0])
	_, others := r.made(hashesOf("ada", object{"documents": []object{{"id": "doc-1", "hash": b64(digest("other"))}}}))
	elsewhere := r.signedBy(t, s, "cp-rsa2048", sha256RSA, "", others[0])
	good := object{"hashes_id": id, "level": "B-B", "signatures": []object{{"document_id": "doc-1", "signature": value}}}
	for _, c := range []struct {
		name   string
		change object
		words  string
	}{
		{"10 hashes_id missing", object{"hashes_id": nil}, "hashes_id names no hashes"},
		{"10 hashes_id unknown", object{"hashes_id": "x"}, "hashes_id names no hashes"},
		{"10 level missing", object{"level": nil}, "level must be"},
		{"10 level B-LTA is the client's own", object{"level": "B-LTA"}, "level must be"},
		{"10 signatures empty", object{"signatures": []object{}}, "signatures is empty"},
		{"10 signatures of an unknown document", object{"signatures": []object{{"document_id": "x", "signature": value}}}, "names no document"},
		{"10 signatures twice", object{"signatures": []object{{"document_id": "doc-1", "signature": value}, {"document_id": "doc-1", "signature": value}}}, "occurs twice"},
		{"10 a signature over something else", object{"signatures": []object{{"document_id": "doc-1", "signature": elsewhere}}}, "does not fit the certificate"},
		{"10 a signature that is none", object{"signatures": []object{{"document_id": "doc-1", "signature": "AAAA"}}}, "does not fit the certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.apiRefused("POST", v1+"/signatures", with(good, c.change), 400, "invalid_request", c.words)
		})
	}
	r.claims(t, []claim{
		{"10 hashes of another caller", func(t *testing.T) {
			status, b := r.send("POST", v1+"/signatures", good, "x-api-key", r.keyOf(s))
			require.Equal(t, 400, status, "%s", b)
			require.Contains(t, string(b), "hashes_id names no hashes")
		}},
		{"10 what is refused takes nothing, what is given works once", func(t *testing.T) {
			status, out := r.api("POST", v1+"/signatures", good)
			require.Equal(t, 200, status, "%v", out)
			require.Equal(t, 1, r.Count(dtmsim.LedgerBuilt, "ada"))
			r.apiRefused("POST", v1+"/signatures", good, 400, "invalid_request", "hashes_id names no hashes")
		}},
		{"10 hashes live one hour", func(t *testing.T) {
			id, hashes := r.made(hashesOf("ada", nil))
			in := with(good, object{"hashes_id": id, "signatures": []object{{"document_id": "doc-1", "signature": r.signedBy(t, s, "cp-rsa2048", sha256RSA, "", hashes[0])}}})
			r.Advance(time.Hour - time.Second)
			r.apiRefused("POST", v1+"/signatures", with(in, object{"level": "x"}), 400, "invalid_request", "level must be")
			r.Advance(time.Second)
			r.apiRefused("POST", v1+"/signatures", in, 400, "invalid_request", "hashes_id names no hashes")
			r.bearer = r.serviceToken()
		}},
		{"10 hashes end with the credential", func(t *testing.T) {
			s := r.Signer("cp-rsa2048", "gone")
			id, hashes := r.made(hashesOf("gone", nil))
			in := with(good, object{"hashes_id": id, "signatures": []object{{"document_id": "doc-1", "signature": r.signedBy(t, s, "cp-rsa2048", sha256RSA, "", hashes[0])}}})
			require.NoError(t, r.Revoke("gone"))
			r.apiRefused("POST", v1+"/signatures", in, 400, "invalid_request", "The credential is REVOKED")
		}},
	})
}

// A CMS of every kind of key, format and level holds for OpenSSL, over the bytes that were hashed.
func TestOpenSSLAcceptsTheSignaturesThatAreBuilt(t *testing.T) {
	r := start(t)
	for _, c := range []struct{ name, profile, algo, params, format, level string }{
		{"RSA", "cp-rsa2048", sha256RSA, "", "PADES", "B-B"},
		{"plain RSA, stamped", "cp-rsa2048", plainRSA, "", "PADES", "B-T"},
		{"PSS", "cp-rsa2048", pssRSA, pssOf(t, sha256OID, 32), "PADES", "B-T"},
		{"P-256 with proof", "cp-p256", sha256ECDSA, "", "PADES", "B-LT"},
		{"P-256 outside of PDF, with proof", "cp-p256", sha256ECDSA, "", "CADES", "B-LT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nick := strings.ToLower(strings.ReplaceAll(c.name, " ", "-"))
			s := r.Signer(c.profile, nick)
			in := hashesOf(nick, object{"sign_algorithm": c.algo, "signature_format": c.format})
			if c.params != "" {
				in["sign_algorithm_params"] = c.params
			}
			id, hashes := r.made(in)
			status, out := r.api("POST", v1+"/signatures", object{"hashes_id": id, "level": c.level,
				"signatures": []object{{"document_id": "doc-1", "signature": r.signedBy(t, s, c.profile, c.algo, c.params, hashes[0])}}})
			require.Equal(t, 200, status, "%v", out)
			given := out["signatures"].([]any)[0].(object)
			require.Equal(t, c.level, given["level"])
			require.Equal(t, c.format == "PADES" && c.level == "B-LT", given["validation_data"] != nil)
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "doc"), []byte("doc"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "cms"), unb64(t, given["cms"]), 0o600))
			args := []string{"cms", "-verify", "-inform", "DER", "-in", "cms", "-content", "doc", "-binary", "-CAfile", "root.pem", "-purpose", "any", "-out", "out", "-cades"}
			r.openssl(dir, args...)
			told := r.openssl(dir, "cms", "-cmsout", "-print", "-noout", "-inform", "DER", "-in", "cms")
			require.Equal(t, c.level != "B-B", strings.Contains(told, "id-smime-aa-timeStampToken"), told)
			require.Equal(t, c.format == "CADES" && c.level == "B-LT", strings.Contains(told, "1.3.6.1.5.5.7.16.2"), told)
		})
	}
}

func TestASpoiledAnswerIsSpoiledOnce(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-p256", "ada")
	in := hashesOf("ada", object{"sign_algorithm": sha256ECDSA})
	_, clean := r.made(in)
	for _, how := range []dtmsim.Spoil{dtmsim.SpoilDigest, dtmsim.SpoilCertificate, dtmsim.SpoilAttribute, dtmsim.SpoilHash} {
		r.SpoilNext(how)
		_, bad := r.made(in)
		require.NotEqual(t, clean[0]["hash"], bad[0]["hash"], how)
		_, again := r.made(in)
		require.Equal(t, clean, again, how)
	}
	for _, how := range []dtmsim.Spoil{dtmsim.SpoilSignature, dtmsim.SpoilToken, dtmsim.SpoilOversize} {
		id, hashes := r.made(in)
		value := r.signedBy(t, s, "cp-p256", sha256ECDSA, "", hashes[0])
		r.SpoilNext(how)
		status, out := r.api("POST", v1+"/signatures", object{"hashes_id": id, "level": "B-T", "signatures": []object{{"document_id": "doc-1", "signature": value}}})
		require.Equal(t, 200, status, how)
		cms := unb64(t, out["signatures"].([]any)[0].(object)["cms"])
		require.Equal(t, how != dtmsim.SpoilSignature, strings.Contains(string(cms), string(unb64(t, value))), how)
		require.Equal(t, how == dtmsim.SpoilOversize, len(cms) > 16<<10, how)
	}
}
