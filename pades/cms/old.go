package cms

import (
	"crypto"
	"crypto/subtle"
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// VerifySHA1 checks a value of the kind adbe.pkcs7.sha1 (ISO 32000-1, 12.8.3.3; gone from
// ISO 32000-2): the structure holds the SHA-1 digest of the byte range as its content. The
// best it gives is Verified beside an error of kind Weak: the old cryptography holds, which
// proves nothing today.
func (sd *SignedData) VerifySHA1(s *Signer, digest []byte) (Verified, error) {
	if len(sd.Content) != crypto.SHA1.Size() {
		return Verified{}, fail(Malformed, "the CMS structure is damaged")
	}
	if subtle.ConstantTimeCompare(sd.Content, digest) != 1 {
		return Verified{}, fail(Digest, "the bytes are not the ones that were signed")
	}
	h, err := s.Hash()
	if h == 0 {
		return Verified{}, err
	}
	v, err := sd.Verify(s, sum(h, sd.Content))
	if err == nil {
		err = checkHash(crypto.SHA1)
	}
	v.Digest = digest
	return v, err
}

// VerifyX509RSASHA1 checks a value of the kind adbe.x509.rsa_sha1 (ISO 32000-1, 12.8.3.2):
// contents is a DER octet string with the PKCS #1 value, the certificate stands in /Cert.
// The best it gives is Verified beside an error of kind Weak.
func VerifyX509RSASHA1(contents []byte, c *x509.Certificate, digest []byte) (Verified, error) {
	v := Verified{Certificate: c, Algorithm: Algorithm{Hash: crypto.SHA1, Scheme: PKCS1v15}, Digest: digest, Bare: true}
	der, clean := Trim(contents)
	in := cryptobyte.String(der)
	var value cryptobyte.String
	if !clean || !in.ReadASN1(&value, cbasn1.OCTET_STRING) || !in.Empty() {
		return v, fail(Malformed, "the CMS structure is damaged")
	}
	if err := checkKey(c.PublicKey); KindOf(err) == Unsupported {
		return v, err
	}
	if len(digest) != crypto.SHA1.Size() || !v.Algorithm.verify(c.PublicKey, digest, value) {
		return v, fail(Signature, "the signature value does not fit the certificate")
	}
	return v, checkHash(crypto.SHA1)
}
