package pades_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

// FuzzPrepare holds that what is prepared can be read again, with one signature more, and
// that everything else is an error.
func FuzzPrepare(f *testing.F) {
	f.Add(pdftest.Plain(2))
	f.Add(pdftest.Packed())
	f.Add(fieldFile("/Lock <</Action /All>>"))
	f.Add(bytes.Replace(pdftest.Packed(), []byte("startxref\n"), []byte("startxref\n9"), 1))
	s := ecSigner()
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = pades.Inspect(bytes.NewReader(b), int64(len(b)))
		p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when})
		if err != nil {
			return
		}
		var earlier int
		if d, err := pdf.Open(bytes.NewReader(b), int64(len(b))); err == nil {
			sigs, _ := d.Signatures()
			earlier = len(sigs)
		}
		out := append(bytes.Clone(b), p.Delta...)
		d, err := pdf.OpenStrict(bytes.NewReader(out), int64(len(out)))
		require.NoError(t, err)
		sigs, err := d.Signatures()
		require.NoError(t, err)
		require.Len(t, sigs, earlier+1)
	})
}
