package cms_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/cms"
)

// Masks of another hash are checked by code of our own, so each step of EMSA-PSS-VERIFY
// (RFC 8017, 9.1.2) gets an encoded message that is wrong only there.
func TestEveryPartOfAPSSValueIsChecked(t *testing.T) {
	p := newPeer(t, "RSA", "rsa_keygen_bits:2048")
	der := p.sign("-noattr", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:8", "-keyopt", "rsa_mgf1_md:sha1")
	raw, err := os.ReadFile(p.path("k.pem"))
	require.NoError(t, err)
	block, _ := pem.Decode(raw)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	key := parsed.(*rsa.PrivateKey)

	const salt = 8
	zeros := 256 - 32 - 1 - salt - 1
	for name, c := range map[string]struct {
		data    func(db []byte) // before it is masked
		encoded func(em []byte) // after
		hashed  func(m []byte)  // what the inner hash is made of
		good    bool
	}{
		"as it must be":   {good: true},
		"another marker":  {data: func(db []byte) { db[zeros] = 2 }},
		"no marker":       {data: func(db []byte) { db[zeros] = 0 }},
		"dirty zeros":     {data: func(db []byte) { db[zeros-1] = 1 }},
		"dirty first":     {data: func(db []byte) { db[0] = 1 }},
		"another salt":    {data: func(db []byte) { db[zeros+1] ^= 1 }},
		"another trailer": {encoded: func(em []byte) { em[255] = 0xcc }},
		"another hash":    {hashed: func(m []byte) { m[8] ^= 1 }},
		"padding one":     {hashed: func(m []byte) { m[0] = 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			m := append(append(make([]byte, 8), digest(crypto.SHA256, content)...), "saltsalt"...)
			if c.hashed != nil {
				c.hashed(m)
			}
			h := digest(crypto.SHA256, m)
			db := append(append(make([]byte, zeros), 1), "saltsalt"...)
			if c.data != nil {
				c.data(db)
			}
			for i := 0; i < len(db); i += 20 {
				for j, b := range digest(crypto.SHA1, binary.BigEndian.AppendUint32(bytes.Clone(h), uint32(i/20))) {
					if i+j < len(db) {
						db[i+j] ^= b
					}
				}
			}
			db[0] &= 0x7f
			em := append(append(db, h...), 0xbc)
			if c.encoded != nil {
				c.encoded(em)
			}
			v := new(big.Int).Exp(new(big.Int).SetBytes(em), key.D, key.N)
			made := bytes.Clone(der)
			copy(made[len(made)-256:], v.FillBytes(make([]byte, 256)))
			_, err := verify(t, made, content)
			if c.good {
				require.NoError(t, err)
				return
			}
			require.Equal(t, cms.Signature, cms.KindOf(err), err)
		})
	}
}
