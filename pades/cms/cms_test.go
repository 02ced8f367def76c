package cms_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/cms"
)

var content = []byte("the bytes that are signed\n")

func digest(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

type identity struct {
	key  crypto.Signer
	cert *x509.Certificate
	ca   *x509.Certificate
}

func issue(t testing.TB, key crypto.Signer) identity {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test root"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	require.NoError(t, err)
	ca, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	leaf := &x509.Certificate{SerialNumber: big.NewInt(200), Subject: pkix.Name{CommonName: "Ada Example"}, KeyUsage: x509.KeyUsageContentCommitment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter}
	raw, err = x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	require.NoError(t, err)
	leaf, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	return identity{key: key, cert: leaf, ca: ca}
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	require.NoError(t, err)
	return k
}

func sign(t testing.TB, id identity, oid string, h crypto.Hash) ([]byte, *cms.Unsigned, []byte) {
	t.Helper()
	alg, err := cms.AlgorithmFor(oid, nil, id.cert.PublicKey, h)
	require.NoError(t, err)
	u, err := cms.NewUnsigned([]*x509.Certificate{id.cert, id.ca}, alg, digest(alg.Hash, content))
	require.NoError(t, err)
	value, err := cms.SignLocal(u, id.key)
	require.NoError(t, err)
	der, err := u.Complete(value, nil)
	require.NoError(t, err)
	require.LessOrEqual(t, len(der), u.Size())
	return der, u, value
}

type algorithmCase struct {
	name string
	key  func(testing.TB) crypto.Signer
	oid  string
	hash crypto.Hash
}

var algorithms = []algorithmCase{
	{"rsa-sha256", func(testing.TB) crypto.Signer { return rsaKey() }, "1.2.840.113549.1.1.11", 0},
	{"rsa-sha384", func(testing.TB) crypto.Signer { return rsaKey() }, "1.2.840.113549.1.1.12", 0},
	{"rsa-bare-sha512", func(testing.TB) crypto.Signer { return rsaKey() }, "1.2.840.113549.1.1.1", crypto.SHA512},
	{"pss-sha256", func(testing.TB) crypto.Signer { return rsaKey() }, "1.2.840.113549.1.1.10", crypto.SHA256},
	{"pss-sha512", func(testing.TB) crypto.Signer { return rsaKey() }, "1.2.840.113549.1.1.10", crypto.SHA512},
	{"p256", func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P256()) }, "1.2.840.10045.4.3.2", 0},
	{"p384", func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P384()) }, "1.2.840.10045.4.3.3", 0},
	{"p521", func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P521()) }, "1.2.840.10045.4.3.4", 0},
	{"rsa-usual", func(testing.TB) crypto.Signer { return rsaKey() }, "", 0},
	{"rsa-sha512", func(testing.TB) crypto.Signer { return rsaKey() }, "1.2.840.113549.1.1.13", 0},
	{"pss-sha384", func(testing.TB) crypto.Signer { return rsaKey() }, "1.2.840.113549.1.1.10", crypto.SHA384},
	{"p256-sha512", func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P256()) }, "1.2.840.10045.2.1", crypto.SHA512},
	{"p384-sha256", func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P384()) }, "1.2.840.10045.4.3.2", 0},
	{"p521-sha384", func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P521()) }, "1.2.840.10045.4.3.3", 0},
	{"p521-sha256", func(t testing.TB) crypto.Signer { return ecKey(t, elliptic.P521()) }, "", crypto.SHA256},
	{"ed25519", edKey, "1.3.101.112", 0},
	{"ed25519-usual", edKey, "", crypto.SHA512},
}

func edKey(t testing.TB) crypto.Signer {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return k
}

// OpenSSL 3.0 knows no Ed25519 in CMS; BouncyCastle judges that.
func TestOpenSSLAcceptsEveryAlgorithm(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl is missing: run make setup")
	for _, c := range algorithms {
		if strings.HasPrefix(c.name, "ed25519") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			id := issue(t, c.key(t))
			der, _, _ := sign(t, id, c.oid, c.hash)
			dir := t.TempDir()
			write := func(name string, b []byte) string {
				p := filepath.Join(dir, name)
				require.NoError(t, os.WriteFile(p, b, 0o600))
				return p
			}
			args := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", write("s.p7s", der), "-content", write("c", content),
				"-CAfile", write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.ca.Raw})), "-out", filepath.Join(dir, "out")}
			out, err := exec.Command(openssl, args...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "c"), append(content, 'x'), 0o600))
			_, err = exec.Command(openssl, args...).CombinedOutput()
			require.Error(t, err, "openssl must notice changed content, or it checked nothing")
		})
	}
}

