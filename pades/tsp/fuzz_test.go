package tsp_test

import (
	"bytes"
	"math/big"
	"testing"
	"time"

	"countersign/pades/tsp"
)

// FuzzToken looks for panics, and for a token that another digest would do for.
func FuzzToken(f *testing.F) {
	f.Add(seed(f))
	f.Add([]byte{0x30, 0x80, 0x06, 0x09})
	f.Fuzz(func(t *testing.T, der []byte) {
		token, err := tsp.ParseToken(der)
		if err != nil {
			return
		}
		_ = token.Oddities()
		if token.Check(sum("value"), nil) == nil && !bytes.Equal(token.Imprint, sum("value")) {
			t.Fatal("checked for another digest")
		}
	})
}

// FuzzResponse looks for panics, and for more bytes than the answer had.
func FuzzResponse(f *testing.F) {
	f.Add(granted(seed(f)))
	f.Add([]byte{0x30, 20, 0x30, 18, 2, 1, 2, 0x30, 6, 0x0c, 4, 'n', 'o', 0x1b, 0xff, 3, 5, 0, 0x80, 1, 0, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		token, err := tsp.ParseResponse(der)
		if err == nil && !bytes.Contains(der, token) {
			t.Fatal("the token is not from the answer")
		}
	})
}

func seed(f *testing.F) []byte {
	f.Helper()
	forged := newForger(f, "critical,timeStamping", past, future, "-cades", "-md", "sha256")
	var s statement
	s.Version, s.Policy, s.Time = 1, []int{1, 2, 3, 4}, time.Now().UTC()
	s.Imprint.Algorithm.OID, s.Imprint.Digest = []int{2, 16, 840, 1, 101, 3, 4, 2, 1}, sum("value")
	s.Serial = big.NewInt(1)
	return forged.token(f, s)
}
