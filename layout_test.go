// Package countersign_test holds the tests of the house itself: who may import whom,
// what stands at the top, and what the shipped program must not contain. See
// docs/design.md, section 2.1.
package countersign_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mayImport is the import table of the design. A package that is not listed may
// import anything of ours; "x/..." stands for x and all below it.
var mayImport = map[string][]string{
	"people":        {},
	"pades/pdf":     {},
	"pades/cms":     {},
	"pades/fetch":   {},
	"dtmclient":     {},
	"dtmsim":        {},
	"idpsim":        {},
	"blob":          {},
	"mail":          {},
	"web/static":    {},
	"pades/tsp":     {"pades/cms"},
	"pades/trust":   {"pades/cms", "pades/tsp"},
	"pades":         {"pades/..."},
	"audit":         {"people"},
	"auth":          {"people", "audit"},
	"identity":      {"people", "audit", "dtmclient", "mail"},
	"signing":       {"people", "audit", "dtmclient", "mail", "pades/..."},
	"work":          {"people", "audit", "signing"},
	"grants":        {"people", "audit", "blob", "dtmclient"},
	"db":            {"people", "identity", "signing", "auth", "grants", "audit", "mail", "work"},
	"jobs":          {"identity", "signing", "audit", "mail"},
	"web/templates": {"work", "people", "identity", "signing", "auth", "audit", "pades", "web/static"},
	"web/gallery":   {"work", "web/templates", "web/static", "people", "identity", "signing", "auth", "audit", "pades"},
	"handlers":      {"work", "people", "identity", "signing", "auth", "grants", "audit", "pades", "web/templates", "web/gallery", "web/static"},
	"cmd/demo":      {"dtmsim", "idpsim"},
	"cmd/dtmsim":    {"dtmsim", "idpsim"},
	"cmd/pades":     {"pades/..."},
	"bench":         {"db", "db/pgcluster", "dtmsim", "idpsim", "pades", "pades/cms", "pades/padestest", "pades/pdf/pdftest", "pades/tsp"},
	"interop":       {"pades/..."},
	"db/pgcluster":  {},
	"reliability":   {},
}

// atTop are the folders that may stand at the top.
var atTop = strings.Fields("cmd handlers web people identity signing grants work audit pades asic dtmclient dtmsim idpsim auth blob jobs mail db e2e bench interop reliability deploy docs")

func goFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "node_modules" || (name != "." && strings.HasPrefix(name, ".")) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, "_test.go") {
			files = append(files, filepath.ToSlash(p))
		}
		return nil
	}))
	require.NotEmpty(t, files)
	return files
}

// The test opens the files itself: one that asks the Go tool would be answered from
// the test cache after a forbidden import was added.
func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	for _, file := range goFiles(t) {
		allowed, ruled := mayImport[path.Dir(file)]
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			ours, ok := strings.CutPrefix(name, "countersign/")
			if !ok {
				continue
			}
			if path.Dir(file) == "cmd/portal" && (strings.HasPrefix(ours, "dtmsim") || strings.HasPrefix(ours, "idpsim")) {
				t.Errorf("%s imports %s: the portal contains no simulator", file, ours)
			}
			if ruled && !allowedImport(allowed, ours) {
				t.Errorf("%s imports %s, which docs/design.md section 2.1 does not allow", file, ours)
			}
		}
	}
}

func allowedImport(allowed []string, ours string) bool {
	for _, rule := range allowed {
		if below, ok := strings.CutSuffix(rule, "/..."); ok {
			if ours == below || strings.HasPrefix(ours, below+"/") {
				return true
			}
		} else if ours == rule {
			return true
		}
	}
	return false
}

func TestOnlyTheRoomsOfTheDesignStandAtTheTop(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && e.Name() != "bin" && e.Name() != "data" {
			require.Contains(t, atTop, e.Name())
		}
	}
}

func TestOnlyTheProgramsReadTheEnvironment(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasPrefix(file, "cmd/") || strings.Contains(path.Dir(file), "test") || strings.HasPrefix(file, "bench/") {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, call := range []string{"os.Getenv", "os.LookupEnv", "os.Environ"} {
			require.NotContains(t, string(text), call, file)
		}
	}
}

func TestThePortalContainsNoSimulator(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/portal").Output()
	require.NoError(t, err)
	for _, dep := range strings.Fields(string(out)) {
		require.False(t, strings.HasPrefix(dep, "countersign/dtmsim") || strings.HasPrefix(dep, "countersign/idpsim"), dep)
	}
	require.Contains(t, string(out), "countersign/handlers")
}
