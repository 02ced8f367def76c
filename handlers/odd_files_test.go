package handlers_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
	"countersign/pades"
	"countersign/pades/pdf/pdftest"
	"countersign/signing"
)

// oneType asserts that a document is given out as a PDF and nothing else.
func oneType(t *testing.T, b *handlerstest.Browser, id string, content []byte) {
	t.Helper()
	for path, disposition := range map[string]string{"/download": "attachment;", "/content": "inline;"} {
		a := b.Get("/documents/" + id + path)
		require.Equal(t, http.StatusOK, a.StatusCode)
		require.Equal(t, string(content), a.Body)
		require.Equal(t, "application/pdf", a.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "default-src 'none'; sandbox", a.Header.Get("Content-Security-Policy"))
		require.Equal(t, "same-origin", a.Header.Get("Cross-Origin-Resource-Policy"))
		require.True(t, strings.HasPrefix(a.Header.Get("Content-Disposition"), disposition), a.Header.Get("Content-Disposition"))
	}
}

// U7, U8: what another program would take for something else.
func TestAFileThatIsTwoThingsIsGivenOutAsAPDF(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	pdf := handlerstest.PDF()
	zip := []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00aPK\x05\x06" + strings.Repeat("\x00", 18))
	page := "<html><script>alert(1)</script><!--"
	commented := pdftest.New("%PDF-1.7\n%" + page + "\n")
	commented.Pages(1, "")
	commented.Table("/Root 1 0 R")
	scripted := pdftest.New("%PDF-1.7\n")
	scripted.Pages(1, "/OpenAction <</S /JavaScript /JS (app.alert\\(1\\))>>")
	scripted.Table("/Root 1 0 R")
	for name, content := range map[string][]byte{"and an archive": append(bytes.Clone(pdf), zip...), "and a page": commented.Bytes(), "and a script": scripted.Bytes(),
		"and a page at the end": append(bytes.Clone(pdf), page...)} {
		for _, kind := range []string{"application/pdf", "text/html", "image/svg+xml", "application/zip", ""} {
			for _, file := range []string{"a.pdf", "a.html", "a.pdf.zip", "a.js"} {
				a := ada.Do("PUT", "/documents?name="+file, bytes.NewReader(content), "Content-Type", kind)
				require.Equal(t, http.StatusCreated, a.StatusCode, "%s as %s: %s", name, kind, a.Body)
				id := strings.TrimPrefix(a.Header.Get("Location"), "/documents/")
				oneType(t, ada, id, content)
				require.True(t, strings.HasSuffix(ada.Get("/documents/"+id+"/download").Header.Get("Content-Disposition"), `.pdf"`))
			}
		}
	}
	before := documents(t, s)
	for name, content := range map[string][]byte{"a picture in front": append([]byte("GIF89a"), pdf...), "a script in front": append([]byte("/*"), append(bytes.Clone(pdf), "*/alert(1)"...)...),
		"a page in front": append([]byte(page), pdf...), "an archive in front": append(bytes.Clone(zip), pdf...), "a mark of UTF-8 in front": append([]byte("\xef\xbb\xbf"), pdf...)} {
		a := ada.Put("a.pdf", content)
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, name)
	}
	require.Equal(t, before, documents(t, s))
}

