package templates

import (
	"context"
	"encoding/hex"
	"unicode"
	"unicode/utf8"

	"countersign/audit"
)

type auditKind struct{ Kind, Text string }

func auditKinds(ctx context.Context) []auditKind {
	return []auditKind{
		{"", T(ctx, "Everything")},
		{"validation", T(ctx, "Identity checks")},
		{"credential", T(ctx, "Credentials")},
		{"document", T(ctx, "Documents")},
		{"ceremony", T(ctx, "Signing")},
		{"signature", T(ctx, "Signatures")},
		{"session", T(ctx, "Sign-ins")},
	}
}

func logURL(path string, f AuditForm, kind, outcome string) string {
	return query(path, "kind", kind, "outcome", outcome, "from", f.From, "to", f.To, "q", f.Text)
}

// auditDay is the entries of one day in the reader's zone.
type auditDay struct {
	Name string
	Rows []AuditRow
}

func days(ctx context.Context, p Page, rows []AuditRow) []auditDay {
	var out []auditDay
	for _, row := range rows {
		name := dayName(ctx, p, row)
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, auditDay{Name: name})
		}
		last := &out[len(out)-1]
		last.Rows = append(last.Rows, row)
	}
	return out
}

func dayName(ctx context.Context, p Page, row AuditRow) string {
	day := Day(ctx, p, row.Entry.At)
	switch p.daysAgo(row.Entry.At) {
	case 0:
		return T(ctx, "Today, {{.Day}}", "Day", day)
	case 1:
		return T(ctx, "Yesterday, {{.Day}}", "Day", day)
	}
	return day
}

func refusal(e audit.Entry) bool { return e.Outcome == audit.Refused || e.Outcome == audit.Failed }

// entryNumber is the entry's place in the tree, counted from one as people do.
func entryNumber(ctx context.Context, e audit.Entry) string {
	if e.Number < 0 {
		return T(ctx, "soon")
	}
	return Number(ctx, e.Number+1)
}

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// shortID is enough of an id to tell it from its neighbours; the link has all of it.
func shortID(id string) string {
	if len(id) <= 12 {
		return id
	}
	return id[:10] + "…"
}

func rootBytes(root string) []byte {
	b, err := hex.DecodeString(root)
	if err != nil {
		return nil
	}
	return b
}

func rootLevels(root string) []int   { return IndentLevels(rootBytes(root)) }
func rootWords(root string) []string { return Words(rootBytes(root)) }

func outcomeName(ctx context.Context, o audit.Outcome) string {
	switch o {
	case audit.Done:
		return T(ctx, "Done")
	case audit.Refused:
		return T(ctx, "Refused")
	case audit.Failed:
		return T(ctx, "Failed")
	}
	return T(ctx, "Seen at DigiCert")
}

func remoteBad(r RemoteRow) bool {
	return r.Status != "" && r.Status != "success"
}

// factName is what a fact of an entry is called on a page; one that has no word keeps its own.
func factName(ctx context.Context, name string) string {
	switch name {
	case "bytes":
		return T(ctx, "Bytes")
	case "ceremony":
		return T(ctx, "Signing")
	case "built":
		return T(ctx, "Put together by")
	case "credential":
		return T(ctx, "Credential")
	case "decided_by":
		return T(ctx, "Decided by")
	case "digest":
		return T(ctx, "Hash to sign")
	case "document":
		return T(ctx, "Document")
	case "dtm":
		return T(ctx, "Number at DigiCert")
	case "dtm_user":
		return T(ctx, "Person at DigiCert")
	case "first_by":
		return T(ctx, "First approved by")
	case "level":
		return T(ctx, "Level")
	case "name":
		return T(ctx, "Name at DigiCert")
	case "pages":
		return T(ctx, "Pages")
	case "profile":
		return T(ctx, "Certificate profile")
	case "replaces":
		return T(ctx, "Replaces")
	case "sha256":
		return T(ctx, "Fingerprint")
	case "signatures":
		return T(ctx, "Earlier signatures")
	case "standard":
		return T(ctx, "Level")
	case "status":
		return T(ctx, "State at DigiCert")
	case "successor":
		return T(ctx, "Replaced by")
	case "validation":
		return T(ctx, "Identity check")
	}
	return name
}
