package mail

import (
	"html"
	"net/url"
	"regexp"
	"strings"
)

var link = regexp.MustCompile(`https?://[^\s<>"']+`)

// HTML makes the HTML alternative of a plain text in a language (a BCP 47 tag; English when empty): paragraphs at empty lines, breaks at
// single ones, addresses as links, everything else escaped. There is nothing in it that a
// reader could load.
func HTML(language, text string) string {
	if language == "" {
		language = "en"
	}
	var b strings.Builder
	b.WriteString("<!doctype html>\n<html lang=\"" + html.EscapeString(language) + "\"><head><meta charset=\"utf-8\"></head><body>\n")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph == "" {
			continue
		}
		b.WriteString("<p>")
		b.WriteString(strings.ReplaceAll(linked(paragraph), "\n", "<br>\n"))
		b.WriteString("</p>\n")
	}
	b.WriteString("</body></html>\n")
	return b.String()
}

func linked(text string) string {
	var b strings.Builder
	last := 0
	for _, at := range link.FindAllStringIndex(text, -1) {
		raw := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)")
		if _, err := url.Parse(raw); err != nil {
			continue
		}
		end := at[0] + len(raw)
		b.WriteString(html.EscapeString(text[last:at[0]]))
		safe := html.EscapeString(raw)
		b.WriteString(`<a href="` + safe + `">` + safe + `</a>`)
		last = end
	}
	b.WriteString(html.EscapeString(text[last:]))
	return b.String()
}
