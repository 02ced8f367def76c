package reliability

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// weakenable writes an overlay in which every mutant can be taken out by a variable.
func weakenable(t *testing.T) (overlay string) {
	t.Helper()
	dir := t.TempDir()
	texts := map[string]string{}
	for _, m := range mutants {
		if texts[m.file] == "" {
			text, err := os.ReadFile(filepath.Join("..", m.file))
			require.NoError(t, err)
			texts[m.file] = string(text)
		}
		require.Equal(t, 1, strings.Count(texts[m.file], m.guard), "%s has moved: %s", m.file, m.guard)
		texts[m.file] = strings.Replace(texts[m.file], m.guard, m.without(), 1)
	}
	for _, m := range mutants {
		room := filepath.Dir(m.file)
		texts[room+"/weakened.go"] = "package " + filepath.Base(room) + switches
	}
	return overlaid(t, dir, texts)
}

// Every guard is there for a reason that a test knows: with the guard taken out, and nothing
// else changed, the test named beside it fails. The short form looks only whether each is
// where the list says.
func TestEachGuardOfTheServicesHasATestThatMissesIt(t *testing.T) {
	t.Parallel()
	overlay := weakenable(t)
	if !soak() {
		return
	}
	tests := map[string][]string{} // by package
	for _, m := range mutants {
		room, name, _ := strings.Cut(m.test, ".")
		if !slices.Contains(tests[room], name) {
			tests[room] = append(tests[room], name)
		}
	}
	programs := map[string]string{}
	for room, names := range tests {
		programs[room] = filepath.Join(t.TempDir(), "test")
		build := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", programs[room], "./"+room)
		build.Dir = ".."
		text, err := build.CombinedOutput()
		require.NoError(t, err, string(text))
		text, err = weakenedRun(programs[room], room, strings.Join(names, "|"), "")
		require.NoError(t, err, "with every guard in its place: %s", text)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			room, name, _ := strings.Cut(m.test, ".")
			text, err := weakenedRun(programs[room], room, name, m.name)
			require.Error(t, err, "%s does not miss it", m.test)
			require.Contains(t, string(text), "FAIL", string(text))
		})
	}
}

func weakenedRun(program, room, tests, guard string) ([]byte, error) {
	cmd := exec.Command(program, "-test.run", "^("+tests+")$", "-test.timeout", "5m")
	cmd.Dir, cmd.Env = filepath.Join("..", room), append(os.Environ(), "WEAKENED="+guard, "COUNTERSIGN_SOAK=")
	return cmd.CombinedOutput()
}

// overlaid writes files that take the place of those of the source when it is built.
func overlaid(t *testing.T, dir string, texts map[string]string) (overlay string) {
	t.Helper()
	replace := map[string]string{}
	for file, text := range texts {
		real, err := filepath.Abs(filepath.Join("..", file))
		require.NoError(t, err)
		replace[real] = filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		require.NoError(t, os.WriteFile(replace[real], []byte(text), 0o600))
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	overlay = filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, text, 0o600))
	return overlay
}
