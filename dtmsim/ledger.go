package dtmsim

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"
)

// LedgerEntry is one thing the simulator will swear to: what was sent, tried,
// authorized and signed, and what became of seats and credentials. Secrets are in it as
// fingerprints only. Entries are added, never changed or taken away.
type LedgerEntry struct {
	Number     int       `json:"number"` // from 1, without gaps
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"` // see the Ledger… constants
	User       string    `json:"user,omitempty"`
	Credential string    `json:"credential,omitempty"`
	Outcome    string    `json:"outcome,omitempty"` // of a try: "ok", "wrong", "locked"; of a push: "approved", "declined", "timeout", "withdrawn"
	SAD        string    `json:"sad,omitempty"`     // first 16 hex digits of its SHA-256
	Signatures int       `json:"signatures,omitempty"`
	Hashes     []string  `json:"hashes,omitempty"` // hex
	SignAlgo   string    `json:"sign_algo,omitempty"`
	ClientData string    `json:"client_data,omitempty"`
	Text       string    `json:"text,omitempty"` // description of a push; reason of a death or a revocation; standard of a seat; the effect of a fault that spoiled it
}

// The kinds of ledger entries.
const (
	LedgerOTPSent     = "otp_sent"
	LedgerOTPTry      = "otp_try"
	LedgerPINTry      = "pin_try"
	LedgerPush        = "push"
	LedgerSADIssued   = "sad_issued"
	LedgerSADExtended = "sad_extended"
	LedgerSADDied     = "sad_died"
	LedgerSigned      = "signed"
	LedgerHashes      = "hashes"     // signed attributes were given; Text is their id
	LedgerBuilt       = "signatures" // signatures were built; Text is the id of the hashes, and the level

	LedgerSeatTaken           = "seat_taken"
	LedgerCredentialIssued    = "credential_issued"
	LedgerCredentialRevoked   = "credential_revoked"
	LedgerCredentialSuspended = "credential_suspended"
	LedgerCredentialResumed   = "credential_resumed"
	LedgerCredentialCancelled = "credential_cancelled"
)

// note writes to the ledger; an entry that cannot be kept stops the call it belongs to.
func (s *Sim) note(e LedgerEntry) error {
	e.Number, e.At = len(s.ledger.items)+1, s.now()
	return s.ledger.add(e)
}

// noteCredential notes what became of a credential; it cannot be stopped any more.
func (s *Sim) noteCredential(kind string, c *credential) {
	if err := s.note(LedgerEntry{Kind: kind, User: c.User, Credential: c.Name, Text: c.Reason}); err != nil {
		s.log.Error("dtmsim: ledger was not kept", "err", err)
	}
}

// LedgerFilter picks entries; what is empty picks all.
type LedgerFilter struct {
	Who        string // a user's id, name or address
	Credential string
	Kind       string
	SAD        string // fingerprint
	Hash       string // hex
	After      int    // number of an entry
}

func (s *Sim) filtered(f LedgerFilter) []LedgerEntry {
	out := []LedgerEntry{}
	user := f.Who
	if u := s.findUser(f.Who); f.Who != "" && u != nil {
		user = u.ID
	}
	for _, e := range s.ledger.items {
		if e.Number > f.After && (user == "" || e.User == user) && (f.Credential == "" || e.Credential == f.Credential) && (f.Kind == "" || e.Kind == f.Kind) &&
			(f.SAD == "" || e.SAD == f.SAD) && (f.Hash == "" || slices.Contains(e.Hashes, f.Hash)) {
			out = append(out, e)
		}
	}
	return out
}

// LedgerOf is a copy of the entries that a filter picks, oldest first.
func (s *Sim) LedgerOf(f LedgerFilter) []LedgerEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.filtered(f)
}

// Ledger is a copy of the ledger, oldest first.
func (s *Sim) Ledger() []LedgerEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ledger.items)
}

func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:8])
}

func hexes(hashes [][]byte) []string {
	out := make([]string, len(hashes))
	for i, h := range hashes {
		out[i] = hex.EncodeToString(h)
	}
	return out
}

// auditRecord is a line of DTM's own audit log.
type auditRecord struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	Type       string    `json:"type"`
	Resource   string    `json:"resource"`
	Action     string    `json:"action"`
	Actor      string    `json:"actor"`
	ActorName  string    `json:"actor_name"`
	Auth       string    `json:"auth"`
	Status     string    `json:"status"` // "success", "warning", "failure"
	Text       string    `json:"text"`
	Credential string    `json:"credential,omitempty"`
	Level      string    `json:"level,omitempty"`
	Hashes     []string  `json:"hashes,omitempty"`
}

func (s *Sim) record(r auditRecord) {
	r.ID, r.At = s.newID(), s.now()
	if r.Status == "" {
		r.Status = "success"
	}
	if err := s.audit.add(r); err != nil {
		s.log.Error("dtmsim: audit log was not kept", "err", err)
	}
}

// random bytes, or nil when there are none to be had.
func (s *Sim) random(n int) []byte {
	b := make([]byte, n)
	for read := 0; read < n; {
		k, err := s.opt.Rand.Read(b[read:])
		if err != nil {
			return nil
		}
		read += k
	}
	return b
}

func (s *Sim) newID() string {
	id, err := uuid.NewRandomFromReader(s.opt.Rand)
	if err != nil {
		return uuid.NewString()
	}
	return id.String()
}

// secret is an unguessable string of hex digits.
func (s *Sim) secret() string { return hex.EncodeToString(s.random(24)) }

// digits is a random decimal code of n digits.
func (s *Sim) digits(n int) string {
	out := make([]byte, n)
	for i := range out {
		for {
			b := s.random(1)
			if b != nil && b[0] < 250 { // no digit more likely than another
				out[i] = '0' + b[0]%10
				break
			}
		}
	}
	return string(out)
}

func serialHex(n *big.Int) string {
	b := n.Bytes()
	const hexDigits = "0123456789ABCDEF"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, hexDigits[c>>4], hexDigits[c&15])
	}
	return string(out)
}
