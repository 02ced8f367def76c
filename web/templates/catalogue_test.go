package templates_test

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/web/templates"
)

func translated(t *testing.T) []string {
	t.Helper()
	tags := templates.Languages()[1:]
	require.Contains(t, tags, "de")
	return tags
}

func TestEverySentenceIsInEveryLanguage(t *testing.T) {
	keys := allKeys(t)
	for _, tag := range translated(t) {
		texts := templates.Texts(tag)
		var missing []string
		for _, k := range keys {
			if k.text != "" && len(texts[k.text]) == 0 {
				missing = append(missing, fmt.Sprintf("%s: %q", k.at, k.text))
			}
		}
		slices.Sort(missing)
		require.Empty(t, missing, "without a translation in text.%s.json", tag)
	}
}

func TestCountsHaveEveryFormOfTheirLanguage(t *testing.T) {
	counted, plain := map[string]key{}, map[string]key{}
	for _, k := range allKeys(t) {
		if !k.counted {
			plain[k.text] = k
			continue
		}
		if before, ok := counted[k.text]; ok {
			require.Equal(t, before.other, k.other, "%s and %s: one key, two meanings", before.at, k.at)
		}
		counted[k.text] = k
	}
	require.Greater(t, len(counted), 10)
	for id, k := range counted {
		require.NotContains(t, plain, id, "%s and %s: with a count and without", k.at, plain[id].at)
	}
	for _, tag := range translated(t) {
		needed := templates.FormsOf(tag)
		for id, forms := range templates.Texts(tag) {
			want := map[string]bool{"other": true}
			if _, ok := counted[id]; ok {
				want = needed
			}
			for form := range want {
				require.NotEmpty(t, forms[form], "text.%s.json: %q lacks the form %q", tag, id, form)
			}
			for form := range forms {
				require.True(t, want[form] || form == "other", "text.%s.json: %q has a form %q that no number takes", tag, id, form)
			}
		}
	}
}

var places = regexp.MustCompile(`\{\{\.\w+\}\}`)

func placesOf(text string) []string {
	found := places.FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestValuesStandInEveryFormOfATranslation(t *testing.T) {
	others := map[string]string{}
	for _, k := range allKeys(t) {
		if k.counted {
			others[k.text] = k.other
		}
	}
	for _, tag := range translated(t) {
		for id, forms := range templates.Texts(tag) {
			for form, text := range forms {
				english := id
				if other := others[id]; other != "" && form != "one" {
					english = other
				}
				require.Equal(t, placesOf(english), placesOf(text), "text.%s.json: %q, form %q", tag, id, form)
				require.NotContains(t, places.ReplaceAllString(text, ""), "{{", "%q", id)
			}
		}
	}
}

// verifierSentences are the sentences the verifier can say, with a made-up value where one
// stands, by their place in the source.
func verifierSentences(t *testing.T) map[string]string {
	t.Helper()
	verb := regexp.MustCompile(`%[sdqT]`)
	fragment := regexp.MustCompile(`^[a-z].* `)
	said := map[string]string{}
	for name, file := range goFiles(t) {
		verify := strings.HasPrefix(name, "pades/verify") || strings.HasPrefix(name, "pades/trust/")
		if name == "pades/trust/collect.go" || name == "pades/trust/qualified.go" || name == "pades/cms/outside.go" { // their errors are for whoever runs them: no report holds them
			continue
		}
		if !verify && !strings.HasPrefix(name, "pades/cms/") && !strings.HasPrefix(name, "pades/tsp/token") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			e, ok := n.(ast.Expr)
			if !ok {
				return true
			}
			text, some := joined(e)
			if !some {
				return true
			}
			text = verb.ReplaceAllString(text, "7")
			if strings.Contains(text, "%") || strings.Contains(text, "pades: ") || strings.Contains(text, "tsp: ") || strings.Count(text, " ") < 2 || text == "2 January 2006" {
				return false
			}
			if fragment.MatchString(text) || !verify {
				text = strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
			}
			said[text] = place(n)
			if _, why, ok := strings.Cut(text, ": "); ok && verify && strings.Trim(why, "7.") != "" { // told as a reason by itself
				said[strings.ToUpper(why[:1])+why[1:]] = place(n)
			}
			return false
		})
	}
	require.Greater(t, len(said), 100)
	return said
}

// joined is a text with 7 for what is not a constant.
func joined(e ast.Expr) (string, bool) {
	if text, ok := constant(e); ok {
		return text, true
	}
	if both, ok := e.(*ast.BinaryExpr); ok {
		a, some := joined(both.X)
		b, more := joined(both.Y)
		return a + b, some || more
	}
	return "7", false
}

