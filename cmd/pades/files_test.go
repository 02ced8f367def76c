package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/pdf/pdftest"
)

// large writes a file that takes a while to hash.
func large(t *testing.T, size int64) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "large.pdf")
	l := pdftest.NewLarge(size)
	f, err := os.Create(name)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Truncate(l.Size())) // the middle is zeros, so a hole
	for _, at := range []int64{0, l.Size() - 1<<20} {
		_, err = io.Copy(io.NewOffsetWriter(f, at), io.NewSectionReader(l, at, 1<<20))
		require.NoError(t, err)
	}
	return name
}

func names(t *testing.T, dir string) (out []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestInPlaceOnlyAppends(t *testing.T) {
	cert, key := person(t)
	in := filepath.Join(t.TempDir(), "in.pdf")
	base := pdftest.Plain(1)
	require.NoError(t, os.WriteFile(in, base, 0o600))
	for range 2 {
		msg, code := pades(t, "sign", "-cert", cert, "-key", key, "-in-place", in)
		require.Zero(t, code, msg)
	}
	b, err := os.ReadFile(in)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(b, base))
	_, code := pades(t, "verify", "-roots", cert, in)
	require.Zero(t, code)
	require.Equal(t, []string{"in.pdf"}, names(t, filepath.Dir(in)))
}

func TestAFullDiskLeavesTheFileAsItWas(t *testing.T) {
	cert, key := person(t)
	in := large(t, 2<<20)
	before, err := os.ReadFile(in)
	require.NoError(t, err)
	for _, args := range [][]string{{"-in-place", in}, {in, in + ".out"}} {
		// The limit, in KiB, is met in the middle of the signature.
		cmd := exec.Command("bash", append([]string{"-c", `ulimit -f $(( $(stat -c %s "$0") / 1024 + 4 )); trap "" XFSZ; exec "$@"`, in, program, "sign", "-cert", cert, "-key", key}, args...)...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 4, exit.ExitCode(), string(out))
		require.Contains(t, string(out), "file too large")
		after, err := os.ReadFile(in)
		require.NoError(t, err)
		require.True(t, bytes.Equal(before, after))
		require.Equal(t, []string{"large.pdf"}, names(t, filepath.Dir(in)))
	}
}

func TestStandardOutputGetsTheFileAndErrorsTheWords(t *testing.T) {
	cert, key := person(t)
	in := filepath.Join(t.TempDir(), "in.pdf")
	require.NoError(t, os.WriteFile(in, pdftest.Plain(1), 0o600))
	cmd := exec.Command(program, "sign", "-cert", cert, "-key", key, "-json", in, "-")
	var words bytes.Buffer
	cmd.Stderr = &words
	b, err := cmd.Output()
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(b, pdftest.Plain(1)))
	require.True(t, json.Valid(words.Bytes()), words.String())
	out := in + ".out"
	require.NoError(t, os.WriteFile(out, b, 0o600))
	_, code := pades(t, "verify", "-roots", cert, out)
	require.Zero(t, code)

	cmd = exec.Command("bash", "-c", `"$0" sign -cert "$1" -key "$2" <(cat "$3") "$3.out2"`, program, cert, key, in)
	msg, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(msg), "a file is read from its end")
}

func TestAFileThatGrowsMeanwhileIsNotSigned(t *testing.T) {
	cert, key := person(t)
	in := filepath.Join(t.TempDir(), "in.pdf")
	require.NoError(t, os.WriteFile(in, pdftest.Plain(1), 0o600))
	slow := newOffice(t)
	// The clock service is slow enough for somebody to write.
	cmd := exec.Command(program, "sign", "-cert", cert, "-key", key, "-tsa", slowClock(t, slow, func() {
		f, err := os.OpenFile(in, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			f.WriteString("more")
			f.Close()
		}
	}), in, in+".out")
	msg, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, string(msg))
	require.Equal(t, 4, exit.ExitCode())
	require.Contains(t, string(msg), "was changed meanwhile")
	require.Equal(t, []string{"in.pdf"}, names(t, filepath.Dir(in)))
}

