package handlers_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
)

// A form that Go parses ahead is held in memory and in files of its own. These do so,
// some of them without being asked.
var parsesAhead = []string{"ParseMultipartForm", "MultipartForm", "FormFile", "FormValue", "PostFormValue", "ReadForm", "ParseForm"}

// mayParse are the places that may, and why that is little.
var mayParse = map[string][]string{
	"handlers/plain.go":           {"ParseForm"}, // guard has bounded the body to 64 KiB, and ParseForm reads no files
	"dtmsim/pages_switchboard.go": {"PostFormValue"},
	"dtmsim/pages.go":             {"PostFormValue"}, // the simulator bounds the body to 64 KiB in the same file
	"dtmsim/consent.go":           {"PostFormValue"},
	"dtmsim/pages_desk.go":        {"PostFormValue"},
	"dtmsim/pages_phone.go":       {"PostFormValue"},
	"idpsim/pages.go":             {"PostFormValue"}, // bounded to 1 MiB in idpsim.go
}

func TestNoFormIsParsedAhead(t *testing.T) {
	read, serving := 0, map[string]bool{}
	used := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "node_modules" || len(name) > 2 && name[0] == '.') {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		read++
		name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		for _, i := range file.Imports {
			if i.Path.Value == `"net/http"` {
				serving[filepath.ToSlash(filepath.Dir(name))] = true
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr) // a call, and the method as a value
			if !ok || !slices.Contains(parsesAhead, s.Sel.Name) {
				return true
			}
			if slices.Contains(mayParse[name], s.Sel.Name) {
				used[name] = true
				return true
			}
			t.Errorf("%s uses %s", name, s.Sel.Name)
			return true
		})
		return nil
	}))
	require.Greater(t, read, 100)
	for _, folder := range []string{"handlers", "auth", "cmd/portal", "cmd/demo", "web/static", "web/gallery", "dtmsim", "idpsim"} {
		require.True(t, serving[folder], "%s serves HTTP and was not read", folder)
	}
	for name := range mayParse {
		require.True(t, used[name], "%s need not be excepted", name)
	}
}

// Where no file is expected a form is 64 KiB at most, whatever it says it is.
func TestAFormWithoutAFileIsSmall(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	multipart := func() io.Reader {
		return io.MultiReader(strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"note\"; filename=\"a\"\r\n\r\n"), repeated(strings.Repeat("a", 1000), 50_000))
	}
	encoded := func() io.Reader {
		return io.MultiReader(strings.NewReader("note="), repeated(strings.Repeat("a", 1000), 50_000))
	}
	refused := 0
	grown := heapGrown(func() {
		for _, r := range w.App.Routes() {
			if !unsafe(r) || r.Path == "/documents" || r.Path == "/verify" || r.Path == "/logout" || strings.HasPrefix(r.Path, "/account/sessions") {
				continue
			}
			b := w.as(r.Who)
			for kind, body := range map[string]func() io.Reader{"application/x-www-form-urlencoded": encoded, "multipart/form-data; boundary=b": multipart, "text/plain": encoded, "": encoded} {
				a, err := b.Send(b.Request(r.Method, w.path(r.Path), body(), "Content-Type", kind))
				if err != nil {
					continue // closed before all was sent
				}
				require.Less(t, a.StatusCode, 500, "%s %s %s", r.Method, r.Path, kind)
				if a.StatusCode == http.StatusRequestEntityTooLarge {
					refused++
				}
			}
		}
	})
	require.Greater(t, refused, 5)
	require.Less(t, grown, int64(16<<20))
}
