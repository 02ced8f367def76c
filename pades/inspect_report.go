package pades

import "time"

// Report is what Inspect finds. The names of its JSON are stable. Nothing in it is
// verified: it tells what the file says of itself; Verify judges.
type Report struct {
	Size           int64             `json:"size"`                     // bytes
	Version        string            `json:"version"`                  // "1.7"
	Pages          int               `json:"pages"`                    // 0: cannot be told
	FirstPage      *PageSize         `json:"firstPage,omitempty"`      // as shown
	CrossReference string            `json:"crossReference,omitempty"` // "table", "stream", "hybrid"; "rebuilt" when it was lost
	Objects        int               `json:"objects"`                  // object numbers, freed ones included
	Linearised     bool              `json:"linearised"`
	Claims         []string          `json:"claims"` // of the metadata: "PDF/A-2b", "PDF/UA-1"
	Encryption     *EncryptionReport `json:"encryption,omitempty"`
	Revisions      []RevisionReport  `json:"revisions"` // oldest first; none when they cannot be told
	Signatures     []SignatureReport `json:"signatures"`
	EmptyFields    []FieldReport     `json:"emptyFields"`       // for signatures
	Certified      int               `json:"certified"`         // DocMDP permission 1–3, 0 when not certified
	Allowed        *Allowed          `json:"allowed,omitempty"` // nil: cannot be told
	Notices        []string          `json:"notices"`           // codes of the findings that a person who signs is told
	Findings       []Finding         `json:"findings"`          // in order of their code
	Refused        string            `json:"refused,omitempty"`
	Why            string            `json:"why,omitempty"` // the refusal's cause
}

// PageSize is in points of 1/72 inch.
type PageSize struct {
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// EncryptionReport is how a file is encrypted and what that permits.
type EncryptionReport struct {
	Handler     string `json:"handler"` // "Standard" or another
	Version     int    `json:"v"`
	Revision    int    `json:"r"`
	Bits        int    `json:"bits"`
	OpensWith   string `json:"opensWith"`   // "empty password", "given password"; empty: it does not open
	Permissions int32  `json:"permissions"` // P
	MaySign     bool   `json:"maySign"`     // fields that are there; for whoever has only the user's password
	MayAddField bool   `json:"mayAddField"` // a new signature field
	MayFill     bool   `json:"mayFill"`
}

// RevisionReport is the file as first written, or one incremental update.
type RevisionReport struct {
	Number int      `json:"number"` // from 1
	End    int64    `json:"end"`    // bytes up to and with it
	Bytes  int64    `json:"bytes"`  // its own
	Adds   []string `json:"adds"`   // "original", "signature", "timestamp", "validation data", "form filling", "other"
}

// SignatureReport is a signed field.
type SignatureReport struct {
	Field       string     `json:"field"`
	Type        string     `json:"type"` // "signature" or "timestamp"
	SubFilter   string     `json:"subFilter"`
	Signer      string     `json:"signer,omitempty"` // common name of the certificate; empty: cannot be read
	ClaimedTime *time.Time `json:"claimedTime,omitempty"`
	StampTime   *time.Time `json:"timestampTime,omitempty"` // of a document timestamp
	Revision    int        `json:"revision,omitempty"`      // that brought it; 0: cannot be told
	CoversAll   bool       `json:"coversWholeFile"`
	Certifies   int        `json:"certifies,omitempty"` // DocMDP permission
	Locks       []Lock     `json:"locks,omitempty"`     // FieldMDP
}

// FieldReport is a signature field without a signature.
type FieldReport struct {
	Field   string   `json:"field"`
	Demands []Demand `json:"demands,omitempty"` // seed values
	Lock    *Lock    `json:"lock,omitempty"`    // what is locked once it is signed
}

// Demand is one seed value of a field (ISO 32000-2, table 237).
type Demand struct {
	Key      string   `json:"key"`
	Values   []string `json:"values,omitempty"`
	Required bool     `json:"required"`
}

// Lock says which fields are locked (ISO 32000-2, 12.8.2.4).
type Lock struct {
	Action     string   `json:"action"` // "All", "Include", "Exclude"
	Fields     []string `json:"fields,omitempty"`
	Permission int      `json:"permission,omitempty"` // of the whole document from then on
}

// Allowed is what may still be done without breaking a signature. Timestamps and validation
// data may always be added.
type Allowed struct {
	Anything bool   `json:"anything"` // no signature is there to be broken
	Sign     bool   `json:"sign"`
	Fill     bool   `json:"fill"`
	Annotate bool   `json:"annotate"`
	Locked   []Lock `json:"locked,omitempty"` // fields that may not be filled
}

// Finding is one thing worth knowing.
type Finding struct {
	Code  string `json:"code"`
	Text  string `json:"text"`            // a plain English sentence
	Place string `json:"place,omitempty"` // "page 3", "the catalog", "field “a.b”"; the first place only
}

// findingTexts are the codes and their sentences.
var findingTexts = map[string]string{
	"embedded_files":      "It carries other files inside.",
	"encrypted":           "It is encrypted; some readers cannot check signatures in such files.",
	"external":            "Part of what it shows is kept elsewhere and can change.",
	"fonts_not_embedded":  "A font is not embedded, so the text may look different elsewhere.",
	"form_fields":         "It has form fields; filling them in after signing is a change.",
	"header_junk":         "It has bytes before its beginning; some readers complain about signatures in such files.",
	"hidden_layers":       "It has layers that can be shown or hidden.",
	"hybrid":              "It has two cross-references, for old and for new readers, which may not agree.",
	"javascript":          "It carries a script that could change what a reader shows.",
	"launch":              "It can ask a reader to start another program.",
	"need_appearances":    "It asks the reader to draw its fields anew, so they may look different elsewhere.",
	"no_id":               "It has no file identifier.",
	"old_version":         "Its version is below 1.4; a signature needs a newer one.",
	"open_action":         "It does something when it is opened.",
	"permissions":         "Its permissions do not allow signing.",
	"permissions_field":   "Its permissions allow signing only in a field that is there.",
	"repaired":            "Its cross-reference is damaged and was rebuilt by reading all of it.",
	"trailing_bytes":      "It has bytes after its end.",
	"usage_rights":        "It grants extra rights in one maker's reader; they end with any change, also with a signature.",
	"xfa":                 "It carries a form in XFA beside the pages.",
	"metadata_unreadable": "Its metadata cannot be read.",
}

// noticed are the codes that go into Notices.
var noticed = map[string]bool{"embedded_files": true, "encrypted": true, "external": true, "form_fields": true, "header_junk": true,
	"hidden_layers": true, "javascript": true, "launch": true, "need_appearances": true, "open_action": true, "usage_rights": true, "xfa": true}
