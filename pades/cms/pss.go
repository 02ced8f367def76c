package cms

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

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

// parsePSS reads RSASSA-PSS-params. A weak hash is no error here.
func parsePSS(der []byte) (Algorithm, error) {
	bad := fail(Malformed, "the PSS parameters cannot be read")
	// The DEFAULTs of RFC 4055.
	a := Algorithm{Hash: crypto.SHA1, Scheme: PSS, mask: crypto.SHA1, salt: 20}
	in := cryptobyte.String(der)
	var seq, part cryptobyte.String
	var has bool
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadOptionalASN1(&part, &has, context(0)) {
		return a, bad
	}
	var err error
	if has {
		if a.Hash, err = onlyHash(part, bad); err != nil {
			return a, err
		}
	}
	if !seq.ReadOptionalASN1(&part, &has, context(1)) {
		return a, bad
	}
	if has {
		mgf, ok := readAlgorithm(&part)
		if !ok || !part.Empty() || !mgf.oid.Equal(oidMGF1) {
			return a, bad
		}
		if a.mask, err = onlyHash(mgf.params, bad); err != nil {
			return a, err
		}
	}
	trailer := 1
	if !seq.ReadOptionalASN1(&part, &has, context(2)) || has && (!part.ReadASN1Integer(&a.salt) || !part.Empty()) ||
		!seq.ReadOptionalASN1(&part, &has, context(3)) || has && (!part.ReadASN1Integer(&trailer) || !part.Empty()) ||
		!seq.Empty() || a.salt < 0 || a.salt > 512 || trailer != 1 {
		return a, bad
	}
	return a, nil
}

// onlyHash reads one hash's AlgorithmIdentifier, weak ones too.
func onlyHash(der []byte, bad error) (crypto.Hash, error) {
	in := cryptobyte.String(der)
	id, ok := readAlgorithm(&in)
	if !ok || !in.Empty() {
		return 0, bad
	}
	h, err := HashOf(id.oid)
	if h == 0 {
		return 0, err
	}
	return h, nil
}

// verifyPSS checks a value. The standard library knows only masks of the same hash, and takes
// an empty salt for any salt.
func (a Algorithm) verifyPSS(k *rsa.PublicKey, digest, value []byte) bool {
	mask, salt := a.mask, a.salt
	if mask == 0 {
		mask, salt = a.Hash, a.Hash.Size()
	}
	if mask == a.Hash && salt > 0 {
		return rsa.VerifyPSS(k, a.Hash, digest, value, &rsa.PSSOptions{SaltLength: salt, Hash: a.Hash}) == nil
	}
	v := new(big.Int).SetBytes(value)
	if len(value) != k.Size() || v.Cmp(k.N) >= 0 || k.E < 3 || k.E&1 == 0 || k.N.Bit(0) == 0 {
		return false
	}
	v.Exp(v, big.NewInt(int64(k.E)), k.N)
	bits := k.N.BitLen() - 1
	if v.BitLen() > bits {
		return false
	}
	return emsaPSS(v.FillBytes(make([]byte, (bits+7)/8)), bits, digest, a.Hash, mask, salt)
}

// emsaPSS is EMSA-PSS-VERIFY (RFC 8017, 9.1.2) over an encoded message of so many bits.
func emsaPSS(em []byte, bits int, digest []byte, h, mask crypto.Hash, salt int) bool {
	size := h.Size()
	if len(digest) != size || len(em) < size+salt+2 || em[len(em)-1] != 0xbc {
		return false
	}
	db, given := em[:len(em)-size-1], em[len(em)-size-1:len(em)-1]
	mgf1(db, mask, given)
	db[0] &= 0xff >> (8*len(em) - bits)
	zeros := len(db) - salt - 1
	if len(bytes.Trim(db[:zeros], "\x00")) != 0 || db[zeros] != 1 {
		return false
	}
	d := h.New()
	d.Write(make([]byte, 8))
	d.Write(digest)
	d.Write(db[zeros+1:])
	return subtle.ConstantTimeCompare(d.Sum(nil), given) == 1
}

// mgf1 masks out with MGF1 of a seed (RFC 8017, B.2.1).
func mgf1(out []byte, h crypto.Hash, seed []byte) {
	for n := uint32(0); len(out) > 0; n++ {
		block := sum(h, binary.BigEndian.AppendUint32(bytes.Clone(seed), n))
		out = out[subtle.XORBytes(out, out, block):]
	}
}
