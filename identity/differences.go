package identity

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// DifferenceKind says how a claim from the login and an attribute from the papers compare.
type DifferenceKind string

// The kinds, from none to worst.
const (
	Same    DifferenceKind = "same"
	Case    DifferenceKind = "case"    // only capitals, spaces or punctuation differ
	Accents DifferenceKind = "accents" // only accents differ: "Müller", "Muller" and "Mueller"
	Order   DifferenceKind = "order"   // the same words in another order, or one side has more given names
	Differs DifferenceKind = "differs"
	Missing DifferenceKind = "missing" // one side tells nothing
)

// Difference is one attribute from the login beside the papers. From and To bound the
// differing runes of Proofed; both are zero when nothing is to be underlined.
type Difference struct {
	Label            string
	Claimed, Proofed string
	Kind             DifferenceKind
	From, To         int
}

// Differences compares what the login claims with what the papers say. Attributes that
// neither side tells are left out.
func Differences(claims, proofed Attributes) []Difference {
	var out []Difference
	for _, a := range []struct{ label, claimed, proofed string }{
		{"Given name", claims.GivenName, proofed.GivenName},
		{"Family name", claims.FamilyName, proofed.FamilyName},
		{"E-mail", claims.Email, proofed.Email},
		{"Date of birth", claims.BirthDate, proofed.BirthDate},
		{"Place of birth", claims.BirthPlace, proofed.BirthPlace},
		{"Nationality", claims.Nationality, proofed.Nationality},
		{"Papers", claims.DocumentType, proofed.DocumentType},
		{"Number ends in", claims.DocumentNumber, proofed.DocumentNumber},
		{"Papers valid until", claims.DocumentExpires, proofed.DocumentExpires},
	} {
		if a.claimed == "" && a.proofed == "" {
			continue
		}
		d := Difference{Label: a.label, Claimed: a.claimed, Proofed: a.proofed, Kind: compare(a.claimed, a.proofed)}
		if d.Kind != Same && d.Kind != Missing && d.Kind != Order {
			d.From, d.To = differing(a.claimed, a.proofed)
		}
		out = append(out, d)
	}
	swapped(out, claims, proofed)
	return out
}

// swapped notices given and family name in each other's place, which is one mistake, not two.
func swapped(out []Difference, claims, proofed Attributes) {
	if claims.GivenName == "" || claims.FamilyName == "" || compare(claims.GivenName, claims.FamilyName) != Differs ||
		compare(claims.GivenName, proofed.FamilyName) == Differs || compare(claims.FamilyName, proofed.GivenName) == Differs ||
		proofed.GivenName == "" || proofed.FamilyName == "" {
		return
	}
	for i := range out {
		if out[i].Label == "Given name" || out[i].Label == "Family name" {
			out[i].Kind, out[i].From, out[i].To = Order, 0, 0
		}
	}
}

func compare(claimed, proofed string) DifferenceKind {
	c, p := norm.NFC.String(strings.TrimSpace(claimed)), norm.NFC.String(strings.TrimSpace(proofed))
	switch {
	case c == "" || p == "":
		return Missing
	case c == p:
		return Same
	case plain(c) == plain(p):
		return Case
	case bare(c) == bare(p), spelled(c) == spelled(p), spelled(c) == bare(p), bare(c) == spelled(p):
		return Accents
	case sameWords(bare(c), bare(p)), sameWords(spelled(c), spelled(p)):
		return Order
	}
	return Differs
}

// plain is the text without capitals and with words parted by one space.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r)
	}), " ")
}

// letters that Unicode does not take apart into a letter and an accent.
var letters = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe", "ß", "ss", "ı", "i", "ħ", "h")

// bare is plain without accents.
func bare(s string) string {
	t := transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC)
	out, _, err := transform.String(t, letters.Replace(plain(s)))
	if err != nil {
		return plain(s)
	}
	return out
}

// machine-readable lines of passports spell these letters out (ICAO 9303-3, section 6).
var spelledOut = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "å", "aa", "ø", "oe", "æ", "ae", "ß", "ss", "ñ", "n", "þ", "th", "đ", "d")

func spelled(s string) string { return bare(spelledOut.Replace(norm.NFC.String(plain(s)))) }

// sameWords reports whether both sides have the same words. "Ada" beside "Ada Maria" is
// how passports write what accounts shorten, but whether it is the same person is for the
// reviewer to say: it differs.
func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return len(x) > 0 && slices.Equal(x, y)
}

// differing bounds the runes of proofed between the common beginning and the common end.
func differing(claimed, proofed string) (from, to int) {
	c, p := []rune(claimed), []rune(proofed)
	for from < len(c) && from < len(p) && c[from] == p[from] {
		from++
	}
	end := 0
	for end < len(c)-from && end < len(p)-from && c[len(c)-1-end] == p[len(p)-1-end] {
		end++
	}
	return from, len(p) - end
}