func TestOwnVerificationAcceptsEveryAlgorithm(t *testing.T) {
	for _, c := range algorithms {
		t.Run(c.name, func(t *testing.T) {
			id := issue(t, c.key(t))
			der, u, _ := sign(t, id, c.oid, c.hash)
			sd, err := cms.Parse(der)
			require.NoError(t, err)
			s, err := sd.One()
			require.NoError(t, err)
			v, err := sd.Verify(s, digest(u.Algorithm.Hash, content))
			require.NoError(t, err)
			require.Equal(t, 2, v.ESS)
			require.True(t, v.Certificate.Equal(id.cert))
			_, err = sd.Verify(s, digest(u.Algorithm.Hash, []byte("other")))
			require.Equal(t, cms.Digest, cms.KindOf(err))
		})
	}
}

func TestPreparationSurvivesJSON(t *testing.T) {
	survivesJSON(t, issue(t, rsaKey()), "1.2.840.113549.1.1.10", crypto.SHA384)
	survivesJSON(t, issue(t, edKey(t)), "1.3.101.112", 0)
}

func survivesJSON(t *testing.T, id identity, oid string, h crypto.Hash) {
	t.Helper()
	_, u, value := sign(t, id, oid, h)
	raw, err := json.Marshal(u)
	require.NoError(t, err)
	var back cms.Unsigned
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, u.Digest(), back.Digest())
	require.Equal(t, u.ToBeSigned(), back.ToBeSigned())
	_, err = back.CheckValue(value)
	require.NoError(t, err)
}

func TestPlainECDSAValuesBecomeDER(t *testing.T) {
	for i := range 40 {
		key := ecKey(t, elliptic.P256())
		id := issue(t, key)
		_, u, _ := sign(t, id, "1.2.840.10045.4.3.2", 0)
		r, s, err := ecdsa.Sign(rand.Reader, key, u.Digest())
		require.NoError(t, err)
		plain := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		der, err := u.CheckValue(plain)
		require.NoError(t, err, i)
		require.True(t, ecdsa.VerifyASN1(&key.PublicKey, u.Digest(), der))
	}
}

func TestAForeignValueIsRefused(t *testing.T) {
	id := issue(t, rsaKey())
	_, u, value := sign(t, id, "1.2.840.113549.1.1.11", 0)
	value = bytes.Clone(value)
	value[7] ^= 1
	_, err := u.Complete(value, nil)
	require.Equal(t, cms.Signature, cms.KindOf(err))
	for _, v := range [][]byte{nil, {}, {0x30}, make([]byte, 64), make([]byte, 256), make([]byte, 4096)} {
		_, err := u.CheckValue(v)
		require.Error(t, err)
	}
}

func TestWeakAlgorithmsAreRefusedByName(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	for _, c := range []struct {
		oid  string
		pub  crypto.PublicKey
		hash crypto.Hash
		kind cms.Kind
	}{
		{"1.2.840.113549.1.1.5", rsaKey().Public(), 0, cms.Weak},
		{"1.2.840.113549.1.1.4", rsaKey().Public(), 0, cms.Weak},
		{"1.2.840.113549.1.1.1", rsaKey().Public(), crypto.SHA1, cms.Weak},
		{"1.2.840.10045.4.1", &ecKey(t, elliptic.P256()).PublicKey, 0, cms.Weak},
		{"1.2.840.113549.1.1.11", small.Public(), 0, cms.Weak},
		{"1.2.840.10045.4.3.2", &ecKey(t, elliptic.P224()).PublicKey, 0, cms.Unsupported},
		{"1.2.840.10045.4.3.2", rsaKey().Public(), 0, cms.Unsupported},
		{"1.2.840.113549.1.1.11", &ecKey(t, elliptic.P256()).PublicKey, 0, cms.Unsupported},
		{"1.2.840.113549.1.1.11", rsaKey().Public(), crypto.SHA512, cms.Unsupported},
		{"1.3.101.112", rsaKey().Public(), 0, cms.Unsupported},
		{"1.3.101.112", edKey(t).Public(), crypto.SHA256, cms.Unsupported},
		{"1.2.840.10045.4.3.2", edKey(t).Public(), 0, cms.Unsupported},
		{"1.2.840.113549.1.1.14", rsaKey().Public(), 0, cms.Weak},
		{"1.2.840.113549.1.1.1", rsaKey().Public(), crypto.SHA224, cms.Weak},
		{"1.2.840.113549.1.1.1", rsaKey().Public(), crypto.SHA3_256, cms.Unsupported},
		{"1.3.101.113", rsaKey().Public(), 0, cms.Unsupported},
		{"1.2.840.113549.1.1.11", nil, 0, cms.Unsupported},
	} {
		_, err := cms.AlgorithmFor(c.oid, nil, c.pub, c.hash)
		require.Equal(t, c.kind, cms.KindOf(err), "%s %v", c.oid, err)
	}
	a, err := cms.AlgorithmFor("1.2.840.113549.1.1.10", cms.PSSParameters(crypto.SHA384), rsaKey().Public(), 0)
	require.NoError(t, err)
	require.Equal(t, crypto.SHA384, a.Hash)
}
