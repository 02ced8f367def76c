package pades_test

import (
	"bytes"
	cryptorand "crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/padestest"
)

// notGreen asserts that a manipulated file does not pass, as a result or as an error.
func notGreen(t *testing.T, file []byte) pades.Result {
	t.Helper()
	r, err := pades.Verify(t.Context(), bytes.NewReader(file), int64(len(file)), pades.VerifyOptions{Roots: theAuthority().roots})
	if err == nil {
		require.NotEqual(t, pades.TotalPassed, r.Indication, report(r))
	}
	return r
}

// P1: universal signature forgery.
func TestBrokenByteRangesAndContentsFail(t *testing.T) {
	file := signFile(t, paper(), signing{})
	at, end, n := byteRange(file)
	from, to := hole(file)
	ranges := map[string]string{
		"two numbers": "[0 100]", "six numbers": fmt.Sprintf("[0 %d %d 10 %d 10]", n[1], n[2], n[2]+20), "empty": "[]",
		"zeros": "[0 0 0 0]", "negative": fmt.Sprintf("[0 -1 %d %d]", n[2], n[3]), "huge": "[0 99999999999999 1 1]", "overflow": "[0 1 9223372036854775807 1]",
		"not from zero": fmt.Sprintf("[1 %d %d %d]", n[1]-1, n[2], n[3]), "gap too wide": fmt.Sprintf("[0 %d %d %d]", n[1]-10, n[2], n[3]),
		"gap too small": fmt.Sprintf("[0 %d %d %d]", n[1]+1, n[2], n[3]), "short end": fmt.Sprintf("[0 %d %d %d]", n[1], n[2], n[3]-5),
		"beyond the end": fmt.Sprintf("[0 %d %d %d]", n[1], n[2], n[3]+1), "no gap": fmt.Sprintf("[0 %d %d %d]", n[1], n[1], n[3]),
		"reals": fmt.Sprintf("[0 %d.5 %d %d]", n[1], n[2], n[3]), "names": "[/a /b /c /d]", "null": "null",
	}
	for name, text := range ranges {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(file)
			copy(b[at:end], text+strings.Repeat(" ", end-at-len(text)))
			r := check(t, b)
			require.Equal(t, pades.TotalFailed, r.Indication, report(r))
			require.Equal(t, "FORMAT_FAILURE", r.Signatures[0].SubIndication)
		})
	}
	blank := func(text string) []byte {
		b := bytes.Clone(file)
		copy(b[from:to], text+strings.Repeat(" ", to-from-len(text)))
		return b
	}
	for name, b := range map[string][]byte{"null contents": blank("null"), "empty contents": blank("<>"), "zero contents": blank("<" + strings.Repeat("0", 64) + ">"),
		"literal contents": blank("(" + strings.Repeat("a", to-from-2) + ")"), "number contents": blank("0"),
		"no contents": bytes.Replace(file, []byte("/Contents <"), []byte("/Contexts <"), 1), "no byte range": bytes.Replace(file, []byte("/ByteRange"), []byte("/ByteRanga"), 1)} {
		t.Run(name, func(t *testing.T) {
			r := check(t, b)
			require.Equal(t, pades.TotalFailed, r.Indication, report(r))
			require.Equal(t, "FORMAT_FAILURE", r.Signatures[0].SubIndication)
		})
	}
}

