package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Columns of the report. A terminal that is wider shows it as well.
const (
	nameColumn = 16
	textColumn = 11 + nameColumn + 2
	lastColumn = 110
)

// tellFindings prints the report, for a person or for a machine.
func tellFindings(out io.Writer, found []finding, asJSON bool) error {
	count := map[level]int{}
	for _, f := range found {
		count[f.Level]++
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Well   bool      `json:"well"`
			Checks []finding `json:"checks"`
		}{count[bad] == 0, found})
	}
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%-11s%-*s  ", f.Level, nameColumn, f.Name)
		for i, s := range f.Sentences {
			if i > 0 {
				b.WriteString(strings.Repeat(" ", textColumn))
			}
			wrap(&b, s.Text)
			if s.Line != "" {
				b.WriteString(strings.Repeat(" ", textColumn))
				wrap(&b, "Our reading: "+s.Line)
			}
		}
	}
	fmt.Fprintf(&b, "\n%d ok, %d to look at, %d failed, %d not tried\n", count[ok], count[warn], count[bad], count[untried])
	_, err := io.WriteString(out, b.String())
	return err
}

// wrap writes a text whose first line begins at textColumn, and so do the next ones.
func wrap(b *strings.Builder, text string) {
	at := textColumn
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > lastColumn:
			b.WriteString("\n" + strings.Repeat(" ", textColumn))
			at = textColumn
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	b.WriteByte('\n')
}
