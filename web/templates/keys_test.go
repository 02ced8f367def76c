package templates_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// key is one English text of the source, as the catalogue has to know it.
type key struct {
	text    string
	other   string // of a sentence with a count
	counted bool
	at      string // file:line
}

// module is the root of the source.
const module = "../.."

// notOfThePortal are the parts that nobody reads in a language of their own: the far side and
// its demonstration, the command line, made-up data, measurements.
var notOfThePortal = regexp.MustCompile(`^(dtmsim|idpsim|bench|e2e|deploy|docs|web/gallery|web/node_modules|cmd/(demo|dtmsim|pades)|\..*|.*/testdata|.*test)$`)

// commandLine are files whose texts only the operator's terminal shows.
var commandLine = regexp.MustCompile(`^signing/fsck[a-z]*\.go$`)

// sentencesOf are the packages whose texts reach a page through variables: errors, reasons,
// titles, notices. There, whatever looks like a text is one.
var sentencesOf = regexp.MustCompile(`^(handlers|identity|signing|auth|grants)$`)

// notSaid are texts there that no person reads in the portal.
var notSaid = map[string]string{
	"Sign one document":                     "goes to DigiCert, which shows it on the phone",
	"Something went wrong here. Reference ": "when not even the error page can be written",
	"2 January 2006":                        "a layout",
	"DigiCert stopped answering here: this file is not complete": "last line of a file for programs",
}

// fromConfiguration are texts that an installation may replace by its own.
var fromConfiguration = []string{"a few minutes", "a few hours"}

var (
	looksLikeText   = regexp.MustCompile(`^(\{\{\.|“|[A-Z1-9][a-z]*[ a-z.,’'…(+])`)
	looksLikeHeader = regexp.MustCompile(`^([A-Z][A-Za-z0-9]*(-[A-Za-z]+)+|Range|Origin|Location|Allow|Vary)$|^(GET|POST|PUT) /`)
	oneWord         = regexp.MustCompile(`^[A-Z][a-z]+$`)
)

func goFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		name := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(path, module), string(filepath.Separator)))
		switch {
		case d.IsDir() && name != "" && notOfThePortal.MatchString(name):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || commandLine.MatchString(name):
			return nil
		}
		parsed, err := parser.ParseFile(positions, path, nil, 0)
		require.NoError(t, err)
		files[name] = parsed
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, len(files), 200)
	return files
}

var positions = token.NewFileSet()

func place(n ast.Node) string {
	p := positions.Position(n.Pos())
	return strings.TrimPrefix(filepath.ToSlash(p.Filename), module+"/") + ":" + strconv.Itoa(p.Line)
}

// constant is the text of a string literal, or of several joined by +.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		a, ok := constant(e.X)
		b, also := constant(e.Y)
		return a + b, ok && also
	}
	return "", false
}

func called(call *ast.CallExpr) (on, name string) {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return "", f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name, f.Sel.Name
		}
		return "?", f.Sel.Name
	}
	return "", ""
}

// keysIn collects the English texts of one file.
func keysIn(dir string, file *ast.File) []key {
	var keys []key
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.CallExpr:
			on, name := called(n)
			switch {
			case name == "T" || name == "N" || name == "Say":
				keys = append(keys, spoken(n, 1, name == "N")...)
			case name == "say" && sentencesOf.MatchString(dir):
				keys = append(keys, spoken(n, 0, false)...)
			case sentencesOf.MatchString(dir) && (on == "errors" || on == "fmt" || on == "slog" || name == "panic" || strings.HasSuffix(name, "Context")):
				return false // for the log
			}
		case ast.Expr:
			text, ok := constant(n)
			if !ok {
				return true
			}
			if sentencesOf.MatchString(dir) && isText(text) {
				keys = append(keys, key{text: text, at: place(n)})
			}
			return false
		}
		return true
	})
	return keys
}

// spoken is the sentence of a call of T, N or Say, when it is a constant.
func spoken(call *ast.CallExpr, at int, counted bool) []key {
	if len(call.Args) <= at {
		return nil
	}
	text, ok := constant(call.Args[at])
	if !ok {
		return nil
	}
	k := key{text: text, at: place(call)}
	if counted && len(call.Args) > at+1 {
		k.counted = true
		k.other, _ = constant(call.Args[at+1])
	}
	return []key{k}
}

func isText(text string) bool {
	if notSaid[text] != "" || looksLikeHeader.MatchString(text) || !looksLikeText.MatchString(text) && !oneWord.MatchString(text) {
		return false
	}
	return regexp.MustCompile(`[a-z]`).MatchString(text) && !valueName.MatchString(text)
}

// valueName is the name of a value in a sentence: {{.Name}} and what stands before its value.
var valueName = regexp.MustCompile(`^(\{\{\.\w+\}\}|Free|Total|Left|Bytes|Day|Link|Document|Reference|Reason|Name|Note|Most|Count)$`)

// allKeys collects the English texts of the portal.
func allKeys(t *testing.T) []key {
	t.Helper()
	var keys []key
	for name, file := range goFiles(t) {
		if strings.HasPrefix(filepath.ToSlash(name), "signing/fsck") { // for whoever runs portal fsck
			continue
		}
		keys = append(keys, keysIn(filepath.ToSlash(filepath.Dir(name)), file)...)
		if name == "web/templates/report_sentences.go" {
			ast.Inspect(file, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if text, ok := constant(e); ok {
						keys = append(keys, key{text: text, at: place(n)})
					}
				}
				return true
			})
		}
	}
	require.Greater(t, len(keys), 1000)
	return keys
}