// P2: incremental saving.
func TestUpdatesAfterSigningAreNeverGreen(t *testing.T) {
	file := signFile(t, paper(), signing{})
	page := "<</Type /Page /Parent 2 0 R /Contents 50 0 R /Resources <<>>>>"
	content := "<</Length 24>>\nstream\n0 0 m 200 200 l S       \nendstream"
	body := func(n int, s string) string { return fmt.Sprintf("%d 0 obj\n%s\nendobj\n", n, s) }
	from, to := hole(file)
	copied := "<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 1 2 3] /Contents " + string(file[from:to]) + ">>"
	root := regexp.MustCompile(`1 0 obj\n`).FindIndex(file)
	require.NotNil(t, root)
	cases := map[string][]byte{
		"objects without index":              append(bytes.Clone(file), body(3, page)+body(50, content)...),
		"objects and an end of file":         append(bytes.Clone(file), body(3, page)+"%%EOF\n"...),
		"index without trailer":              append(bytes.Clone(file), body(3, page)+"xref\n0 0\n%%EOF\n"...),
		"trailer without index":              append(bytes.Clone(file), body(3, page)+"trailer\n<</Root 1 0 R /Size 100>>\n%%EOF\n"...),
		"startxref to the old index":         append(bytes.Clone(file), body(4, content)+"startxref\n"+lastStart(file)+"\n%%EOF\n"...),
		"a new page content":                 update(file, map[int]string{4: content}, ""),
		"a page with new content":            update(file, map[int]string{3: page, 50: content}, ""),
		"a new catalog":                      update(file, map[int]string{60: "<</Type /Catalog /Pages 61 0 R>>", 61: "<</Type /Pages /Kids [] /Count 0>>"}, "/Root 60 0 R"),
		"a copied signature":                 update(file, map[int]string{4: content, 50: copied}, ""),
		"the signature object replaced":      update(file, map[int]string{signatureObject(t, file): copied}, ""),
		"another page":                       update(file, map[int]string{2: "<</Type /Pages /Kids [3 0 R 50 0 R] /Count 2 /MediaBox [0 0 300 200]>>", 50: page}, ""),
		"a page removed":                     update(file, map[int]string{2: "<</Type /Pages /Kids [] /Count 0>>", 3: "free"}, ""),
		"content removed":                    update(file, map[int]string{4: "free"}, ""),
		"an open action":                     update(file, map[int]string{1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /OpenAction <</S /JavaScript /JS (x)>>>>"}, ""),
		"an annotation":                      update(file, map[int]string{3: "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [6 0 R 7 0 R 50 0 R] /Resources <<>>>>", 50: "<</Type /Annot /Subtype /FreeText /Rect [0 0 300 200] /Contents (Paid)>>"}, ""),
		"a filled text field":                update(file, map[int]string{6: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (999) /Rect [10 10 90 30] /P 3 0 R>>"}, ""),
		"a text field covers the page":       update(file, map[int]string{6: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (100) /Rect [0 0 300 200] /P 3 0 R>>"}, ""),
		"an appearance of a text field":      update(file, map[int]string{6: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (100) /Rect [10 10 90 30] /P 3 0 R /AP <</N 50 0 R>>>>", 50: content}, ""),
		"layers":                             update(file, map[int]string{1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /OCProperties <<>>>>"}, ""),
		"a new text field":                   update(file, map[int]string{5: "<</Fields [6 0 R 7 0 R 50 0 R]>>", 50: "<</FT /Tx /T (New)>>"}, ""),
		"need appearances":                   update(file, map[int]string{5: "<</Fields [6 0 R 7 0 R] /NeedAppearances true>>"}, ""),
		"junk after the end":                 append(bytes.Clone(file), "some junk"...),
		"an unlisted object in an update":    update(append(bytes.Clone(file), body(70, "null")...), map[int]string{71: "<<>>"}, ""),
		"an empty field that shows things":   update(file, fieldUpdate(file, "/AP <</N 51 0 R>>", content), ""),
		"a field with an action":             update(file, fieldUpdate(file, "/A <</S /JavaScript /JS (x)>>", content), ""),
		"metadata":                           update(file, map[int]string{1: catalogWith(file, "/Metadata 50 0 R"), 50: "<</Type /Metadata /Subtype /XML /Length 1>>\nstream\nx\nendstream"}, ""),
		"information":                        update(file, map[int]string{50: "<</Title (Other)>>"}, "/Info 50 0 R"),
		"an object the page was waiting for": update(signFile(t, waiting(), signing{}), map[int]string{1: catalogWith(file, "/DSS <</Certs [90 0 R]>>"), 90: content}, ""),
		"a list of the store that is also content": update(signFile(t, sharedStore(), signing{}),
			map[int]string{21: "[4 0 R 50 0 R]", 50: content}, ""),
		"a length that was changed": update(signFile(t, indirectLength(), signing{}), map[int]string{20: "10"}, ""),
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) {
			r := notGreen(t, b)
			require.NotEmpty(t, r.Signatures, "the signature must still be reported")
			require.Regexp(t, "changed after signing|FORMAT_FAILURE", report(r))
		})
	}
}

func lastStart(file []byte) string {
	m := startxref.FindAllSubmatch(file, -1)
	return string(m[len(m)-1][1])
}

func signatureObject(t *testing.T, file []byte) int {
	m := regexp.MustCompile(`(\d+) 0 obj\n<<\n/Type /Sig\n`).FindSubmatch(file)
	require.NotNil(t, m)
	var n int
	_, err := fmt.Sscan(string(m[1]), &n)
	require.NoError(t, err)
	return n
}

// catalogWith is the catalog as the signed paper has it, with one more entry.
func catalogWith(_ []byte, extra string) string {
	return "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R " + extra + ">>"
}

var (
	lastForm = regexp.MustCompile(`\n5 0 obj\n<<\s*/Fields \[([^\]]*)\]`)
	lastPage = regexp.MustCompile(`/Annots \[([^\]]*)\]`)
)

func lastOf(re *regexp.Regexp, file []byte) string {
	m := re.FindAllSubmatch(file, -1)
	return string(m[len(m)-1][1])
}

// fieldUpdate adds a visible empty signature field with something more in it.
func fieldUpdate(file []byte, extra, content string) map[int]string {
	return map[int]string{
		3:  "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [" + lastOf(lastPage, file) + " 50 0 R] /Resources <<>>>>",
		5:  "<</Fields [" + lastOf(lastForm, file) + " 50 0 R] /SigFlags 3>>",
		50: "<</Type /Annot /Subtype /Widget /FT /Sig /T (More) /F 4 /Rect [0 0 300 200] /P 3 0 R " + extra + ">>",
		51: content,
	}
}

// waiting is a page whose content names an object the file does not have yet.
func waiting() []byte {
	return update(paper(), map[int]string{3: "<</Type /Page /Parent 2 0 R /Contents [4 0 R 90 0 R] /Annots [6 0 R 7 0 R] /Resources <<>>>>"}, "")
}

// sharedStore has a list that is both the store's and the page's content.
func sharedStore() []byte {
	return update(paper(), map[int]string{1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /DSS 20 0 R>>",
		3: "<</Type /Page /Parent 2 0 R /Contents 21 0 R /Annots [6 0 R 7 0 R] /Resources <<>>>>", 20: "<</Certs 21 0 R>>", 21: "[4 0 R]"}, "")
}

func indirectLength() []byte {
	return update(paper(), map[int]string{4: "<</Length 20 0 R>>\nstream\n0 0 m 100 100 l S       \nendstream", 20: "24"}, "")
}

func TestHarmlessUpdatesStayGreen(t *testing.T) {
	file := signFile(t, paper(), signing{})
	for name, b := range map[string][]byte{
		"an empty signature field": update(file, fieldUpdate(file, "", "null"), ""),
		"a store":                  update(file, map[int]string{1: catalogWith(file, "/DSS <</Certs [50 0 R]>>"), 50: "<</Length 1>>\nstream\nx\nendstream"}, ""),
		"extensions":               update(file, map[int]string{1: catalogWith(file, "/Extensions <</ESIC <</BaseVersion /1.7 /ExtensionLevel 1>>>>")}, ""),
		"an unchanged object":      update(file, map[int]string{4: "<</Length 24>>\nstream\n0 0 m 100 100 l S       \nendstream"}, ""),
		"an empty line":            append(bytes.Clone(file), '\n'),
	} {
		t.Run(name, func(t *testing.T) {
			r := check(t, b)
			require.Equal(t, pades.TotalPassed, r.Indication, report(r))
		})
	}
}

// P3: signature wrapping. The second part is moved behind an inserted update, and the byte
// range follows it.
func TestMovedSecondPartsFail(t *testing.T) {
	file := signFile(t, paper(), signing{})
	at, end, n := byteRange(file)
	first, gap, second := file[:n[1]], file[n[1]:n[2]], file[n[2]:]
	evil := "\n4 0 obj\n<</Length 24>>\nstream\n0 0 m 200 200 l S       \nendstream\nendobj\n"
	for name, b := range map[string][]byte{
		"inserted behind the value":    bytes.Join([][]byte{first, gap, []byte(evil), second}, nil),
		"inserted in the padding":      bytes.Join([][]byte{first, gap[:len(gap)-len(evil)-1], []byte(evil + ">"), second}, nil),
		"a second part of its own":     bytes.Join([][]byte{first, gap, second, []byte(evil), second}, nil),
		"the value ends in the middle": bytes.Join([][]byte{first, gap[:len(gap)-200], []byte(">" + strings.Repeat(" ", 199)), second}, nil),
	} {
		for _, follow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, range follows %v", name, follow), func(t *testing.T) {
				b := bytes.Clone(b)
				if follow {
					text := fmt.Sprintf("[0 %d %d %d", n[1], len(b)-len(second), len(second))
					copy(b[at:end], text+strings.Repeat(" ", end-at-len(text)-1)+"]")
				}
				r := notGreen(t, b)
				for _, s := range r.Signatures {
					require.Equal(t, pades.TotalFailed, s.Indication, report(r))
				}
			})
		}
	}
}

// P5: attacks on certified files.
func TestCertifiedFilesAllowOnlyWhatTheirAuthorPermits(t *testing.T) {
	look := "<</Type /XObject /Subtype /Form /BBox [0 0 300 200] /Length 24>>\nstream\n0 0 m 200 200 l S       \nendstream"
	for p := 1; p <= 3; p++ {
		file := signFile(t, paper(), signing{opts: pades.Options{Certify: p}})
		value := "<</Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 1 2 3] /Contents <00>>>"
		shown := fieldUpdate(file, "/V 52 0 R /AP <</N 51 0 R>>", look)
		shown[52] = value
		hidden := fieldUpdate(file, "/V 52 0 R", "null")
		hidden[50] = strings.Replace(hidden[50], "[0 0 300 200]", "[0 0 0 0]", 1)
		hidden[52] = value
		for name, objs := range map[string]map[int]string{
			"an annotation (EAA)": {3: "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [" + lastOf(lastPage, file) + " 50 0 R] /Resources <<>>>>",
				50: "<</Type /Annot /Subtype /Stamp /Rect [0 0 300 200] /AP <</N 51 0 R>>>>", 51: look},
			"a visible signature (SSA)": shown,
		} {
			t.Run(fmt.Sprintf("P=%d, %s", p, name), func(t *testing.T) {
				r := notGreen(t, update(file, objs, ""))
				require.NotEqual(t, pades.TotalPassed, r.Signatures[0].Indication, report(r))
				require.Contains(t, report(r), "changed after signing")
			})
		}
		r := notGreen(t, update(file, hidden, ""))
		require.Equal(t, p > 1, r.Signatures[0].Indication == pades.TotalPassed, "an invisible signature under P=%d: %s", p, report(r))
	}
}

// P7: the CMS value, made by OpenSSL or twisted by hand.
func TestTwistedValuesFail(t *testing.T) {
	a := theAuthority()
	dir := t.TempDir()
	cert, key := writeFile(t, dir, "c.pem", pemCert(a.signer)), writeFile(t, dir, "k.pem", pemKey(t, a.signerKey))
	chain := writeFile(t, dir, "ch.pem", pemCert(a.issuer, a.root))
	second, secondKey := writeFile(t, dir, "c2.pem", pemCert(a.clock)), writeFile(t, dir, "k2.pem", pemKey(t, a.clockKey))
	rsaKey, err := rsa.GenerateKey(cryptorand.Reader, 2048)
	require.NoError(t, err)
	rsaCert := writeFile(t, dir, "c3.pem", pemCert(certificate("Rosa Example", a.issuer, rsaKey, a.issuerKey, leaf)))
	rsaKeyFile := writeFile(t, dir, "k3.pem", pemKey(t, rsaKey))
	data := writeFile(t, dir, "d", []byte("other bytes"))
	value := func(args ...string) func(*cms.Unsigned) []byte {
		return func(*cms.Unsigned) []byte {
			out := filepath.Join(dir, "out")
			if !slices.Contains(args, rsaCert) {
				args = append(args, "-signer", cert, "-inkey", key)
			}
			openssl(t, append([]string{"cms", "-sign", "-binary", "-in", data, "-certfile", chain, "-outform", "DER", "-out", out}, args...)...)
			b, err := os.ReadFile(out)
			require.NoError(t, err)
			return b
		}
	}
	good := func(u *cms.Unsigned) []byte {
		v, err := cms.SignLocal(u, a.signerKey)
		require.NoError(t, err)
		der, err := u.Complete(v, nil)
		require.NoError(t, err)
		return der
	}
	cases := map[string]struct {
		forge func(*cms.Unsigned) []byte
		want  string
	}{
		"other content":        {value("-cades", "-md", "sha256"), "HASH_FAILURE"},
		"two signers":          {value("-signer", second, "-inkey", secondKey, "-md", "sha256"), "FORMAT_FAILURE"},
		"no signed attributes": {value("-noattr", "-md", "sha256"), "SIG_CRYPTO_FAILURE"},
		"attached content":     {value("-nodetach", "-md", "sha256"), "FORMAT_FAILURE"},
		"other content type":   {value("-econtent_type", "1.2.840.113549.1.9.16.1.4", "-md", "sha256"), "FORMAT_FAILURE"},
		"indefinite lengths":   {value("-stream", "-nodetach", "-md", "sha256"), "FORMAT_FAILURE"},
		"SHA-1":                {value("-md", "sha1"), "HASH_FAILURE"},
		"MD5":                  {value("-md", "md5", "-signer", rsaCert, "-inkey", rsaKeyFile), "HASH_FAILURE"},
		"no certificates":      {value("-nocerts", "-md", "sha256"), "NO_SIGNING_CERTIFICATE_FOUND"},
		"digest swapped": {func(u *cms.Unsigned) []byte {
			der := good(u)
			i := bytes.Index(der, u.Attributes[2:])
			require.Positive(t, i)
			swapped := bytes.Clone(der)
			j := i + bytes.Index(der[i:], []byte{4, 32})
			swapped[j+2] ^= 1
			return swapped
		}, "HASH_FAILURE"},
		"value cut":      {func(u *cms.Unsigned) []byte { return good(u)[:100] }, "FORMAT_FAILURE"},
		"value and more": {func(u *cms.Unsigned) []byte { return append(good(u), 1, 2, 3) }, "FORMAT_FAILURE"},
		"value bit": {func(u *cms.Unsigned) []byte {
			der := good(u)
			der[len(der)-1] ^= 1
			return der
		}, "SIG_CRYPTO_FAILURE"},
		"another document's": {func(u *cms.Unsigned) []byte {
			x := *u
			other, err := cms.NewUnsigned(a.chain(), u.Algorithm, make([]byte, 32))
			require.NoError(t, err)
			x.Attributes = other.Attributes
			return good(&x)
		}, "HASH_FAILURE"},
		"nothing": {func(*cms.Unsigned) []byte { return nil }, "FORMAT_FAILURE"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := check(t, signFile(t, paper(), signing{forged: c.forge}))
			require.NotEqual(t, pades.TotalPassed, r.Indication, report(r))
			require.Equal(t, c.want, r.Signatures[0].SubIndication, report(r))
		})
	}
}

// P7: a value of 100 MB costs neither time nor memory.
func TestAnEnormousValueFailsWithinBounds(t *testing.T) {
	file := signFile(t, paper(), signing{})
	from, to := hole(file)
	pad := strings.Repeat("0", 100_000_000)
	b := bytes.Join([][]byte{file[:to-1], []byte(pad), file[to-1:]}, nil)
	// The index still names the old places: mend it by hand.
	at, end, n := byteRange(file)
	text := fmt.Sprintf("[0 %d %d %d", from, to+len(pad), n[3])
	copy(b[at:end], text+strings.Repeat(" ", end-at-len(text)-1)+"]")
	b = shiftIndex(b, to, len(pad))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := notGreen(t, b)
	runtime.ReadMemStats(&after)
	for _, s := range r.Signatures {
		require.Equal(t, pades.TotalFailed, s.Indication)
	}
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
}

// shiftIndex moves the offsets of the last table that lie after a place.
func shiftIndex(b []byte, after, by int) []byte {
	start := bytes.LastIndex(b, []byte("\nxref\n"))
	head, tail := bytes.Clone(b[:start]), string(b[start:])
	tail = regexp.MustCompile(`\d{10} 00000 n`).ReplaceAllStringFunc(tail, func(s string) string {
		var off int
		_, _ = fmt.Sscan(s[:10], &off) // ten digits
		if off > after {
			off += by
		}
		return fmt.Sprintf("%010d 00000 n", off)
	})
	tail = startxref.ReplaceAllString(tail, fmt.Sprintf("startxref\n%d", start+1))
	return append(head, tail...)
}

// P8: no flipped byte goes unnoticed, outside of the padding.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	far := pki(t)
	archived, _ := extend(t, timestamped(t, far, paper(), far.Issue("Ada Example", padestest.Key(), nil), pades.Options{}), extension(far, "B-LTA"))
	roots := theAuthority().roots.Clone()
	roots.AddCert(far.Root.Cert)
	for name, file := range map[string][]byte{
		"B-B":   signFile(t, paper(), signing{}),
		"B-T":   signFile(t, paper(), signing{stamp: true}),
		"twice": signFile(t, signFile(t, paper(), signing{}), signing{stamp: true}),
		"B-LTA": archived,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			require.Equal(t, pades.TotalPassed, checkWith(t, file, pades.VerifyOptions{Roots: roots}).Indication)
			from, to := hole(file)
			padding, digits := paddingOf(t, file), to
			to = padding
			flip := func(i int, x byte) {
				b := bytes.Clone(file)
				b[i] ^= x
				r, err := pades.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), pades.VerifyOptions{Roots: roots})
				if err == nil && r.Indication == pades.TotalPassed {
					t.Errorf("byte %d of %d (value %d to %d): %q became %q and passes", i, len(file), from, to, file[i], b[i])
				}
			}
			for range 1000 {
				i := random.IntN(len(file))
				if i >= padding && i < digits-1 {
					continue
				}
				flip(i, byte(1+random.IntN(255)))
			}
			for range 300 { // the value itself, where no digest looks
				flip(from+random.IntN(to-from), byte(1+random.IntN(255)))
			}
			for range 300 { // and its digits, changed to other digits
				i := from + 1 + random.IntN(to-from-1)
				d := "0123456789abcdef0123456789ABCDEF"[random.IntN(32)]
				if d != file[i] {
					flip(i, d^file[i])
				}
			}
		})
	}
}

