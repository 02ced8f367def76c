package handlers_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"countersign/handlers"
	"countersign/handlers/handlerstest"
	"countersign/pades/pdf/pdftest"
	"countersign/signing"
)

// ways are the two in which a file comes: as the body, and in a form.
var ways = map[string]func(b *handlerstest.Browser, name string, content io.Reader, size int64) *http.Request{
	"PUT": func(b *handlerstest.Browser, name string, content io.Reader, size int64) *http.Request {
		r := b.Request("PUT", "/documents?name="+url.QueryEscape(name), content, "Content-Type", "application/pdf")
		r.ContentLength = size
		return r
	},
	"form": func(b *handlerstest.Browser, name string, content io.Reader, size int64) *http.Request {
		head, kind := handlerstest.Form(name, []byte("\x00"))
		before, after, _ := bytes.Cut(head.Bytes(), []byte("\x00"))
		r := b.Request("POST", "/documents", io.MultiReader(bytes.NewReader(before), content, bytes.NewReader(after)), "Content-Type", kind)
		if r.ContentLength = -1; size >= 0 {
			r.ContentLength = int64(len(before)+len(after)) + size
		}
		return r
	},
}

// stored counts the files in the folder of stored bytes.
func stored(t *testing.T, s *handlerstest.Site) (n int) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(s.Blobs, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	}))
	return n
}

// documents counts those of a person that are not refused: what an upload may leave behind
// is a line that says why, without contents.
func documents(t *testing.T, s *handlerstest.Site) (n int) {
	t.Helper()
	require.NoError(t, s.DB.Read.Get(&n, "SELECT count(*) FROM documents WHERE state <> 'refused'"))
	return n
}

func TestTheFirstByteTooManyIsRefused(t *testing.T) {
	const most = 100_000
	s := handlerstest.New(t, handlerstest.Options{Signing: func(o *signing.Options) { o.MaxBytes = most },
		Handlers: func(c *handlers.Config) { c.MaxBytes = most }})
	ada := s.SignIn("ada")
	pdf := append(handlerstest.PDF(), bytes.Repeat([]byte("\n"), most)...)
	for way, request := range ways {
		for _, declared := range []bool{true, false} {
			size := int64(-1)
			if declared {
				size = most + 1
			}
			a, err := ada.Send(request(ada, "large.pdf", bytes.NewReader(pdf[:most+1]), size))
			if err == nil { // the connection may be closed before all was sent
				require.Equal(t, http.StatusRequestEntityTooLarge, a.StatusCode, "%s %v", way, declared)
			}
			require.Zero(t, documents(t, s), "%s %v", way, declared)
			require.Zero(t, stored(t, s), "%s %v", way, declared)
		}
	}
	for way, request := range ways {
		for _, size := range []int64{most, -1} {
			a, err := ada.Send(request(ada, "fits.pdf", bytes.NewReader(pdf[:most]), size))
			require.NoError(t, err)
			require.Contains(t, []int{201, 303}, a.StatusCode, "%s %d: %s", way, size, a.Body)
		}
	}
	require.Equal(t, 4, documents(t, s))
}

