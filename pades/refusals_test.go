package pades_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

var (
	codeRow = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [^|]+ \\| [^|]+ \\|$")
	fileRow = regexp.MustCompile("(?m)^\\| `([a-z]+/[^`]+\\.pdf)` \\| `([a-z_]+)` \\| [^|]+ \\|$")
	codeIs  = regexp.MustCompile(`(?m)^\tRefused[A-Za-z]+\s+= "([a-z_]+)"`)
)

// docs/refusals.md defends every refusal: each code, and each file of the corpus that is
// refused, with the code it gets.
func TestEveryRefusalIsDefended(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "docs", "refusals.md"))
	require.NoError(t, err)
	source, err := os.ReadFile("pades.go")
	require.NoError(t, err)
	defended, codes := map[string]bool{}, codeIs.FindAllStringSubmatch(string(source), -1)
	for _, m := range codeRow.FindAllStringSubmatch(string(b), -1) {
		defended[m[1]] = true
	}
	require.Len(t, codes, 12)
	for _, m := range codes {
		require.True(t, defended[m[1]], "%s is not in docs/refusals.md", m[1])
	}
	require.Len(t, defended, len(codes), "a code that does not exist")

	told := map[string]string{}
	for _, m := range fileRow.FindAllStringSubmatch(string(b), -1) {
		told[m[1]] = m[2]
	}
	require.Equal(t, mustBeRefused, told)
}

// Of the files that anybody can open at most 3 in 100 are refused.
func TestFewFilesThatAnybodyCanOpenAreRefused(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(corpus(t), "*", "*.pdf"))
	require.NoError(t, err)
	open, refused := len(names), 0
	for _, code := range mustBeRefused {
		switch code {
		case pades.RefusedPassword, pades.RefusedEncryption:
			open--
		default:
			refused++
		}
	}
	t.Logf("%d of %d", refused, open)
	require.LessOrEqual(t, 100*refused, 3*open)
	page, err := os.ReadFile(filepath.Join("..", "docs", "refusals.md"))
	require.NoError(t, err)
	require.True(t, strings.Contains(string(page), "183 files. 160 can be opened by anybody; 3 of these are refused"))
	require.Equal(t, []int{183, 160, 3}, []int{len(names), open, refused})
}
