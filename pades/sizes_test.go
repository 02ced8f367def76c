package pades_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/pdf/pdftest"
)

// joined is a large file and what was appended to it.
type joined struct {
	*pdftest.Large
	delta []byte
}

func (j joined) ReadAt(p []byte, at int64) (n int, err error) {
	if size := j.Size(); at < size {
		if n, err = j.Large.ReadAt(p[:min(int64(len(p)), size-at)], at); err != nil || n == len(p) {
			return n, err
		}
	}
	k, err := bytes.NewReader(j.delta).ReadAt(p[n:], at+int64(n)-j.Size())
	return n + k, err
}

// U14: offsets of eight, nine and ten digits, and the sizes at which others broke.
func TestEveryNumberOfDigitsIsSigned(t *testing.T) {
	a := theAuthority()
	for _, size := range []int64{99_999_999, 100_000_000, 999_999_999, 1_000_000_000, 1 << 30} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			zeros := size
			for range 3 { // the file's own numbers have as many digits as they need
				zeros += size - pdftest.NewLarge(zeros).Size()
			}
			large := pdftest.NewLarge(zeros)
			require.Equal(t, size, large.Size())
			p, err := pades.Prepare(large, size, pades.Options{Chain: a.chain(), Time: a.now})
			require.NoError(t, err)
			value, err := cms.SignLocal(p.Unsigned, a.signerKey)
			require.NoError(t, err)
			delta, err := p.Complete(value, nil)
			require.NoError(t, err)
			whole := joined{large, delta}
			r, err := pades.Verify(context.Background(), whole, size+int64(len(delta)), pades.VerifyOptions{Roots: a.roots})
			require.NoError(t, err)
			require.Equal(t, pades.TotalPassed, r.Indication, report(r))
			require.True(t, r.Signatures[0].CoversAll)
		})
	}
}
