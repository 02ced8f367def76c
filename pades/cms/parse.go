package cms

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of Parse. Real signatures take 3 to 60 KB.
const (
	MaxSize         = 4 << 20
	maxCertificates = 64
	maxSigners      = 8
	maxAttributes   = 64
)

// SignedData is a parsed ContentInfo of that type.
type SignedData struct {
	ContentType  asn1.ObjectIdentifier // eContentType
	Content      []byte                // eContent, nil when detached
	Certificates []*x509.Certificate   // those that could be read
	Unreadable   int                   // certificates that could not
	Signers      []*Signer

	version int
	digests []identifier
	lists   bool     // there are revocation lists, which are not read
	exotic  [][]byte // the certificates that could not be read
}

// Signer is a SignerInfo.
type Signer struct {
	version       int
	issuer, keyID []byte // the signer is named by issuer and serial, or by key id
	serial        *big.Int
	digestAlg     identifier
	sigAlg        identifier

	Signed   []Attribute // nil when there are none
	Unsigned []Attribute
	Value    []byte // signature value
	signed   []byte // as SET OF, to be hashed
}

// Attribute is one attribute; Values are complete DER elements.
type Attribute struct {
	OID    asn1.ObjectIdentifier
	Values [][]byte
}

// identifier is an AlgorithmIdentifier; params is a complete element or nil.
type identifier struct {
	oid    asn1.ObjectIdentifier
	params []byte
}

// Parse reads DER. Bytes after the structure are an error: the caller cuts the zero
// padding of /Contents first (see Trim). Indefinite lengths give ErrIndefinite.
func Parse(der []byte) (*SignedData, error) {
	if len(der) > MaxSize {
		return nil, fail(Malformed, "the signature has %d bytes, more than %d", len(der), MaxSize)
	}
	if len(der) >= 2 && der[0] == 0x30 && der[1] == 0x80 {
		return nil, ErrIndefinite
	}
	in := cryptobyte.String(der)
	var info, body cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !in.Empty() || !info.ReadASN1ObjectIdentifier(&oid) {
		return nil, fail(Malformed, "the signature is not a CMS structure")
	}
	if !oid.Equal(OIDSignedData) {
		return nil, fail(Malformed, "the CMS structure is not signed data")
	}
	if !info.ReadASN1(&body, context(0)) || !info.Empty() {
		return nil, malformed(info)
	}
	var data cryptobyte.String
	if !body.ReadASN1(&data, cbasn1.SEQUENCE) || !body.Empty() {
		return nil, malformed(body)
	}
	return parseSignedData(data)
}

func parseSignedData(in cryptobyte.String) (*SignedData, error) {
	sd := &SignedData{}
	var digests, encap, part, signers cryptobyte.String
	var has bool
	if !in.ReadASN1Integer(&sd.version) || !in.ReadASN1(&digests, cbasn1.SET) ||
		!in.ReadASN1(&encap, cbasn1.SEQUENCE) || !encap.ReadASN1ObjectIdentifier(&sd.ContentType) {
		return nil, malformed(in)
	}
	for !digests.Empty() {
		id, ok := readAlgorithm(&digests)
		if !ok || len(sd.digests) > maxSigners {
			return nil, malformed(digests)
		}
		sd.digests = append(sd.digests, id)
	}
	if !encap.ReadOptionalASN1(&part, &has, context(0)) || !encap.Empty() {
		return nil, malformed(encap)
	}
	if has {
		var content cryptobyte.String
		if !part.ReadASN1(&content, cbasn1.OCTET_STRING) || !part.Empty() {
			return nil, malformed(part)
		}
		sd.Content = append([]byte{}, content...)
	}
	if !in.ReadOptionalASN1(&part, &has, context(0)) {
		return nil, malformed(in)
	}
	if has {
		if err := sd.parseCertificates(part); err != nil {
			return nil, err
		}
	}
	if !in.ReadOptionalASN1(&part, &sd.lists, context(1)) { // CRLs: revocation data belongs into the DSS
		return nil, malformed(in)
	}
	if !in.ReadASN1(&signers, cbasn1.SET) || !in.Empty() {
		return nil, malformed(in)
	}
	for !signers.Empty() {
		if len(sd.Signers) == maxSigners {
			return nil, fail(Malformed, "more than %d signers", maxSigners)
		}
		s, err := parseSigner(&signers)
		if err != nil {
			return nil, err
		}
		sd.Signers = append(sd.Signers, s)
	}
	return sd, nil
}

