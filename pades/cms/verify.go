package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Verified is what a good signature says.
type Verified struct {
	Certificate *x509.Certificate
	Algorithm   Algorithm
	Digest      []byte // of the content
	ESS         int    // 1 or 2: which signing-certificate attribute binds the certificate; 0: none
	Bare        bool   // there are no signed attributes: the value is over the content's digest itself
}

// One gives the only signer. PDF and RFC 3161 allow exactly one.
func (sd *SignedData) One() (*Signer, error) {
	if len(sd.Signers) != 1 {
		return nil, fail(Malformed, "the signature has %d signers, where exactly one is allowed", len(sd.Signers))
	}
	return sd.Signers[0], nil
}

// Hash is the digest algorithm of the signer, which the caller hashes the content with.
// With MD5, SHA-1 and SHA-224 the hash comes beside an error of kind Weak.
func (s *Signer) Hash() (crypto.Hash, error) { return HashOf(s.digestAlg.oid) }

// MessageDigest is the digest the signature speaks of.
func (s *Signer) MessageDigest() ([]byte, error) {
	raw, err := s.single(OIDMessageDigest, "message digest")
	if err != nil {
		return nil, err
	}
	var digest cryptobyte.String
	in := cryptobyte.String(raw)
	if !in.ReadASN1(&digest, cbasn1.OCTET_STRING) || !in.Empty() {
		return nil, fail(Malformed, "the message digest cannot be read")
	}
	return digest, nil
}

// Token is the signature timestamp token, nil when there is none. Several are an error.
func (s *Signer) Token() ([]byte, error) {
	var found []byte
	for _, a := range s.Unsigned {
		if !a.OID.Equal(OIDTimeStampToken) {
			continue
		}
		if found != nil || len(a.Values) != 1 {
			return nil, fail(Malformed, "the signature has more than one timestamp")
		}
		found = a.Values[0]
	}
	return found, nil
}

// Certificate is the signer's certificate.
func (sd *SignedData) Certificate(s *Signer) (*x509.Certificate, error) {
	for _, c := range sd.Certificates {
		if s.keyID != nil && bytes.Equal(c.SubjectKeyId, s.keyID) ||
			s.serial != nil && c.SerialNumber.Cmp(s.serial) == 0 && bytes.Equal(c.RawIssuer, s.issuer) {
			return c, nil
		}
	}
	return nil, sd.exoticSigner(s)
}

// Verify checks one signer over content with the given digest (made with s.Hash): content
// type, message digest, the certificate's binding (if there is an ESS attribute; the caller
// decides whether it must be), the algorithms, and the value. Without signed attributes
// (RFC 5652, 5.4) only the value is there to check.
//
// That an algorithm or key is weak is said last: an error of kind Weak means that all else
// holds, and comes with Verified filled in.
func (sd *SignedData) Verify(s *Signer, digest []byte) (Verified, error) {
	var v Verified
	h, weak := s.Hash()
	if h == 0 || weak != nil && len(digest) != h.Size() { // the caller did not hash with it
		return v, weak
	}
	cert, claimed, err := sd.claims(s, digest)
	if err != nil {
		return v, err
	}
	v.Certificate, v.Digest, v.Bare = cert, claimed, s.Signed == nil
	if subtle.ConstantTimeCompare(claimed, digest) != 1 {
		return v, fail(Digest, "the bytes are not the ones that were signed")
	}
	pub := PublicKey(cert)
	if v.Algorithm, err = s.algorithm(h, pub); err != nil {
		return v, err
	}
	if err := checkKey(pub); KindOf(err) == Weak {
		if weak = err; pub.(*rsa.PublicKey).N.BitLen() < 1024 { // the standard library does not compute with these
			return v, weak
		}
	} else if err != nil {
		return v, err
	}
	if v.ESS, err = s.checkESS(cert); KindOf(err) == Weak {
		weak = err
	} else if err != nil {
		return v, err
	}
	if err := s.checkProtection(); err != nil {
		return v, err
	}
	input := digest
	if !v.Bare {
		input = v.Algorithm.input(s.signed)
	} else if v.Algorithm.Scheme == Ed25519 { // it signs the content, which is not at hand
		return v, fail(Unsupported, "Ed25519 without signed attributes is not supported")
	}
	if !keyAllows(cert, v.Algorithm) || !v.Algorithm.verify(pub, input, s.Value) {
		return v, fail(Signature, "the signature value does not fit the certificate")
	}
	return v, weak
}