// notOfAReport are texts of the engine that no report holds.
var notOfAReport = []string{"Empty signature field.", "Empty signature fields.", "Object that nothing uses.", "Objects that nothing uses.", "Data for later checks.",
	"RSA-PSS 7 with 7.", "RSA 7 with 7.", "ECDSA 7 with 7.", "RSA-PSS 7 with 7", "RSA 7 with 7", "ECDSA 7 with 7", "Hash 7 cannot be cloned.", "The stored preparation cannot be read.", "For 7. 7",
	"Clone hash: 7.", "Read form: 7.", "Read revisions: 7."}

func TestEverySentenceOfTheVerifierIsInEveryLanguage(t *testing.T) {
	for _, tag := range translated(t) {
		ctx := templates.WithLanguage(context.Background(), tag)
		var missing []string
		templates.OnMissing(func(_, sentence string) { missing = append(missing, sentence) })
		defer templates.OnMissing(nil)
		for text, at := range verifierSentences(t) {
			if slices.Contains(notOfAReport, text) {
				continue
			}
			missing = nil
			text = strings.Replace(text, ": 7", ": it cannot be read", 1)
			text = strings.Replace(text, "confirmed. 7", "confirmed. The proof is in the file.", 1)
			require.NotEqual(t, text, templates.Report(ctx, text), "%s: %q is not in text.%s.json", at, text, tag)
			require.Empty(t, missing, at)
		}
	}
}

func TestTheVerifierIsReadInGerman(t *testing.T) {
	de := templates.WithLanguage(context.Background(), "de")
	for english, german := range map[string]string{
		"The certificate names Ada: Example.":                                   "Das Zertifikat nennt Ada: Example.",
		"Signed no later than 23\u00a0November\u00a02026, 13:58\u00a0UTC.":      "Signiert spätestens am 23.\u00a0November\u00a02026, 13:58\u00a0UTC.",
		"1.2\u00a0kB came later.":                                               "1,2\u00a0kB kamen später dazu.",
		"Added: one signature, 2 timestamps.":                                   "Hinzugefügt: eine Signatur, 2 Zeitstempel.",
		"The timestamp is not good: the timestamp was made for something else.": "Der Zeitstempel ist nicht in Ordnung. Der Zeitstempel wurde für etwas anderes erstellt.",
		"For Acme. The certificate was issued by Some CA.":                      "Für Acme. Das Zertifikat hat Some CA ausgestellt.",
		"RSA 2048 with SHA-256 is strong enough.":                               "RSA 2048 mit SHA-256 ist stark genug.",
		"Some CA, on 3\u00a0May\u00a02026.":                                     "Some CA, am 3.\u00a0Mai\u00a02026.",
		"Nothing anybody ever said.":                                            "Nothing anybody ever said.",
	} {
		require.Equal(t, german, templates.Report(de, english))
		require.Equal(t, english, templates.Report(context.Background(), english))
	}
}

func TestNoTranslationIsLeftOver(t *testing.T) {
	used := map[string]bool{}
	for _, k := range allKeys(t) {
		used[k.text] = true
	}
	for _, text := range fromConfiguration {
		used[text] = true
	}
	for text := range verifierSentences(t) {
		used[text] = true
	}
	for _, part := range []string{"one signature", "one timestamp", "one empty signature field", "one object that nothing uses", "data for later checks"} {
		used[part] = true // joined by the verifier
	}
	for _, tag := range translated(t) {
		var stale []string
		for id := range templates.Texts(tag) {
			if !used[id] {
				stale = append(stale, id)
			}
		}
		slices.Sort(stale)
		require.Empty(t, stale, "text.%s.json holds what no text of the portal is", tag)
	}
}

func TestCataloguesAreSortedAndReadable(t *testing.T) {
	files, err := filepath.Glob("text.*.json")
	require.NoError(t, err)
	require.Len(t, files, len(translated(t)))
	for _, file := range files {
		var list []string
		for _, id := range regexp.MustCompile(`(?m)^\t\{"id": (".*"),$`).FindAllStringSubmatch(readFile(t, file), -1) {
			var text string
			require.NoError(t, json.Unmarshal([]byte(id[1]), &text))
			list = append(list, text)
		}
		require.Len(t, list, len(templates.Texts(strings.Split(file, ".")[1])), "%s: a message is not written as the others are", file)
		require.True(t, slices.IsSorted(list), "%s: messages are sorted by their English sentence", file)
	}
}
