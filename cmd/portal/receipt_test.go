package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/handlers/handlerstest"
)

func TestAReceiptIsJudgedByItsExitCode(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada, cleo := s.SignIn("ada"), s.SignIn("cleo")
	credential := ada.Credential(cleo, "cp-advanced")
	document := ada.Upload("a.pdf", handlerstest.PDF())
	ada.Signed(document, credential.ID)
	_, err := s.Tree.Number(t.Context())
	require.NoError(t, err)
	path := "/documents/" + string(document) + "/receipt"
	early := ada.Get(path).Body
	_, err = s.Stamper.Run(t.Context())
	require.NoError(t, err)
	receipt := ada.Get(path).Body

	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	changed := func(change func(*audit.Receipt)) string {
		r, err := audit.ReadReceipt(strings.NewReader(receipt))
		require.NoError(t, err)
		change(&r)
		text, err := json.Marshal(r)
		require.NoError(t, err)
		return string(text)
	}
	good, key, roots := file("good.json", receipt), s.Tree.Signer.Key(), file("roots.pem", s.Sim.RootPEM())
	other, err := audit.NewSigner("sign.example.test/audit", []byte("another-key-of-at-least-32-bytes"))
	require.NoError(t, err)
	keys := file("keys.txt", "# of the log\n"+other.Key()+"\n"+key+"\n")
	signed := file("signed.pdf", ada.Get("/documents/"+string(document)+"/download").Body)
	for name, c := range map[string]struct {
		args []string
		code int
		word string
	}{
		"held":                       {[]string{"-key", key, "-roots", roots, good}, 0, "The log sign.example.test/audit held these entries not later than"},
		"held, keys in a file":       {[]string{"-key", keys, "-roots", roots, "-file", signed, good}, 0, "held these entries"},
		"no key given":               {[]string{"-roots", roots, good}, 2, "anybody may have written"},
		"another key given":          {[]string{"-key", other.Key(), "-roots", roots, good}, 2, "none of the keys given"},
		"no roots given":             {[]string{"-key", key, good}, 2, "nobody is trusted for the time"},
		"not stamped yet":            {[]string{"-key", key, "-roots", roots, file("early.json", early)}, 2, "no clock service has stamped"},
		"another file":               {[]string{"-key", key, "-roots", roots, "-file", good, good}, 1, "no entry tells of a signed file"},
		"an entry changed":           {[]string{"-key", key, "-roots", roots, file("entry.json", changed(func(r *audit.Receipt) { r.Entries[0].Leaf = strings.Replace(r.Entries[0].Leaf, `"at":1`, `"at":2`, 1) }))}, 1, "entry "},
		"changed, without any key":   {[]string{file("entry2.json", changed(func(r *audit.Receipt) { r.Entries[0].Leaf = strings.Replace(r.Entries[0].Leaf, `"at":1`, `"at":2`, 1) }))}, 1, "entry "},
		"the checkpoint changed":     {[]string{"-key", key, "-roots", roots, file("cp.json", changed(func(r *audit.Receipt) { r.Checkpoint = strings.Replace(r.Checkpoint, "\n\n", "0\n\n", 1) }))}, 1, "does not hold"},
		"a stamp of another":         {[]string{"-key", key, "-roots", roots, file("stamp.json", changed(func(r *audit.Receipt) { r.Timestamp.Token = stampOf(t, s) }))}, 1, "not one over this checkpoint"},
		"a stamp that is none":       {[]string{"-key", key, "-roots", roots, file("none.json", changed(func(r *audit.Receipt) { r.Timestamp.Token = []byte("never") }))}, 1, "cannot be read"},
		"the stated time is no word": {[]string{"-key", key, "-roots", roots, file("time.json", changed(func(r *audit.Receipt) { r.Timestamp.Time = r.Timestamp.Time.AddDate(-9, 0, 0) }))}, 0, "held these entries not later than 20"},
		"no receipt":                 {[]string{"-key", key, file("a.json", "{}")}, 4, "no receipt"},
		"no JSON":                    {[]string{"-key", key, signed}, 4, ""},
		"no file":                    {[]string{"-key", key, filepath.Join(folder, "missing.json")}, 4, "missing.json"},
		"no such key file":           {[]string{"-key", filepath.Join(folder, "none.txt"), good}, 4, "none.txt"},
		"two files":                  {[]string{good, good}, 4, "usage"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := portal(t, nil, append([]string{"receipt", "verify"}, c.args...)...)
			require.Equal(t, c.code, code, out)
			require.Contains(t, out, c.word)
			if code == 4 {
				return
			}
			require.Equal(t, code == 0, strings.HasPrefix(out, "The log "), out)
			out, code = portal(t, nil, append([]string{"receipt", "verify", "-json"}, c.args...)...)
			require.Equal(t, c.code, code, out)
			require.True(t, json.Valid([]byte(out)), out)
		})
	}
	out, code := portal(t, nil, "receipt")
	require.Equal(t, 4, code)
	require.Contains(t, out, "usage")
}

