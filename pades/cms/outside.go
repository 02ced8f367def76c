package cms

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxOutside bounds signed attributes that somebody else made.
const maxOutside = 8 << 10

// UnsignedFrom takes signed attributes that somebody else made for the same signature that
// NewUnsigned would make them for. It takes them only when a reader of PDF will: DER, content-type
// and message-digest of this content, the ESS attribute of this certificate, and nothing else
// but the algorithm protection; each once.
func UnsignedFrom(chain []*x509.Certificate, alg Algorithm, messageDigest, attributes []byte) (*Unsigned, error) {
	if err := signable(chain, alg, messageDigest); err != nil {
		return nil, err
	}
	signed, err := strictAttributes(attributes)
	if err != nil {
		return nil, err
	}
	var id cryptobyte.Builder
	AddHash(&id, alg.Hash)
	alg.addSignature(&id)
	ids := cryptobyte.String(id.BytesOrPanic())
	s := &Signer{Signed: signed}
	var ok bool
	if s.digestAlg, ok = readAlgorithm(&ids); !ok {
		return nil, fail(Unsupported, "the hash has no identifier")
	}
	if s.sigAlg, ok = readAlgorithm(&ids); !ok {
		return nil, fail(Unsupported, "the signature algorithm has no identifier")
	}
	if err := (&SignedData{ContentType: OIDData}).checkContentType(s); err != nil {
		return nil, err
	}
	claimed, err := s.MessageDigest()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(claimed, messageDigest) {
		return nil, fail(Digest, "the attributes are of other bytes")
	}
	ess, err := s.single(OIDSigningCertificateV2, "signing certificate")
	if err != nil {
		return nil, err
	}
	if err := strictESS(ess, chain); err != nil {
		return nil, err
	}
	if err := s.checkProtection(); err != nil {
		return nil, err
	}
	u := &Unsigned{Attributes: bytes.Clone(attributes), Algorithm: alg}
	for _, c := range chain {
		u.Chain = append(u.Chain, c.Raw)
	}
	return u, nil
}

// MessageDigest is the digest of the content that the attributes speak of.
func (u *Unsigned) MessageDigest() ([]byte, error) {
	signed, err := strictAttributes(u.Attributes)
	if err != nil {
		return nil, err
	}
	return (&Signer{Signed: signed}).MessageDigest()
}

// Adopt is the same signature with signed attributes that somebody else made (see UnsignedFrom).
func (u *Unsigned) Adopt(attributes []byte) (*Unsigned, error) {
	digest, err := u.MessageDigest()
	if err != nil {
		return nil, err
	}
	chain, err := u.chain()
	if err != nil {
		return nil, err
	}
	return UnsignedFrom(chain, u.Algorithm, digest, attributes)
}

