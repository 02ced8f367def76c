package pades_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/pdf"
)

// corpus is the folder of PDF files that other people's software made.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("COUNTERSIGN_CORPUS")
	if dir == "" {
		dir = "../../shared/corpus"
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("THE PDF CORPUS IS ABSENT, nothing was tested on foreign files: set COUNTERSIGN_CORPUS (%v)", err)
	}
	return dir
}

// tool runs a program that must be there; its exit code is part of the answer.
func tool(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "%s is missing: run `make setup`", name)
	out, err := exec.Command(path, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode()
	}
	require.NoError(t, err)
	return string(out), 0
}

// qpdfRank orders qpdf's verdicts: 0 good, 1 warnings (exit 3), 2 errors (exit 2).
func qpdfRank(t *testing.T, path string) int {
	_, code := tool(t, "qpdf", "--check", path)
	return map[int]int{0: 0, 3: 1, 2: 2}[code]
}

var (
	pagesLine = regexp.MustCompile(`(?m)^Pages:\s+(\d+)`)
	valid     = "Signature is Valid."
)

// mustBeRefused are files with the reason for which they cannot be signed, by folder and name.
var mustBeRefused = map[string]string{
	"made/t-certified-p1.pdf":                              pades.RefusedCertified,
	"made/t-enc-userpw.pdf":                                pades.RefusedPassword,
	"pyhanko/certified-with-indirect-refs-in-dir.pdf":      pades.RefusedCertified,
	"pyhanko/broken-objstream6.pdf":                        pades.RefusedNoPage,
	"pyhanko/malformed-encrypt-dict1.pdf":                  pades.RefusedPassword,
	"pyhanko/malformed-encrypt-dict2.pdf":                  pades.RefusedEncryption,
	"pyhanko/minimal-aes256-empty-encrypted-string.pdf":    pades.RefusedPassword,
	"pyhanko/minimal-aes256-malformed-oe.pdf":              pades.RefusedEncryption,
	"pyhanko/minimal-aes256-malformed-perms.pdf":           pades.RefusedPassword,
	"pyhanko/minimal-aes256.pdf":                           pades.RefusedPassword,
	"pyhanko/minimal-rc4.pdf":                              pades.RefusedPassword,
	"pyhanko/minimal-two-fields-aes256.pdf":                pades.RefusedPassword,
	"pyhanko/minimal-with-field-aes256.pdf":                pades.RefusedPassword,
	"pyhanko/minimal-with-field-rc4.pdf":                   pades.RefusedPassword,
	"pyhanko/minimal-pubkey-aes256.pdf":                    pades.RefusedEncryption,
	"pyhanko/minimal-pubkey-rc4-envelope.pdf":              pades.RefusedEncryption,
	"pyhanko/minimal-pubkey-rc4.pdf":                       pades.RefusedEncryption,
	"pyhanko/minimal-pubkey-unknown-envelope-alg.pdf":      pades.RefusedEncryption,
	"pyhanko/minimal-two-fields-pubkey-aes256.pdf":         pades.RefusedEncryption,
	"pyhanko/minimal-two-fields-pubkey-rc4.pdf":            pades.RefusedEncryption,
	"pyhanko/minimal-with-field-pubkey-aes256.pdf":         pades.RefusedEncryption,
	"pyhanko/minimal-with-field-pubkey-rc4.pdf":            pades.RefusedEncryption,
	"pyhanko/pubkey-3des-test.pdf":                         pades.RefusedEncryption,
	"pyhanko/pubkey-ecc-test.pdf":                          pades.RefusedEncryption,
	"pyhanko/pubkey-rc2-test.pdf":                          pades.RefusedEncryption,
	"pyhanko/signed-encrypted-pubkey-with-catalog-ref.pdf": pades.RefusedEncryption,
}

