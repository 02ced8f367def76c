// Package mail holds the outbox: a message is written in the transaction of the
// change it tells of and delivered afterwards, at most once each.
package mail

import "time"

// Message is one mail to one person.
type Message struct {
	ID       string // set by the store when empty
	To       string // address
	Language string // BCP 47, what Subject and Text are written in; empty: English
	Subject  string
	Text     string // plain text; the HTML part is made from it
	About    string // event and object, e.g. "validation.approved:ab12": one mail per event
	DueAt    time.Time
}
