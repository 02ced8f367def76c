package pades_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

func TestFormsThatPDFBoxFilledInPass(t *testing.T) {
	certified := seeds(t)["certified.pdf"]
	names, err := filepath.Glob(filepath.Join("testdata", "verify", "pdfbox", "*.delta"))
	require.NoError(t, err)
	require.Len(t, names, 5, "a text with a look and one without, a box, buttons in a row, a list")
	for _, n := range names {
		delta, err := os.ReadFile(n)
		require.NoError(t, err)
		r := checkWith(t, append(bytes.Clone(certified), delta...), pades.VerifyOptions{Roots: seedRoots(t), Now: seedTime})
		require.Equal(t, pades.TotalPassed, r.Indication, report(r))
		field := strings.TrimSuffix(filepath.Base(n), ".delta")
		require.Contains(t, report(r), "One form field was filled in, as the author permits: \""+field+"\".")
	}
}

// pyHanko 0.3x compares revisions by a policy of its own; these are its files for that, with
// what it says of the first signature. Where we differ, why.
func TestWhatPyHankoSaysOfChanges(t *testing.T) {
	files := corpusFiles(t)
	for name, c := range map[string]struct {
		hanko bool
		why   string // we say the opposite
	}{
		"form-update-override-appearance-stream.pdf":                       {true, "the look of an empty signature field is replaced under its number, by whatever the signer draws"},
		"form-update-override-appearance-stream-ap-indirect.pdf":           {true, "the same"},
		"form-update-no-override-appearance-stream-ap-indirect.pdf":        {true, ""},
		"form-update-original-ap-type-wrong.pdf":                           {true, ""},
		"form-update-override-appearance-stream-sneaky.pdf":                {false, ""},
		"form-update-override-appearance-stream-ap-indirect-sneaky.pdf":    {false, ""},
		"form-update-no-override-appearance-stream-ap-indirect-sneaky.pdf": {false, "the new look is a new object: what else uses the old one stays as it was signed"},
		"form-update-ap-indirect-sneaky-trailer.pdf":                       {false, "the same"},
		"minimal-signed-twice-both-created.pdf":                            {true, ""},
		"minimal-signed-twice-second-created.pdf":                          {true, "the fonts that all fields share were replaced by others (DR)"},
		"minimal-signed-twice-no-sig-type.pdf":                             {true, ""},
		"minimal-two-fields-signed-twice.pdf":                              {true, ""},
		"extensions-direct.pdf":                                            {true, "metadata appears where there was none: a description that nobody signed"},
		"extensions-indirect.pdf":                                          {true, "metadata appears where there was none: a description that nobody signed"},
		"extensions-update-direct.pdf":                                     {true, "metadata appears where there was none: a description that nobody signed"},
		"extensions-update-indirect.pdf":                                   {true, "metadata appears where there was none: a description that nobody signed"},
		"extensions-indirect-not-all-paths.pdf":                            {false, ""},
		"certified-with-indirect-refs-in-dir.pdf":                          {true, ""},
		"pades-lta-dss-indirect-arrs-test.pdf":                             {true, ""},
		"pades-lta-dss-indirect-arrs-test-2.pdf":                           {true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := files[name]
			require.NotEmpty(t, file)
			r := checkWith(t, file, pades.VerifyOptions{Roots: rootsIn(file), Now: time.Date(2022, 11, 24, 0, 0, 0, 0, time.UTC)})
			require.NotEmpty(t, r.Signatures)
			good := false
			for _, k := range r.Signatures[0].Checks {
				good = good || k.Name == "changes" && k.State == "good"
			}
			require.Equal(t, c.hanko, good == (c.why == ""), "ours %v: %s", good, report(r))
		})
	}
}