func TestForeignFilesAreSignedOrRefusedWithAReason(t *testing.T) {
	dir := corpus(t)
	var files []string
	require.NoError(t, filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		if err == nil && !st.IsDir() && strings.EqualFold(filepath.Ext(path), ".pdf") {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	var mu sync.Mutex
	count := map[string]int{}
	t.Run("files", func(t *testing.T) {
		for i, path := range files {
			name, err := filepath.Rel(dir, path)
			require.NoError(t, err)
			s := []signer{rsaSigner(), ecSigner()}[i%2]
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				outcome := signForeign(t, path, name, s, i%4 < 1)
				mu.Lock()
				defer mu.Unlock()
				count[strings.Split(name, string(filepath.Separator))[0]+" "+outcome]++
			})
		}
	})
	t.Log(count)
}

// signForeign signs a file, every fourth with a timestamp, and lets every judge look at it.
func signForeign(t *testing.T, path, name string, s signer, stamped bool) (outcome string) {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when, Timestamped: stamped})
	var r *pades.Refusal
	if errors.As(err, &r) {
		require.Equal(t, mustBeRefused[name], r.Code, "refused: %v", err)
		return "refused"
	}
	require.NoError(t, err)
	require.Empty(t, mustBeRefused[name], "signed, though it should be refused")
	var delta []byte
	if stamped {
		delta = completeStamped(t, p, s)
	} else {
		delta = complete(t, p, s)
	}
	out := append(bytes.Clone(b), delta...)
	signedPath := writeFile(t, t.TempDir(), "signed.pdf", out)

	popplerAgrees(t, path, signedPath)
	require.LessOrEqual(t, qpdfRank(t, signedPath), qpdfRank(t, path), "qpdf")
	opensslAgrees(t, out, p, s)
	rep, err := pades.Inspect(bytes.NewReader(out), int64(len(out)))
	require.NoError(t, err)
	info, _ := tool(t, "pdfinfo", signedPath)
	require.Contains(t, info, fmt.Sprintf("Pages:           %d\n", rep.Pages))
	pdfboxAgrees(t, path, signedPath, name, rep.Pages, stamped)
	weAgree(t, b, out, s)
	return "signed"
}

func completeStamped(t *testing.T, p *pades.Prepared, s signer) []byte {
	t.Helper()
	value, err := cms.SignLocal(p.Unsigned, s.key)
	require.NoError(t, err)
	over, err := p.StampDigest(value)
	require.NoError(t, err)
	digest := sha256.Sum256(over)
	token := stampToken(t, digest[:])
	dir := t.TempDir()
	openssl(t, "ts", "-verify", "-token_in", "-in", writeFile(t, dir, "token", token), "-digest", hex.EncodeToString(digest[:]),
		"-CAfile", writeFile(t, dir, "root.pem", pemCert(theAuthority().root)), "-untrusted", writeFile(t, dir, "issuer.pem", pemCert(theAuthority().issuer)))
	delta, err := p.Complete(value, token)
	require.NoError(t, err)
	return delta
}

// popplerAgrees compares what pdfsig and pdfinfo say before and after.
func popplerAgrees(t *testing.T, path, signedPath string) {
	t.Helper()
	before, _ := tool(t, "pdfsig", "-nocert", path)
	after, _ := tool(t, "pdfsig", "-nocert", signedPath)
	require.Equal(t, strings.Count(before, valid)+1, strings.Count(after, valid), "pdfsig: %s", after)
	require.Equal(t, 1, strings.Count(after, "Total document signed"), "pdfsig: %s", after)
	infoBefore, _ := tool(t, "pdfinfo", path)
	infoAfter, _ := tool(t, "pdfinfo", signedPath)
	if was := pagesLine.FindString(infoBefore); was != "" { // a repaired file had no pages before
		require.Equal(t, was, pagesLine.FindString(infoAfter), "pages")
	}
}

