package templates

import (
	"time"

	"countersign/signing"
)

// count is a filter's number, or -1 when it is not known, which shows none.
func count(counts map[string]int, name string) int {
	if n, ok := counts[name]; ok {
		return n
	}
	return -1
}

// rowTime is when something last happened to a document.
func rowTime(r DocumentRow) time.Time {
	at := r.Document.Since
	if at.IsZero() {
		at = r.Document.CreatedAt
	}
	if r.Signature != nil && r.Signature.Since.After(at) && r.Document.State == signing.DocumentReady {
		at = r.Signature.Since
	}
	return at
}

// choosable reports whether a document can be signed together with others.
func choosable(r DocumentRow) bool { return r.Document.State == signing.DocumentReady && r.Open == "" }

func choosableRows(v Documents) int {
	n := 0
	for _, r := range v.Rows {
		if choosable(r) {
			n++
		}
	}
	return n
}
