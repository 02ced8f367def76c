package pades_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/padestest"
	"countersign/pades/pdf/pdftest"
)

// manyObjects is a file of small objects that are all in use.
func manyObjects(n int, joined bool) []byte {
	b := pdftest.New("%PDF-1.7\n")
	b.Joined = joined
	b.Pages(1, "/PieceInfo 10 0 R")
	for i := range n {
		b.Object(10+i, fmt.Sprintf("<</Type /Example /Next %d 0 R /Name (Object %d) /Values [1 2 3 %d]>>", 10+(i+1)%n, i, i))
	}
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

// The budget of work is for hostile files: an honest one with hundreds of thousands of
// objects, signed by two and archived, is read through several times and still passes.
func TestAFileOfManyObjectsIsCarriedThroughEveryLevel(t *testing.T) {
	p := pki(t)
	ada, bea := p.Issue("Ada Example", padestest.Key(), nil), p.Issue("Bea Example", padestest.Key(), nil)
	file := timestamped(t, p, timestamped(t, p, manyObjects(150_000, false), ada, pades.Options{}), bea, pades.Options{})
	lta, _ := extend(t, file, extension(p, "B-LTA"))
	require.Equal(t, "B-LTA", passes(t, p, lta, p.Now()))
	require.True(t, bytes.HasPrefix(lta, file))
}

// However many signed versions a file has, what they have in common is read once.
func TestAFileOfManyObjectsAndSignaturesIsVerified(t *testing.T) {
	n := 400_000
	if raced {
		n = 100_000
	}
	file := manyObjects(n, true)
	for range 4 {
		file = signFile(t, file, signing{})
	}
	var r pades.Result
	heap, cost := held(t, func() { r = check(t, file) })
	t.Logf("%d objects, 4 signatures: %d kB, %d MB held, %v", n, len(file)>>10, heap>>20, cost.Round(time.Millisecond))
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	require.Len(t, r.Signatures, 4)
	require.Less(t, heap, uint64(64<<20))
	require.Less(t, cost, costMost)
}
