package identity

// Reason is one entry of a catalogue that an admin chooses from. Code goes to DTM and
// into the audit log, Text to the person.
type Reason struct{ Code, Text string }

// RefusalReasons are why an identity check can be refused.
var RefusalReasons = []Reason{
	{"NAME_MISMATCH", "The name on the papers is not the name of the account"},
	{"NOT_A_MEMBER", "The person does not belong to the organisation"},
	{"NO_NEED", "The person does not need a signing credential"},
	{"WRONG_PERSON", "The papers belong to somebody else"},
	{"SUSPECTED_FRAUD", "The papers or the recording do not look genuine"},
}

// CorrectionReasons are why somebody can be asked to send their papers again.
var CorrectionReasons = []Reason{
	{"DOCUMENT_UNREADABLE", "The papers could not be read"},
	{"DOCUMENT_EXPIRED", "The papers have run out"},
	{"NAME_INCOMPLETE", "The name was not read completely"},
	{"WRONG_DOCUMENT", "Other papers are needed"},
}

// ReasonText is the text of a code of either list; empty for any other.
func ReasonText(code string) string {
	for _, list := range [][]Reason{RefusalReasons, CorrectionReasons} {
		if r, ok := findReason(list, code); ok {
			return r.Text
		}
	}
	return ""
}

func findReason(list []Reason, code string) (Reason, bool) {
	for _, r := range list {
		if r.Code == code {
			return r, true
		}
	}
	return Reason{}, false
}
