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
	"reflect"
	"regexp"
	"strconv"
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

// parsed reads a folder's Go files, without its tests.
func parsed(t *testing.T, folder string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		files = append(files, file)
	}
	require.NotEmpty(t, files, folder)
	return files
}

// pagesNamed lists the pages of package templates that a folder's code names.
func pagesNamed(t *testing.T, folder string) map[string]bool {
	t.Helper()
	named := map[string]bool{}
	for _, file := range parsed(t, folder) {
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if from, ok := s.X.(*ast.Ident); ok && from.Name == "templates" && strings.HasSuffix(s.Sel.Name, "Page") {
					named[s.Sel.Name] = true
				}
			}
			return true
		})
	}
	return named
}

func TestEveryPageThatARouteAnswersWithIsInTheGallery(t *testing.T) {
	written := map[string]bool{}
	for _, file := range parsed(t, "../templates") {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasSuffix(f.Name.Name, "Page") && f.Name.IsExported() {
				written[f.Name.Name] = true
			}
		}
	}
	answered := pagesNamed(t, "../../handlers")
	answered["Page"], written["Page"] = true, true // the view that all share
	require.Greater(t, len(written), 20)
	require.Equal(t, written, answered, "a page no route leads to, or one that is not there")
	shown := pagesNamed(t, ".")
	for name := range written {
		require.True(t, shown[name] || name == "Page", "%s is shown nowhere", name)
	}
}

// states reads the constants of the state types out of a domain package: type, then values.
// So a new state without a picture is found here.
func states(t *testing.T, file string) map[string][]string {
	t.Helper()
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	values := map[string][]string{}
	ast.Inspect(source, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		of, ok := spec.Type.(*ast.Ident)
		if ok && strings.HasSuffix(of.Name, "State") {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			values[of.Name] = append(values[of.Name], value)
		}
		return true
	})
	return values
}

// subject is the view whose page tells a state of the type in full.
var subject = map[string][]any{
	"ValidationState": {templates.Check{}, templates.ReviewCase{}},
	"CredentialState": {templates.Credential{}},
	"DocumentState":   {templates.Document{}},
	"CeremonyState":   {templates.Ceremony{}},
	"SignatureState":  {templates.Ceremony{}},
}

// collect notes every value of a state type that a view holds.
func collect(v reflect.Value, found map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			collect(v.Elem(), found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), found)
		}
	case reflect.String:
		found[v.Type().Name()+" "+v.String()] = true
	}
}

func TestEveryStateOfTheDomainsHasItsPageInTheGallery(t *testing.T) {
	text, err := os.ReadFile("../../docs/states.md")
	require.NoError(t, err)
	shown := map[reflect.Type]map[string]bool{}
	for _, e := range gallery.Pages() {
		of := reflect.TypeOf(e.View)
		if shown[of] == nil {
			shown[of] = map[string]bool{}
		}
		collect(reflect.ValueOf(e.View), shown[of])
	}
	types := 0
	for _, file := range []string{"../../identity/state.go", "../../signing/state.go"} {
		for name, values := range states(t, file) {
			types++
			require.NotEmpty(t, subject[name], "%s: no page tells it", name)
			for _, value := range values {
				require.True(t, strings.Contains(string(text), "`"+value+"`"), "%s stands in no table of states.md", value)
				for _, view := range subject[name] {
					require.True(t, shown[reflect.TypeOf(view)][name+" "+value], "%s %q is on no page of %T", name, value, view)
				}
			}
		}
	}
	require.Equal(t, len(subject), types)
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
