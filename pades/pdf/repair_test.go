package pdf_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

func TestALostCrossReferenceIsRebuilt(t *testing.T) {
	for name, b := range map[string][]byte{"table": pdftest.Plain(3), "stream": pdftest.Packed()} {
		t.Run(name, func(t *testing.T) {
			broken := bytes.Replace(b, []byte("startxref\n"), []byte("startxref\n9"), 1)
			f := open(t, broken)
			require.True(t, f.Repaired)
			out := appendTo(t, broken, func(u *pdf.Update) { u.Add(true) })
			healed := open(t, out)
			require.False(t, healed.Repaired, "what is appended heals the file")
			require.False(t, healed.Trailer.Has("Prev"))
			want, err := open(t, b).PageCount()
			require.NoError(t, err)
			got, err := healed.PageCount()
			require.NoError(t, err)
			require.Equal(t, want, got)
			_, err = healed.FirstPage()
			require.NoError(t, err)
		})
	}
}

func TestObjectsInAttachmentsAreNotTakenForTheFiles(t *testing.T) {
	inner := "%PDF-1.7\n1 0 obj\n<</Type /Catalog /Pages 2 0 R /Evil true>>\nendobj\n" +
		"trailer\n<</Root 1 0 R>>\nendstream-like\n"
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	b.Stream(4, "/Type /EmbeddedFile", inner)
	b.WriteString("trailer\n<</Root 1 0 R /Size 5>>\n")
	f := open(t, b.Bytes())
	require.True(t, f.Repaired)
	c, err := f.Catalog()
	require.NoError(t, err)
	require.False(t, c.Has("Evil"))
}

func TestADamagedSignedFileIsNotRepaired(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [4 0 R]>>")
	b.Object(4, "<</T (s) /FT /Sig /V 5 0 R>>")
	b.Object(5, "<</Type /Sig /ByteRange [0 1 2 3] /Contents <00>>>")
	b.Table("/Root 1 0 R")
	broken := bytes.Replace(b.Bytes(), []byte("startxref\n"), []byte("startxref\n9"), 1)
	_, err := pdf.Open(bytes.NewReader(broken), int64(len(broken)), pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func TestAnUnreadableSignatureStillCounts(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [4 0 R]>>")
	b.Object(4, "<</T (s) /FT /Sig /V 5 0 R>>")
	b.Object(5, "<</Type /Sig /ByteRange [0 1 2 3] /Contents <0x>>>")
	b.Table("/Root 1 0 R")
	f, err := pdf.Open(bytes.NewReader(b.Bytes()), int64(b.Len()), pdf.Options{})
	require.NoError(t, err)
	_, err = f.Signatures()
	require.ErrorIs(t, err, pdf.ErrDamaged)
	_, err = pdf.OpenRepaired(bytes.NewReader(b.Bytes()), int64(b.Len()), pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrDamaged)
}

func TestAnEncryptedFileThatLostItsTrailerIsNotRepaired(t *testing.T) {
	b := encrypted(t, secret(), "user", "owner", "128")
	broken := bytes.ReplaceAll(b, []byte("/Encrypt"), []byte("/Enc0ypt"))
	broken = bytes.Replace(broken, []byte("startxref\n"), []byte("startxref\n9"), 1)
	_, err := pdf.Open(bytes.NewReader(broken), int64(len(broken)), pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrEncryption)
	require.Contains(t, err.Error(), "object ")
}

func TestAFileCutOffInAnObjectIsTruncated(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	fmt.Fprintf(b, "4 0 obj\n<</Length 1000>>\nstream\nabc")
	_, err := pdf.Open(bytes.NewReader(b.Bytes()), int64(b.Len()), pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrTruncated)

	whole := pdftest.Plain(1)
	cut := append(bytes.Clone(whole), "4 0 obj\n<</Half"...)
	_, err = pdf.Open(bytes.NewReader(cut), int64(len(cut)), pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrTruncated, "an update that never got its cross-reference")
}

func TestWhatIsNoPDFIsNamed(t *testing.T) {
	_, err := pdf.Open(bytes.NewReader(nil), 0, pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrEmpty)
	_, err = pdf.Open(bytes.NewReader([]byte("GIF89a")), 6, pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrNotPDF)
}
