package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// PublicKey is the certificate's key, also where the certificate allows it for RSASSA-PSS
// only (RFC 4055, 1.2), which the standard library leaves out. It is nil for keys nobody
// here knows.
func PublicKey(c *x509.Certificate) crypto.PublicKey {
	if c.PublicKey != nil {
		return c.PublicKey
	}
	id, bits, ok := readKey(c.RawSubjectPublicKeyInfo)
	if !ok || !id.oid.Equal(oidPSS) {
		return nil
	}
	key, err := x509.ParsePKCS1PublicKey(bits)
	if err != nil {
		return nil
	}
	return key
}

// keyAllows checks the limits a PSS key may carry: the same hashes and a salt no shorter
// (RFC 4055, 3.3).
func keyAllows(c *x509.Certificate, a Algorithm) bool {
	id, _, ok := readKey(c.RawSubjectPublicKeyInfo)
	if !ok || !id.oid.Equal(oidPSS) {
		return true
	}
	if a.Scheme != PSS || len(id.params) == 0 {
		return a.Scheme == PSS
	}
	limit, err := parsePSS(id.params)
	return err == nil && limit.Hash == a.Hash && limit.mask == a.mask && limit.salt <= a.salt
}

// readKey reads a SubjectPublicKeyInfo.
func readKey(der []byte) (identifier, []byte, bool) {
	in := cryptobyte.String(der)
	var info cryptobyte.String
	var bits asn1.BitString
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) {
		return identifier{}, nil, false
	}
	id, ok := readAlgorithm(&info)
	ok = ok && info.ReadASN1BitString(&bits)
	return id, bits.RightAlign(), ok
}

// exoticSigner says why there is no certificate: one that is there may have a key on a
// curve that the standard library does not read, such as Brainpool's.
func (sd *SignedData) exoticSigner(s *Signer) error {
	for _, raw := range sd.exotic {
		in := cryptobyte.String(raw)
		var cert, tbs, skip, issuer, info cryptobyte.String
		serial := new(big.Int)
		if !in.ReadASN1(&cert, cbasn1.SEQUENCE) || !cert.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(context(0)) ||
			!tbs.ReadASN1Integer(serial) || !tbs.ReadASN1(&skip, cbasn1.SEQUENCE) || !tbs.ReadASN1Element(&issuer, cbasn1.SEQUENCE) ||
			!tbs.ReadASN1(&skip, cbasn1.SEQUENCE) || !tbs.ReadASN1(&skip, cbasn1.SEQUENCE) || !tbs.ReadASN1Element(&info, cbasn1.SEQUENCE) {
			continue
		}
		id, _, ok := readKey(info)
		if !ok || s.serial == nil || serial.Cmp(s.serial) != 0 || !bytes.Equal(issuer, s.issuer) {
			continue
		}
		var curve asn1.ObjectIdentifier
		params := cryptobyte.String(id.params)
		if id.oid.Equal(oidECKey) && params.ReadASN1ObjectIdentifier(&curve) {
			return fail(Unsupported, "the elliptic curve %s is not supported", nameOf(curve.String()))
		}
		return unknownAlgorithm(id.oid.String())
	}
	return fail(NoSigner, "the signer's certificate is not in the signature")
}
