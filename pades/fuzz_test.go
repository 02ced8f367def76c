package pades_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

// holds checks that what is prepared can be read again, with one signature more, and that
// everything else is an error.
func holds(t *testing.T, b []byte, s signer) {
	_, _ = pades.Inspect(bytes.NewReader(b), int64(len(b)))
	p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when})
	if err != nil {
		return
	}
	var earlier int
	if d, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{}); err == nil {
		sigs, _ := d.Signatures()
		earlier = len(sigs)
	}
	out := append(bytes.Clone(b), p.Delta...)
	d, err := pdf.OpenStrict(bytes.NewReader(out), int64(len(out)), pdf.Options{})
	require.NoError(t, err)
	sigs, err := d.Signatures()
	require.NoError(t, err)
	require.Equal(t, earlier+1, len(sigs), "signatures")
}

func FuzzPrepare(f *testing.F) {
	f.Add(pdftest.Plain(2))
	f.Add(pdftest.Packed())
	f.Add(fieldFile("/Lock <</Action /All>>"))
	f.Add(bytes.Replace(pdftest.Packed(), []byte("startxref\n"), []byte("startxref\n9"), 1))
	s := ecSigner()
	f.Fuzz(func(t *testing.T, b []byte) { holds(t, b, s) })
}

// TestFilesWithARandomWoundAreSignedOrRefused changes a few bytes of foreign files, mostly
// near their ends, where the structure is.
func TestFilesWithARandomWoundAreSignedOrRefused(t *testing.T) {
	files := must(filepath.Glob(filepath.Join(corpus(t), "*", "*.pdf")))
	rounds := must(strconv.Atoi(cmp.Or(os.Getenv("COUNTERSIGN_WOUNDS"), "3")))
	s, rnd := ecSigner(), rand.New(rand.NewPCG(1, 2))
	for _, path := range files {
		whole := must(os.ReadFile(path))
		for round := range rounds {
			b := wound(whole, rnd)
			begun := time.Now()
			ok := t.Run(fmt.Sprintf("%s-%d", filepath.Base(path), round), func(t *testing.T) { holds(t, b, s) })
			require.Less(t, time.Since(begun), 20*time.Second, path)
			if !ok {
				keep := filepath.Join(os.TempDir(), fmt.Sprintf("wound-%d-%s", round, filepath.Base(path)))
				_ = os.WriteFile(keep, b, 0o600)
				t.Log("kept as", keep)
			}
		}
	}
}

func wound(whole []byte, rnd *rand.Rand) []byte {
	b := bytes.Clone(whole)
	for range 1 + rnd.IntN(4) {
		if len(b) == 0 {
			return b
		}
		at := rnd.IntN(len(b))
		if rnd.IntN(2) == 0 {
			at = max(0, len(b)-1-rnd.IntN(1500))
		}
		switch rnd.IntN(5) {
		case 0:
			b[at] = byte(rnd.IntN(256))
		case 1:
			b[at] = "0123456789"[rnd.IntN(10)]
		case 2:
			b = append(b[:at], b[min(len(b), at+1+rnd.IntN(30)):]...)
		case 3:
			from := rnd.IntN(len(b))
			b = slices.Insert(b, at, bytes.Clone(b[from:min(len(b), from+rnd.IntN(60))])...)
		case 4:
			if rnd.IntN(4) == 0 {
				b = b[:at+1]
			}
		}
	}
	return b
}