func TestWhatIsNoDocumentIsRefused(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	encrypted := pdftest.New("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	encrypted.Pages(1, "")
	hex := strings.Repeat("5a", 32)
	encrypted.Object(4, "<</Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <"+hex+"> /U <"+hex+">>>")
	encrypted.Table("/Root 1 0 R /Encrypt 4 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]")
	foreign := bytes.Replace(encrypted.Bytes(), []byte("/Standard"), []byte("/Stranger"), 1)
	for name, content := range map[string][]byte{
		"empty": {}, "one byte": {'x'}, "white space": []byte("  \r\n\t \n"), "a program": []byte("MZ\x90\x00\x03"), "a page": []byte("<!doctype html><script>alert(1)</script>"),
		"a drawing": []byte("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"), "an archive": []byte("PK\x03\x04\x14\x00"),
		"header at an offset": append(bytes.Repeat([]byte(" "), 1000), handlerstest.PDF()...), "an archive in front": append([]byte("PK\x03\x04"), handlerstest.PDF()...),
		"only a header": []byte("%PDF-1.7\n"), "a password": encrypted.Bytes(), "another lock": foreign,
	} {
		for way, request := range ways {
			a, err := ada.Send(request(ada, "contract.pdf", bytes.NewReader(content), int64(len(content))))
			require.NoError(t, err)
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s by %s: %s", name, way, a.Body)
			require.Zero(t, documents(t, s), name)
			require.Zero(t, stored(t, s), name)
		}
	}
	require.Contains(t, ada.Put("locked.pdf", encrypted.Bytes()).Body, "password")
	a := ada.Do("POST", "/documents", strings.NewReader("file=x"), "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
}

// cutOff sends the first n bytes of a request with its own words for the length, then
// closes the connection.
func cutOff(t *testing.T, b *handlerstest.Browser, head string, body []byte, n int) {
	t.Helper()
	conn, err := tls.Dial("tcp", b.Site.Server.Listener.Addr().String(), b.Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	cookie := b.SessionCookie()
	_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nCookie: %s=%s\r\n", strings.Split(head, "|")[0], b.Site.Server.Listener.Addr(), b.Site.URL, cookie.Name, cookie.Value)
	require.NoError(t, err)
	_, err = io.WriteString(conn, strings.Split(head, "|")[1]+"\r\n\r\n")
	require.NoError(t, err)
	_, err = conn.Write(body[:n])
	require.NoError(t, err)
	require.NoError(t, conn.CloseWrite())
	_, _ = io.Copy(io.Discard, conn) // until the site has done with it
	require.NoError(t, conn.Close())
}

func TestAFileThatDoesNotArriveWholeLeavesNothing(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	// However much of the end is missing, what came is a PDF by itself.
	pdf := append(handlerstest.PDF(), bytes.Repeat([]byte("\n"), 1<<20)...)
	form, kind := handlerstest.Form("cut.pdf", pdf)
	chunked := fmt.Appendf(nil, "%x\r\n", len(pdf))
	chunked = append(append(chunked, pdf...), "\r\n0\r\n\r\n"...)
	for name, c := range map[string]struct {
		head string
		body []byte
	}{
		"PUT with a length":   {fmt.Sprintf("PUT /documents?name=cut.pdf|Content-Length: %d", len(pdf)), pdf},
		"PUT in chunks":       {"PUT /documents?name=cut.pdf|Transfer-Encoding: chunked", chunked},
		"form with a length":  {fmt.Sprintf("POST /documents|Content-Type: %s\r\nContent-Length: %d", kind, form.Len()), form.Bytes()},
		"form without a word": {"POST /documents|Content-Type: " + kind + "\r\nTransfer-Encoding: chunked", append(fmt.Appendf(nil, "%x\r\n", form.Len()), form.Bytes()...)},
	} {
		for _, part := range []float64{0.01, 0.5, 0.999} {
			n := int(float64(len(c.body)) * part)
			cutOff(t, ada, c.head, c.body, n)
			require.Eventually(t, func() bool { return documents(t, s) == 0 && stored(t, s) == 0 }, 5*time.Second, 5*time.Millisecond,
				"%s, cut at %v: %d documents, %d files", name, part, documents(t, s), stored(t, s))
		}
	}
	require.NotContains(t, s.Log.String(), `"level":"ERROR"`, "who leaves is no error of ours")
	// A request that is whole, of a form that is not.
	for _, n := range []int{1000, form.Len() / 2, form.Len() - 10} {
		a := ada.Do("POST", "/documents", bytes.NewReader(form.Bytes()[:n]), "Content-Type", kind)
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, n)
		require.Zero(t, documents(t, s), n)
		require.Zero(t, stored(t, s), n)
	}
	ada.Upload("whole.pdf", pdf)
}

func TestAFormIsReadNoFurtherThanItNeedsTo(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	var parts strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&parts, "--b\r\nContent-Disposition: form-data; name=\"f%d\"\r\n\r\nx\r\n", i)
	}
	for name, c := range map[string][2]string{
		"100 000 parts":  {"multipart/form-data; boundary=b", parts.String() + "--b--\r\n"},
		"no boundary":    {"multipart/form-data", "--b\r\n\r\n"},
		"two boundaries": {"multipart/form-data; boundary=a; boundary=b", "--b\r\n\r\n"},
		"1 MB header":    {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"" + strings.Repeat("a", 1<<20) + "\"\r\n\r\nx\r\n--b--\r\n"},
		"nested":         {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n--b--\r\n"},
		"another kind":   {"multipart/mixed; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n%PDF-1.7\r\n--b--\r\n"},
	} {
		for _, path := range []string{"/documents", "/verify"} {
			r := ada.Request("POST", path, strings.NewReader(c[1]), "Content-Type", c[0])
			a, err := ada.Send(r)
			if err != nil {
				continue // refused before all was sent
			}
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s at %s", name, path)
		}
	}
	require.Zero(t, documents(t, s))
}

func TestAFileNameIsNeverAPathAndNeverMoreThanText(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	for _, name := range []string{
		"../../etc/passwd", `..\..\windows\system32`, "a\x00b.pdf", "CON", "con.pdf", strings.Repeat("a", 300) + ".pdf", strings.Repeat("ж", 300) + ".pdf",
		"invoice\u202Efdp.exe", "e\u0301te\u0301.pdf", "\u00e9t\u00e9.pdf", "раураl.pdf", "🖋️ deed.pdf", "<script>alert(1)</script>.pdf",
		"a\r\nSet-Cookie: x=y.pdf", "...", ". .", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%252e%252e%252f.pdf", `quo"te;.pdf`, "a;filename=b.exe.pdf", " ", "",
		"\xff\xfe.pdf", "\u2066a\u2069.pdf", "a\u2028b.pdf", "plain.pdf",
	} {
		for way, request := range ways {
			content := handlerstest.PDF()
			a, err := ada.Send(request(ada, name, bytes.NewReader(content), int64(len(content))))
			require.NoError(t, err)
			if way == "form" && (name == "" || strings.Contains(name, "\x00")) { // a form without a name is one without a file
				require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
				continue
			}
			require.Contains(t, []int{201, 303}, a.StatusCode, "%q by %s: %s", name, way, a.Body)
			id := strings.TrimPrefix(a.Header.Get("Location"), "/documents/")
			require.Regexp(t, `^[0-9a-f]{32}$`, id)
			var kept string
			s.Row([]any{&kept}, "SELECT name FROM documents WHERE id = ?", id)
			require.NotEmpty(t, strings.Trim(kept, ". "), "%q", name)
			require.LessOrEqual(t, len([]rune(kept)), 200)
			require.False(t, strings.ContainsAny(kept, `/\`), "%q is kept as %q", name, kept)
			require.False(t, strings.ContainsFunc(kept, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }), "%q is kept as %q", name, kept)

			page := ada.Get("/documents/" + id)
			require.Equal(t, http.StatusOK, page.StatusCode)
			require.NotContains(t, page.Body, "<script>alert")
			download := ada.Get("/documents/" + id + "/download")
			require.Equal(t, http.StatusOK, download.StatusCode)
			require.Equal(t, string(content), download.Body)
			header := download.Header.Get("Content-Disposition")
			require.False(t, strings.ContainsFunc(header, func(r rune) bool { return r < 0x20 || r > 0x7e }), "%q", header)
			require.Equal(t, 1, strings.Count(header, `filename="`), header)
			kind, params, err := mime.ParseMediaType(header)
			require.NoError(t, err, header)
			require.Equal(t, "attachment", kind)
			require.True(t, strings.HasSuffix(params["filename"], ".pdf"), header)
			require.False(t, strings.ContainsAny(params["filename"], `/\`), header)
			require.Empty(t, download.Cookies())
			require.Equal(t, "application/pdf", download.Header.Get("Content-Type"))
			require.Contains(t, download.Header.Get("Content-Security-Policy"), "sandbox")
		}
	}
	require.NoError(t, filepath.WalkDir(s.Blobs, func(path string, _ fs.DirEntry, err error) error {
		require.NotContains(t, path, "passwd")
		return err
	}))
}

func TestRangesAreServedAndBounded(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	pdf := handlerstest.PDF()
	path := "/documents/" + string(ada.Upload("a.pdf", pdf)) + "/content"
	require.Equal(t, "inline", strings.Split(ada.Get(path).Header.Get("Content-Disposition"), ";")[0])
	for asked, want := range map[string]string{
		"bytes=0-9": string(pdf[:10]), "bytes=10-19": string(pdf[10:20]), "bytes=-5": string(pdf[len(pdf)-5:]),
		fmt.Sprintf("bytes=%d-", len(pdf)-3): string(pdf[len(pdf)-3:]), "bytes=5-99999999": string(pdf[5:]),
	} {
		a := ada.Get(path, "Range", asked)
		require.Equal(t, http.StatusPartialContent, a.StatusCode, asked)
		require.Equal(t, want, a.Body, asked)
	}
	for _, asked := range []string{fmt.Sprintf("bytes=%d-", len(pdf)), "bytes=99999999-", "bytes=9-1", "bytes=--5", "bytes=a-b", "bytes=9223372036854775808-"} {
		a := ada.Get(path, "Range", asked)
		require.Equal(t, http.StatusRequestedRangeNotSatisfiable, a.StatusCode, asked)
	}
	whole := ada.Get(path, "Range", "bytes="+strings.Repeat("0-,", 999)+"0-")
	require.Equal(t, http.StatusOK, whole.StatusCode, "a thousand ranges are the whole file, once")
	require.Equal(t, string(pdf), whole.Body)
	require.Equal(t, http.StatusPartialContent, ada.Get(path, "Range", "bytes=0-1,4-5").StatusCode)
	stale := ada.Get(path, "Range", "bytes=0-9", "If-Range", "Mon, 02 Jan 2006 15:04:05 GMT")
	require.Equal(t, http.StatusOK, stale.StatusCode, "a part of another version is of no use")
	head := ada.Do("HEAD", path, nil)
	require.Equal(t, http.StatusOK, head.StatusCode)
	require.EqualValues(t, len(pdf), head.ContentLength)
	require.Equal(t, http.StatusOK, ada.Get(path, "Range", "lines=1-2").StatusCode)
}

func TestADownloadIsForItsOwnerAndEndsWithTheDocument(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	paths := []string{"/documents/" + string(w.signed) + "/download", "/documents/" + string(w.signed) + "/content"}
	for _, path := range paths {
		require.Equal(t, http.StatusOK, w.ada.Get(path).StatusCode)
		require.Equal(t, http.StatusNotFound, w.ben.Get(path).StatusCode)
		require.Equal(t, http.StatusNotFound, w.eve.Get(path).StatusCode)
		require.Equal(t, http.StatusForbidden, w.cleo.Get(path).StatusCode)
		require.Equal(t, http.StatusSeeOther, w.Browser().Get(path).StatusCode)
		require.Equal(t, "private, no-store", w.ada.Get(path).Header.Get("Cache-Control"))
	}
	require.Equal(t, http.StatusNotFound, w.ben.Post("/documents/"+string(w.signed)+"/erase").StatusCode)
	require.Equal(t, http.StatusOK, w.ada.Get(paths[0]).StatusCode)
	require.Equal(t, http.StatusSeeOther, w.ada.Erase(w.signed).StatusCode)
	for _, path := range paths {
		a := w.ada.Get(path)
		require.GreaterOrEqual(t, a.StatusCode, 400)
		require.Less(t, a.StatusCode, 500)
		require.NotContains(t, a.Body, "%PDF")
	}
	w.IDP.SetRoles("ada", "auditor")
	w.SignIn("ada")
	require.Equal(t, http.StatusForbidden, w.ada.Get("/documents/"+string(w.document)+"/download").StatusCode, "the role is gone")
}

func TestALargeUploadNeedsLittleMemory(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	const size = 256 << 20
	for way, request := range ways {
		large := pdftest.NewLarge(size)
		grown := heapGrown(func() {
			a, err := ada.Send(request(ada, "large.pdf", io.NewSectionReader(large, 0, large.Size()), large.Size()))
			require.NoError(t, err)
			require.Contains(t, []int{201, 303}, a.StatusCode, a.Body)
		})
		t.Logf("%s: %d MB more heap for %d MB", way, grown>>20, large.Size()>>20)
		require.Less(t, grown, int64(16<<20), way)
	}
}

// Whoever has gone while their file is stored gets no error of ours into the log, whatever
// the disk or the database says of a call that was given up.
func TestWhoeverLeavesIsNoErrorOfOurs(t *testing.T) {
	slow := &leftBlobs{reached: make(chan struct{}, 1)}
	s := handlerstest.New(t, handlerstest.Options{Signing: func(o *signing.Options) { slow.Blobs, o.Blobs = o.Blobs, slow }})
	ada := s.SignIn("ada")
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		<-slow.reached
		leave()
	}()
	_, err := ada.Send(ada.Request("PUT", "/documents?name=a.pdf", bytes.NewReader(handlerstest.PDF()), "Content-Type", "application/pdf").WithContext(ctx))
	require.ErrorIs(t, err, context.Canceled)
	require.Eventually(t, func() bool { return strings.Contains(s.Log.String(), `"status":499`) }, 10*time.Second, 10*time.Millisecond)
	require.NotContains(t, s.Log.String(), `"level":"ERROR"`)
	require.Zero(t, documents(t, s))
}

// leftBlobs store nothing until the visitor has left.
type leftBlobs struct {
	signing.Blobs
	reached chan struct{}
}

func (b *leftBlobs) Create(ctx context.Context, d signing.DocumentID, key []byte) (signing.BlobWriter, error) {
	w, err := b.Blobs.Create(ctx, d, key)
	return leftWriter{w, ctx, b}, err
}

type leftWriter struct {
	signing.BlobWriter
	ctx context.Context
	of  *leftBlobs
}

func (w leftWriter) Commit() (string, error) {
	w.of.reached <- struct{}{}
	<-w.ctx.Done()
	return "", errors.Join(errors.New("the disk has another word for it"), w.Abort())
}