// U11: each active content is told on the document's page, before anybody signs.
func TestActiveContentsAreToldOnThePage(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	const (
		script   = "It carries a script that could change what a reader shows."
		launch   = "It can ask a reader to start another program."
		embedded = "It carries other files inside, which this page does not show."
		opens    = "It does something when it is opened."
	)
	js := "<</S /JavaScript /JS (app.alert\\(1\\))>>"
	for name, c := range map[string]struct {
		catalog, page, more string
		told                []string
	}{
		"a script when it is opened":       {catalog: "/OpenAction " + js, told: []string{script, opens}},
		"a script by name":                 {catalog: "/Names <</JavaScript <</Names [(a) " + js + "]>>>>", told: []string{script}},
		"a script when it is printed":      {catalog: "/AA <</WP " + js + ">>", told: []string{script}},
		"a script of the page":             {page: "/AA <</O " + js + ">>", told: []string{script}},
		"a script of a note":               {page: "/Annots [<</Type /Annot /Subtype /Link /Rect [0 0 9 9] /A " + js + ">>]", told: []string{script}},
		"a script of a field":              {catalog: "/AcroForm <</Fields [9 0 R]>>", more: "<</FT /Tx /T (a) /AA <</K " + js + ">>>>", told: []string{script}},
		"a script behind another action":   {catalog: "/OpenAction <</S /GoTo /D [3 0 R /Fit] /Next " + js + ">>", told: []string{script}},
		"a program":                        {catalog: "/OpenAction <</S /Launch /F (cmd.exe)>>", told: []string{launch, opens}},
		"a program of a note":              {page: "/Annots [<</Type /Annot /Subtype /Link /Rect [0 0 9 9] /A <</S /Launch /F (cmd.exe)>>>>]", told: []string{launch}},
		"a file inside":                    {catalog: "/Names <</EmbeddedFiles <</Names [(a) <</F (a.exe)>>]>>>>", told: []string{embedded}},
		"a file that belongs to it":        {catalog: "/AF [<</F (a.xml)>>]", told: []string{embedded}},
		"a file on a note":                 {page: "/Annots [<</Type /Annot /Subtype /FileAttachment /Rect [0 0 9 9] /FS <</F (a.exe)>>>>]", told: []string{embedded}},
		"a form of XML":                    {catalog: "/AcroForm <</Fields [] /XFA 9 0 R>>", more: "<</Length 5>>\nstream\n<xdp>\nendstream", told: []string{"It is a form whose pages are made by the reader."}},
		"an address when it is opened":     {catalog: "/OpenAction <</S /URI /URI (http://far.example)>>", told: []string{opens}},
		"a form that is sent when it is":   {catalog: "/OpenAction <</S /SubmitForm /F (http://far.example)>>", told: []string{opens}},
		"a page that is kept elsewhere":    {page: "/Contents 9 0 R", more: "<</F (far.txt) /Length 0>>\nstream\n\nendstream", told: []string{"Part of what it shows is kept elsewhere and can change."}},
		"a picture that is kept elsewhere": {page: "/Resources <</XObject <</X 9 0 R>>>>", more: "<</Subtype /Image /F (far.jpg) /Length 0>>\nstream\n\nendstream", told: []string{"Part of what it shows is kept elsewhere and can change."}},
		"layers that are off":              {catalog: "/OCProperties <</OCGs [9 0 R] /D <</OFF [9 0 R]>>>>", more: "<</Type /OCG /Name (a)>>", told: []string{"It has layers that can be shown or hidden."}},
		"fields drawn anew":                {catalog: "/AcroForm <</Fields [9 0 R] /NeedAppearances true>>", more: "<</FT /Tx /T (a)>>", told: []string{"It asks the reader to draw its fields anew", "It has form fields."}},
		"nothing":                          {},
	} {
		b := pdftest.New("%PDF-1.7\n")
		b.Object(1, "<</Type /Catalog /Pages 2 0 R "+c.catalog+">>")
		b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
		b.Object(3, "<</Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] "+c.page+">>")
		if c.more != "" {
			b.Object(9, c.more)
		}
		b.Table("/Root 1 0 R")
		id := string(ada.Upload("active.pdf", b.Bytes()))
		page := ada.Get("/documents/" + id)
		for _, told := range c.told {
			require.Contains(t, page.Body, told, name)
		}
		require.Equal(t, len(c.told) > 0, strings.Contains(page.Body, "We noticed"), name)
		oneType(t, ada, id, b.Bytes())
	}
	dynamic := pdftest.New("%PDF-1.7\n")
	dynamic.Pages(1, "/NeedsRendering true /AcroForm <</Fields [] /XFA (x)>>")
	dynamic.Table("/Root 1 0 R")
	a := ada.Put("dynamic.pdf", dynamic.Bytes())
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Contains(t, a.Body, "draws itself anew")
}