// pdfboxAgrees: the new signature is good and covers the file, and what was good stays so.
func pdfboxAgrees(t *testing.T, path, signedPath, name string, pages int, stamped bool) {
	t.Helper()
	before, after := judged(t, path), judged(t, signedPath)
	if why := pdfboxCannotRead[name]; why != "" {
		require.Contains(t, before.Error, why, "PDFBox reads it: take it from the list")
		require.Contains(t, after.Error, why)
		return
	}
	require.Empty(t, after.Error, "PDFBox")
	require.Equal(t, pages, after.Pages, "PDFBox")
	if before.Error == "" && before.Pages > 0 { // else the update healed it
		require.Equal(t, before.Pages, after.Pages, "PDFBox")
	}
	require.Len(t, after.Signatures, len(before.Signatures)+1)
	require.Subset(t, after.good(), before.good(), "PDFBox: earlier signatures")
	require.Len(t, after.good(), len(before.good())+1)
	require.Equal(t, before.DSS, after.DSS)
	i := slices.IndexFunc(after.Signatures, func(s signatureVerdict) bool { return s.Covers })
	require.GreaterOrEqual(t, i, 0, "PDFBox: %+v", after)
	require.True(t, after.Signatures[i].Good, "PDFBox: %+v", after)
	require.Equal(t, map[bool]string{true: "good", false: "none"}[stamped], after.Signatures[i].Stamp)
}

// weAgree: our own verifier, trusting every issuer in the file, passes the new signature and
// thinks no worse of any that was there.
func weAgree(t *testing.T, b, out []byte, s signer) {
	t.Helper()
	roots := rootsIn(b)
	roots.AddCert(s.chain[1])
	roots.AddCert(theAuthority().root)
	o := pades.VerifyOptions{Roots: roots}
	after := checkWith(t, out, o)
	newest := after.Signatures[len(after.Signatures)-1]
	for _, one := range after.Signatures { // those that cover nothing come last
		if one.CoversAll {
			newest = one
		}
	}
	require.Equal(t, pades.TotalPassed, newest.Indication, report(after))
	before, err := pades.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), o)
	if err != nil { // damaged and unsigned: nothing to keep
		require.Len(t, after.Signatures, 1)
		return
	}
	require.Len(t, after.Signatures, len(before.Signatures)+1)
	for _, was := range before.Signatures {
		i := slices.IndexFunc(after.Signatures, func(s pades.SignatureResult) bool { return s.Field == was.Field && s.Length == was.Length })
		require.GreaterOrEqual(t, i, 0, "%s is gone", was.Field)
		now := after.Signatures[i]
		require.Equal(t, was.Indication, now.Indication, "%s\n%s", was.Field, report(after))
		require.Equal(t, was.SubIndication, now.SubIndication, was.Field)
		for j, c := range was.Checks {
			require.Equal(t, c.Name, now.Checks[j].Name)
			require.Equal(t, c.State, now.Checks[j].State, "%s: %s\n%s", was.Field, c.Name, report(after))
		}
	}
}

// opensslAgrees checks the CMS over the extracted ranges, with the chain.
func opensslAgrees(t *testing.T, out []byte, p *pades.Prepared, s signer) {
	t.Helper()
	dir := t.TempDir()
	br := p.ByteRange
	require.EqualValues(t, len(out), br[2]+br[3])
	ranges := append(bytes.Clone(out[:br[1]]), out[br[2]:]...)
	token := out[br[1]:br[2]]
	require.True(t, token[0] == '<' && token[len(token)-1] == '>')
	der := make([]byte, (len(token)-2)/2)
	_, err := fmt.Sscanf(string(token[1:len(token)-1]), "%x", &der)
	require.NoError(t, err)
	var raw asn1.RawValue
	rest, err := asn1.Unmarshal(der, &raw)
	require.NoError(t, err)
	require.Empty(t, bytes.Trim(rest, "\x00"), "the rest of the hole is zeros")
	content, sig := filepath.Join(dir, "content"), filepath.Join(dir, "sig.der")
	require.NoError(t, os.WriteFile(content, ranges, 0o600))
	require.NoError(t, os.WriteFile(sig, raw.FullBytes, 0o600))
	msg, code := tool(t, "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", sig, "-content", content,
		"-CAfile", s.roots(t), "-out", os.DevNull)
	require.Zero(t, code, msg)
}

func TestForeignFilesTakeLittleMemory(t *testing.T) {
	dir := corpus(t)
	s := ecSigner()
	require.NoError(t, filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		if err != nil || st.IsDir() || filepath.Ext(path) != ".pdf" {
			return err
		}
		f, err := os.Open(path)
		require.NoError(t, err)
		defer f.Close()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = pades.Prepare(f, st.Size(), pades.Options{Chain: s.chain, Time: when})
		_, _ = pades.Inspect(f, st.Size())
		runtime.ReadMemStats(&after)
		// All that was allocated is more than was ever held.
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20), path)
		return nil
	}))
}

