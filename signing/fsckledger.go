package signing

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// LedgerEntry is what the signing service says it did. The simulator gives such a list;
// of the real service there is none, and then I5 and I13 are not checked.
type LedgerEntry struct {
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"` // "otp_sent", "sad_issued", "sad_extended", "signed"; others are passed over
	Credential string    `json:"credential"`
	SAD        string    `json:"sad"` // a fingerprint, never the data
	Signatures int       `json:"signatures"`
	Hashes     []string  `json:"hashes"`
	ClientData string    `json:"client_data"` // the ceremony
}

// Intent is what a row says about a hash that was, or was to be, signed.
type Intent struct {
	Signature SignatureID
	Ceremony  CeremonyID
	State     SignatureState
	Reason    string // code
	Digest    string // hex
	Intended  bool
	Since     time.Time
	Sends     int // codes that were sent for the ceremony
}

// Intents is what Ledger needs of the database: up to n rows by id.
type Intents interface {
	Intents(ctx context.Context, after SignatureID, n int) ([]Intent, error)
}

// Ledger holds the rows against what the service says it did: nothing was signed that no
// row had announced, nothing twice, nothing is called signed that was not, and nobody was told that nothing was
// signed when it was (I5); activation
// data was used for its own hashes, once, within five minutes, and no code was sent that is
// not counted (I13).
func Ledger(ctx context.Context, store Intents, ledger []LedgerEntry, tell func(Flaw)) (Looked, error) {
	b := &books{tell: tell, signed: map[string][]LedgerEntry{}, sads: map[string]LedgerEntry{}, used: map[string]int{}, codes: map[string]int{},
		rows: map[string]Intent{}, sends: map[string]int{}}
	b.read(ledger)
	for after := SignatureID(""); ; {
		page, err := store.Intents(ctx, after, atOnce)
		if err != nil {
			return Looked{}, err
		}
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			after = r.Signature
			b.row(r)
		}
	}
	b.compare()
	return Looked{Things: len(ledger)}, nil
}

// books are both sides, by hash and by ceremony.
type books struct {
	tell   func(Flaw)
	signed map[string][]LedgerEntry // by hash
	sads   map[string]LedgerEntry   // when and what for each was issued
	used   map[string]int           // hashes that were signed with it
	codes  map[string]int           // sent, by ceremony
	rows   map[string]Intent        // by hash
	sends  map[string]int           // counted, by ceremony
}

const dtmLog = "Compare with the log at DigiCert. Until it is explained, suspend the credential. "

func (b *books) flaw(invariant, object, subject string, since time.Time, do, format string, args ...any) {
	b.tell(Flaw{Invariant: invariant, Object: object, Subject: subject, Since: since, What: fmt.Sprintf(format, args...), Do: do})
}

func (b *books) read(ledger []LedgerEntry) {
	for _, e := range ledger {
		switch e.Kind {
		case "otp_sent":
			b.codes[e.ClientData]++
		case "sad_issued", "sad_extended":
			b.sads[e.SAD] = e
		case "signed":
			for _, h := range e.Hashes {
				b.signed[h] = append(b.signed[h], e)
			}
			b.approved(e)
		}
	}
}

// approved holds one use of activation data against what it was issued for.
func (b *books) approved(e LedgerEntry) {
	const second = time.Second // the service's times are whole seconds
	b.used[e.SAD] += len(e.Hashes)
	issued, known := b.sads[e.SAD]
	switch {
	case !known:
		b.flaw("I13", "ceremony", e.ClientData, e.At, dtmLog, "something was signed with activation data that was never issued")
	case b.used[e.SAD] > issued.Signatures:
		b.flaw("I13", "ceremony", e.ClientData, e.At, dtmLog, "activation data for %d signatures was used for %d", issued.Signatures, b.used[e.SAD])
	case e.At.Sub(issued.At) > sadLife+second:
		b.flaw("I13", "ceremony", e.ClientData, e.At, dtmLog, "activation data was used %s after it was issued", e.At.Sub(issued.At))
	case len(issued.Hashes) > 0 && slices.ContainsFunc(e.Hashes, func(h string) bool { return !slices.Contains(issued.Hashes, h) }):
		b.flaw("I13", "ceremony", e.ClientData, e.At, dtmLog, "activation data was used for a hash it was not issued for")
	}
}

func (b *books) row(r Intent) {
	b.rows[r.Digest] = r
	b.sends[string(r.Ceremony)] = r.Sends
	entries := b.signed[r.Digest]
	switch r.State {
	case SignatureSigned, SignatureAssembled, SignatureReleased:
		if len(entries) == 0 {
			b.flaw("I5", "signature", string(r.Signature), r.Since, dtmLog, "the service does not know of it (state %s)", r.State)
		}
	case SignatureFailed:
		if len(entries) > 0 && toldNothing(r.Reason) {
			b.flaw("I5", "signature", string(r.Signature), entries[0].At, dtmLog+report, "the service signed it, and its person was told that nothing was signed (reason %s)", r.Reason)
		}
	case SignaturePrepared, SignatureExpired, SignatureCancelled:
		if len(entries) > 0 {
			b.flaw("I5", "signature", string(r.Signature), entries[0].At, dtmLog+report, "the service signed it, and the row says that nothing was to be signed (state %s)", r.State)
		}
	}
	if len(entries) > 0 && !r.Intended {
		b.flaw("I5", "signature", string(r.Signature), entries[0].At, dtmLog+report, "the service signed it before a row said so")
	}
}

// toldNothing tells whether a code says on its page that nothing was signed.
func toldNothing(code string) bool {
	signed := Explain(code).Signed
	return signed == nothing || signed == nothingSpent || signed == nothingUnspent
}

const report = "This must not be possible: report it."

func (b *books) compare() {
	for h, entries := range b.signed {
		r, known := b.rows[h]
		if !known {
			b.flaw("I5", "hash", h, entries[0].At, dtmLog, "the service signed this hash with the credential %s for %q, and no row speaks of it", entries[0].Credential, entries[0].ClientData)
			continue
		}
		if len(entries) > 1 {
			b.flaw("I5", "signature", string(r.Signature), entries[1].At, dtmLog+report, "the service signed it %d times", len(entries))
		}
		if e := entries[0]; e.ClientData != "" && e.ClientData != string(r.Ceremony) {
			b.flaw("I5", "signature", string(r.Signature), e.At, dtmLog, "the service signed it for %q and not for its own approval", e.ClientData)
		}
	}
	for ceremony, n := range b.codes {
		if counted, known := b.sends[ceremony]; known && n > counted {
			b.flaw("I13", "ceremony", ceremony, time.Time{}, dtmLog+report, "the service sent %d codes for it, %d are counted", n, counted)
		}
	}
}
