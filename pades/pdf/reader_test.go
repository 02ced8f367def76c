package pdf_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/pdf"
	"countersign/pades/pdf/pdftest"
)

func open(t *testing.T, b []byte) *pdf.File {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(b), int64(len(b)), pdf.Options{})
	require.NoError(t, err)
	return f
}

// counting counts the bytes read.
type counting struct {
	io.ReaderAt
	n int
}

func (c *counting) ReadAt(p []byte, at int64) (int, error) {
	c.n += len(p)
	return c.ReaderAt.ReadAt(p, at)
}

func resolve(t *testing.T, f *pdf.File, num int) pdf.Object {
	t.Helper()
	o, err := f.Resolve(pdf.Ref{Num: num})
	require.NoError(t, err)
	return o
}

func TestALargeTableIsLookedUpAndNotLoaded(t *testing.T) {
	b := pdftest.New("%PDF-1.4\n")
	b.Pages(1, "")
	at := b.Len()
	b.WriteString("xref\n0 400000\n0000000000 65535 f \n")
	for i := 1; i < 400000; i++ {
		off := strings.Index(b.String()[:at], fmt.Sprintf("\n%d 0 obj", i))
		if i > 3 {
			off = 0
		}
		fmt.Fprintf(b, "%010d 00000 n \n", off+1)
		if i == 3 {
			break
		}
	}
	b.WriteString(strings.Repeat("0000000009 00000 n \n", 400000-4))
	fmt.Fprintf(b, "trailer\n<</Root 1 0 R /Size 400000>>\nstartxref\n%d\n%%%%EOF\n", at)
	r := &counting{ReaderAt: bytes.NewReader(b.Bytes())}
	f, err := pdf.Open(r, int64(b.Len()), pdf.Options{})
	require.NoError(t, err)
	_, err = f.FirstPage()
	require.NoError(t, err)
	require.False(t, f.Repaired)
	require.Less(t, r.n, 64<<10, "bytes read of a table of 8 MB")
}

func TestOddEntriesAreReadTokenByToken(t *testing.T) {
	good := pdftest.Plain(1)
	odd := bytes.ReplaceAll(good, []byte(" n \n"), []byte(" n\n"))
	odd = bytes.ReplaceAll(odd, []byte(" f \n"), []byte(" f\n"))
	f := open(t, odd)
	require.False(t, f.Repaired)
	n, err := f.PageCount()
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestHybridFilesHideObjectsInTheirStream(t *testing.T) {
	b := pdftest.New("%PDF-1.5\n")
	b.Pages(1, "/AcroForm 9 0 R")
	b.Pack(8, map[int]string{9: "<</Fields [] /Hidden true>>"})
	stream := b.Len()
	b.Object(7, "<</Type /XRef /W [1 2 1] /Index [9 1] /Size 10 /Length 4>>\nstream\n\x02\x00\x08\x00\nendstream")
	b.Table(fmt.Sprintf("/Root 1 0 R /XRefStm %d", stream))
	f := open(t, b.Bytes())
	d, ok := resolve(t, f, 9).(*pdf.Dict)
	require.True(t, ok)
	require.Equal(t, true, d.Get("Hidden"))
}

func TestJunkBeforeTheHeaderShiftsOffsetsOrNot(t *testing.T) {
	for name, shift := range map[string]int{"from the first byte": 0, "from the header": -10} {
		t.Run(name, func(t *testing.T) {
			b := pdftest.New("junk junk\n%PDF-1.7\n")
			b.Shift = shift
			b.Pages(2, "")
			b.Table("/Root 1 0 R")
			f := open(t, b.Bytes())
			require.False(t, f.Repaired)
			require.EqualValues(t, 10, f.Header)
			u, err := f.NewUpdate()
			require.NoError(t, err)
			ref := u.Add(pdf.NewDict(pdf.Name("Here"), true))
			out, err := u.Append(nil, nil)
			require.NoError(t, err)
			g := open(t, append(bytes.Clone(b.Bytes()), out.Bytes...))
			require.False(t, g.Repaired, "the update counts as the file does")
			require.Equal(t, true, resolve(t, g, ref.Num).(*pdf.Dict).Get("Here"))
		})
	}
}

func TestLoopsEnd(t *testing.T) {
	t.Run("Prev", func(t *testing.T) {
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, "")
		at := b.Len()
		b.Table(fmt.Sprintf("/Root 1 0 R /Prev %d", at))
		_, err := pdf.OpenStrict(bytes.NewReader(b.Bytes()), int64(b.Len()), pdf.Options{})
		require.ErrorIs(t, err, pdf.ErrDamaged)
	})
	t.Run("Kids", func(t *testing.T) {
		b := pdftest.New("%PDF-1.7\n")
		b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
		b.Object(2, "<</Type /Pages /Kids [2 0 R 3 0 R] /Count 1>>")
		b.Object(3, "<</Type /Pages /Kids [2 0 R 3 0 R]>>")
		b.Table("/Root 1 0 R")
		_, err := open(t, b.Bytes()).FirstPage()
		require.ErrorIs(t, err, pdf.ErrNoPage)
	})
	t.Run("Fields", func(t *testing.T) {
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, "/AcroForm <</Fields [4 0 R]>>")
		b.Object(4, "<</T (a) /Kids [5 0 R 4 0 R]>>")
		b.Object(5, "<</T (b) /FT /Sig /Kids [4 0 R]>>")
		b.Table("/Root 1 0 R")
		_, err := open(t, b.Bytes()).Fields()
		require.NoError(t, err)
	})
	t.Run("references", func(t *testing.T) {
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, "/AcroForm 4 0 R")
		b.Object(4, "5 0 R")
		b.Object(5, "4 0 R")
		b.Table("/Root 1 0 R")
		_, err := pdf.OpenStrict(bytes.NewReader(b.Bytes()), int64(b.Len()), pdf.Options{})
		require.ErrorIs(t, err, pdf.ErrDamaged)
	})
	t.Run("length of a stream", func(t *testing.T) {
		// Each object stream's Length lies in the next; the last one's in itself.
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, "")
		for i := 10; i < 2000; i += 2 {
			b.Packed(i, i+1)
			b.Object(i, fmt.Sprintf("<</Type /ObjStm /N 1 /First 7 /Length %d 0 R>>\nstream\n%-5d0 7\nendstream", min(i+3, 1999), i+1))
		}
		b.Index(5, "/Root 1 0 R")
		f := open(t, b.Bytes())
		require.Equal(t, pdf.Number("7"), resolve(t, f, 11))
	})
}

