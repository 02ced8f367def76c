package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes we accept
	_ "crypto/sha512"
	"encoding/asn1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Scheme is how a key signs a digest.
type Scheme int

// The schemes accepted.
const (
	PKCS1v15 Scheme = iota + 1
	PSS             // salt as long as the hash when signing
	ECDSA
)

// Algorithm is a hash and a scheme. It can be stored as JSON.
type Algorithm struct {
	Hash   crypto.Hash
	Scheme Scheme
	salt   int // PSS, when verifying: salt length; 0 means the hash's length
}

const minRSABits = 2048

// AlgorithmFor picks the algorithm for a signature algorithm OID as a CSC service names
// it, its DER parameters (RSASSA-PSS-params, may be nil), the key and the wished hash.
// An OID that implies a hash wins over h only if both agree; h may be zero then. An empty
// oid means the key's usual scheme. It refuses SHA-1, MD5, RSA below 2048 bits and curves
// other than P-256, P-384 and P-521.
func AlgorithmFor(oid string, params []byte, pub crypto.PublicKey, h crypto.Hash) (Algorithm, error) {
	if err := checkKey(pub); err != nil {
		return Algorithm{}, err
	}
	_, isRSA := pub.(*rsa.PublicKey)
	a := Algorithm{Hash: h}
	var implied crypto.Hash
	switch {
	case oid == "" && isRSA, oid == oidRSA.String():
		a.Scheme = PKCS1v15
	case oid == "", oid == oidECKey.String():
		a.Scheme = ECDSA
	case oid == oidPSS.String():
		a.Scheme = PSS
		if len(params) > 0 {
			got, err := parsePSS(params)
			if err != nil {
				return Algorithm{}, err
			}
			if got.salt != got.Hash.Size() {
				return Algorithm{}, fail(Unsupported, "PSS with a salt of %d bytes, where the hash has %d", got.salt, got.Hash.Size())
			}
			implied = got.Hash
		}
	default:
		got, ok := combined(oid)
		if !ok {
			return Algorithm{}, unknownAlgorithm(oid)
		}
		a.Scheme, implied = got.Scheme, got.Hash
	}
	if implied != 0 {
		if a.Hash != 0 && a.Hash != implied {
			return Algorithm{}, fail(Unsupported, "the signature algorithm means %s, the document was prepared with %s", implied, a.Hash)
		}
		a.Hash = implied
	}
	if a.Hash == 0 {
		a.Hash = crypto.SHA256
	}
	if err := checkHash(a.Hash); err != nil {
		return Algorithm{}, err
	}
	if isRSA == (a.Scheme == ECDSA) {
		return Algorithm{}, fail(Unsupported, "the signature algorithm does not fit the certificate's key")
	}
	return a, nil
}

func combined(oid string) (Algorithm, bool) {
	switch oid {
	case oidSHA256RSA.String():
		return Algorithm{Hash: crypto.SHA256, Scheme: PKCS1v15}, true
	case oidSHA384RSA.String():
		return Algorithm{Hash: crypto.SHA384, Scheme: PKCS1v15}, true
	case oidSHA512RSA.String():
		return Algorithm{Hash: crypto.SHA512, Scheme: PKCS1v15}, true
	case oidSHA256ECDSA.String():
		return Algorithm{Hash: crypto.SHA256, Scheme: ECDSA}, true
	case oidSHA384ECDSA.String():
		return Algorithm{Hash: crypto.SHA384, Scheme: ECDSA}, true
	case oidSHA512ECDSA.String():
		return Algorithm{Hash: crypto.SHA512, Scheme: ECDSA}, true
	}
	return Algorithm{}, false
}

func unknownAlgorithm(oid string) error {
	switch oid {
	case oidMD5RSA.String(), oidMD5.String():
		return fail(Weak, "MD5 is no longer safe")
	case oidSHA1RSA.String(), oidSHA1ECDSA.String(), oidSHA1.String():
		return fail(Weak, "SHA-1 is no longer safe")
	}
	return fail(Unsupported, "the algorithm %s is not supported", oid)
}

func checkHash(h crypto.Hash) error {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
		return nil
	case crypto.MD5, crypto.SHA1:
		return fail(Weak, "%s is no longer safe", h)
	}
	return fail(Unsupported, "the hash %s is not supported", h)
}

func checkKey(pub crypto.PublicKey) error {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSABits {
			return fail(Weak, "an RSA key of %d bits is no longer safe", k.N.BitLen())
		}
		// A modulus of 16,384 bits already takes a second to check.
		if k.N.BitLen() > 16384 {
			return fail(Unsupported, "an RSA key of %d bits is not supported", k.N.BitLen())
		}
		return nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256(), elliptic.P384(), elliptic.P521():
			return nil
		}
		return fail(Unsupported, "the elliptic curve %s is not supported", k.Curve.Params().Name)
	}
	return fail(Unsupported, "keys of the type %T are not supported", pub)
}

// Describe names algorithm and key for a person: "RSA-PSS 3072 with SHA-256".
func Describe(a Algorithm, pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if a.Scheme == PSS {
			return fmt.Sprintf("RSA-PSS %d with %s", k.N.BitLen(), a.Hash)
		}
		return fmt.Sprintf("RSA %d with %s", k.N.BitLen(), a.Hash)
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ECDSA %s with %s", k.Curve.Params().Name, a.Hash)
	}
	return a.Hash.String()
}