func (u *Unsigned) chain() (chain []*x509.Certificate, err error) {
	for _, der := range u.Chain {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fail(Malformed, "a stored certificate cannot be read")
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// strictAttributes reads a SET OF attributes that is DER and holds what is allowed, once each.
func strictAttributes(der []byte) ([]Attribute, error) {
	in := cryptobyte.String(der)
	var body cryptobyte.String
	if len(der) > maxOutside || !in.ReadASN1(&body, cbasn1.SET) || !in.Empty() {
		return nil, fail(Malformed, "the signed attributes cannot be read")
	}
	var elements [][]byte
	for !body.Empty() {
		var e cryptobyte.String
		if !body.ReadASN1Element(&e, cbasn1.SEQUENCE) {
			return nil, malformed(body)
		}
		elements = append(elements, e)
	}
	if !bytes.Equal(set(cbasn1.SET, elements), der) {
		return nil, fail(Malformed, "the signed attributes are not in DER")
	}
	signed, err := parseAttributes(der, cbasn1.SET)
	if err != nil {
		return nil, err
	}
	for i, a := range signed {
		switch {
		case a.OID.Equal(OIDContentType), a.OID.Equal(OIDMessageDigest), a.OID.Equal(OIDSigningCertificateV2), a.OID.Equal(OIDAlgorithmProtection):
		default:
			return nil, fail(Malformed, "the signed attributes say more than was asked for (%s)", a.OID)
		}
		for _, b := range signed[:i] {
			if a.OID.Equal(b.OID) {
				return nil, fail(Malformed, "a signed attribute occurs twice (%s)", a.OID)
			}
		}
	}
	return signed, nil
}

// strictESS reads SigningCertificateV2 that names the leaf first and then at most others of
// the chain, and no policies.
func strictESS(raw []byte, chain []*x509.Certificate) error {
	bad := fail(Malformed, "the signing certificate attribute cannot be read")
	in := cryptobyte.String(raw)
	var seq, certs cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1(&certs, cbasn1.SEQUENCE) || !seq.Empty() || certs.Empty() {
		return bad
	}
	for n := 0; !certs.Empty(); n++ {
		var id cryptobyte.String
		if !certs.ReadASN1Element(&id, cbasn1.SEQUENCE) {
			return bad
		}
		among := chain[:1]
		if n > 0 {
			among = chain
		}
		var err error
		for _, c := range among {
			if err = checkESSValue(essOf(id), 2, c); err == nil {
				err = strictIssuerSerial(id, c)
				break
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// strictIssuerSerial holds that what an ESSCertIDv2 says beside the hash, if anything, is the issuer and
// the serial number of that certificate (RFC 5035, 4).
func strictIssuerSerial(id cryptobyte.String, c *x509.Certificate) error {
	bad := fail(Malformed, "the signing certificate attribute names another issuer or serial number")
	var body, alg, hash, both, names, name cryptobyte.String
	var has bool
	if !id.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadOptionalASN1(&alg, &has, cbasn1.SEQUENCE) || !body.ReadASN1(&hash, cbasn1.OCTET_STRING) {
		return bad
	}
	if body.Empty() {
		return nil
	}
	serial := new(big.Int)
	if !body.ReadASN1(&both, cbasn1.SEQUENCE) || !body.Empty() || !both.ReadASN1(&names, cbasn1.SEQUENCE) || !both.ReadASN1Integer(serial) || !both.Empty() ||
		!names.ReadASN1(&name, context(4)) || !names.Empty() || !bytes.Equal(name, c.RawIssuer) || serial.Cmp(c.SerialNumber) != 0 {
		return bad
	}
	return nil
}

// essOf is a SigningCertificateV2 of one entry.
func essOf(id []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(id) })
	})
	return b.BytesOrPanic()
}

// Accept checks a ContentInfo that somebody else made of these attributes and this value, and
// gives the timestamp token in it, nil when there is none: one signer, detached, the same
// attributes and value to the byte, the same certificate and algorithm, and nothing beside
// them that a careful writer leaves out. The token itself is the caller's to check.
func (u *Unsigned) Accept(value, der []byte) (token []byte, err error) {
	value, err = u.CheckValue(value)
	if err != nil {
		return nil, err
	}
	leaf, err := u.leaf()
	if err != nil {
		return nil, err
	}
	sd, err := Parse(der)
	if err != nil {
		return nil, err
	}
	s, err := sd.One()
	if err != nil {
		return nil, err
	}
	switch {
	case !sd.ContentType.Equal(OIDData) || sd.Content != nil:
		return nil, fail(Malformed, "the signature carries a content of its own")
	case !bytes.Equal(s.signed, u.Attributes):
		return nil, fail(Digest, "the signature has other attributes than were approved")
	case !bytes.Equal(s.Value, value):
		return nil, fail(Signature, "the signature has another value than the key gave")
	}
	digest, err := s.MessageDigest()
	if err != nil {
		return nil, err
	}
	v, err := sd.Verify(s, digest)
	switch {
	case err != nil:
		return nil, err
	case !v.Certificate.Equal(leaf):
		return nil, fail(Signature, "the signature has another certificate")
	case v.Algorithm.Hash != u.Algorithm.Hash || v.Algorithm.Scheme != u.Algorithm.Scheme:
		return nil, fail(Malformed, "the signature names another algorithm")
	}
	if odd := sd.Oddities(true); len(odd) > 0 {
		return nil, fail(Malformed, "%s", odd[0])
	}
	if sd.lists {
		return nil, fail(Malformed, "the signature carries revocation lists")
	}
	if err := u.related(sd.Certificates); err != nil {
		return nil, err
	}
	return s.Token()
}

// related holds that certificates are those of the chain, or what the chain was issued from.
func (u *Unsigned) related(certificates []*x509.Certificate) error {
	known, err := u.chain()
	if err != nil {
		return err
	}
	left := certificates
	for {
		var others []*x509.Certificate
		for _, c := range left {
			if slices.ContainsFunc(known, func(k *x509.Certificate) bool { return k.Equal(c) || k.CheckSignatureFrom(c) == nil }) {
				known = append(known, c)
			} else {
				others = append(others, c)
			}
		}
		switch len(others) {
		case 0:
			return nil
		case len(left):
			return fail(Malformed, "the signature carries a certificate that has nothing to do with it")
		}
		left = others
	}
}