// paddingOf is where the zeros after the newest value begin.
func paddingOf(t *testing.T, file []byte) int {
	from, to := hole(file)
	der, err := hex.DecodeString(string(file[from+1 : to-1]))
	require.NoError(t, err)
	body, clean := cms.Trim(der)
	require.True(t, clean)
	return from + 1 + 2*len(body)
}

func TestOpenSSLAgreesOnTheSignedBytes(t *testing.T) {
	a := theAuthority()
	file := signFile(t, paper(), signing{stamp: true})
	_, _, n := byteRange(file)
	der, err := hex.DecodeString(string(file[n[1]+1 : n[2]-1]))
	require.NoError(t, err)
	body, clean := cms.Trim(der)
	require.True(t, clean)
	dir := t.TempDir()
	content := writeFile(t, dir, "c", append(bytes.Clone(file[:n[1]]), file[n[2]:]...))
	openssl(t, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", writeFile(t, dir, "s", body), "-content", content,
		"-CAfile", writeFile(t, dir, "ca", pemCert(a.root)), "-purpose", "any", "-out", filepath.Join(dir, "o"))
	sd, err := cms.Parse(body)
	require.NoError(t, err)
	s, err := sd.One()
	require.NoError(t, err)
	token, err := s.Token()
	require.NoError(t, err)
	out, err := exec.Command("openssl", "ts", "-verify", "-token_in", "-in", writeFile(t, dir, "t", token), "-data", writeFile(t, dir, "v", s.Value),
		"-CAfile", writeFile(t, dir, "ca", pemCert(a.root)), "-untrusted", writeFile(t, dir, "u", pemCert(a.issuer))).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
