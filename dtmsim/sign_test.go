package dtmsim_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

const (
	sha256RSA   = "1.2.840.113549.1.1.11"
	plainRSA    = "1.2.840.113549.1.1.1"
	pssRSA      = "1.2.840.113549.1.1.10"
	sha256ECDSA = "1.2.840.10045.4.3.2"
	oidSHA256   = "2.16.840.1.101.3.4.2.1"
	oidSHA512   = "2.16.840.1.101.3.4.2.3"
	pssParams   = "MDmgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEFAKIDAgEgowMCAQE="
)

func TestEveryProfileSignsWhatItsCertificateVerifies(t *testing.T) {
	r := start(t)
	for _, c := range []struct{ profile, algo, params, hashAlgo string }{
		{"cp-basic", sha256RSA, "", ""},
		{"cp-basic-single", sha256ECDSA, "", ""},
		{"cp-advanced", plainRSA, "", oidSHA256},
		{"cp-advanced-p256", sha256ECDSA, "", oidSHA256},
		{"cp-advanced-totp", sha256ECDSA, "", ""},
		{"cp-advanced-push", pssRSA, pssParams, oidSHA256},
		{"cp-seal", sha256RSA, "", oidSHA256},
	} {
		t.Run(c.profile, func(t *testing.T) {
			s := r.Signer(c.profile, "ada "+c.profile)
			h := digest(c.profile)
			in := object{"credentialID": s.Credential, "SAD": r.authorized(s, c.profile, 1, h), "hash": []string{b64(h)}, "signAlgo": c.algo}
			if c.hashAlgo != "" {
				in["hashAlgo"] = c.hashAlgo
			}
			if c.params != "" {
				in["signAlgoParams"] = c.params
			}
			status, out := r.csc("signatures/signHash", in)
			require.Equal(t, 200, status, "%v", out)
			sigs := out["signatures"].([]any)
			require.Len(t, sigs, 1)
			requireSignature(t, r.Certificate(s.Credential), h, unb64(t, sigs[0]), c.params != "")
			require.Equal(t, 1, r.Count(dtmsim.LedgerSigned, s.Credential))
		})
	}
}

func requireSignature(t *testing.T, cert *x509.Certificate, digest, sig []byte, pss bool) {
	t.Helper()
	switch k := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if pss {
			require.NoError(t, rsa.VerifyPSS(k, crypto.SHA256, digest, sig, &rsa.PSSOptions{SaltLength: 32}))
			return
		}
		require.NoError(t, rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, sig))
	case *ecdsa.PublicKey:
		require.True(t, ecdsa.VerifyASN1(k, digest, sig))
	default:
		t.Fatalf("unexpected key %T", k)
	}
}
