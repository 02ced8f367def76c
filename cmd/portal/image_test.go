package main_test

import (
	"debug/elf"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// instruction is one of a Dockerfile, with the lines that belong to it joined.
type instruction struct{ word, rest string }

func dockerfile(t *testing.T) (stages [][]instruction) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	for _, line := range strings.Split(joined, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			stages = append(stages, nil)
		}
		require.NotEmpty(t, stages)
		stages[len(stages)-1] = append(stages[len(stages)-1], instruction{word, strings.TrimSpace(rest)})
	}
	return stages
}

func TestTheImageHoldsTheProgramAndNothingElse(t *testing.T) {
	stages := dockerfile(t)
	last := stages[len(stages)-1]
	said := map[string][]string{}
	for _, i := range last {
		said[i.word] = append(said[i.word], i.rest)
	}
	require.Equal(t, []string{"scratch"}, said["FROM"])
	require.Equal(t, []string{"65532:65532"}, said["USER"])
	require.Equal(t, []string{`["/portal"]`}, said["ENTRYPOINT"])
	require.Equal(t, []string{`["serve"]`}, said["CMD"])
	require.Len(t, said["HEALTHCHECK"], 1)
	require.Contains(t, said["HEALTHCHECK"][0], `CMD ["/portal", "health"`)
	require.Empty(t, said["RUN"], "there is nothing to run it with")
	require.Empty(t, said["ADD"])
	for _, copied := range said["COPY"] {
		fields := strings.Fields(copied)
		require.Equal(t, "--from=build", fields[0])
		require.Contains(t, []string{"/portal", "/data", "/tmp", "/etc/ssl/certs/ca-certificates.crt"}, fields[len(fields)-1])
	}
}

func TestTheImageIsBuiltByMakeAlone(t *testing.T) {
	stages := dockerfile(t)
	for _, stage := range stages[:len(stages)-1] {
		for _, i := range stage {
			if i.word != "RUN" {
				require.Contains(t, []string{"FROM", "WORKDIR", "COPY", "ENV", "ARG"}, i.word)
				continue
			}
			for _, command := range strings.Split(i.rest, "&&") {
				command = strings.TrimSpace(command)
				allowed := command == "go mod download" || strings.HasPrefix(command, "make ") || command == "mkdir -p /data" || strings.HasPrefix(command, "chmod ")
				require.True(t, allowed, "the image must not be built by anything but make: %q", command)
			}
		}
	}
}

func TestTheProgramIsStatic(t *testing.T) {
	file, err := elf.Open(program)
	require.NoError(t, err)
	defer file.Close()
	for _, p := range file.Progs {
		require.NotEqual(t, elf.PT_INTERP, p.Type, "it asks for a loader")
	}
	libraries, err := file.ImportedLibraries()
	require.NoError(t, err)
	require.Empty(t, libraries)
	info, err := os.Stat(program)
	require.NoError(t, err)
	t.Logf("%d MB", info.Size()>>20)
	require.Less(t, info.Size(), int64(40<<20))
}

// What the image has: the program, a place for data, a place for temporary files; all else
// can only be read, and the user is nobody.
const confine = `
set -e
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --bind "$2" "$1/data"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$1/tmp"
if touch "$1/proof" 2>/dev/null; then echo "the root can be written"; exit 1; fi
exec chroot --userspec=65532:65532 "$1" /portal "$3"
`

func TestTheProgramRunsAsNobodyOnARootThatCannotBeWritten(t *testing.T) {
	if out, err := exec.Command("unshare", "--mount", "true").CombinedOutput(); err != nil {
		t.Skipf("THIS MACHINE DOES NOT LET A TEST MAKE A MOUNT NAMESPACE, so the read-only root is not proved here (needs root and unshare): %v %s", err, out)
	}
	root, data := t.TempDir(), t.TempDir()
	for _, dir := range []string{root, data} {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	require.NoError(t, os.Chown(data, 65532, 65532))
	for _, dir := range []string{"data", "tmp"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, dir), 0o755))
	}
	binary, err := os.ReadFile(program)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "portal"), binary, 0o755))

	address := freeAddress(t)
	settings := setting("/data", "LISTEN", address)
	run := func(command string) *exec.Cmd {
		cmd := exec.Command("unshare", "--mount", "sh", "-c", confine, "sh", root, data, command)
		cmd.Env = environment(settings)
		return cmd
	}
	out, err := run("migrate").CombinedOutput()
	require.NoError(t, err, string(out))
	s := start(t, run("serve"))
	t.Logf("ready after %v", s.ready(t, address))
	answer, err := http.Get("http://" + address + "/verify")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	_, code := portal(t, settings, "health")
	require.Zero(t, code)
	status, err := os.ReadFile("/proc/" + pid(s) + "/status")
	require.NoError(t, err)
	require.Contains(t, string(status), "Uid:\t65532\t65532\t65532\t65532")
	s.stop(t)

	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 3, "nothing was written beside the data")
	info, err := os.Stat(filepath.Join(data, "portal.db"))
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "the database is nobody else's to read")
}

func pid(s *served) string { return strconv.Itoa(s.Process.Pid) }
