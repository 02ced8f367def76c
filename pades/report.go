package pades

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"countersign/pades/trust"
)

// ExitCode is what a command that verifies ends with: 0 passed, 1 failed, 2 cannot be told,
// 3 no signature.
func (r Result) ExitCode() int {
	switch r.Indication {
	case TotalPassed:
		return 0
	case TotalFailed:
		return 1
	case NoSignature:
		return 3
	}
	return 2
}

// Headline is the outcome of the file as a sentence.
func (r Result) Headline() string {
	switch r.Indication {
	case TotalPassed:
		if len(r.Signatures) == 1 {
			return "The signature is valid."
		}
		return "All signatures are valid."
	case TotalFailed:
		return "The signature is not valid."
	case NoSignature:
		return "This file carries no signature."
	}
	return "We cannot confirm the signature."
}

// WriteText writes the report a person reads in a terminal.
func WriteText(w io.Writer, r Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", r.Indication, r.Headline())
	for i := range r.Signatures {
		s := &r.Signatures[i]
		fmt.Fprintf(&b, "\n%s %s: %s", strings.ToUpper(s.Type[:1])+s.Type[1:], printable(s.Field), s.Indication)
		if s.SubIndication != "" {
			fmt.Fprintf(&b, " / %s", s.SubIndication)
		}
		b.WriteByte('\n')
		if s.Explanation != "" {
			fmt.Fprintf(&b, "  %s\n", printable(s.Explanation))
		}
		for _, c := range s.Checks {
			fmt.Fprintf(&b, "  %-8s %-11s %s\n", c.State, c.Name, printable(strings.TrimSpace(c.Text+" "+c.More)))
		}
		if s.Serial != "" {
			fmt.Fprintf(&b, "           serial      %s\n", s.Serial)
		}
	}
	fmt.Fprintf(&b, "\nSHA-256 %x\nSize    %d bytes\n", r.SHA256, r.Size)
	_, err := io.WriteString(w, b.String())
	return err
}

// printable keeps a file's texts from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

// The JSON of a result. The names are stable.
type resultJSON struct {
	Indication   Indication      `json:"indication"`
	Headline     string          `json:"headline"`
	Size         int64           `json:"size"`
	SHA256       string          `json:"sha256"`
	Pages        int             `json:"pages,omitempty"`
	Original     string          `json:"originalSha256,omitempty"`
	OriginalBare string          `json:"originalBareSha256,omitempty"`
	Signatures   []signatureJSON `json:"signatures"`
}

type signatureJSON struct {
	Field         string      `json:"field"`
	Type          string      `json:"type"`
	Indication    Indication  `json:"indication"`
	SubIndication string      `json:"subIndication,omitempty"`
	Explanation   string      `json:"explanation,omitempty"`
	Level         string      `json:"level,omitempty"`
	Algorithm     string      `json:"algorithm,omitempty"`
	Signer        string      `json:"signer,omitempty"`
	Organization  string      `json:"organization,omitempty"`
	Issuer        string      `json:"issuer,omitempty"`
	Serial        string      `json:"serial,omitempty"`
	Qualified     *qcJSON     `json:"qualifiedClaims,omitempty"`
	Chain         []string    `json:"chain,omitempty"` // subjects, the signer's first
	ClaimedTime   *time.Time  `json:"claimedTime,omitempty"`
	StampTime     *time.Time  `json:"timestampTime,omitempty"`
	StampIssuer   string      `json:"timestampIssuer,omitempty"`
	Stamp         *stampJSON  `json:"timestamp,omitempty"`
	Digest        string      `json:"signedDigest,omitempty"`
	Computed      string      `json:"computedDigest,omitempty"`
	Revision      int         `json:"revision"`
	Revisions     int         `json:"revisions"`
	CoversAll     bool        `json:"coversWholeFile"`
	Length        int64       `json:"coveredBytes"`
	Checks        []checkJSON `json:"checks"`
}

// qcJSON is what the issuer claims in its qualified certificate statements.
type qcJSON struct {
	Compliance bool                  `json:"compliance"`
	Device     bool                  `json:"device"`
	Types      []trust.QualifiedType `json:"types,omitempty"`
	Countries  []string              `json:"countries,omitempty"`
}

type stampJSON struct {
	Indication    Indication `json:"indication"`
	SubIndication string     `json:"subIndication,omitempty"`
	Time          *time.Time `json:"statedTime,omitempty"`
	Issuer        string     `json:"issuer,omitempty"`
	Text          string     `json:"explanation,omitempty"`
}

type checkJSON struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Text  string `json:"text"`
	More  string `json:"more,omitempty"`
}

// MarshalJSON writes digests as hex and leaves out the certificates' bytes.
func (r Result) MarshalJSON() ([]byte, error) {
	out := resultJSON{Indication: r.Indication, Headline: r.Headline(), Size: r.Size, SHA256: hex.EncodeToString(r.SHA256), Pages: r.Pages,
		Original: hex.EncodeToString(r.Original), OriginalBare: hex.EncodeToString(r.OriginalBare), Signatures: []signatureJSON{}}
	for i := range r.Signatures {
		out.Signatures = append(out.Signatures, r.Signatures[i].wire())
	}
	return json.Marshal(out)
}

func (s *SignatureResult) wire() signatureJSON {
	out := signatureJSON{Field: s.Field, Type: s.Type, Indication: s.Indication, SubIndication: s.SubIndication, Explanation: s.Explanation,
		Level: s.Level, Algorithm: s.Algorithm, Signer: s.SignerName, Organization: s.Organization, Issuer: s.Issuer, Serial: s.Serial,
		ClaimedTime: moment(s.ClaimedTime), StampTime: moment(s.StampTime), StampIssuer: s.StampIssuer,
		Digest: hex.EncodeToString(s.Digest), Computed: hex.EncodeToString(s.Computed), Revision: s.Revision, Revisions: s.Revisions,
		CoversAll: s.CoversAll, Length: s.Length, Checks: []checkJSON{}}
	if q := s.Qualified; q != nil {
		out.Qualified = &qcJSON{q.Compliance, q.Device, q.Types, q.Countries}
	}
	if s.Stamp != nil {
		out.Stamp = &stampJSON{s.Stamp.Indication, s.Stamp.SubIndication, moment(s.Stamp.Time), s.Stamp.Issuer, s.Stamp.Text}
	}
	for _, c := range s.Chain {
		out.Chain = append(out.Chain, c.Subject.String())
	}
	for _, c := range s.Checks {
		out.Checks = append(out.Checks, checkJSON(c))
	}
	return out
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
