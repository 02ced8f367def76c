package templates

import (
	"time"

	"countersign/audit"
	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/work"
)

// What the pages of admins and auditors are filled with.

// ReviewRow is one identity check in the queue.
type ReviewRow struct {
	Validation  identity.Validation
	Person      people.Person
	Differences int
	Own         bool // the reader's own: may not decide
}

// Review is the review desk's queue.
type Review struct {
	Page
	Rows     []ReviewRow
	Counts   map[string]int // "waiting", "held", "running", "decided", "all"
	Filter   string
	Standard identity.Standard
	Older    string
}

// ReviewCase is one identity check with claims beside papers.
type ReviewCase struct {
	Page
	Row         ReviewRow
	Compare     []Compared
	Events      []audit.Entry
	Names       map[people.ID]string // of those in Events
	Reasons     []Reason             // of refusing
	Corrections []Reason
	Profiles    []ProfileChoice // once approved: to issue for
	Credentials []identity.Credential
	Seats       string // "3 of 10 Advanced+ seats are free", or empty when unknown
	NoSeat      bool   // none is free: approving is not offered
	Hold        time.Duration
	Approvals   int    // how many admins have to approve
	First       string // name of who approved first; empty before that
	FirstOwn    bool   // that is the reader
	ToldIn      int    // seconds until DigiCert is told of a held approval
	Form        string // which form has an error: "refuse", "correct", "issue"
	Error       string
	Note        string // kept value
	Decide      bool   // the reader may decide now
	WhyNot      string // sentence, when not
	NextCase    string // path of the next waiting case
}

// Compared is one attribute from the login beside the papers.
type Compared struct {
	Label, Claimed, Proofed string
	Kind                    string // "same", "case", "accents", "order", "differs", "missing"
	From, To                int    // differing runes of Proofed
}

// People lists who has signed in.
type People struct {
	Page
	Rows  []people.Person
	Text  string
	Older string
}

// OnePerson is one of them, and what switching them off would mean.
type OnePerson struct {
	Page
	Of                  people.Person
	Own, CanManage      bool
	Credentials, Usable []identity.Credential // all; those that could sign
	Checks              []identity.Validation
	Sessions            int
	AtStake             signing.AtStake // what hangs on all their credentials
	Running             int             // identity checks under way
	Seen                string          // fingerprint of what is told here
	Changed             bool            // it was another when the button was pressed
}

// AuditRow is one line of our log.
type AuditRow struct {
	Entry audit.Entry
	Actor string // name of the person who acted, or what did
	Text  string // the sentence in the past: "approved an identity check"
}

// Audit is our own log.
type Audit struct {
	Page
	Rows       []AuditRow
	Filter     AuditForm
	Older      string
	CSV        string // path
	Size       int64  // entries numbered so far
	Root       string // hex of the tree's root
	Checkpoint time.Time
	Last       *audit.Checked // check of the whole log that has ended; nil: none
}

// AuditForm is the filter of a log, as it stands in the URL.
type AuditForm struct {
	Kind     string // object kind, or empty
	Outcome  string
	From, To string // YYYY-MM-DD
	Text     string // id or reference
	Errors   map[string]string
}

// AuditEntry is one entry by itself.
type AuditEntry struct {
	Page
	Row AuditRow
}

// RemoteLog is DTM's own log.
type RemoteLog struct {
	Page
	Rows    []RemoteRow
	Filter  AuditForm
	Older   string
	CSV     string
	Problem *Problem
}

// RemoteRow is one line of DTM's log.
type RemoteRow struct {
	At                                                       time.Time
	Resource, ID, Action, Status, User, Authentication, Text string
}

// Roles lists DTM's roles.
type Roles struct {
	Page
	Rows    []RoleRow
	Problem *Problem
}

// RoleRow is one role of DTM.
type RoleRow struct {
	Name, ID, Scope string
	Permissions     []string
}

// Work is what waits longer than it should.
type Work struct {
	Page
	Groups []WorkGroup // only those with rows
}

// WorkGroup is what waits of one kind.
type WorkGroup struct {
	Kind work.Kind
	Rows []WorkRow
}

// WorkRow is one thing that waits.
type WorkRow struct {
	Item work.Item
	Name string // of its owner; empty for mails and jobs
}
