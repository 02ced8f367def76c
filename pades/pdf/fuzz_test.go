package pdf_test

import (
	"bytes"
	"testing"

	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

// FuzzOpen reads everything the engine reads of a file; nothing may panic or hang.
func FuzzOpen(f *testing.F) {
	f.Add(pdftest.Plain(2))
	f.Add(pdftest.Packed())
	f.Add(secret())
	f.Add(bytes.Replace(pdftest.Plain(1), []byte("startxref\n"), []byte("startxref\n9"), 1))
	f.Add([]byte("%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>2 0 obj<</Kids[3 0 R]>>3 0 obj<<>>trailer<</Root 1 0 R>>"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		d, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{})
		if err != nil {
			return
		}
		_, _ = d.PageCount()
		_, _ = d.FirstPage()
		_, _ = d.Signatures()
		_, _, _ = d.Perms()
		_, _ = d.DSS(1 << 20)
		if revs, err := d.Revisions(); err == nil {
			for _, r := range revs {
				_, _ = d.Changed(r)
				_, _ = d.At(r.End)
			}
		}
	})
}
