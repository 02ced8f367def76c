package audit

import (
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteCSV writes entries for a spreadsheet: a row each, after a heading if asked, RFC 4180
// with CRLF. A cell that a spreadsheet would run as a formula gets a quotation mark in front.
func WriteCSV(w io.Writer, entries []Entry, heading bool) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	var rows [][]string
	if heading {
		rows = append(rows, []string{"number", "id", "at", "person", "system", "action", "object", "subject", "owner", "from", "to",
			"outcome", "reason", "facts", "address", "request", "hash"})
	}
	for _, e := range entries {
		number := ""
		if e.Number >= 0 && e.Hash != nil {
			number = strconv.FormatInt(e.Number, 10)
		}
		row := []string{number, e.ID, e.At.UTC().Format(time.RFC3339Nano), string(e.Person), e.System, e.Action, e.Object, e.Subject,
			string(e.Owner), e.From, e.To, string(e.Outcome), e.Reason, facts(e.Facts), e.Address, e.Request, fmt.Sprintf("%x", e.Hash)}
		rows = append(rows, Plain(row...))
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func facts(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, "; ")
}

// Plain makes cells safe for a spreadsheet: one that begins like a formula (=, +, -, @,
// also in full width, tab, CR or LF) is made text by a leading quotation mark.
func Plain(cells ...string) []string {
	safe := make([]string, len(cells))
	for i, s := range cells {
		safe[i] = s
		if strings.ContainsAny(firstOf(strings.TrimLeft(s, " ")), "=+-@\t\r\n＝＋－＠") {
			safe[i] = "'" + s
		}
	}
	return safe
}

func firstOf(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}
