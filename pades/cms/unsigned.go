package cms

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"sort"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Unsigned is a signature before its value: what is stored between the two phases. All
// fields survive JSON.
type Unsigned struct {
	Attributes []byte   // DER SET OF the signed attributes (tag 0x31)
	Chain      [][]byte // DER certificates, leaf first
	Algorithm  Algorithm
}

// NewUnsigned builds the signed attributes for a detached signature over content with the
// given digest (made with alg.Hash): content-type, message-digest, ESS
// signing-certificate-v2 (RFC 5035) and algorithm protection (RFC 6211), which keeps the
// algorithm identifiers outside of the attributes from being exchanged. There is no
// signing-time: in PDF it is forbidden (EN 319 142-1, 6.3) and /M stands for it.
func NewUnsigned(chain []*x509.Certificate, alg Algorithm, messageDigest []byte) (*Unsigned, error) {
	return newUnsigned(chain, alg, messageDigest, time.Time{})
}

// NewUnsignedAt adds the signing-time attribute, which CAdES outside PDF requires
// (EN 319 122-1, 6.3).
func NewUnsignedAt(chain []*x509.Certificate, alg Algorithm, messageDigest []byte, at time.Time) (*Unsigned, error) {
	return newUnsigned(chain, alg, messageDigest, at)
}

func newUnsigned(chain []*x509.Certificate, alg Algorithm, messageDigest []byte, at time.Time) (*Unsigned, error) {
	if err := signable(chain, alg, messageDigest); err != nil {
		return nil, err
	}
	attrs := [][]byte{
		attribute(OIDContentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(OIDData) }),
		attribute(OIDMessageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(messageDigest) }),
		attribute(OIDSigningCertificateV2, func(b *cryptobyte.Builder) { addESS(b, chain[0], alg.Hash) }),
		attribute(OIDAlgorithmProtection, func(b *cryptobyte.Builder) { addProtection(b, alg) }),
	}
	if !at.IsZero() {
		attrs = append(attrs, attribute(OIDSigningTime, func(b *cryptobyte.Builder) {
			// RFC 5652, 11.3: UTCTime through 2049.
			if at = at.UTC().Truncate(time.Second); at.Year() < 2050 {
				b.AddASN1UTCTime(at)
			} else {
				b.AddASN1GeneralizedTime(at)
			}
		}))
	}
	u := &Unsigned{Attributes: set(cbasn1.SET, attrs), Algorithm: alg}
	for _, c := range chain {
		u.Chain = append(u.Chain, c.Raw)
	}
	return u, nil
}

// signable refuses what cannot be signed.
func signable(chain []*x509.Certificate, alg Algorithm, messageDigest []byte) error {
	if len(chain) == 0 {
		return fail(NoSigner, "no certificate was given")
	}
	if err := checkHash(alg.Hash); err != nil {
		return err
	}
	if err := checkKey(chain[0].PublicKey); err != nil {
		return err
	}
	if !alg.fits(chain[0].PublicKey) {
		return fail(Unsupported, "the signature algorithm does not fit the certificate's key")
	}
	if len(messageDigest) != alg.Hash.Size() {
		return fail(Malformed, "a digest of %d bytes is not one of %s", len(messageDigest), alg.Hash)
	}
	return nil
}

// Digest is the digest of the attributes as SET OF (RFC 5652, 5.4): what a key signs that is
// given hashes, so any but Ed25519. It names the preparation in any case.
func (u *Unsigned) Digest() []byte { return sum(u.Algorithm.Hash, u.Attributes) }

// ToBeSigned is what goes to the key: Digest, or for Ed25519 the attributes themselves
// (RFC 8419, 3.1), which a service that signs hashes cannot do.
func (u *Unsigned) ToBeSigned() []byte { return u.Algorithm.input(u.Attributes) }

// CheckValue verifies a raw signature value with the key of the leaf, before anything is
// published, and returns it as CMS wants it: ECDSA as DER, whichever of DER and r||s came.
func (u *Unsigned) CheckValue(value []byte) ([]byte, error) {
	leaf, err := u.leaf()
	if err != nil {
		return nil, err
	}
	input := u.ToBeSigned()
	if u.Algorithm.verify(leaf.PublicKey, input, value) {
		return value, nil
	}
	if der, ok := fromPlain(value); ok && u.Algorithm.Scheme == ECDSA && u.Algorithm.verify(leaf.PublicKey, input, der) {
		return der, nil
	}
	return nil, fail(Signature, "the signature value does not belong to this document and certificate")
}

