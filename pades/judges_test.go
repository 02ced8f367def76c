package pades_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/padestest"
)

// verdict is what PDFBox and BouncyCastle say of a file (testdata/judge/Judge.java).
type verdict struct {
	Error      string // the file cannot be read
	Pages      int
	Signatures []signatureVerdict
	DSS        *struct{ Certs, OCSPs, CRLs, VRI int }
}

type signatureVerdict struct {
	SubFilter string
	End       int64  // of the byte range
	Covers    bool   // from the first byte of the file to its last
	Good      bool   // bytes, value and binding to the certificate agree
	Stamp     string // "good" or "none"
	Why       string // not good
}

// good counts the signatures that agree, by where they end: later bytes do not change that.
func (v verdict) good() (ends []int64) {
	for _, s := range v.Signatures {
		if s.Good {
			ends = append(ends, s.End)
		}
	}
	return ends
}

// judge is one Java process for all files of a test run; it ends when this process does and
// its input with it.
type judge struct {
	sync.Mutex
	in      io.Writer
	out     *bufio.Scanner
	trouble *strings.Builder
}

var theJudge = sync.OnceValues(func() (*judge, error) {
	var jars []string
	for _, j := range []string{"pdfbox2", "fontbox2", "commons-logging", "bcprov", "bcpkix", "bcutil"} {
		path := filepath.Join("/usr/share/java", j+".jar")
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w: run `make setup`", err)
		}
		jars = append(jars, path)
	}
	c := exec.Command("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.apache.commons.logging.Log=org.apache.commons.logging.impl.NoOpLog",
		"-cp", strings.Join(jars, ":"), filepath.Join("testdata", "judge", "Judge.java"))
	j := &judge{trouble: &strings.Builder{}}
	c.Stderr = j.trouble
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	j.in, j.out = in, bufio.NewScanner(out)
	j.out.Buffer(nil, 1<<20)
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("%w: run `make setup`", err)
	}
	return j, nil
})

// judged asks PDFBox and BouncyCastle about a file.
func judged(t testing.TB, path string) (v verdict) {
	t.Helper()
	j, err := theJudge()
	require.NoError(t, err)
	path, err = filepath.Abs(path)
	require.NoError(t, err)
	j.Lock()
	defer j.Unlock()
	_, err = fmt.Fprintln(j.in, path)
	require.NoError(t, err)
	require.True(t, j.out.Scan(), "Java ended: %v %s", j.out.Err(), j.trouble)
	require.NoError(t, json.Unmarshal(j.out.Bytes(), &v), "%s", j.out.Bytes())
	return v
}

// pdfboxCannotRead are files that can be signed and that PDFBox does not open, neither before
// nor after, with the reason.
var pdfboxCannotRead = map[string]string{
	// Only what is attached is encrypted; PDFBox asks for the password all the same.
	"pyhanko/embedded-encrypted-nocf.pdf": "the password is incorrect",
}

func TestTheJudgeFindsWhatIsWrong(t *testing.T) {
	file := signFile(t, signFile(t, paper(), signing{stamp: true}), signing{})
	say := func(b []byte) verdict { return judged(t, writeFile(t, t.TempDir(), "judged.pdf", b)) }
	v := say(file)
	require.Empty(t, v.Error)
	require.Len(t, v.good(), 2)
	require.Equal(t, "good", v.Signatures[0].Stamp)
	require.False(t, v.Signatures[0].Covers)
	require.True(t, v.Signatures[1].Covers)
	require.Nil(t, v.DSS)

	touched := bytes.Clone(file)
	touched[bytes.Index(touched, []byte("100 100 l"))] = '2'
	require.Empty(t, say(touched).good(), "neither covers what is there")
	require.False(t, say(append(file, "\n% more\n"...)).Signatures[1].Covers)

	require.NotEmpty(t, say([]byte("no file")).Error)
	require.Len(t, say(file).good(), 2, "and goes on after trouble")
}

func TestPDFBoxReadsTheSecurityStoreAndTheLastTimestamp(t *testing.T) {
	far := pki(t)
	file := timestamped(t, far, paper(), far.Issue("Ada Example", padestest.Key(), nil), pades.Options{})
	file, x := extend(t, file, extension(far, "B-LTA"))
	v := judged(t, writeFile(t, t.TempDir(), "archived.pdf", file))
	require.Empty(t, v.Error)
	require.Len(t, v.good(), 2, "%+v", v)
	require.Equal(t, "ETSI.RFC3161", v.Signatures[1].SubFilter)
	require.True(t, v.Signatures[1].Covers)
	require.Equal(t, []int{x.Certificates, x.Answers, x.Lists}, []int{v.DSS.Certs, v.DSS.OCSPs, v.DSS.CRLs})
}
