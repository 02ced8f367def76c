package templates

import (
	"context"
	"net/url"
	"time"

	"countersign/signing"
)

func anyUsable(choices []CredentialChoice) bool {
	for _, c := range choices {
		if c.Usable {
			return true
		}
	}
	return false
}

func documentsQuery(path string, rows []TogetherRow) string {
	q := url.Values{}
	for _, row := range rows {
		q.Add("document", string(row.Row.Document.ID))
	}
	return path + "?" + q.Encode()
}

// togetherMorePath is the list of documents with those that are chosen already.
func togetherMorePath(rows []TogetherRow) string { return documentsQuery("/documents", rows) }

// togetherFirstPath is the same choice, cut to what one approval takes.
func togetherFirstPath(rows []TogetherRow, most int) string {
	return documentsQuery("/sign", rows[:min(most, len(rows))])
}

func goOnWords(ctx context.Context, c signing.Ceremony) string {
	if c.GoOn {
		return T(ctx, "One that fails does not stop the others")
	}
	return T(ctx, "The first that fails stops the others")
}

// rowMoment is when something last happened to a signature.
func rowMoment(row TogetherRow) time.Time {
	s := row.Signature
	switch s.State {
	case signing.SignaturePrepared, signing.SignatureCancelled:
		return time.Time{}
	case signing.SignatureReleased:
		return s.ReleasedAt
	}
	return s.Since
}

func manyIn(v Ceremony, state signing.SignatureState) int {
	n := 0
	for _, row := range v.Many {
		if row.Signature.State == state {
			n++
		}
	}
	return n
}

func manyEnded(v Ceremony) int {
	n := 0
	for _, row := range v.Many {
		if row.Signature.State.Final() {
			n++
		}
	}
	return n
}

// manyAsked reports whether the key may have been asked for any of them.
func manyAsked(v Ceremony) bool {
	for _, row := range v.Many {
		if !row.Signature.IntendedAt.IsZero() {
			return true
		}
	}
	return false
}

// manyAgain are those that were not signed and still can be.
func manyAgain(v Ceremony) (ids []signing.DocumentID) {
	for _, row := range v.Many {
		if row.Signature.State != signing.SignatureReleased && row.Signature.State.Final() && row.Row.Document.State == signing.DocumentReady {
			ids = append(ids, row.Row.Document.ID)
		}
	}
	return ids
}

func manyTone(v Ceremony) string {
	switch signed := manyIn(v, signing.SignatureReleased); {
	case signed == len(v.Many):
		return "ok"
	case signed > 0:
		return "hold"
	}
	return failedTone(v)
}

func manyTitle(ctx context.Context, v Ceremony) string {
	signed := manyIn(v, signing.SignatureReleased)
	switch {
	case signed == len(v.Many):
		return N(ctx, "One document is signed, and checked.", "All {{.Count}} documents are signed, and checked.", signed)
	case signed > 0:
		return T(ctx, "{{.Done}} of {{.All}} documents are signed.", "Done", signed, "All", len(v.Many))
	}
	return T(ctx, v.Failed.Title)
}

func manyLead(ctx context.Context, v Ceremony) string {
	signed, unknown := manyIn(v, signing.SignatureReleased), manyIn(v, signing.SignatureOutcomeUnknown)
	switch {
	case signed == len(v.Many):
		return T(ctx, "Your signature is in each file. We opened every result again, and it holds.")
	case unknown > 0:
		return N(ctx, "Of one we do not know whether DigiCert signed: no signed file was made or given out, and we never ask twice by ourselves.", "Of {{.Count}} we do not know whether DigiCert signed: no signed file was made or given out, and we never ask twice by ourselves.", unknown)
	case signed > 0:
		return T(ctx, "What is signed was opened again and holds. The others are as they were; below stands why.")
	}
	return T(ctx, "The documents are as they were; below stands why.")
}