// Complete makes the ContentInfo from the raw value and, if given, an RFC 3161 token over
// that value (see Token and SignatureValue). The value is checked again.
func (u *Unsigned) Complete(value, token []byte) ([]byte, error) {
	value, err := u.CheckValue(value)
	if err != nil {
		return nil, err
	}
	leaf, err := u.leaf()
	if err != nil {
		return nil, err
	}
	if len(token) > 0 {
		sd, err := Parse(token)
		if err != nil {
			return nil, err
		}
		if !sd.ContentType.Equal(OIDTSTInfo) {
			return nil, fail(Malformed, "the timestamp token is something else")
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(OIDSignedData)
		b.AddASN1(context(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { u.addSignedData(b, leaf, value, token) })
		})
	})
	return b.Bytes()
}

func (u *Unsigned) addSignedData(b *cryptobyte.Builder, leaf *x509.Certificate, value, token []byte) {
	b.AddASN1Int64(1)
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { AddHash(b, u.Algorithm.Hash) })
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(OIDData) })
	b.AddBytes(set(context(0), u.Chain))
	b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(1)
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes(leaf.RawIssuer)
				b.AddASN1BigInt(leaf.SerialNumber)
			})
			AddHash(b, u.Algorithm.Hash)
			// IMPLICIT [0] in the file, SET OF when hashed.
			b.AddBytes(append([]byte{0xa0}, u.Attributes[1:]...))
			u.Algorithm.addSignature(b)
			b.AddASN1OctetString(value)
			if len(token) > 0 {
				b.AddBytes(set(context(1), [][]byte{attribute(OIDTimeStampToken, func(b *cryptobyte.Builder) { b.AddBytes(token) })}))
			}
		})
	})
}

// Size is an upper bound in bytes of what Complete gives without a token.
func (u *Unsigned) Size() int {
	n := len(u.Attributes) + 512 + 2048
	for _, c := range u.Chain {
		n += len(c)
	}
	return n
}

func (u *Unsigned) leaf() (*x509.Certificate, error) {
	if len(u.Chain) == 0 || len(u.Attributes) < 2 || u.Attributes[0] != 0x31 || checkHash(u.Algorithm.Hash) != nil {
		return nil, fail(Malformed, "the stored preparation cannot be read")
	}
	return x509.ParseCertificate(u.Chain[0])
}

// SignLocal makes the value with a key that is at hand, for the command line and tests.
func SignLocal(u *Unsigned, key crypto.Signer) ([]byte, error) {
	return key.Sign(rand.Reader, u.ToBeSigned(), u.Algorithm.SignerOpts())
}

func attribute(oid []int, value func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, value)
	})
	return b.BytesOrPanic()
}

// addESS appends SigningCertificateV2. The hash is named unless it is the DEFAULT, SHA-256.
func addESS(b *cryptobyte.Builder, leaf *x509.Certificate, h crypto.Hash) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				if h != crypto.SHA256 {
					AddHash(b, h)
				}
				b.AddASN1OctetString(sum(h, leaf.Raw))
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1(context(4), func(b *cryptobyte.Builder) { b.AddBytes(leaf.RawIssuer) })
					})
					b.AddASN1BigInt(leaf.SerialNumber)
				})
			})
		})
	})
}

// addProtection appends CMSAlgorithmProtection: the digest algorithm and, IMPLICIT [1], the
// signature algorithm.
func addProtection(b *cryptobyte.Builder, alg Algorithm) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		AddHash(b, alg.Hash)
		var id cryptobyte.Builder
		alg.addSignature(&id)
		raw := id.BytesOrPanic()
		raw[0] = byte(context(1))
		b.AddBytes(raw)
	})
}

// set writes a SET OF in DER order (X.690, 11.6) under the given tag.
func set(tag cbasn1.Tag, elements [][]byte) []byte {
	sorted := append([][]byte(nil), elements...)
	sort.Slice(sorted, func(i, j int) bool { return bytes.Compare(sorted[i], sorted[j]) < 0 })
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, e := range sorted {
			b.AddBytes(e)
		}
	})
	return b.BytesOrPanic()
}

func context(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// fromPlain turns r||s into DER.
func fromPlain(value []byte) ([]byte, bool) {
	if len(value) == 0 || len(value)%2 != 0 || len(value) > 132 {
		return nil, false
	}
	half := len(value) / 2
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(value[:half]))
		b.AddASN1BigInt(new(big.Int).SetBytes(value[half:]))
	})
	der, err := b.Bytes()
	return der, err == nil
}
