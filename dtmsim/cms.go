package dtmsim

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidData           = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidContentType    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCertV2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47} // RFC 5035
	oidTimeStampToken = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14} // EN 319 122-1, 5.3
	oidOCSPInCMS      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 16, 2}         // RFC 5940, 2.1
)

// signedData is what a CMS SignedData (RFC 5652, 5.1) with one signer is made of.
type signedData struct {
	content      asn1.ObjectIdentifier
	inner        []byte // eContent; nil: detached
	hash         crypto.Hash
	signer       *x509.Certificate
	attributes   [][]byte // signed, each encoded, in DER order
	algorithm    []byte   // AlgorithmIdentifier of the signature
	value        []byte
	token        []byte   // signature timestamp
	certificates [][]byte // DER
	crls, ocsp   [][]byte // DER
}

// signedAttributes are content-type, message-digest, ESS signing-certificate-v2 and, unless
// at is zero, signing-time: each encoded, in DER order.
func signedAttributes(d signedData, digest []byte, at time.Time) ([][]byte, error) {
	type value = func(*cryptobyte.Builder)
	all := []struct {
		oid asn1.ObjectIdentifier
		val value
	}{
		{oidContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(d.content) }},
		{oidMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(digest) }},
		{oidSigningCertV2, func(b *cryptobyte.Builder) { addSigningCertificate(b, d.signer) }},
	}
	if !at.IsZero() {
		all = append(all, struct {
			oid asn1.ObjectIdentifier
			val value
		}{oidSigningTime, func(b *cryptobyte.Builder) { // RFC 5652, 11.3: UTCTime through 2049
			if at.Year() < 2050 {
				b.AddASN1UTCTime(at)
			} else {
				b.AddASN1GeneralizedTime(at)
			}
		}})
	}
	attrs := make([][]byte, 0, len(all))
	for _, a := range all {
		der, err := attribute(a.oid, a.val)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, der)
	}
	slices.SortFunc(attrs, bytes.Compare)
	return attrs, nil
}

func attribute(oid asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, value)
	})
	return b.Bytes()
}

// addSigningCertificate leaves the hash algorithm out: SHA-256 is its DEFAULT.
func addSigningCertificate(b *cryptobyte.Builder, cert *x509.Certificate) {
	sum := sha256.Sum256(cert.Raw)
	sequence := func(b *cryptobyte.Builder, f func(*cryptobyte.Builder)) { b.AddASN1(cbasn1.SEQUENCE, f) }
	sequence(b, func(b *cryptobyte.Builder) {
		sequence(b, func(b *cryptobyte.Builder) {
			sequence(b, func(b *cryptobyte.Builder) {
				b.AddASN1OctetString(sum[:])
				sequence(b, func(b *cryptobyte.Builder) {
					sequence(b, func(b *cryptobyte.Builder) {
						b.AddASN1(tagged(4), func(b *cryptobyte.Builder) { b.AddBytes(cert.RawIssuer) })
					})
					b.AddASN1BigInt(cert.SerialNumber)
				})
			})
		})
	})
}

// version of the structure (RFC 5652, 5.1).
func (d signedData) version() int64 {
	switch {
	case d.ocsp != nil:
		return 5
	case !d.content.Equal(oidData):
		return 3
	}
	return 1
}

// bytes is the ContentInfo.
func (d signedData) bytes() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(tagged(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, d.add)
		})
	})
	return b.Bytes()
}

func (d signedData) add(b *cryptobyte.Builder) {
	b.AddASN1Int64(d.version())
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { addAlgorithm(b, hashOID(d.hash), false) })
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(d.content)
		if d.inner != nil {
			b.AddASN1(tagged(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(d.inner) })
		}
	})
	if d.certificates != nil {
		b.AddBytes(set(tagged(0), d.certificates))
	}
	if d.crls != nil || d.ocsp != nil {
		b.AddBytes(set(tagged(1), append(slices.Clone(d.crls), otherRevocation(d.ocsp)...)))
	}
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { b.AddASN1(cbasn1.SEQUENCE, d.addSigner) })
}

func (d signedData) addSigner(b *cryptobyte.Builder) {
	b.AddASN1Int64(1)
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(d.signer.RawIssuer)
		b.AddASN1BigInt(d.signer.SerialNumber)
	})
	addAlgorithm(b, hashOID(d.hash), false)
	b.AddBytes(set(tagged(0), d.attributes))
	b.AddBytes(d.algorithm)
	b.AddASN1OctetString(d.value)
	if d.token != nil {
		stamp, err := attribute(oidTimeStampToken, func(b *cryptobyte.Builder) { b.AddBytes(d.token) })
		if err != nil {
			b.SetError(err)
			return
		}
		b.AddBytes(set(tagged(1), [][]byte{stamp}))
	}
}

// otherRevocation wraps OCSP answers as OtherRevocationInfoFormat (RFC 5940, 2.1).
func otherRevocation(answers [][]byte) (out [][]byte) {
	for _, der := range answers {
		var b cryptobyte.Builder
		b.AddASN1(tagged(1), func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidOCSPInCMS)
			b.AddBytes(der)
		})
		out = append(out, b.BytesOrPanic())
	}
	return out
}

func tagged(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// set writes a SET OF in DER order (X.690, 11.6).
func set(tag cbasn1.Tag, members [][]byte) []byte {
	members = slices.Clone(members)
	slices.SortFunc(members, bytes.Compare)
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, m := range members {
			b.AddBytes(m)
		}
	})
	return b.BytesOrPanic()
}

func addAlgorithm(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, null bool) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		if null {
			b.AddASN1NULL()
		}
	})
}
