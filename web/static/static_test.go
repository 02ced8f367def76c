package static_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/web/static"
)

func get(path string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestBuiltFilesMayBeKeptForEver(t *testing.T) {
	for _, name := range static.Names() {
		answer := get(static.Path(name))
		require.Equal(t, http.StatusOK, answer.StatusCode, name)
		require.Contains(t, answer.Header.Get("Cache-Control"), "immutable", name)
		require.Regexp(t, `-[0-9A-Z]{8}\.`, static.Path(name), "the name carries a hash of the content")
	}
}

func TestTextIsSentCompressedToThoseWhoTakeIt(t *testing.T) {
	plain, err := io.ReadAll(get(static.Path("app.css")).Body)
	require.NoError(t, err)
	answer := get(static.Path("app.css"), "Accept-Encoding", "br, gzip")
	require.Equal(t, "gzip", answer.Header.Get("Content-Encoding"))
	zr, err := gzip.NewReader(answer.Body)
	require.NoError(t, err)
	unpacked, err := io.ReadAll(zr)
	require.NoError(t, err)
	require.Equal(t, plain, unpacked)
	require.Empty(t, get(static.Path("app.css"), "Accept-Encoding", "gzip;q=0").Header.Get("Content-Encoding"))
	require.Empty(t, get(static.Path("inter.woff2"), "Accept-Encoding", "gzip").Header.Get("Content-Encoding"))
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/static/", "/static/manifest.json", "/static/../static.go", "/static/nope.js", "/static/pdfjs-5.6.205"} {
		require.Equal(t, http.StatusNotFound, get(path).StatusCode, path)
	}
	w := httptest.NewRecorder()
	static.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, static.Path("app.css"), nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
}

// The content security policy allows neither eval nor inline code nor foreign addresses.
func TestScriptsAndStylesNeedNothingThePolicyForbids(t *testing.T) {
	for _, name := range []string{"app.js", "upload.js"} {
		body, err := io.ReadAll(get(static.Path(name)).Body)
		require.NoError(t, err)
		require.NotContains(t, string(body), "eval(", name)
	}
	css, err := io.ReadAll(get(static.Path("app.css")).Body)
	require.NoError(t, err)
	require.Empty(t, regexp.MustCompile(`url\(["']?https?:`).FindAllString(string(css), -1))
	for _, address := range regexp.MustCompile(`url\(["']?([^"')]+)`).FindAllStringSubmatch(string(css), -1) {
		file := strings.TrimPrefix(address[1], "./")
		require.Equal(t, http.StatusOK, get(static.Prefix+file).StatusCode, file)
	}
}
