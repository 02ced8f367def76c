package handlers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	goTest     = regexp.MustCompile("`([a-z/]*)\\.((?:Test|Fuzz)[A-Za-z0-9]+)`")
	journey    = regexp.MustCompile("`(e2e/[a-z-]+\\.spec\\.ts)`(?: “([^”]+)”)?")
	rowOfAPage = regexp.MustCompile(`(?m)^\| ([AOBUPCFG]\d+) \|(.*)$`)
)

// attacks are the lists that have to be complete; how many of each letter there are.
var attacks = map[string]int{"A": 25, "O": 18, "B": 6, "U": 20, "P": 8, "F": 10, "C": 13, "G": 8}

func assurance(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/assurance.md")
	require.NoError(t, err)
	return string(page)
}

func TestEveryTestNamedInTheAssuranceExists(t *testing.T) {
	sources := map[string]string{}
	source := func(folder string) string {
		if sources[folder] == "" {
			files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
			require.NoError(t, err)
			for _, f := range files {
				text, err := os.ReadFile(f)
				require.NoError(t, err)
				sources[folder] += string(text)
			}
		}
		return sources[folder]
	}
	named := goTest.FindAllStringSubmatch(assurance(t), -1)
	require.Greater(t, len(named), 150)
	listed := map[string]bool{}
	for _, n := range named {
		require.Contains(t, source(n[1]), "func "+n[2]+"(", "%s has no %s", n[1], n[2])
		listed[n[1]+"."+n[2]] = true
	}
	for _, folder := range []string{"handlers", "cmd/portal"} {
		for _, m := range regexp.MustCompile(`func (Test[A-Za-z0-9]+)\(t \*testing`).FindAllStringSubmatch(source(folder), -1) {
			if !strings.Contains(m[1], "TheAssurance") {
				require.True(t, listed[folder+"."+m[1]], "%s.%s is not in docs/assurance.md", folder, m[1])
			}
		}
	}
	for _, folder := range []string{"pades", "pades/pdf", "pades/cms", "pades/tsp", "pades/trust", "signing", "blob", "auth", "dtmclient"} {
		for _, m := range regexp.MustCompile(`func (Fuzz[A-Za-z0-9]+)\(f \*testing`).FindAllStringSubmatch(source(folder), -1) {
			require.True(t, listed[folder+"."+m[1]], "%s.%s is not in docs/assurance.md", folder, m[1])
		}
	}
}

func TestEveryJourneyNamedInTheAssuranceExists(t *testing.T) {
	named := journey.FindAllStringSubmatch(assurance(t), -1)
	require.Greater(t, len(named), 4)
	for _, n := range named {
		text, err := os.ReadFile(filepath.Join("..", n[1]))
		require.NoError(t, err)
		require.NotEmpty(t, n[2], "%s is named without a title", n[1])
		title := regexp.MustCompile(`(?m)^\s*test\(["` + "`" + `]` + regexp.QuoteMeta(n[2]) + `["` + "`" + `]`)
		require.Regexp(t, title, string(text), "%s has no test called %q", n[1], n[2])
	}
}

func TestNoAttackIsMissingInTheAssurance(t *testing.T) {
	rows := map[string]string{}
	for _, m := range rowOfAPage.FindAllStringSubmatch(assurance(t), -1) {
		require.Empty(t, rows[m[1]], "%s has two rows", m[1])
		rows[m[1]] = m[2]
	}
	total := 0
	for letter, n := range attacks {
		for i := 1; i <= n; i++ {
			id := fmt.Sprint(letter, i)
			require.True(t, goTest.MatchString(rows[id]) || journey.MatchString(rows[id]), "%s has no row with a test", id)
			cells := strings.Split(strings.Trim(rows[id], "| "), " | ")
			require.Len(t, cells, 3, "%s: what is tried, what comes of it, tests", id)
			total++
		}
	}
	require.Len(t, rows, total)
}
