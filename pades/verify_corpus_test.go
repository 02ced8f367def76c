package pades_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
)

// corpusFiles are the PDFs that other people's software made.
func corpusFiles(t *testing.T) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(corpus(t), "*", "*.pdf"))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, n := range names {
		b, err := os.ReadFile(n)
		require.NoError(t, err)
		files[filepath.Base(n)] = b
	}
	return files
}

var contents = regexp.MustCompile(`/Contents ?<([0-9A-Fa-f]+)>`)

// rootsIn trusts whatever a file brings along that issues certificates: the most lenient reader.
func rootsIn(file []byte) *x509.CertPool {
	pool := x509.NewCertPool()
	add := func(der []byte) {
		sd, err := cms.Parse(der)
		if err != nil {
			return
		}
		for _, c := range sd.Certificates {
			if c.IsCA {
				pool.AddCert(c)
			}
		}
		if s, err := sd.One(); err == nil {
			if token, err := s.Token(); err == nil && token != nil {
				if ts, err := cms.Parse(token); err == nil {
					for _, c := range ts.Certificates {
						if c.IsCA {
							pool.AddCert(c)
						}
					}
				}
			}
		}
	}
	for _, m := range contents.FindAllSubmatch(file, -1) {
		if der, err := hex.DecodeString(string(m[1])); err == nil {
			body, _ := cms.Trim(der)
			add(body)
		}
	}
	return pool
}

func TestTheCorpusGetsNoFalseGreen(t *testing.T) {
	// What a reader who trusts every issuer in the file, at the time of signing, may see as
	// valid. Everything else in the corpus must not pass.
	green := map[string]bool{
		"t-certified-p1.pdf": true, "t-certified-p2.pdf": true, "t-signed1.pdf": true, "t-signed-objstm.pdf": true,
		"certified-with-indirect-refs-in-dir.pdf": true, "separate-annots-kids-indir.pdf": true,
		"pades-with-old-style-signing-cert-attr.pdf": true, "pades-with-old-style-signing-cert-attr-issser.pdf": true,
		"pades-lta-dss-indirect-arrs-test.pdf": true, "pades-lta-dss-indirect-arrs-test-2.pdf": true,
		// The second signer's mark replaces the look of an empty field by a new object; what the
		// "sneaky" ones prepared elsewhere for the old object stays as it was signed.
		"form-update-ap-indirect-sneaky-trailer.pdf": true, "form-update-no-override-appearance-stream-ap-indirect-sneaky.pdf": true,
		"form-update-no-override-appearance-stream-ap-indirect.pdf": true, "form-update-original-ap-type-wrong.pdf": true,
		// Signed twice in Acrobat, which writes down the time in the description each time.
		"minimal-signed-twice-no-sig-type.pdf": true,
	}
	seen := 0
	for name, file := range corpusFiles(t) {
		for _, year := range []int{2019, 2020, 2021, 2022, 2023, 2024, 2025, 2026} {
			start := time.Now()
			r, err := pades.Verify(context.Background(), bytes.NewReader(file), int64(len(file)),
				pades.VerifyOptions{Roots: rootsIn(file), Now: time.Date(year, 11, 24, 0, 0, 0, 0, time.UTC)})
			require.Less(t, time.Since(start), 5*time.Second, name)
			if err != nil {
				continue
			}
			if len(r.Signatures) > 0 {
				seen++
			}
			if r.Indication == pades.TotalPassed && !green[name] {
				t.Errorf("%s passes in %d:\n%s", name, year, report(r))
			}
			for _, s := range r.Signatures {
				if strings.HasPrefix(name, "coverage-anomalies_") {
					require.Equal(t, pades.TotalFailed, s.Indication, name)
				}
			}
		}
	}
	require.Greater(t, seen, 200, "the signed files of the corpus must be read")
}

func TestTheCorpusesGoodSignaturesPassOnce(t *testing.T) {
	files := corpusFiles(t)
	for _, name := range []string{"certified-with-indirect-refs-in-dir.pdf", "separate-annots-kids-indir.pdf", "pades-with-old-style-signing-cert-attr.pdf"} {
		passed := false
		var last string
		for year := 2019; year < 2027; year++ {
			r := checkWith(t, files[name], pades.VerifyOptions{Roots: rootsIn(files[name]), Now: time.Date(year, 11, 24, 0, 0, 0, 0, time.UTC)})
			passed = passed || r.Indication == pades.TotalPassed
			last = report(r)
		}
		require.True(t, passed, "%s: %s", name, last)
	}
}

func TestWhatWeSignWeVerify(t *testing.T) {
	signedFiles := 0
	for name, file := range corpusFiles(t) {
		before, err := pades.Verify(t.Context(), bytes.NewReader(file), int64(len(file)), pades.VerifyOptions{})
		if err != nil || before.Indication != pades.NoSignature {
			continue
		}
		out := file
		for n := 1; n <= 2; n++ {
			p, err := pades.Prepare(bytes.NewReader(out), int64(len(out)), pades.Options{Chain: theAuthority().chain(), Time: theAuthority().now})
			var refused *pades.Refusal
			if errors.As(err, &refused) {
				break
			}
			require.NoError(t, err, name)
			value, err := cms.SignLocal(p.Unsigned, theAuthority().signerKey)
			require.NoError(t, err)
			delta, err := p.Complete(value, nil)
			require.NoError(t, err)
			out = append(bytes.Clone(out), delta...)
			signedFiles++
			r := check(t, out)
			require.Len(t, r.Signatures, n, name)
			if r.Indication != pades.TotalPassed {
				t.Errorf("%s, signature %d: %s", name, n, report(r))
			}
		}
	}
	require.Greater(t, signedFiles, 100)
}