// inflating is a stream that holds little and inflates to n megabytes, packed twice.
func inflating(t *testing.T, n int) string {
	t.Helper()
	var once bytes.Buffer
	w := zlib.NewWriter(&once)
	flat := make([]byte, 1<<20)
	for range 2 {
		_, err := w.Write(flat)
		require.NoError(t, err)
		require.NoError(t, w.Flush())
	}
	begin := once.Len()
	_, err := w.Write(flat)
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	block := bytes.Clone(once.Bytes()[begin:]) // the same again and again: zeros after zeros
	var twice bytes.Buffer
	w = zlib.NewWriter(&twice)
	_, err = w.Write(once.Bytes())
	require.NoError(t, err)
	for range n {
		_, err = w.Write(block)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return twice.String()
}

// bombs are small files that ask for much (U9), by what they do.
func bombs(t *testing.T) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	pages := func(name, catalog string, more func(b *pdftest.Builder)) {
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, catalog)
		if more != nil {
			more(b)
		}
		b.Table("/Root 1 0 R")
		out[name] = b.Bytes()
	}
	pages("ten thousand brackets", "/Deep "+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000), nil)
	pages("ten thousand dictionaries", "/Deep "+strings.Repeat("<</A ", 10_000)+"0"+strings.Repeat(">>", 10_000), nil)
	pages("brackets without end", "/Deep "+strings.Repeat("[", 1_000_000), nil)
	pages("a million parentheses", "/Deep "+strings.Repeat("(", 1_000_000)+strings.Repeat(")", 1_000_000), nil)
	pages("references in a ring", "/AcroForm 8 0 R", func(b *pdftest.Builder) { b.Object(8, "9 0 R"); b.Object(9, "8 0 R") })
	pages("a long way of references", "/AcroForm 10 0 R", func(b *pdftest.Builder) {
		for i := range 20_000 {
			b.Object(10+i, fmt.Sprintf("%d 0 R", 11+i))
		}
	})
	pages("an action after itself", "/OpenAction 9 0 R", func(b *pdftest.Builder) { b.Object(9, "<</S /GoTo /Next [9 0 R 9 0 R 9 0 R]>>") })
	pages("fields in a ring", "/AcroForm <</Fields [9 0 R]>>", func(b *pdftest.Builder) { b.Object(9, "<</T (a) /Kids [9 0 R 9 0 R]>>") })
	pages("an XML form of ten gigabytes", "/AcroForm <</Fields [] /XFA 9 0 R>>", func(b *pdftest.Builder) {
		b.Stream(9, "/Filter [/FlateDecode /FlateDecode]", inflating(t, 10_000))
	})
	pages("pictures nobody decodes", "", func(b *pdftest.Builder) {
		b.Stream(8, "/Subtype /Image /Width 1000000000 /Height 1000000000 /Filter /JBIG2Decode", "x")
		b.Stream(9, "/Subtype /Image /Width 1000000000 /Height 1000000000 /Filter /JPXDecode", "x")
	})
	pages("a million objects nobody lists", "", func(b *pdftest.Builder) {
		for i := range 1_000_000 {
			fmt.Fprintf(b, "%d 0 obj null endobj\n", 10+i)
		}
	})

	b := pdftest.New("%PDF-1.7\n")
	b.Pages(1, "")
	b.Table(fmt.Sprintf("/Root 1 0 R /Prev %d", b.Len()))
	out["an index before itself"] = b.Bytes()
	out["an index of a hundred million"] = []byte("%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\nxref\n0 100000000\n0000000000 65535 f \ntrailer\n<</Root 1 0 R /Size 100000000>>\nstartxref\n49\n%%EOF\n")
	wide := "<</Type /XRef /W [1 3 2] /Index [0 100000000] /Size 100000000 /Root 1 0 R /Filter [/FlateDecode /FlateDecode] /DecodeParms [null <</Predictor 12 /Columns 2000000000>>]"
	packed := inflating(t, 10_000)
	out["an index stream of ten gigabytes"] = fmt.Appendf(nil, "%%PDF-1.7\n5 0 obj\n%s /Length %d>>\nstream\n%s\nendstream\nendobj\nstartxref\n9\n%%%%EOF\n", wide, len(packed), packed)

	b = pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
	b.Object(2, "<</Type /Pages /Kids [2 0 R 3 0 R] /Count 1000000>>")
	b.Object(3, "<</Type /Pages /Kids [2 0 R 3 0 R]>>")
	b.Table("/Root 1 0 R")
	out["pages in a ring"] = b.Bytes()
	b = pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
	for i := range 20_000 {
		b.Object(2+i, fmt.Sprintf("<</Type /Pages /Kids [%d 0 R %d 0 R] /Count 1>>", 3+i, 3+i))
	}
	b.Table("/Root 1 0 R")
	out["pages below pages below pages"] = b.Bytes()
	b = pdftest.New("%PDF-1.7\n")
	for _, n := range []int{1, 2, 3, 4} {
		b.Packed(4, n) // the object stream lies in itself
	}
	b.Object(9, "<</Type /ObjStm /N 4 /First 20 /Length 20>>\nstream\n1 0 2 0 3 0 4 0     \nendstream")
	b.Index(5, "/Root 1 0 R")
	out["an object stream in itself"] = b.Bytes()
	b = pdftest.New("%PDF-1.7\n")
	b.Packed(4, 1)
	b.Stream(4, "/Type /ObjStm /N 100000000 /First 10 /Filter [/FlateDecode /FlateDecode]", packed)
	b.Index(5, "/Root 1 0 R")
	out["an object stream of ten gigabytes"] = b.Bytes()
	return out
}