func TestInterruptedNothingIsLeft(t *testing.T) {
	cert, key := person(t)
	in := large(t, 400<<20)
	for _, args := range [][]string{{in, in + ".out"}, {"-in-place", in}} {
		cmd := exec.Command(program, append([]string{"sign", "-cert", cert, "-key", key, "-hash", "512"}, args...)...)
		var out bytes.Buffer
		cmd.Stderr, cmd.Stdout = &out, &out
		require.NoError(t, cmd.Start())
		if len(args) == 2 && args[0] == in {
			require.Eventually(t, func() bool { return len(names(t, filepath.Dir(in))) == 2 }, 5*time.Second, time.Millisecond)
		} else {
			time.Sleep(30 * time.Millisecond)
		}
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		var exit *exec.ExitError
		require.ErrorAs(t, cmd.Wait(), &exit, out.String())
		require.Equal(t, 4, exit.ExitCode(), out.String())
		require.Contains(t, out.String(), "interrupted")
		require.Equal(t, []string{"large.pdf"}, names(t, filepath.Dir(in)))
		st, err := os.Stat(in)
		require.NoError(t, err)
		require.Equal(t, pdftest.NewLarge(400<<20).Size(), st.Size())
	}
}

func TestAFolderThatCannotBeWrittenToIsAnError(t *testing.T) {
	if os.Getuid() == 0 {
		// root writes everywhere but where the system itself refuses
		cert, key := person(t)
		in := filepath.Join(t.TempDir(), "in.pdf")
		require.NoError(t, os.WriteFile(in, pdftest.Plain(1), 0o600))
		_, code := pades(t, "sign", "-cert", cert, "-key", key, in, "/proc/out.pdf")
		require.Equal(t, 4, code)
		return
	}
	cert, key := person(t)
	dir := t.TempDir()
	in := filepath.Join(t.TempDir(), "in.pdf")
	require.NoError(t, os.WriteFile(in, pdftest.Plain(1), 0o600))
	require.NoError(t, os.Chmod(dir, 0o500))
	msg, code := pades(t, "sign", "-cert", cert, "-key", key, in, filepath.Join(dir, "out.pdf"))
	require.Equal(t, 4, code)
	require.Contains(t, msg, "permission denied")
}

func TestPasswordsComeFromAFileOrTheEnvironment(t *testing.T) {
	cert, key := person(t)
	dir := t.TempDir()
	plain, locked, word := filepath.Join(dir, "plain.pdf"), filepath.Join(dir, "locked.pdf"), filepath.Join(dir, "word")
	require.NoError(t, os.WriteFile(plain, pdftest.Plain(1), 0o600))
	require.NoError(t, os.WriteFile(word, []byte("open\r\nsesame"), 0o600))
	b, err := exec.Command("qpdf", "--encrypt", "open", "owner", "256", "--", plain, locked).CombinedOutput()
	require.NoError(t, err, string(b))
	out := filepath.Join(dir, "out.pdf")
	_, code := pades(t, "sign", "-cert", cert, "-key", key, locked, out)
	require.Equal(t, 3, code)
	msg, code := pades(t, "sign", "-cert", cert, "-key", key, "-password-file", word, locked, out)
	require.Zero(t, code, msg)
	msg, code = pades(t, "verify", "-roots", cert, "-password-file", word, out)
	require.Zero(t, code, msg)
	t.Setenv("PADES_PASSWORD", "open")
	msg, code = pades(t, "inspect", out)
	require.Zero(t, code, msg)
	require.Contains(t, msg, "opens with the given password")
	require.NotContains(t, msg, "sesame")
}