// verify checks a value over a digest. ECDSA values are DER.
func (a Algorithm) verify(pub crypto.PublicKey, digest, value []byte) bool {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if a.Scheme == PSS {
			salt := a.salt
			if salt == 0 {
				salt = a.Hash.Size()
			}
			return rsa.VerifyPSS(k, a.Hash, digest, value, &rsa.PSSOptions{SaltLength: salt, Hash: a.Hash}) == nil
		}
		return a.Scheme == PKCS1v15 && rsa.VerifyPKCS1v15(k, a.Hash, digest, value) == nil
	case *ecdsa.PublicKey:
		return a.Scheme == ECDSA && ecdsa.VerifyASN1(k, digest, value)
	}
	return false
}

// SignerOpts are what a crypto.Signer needs to make a value for this algorithm.
func (a Algorithm) SignerOpts() crypto.SignerOpts {
	if a.Scheme == PSS {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.Hash}
	}
	return a.Hash
}

func hashOID(h crypto.Hash) asn1.ObjectIdentifier {
	switch h {
	case crypto.SHA384:
		return oidSHA384
	case crypto.SHA512:
		return oidSHA512
	}
	return oidSHA256
}

// HashOf gives the hash an OID names. SHA-1 and MD5 are an error of kind Weak.
func HashOf(oid asn1.ObjectIdentifier) (crypto.Hash, error) {
	switch {
	case oid.Equal(oidSHA256):
		return crypto.SHA256, nil
	case oid.Equal(oidSHA384):
		return crypto.SHA384, nil
	case oid.Equal(oidSHA512):
		return crypto.SHA512, nil
	}
	return 0, unknownAlgorithm(oid.String())
}

// AddHash appends the AlgorithmIdentifier of a hash, without parameters (RFC 5754, 2).
func AddHash(b *cryptobyte.Builder, h crypto.Hash) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(hashOID(h)) })
}

// addSignature appends the AlgorithmIdentifier of the signature.
func (a Algorithm) addSignature(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		switch a.Scheme {
		case PSS:
			b.AddASN1ObjectIdentifier(oidPSS)
			b.AddBytes(PSSParameters(a.Hash))
		case ECDSA:
			b.AddASN1ObjectIdentifier(map[crypto.Hash]asn1.ObjectIdentifier{
				crypto.SHA256: oidSHA256ECDSA, crypto.SHA384: oidSHA384ECDSA, crypto.SHA512: oidSHA512ECDSA}[a.Hash])
		default:
			b.AddASN1ObjectIdentifier(map[crypto.Hash]asn1.ObjectIdentifier{
				crypto.SHA256: oidSHA256RSA, crypto.SHA384: oidSHA384RSA, crypto.SHA512: oidSHA512RSA}[a.Hash])
			b.AddASN1NULL()
		}
	})
}

// PSSParameters is the DER of RSASSA-PSS-params (RFC 4055, 3.1) with MGF1 on the same hash
// and a salt of the hash's length, as CSC's signAlgoParams wants it.
func PSSParameters(h crypto.Hash) []byte {
	var b cryptobyte.Builder
	withNull := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(hashOID(h))
			b.AddASN1NULL()
		})
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(context(0), withNull)
		b.AddASN1(context(1), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidMGF1)
				withNull(b)
			})
		})
		b.AddASN1(context(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(h.Size())) })
	})
	return b.BytesOrPanic()
}

func parsePSS(der []byte) (Algorithm, error) {
	bad := fail(Malformed, "the PSS parameters cannot be read")
	in := cryptobyte.String(der)
	var seq, part cryptobyte.String
	var has bool
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return Algorithm{}, bad
	}
	if !seq.ReadOptionalASN1(&part, &has, context(0)) {
		return Algorithm{}, bad
	}
	if !has {
		return Algorithm{}, fail(Weak, "SHA-1 is no longer safe") // the DEFAULT of RFC 4055
	}
	id, ok := readAlgorithm(&part)
	if !ok {
		return Algorithm{}, bad
	}
	h, err := HashOf(id.oid)
	if err != nil {
		return Algorithm{}, err
	}
	if !seq.ReadOptionalASN1(&part, &has, context(1)) || !has {
		return Algorithm{}, bad
	}
	mgf, ok := readAlgorithm(&part)
	if !ok || !mgf.oid.Equal(oidMGF1) {
		return Algorithm{}, bad
	}
	inner := cryptobyte.String(mgf.params)
	mgfHash, ok := readAlgorithm(&inner)
	if !ok || !mgfHash.oid.Equal(id.oid) {
		return Algorithm{}, fail(Unsupported, "PSS with two different hashes is not supported")
	}
	salt, trailer := 20, 1
	if !seq.ReadOptionalASN1(&part, &has, context(2)) || has && (!part.ReadASN1Integer(&salt) || !part.Empty()) ||
		!seq.ReadOptionalASN1(&part, &has, context(3)) || has && (!part.ReadASN1Integer(&trailer) || !part.Empty()) ||
		!seq.Empty() || salt <= 0 || salt > 512 || trailer != 1 {
		return Algorithm{}, bad
	}
	return Algorithm{Hash: h, Scheme: PSS, salt: salt}, nil
}