// claims are the certificate and the digest the signer names.
func (sd *SignedData) claims(s *Signer, digest []byte) (*x509.Certificate, []byte, error) {
	claimed := digest
	if s.Signed == nil {
		if !sd.ContentType.Equal(OIDData) {
			return nil, nil, fail(Malformed, "the signature has no signed attributes")
		}
	} else {
		err := sd.checkContentType(s)
		if err != nil {
			return nil, nil, err
		}
		if claimed, err = s.MessageDigest(); err != nil {
			return nil, nil, err
		}
	}
	cert, err := sd.Certificate(s)
	return cert, claimed, err
}

func (sd *SignedData) checkContentType(s *Signer) error {
	raw, err := s.single(OIDContentType, "content type")
	if err != nil {
		return err
	}
	var oid asn1.ObjectIdentifier
	in := cryptobyte.String(raw)
	if !in.ReadASN1ObjectIdentifier(&oid) || !in.Empty() || !oid.Equal(sd.ContentType) {
		return fail(Malformed, "the signed content type is another one than the structure's")
	}
	return nil
}

// algorithm reads the signature algorithm, which must agree with the digest algorithm.
func (s *Signer) algorithm(h crypto.Hash, pub crypto.PublicKey) (Algorithm, error) {
	var a Algorithm
	switch oid := s.sigAlg.oid; {
	case oid.Equal(oidRSA):
		a = Algorithm{Hash: h, Scheme: PKCS1v15}
	case oid.Equal(oidECKey): // some writers name the key where the algorithm belongs
		a = Algorithm{Hash: h, Scheme: ECDSA}
	case oid.Equal(oidPSS):
		got, err := parsePSS(s.sigAlg.params)
		if err != nil {
			return a, err
		}
		a = got
	default:
		got, ok := combined(oid.String())
		if !ok {
			return a, unknownAlgorithm(oid.String())
		}
		a = got
	}
	if a.Hash != h {
		return a, fail(Malformed, "the signature names two different hashes")
	}
	if checkKey(pub) == nil && !a.fits(pub) {
		return a, fail(Malformed, "the signature algorithm does not fit the certificate's key")
	}
	return a, nil
}

// checkESS checks signing-certificate (RFC 2634) and -v2 (RFC 5035): the first entry names
// the signer's certificate.
func (s *Signer) checkESS(cert *x509.Certificate) (int, error) {
	version, weak := 0, error(nil)
	for _, a := range s.Signed {
		v := 0
		switch {
		case a.OID.Equal(OIDSigningCertificateV2):
			v = 2
		case a.OID.Equal(OIDSigningCertificate):
			v = 1
		default:
			continue
		}
		if len(a.Values) != 1 {
			return 0, fail(Malformed, "the signing certificate attribute cannot be read")
		}
		if err := checkESSValue(a.Values[0], v, cert); KindOf(err) == Weak {
			weak = err
		} else if err != nil {
			return 0, err
		}
		version = max(version, v)
	}
	return version, weak
}

