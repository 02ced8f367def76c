package pades_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signer is a made-up person with a key at hand and a certificate from a made-up authority.
type signer struct {
	key   crypto.Signer
	chain []*x509.Certificate // leaf, authority
}

var (
	rsaSigner = sync.OnceValue(func() signer {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		return issue(k, err)
	})
	ecSigner = sync.OnceValue(func() signer {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return issue(k, err)
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func issue(key crypto.Signer, err error) signer {
	must(key, err)
	caKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	ca = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey))))
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Ada Test"},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	leaf = must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey))))
	return signer{key, []*x509.Certificate{leaf, ca}}
}

// roots writes the authority's certificate to a PEM file.
func (s signer) roots(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "roots.pem")
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.chain[1].Raw}), 0o600))
	return path
}