func TestSeveralFilesGiveTheWorstCode(t *testing.T) {
	cert, key := person(t)
	dir := t.TempDir()
	in, good := filepath.Join(dir, "in.pdf"), filepath.Join(dir, "good.pdf")
	require.NoError(t, os.WriteFile(in, pdftest.Plain(1), 0o600))
	_, code := pades(t, "sign", "-cert", cert, "-key", key, in, good)
	require.Zero(t, code)
	_, code = pades(t, "verify", "-roots", cert, good, in, good)
	require.Equal(t, 3, code)
	out, err := exec.Command(program, "verify", "-json", "-roots", cert, good, in, in+"x").Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 4, exit.ExitCode())
	dec := json.NewDecoder(bytes.NewReader(out))
	var files []string
	for dec.More() {
		var v struct{ File, Indication, Error string }
		require.NoError(t, dec.Decode(&v))
		files = append(files, filepath.Base(v.File)+" "+v.Indication)
		require.Equal(t, v.Indication == "", v.Error != "")
	}
	require.Equal(t, []string{"good.pdf TOTAL-PASSED", "in.pdf NO-SIGNATURE", "in.pdfx "}, files)
}

func TestHelpAndCompletionComeFromTheSameFlags(t *testing.T) {
	script, code := pades(t, "completion", "bash")
	require.Zero(t, code)
	complete := func(words ...string) []string {
		cmd := exec.Command("bash", "-c", script+"\n"+`COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pades; printf '%s\n' "${COMPREPLY[@]}"`, "bash")
		cmd.Args = append(cmd.Args, words...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return strings.Fields(string(out))
	}
	all := complete("pades", "")
	require.Equal(t, []string{"sign", "extend", "verify", "inspect", "completion", "help", "version"}, all)
	require.Equal(t, []string{"B-B", "B-T", "B-LT", "B-LTA"}, complete("pades", "sign", "-level", ""))
	require.Equal(t, []string{"bash"}, complete("pades", "completion", "b"))
	require.Contains(t, complete("pades", "verify", "files_te"), "files_test.go")
	for _, name := range all {
		help, code := pades(t, "help", name)
		require.Zero(t, code)
		same, code := pades(t, name, "-h")
		require.Zero(t, code)
		require.Equal(t, help, same)
		var flags []string
		for line := range strings.Lines(help) {
			if strings.HasPrefix(line, "  -") {
				flags = append(flags, strings.Fields(line)[0])
			}
		}
		require.ElementsMatch(t, flags, complete("pades", name, "-"), name)
		for _, shell := range []string{"zsh", "fish"} {
			script, code := pades(t, "completion", shell)
			require.Zero(t, code)
			for _, f := range flags {
				require.Contains(t, script, strings.TrimPrefix(f, "-"))
			}
		}
	}
	require.Contains(t, complete("pades", "sign", "-tsa", "x", "-cer")[0], "-cert")
}

func TestProgressIsShownOnATerminalOnlyAndCleared(t *testing.T) {
	cert, key := person(t)
	in := large(t, 300<<20)
	run := func(quiet string) string {
		// script gives the program a terminal; a slow hash makes it take its time.
		cmd := exec.Command("script", "-qec", program+" sign -hash 512 "+quiet+" -cert "+cert+" -key "+key+" "+in+" "+in+".out", "/dev/null")
		cmd.Env = append(os.Environ(), "TERM=xterm")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		return string(out)
	}
	shown := run("")
	require.Regexp(t, `\r\x1b\[K[0-9.]+ of 314\.\d MB, \d+ MB/s`, shown)
	require.Regexp(t, `\r\x1b\[KSigned`, shown)
	require.Empty(t, run("-quiet"))
	msg, code := pades(t, "sign", "-cert", cert, "-key", key, in, in+".out")
	require.Zero(t, code)
	require.NotContains(t, msg, "MB/s")
}

func TestVersionSaysOne(t *testing.T) {
	msg, code := pades(t, "version")
	require.Zero(t, code)
	require.Regexp(t, `^pades \S+ go1\.\d+`, msg)
}