func checkESSValue(raw []byte, version int, cert *x509.Certificate) error {
	bad := fail(Malformed, "the signing certificate attribute cannot be read")
	in := cryptobyte.String(raw)
	var seq, certs, id, hash cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&certs, cbasn1.SEQUENCE) || !certs.ReadASN1(&id, cbasn1.SEQUENCE) {
		return bad
	}
	h, weak := crypto.SHA256, error(nil)
	if version == 1 {
		h = crypto.SHA1 // what binds is the signature itself, over this attribute
	} else if id.PeekASN1Tag(cbasn1.SEQUENCE) {
		alg, ok := readAlgorithm(&id)
		if !ok {
			return bad
		}
		if h, weak = HashOf(alg.oid); h == 0 {
			return weak
		}
	}
	if !id.ReadASN1(&hash, cbasn1.OCTET_STRING) {
		return bad
	}
	if !bytes.Equal(sum(h, cert.Raw), hash) {
		return fail(Signature, "the signature was made for another certificate")
	}
	// issuerSerial is only a hint beside the hash (RFC 5035, 4).
	return weak
}

// checkProtection checks the algorithm protection attribute (RFC 6211) when present.
func (s *Signer) checkProtection() error {
	seen := false
	for _, a := range s.Signed {
		if !a.OID.Equal(OIDAlgorithmProtection) {
			continue
		}
		bad := fail(Malformed, "the protected algorithms are other ones than those used")
		if seen || len(a.Values) != 1 { // RFC 6211, 2: once, with one value
			return bad
		}
		seen = true
		in := cryptobyte.String(a.Values[0])
		var seq, sig cryptobyte.String
		if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
			return bad
		}
		digest, ok := readAlgorithm(&seq)
		if !ok || !digest.oid.Equal(s.digestAlg.oid) || !seq.ReadASN1(&sig, context(1)) {
			return bad
		}
		// IMPLICIT [1]: the fields of the identifier without its own tag. Absent and NULL
		// parameters mean the same.
		var oid asn1.ObjectIdentifier
		if !sig.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(s.sigAlg.oid) || !sameParams(sig, s.sigAlg.params) {
			return bad
		}
	}
	return nil
}

func sameParams(a, b []byte) bool {
	null := func(p []byte) bool { return len(p) == 0 || bytes.Equal(p, []byte{5, 0}) }
	return null(a) && null(b) || bytes.Equal(a, b)
}

// Oddities names what a good signature may still carry outside of what its value protects:
// changed bytes there do not touch the value, but no careful writer makes them. token tells
// whether a signature timestamp is an expected unsigned attribute.
func (sd *SignedData) Oddities(token bool) []string {
	var out []string
	version := 1 // RFC 5652, 5.1
	if !sd.ContentType.Equal(OIDData) {
		version = 3
	}
	for _, s := range sd.Signers {
		want := 1
		if s.keyID != nil {
			want, version = 3, 3
		}
		if s.version != want {
			out = append(out, "the signer's version number is wrong")
		}
		named := false
		for _, d := range sd.digests {
			named = named || d.oid.Equal(s.digestAlg.oid)
			if !sameParams(d.params, nil) {
				out = append(out, "the list of hashes is damaged")
			}
		}
		if !named {
			out = append(out, "the list of hashes leaves out the signer's")
		}
		if !sameParams(s.digestAlg.params, nil) || !s.sigAlg.oid.Equal(oidPSS) && !sameParams(s.sigAlg.params, nil) {
			out = append(out, "the algorithm has parameters it should not have")
		}
		for _, a := range s.Unsigned {
			if !token || !a.OID.Equal(OIDTimeStampToken) {
				out = append(out, "the signature carries an unsigned attribute that is not a timestamp")
			}
		}
	}
	if sd.version != version {
		out = append(out, "the version number is wrong")
	}
	if sd.Unreadable > 0 {
		out = append(out, "a certificate in the signature cannot be read")
	}
	return out
}

// single gives the only value of a signed attribute that must occur exactly once.
func (s *Signer) single(oid asn1.ObjectIdentifier, name string) ([]byte, error) {
	var found []byte
	for _, a := range s.Signed {
		if !a.OID.Equal(oid) {
			continue
		}
		if found != nil || len(a.Values) != 1 {
			return nil, fail(Malformed, "the %s occurs more than once", name)
		}
		found = a.Values[0]
	}
	if found == nil {
		return nil, fail(Malformed, "the %s is missing", name)
	}
	return found, nil
}