func TestEveryAlgorithmIsAcceptedByOpenSSL(t *testing.T) {
	b := must(os.ReadFile(filepath.Join(corpus(t), "made", "base.pdf")))
	for _, c := range []struct {
		s signer
		o pades.Options
	}{
		{rsaSigner(), pades.Options{SignAlgo: "1.2.840.113549.1.1.11"}},
		{rsaSigner(), pades.Options{SignAlgo: "1.2.840.113549.1.1.12"}},
		{rsaSigner(), pades.Options{SignAlgo: "1.2.840.113549.1.1.13"}},
		{rsaSigner(), pades.Options{SignAlgo: "1.2.840.113549.1.1.10"}},
		{ecSigner(), pades.Options{SignAlgo: "1.2.840.10045.4.3.2"}},
		{ecSigner(), pades.Options{SignAlgo: "1.2.840.10045.4.3.4"}},
	} {
		t.Run(c.o.SignAlgo, func(t *testing.T) {
			c.o.Chain, c.o.Time, c.o.Timestamped = c.s.chain, when, true
			p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), c.o)
			require.NoError(t, err)
			opensslAgrees(t, append(bytes.Clone(b), complete(t, p, c.s)...), p, c.s)
		})
	}
}

// passwordsOf open the files of mustBeRefused that need one: the user's, then the owner's.
func passwordsOf(name string) []string {
	switch {
	case strings.HasPrefix(name, "made/"):
		return []string{"user", "owner"}
	case strings.HasSuffix(name, "empty-encrypted-string.pdf"):
		return []string{"secret"}
	}
	return []string{"usersecret", "ownersecret"}
}

func TestForeignFilesAreSignedWithTheirPassword(t *testing.T) {
	dir := corpus(t)
	s := ecSigner()
	for name, code := range mustBeRefused {
		if code != pades.RefusedPassword {
			continue
		}
		for _, password := range passwordsOf(name) {
			t.Run(name+" "+password, func(t *testing.T) {
				b := must(os.ReadFile(filepath.Join(dir, name)))
				p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when, Password: password})
				require.NoError(t, err)
				out := append(bytes.Clone(b), complete(t, p, s)...)
				path := filepath.Join(t.TempDir(), "signed.pdf")
				require.NoError(t, os.WriteFile(path, out, 0o600))
				before, _ := tool(t, "pdfsig", "-nocert", "-upw", password, "-opw", password, filepath.Join(dir, name))
				after, _ := tool(t, "pdfsig", "-nocert", "-upw", password, "-opw", password, path)
				require.Equal(t, strings.Count(before, valid)+1, strings.Count(after, valid), "pdfsig: %s", after)
				_, was := tool(t, "qpdf", "--check", "--password="+password, filepath.Join(dir, name))
				msg, is := tool(t, "qpdf", "--check", "--password="+password, path)
				require.Equal(t, was, is, "qpdf: %s", msg)
				rep, err := pades.InspectWith(bytes.NewReader(out), int64(len(out)), pdf.Options{Password: password})
				require.NoError(t, err)
				require.NotNil(t, rep.Encryption)
				roots := rootsIn(b)
				roots.AddCert(s.chain[1])
				res, err := pades.Verify(t.Context(), bytes.NewReader(out), int64(len(out)), pades.VerifyOptions{Password: password, Roots: roots})
				require.NoError(t, err)
				require.Len(t, res.Signatures, len(rep.Signatures))
				require.Equal(t, pades.TotalPassed, res.Signatures[len(res.Signatures)-1].Indication, report(res))

				for _, wrong := range []string{"", "not" + password} {
					_, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when, Password: wrong})
					var r *pades.Refusal
					require.ErrorAs(t, err, &r)
					require.Equal(t, pades.RefusedPassword, r.Code)
					require.NotContains(t, err.Error(), password)
					require.Regexp(t, "object [1-9]|trailer", err.Error())
				}
			})
		}
	}
}
