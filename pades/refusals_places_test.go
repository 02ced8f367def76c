package pades_test

import (
	"bytes"
	"crypto/md5"
	"crypto/rc4"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/pdf/pdftest"
)

const onePage = "<</Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources <<>>>>"

// tree is a file with a catalog (1), a root of the page tree (2) and more from 3 on.
func tree(root string, more ...string) []byte {
	b := pdftest.New("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
	b.Object(2, root)
	for i, o := range more {
		b.Object(3+i, o)
	}
	b.Table("/Root 1 0 R")
	return b.Bytes()
}

// everyoneAgrees signs and lets the judges compare with what they said of the file before.
func everyoneAgrees(t *testing.T, file []byte) string {
	t.Helper()
	s := ecSigner()
	p, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), pades.Options{Chain: s.chain, Time: when})
	require.NoError(t, err)
	out := append(bytes.Clone(file), complete(t, p, s)...)
	dir := t.TempDir()
	before, after := writeFile(t, dir, "before.pdf", file), writeFile(t, dir, "after.pdf", out)
	popplerAgrees(t, before, after)
	require.LessOrEqual(t, qpdfRank(t, after), qpdfRank(t, before), "qpdf")
	was, is := judged(t, before), judged(t, after)
	require.Empty(t, is.Error, "PDFBox")
	require.Len(t, is.good(), len(was.good())+1, "PDFBox")
	require.Equal(t, was.Pages, is.Pages, "PDFBox")
	weAgree(t, file, out, s)
	return string(out)
}

func refusalOf(t *testing.T, file []byte) *pades.Refusal {
	t.Helper()
	_, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), pades.Options{Chain: ecSigner().chain, Time: when})
	var r *pades.Refusal
	require.ErrorAs(t, err, &r)
	return r
}

func TestAPageIsFoundInADamagedTree(t *testing.T) {
	for name, file := range map[string][]byte{
		"a kid is null":                 tree("<</Type /Pages /Count 2 /Kids [null 3 0 R]>>", onePage),
		"a kid is missing":              tree("<</Type /Pages /Count 2 /Kids [9 0 R 3 0 R]>>", onePage),
		"a kid is no dictionary":        tree("<</Type /Pages /Count 2 /Kids [(x) 3 0 R]>>", onePage),
		"a kid is the catalog":          tree("<</Type /Pages /Count 2 /Kids [1 0 R 3 0 R]>>", onePage),
		"a kid is the root":             tree("<</Type /Pages /Count 1 /Kids [2 0 R 3 0 R]>>", onePage),
		"a node has no kids":            tree("<</Type /Pages /Count 1 /Kids [4 0 R 3 0 R]>>", onePage, "<</Type /Pages /Parent 2 0 R /Count 0>>"),
		"the count is too high":         tree("<</Type /Pages /Count 7 /Kids [3 0 R]>>", onePage),
		"the count is too low":          tree("<</Type /Pages /Count 1 /Kids [3 0 R 4 0 R]>>", onePage, onePage),
		"the count is negative":         tree("<</Type /Pages /Count -1 /Kids [3 0 R]>>", onePage),
		"the count is missing":          tree("<</Type /Pages /Kids [3 0 R]>>", onePage),
		"a page is its own parent":      tree("<</Type /Pages /Count 1 /Kids [3 0 R]>>", strings.Replace(onePage, "2 0 R", "3 0 R", 1)),
		"a page has no type":            tree("<</Type /Pages /Count 1 /Kids [3 0 R]>>", strings.Replace(onePage, "/Type /Page ", "", 1)),
		"the root has no type":          tree("<</Count 1 /Kids [3 0 R]>>", onePage),
		"the root is a page":            tree("<</Type /Page /MediaBox [0 0 612 792] /Resources <<>>>>"),
		"the root is a page of no type": tree("<</MediaBox [0 0 612 792] /Resources <<>>>>"),
	} {
		t.Run(name, func(t *testing.T) {
			out := everyoneAgrees(t, file)
			page := "/P 3 0 R"
			if strings.HasPrefix(name, "the root is a page") {
				page = "/P 2 0 R"
			}
			require.Contains(t, out, page, "the page of the field")
			require.Contains(t, out, "/Annots")
		})
	}
}

