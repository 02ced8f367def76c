package main_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/padestest"
	"countersign/pades/pdf/pdftest"
)

// office is an infrastructure with one person in it, in files.
type office struct {
	*padestest.PKI
	dir, cert, key, roots, in string
}

func newOffice(t *testing.T) office {
	t.Helper()
	p := padestest.New()
	t.Cleanup(p.Close)
	dir := t.TempDir()
	o := office{p, dir, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "roots.pem"), filepath.Join(dir, "in.pdf")}
	ada := p.Issue("Ada Example", padestest.Key(), nil)
	var chain []byte
	for _, c := range ada.Chain() {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(ada.Key)
	require.NoError(t, err)
	for name, b := range map[string][]byte{o.cert: chain, o.key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		o.roots: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Root.Cert.Raw}), o.in: pdftest.Plain(2)} {
		require.NoError(t, os.WriteFile(name, b, 0o600))
	}
	return o
}

func (o office) path(name string) string { return filepath.Join(o.dir, name) }

// level is that of the first signature, which has to be valid.
func (o office) level(t *testing.T, name string) string {
	t.Helper()
	msg, code := pades(t, "verify", "-json", "-roots", o.roots, name)
	require.Zero(t, code, msg)
	var r struct {
		File       string
		Signatures []struct{ Level string }
	}
	require.NoError(t, json.Unmarshal([]byte(msg), &r), msg)
	require.Equal(t, name, r.File)
	return r.Signatures[0].Level
}

func TestEachLevelIsReachedAtOnceOrLater(t *testing.T) {
	o := newOffice(t)
	for _, level := range []string{"B-B", "B-T", "B-LT", "B-LTA"} {
		args := []string{"sign", "-cert", o.cert, "-key", o.key, "-level", level, "-roots", o.roots, "-allow-private-addresses", "-quiet"}
		if level != "B-B" {
			args = append(args, "-tsa", o.URL+"/nothing", "-tsa", o.URL+"/tsa")
		}
		msg, code := pades(t, append(args, o.in, o.path(level))...)
		require.Zero(t, code, msg)
		require.Empty(t, msg)
		require.Equal(t, level, o.level(t, o.path(level)))
	}
	msg, code := pades(t, "extend", "-level", "B-LT", "-vri", "-field", "Signature1", "-roots", o.roots, "-allow-private-addresses", o.path("B-T"), o.path("lt"))
	require.Zero(t, code, msg)
	require.Equal(t, "B-LT", o.level(t, o.path("lt")))
	msg, code = pades(t, "extend", "-level", "B-LT", "-roots", o.roots, "-allow-private-addresses", o.path("lt"), o.path("same"))
	require.Zero(t, code, msg)
	require.Equal(t, "Nothing was missing. 0 bytes were added.\n", msg)
	for range 2 { // and renewed
		msg, code = pades(t, "extend", "-level", "B-LTA", "-tsa", o.URL+"/tsa", "-roots", o.roots, "-allow-private-addresses", "-in-place", o.path("lt"))
		require.Zero(t, code, msg)
		require.Equal(t, "B-LTA", o.level(t, o.path("lt")))
	}
	msg, _ = pades(t, "inspect", o.path("lt"))
	require.Equal(t, 2, strings.Count(msg, "timestamp by Test Clock"), msg)
	require.Contains(t, msg, "validation data")

	_, code = pades(t, "extend", "-level", "B-LT", "-roots", o.roots, "-allow-private-addresses", o.path("B-B"), o.path("none"))
	require.Equal(t, 4, code, "without a timestamp")
	_, err := os.Stat(o.path("none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestAddressesInCertificatesMayNotBePrivateUnlessAllowed(t *testing.T) {
	o := newOffice(t)
	msg, code := pades(t, "sign", "-cert", o.cert, "-key", o.key, "-level", "B-LT", "-tsa", o.URL+"/tsa", "-roots", o.roots, o.in, o.path("out"))
	require.Equal(t, 4, code)
	require.Contains(t, msg, "not allowed")
	require.Zero(t, o.Calls("/ocsp"))
	_, err := os.Stat(o.path("out"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestNoFileIsWrittenWhenNoClockAnswers(t *testing.T) {
	o := newOffice(t)
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()
	msg, code := pades(t, "sign", "-cert", o.cert, "-key", o.key, "-tsa", broken.URL, "-tsa", o.URL+"/nothing", o.in, o.path("out"))
	require.Equal(t, 4, code)
	require.Contains(t, msg, broken.URL)
	require.Contains(t, msg, o.URL+"/nothing")
	left, err := filepath.Glob(o.path(".pades-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = os.Stat(o.path("out"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// shape adds the paths and kinds of all values.
func shape(seen map[string]bool, at string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			shape(seen, at+"."+k, inner)
		}
	case []any:
		seen[at+"[]"] = true
		for _, inner := range v {
			shape(seen, at+"[]", inner)
		}
	default:
		seen[fmt.Sprintf("%s %T", at, v)] = true
	}
}

func TestTheShapeOfJSONIsKept(t *testing.T) {
	o := newOffice(t)
	tsa := []string{"-tsa", o.URL + "/tsa", "-roots", o.roots, "-allow-private-addresses", "-json"}
	seen := map[string]bool{}
	locked := o.path("locked.pdf")
	b, err := exec.Command("qpdf", "--encrypt", "", "owner", "256", "--modify=none", "--", o.in, locked).CombinedOutput()
	require.NoError(t, err, string(b))
	fields := o.path("fields.pdf")
	b2 := pdftest.New("%PDF-1.7\n")
	b2.Object(1, "<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [4 0 R 5 0 R]>>>>")
	b2.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	b2.Object(3, "<</Type /Page /Parent 2 0 R>>")
	b2.Object(4, "<</T (here) /FT /Sig /Lock <</Action /Include /Fields [(sum)]>> /SV <</Ff 8 /Reasons [(agreed)]>>>>")
	b2.Object(5, "<</T (sum) /FT /Tx>>")
	b2.Table("/Root 1 0 R")
	require.NoError(t, os.WriteFile(fields, b2.Bytes(), 0o600))
	for _, args := range [][]string{
		append(append([]string{"sign", "-cert", o.cert, "-key", o.key, "-level", "B-LT", "-field", "Here", "-page", "2", "-name", "Ada", "-reason", "Agreed",
			"-location", "Here", "-contact", "ada@example.org", "-certify", "2", "-hash", "384"}, tsa...), o.in, o.path("lt")),
		append(append([]string{"extend", "-level", "B-LTA"}, tsa...), o.path("lt"), o.path("lta")),
		{"sign", "-json", "-cert", o.cert, "-key", o.key, "-field", "here", "-reason", "agreed", fields, o.path("filled")},
		{"inspect", "-json", o.path("lta"), locked, fields, o.path("filled")},
		{"verify", "-json", "-roots", o.roots, o.path("lta")},
	} {
		msg, code := pades(t, args...)
		require.Zero(t, code, msg)
		for dec := json.NewDecoder(strings.NewReader(msg)); dec.More(); {
			var v any
			require.NoError(t, dec.Decode(&v), msg)
			shape(seen, args[0], v)
		}
	}
	all := slices.Sorted(maps.Keys(seen))
	golden := filepath.Join("testdata", "shape.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(strings.Join(all, "\n")+"\n"), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Subset(t, all, strings.Split(strings.TrimSpace(string(want)), "\n"), "a name that was given once stays")
}

// slowClock is a clock service that does something before it answers.
func slowClock(t *testing.T, o office, first func()) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first()
		r.URL.Path = "/tsa"
		o.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
