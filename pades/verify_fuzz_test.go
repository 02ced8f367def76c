package pades_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

var updateSeeds = flag.Bool("update-seeds", false, "sign the files that testdata/verify lacks")

// seedTime is when the files of testdata/verify are judged.
var seedTime = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// TestSeedsPass keeps the seeds honest: signed once by an authority that is gone, so that
// every process of a fuzz run sees the same files.
func TestSeedsPass(t *testing.T) {
	dir := filepath.Join("testdata", "verify")
	if *updateSeeds {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		once := signFile(t, paper(), signing{})
		certified := signFile(t, form(""), signing{opts: pades.Options{Field: "Approval", Certify: 3}})
		for name, b := range map[string][]byte{"once.pdf": once, "stamped.pdf": signFile(t, paper(), signing{stamp: true}),
			"twice.pdf": signFile(t, once, signing{}), "changed.pdf": update(once, map[int]string{4: "null"}, ""),
			"certified.pdf": certified, "filled.pdf": update(certified, fills["a text, with a new look"], ""), "noted.pdf": update(certified, notesOf(note("Text", "")), "")} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644))
			}
		}
		roots, err := os.ReadFile(filepath.Join(dir, "root.pem"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "root.pem"), append(roots, pemCert(theAuthority().root)...), 0o644))
	}
	for name, file := range seeds(t) {
		r := checkWith(t, file, pades.VerifyOptions{Roots: seedRoots(t), Now: seedTime})
		require.Equal(t, name != "changed.pdf", r.Indication == pades.TotalPassed, "%s: %s", name, report(r))
	}
}

func seeds(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "verify", "*.pdf"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	files := map[string][]byte{}
	for _, n := range names {
		files[filepath.Base(n)], err = os.ReadFile(n)
		require.NoError(t, err)
	}
	return files
}

func seedRoots(t testing.TB) *x509.CertPool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "verify", "root.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(b))
	return pool
}

// FuzzVerify looks for a panic, a hang, and above all for a file that passes and does not
// begin with a seed: signed bytes may not differ, white space and harmless updates may follow.
func FuzzVerify(f *testing.F) {
	files, roots := seeds(f), seedRoots(f)
	for _, s := range files {
		f.Add(s)
	}
	f.Add(paper())
	f.Fuzz(func(t *testing.T, file []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := pades.Verify(ctx, bytes.NewReader(file), int64(len(file)), pades.VerifyOptions{Roots: roots, Now: seedTime})
		if ctx.Err() != nil {
			t.Fatal("too slow")
		}
		if err != nil || r.Indication != pades.TotalPassed {
			return
		}
		for _, s := range files {
			if bytes.HasPrefix(file, s) {
				return
			}
		}
		t.Fatalf("passes and was not signed:\n%s", report(r))
	})
}