func TestARefusalNamesTheReasonAndThePlace(t *testing.T) {
	plain := tree("<</Type /Pages /Count 1 /Kids [3 0 R]>>", onePage)
	encrypt := func(d string) []byte {
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, "")
		b.Object(4, d)
		b.Table("/Root 1 0 R /Encrypt 4 0 R /ID [<00> <00>]")
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		file       []byte
		code, says string
	}{
		"no kids":               {tree("<</Type /Pages /Count 1>>", onePage), pades.RefusedNoPage, "object 2"},
		"kids are null":         {tree("<</Type /Pages /Count 1 /Kids null>>", onePage), pades.RefusedNoPage, "object 2"},
		"only itself":           {tree("<</Type /Pages /Count 1 /Kids [2 0 R]>>", onePage), pades.RefusedNoPage, "object 2"},
		"a root that is null":   {tree("null", onePage), pades.RefusedNoPage, "object 2"},
		"no page tree":          {bytes.Replace(plain, []byte("/Pages 2 0 R"), []byte("/Nages 2 0 R"), 1), pades.RefusedNoPage, "object 1"},
		"no catalog":            {bytes.Replace(plain, []byte("1 0 obj\n<</Type /Catalog"), []byte("1 0 obj\n((/Type /Catalog"), 1), pades.RefusedDamaged, "object 1"},
		"cut in an object":      {append(bytes.Clone(plain), "7 0 obj\n<</Half"...), pades.RefusedTruncated, fmt.Sprintf("byte %d", len(plain))},
		"encrypted, no key":     {encrypt("[]"), pades.RefusedEncryption, "object 4"},
		"encrypted, other":      {encrypt("<</Filter /Adobe.PubSec /V 4>>"), pades.RefusedEncryption, "object 4"},
		"encrypted, future":     {encrypt("<</Filter /Standard /V 9 /R 9>>"), pades.RefusedEncryption, "object 4"},
		"encrypted, half":       {encrypt("<</Filter /Standard /V 2 /R 3 /Length 128 /O (x) /U (y)>>"), pades.RefusedEncryption, "object 4"},
		"header after 1024":     {append(bytes.Repeat([]byte(" "), 1100), plain...), pades.RefusedNotPDF, "no PDF header"},
		"another header":        {bytes.Replace(plain, []byte("%PDF-"), []byte("%XYZ-"), 1), pades.RefusedNotPDF, "no PDF header"},
		"signed, lost its xref": {bytes.Replace(bytes.Replace(plain, []byte("startxref\n"), []byte("startxref\n9"), 1), []byte("/Resources <<>>"), []byte("/ByteRange [0 1]"), 1), pades.RefusedDamaged, "byte "},
	} {
		t.Run(name, func(t *testing.T) {
			r := refusalOf(t, c.file)
			require.Equal(t, c.code, r.Code, "%v", r)
			require.Contains(t, r.Cause.Error(), c.says)
		})
	}
}

func TestAFileThatOpensWithoutAPasswordIsSignedWithoutOne(t *testing.T) {
	pad := []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")
	crypt := func(key, b []byte) []byte {
		out := make([]byte, len(b))
		must(rc4.NewCipher(key)).XORKeyStream(out, b)
		return out
	}
	sum := func(b ...[]byte) []byte { s := md5.Sum(bytes.Join(b, nil)); return s[:5] }
	user := append([]byte("user"), pad[:28]...)
	o := crypt(sum(pad), user) // of an empty owner's password
	u := crypt(sum(user, o, []byte{0xfc, 0xff, 0xff, 0xff}, []byte("0123456789abcdef")), pad)
	withEncrypt := func(d string) []byte {
		b := pdftest.New("%PDF-1.7\n")
		b.Pages(1, "")
		b.Object(4, d)
		b.Table(fmt.Sprintf("/Root 1 0 R /Encrypt 4 0 R /ID [<%x> <%x>]", "0123456789abcdef", "0123456789abcdef"))
		return b.Bytes()
	}
	s := ecSigner()
	sign := func(file []byte) string {
		p, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), pades.Options{Chain: s.chain, Time: when})
		require.NoError(t, err)
		return writeFile(t, t.TempDir(), "signed.pdf", append(bytes.Clone(file), complete(t, p, s)...))
	}

	empty := sign(withEncrypt(fmt.Sprintf("<</Filter /Standard /V 1 /R 2 /P -4 /O <%x> /U <%x>>>", o, u)))
	said, _ := tool(t, "pdfsig", "-nocert", "-opw", "", empty)
	require.Contains(t, said, valid, "the empty owner's password")
	said, code := tool(t, "qpdf", "--check", "--password=user", empty)
	require.Zero(t, code, said)

	locked := withEncrypt(fmt.Sprintf("<</Filter /Standard /V 4 /R 4 /Length 128 /P -4 /O <%x> /U <%x> /StmF /Identity /StrF /Identity "+
		"/EFF /StdCF /CF <</StdCF <</CFM /AESV2 /AuthEvent /EFOpen /Length 16>>>>>>", user, pad))
	said, _ = tool(t, "pdfsig", "-nocert", sign(locked))
	require.Contains(t, said, valid, "only what is attached is encrypted")
}

func TestEveryConditionOfSigningIsDefended(t *testing.T) {
	page := string(must(os.ReadFile("../docs/refusals.md")))
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	found := 0
	for _, f := range files {
		for _, m := range regexp.MustCompile(`refuse\(Refused\w+, "((?:[^"\\]|\\.)*)"`).FindAllStringSubmatch(string(must(os.ReadFile(f))), -1) {
			require.Contains(t, page, "| "+m[1]+" |", "a condition in %s", f)
			found++
		}
	}
	require.Greater(t, found, 10)
}