func TestDepthAndInflatedSizeAreBounded(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/Deep "+strings.Repeat("[", 150)+strings.Repeat("]", 150))
	b.Table("/Root 1 0 R")
	_, err := pdf.Open(bytes.NewReader(b.Bytes()), int64(b.Len()), pdf.Options{})
	require.ErrorIs(t, err, pdf.ErrTooComplex)

	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, err = io.CopyN(w, zeros{}, 64<<20)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	b = pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	b.Stream(4, "/Filter /FlateDecode", z.String())
	b.Table("/Root 1 0 R")
	f := open(t, b.Bytes())
	_, err = f.Data(resolve(t, f, 4).(*pdf.Stream), 1<<40)
	require.ErrorIs(t, err, pdf.ErrTooComplex)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTheFirstPageIsFoundThroughTheTree(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
	b.Object(2, "<</Type /Pages /Kids [5 0 R 6 0 R] /Count 2>>")
	b.Object(5, "<</Type /Pages /Kids [] /Count 0>>")
	b.Object(6, "<</Type /Pages /Kids [8 0 R 7 0 R] /Count 2>>")
	b.Object(7, "<</Type /Page /Second true>>")
	b.Object(8, "<</Type /Page>>")
	b.Table("/Root 1 0 R")
	p, err := open(t, b.Bytes()).FirstPage()
	require.NoError(t, err)
	require.Equal(t, 8, p.Ref.Num)
}

func TestADirectPageIsChangedWhereItIsHeld(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
	b.Object(2, "<</Type /Pages /Kids 4 0 R /Count 1>>")
	b.Object(4, "[<</Type /Page /MediaBox [0 0 9 9]>>]")
	b.Table("/Root 1 0 R")
	f := open(t, b.Bytes())
	p, err := f.FirstPage()
	require.NoError(t, err)
	u, err := f.NewUpdate()
	require.NoError(t, err)
	require.NoError(t, u.Extend(p.Place, "Annots", pdf.Name("x")))
	out, err := u.Append(nil, nil)
	require.NoError(t, err)
	require.Contains(t, string(out.Bytes), "4 0 obj\n[<<")
	p, err = open(t, append(b.Bytes(), out.Bytes...)).FirstPage()
	require.NoError(t, err)
	require.Equal(t, pdf.Array{pdf.Name("x")}, p.Dict.Get("Annots"))
}

func TestFieldsHaveFullNamesAndInheritTheirType(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "/AcroForm <</Fields [4 0 R 8 0 R]>>")
	b.Object(4, "<</T (group) /FT /Sig /Kids [5 0 R 6 0 R]>>")
	b.Object(5, "<</T <FEFF00E9> /Parent 4 0 R /Subtype /Widget>>")
	b.Object(6, "<</T (two) /Parent 4 0 R /FT /Tx /Kids [7 0 R]>>")
	b.Object(7, "<</Subtype /Widget /Parent 6 0 R>>")
	b.Object(8, "<</T (top) /FT /Btn>>")
	b.Table("/Root 1 0 R")
	form, err := open(t, b.Bytes()).Form()
	require.NoError(t, err)
	var got []string
	for _, fd := range form.Fields {
		got = append(got, fd.Name+" "+string(fd.Type))
	}
	require.Equal(t, []string{"group.é Sig", "group.two Tx", "top Btn"}, got)
	require.True(t, form.Groups["group"])
}

func TestStringsNamesAndNumbersAreReadAsWritten(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	b.Object(4, "[(a\\(b\\)\\n\\101\\\r\nc(d)) <4 1 4> /A#42#zz / 00.50 -.5 +7 12 0 R 12 0 true%x\n]")
	b.Table("/Root 1 0 R")
	a := resolve(t, open(t, b.Bytes()), 4).(pdf.Array)
	require.Equal(t, "a(b)\nAc(d)", string(a[0].(pdf.String).Value))
	require.Equal(t, "A@", string(a[1].(pdf.String).Value))
	require.Equal(t, pdf.Array{pdf.Name("AB#zz"), pdf.Name(""), pdf.Number("00.50"), pdf.Number("-.5"), pdf.Number("+7"),
		pdf.Ref{Num: 12}, pdf.Number("12"), pdf.Number("0"), true}, a[2:])
}
