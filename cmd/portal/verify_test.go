package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
)

func TestVerifyTellsTheResultByItsExitCode(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada, cleo := s.SignIn("ada"), s.SignIn("cleo")
	credential := ada.Credential(cleo, "cp-advanced")
	document := ada.Upload("a.pdf", handlerstest.PDF())
	ada.Signed(document, credential.ID)
	signed := ada.Get("/documents/" + string(document) + "/download").Body

	folder := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	roots := file("roots.pem", s.Sim.RootPEM())
	good := file("good.pdf", signed)
	spoilt := file("spoilt.pdf", strings.Replace(signed, "/MediaBox [0 0 612 792]", "/MediaBox [0 0 612 793]", 1))
	for name, c := range map[string]struct {
		args []string
		code int
		word string
	}{
		"passed":             {[]string{"-roots", roots, good}, 0, "TOTAL-PASSED"},
		"failed":             {[]string{"-roots", roots, spoilt}, 1, "TOTAL-FAILED"},
		"failed, no roots":   {[]string{spoilt}, 1, "TOTAL-FAILED"},
		"nobody is trusted":  {[]string{good}, 2, "INDETERMINATE"},
		"no signature":       {[]string{"-roots", roots, file("plain.pdf", string(handlerstest.PDF()))}, 3, ""},
		"no file":            {[]string{filepath.Join(folder, "missing.pdf")}, 4, "missing.pdf"},
		"a folder":           {[]string{folder}, 4, ""},
		"no PDF":             {[]string{file("a.txt", "words")}, 4, ""},
		"empty":              {[]string{file("empty.pdf", "")}, 4, ""},
		"roots missing":      {[]string{"-roots", filepath.Join(folder, "none.pem"), good}, 4, "none.pem"},
		"roots are no roots": {[]string{"-roots", good, good}, 4, "good.pdf"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := portal(t, nil, append([]string{"verify"}, c.args...)...)
			require.Equal(t, c.code, code, out)
			require.Contains(t, out, c.word)
			if code == 4 {
				return
			}
			out, code = portal(t, nil, append([]string{"verify", "-json"}, c.args...)...)
			require.Equal(t, c.code, code, out)
			require.True(t, json.Valid([]byte(out)), out)
			require.Contains(t, out, c.word)
		})
	}
}