// stampOf is a good stamp of the service over something else.
func stampOf(t *testing.T, s *handlerstest.Site) []byte {
	t.Helper()
	token, _, err := s.Stamper.Clock.Stamp(t.Context(), []byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	return token
}

func TestTheKeysOfTheLogArePrinted(t *testing.T) {
	folder := t.TempDir()
	one := setting(folder)
	out, code := portal(t, one, "migrate")
	require.Zero(t, code, out)
	first, code := portal(t, one, "audit", "key")
	require.Zero(t, code, first)
	require.Regexp(t, `^sign\.example\.test/audit\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\n$`, first)
	hidesSecrets(t, first)
	own := setting(folder, "AUDIT_KEY", base64.StdEncoding.EncodeToString([]byte("a-key-of-its-own-that-is-32-long")), "AUDIT_ORIGIN", "log.example.test")
	second, code := portal(t, own, "audit", "key")
	require.Zero(t, code, second)
	require.NotEqual(t, first, second)
	require.Contains(t, second, "log.example.test+")
	for _, wrong := range [][]string{{"audit"}, {"audit", "key", "x"}, {"audit", "other"}} {
		out, code := portal(t, one, wrong...)
		require.Equal(t, 4, code)
		require.Contains(t, out, "usage")
	}
}

func TestAnExportOfTheLogIsJudgedByItsExitCode(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	s.SignIn("ada")
	dora := s.SignIn("dora")
	number := func() {
		_, err := s.Tree.Number(t.Context())
		require.NoError(t, err)
	}
	number()
	_, err := s.Stamper.Run(t.Context())
	require.NoError(t, err)
	s.SignIn("ben")
	number()
	whole := dora.Get("/audit/export").Body
	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	lines := strings.SplitAfter(whole, "\n")
	key, roots, good := s.Tree.Signer.Key(), file("roots.pem", s.Sim.RootPEM()), file("log.jsonl", whole)
	rest := file("rest.jsonl", dora.Get("/audit/export?from=1").Body)
	first := file("first.jsonl", lines[0]+lines[1])
	for name, c := range map[string]struct {
		args []string
		code int
		word string
	}{
		"holds":               {[]string{"-key", key, "-roots", roots, good}, 0, "The log sign.example.test/audit holds"},
		"in two parts":        {[]string{"-key", key, "-roots", roots, first, rest}, 0, "holds"},
		"no roots":            {[]string{"-key", key, good}, 0, "was not judged"},
		"other roots":         {[]string{"-key", key, "-roots", file("other.pem", otherRoot(t)), good}, 2, "not trusted"},
		"no key":              {[]string{"-roots", roots, good}, 2, "anybody may have written"},
		"cut off":             {[]string{"-key", key, first}, 2, "no checkpoint"},
		"the beginning lacks": {[]string{"-key", key, rest}, 2, "not complete"},
		"an entry lacks":      {[]string{"-key", key, file("lacks.jsonl", strings.Replace(whole, lines[2], "", 1))}, 1, "does not hold"},
		"an entry changed":    {[]string{"-key", key, file("changed.jsonl", strings.Replace(whole, `\"at\":1`, `\"at\":2`, 1))}, 1, "does not hold"},
		"no export":           {[]string{"-key", key, file("a.txt", "words")}, 4, ""},
		"no file":             {[]string{filepath.Join(folder, "none.jsonl")}, 4, "none.jsonl"},
		"nothing":             {nil, 4, "usage"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := portal(t, nil, append([]string{"audit", "verify"}, c.args...)...)
			require.Equal(t, c.code, code, out)
			require.Contains(t, out, c.word)
		})
	}

	// The program writes the same from the database itself, and over no file that is there.
	settings := setting(folder)
	out, code := portal(t, settings, "migrate")
	require.Zero(t, code, out)
	path := filepath.Join(folder, "own.jsonl")
	out, code = portal(t, settings, "audit", "export", "-o", path)
	require.Zero(t, code, out)
	out, code = portal(t, settings, "audit", "export", "-o", path)
	require.Equal(t, 1, code, out)
	out, code = portal(t, settings, "audit", "export", "-from", "-1")
	require.Equal(t, 4, code, out)
	out, code = portal(t, settings, "audit", "export")
	require.Zero(t, code, out)
	require.Contains(t, out, audit.ExportFormat)
}

// otherRoot is a root that signed nothing here.
func otherRoot(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Another root"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
