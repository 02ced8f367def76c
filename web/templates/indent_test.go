package templates_test

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/web/templates"
)

const known = "9bc12d137339b42bb914e5952de6a5772d1a63e1de12985672674914653e6684"

func digest(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func TestIndentLevelsComeFromTheFirstTwelveDigits(t *testing.T) {
	require.Equal(t, []int{2, 2, 3, 0, 0, 3, 0, 0, 1, 0, 0, 2}, templates.IndentLevels(digest(t, known)))
	require.Nil(t, templates.IndentLevels(nil))
}

func TestIndentIsDrawnAsTheLookSaysIt(t *testing.T) {
	levels := templates.IndentLevels(digest(t, known))
	for _, want := range []struct{ state, path string }{
		{"fixed", `class="a" d="M0 14L21.5 14Q24 14 24 16.5L24 17.5Q24 20 26.5 20L33.5 20Q36 20 36 17.5L36 4.5Q36 2 38.5 2L57.5 2Q60 2 60 4.5L60 17.5Q60 20 62.5 20L69.5 20Q72 20 72 17.5L72 4.5Q72 2 74.5 2L93.5 2Q96 2 96 4.5L96 5.5Q96 8 98.5 8L105.5 8Q108 8 108 5.5L108 4.5Q108 2 110.5 2L129.5 2Q132 2 132 4.5L132 11.5Q132 14 134.5 14L144 14"`},
		{"signed", `class="b" d="M0 18L17.5 18Q20 18 20 20.5L20 21.5Q20 24 22.5 24L37.5 24Q40 24 40 21.5L40 8.5Q40 6 42.5 6L53.5 6Q56 6 56 8.5L56 21.5Q56 24 58.5 24L73.5 24Q76 24 76 21.5L76 8.5Q76 6 78.5 6L89.5 6Q92 6 92 8.5L92 9.5Q92 12 94.5 12L109.5 12Q112 12 112 9.5L112 8.5Q112 6 114.5 6L125.5 6Q128 6 128 8.5L128 15.5Q128 18 130.5 18L144 18"`},
		{"awaiting", `class="b todo" d="M0 18L17.5 18`},
		{"draft", `class="a todo" d="M0 14L21.5 14`},
	} {
		require.Contains(t, render(t, templates.Indent(levels, want.state, "")), want.path, want.state)
	}
}

func TestIndentRuleStepsOnceMoreAndRunsOn(t *testing.T) {
	out := render(t, templates.IndentRule(templates.IndentLevels(digest(t, known)), "awaiting"))
	require.Contains(t, out, `L132 11.5Q132 14 134.5 14L142.5 14Q144 14 144 12.5L144 12.5Q144 11 145.5 11L2400 11"`)
	require.Contains(t, out, `L128 15.5Q128 18 130.5 18L146.5 18Q148 18 148 16.5L148 16.5Q148 15 149.5 15L2400 15"`)
}

func TestNarrowStepsTakeSmallerCorners(t *testing.T) {
	levels := []int{3, 1, 0, 1, 0, 3, 0, 2, 3, 0, 0, 0}
	require.Contains(t, render(t, templates.Indent(levels, "signed", "")),
		`L25.5 12Q28 12 28 9.5L28 8Q28 6 30 6L30 6Q32 6 32 8L32 9.5Q32 12 34.5 12`)
}

func TestSigningLineIsWrittenInPartsThatJoin(t *testing.T) {
	levels := templates.IndentLevels(digest(t, known))
	out := render(t, templates.IndentSigning(levels, 6))
	require.Contains(t, out, `class="b now" d="M48 6L53.5 6`)
	require.Contains(t, out, `L76 24"`)
	require.Contains(t, out, `class="b todo" d="M76 24L76 8.5`)

	ends := regexp.MustCompile(`class="b[^"]*" d="M([\d.]+ [\d.]+)L(?:[^"]*L)?([\d.]+ [\d.]+)"`)
	for columns := 0; columns <= 12; columns++ {
		at := "0 18"
		for _, m := range ends.FindAllStringSubmatch(render(t, templates.IndentSigning(levels, columns)), -1) {
			require.Equal(t, at, m[1], "columns %d", columns)
			at = m[2]
		}
		require.Equal(t, "144 18", at, "columns %d", columns)
	}
}

func TestMarkIsCutFromTheName(t *testing.T) {
	out := templates.Icon("Countersign")
	require.Contains(t, out, `M0 6.6L6 6.6L6 15.8L12 15.8L12 11.2L18 11.2L18 6.6L24 6.6V2.5A2.5 2.5 0 0 0 21.5 0H2.5A2.5 2.5 0 0 0 0 2.5Z`)
	require.Contains(t, out, `M0 8.4L4.2 8.4L4.2 17.6L13.8 17.6L13.8 13L19.8 13L19.8 8.4L24 8.4V21.5A2.5 2.5 0 0 1 21.5 24H2.5A2.5 2.5 0 0 1 0 21.5Z`)
	require.Contains(t, templates.Icon("Northern Notary"), `M0 17.6L7.8 17.6L7.8 8.4L16.2 8.4L16.2 13L24 13V21.5`)
}

func TestWordListHolds2048DistinctPlainWords(t *testing.T) {
	seen := map[string]bool{}
	var list []string
	for i := range 2048 {
		// digits 25 to 27 of the hash hold the first eleven bits and one more
		d := make([]byte, 32)
		d[12], d[13] = byte(i>>3), byte(i<<5)
		w := templates.Words(d)[0]
		require.Regexp(t, `^[a-z]{3,8}$`, w)
		seen[w] = true
		list = append(list, w)
	}
	require.Len(t, seen, 2048)
	require.True(t, slices.IsSorted(list))
}

func TestWordsUseDigits25To35(t *testing.T) {
	a, b := digest(t, known), digest(t, known)
	require.Len(t, templates.Words(a), 4)
	b[11]++ // digits 23 and 24
	b[18]++ // digits 37 and 38
	require.Equal(t, templates.Words(a), templates.Words(b))
	b[17] ^= 0x10 // digit 35
	require.NotEqual(t, templates.Words(a)[3], templates.Words(b)[3])
	require.Equal(t, templates.Words(a)[:3], templates.Words(b)[:3])
	require.Nil(t, templates.Words(nil))
}

func TestHexIsWrittenInGroupsOfEight(t *testing.T) {
	sum := sha256.Sum256(nil)
	require.Equal(t, "e3b0c442 98fc1c14 9afbf4c8 996fb924 27ae41e4 649b934c a495991b 7852b855", templates.HexGroups(sum[:]))
	require.Equal(t, 8, len(strings.Fields(templates.HexGroups(sum[:]))))
}
