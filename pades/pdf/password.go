package pdf

import (
	"bytes"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// passwords are the bytes a password may have been turned into when the file was made: as
// the standard says for the revision (ISO 32000-2, 7.6.4.1), as UTF-8 without more ado,
// which many writers do, and the empty one.
func passwords(p string, revision int64) [][]byte {
	var out [][]byte
	add := func(b []byte) {
		if !slices.ContainsFunc(out, func(x []byte) bool { return bytes.Equal(x, b) }) {
			out = append(out, b)
		}
	}
	if revision >= 5 {
		add(first([]byte(prepared(p)), 127))
		add(first([]byte(p), 127))
		add([]byte(p)) // qpdf does not cut
		add([]byte{})
		return out
	}
	if b, ok := docEncoded(p); ok {
		add(padded(b))
	}
	add(padded([]byte(p)))
	add(passwordPad)
	return out
}

func first(b []byte, n int) []byte { return b[:min(n, len(b))] }

func padded(b []byte) []byte { return first(slices.Concat(b, passwordPad), len(passwordPad)) }

// prepared is SASLprep (RFC 4013) without its prohibitions: what they exclude opens nothing.
func prepared(p string) string {
	return norm.NFKC.String(strings.Map(func(r rune) rune {
		switch {
		case r == 0xad, r == 0x34f, r == 0x1806, r >= 0x180b && r <= 0x180d, r >= 0x200b && r <= 0x200d,
			r == 0x2060, r >= 0xfe00 && r <= 0xfe0f, r == 0xfeff:
			return -1
		case unicode.Is(unicode.Zs, r):
			return ' '
		}
		return r
	}, p))
}

// docHigh is PDFDocEncoding from 0x80 on, where it differs from Latin-1 (annex D.2).
var docHigh = []rune("•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž\ufffd€")

func docEncoded(p string) ([]byte, bool) {
	var out []byte
	for _, r := range p {
		i := slices.Index(docHigh, r)
		switch {
		case r == '\ufffd':
			return nil, false
		case i >= 0:
			out = append(out, byte(0x80+i))
		case r < 0x80 || r > 0xa0 && r <= 0xff:
			out = append(out, byte(r))
		default:
			return nil, false
		}
	}
	return out, true
}