func (sd *SignedData) parseCertificates(in cryptobyte.String) error {
	for n := 0; !in.Empty(); n++ {
		var raw cryptobyte.String
		var tag cbasn1.Tag
		if n == maxCertificates {
			return fail(Malformed, "more than %d certificates", maxCertificates)
		}
		if !in.ReadAnyASN1Element(&raw, &tag) {
			return malformed(in)
		}
		if c, err := x509.ParseCertificate(raw); tag == cbasn1.SEQUENCE && err == nil {
			sd.Certificates = append(sd.Certificates, c)
		} else {
			sd.exotic = append(sd.exotic, raw)
			sd.Unreadable++ // attribute certificates, exotic keys: not ours to judge unless the signer's
		}
	}
	return nil
}

func parseSigner(in *cryptobyte.String) (*Signer, error) {
	var body, sid cryptobyte.String
	s := &Signer{}
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Integer(&s.version) {
		return nil, malformed(*in)
	}
	switch {
	case body.PeekASN1Tag(cbasn1.SEQUENCE):
		var issuer cryptobyte.String
		s.serial = new(big.Int)
		if !body.ReadASN1(&sid, cbasn1.SEQUENCE) || !sid.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !sid.ReadASN1Integer(s.serial) || !sid.Empty() {
			return nil, malformed(body)
		}
		s.issuer = issuer
	default:
		if !body.ReadASN1(&sid, cbasn1.Tag(0).ContextSpecific()) || len(sid) == 0 {
			return nil, malformed(body)
		}
		s.keyID = sid
	}
	var ok bool
	if s.digestAlg, ok = readAlgorithm(&body); !ok {
		return nil, malformed(body)
	}
	var err error
	if body.PeekASN1Tag(context(0)) {
		var raw cryptobyte.String
		if !body.ReadASN1Element(&raw, context(0)) {
			return nil, malformed(body)
		}
		s.signed = append([]byte{0x31}, raw[1:]...)
		if s.Signed, err = parseAttributes(raw, context(0)); err != nil {
			return nil, err
		}
	}
	var value cryptobyte.String
	if s.sigAlg, ok = readAlgorithm(&body); !ok || !body.ReadASN1(&value, cbasn1.OCTET_STRING) {
		return nil, malformed(body)
	}
	s.Value = append([]byte{}, value...)
	if body.PeekASN1Tag(context(1)) {
		var raw cryptobyte.String
		if !body.ReadASN1Element(&raw, context(1)) {
			return nil, malformed(body)
		}
		if s.Unsigned, err = parseAttributes(raw, context(1)); err != nil {
			return nil, err
		}
	}
	if !body.Empty() {
		return nil, malformed(body)
	}
	return s, nil
}

func parseAttributes(raw cryptobyte.String, tag cbasn1.Tag) ([]Attribute, error) {
	var in cryptobyte.String
	if !raw.ReadASN1(&in, tag) {
		return nil, malformed(raw)
	}
	attrs := []Attribute{}
	for !in.Empty() {
		var seq, values cryptobyte.String
		var a Attribute
		if len(attrs) == maxAttributes {
			return nil, fail(Malformed, "more than %d attributes", maxAttributes)
		}
		if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&a.OID) || !seq.ReadASN1(&values, cbasn1.SET) || !seq.Empty() {
			return nil, malformed(in)
		}
		for !values.Empty() {
			var v cryptobyte.String
			var t cbasn1.Tag
			if len(a.Values) == maxAttributes || !values.ReadAnyASN1Element(&v, &t) {
				return nil, malformed(values)
			}
			a.Values = append(a.Values, v)
		}
		attrs = append(attrs, a)
	}
	return attrs, nil
}

func readAlgorithm(in *cryptobyte.String) (identifier, bool) {
	var seq, params cryptobyte.String
	var tag cbasn1.Tag
	var id identifier
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&id.oid) {
		return id, false
	}
	if !seq.Empty() {
		if !seq.ReadAnyASN1Element(&params, &tag) || !seq.Empty() {
			return id, false
		}
		id.params = params
	}
	return id, true
}

// malformed names indefinite lengths, which cryptobyte only refuses.
func malformed(at cryptobyte.String) error {
	if len(at) >= 2 && at[0]&0x20 != 0 && at[1] == 0x80 {
		return ErrIndefinite
	}
	return fail(Malformed, "the CMS structure is damaged")
}

// Trim cuts the zero padding after a DER element, as /Contents has it. ok is false when
// there is no whole element or something other than zeros follows.
func Trim(padded []byte) (der []byte, ok bool) {
	in := cryptobyte.String(padded)
	var element cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadAnyASN1Element(&element, &tag) {
		return padded, false
	}
	return element, len(bytes.Trim(in, "\x00")) == 0
}