func TestABombIsReadNoFurtherThanItsLimits(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: behindProxies})
	s.App.MaxVerify = 100 << 20
	ada, n := s.SignIn("ada"), 0
	for name, b := range bombs(t) {
		n++
		for way, send := range map[string]func() *handlerstest.Answer{
			"stored":   func() *handlerstest.Answer { return ada.Put("bomb.pdf", b) },
			"verified": func() *handlerstest.Answer { return verifyFrom(t, ada, fmt.Sprintf("198.51.100.%d", n), b) },
		} {
			begin := time.Now()
			var a *handlerstest.Answer
			grown := heapGrown(func() { a = send() })
			took := time.Since(begin)
			t.Logf("%s, %s: %d in %v, %d MB more heap", name, way, a.StatusCode, took, grown>>20)
			require.Contains(t, []int{http.StatusOK, http.StatusCreated, http.StatusUnprocessableEntity}, a.StatusCode, "%s, %s: %s", name, way, a.Body)
			require.NotContains(t, a.Body, green)
			require.Less(t, took, 5*time.Second, "%s, %s", name, way)
			require.Less(t, grown, int64(64<<20), "%s, %s", name, way)
		}
	}
	require.Equal(t, http.StatusOK, ada.Get("/documents").StatusCode, "the site goes on")
}

// linearized is a file as qpdf writes it for the web.
func linearized(t *testing.T, file []byte, options ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "out.pdf")
	require.NoError(t, os.WriteFile(in, file, 0o600))
	said, err := exec.Command("qpdf", append(append([]string{"--linearize"}, options...), in, out)...).CombinedOutput()
	require.NoError(t, err, "qpdf is part of make setup: %s", said)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	return b
}

// broken are files that are wrong in ways in which many are, and oddly made ones.
func broken(t *testing.T) map[string][]byte {
	t.Helper()
	plain, packed := pdftest.Plain(2), pdftest.Packed()
	hybrid := pdftest.New("%PDF-1.7\n")
	hybrid.Pages(1, "/Extra 7 0 R")
	hybrid.Pack(6, map[int]string{7: "<</Hidden true>>"})
	stream := hybrid.Len()
	fmt.Fprintf(hybrid, "8 0 obj\n<</Type /XRef /W [1 2 1] /Index [7 1] /Size 9 /Length 4 /Root 1 0 R>>\nstream\n\x02\x00\x06\x00\nendstream\nendobj\n")
	hybrid.Table(fmt.Sprintf("/Root 1 0 R /XRefStm %d", stream))
	replaced := func(file []byte, old, with string) []byte {
		require.Contains(t, string(file), old)
		return bytes.Replace(bytes.Clone(file), []byte(old), []byte(with), 1)
	}
	long := bytes.Repeat([]byte("junk \n"), 400)
	return map[string][]byte{
		"junk after the end":          append(bytes.Clone(plain), "\n<html>junk</html>\n"...),
		"much junk after the end":     append(bytes.Clone(plain), long...),
		"zeros after the end":         append(bytes.Clone(packed), make([]byte, 5000)...),
		"a second end":                append(bytes.Clone(plain), "%%EOF\n%%EOF\n"...),
		"no end":                      bytes.TrimSuffix(plain, []byte("%%EOF\n")),
		"no line after the end":       bytes.TrimSuffix(plain, []byte("\n")),
		"startxref before":            replaced(plain, "startxref\n", "startxref\n1"),
		"startxref of zero":           regexp.MustCompile(`startxref\n\d+`).ReplaceAll(plain, []byte("startxref\n0")),
		"startxref beyond":            regexp.MustCompile(`startxref\n\d+`).ReplaceAll(packed, []byte("startxref\n99999999")),
		"no startxref":                regexp.MustCompile(`startxref\n\d+\n`).ReplaceAll(plain, nil),
		"hybrid":                      hybrid.Bytes(),
		"linearised":                  linearized(t, plain),
		"linearised, packed":          linearized(t, plain, "--object-streams=generate"),
		"lines that end in CR":        bytes.ReplaceAll(plain, []byte("\n"), []byte("\r")),
		"an index one line late":      replaced(plain, "xref\n0 1\n", "xref\n1 1\n"),
		"a size that lies":            replaced(plain, "/Size 5", "/Size 3"),
		"a line between the parts":    replaced(plain, "trailer\n", "\n\ntrailer\n\n"),
		"an object without its end":   replaced(plain, "endobj\n3 0 obj", "3 0 obj"),
		"cut in the index":            plain[:bytes.Index(plain, []byte("trailer"))],
		"cut in an object":            plain[:bytes.Index(plain, []byte("4 0 obj"))+12],
		"offsets all off by three":    replaced(plain, "%PDF-1.7\n", "%PDF-1.7\n%x\n"),
		"no header's binary line":     replaced(plain, "%\xe2\xe3\xcf\xd3\n", "%abcd\n"),
		"a version nobody has":        replaced(plain, "%PDF-1.7", "%PDF-9.9"),
		"an index that names nothing": regexp.MustCompile(`\d{10} 00000 n`).ReplaceAll(plain, []byte("0000000009 00000 n")),
	}
}

