package gallery_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"countersign/web/gallery"
	"countersign/web/templates"
)

func rendered(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, e := range gallery.Pages() {
		require.NotContains(t, out, e.Path, "two pages under one address")
		var b strings.Builder
		require.NoError(t, e.Render(context.Background(), &b), e.Name)
		out[e.Path] = b.String()
	}
	return out
}

// sources reads a folder's Go files as one text.
func sources(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(t, err)
	var b strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		b.Write(text)
	}
	return b.String()
}

func TestEveryPageIsInTheGallery(t *testing.T) {
	here := sources(t, "*.go")
	pages := regexp.MustCompile(`(?m)^func (\w+Page)\(`).FindAllStringSubmatch(sources(t, "../templates/*_templ.go"), -1)
	require.Greater(t, len(pages), 20)
	for _, p := range pages {
		require.Contains(t, here, "templates."+p[1]+"(", "%s is shown nowhere", p[1])
	}
}

// states reads the constants of a state type out of a domain package, so that a new state
// without a picture is found here.
func states(t *testing.T, file string, types ...string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	var names []string
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := spec.Type.(*ast.Ident); ok {
			for _, want := range types {
				if of.Name == want {
					names = append(names, spec.Names[0].Name)
				}
			}
		}
		return true
	})
	require.NotEmpty(t, names)
	return names
}

func TestEveryStateIsInTheGallery(t *testing.T) {
	here := sources(t, "*.go")
	for _, name := range states(t, "../../identity/state.go", "ValidationState", "CredentialState") {
		require.Contains(t, here, "identity."+name, "shown nowhere")
	}
	for _, name := range states(t, "../../signing/state.go", "DocumentState", "CeremonyState", "SignatureState") {
		require.Contains(t, here, "signing."+name, "shown nowhere")
	}
}

func nodes(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		nodes(c, visit)
	}
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func TestEveryPageStandsOnTheSameBones(t *testing.T) {
	for path, page := range rendered(t) {
		root, err := html.Parse(strings.NewReader(page))
		require.NoError(t, err)
		count := map[string]int{}
		ids := map[string]bool{}
		var refers []string
		primary := 0
		nodes(root, func(n *html.Node) {
			if n.Type != html.ElementNode {
				return
			}
			count[n.Data]++
			if id, ok := attribute(n, "id"); ok {
				require.False(t, ids[id], "%s: two elements with the id %q", path, id)
				ids[id] = true
			}
			for _, name := range []string{"aria-describedby", "aria-labelledby", "for"} {
				if v, ok := attribute(n, name); ok {
					refers = append(refers, strings.Fields(v)...)
				}
			}
			if class, _ := attribute(n, "class"); regexp.MustCompile(`\bbtn-pen\b`).MatchString(class) {
				primary++
			}
			_, styled := attribute(n, "style")
			require.False(t, styled, "%s: a style attribute, which the policy ignores", path)
			for _, a := range n.Attr {
				require.False(t, strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on"), "%s: inline script", path)
			}
			if n.Data == "script" {
				require.Nil(t, n.FirstChild, "%s: inline script", path)
			}
		})
		require.Equal(t, 1, count["h1"], "%s: one heading of the first level", path)
		require.Equal(t, 1, count["main"], path)
		require.Equal(t, 1, count["footer"], path)
		require.LessOrEqual(t, primary, 1, "%s: one primary action", path)
		require.Contains(t, page, `class="skip" href="#main"`, path)
		require.NotContains(t, page, "TemplFailedSanitization", path)
		require.NotContains(t, page, "{{", "%s: a value is missing in a sentence", path)
		for _, id := range refers {
			require.True(t, ids[id], "%s: %q names nothing", path, id)
		}
	}
}

func TestHandlerServesTheListAndEachPage(t *testing.T) {
	h := gallery.Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, gallery.Prefix, nil))
	require.Equal(t, http.StatusOK, w.Code)
	for _, e := range gallery.Pages() {
		require.Contains(t, w.Body.String(), `href="`+e.Path+`"`)
		page := httptest.NewRecorder()
		h.ServeHTTP(page, httptest.NewRequest(http.MethodGet, e.Path, nil))
		require.Equal(t, http.StatusOK, page.Code, e.Path)
	}
	require.Contains(t, templates.Languages(), "en")
}
