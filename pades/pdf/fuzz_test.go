package pdf_test

import (
	"bytes"
	"runtime"
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

// within opens a fuzzed file and fails on what took too much memory: what a file makes us
// hold is bounded by its size and the limits.
func within(t *testing.T, b []byte, read func(*pdf.File)) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if d, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{}); err == nil {
		read(d)
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 256<<20 {
		t.Fatalf("%d bytes made %d MB", len(b), got>>20)
	}
}

// formed is a file with a form of the given objects, from number 4 on.
func formed(fields string, objects ...string) []byte {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields "+fields+">>")
	for i, o := range objects {
		b.Object(4+i, o)
	}
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

// FuzzFields reads the form: names are whole, nothing is its own parent for ever.
func FuzzFields(f *testing.F) {
	f.Add(formed("[4 0 R]", "<</T (a) /FT /Sig /Kids [5 0 R]>>", "<</T (b) /Parent 4 0 R /V 6 0 R>>", "<</Type /Sig /ByteRange [0 1 2 3] /Contents <00>>>"))
	f.Add(formed("[4 0 R 4 0 R]", "<</T (a) /Kids [4 0 R 5 0 R]>>", "<</Kids [4 0 R]>>"))
	f.Add(formed("4 0 R", "[5 0 R <</T (direct) /FT /Tx /V (x)>>]", "<</T <FEFF00E4> /FT /Sig /Lock <</Action /All>> /SV <</Ff 1>>>>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		within(t, b, func(d *pdf.File) {
			form, err := d.Form()
			if err != nil {
				return
			}
			for _, fd := range form.Fields {
				if o, err := d.FieldDict(fd); err == nil && o == nil {
					t.Fatal("a field without a dictionary")
				}
				_, _, _ = d.Lock(fd)
			}
			sigs, err := d.SignaturesOf(form)
			if err == nil && len(sigs) > len(form.Fields) {
				t.Fatal("more signatures than fields")
			}
		})
	})
}

// FuzzPages walks the page tree: it ends, and every page that is counted is a dictionary.
func FuzzPages(f *testing.F) {
	f.Add(pdftest.Plain(3))
	f.Add([]byte("%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[2 0 R 3 0 R]/Count 9>>endobj 3 0 obj<</Kids[2 0 R]>>endobj trailer<</Root 1 0 R>>"))
	f.Add([]byte("%PDF-1.7\n1 0 obj<</Pages<</Kids[<</Kids[null<</Type/Page>>]>>]>>>>endobj trailer<</Root 1 0 R>>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		within(t, b, func(d *pdf.File) {
			seen := 0
			err := d.Pages(func(p pdf.Page) bool {
				if seen++; p.Dict == nil {
					t.Fatal("a page without a dictionary")
				}
				return seen < 10_000
			})
			one, err2 := d.Page(1)
			if err == nil && (seen > 0) != (err2 == nil && one.Dict != nil) {
				t.Fatal("the first page is there for one and not for the other")
			}
			_, _ = d.PageCount()
			_ = d.Whole()
		})
	})
}
