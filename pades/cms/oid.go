package cms

import (
	"crypto"
	_ "crypto/md5"  //nolint:gosec // only to tell whether an old signature still fits
	_ "crypto/sha1" //nolint:gosec // likewise
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"encoding/asn1"
)

// Algorithms with parameters or keys of their own.
var (
	oidRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidMGF1  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidPSS   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidECKey = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
)

// hashes are those that can be computed. Which are accepted is checkHash's matter.
var hashes = []struct {
	oid  asn1.ObjectIdentifier
	hash crypto.Hash
}{
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, crypto.SHA256},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, crypto.SHA384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, crypto.SHA512},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 8}, crypto.SHA3_256}, // PDF: ISO/TS 32001
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 9}, crypto.SHA3_384},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 10}, crypto.SHA3_512},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 4}, crypto.SHA224},
	{asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, crypto.SHA1},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 5}, crypto.MD5},
}

// combinations are the signature algorithms that name their hash.
var combinations = []struct {
	oid asn1.ObjectIdentifier
	Algorithm
}{
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Algorithm{Hash: crypto.SHA256, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, Algorithm{Hash: crypto.SHA384, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, Algorithm{Hash: crypto.SHA512, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, Algorithm{Hash: crypto.SHA256, Scheme: ECDSA}},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}, Algorithm{Hash: crypto.SHA384, Scheme: ECDSA}},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}, Algorithm{Hash: crypto.SHA512, Scheme: ECDSA}},
	{asn1.ObjectIdentifier{1, 3, 101, 112}, Algorithm{Hash: crypto.SHA512, Scheme: Ed25519}},

	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 14}, Algorithm{Hash: crypto.SHA3_256, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 15}, Algorithm{Hash: crypto.SHA3_384, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 16}, Algorithm{Hash: crypto.SHA3_512, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 10}, Algorithm{Hash: crypto.SHA3_256, Scheme: ECDSA}},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 11}, Algorithm{Hash: crypto.SHA3_384, Scheme: ECDSA}},
	{asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 12}, Algorithm{Hash: crypto.SHA3_512, Scheme: ECDSA}},

	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 14}, Algorithm{Hash: crypto.SHA224, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 1}, Algorithm{Hash: crypto.SHA224, Scheme: ECDSA}},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, Algorithm{Hash: crypto.SHA1, Scheme: PKCS1v15}},
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}, Algorithm{Hash: crypto.SHA1, Scheme: ECDSA}},
	{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 4}, Algorithm{Hash: crypto.MD5, Scheme: PKCS1v15}},
}

// names of what is met and not supported.
var names = map[string]string{
	"1.3.101.113": "Ed448", "1.2.840.10040.4.3": "DSA", "2.16.840.1.101.3.4.3.2": "DSA",
	"2.16.840.1.101.3.4.2.12": "SHAKE256", "1.3.36.3.2.1": "RIPEMD-160", "1.2.156.10197.1.501": "SM2",
	"1.2.840.10045.3.1.1": "P-192", "1.3.132.0.10": "secp256k1", "1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1",
	"1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
}

func nameOf(oid string) string {
	if name, ok := names[oid]; ok {
		return name
	}
	return oid
}

func combined(oid string) (Algorithm, bool) {
	for _, c := range combinations {
		if c.oid.String() == oid {
			return c.Algorithm, true
		}
	}
	return Algorithm{}, false
}

func hashOID(h crypto.Hash) asn1.ObjectIdentifier {
	for _, x := range hashes {
		if x.hash == h {
			return x.oid
		}
	}
	return nil
}

// HashOf gives the hash an OID names. For MD5, SHA-1 and SHA-224 it gives an error of kind
// Weak beside the hash; for hashes that are not known the hash is zero. SHA-224 is weak
// because the list of agreed mechanisms (SOG-IS, followed by ETSI TS 119 312) has it as a
// legacy that ended in 2025; SHA-3 is on that list and may be verified.
func HashOf(oid asn1.ObjectIdentifier) (crypto.Hash, error) {
	for _, x := range hashes {
		if !x.oid.Equal(oid) {
			continue
		}
		err := checkHash(x.hash)
		if KindOf(err) == Unsupported {
			err = nil // SHA-3: not for signing
		}
		return x.hash, err
	}
	return 0, unknownAlgorithm(oid.String())
}

// checkHash tells whether we sign with a hash.
func checkHash(h crypto.Hash) error {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512:
		return nil
	case crypto.MD5, crypto.SHA1:
		return fail(Weak, "%s is no longer safe", h)
	case crypto.SHA224:
		return fail(Weak, "%s is no longer accepted", h)
	}
	return fail(Unsupported, "the hash %s is not supported", h)
}

func unknownAlgorithm(oid string) error {
	return fail(Unsupported, "the algorithm %s is not supported", nameOf(oid))
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
