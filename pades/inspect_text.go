package pades

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteReport writes what Inspect found, for a person in a terminal.
func WriteReport(w io.Writer, r Report) error {
	t := &reportText{}
	t.whole(r)
	t.encryption(r.Encryption)
	for _, rev := range r.Revisions {
		t.row(t.once("Revisions"), "%d  ends at %d, %d bytes: %s", rev.Number, rev.End, rev.Bytes, strings.Join(rev.Adds, ", "))
	}
	for i := range r.Signatures {
		t.signature(&r.Signatures[i], len(r.Revisions))
	}
	for _, f := range r.EmptyFields {
		t.row(t.once("Empty fields"), "%s", f.Field)
		for _, d := range f.Demands {
			t.row("", "  %s %s: %s", map[bool]string{true: "demands", false: "suggests"}[d.Required], d.Key, strings.Join(d.Values, " or "))
		}
		if f.Lock != nil {
			t.row("", "  once signed, locks %s", lockText(*f.Lock))
		}
	}
	t.allowed(r)
	for _, f := range r.Findings {
		t.row(t.once("Findings"), "%s%s [%s]", f.Text, strings.Replace(" ("+f.Place+")", " ()", "", 1), f.Code)
	}
	if r.Refused != "" {
		t.row("Cannot be signed", "%s: %s", r.Refused, r.Why)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// reportText writes rows under a column of labels.
type reportText struct {
	strings.Builder
	label string
}

// once gives a label for the first of several rows.
func (t *reportText) once(label string) string {
	if t.label == label {
		return ""
	}
	t.label = label
	return label
}

func (t *reportText) row(label, format string, args ...any) {
	fmt.Fprintf(t, "%-17s %s\n", label, printable(fmt.Sprintf(format, args...)))
}

func (t *reportText) whole(r Report) {
	t.row("Size", "%d bytes", r.Size)
	if r.Version != "" {
		t.row("Version", "PDF %s", r.Version)
	}
	if r.Pages > 0 {
		t.row("Pages", "%d", r.Pages)
	}
	if s := r.FirstPage; s != nil {
		const mm = 25.4 / 72
		t.row("First page", "%.0f × %.0f mm", s.Width*mm, s.Height*mm)
	}
	for _, c := range r.Claims {
		t.row(t.once("Claims to be"), "%s", c)
	}
	if r.CrossReference != "" {
		t.row("Cross-reference", "%s, %d objects%s", r.CrossReference, r.Objects, map[bool]string{true: ", linearised"}[r.Linearised])
	}
}

func (t *reportText) encryption(e *EncryptionReport) {
	if e == nil {
		return
	}
	opens := "does not open"
	if e.OpensWith != "" {
		opens = "opens with the " + e.OpensWith
	}
	t.row("Encryption", "%s, V %d, R %d, %d bits; %s", e.Handler, e.Version, e.Revision, e.Bits, opens)
	if e.Handler == "Standard" {
		yes := map[bool]string{true: "yes", false: "no"}
		t.row("Permissions", "%d: sign %s, add a field %s, fill in %s", e.Permissions, yes[e.MaySign], yes[e.MayAddField], yes[e.MayFill])
	}
}

func (t *reportText) signature(s *SignatureReport, revisions int) {
	who := s.Signer
	if who == "" {
		who = "a signer whose certificate cannot be read"
	}
	t.row(t.once("Signatures"), "%s: %s by %s, %s", s.Field, s.Type, who, s.SubFilter)
	if s.ClaimedTime != nil {
		t.row("", "  claims the time %s", s.ClaimedTime.Format(time.RFC3339))
	}
	if s.StampTime != nil {
		t.row("", "  says the time is %s", s.StampTime.Format(time.RFC3339))
	}
	covers := "does not cover the whole file"
	if s.CoversAll {
		covers = "covers the whole file"
	}
	if s.Revision > 0 {
		covers += fmt.Sprintf("; came with revision %d of %d", s.Revision, revisions)
	}
	t.row("", "  %s", covers)
	if s.Certifies > 0 {
		t.row("", "  certifies the document with permission %d", s.Certifies)
	}
	for _, l := range s.Locks {
		t.row("", "  locks %s", lockText(l))
	}
}

func (t *reportText) allowed(r Report) {
	if r.Certified > 0 {
		t.row("Certified", "permission %d", r.Certified)
	}
	if r.Allowed == nil || r.Allowed.Anything {
		return
	}
	var may []string
	for _, m := range []struct {
		yes  bool
		what string
	}{{r.Allowed.Sign, "sign"}, {r.Allowed.Fill, "fill in fields"}, {r.Allowed.Annotate, "annotate"}} {
		if m.yes {
			may = append(may, m.what)
		}
	}
	may = append(may, "add timestamps and validation data")
	t.row("Still allowed", "%s", strings.Join(may, ", "))
	for _, l := range r.Allowed.Locked {
		t.row("Locked", "%s", lockText(l))
	}
}

func lockText(l Lock) string {
	out := map[string]string{"All": "all fields", "Include": "the fields " + strings.Join(l.Fields, ", "),
		"Exclude": "all fields but " + strings.Join(l.Fields, ", ")}[l.Action]
	if out == "" {
		out = "fields in an unknown way (" + l.Action + ")"
	}
	if l.Permission > 0 {
		out += fmt.Sprintf(" and the document with permission %d", l.Permission)
	}
	return out
}
