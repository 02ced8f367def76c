package cms_test

import (
	"bytes"
	"testing"

	"countersign/pades/cms"
)

// FuzzParse looks for panics, and for a changed structure that verifies all the same.
func FuzzParse(f *testing.F) {
	id := issue(f, rsaKey())
	for _, oid := range []string{"1.2.840.113549.1.1.11", "1.2.840.113549.1.1.10"} {
		der, _, _ := sign(f, id, oid, 0)
		f.Add(der)
	}
	f.Add([]byte{0x30, 0x80, 0x06, 0x09})
	f.Add(bytes.Repeat([]byte{0x30, 0x82, 0x01, 0x00}, 64))
	f.Fuzz(func(t *testing.T, der []byte) {
		body, _ := cms.Trim(der)
		sd, err := cms.Parse(body)
		if err != nil {
			return
		}
		_ = sd.Oddities(true)
		for _, s := range sd.Signers {
			_, _ = s.Token()
			h, err := s.Hash()
			if err != nil {
				continue
			}
			d := h.New()
			d.Write(content)
			v, err := sd.Verify(s, d.Sum(nil))
			if err == nil && v.Certificate == nil {
				t.Fatal("verified without a certificate")
			}
		}
	})
}
