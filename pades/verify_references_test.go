package pades_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

// All versions are searched in one pass for what an update slips under them: each signature
// that the reference was under is told, and the one that came after has seen what was added.
func TestAnObjectThatSeveralVersionsWaitedForIsToldOfEach(t *testing.T) {
	file := waiting()
	for range 3 {
		file = signFile(t, file, signing{})
	}
	signed := bytes.Clone(file)
	store := func(cert string) []byte {
		return update(signed, map[int]string{1: catalogWith(signed, "/DSS <</Certs ["+cert+" 0 R]>>"),
			90: "<</Length 4>>\nstream\n0 g \nendstream", 91: "<</Length 4>>\nstream\n0 g \nendstream"}, "")
	}
	withdrawn := func(b []byte) (told int) {
		r := check(t, b)
		for _, s := range r.Signatures {
			if s.Indication != pades.TotalPassed {
				told++
			}
		}
		if told > 0 {
			require.Contains(t, report(r), "the signed version was waiting for (object 90)")
		}
		return told
	}
	require.Equal(t, 3, withdrawn(store("90")))
	require.Equal(t, 3, withdrawn(signFile(t, store("90"), signing{})), "the fourth covers what was added")
	once := signFile(t, paper(), signing{})
	once = update(once, map[int]string{1: catalogWith(once, "/DSS <</Certs [80 0 R]>>"), 80: "<</Length 1>>\nstream\nx\nendstream"}, "")
	require.Equal(t, 0, withdrawn(signFile(t, once, signing{})), "nothing waited for it")
}