// U13: signed so that every reader opens it, or refused. Never anything between.
func TestABrokenFileIsSignedWholeOrRefused(t *testing.T) {
	w := newTown(t, handlerstest.Options{Signing: func(o *signing.Options) {
		o.Limits.SendEvery, o.Limits.SendsPerHour = time.Nanosecond, 1000
	}})
	signed, refused := []string{}, []string{}
	for name, content := range broken(t) {
		a := w.ada.Put("broken.pdf", content)
		if a.StatusCode == http.StatusUnprocessableEntity {
			refused = append(refused, name)
			continue
		}
		require.Equal(t, http.StatusCreated, a.StatusCode, "%s: %s", name, a.Body)
		id := signing.DocumentID(strings.TrimPrefix(a.Header.Get("Location"), "/documents/"))
		w.ada.Signed(id, w.credential.ID)
		out := []byte(w.ada.Get("/documents/" + string(id) + "/download").Body)
		require.True(t, bytes.HasPrefix(out, content), "%s: the original is untouched", name)
		r, err := pades.Verify(t.Context(), bytes.NewReader(out), int64(len(out)), pades.VerifyOptions{Roots: w.Sim.Roots})
		require.NoError(t, err, name)
		require.Equal(t, pades.TotalPassed, r.Indication, name)
		path := filepath.Join(t.TempDir(), "out.pdf")
		require.NoError(t, os.WriteFile(path, out, 0o600))
		said, err := exec.Command("pdfsig", "-nocert", path).CombinedOutput()
		require.NoError(t, err, "%s: pdfsig is part of make setup: %s", name, said)
		require.Contains(t, string(said), "Signature is Valid.", name)
		require.Contains(t, string(said), "Total document signed", name)
		after := pagesOf(t, out)
		require.NotEmpty(t, after, name)
		if before := pagesOf(t, content); before != "" { // poppler may not have read it before
			require.Equal(t, before, after, name)
		}
		signed = append(signed, name)
	}
	t.Logf("signed: %v; refused: %v", signed, refused)
	require.Greater(t, len(signed), 12)
	for _, name := range []string{"junk after the end", "startxref beyond", "hybrid", "linearised", "linearised, packed", "lines that end in CR"} {
		require.Contains(t, signed, name)
	}
	require.Contains(t, refused, "cut in an object")
}

// pagesOf counts pages as poppler does, which repairs as readers do; empty when it cannot.
func pagesOf(t *testing.T, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "p.pdf")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	said, _ := exec.Command("pdfinfo", path).CombinedOutput()
	if line := regexp.MustCompile(`(?m)^Pages:\s+(\d+)`).FindSubmatch(said); line != nil {
		return string(line[1])
	}
	return ""
}
