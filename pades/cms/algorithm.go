package cms

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Scheme is how a key signs.
type Scheme int

// The schemes accepted.
const (
	PKCS1v15 Scheme = iota + 1
	PSS             // salt as long as the hash when signing
	ECDSA
	Ed25519 // with SHA-512, and over the attributes themselves (RFC 8419, 3.1)
)

// Algorithm is a hash and a scheme. It can be stored as JSON.
type Algorithm struct {
	Hash   crypto.Hash
	Scheme Scheme

	// PSS as read from a signature. Without a hash for the mask it is as we sign: mask with
	// Hash, and a salt of its length.
	mask crypto.Hash
	salt int
}

// AlgorithmFor picks the algorithm for a signature algorithm OID as a CSC service names
// it, its DER parameters (RSASSA-PSS-params, may be nil), the key and the wished hash.
// An OID that implies a hash wins over h only if both agree; h may be zero then. An empty
// oid means the key's usual scheme. It refuses SHA-1, MD5, SHA-224, SHA-3 (few readers know
// it), RSA below 2048 bits and curves other than P-256, P-384, P-521 and Ed25519.
func AlgorithmFor(oid string, params []byte, pub crypto.PublicKey, h crypto.Hash) (Algorithm, error) {
	if err := checkKey(pub); err != nil {
		return Algorithm{}, err
	}
	a := Algorithm{Hash: h, Scheme: usual(pub)}
	var implied crypto.Hash
	switch {
	case oid == "":
	case oid == oidRSA.String():
		a.Scheme = PKCS1v15
	case oid == oidECKey.String():
		a.Scheme = ECDSA
	case oid == oidPSS.String():
		a.Scheme = PSS
		if len(params) > 0 {
			got, err := parsePSS(params)
			if err != nil {
				return Algorithm{}, err
			}
			if got.mask != got.Hash {
				return Algorithm{}, fail(Unsupported, "PSS with two different hashes is not supported")
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
	if a.Scheme == Ed25519 {
		implied = crypto.SHA512
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
	if !a.fits(pub) {
		return Algorithm{}, fail(Unsupported, "the signature algorithm does not fit the certificate's key")
	}
	return a, nil
}

func usual(pub crypto.PublicKey) Scheme {
	switch pub.(type) {
	case *rsa.PublicKey:
		return PKCS1v15
	case *ecdsa.PublicKey:
		return ECDSA
	}
	return Ed25519
}

func (a Algorithm) fits(pub crypto.PublicKey) bool {
	return a.Scheme == usual(pub) || a.Scheme == PSS && usual(pub) == PKCS1v15
}

const minRSABits = 2048

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
	case ed25519.PublicKey:
		if len(k) == ed25519.PublicKeySize {
			return nil
		}
	}
	return fail(Unsupported, "keys of the type %T are not supported", pub)
}

// Describe names algorithm and key for a person: "RSA-PSS 3072 with SHA-256", "Ed25519".
func Describe(a Algorithm, pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if a.Scheme == PSS {
			return fmt.Sprintf("RSA-PSS %d with %s", k.N.BitLen(), a.Hash)
		}
		return fmt.Sprintf("RSA %d with %s", k.N.BitLen(), a.Hash)
	case *ecdsa.PublicKey:
		return fmt.Sprintf("ECDSA %s with %s", k.Curve.Params().Name, a.Hash)
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return a.Hash.String()
}

// input is what a key gets for a message: its digest, or for Ed25519 the message.
func (a Algorithm) input(message []byte) []byte {
	if a.Scheme == Ed25519 {
		return message
	}
	return sum(a.Hash, message)
}

// verify checks a value over what input gave. ECDSA values are DER.
func (a Algorithm) verify(pub crypto.PublicKey, input, value []byte) bool {
	if !a.fits(pub) {
		return false
	}
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if a.Scheme == PSS {
			return a.verifyPSS(k, input, value)
		}
		return rsa.VerifyPKCS1v15(k, a.Hash, input, value) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, input, value)
	case ed25519.PublicKey:
		return ed25519.Verify(k, input, value)
	}
	return false
}

// SignerOpts are what a crypto.Signer needs to make a value for this algorithm.
func (a Algorithm) SignerOpts() crypto.SignerOpts {
	switch a.Scheme {
	case PSS:
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.Hash}
	case Ed25519:
		return crypto.Hash(0)
	}
	return a.Hash
}

// AddHash appends the AlgorithmIdentifier of a hash, without parameters (RFC 5754, 2).
func AddHash(b *cryptobyte.Builder, h crypto.Hash) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(hashOID(h)) })
}

// addSignature appends the AlgorithmIdentifier of the signature.
func (a Algorithm) addSignature(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if a.Scheme == PSS {
			b.AddASN1ObjectIdentifier(oidPSS)
			b.AddBytes(PSSParameters(a.Hash))
			return
		}
		for _, c := range combinations {
			if c.Hash == a.Hash && c.Scheme == a.Scheme {
				b.AddASN1ObjectIdentifier(c.oid)
			}
		}
		if a.Scheme == PKCS1v15 { // the others have no parameters (RFC 5758, 3.2; RFC 8410, 3)
			b.AddASN1NULL()
		}
	})
}
