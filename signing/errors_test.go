package signing_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/signing"
)

func TestEveryErrorSaysWhatHappenedAndWhoCanFixIt(t *testing.T) {
	kinds := []signing.Kind{signing.KindNotFound, signing.KindInvalid, signing.KindConflict, signing.KindForbidden, signing.KindLimited,
		signing.KindRemote, signing.KindInternal}
	for _, code := range signing.Codes() {
		e := signing.Explain(code)
		require.Equal(t, code, e.Code)
		require.Contains(t, kinds, e.Kind, code)
		for _, text := range []string{e.Sentence, e.Who} {
			require.Regexp(t, `^[A-Z"].*\.$`, text, code)
			require.NotRegexp(t, regexp.MustCompile(`(?i)please|oops|successfully|!|\bSAD\b|CSC|OCSP`), text, code)
		}
		require.NotEqual(t, e.Sentence, e.Who)
	}
}

func TestEveryRefusalOfTheEngineHasASentence(t *testing.T) {
	for _, code := range []string{pades.RefusedNotPDF, pades.RefusedEmpty, pades.RefusedDamaged, pades.RefusedTruncated, pades.RefusedPassword,
		pades.RefusedEncryption, pades.RefusedCertified, pades.RefusedNoPage, pades.RefusedDynamicForm, pades.RefusedTooComplex,
		pades.RefusedUnsupported, pades.RefusedFieldLocked} {
		require.Contains(t, signing.Codes(), code)
	}
}

func TestUnknownCodesAreExplainedAsOurs(t *testing.T) {
	require.Equal(t, signing.KindInternal, signing.Explain("from-another-release").Kind)
	require.Equal(t, "from-another-release", signing.Explain("from-another-release").Code)
}

// docs/errors.md shows the catalogue; -update in the environment (UPDATE_DOCS=1) writes it.
func TestErrorsPageShowsTheCatalogue(t *testing.T) {
	const file = "../docs/errors.md"
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	const mark = "| Code | Kind | What happened | Was anything signed | Who can fix it |\n|---|---|---|---|---|\n"
	before, _, found := strings.Cut(string(page), mark)
	require.True(t, found)
	codes := signing.Codes()
	slices.Sort(codes)
	var table strings.Builder
	for _, code := range codes {
		e := signing.Explain(code)
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s | %s |\n", code, e.Kind, e.Sentence, e.Signed, e.Who)
	}
	want := before + mark + table.String()
	if os.Getenv("UPDATE_DOCS") != "" {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(page), "UPDATE_DOCS=1 go test ./signing -run ErrorsPage writes the page anew")
}
