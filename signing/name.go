package signing

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const maxName = 200 // runes

// cleanName makes an uploaded file's name fit to show and to offer for download. It is
// never a path: bytes are kept under random ids. Controls and the characters that change
// the direction of writing go, for they can make "gpj.exe" read "exe.jpg".
func cleanName(name string) string {
	if len(name) > 16*maxName { // before anything costs time in it
		name = name[len(name)-16*maxName:]
	}
	name = norm.NFC.String(strings.ToValidUTF8(name, "\uFFFD"))
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || unicode.Is(unicode.Zs, r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
			return -1
		case unicode.Is(unicode.Co, r), unicode.Is(unicode.Cs, r):
			return '\uFFFD'
		}
		return r
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	name = shorten(name)
	if strings.Trim(name, ". ") == "" {
		return "document.pdf"
	}
	return name
}

// shorten keeps the ending, which tells what the file is.
func shorten(name string) string {
	runes := []rune(name)
	if len(runes) <= maxName {
		return name
	}
	end := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 12 {
		end = name[i:]
	}
	keep := maxName - len([]rune(end)) - 1
	return strings.TrimRight(string(runes[:keep]), " ") + "…" + end
}
