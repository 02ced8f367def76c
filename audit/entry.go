// Package audit keeps the append-only log of who did what.
//
// An entry is written in the same transaction as the change it tells of; a refusal
// writes one too. Entries hold ids and hashes, never names, codes or file contents,
// so that erasing a person's data never has to touch the log. Later one leader
// numbers the entries and hashes them into a Merkle tree (RFC 6962 hashing), whose
// root is the checkpoint that proves nothing was taken out or changed.
package audit

import (
	"time"

	"countersign/people"
)

// Outcome says how the thing went.
type Outcome string

// The outcomes. Observed is a change at DTM that we saw but did not cause.
const (
	Done     Outcome = "done"
	Refused  Outcome = "refused"
	Failed   Outcome = "failed"
	Observed Outcome = "observed"
)

// Entry is one line of the log.
type Entry struct {
	ID      string    // random; set by the store when empty
	At      time.Time // set by the store when zero
	Person  people.ID // who acted; empty when the portal or DTM did
	System  string    // job name, or "dtm" for an observation
	Action  string    // noun.verb, e.g. "validation.approve", "signature.release"
	Object  string    // kind of the object: "validation", "credential", "document", "ceremony", "signature", "person", "session"
	Subject string    // id of the object
	Owner   people.ID // whose object it is; lets a person see their own entries
	From    string    // state before, empty on creation or refusal
	To      string    // state after
	Outcome Outcome
	Reason  string            // code, never free text from outside
	Facts   map[string]string // further ids, hashes and counts; no names
	Address string            // client address of the request
	Request string            // reference of the request
	Number  int64             // position in the tree, from 0; -1 until numbered
	Hash    []byte            // leaf hash, nil until numbered
}

// By fills who acted from the actor and returns the entry.
func (e Entry) By(a people.Actor) Entry {
	e.Person, e.System, e.Address, e.Request = a.Person, a.System, a.Address, a.Request
	return e
}

// Filter narrows a listing. Zero fields do not narrow.
type Filter struct {
	Owner   people.ID
	Person  people.ID
	Object  string
	Subject string
	Action  string // a prefix: "signature." finds all of them
	Outcome Outcome
	From    time.Time // inclusive
	To      time.Time // exclusive
	After   string    // keyset cursor: the Cursor of the last entry of the page before
	Limit   int       // at most 500; 0 means 50
}
