package handlers_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryTestNamedInTheAssuranceExists(t *testing.T) {
	page, err := os.ReadFile("../docs/assurance.md")
	require.NoError(t, err)
	sources := map[string]string{}
	named := regexp.MustCompile("`([a-z/]*)\\.(Test[A-Za-z0-9]+)`").FindAllStringSubmatch(string(page), -1)
	require.Greater(t, len(named), 80)
	listed := map[string]bool{}
	for _, n := range named {
		folder := n[1]
		if sources[folder] == "" {
			files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
			require.NoError(t, err)
			for _, f := range files {
				text, err := os.ReadFile(f)
				require.NoError(t, err)
				sources[folder] += string(text)
			}
		}
		require.Contains(t, sources[folder], "func "+n[2]+"(", "%s has no %s", folder, n[2])
		listed[folder+"."+n[2]] = true
	}
	for _, folder := range []string{"handlers", "cmd/portal"} {
		for _, m := range regexp.MustCompile(`func (Test[A-Za-z0-9]+)\(t \*testing`).FindAllStringSubmatch(sources[folder], -1) {
			if !strings.HasPrefix(m[1], "TestEveryTestNamed") {
				require.True(t, listed[folder+"."+m[1]], "%s.%s is not in docs/assurance.md", folder, m[1])
			}
		}
	}
}
