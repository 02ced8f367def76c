package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/dtmclient"
)

// Object identifiers of signature algorithms, as CSC lists them in key.algo.
const (
	oidRSA         = "1.2.840.113549.1.1.1"  // PKCS #1 v1.5, hash named separately
	oidPSS         = "1.2.840.113549.1.1.10" // RSASSA-PSS, parameters needed
	oidSHA256RSA   = "1.2.840.113549.1.1.11"
	oidSHA384RSA   = "1.2.840.113549.1.1.12"
	oidSHA512RSA   = "1.2.840.113549.1.1.13"
	oidECDSASHA256 = "1.2.840.10045.4.3.2"
	oidECDSASHA384 = "1.2.840.10045.4.3.3"
	oidECDSASHA512 = "1.2.840.10045.4.3.4"
)

// algorithm is how one key signs.
type algorithm struct {
	oid    string
	hash   crypto.Hash
	params []byte // DER, PSS only
}

// pssParams is RSASSA-PSS-params (RFC 4055, 3.1) for SHA-256, MGF1 with SHA-256, salt 32.
var pssParams, _ = hex.DecodeString("3039a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120a303020101")

// Best first. For RSA that is PKCS #1 v1.5: every reader in use takes it in a PDF, several
// refuse or misreport PSS there, and as a signature (not encryption) scheme it is not
// weakened. PSS is used where it is all the key offers. SHA-256 comes before the longer
// digests for every key: the upload has computed it already, processors have
// instructions for it, and it is not the weakest link of any key we take. The identifier that
// names its hash comes before the bare one, which not every service answers alike.
var (
	rsaAlgorithms = []algorithm{
		{oid: oidSHA256RSA, hash: crypto.SHA256},
		{oid: oidRSA, hash: crypto.SHA256},
		{oid: oidSHA384RSA, hash: crypto.SHA384},
		{oid: oidSHA512RSA, hash: crypto.SHA512},
		{oid: oidPSS, hash: crypto.SHA256, params: pssParams},
	}
	ecdsaAlgorithms = []algorithm{
		{oid: oidECDSASHA256, hash: crypto.SHA256},
		{oid: oidECDSASHA384, hash: crypto.SHA384},
		{oid: oidECDSASHA512, hash: crypto.SHA512},
	}
)

// choose picks the algorithm for a key out of what its service offers, or refuses: RSA
// under 2048 bits, curves other than P-256, P-384 and P-521, SHA-1 and MD5.
func choose(info dtmclient.CredentialInfo) (algorithm, error) {
	if len(info.Certificates) == 0 {
		return algorithm{}, fail(codeCertificate, errors.New("no certificate"))
	}
	var ours []algorithm
	switch key := info.Certificates[0].PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < 2048 {
			return algorithm{}, fail(codeAlgorithm, fmt.Errorf("RSA key of %d bits", key.N.BitLen()))
		}
		ours = rsaAlgorithms
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, key.Curve) {
			return algorithm{}, fail(codeAlgorithm, fmt.Errorf("curve %s", key.Curve.Params().Name))
		}
		ours = ecdsaAlgorithms
	default:
		return algorithm{}, fail(codeAlgorithm, fmt.Errorf("key of type %T", key))
	}
	for _, a := range ours {
		if slices.Contains(info.KeyAlgo, a.oid) {
			return a, nil
		}
	}
	return algorithm{}, fail(codeAlgorithm, fmt.Errorf("the service offers %q", info.KeyAlgo))
}

// hashOf is the hash of a ceremony's algorithm.
func hashOf(c Ceremony) (crypto.Hash, error) {
	for _, a := range slices.Concat(rsaAlgorithms, ecdsaAlgorithms) {
		if a.oid == c.SignAlgo {
			return a.hash, nil
		}
	}
	return 0, internal(fmt.Errorf("ceremony %s has the algorithm %q", c.ID, c.SignAlgo))
}

// checkCertificate refuses a chain that must not sign now.
func checkCertificate(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) error {
	if len(chain) == 0 {
		return fail(codeCertificate, errors.New("no certificate"))
	}
	leaf := chain[0]
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fail(codeCertificateTime, fmt.Errorf("valid from %s to %s", leaf.NotBefore, leaf.NotAfter))
	}
	if leaf.IsCA {
		return fail(codeCertificate, errors.New("the certificate is one of an authority"))
	}
	const signs = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	if leaf.KeyUsage != 0 && leaf.KeyUsage&signs == 0 {
		return fail(codeCertificate, errors.New("its key usage is not to sign"))
	}
	for i, c := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(c); err != nil {
			return fail(codeCertificate, fmt.Errorf("certificate %d is not by the next one: %w", i, err))
		}
	}
	if roots == nil {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return fail(codeCertificate, err)
	}
	return nil
}
