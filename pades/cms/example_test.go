package cms_test

import (
	"crypto/ed25519"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"countersign/pades/cms"
)

// The two phases: what is stored between them needs no key, and the key sees no document.
func Example() {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	raw, _ := x509.CreateCertificate(nil, template, template, key.Public(), key)
	certificate, _ := x509.ParseCertificate(raw)

	// First: the attributes over the content's digest.
	algorithm, err := cms.AlgorithmFor("", nil, certificate.PublicKey, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	digest := sha512.Sum512([]byte("the signed bytes"))
	unsigned, err := cms.NewUnsigned([]*x509.Certificate{certificate}, algorithm, digest[:])
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, _ := json.Marshal(unsigned)

	// Second, perhaps days later: the value, made anywhere.
	var back cms.Unsigned
	_ = json.Unmarshal(stored, &back)
	value := ed25519.Sign(key, back.ToBeSigned())
	der, err := back.Complete(value, nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	// Anybody: is it good, and whose is it?
	data, _ := cms.Parse(der)
	signer, _ := data.One()
	v, err := data.Verify(signer, digest[:])
	fmt.Println(cms.Describe(v.Algorithm, cms.PublicKey(v.Certificate)), v.Certificate.Equal(certificate), err)
	// Output: Ed25519 true <nil>
}
