// Package static holds the built style sheet, scripts and font, and serves them.
//
// The files in dist are made from web/assets by web/build.mjs and committed. Their
// names carry a hash of their content, so a browser may keep them for ever: a page
// asks Path for the name of today. The package knows nothing of pages.
package static

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

// Prefix is where Handler expects to be mounted.
const Prefix = "/static/"

//go:embed dist
var embedded embed.FS

var files = must(fs.Sub(embedded, "dist"))

var manifest = readManifest()

func must(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return f
}

func readManifest() map[string]string {
	raw, err := fs.ReadFile(files, "manifest.json")
	if err != nil {
		panic(fmt.Errorf("read manifest of static files: %w", err))
	}
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(fmt.Errorf("read manifest of static files: %w", err))
	}
	return m
}

// Path is the address of a built file, for example of "app.css". It panics on a name
// that was never built: that is a mistake in a template, found by the first test that renders it.
func Path(name string) string {
	built, ok := manifest[name]
	if !ok {
		panic("static: no built file for " + name)
	}
	return Prefix + built
}

// Names lists the names Path knows.
func Names() []string {
	names := make([]string, 0, len(manifest))
	for name := range manifest {
		names = append(names, name)
	}
	return names
}

// compressed keeps the gzip form of each text file, made when it is first asked for.
var compressed sync.Map // name → []byte

// Handler serves everything under Prefix, to be kept for a year.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := path.Clean(strings.TrimPrefix(r.URL.Path, Prefix))
		body, err := fs.ReadFile(files, name)
		if err != nil || name == "manifest.json" {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", contentType(name))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		if textual(name) {
			h.Set("Vary", "Accept-Encoding")
			if acceptsGzip(r) {
				h.Set("Content-Encoding", "gzip")
				body = zipped(name, body)
			}
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

func zipped(name string, body []byte) []byte {
	if z, ok := compressed.Load(name); ok {
		return z.([]byte)
	}
	var buf bytes.Buffer
	zw, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	_, _ = zw.Write(body) // a buffer does not fail
	_ = zw.Close()
	compressed.Store(name, buf.Bytes())
	return buf.Bytes()
}

func acceptsGzip(r *http.Request) bool {
	if r.Header.Get("Range") != "" {
		return false
	}
	for _, part := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		coding, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			return strings.ReplaceAll(q, " ", "") != "q=0"
		}
	}
	return false
}

func textual(name string) bool {
	switch path.Ext(name) {
	case ".css", ".js", ".svg", ".bcmap", ".pfb", ".ttf":
		return true
	}
	return false
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".ttf":
		return "font/ttf"
	case ".bcmap", ".pfb":
		return "application/octet-stream"
	}
	if t := mime.TypeByExtension(path.Ext(name)); t != "" {
		return t
	}
	return "text/plain; charset=utf-8"
}
