package pades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

// oldFile is signed in the way of adbe.x509.rsa_sha1.
func oldFile(t *testing.T) []byte {
	t.Helper()
	a := theAuthority()
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	cert := certificate("Olga Example", a.issuer, key, a.issuerKey, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	out := update(paper(), map[int]string{
		7: "<</Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /Rect [100 10 190 30] /P 3 0 R /V 8 0 R>>",
		8: fmt.Sprintf("<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.x509.rsa_sha1 /Cert <%x> /ByteRange [0 %s] /Contents <%s>>>",
			cert.Raw, strings.Repeat(" ", 40), strings.Repeat("0", 600)),
	}, "")
	from, to := hole(out)
	copy(out[bytes.LastIndex(out, []byte("/ByteRange [0 "))+len("/ByteRange ["):], fmt.Sprintf("0 %d %d %d", from, to, len(out)-to))
	h := sha1.New()
	h.Write(out[:from])
	h.Write(out[to:])
	value := must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA1, h.Sum(nil)))
	hex.Encode(out[from+1:], must(asn1.Marshal(value)))
	return out
}

func TestOldKindsOfSignaturesAreNamedAndNeverPass(t *testing.T) {
	file := oldFile(t)
	s := check(t, file).Signatures[0]
	require.Equal(t, pades.Indeterminate, s.Indication, s.Explanation)
	require.Equal(t, "CRYPTO_CONSTRAINTS_FAILURE", s.SubIndication)
	require.Contains(t, s.Explanation, "relies on SHA-1")
	require.Equal(t, "Olga Example", s.SignerName)

	// A changed one is not merely old. The value holds no digest of its own to compare.
	changed := bytes.Replace(file, []byte("(100)"), []byte("(900)"), 1)
	s = check(t, changed).Signatures[0]
	require.Equal(t, pades.TotalFailed, s.Indication)
	require.Equal(t, "SIG_CRYPTO_FAILURE", s.SubIndication, s.Explanation)
}
