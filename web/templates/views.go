package templates

import (
	"time"

	"countersign/audit"
	"countersign/identity"
	"countersign/pades"
	"countersign/people"
	"countersign/signing"
)

// Page is what every page needs beside its own content. Handlers fill it; templates
// never ask a service for anything.
type Page struct {
	Title    string         // leads the document title; the situation, not the place
	Here     string         // menu item the page belongs to: "home", "documents", "review", "credentials", "audit", "verify", "account", or empty
	Person   *people.Person // nil when nobody is signed in
	Stuck    int            // for the admin's menu: things that wait too long
	Waiting  int            // for the admin's menu: identity checks that wait for a decision
	Flash    string         // one sentence about what was just done; a toast
	Undo     string         // path to POST to, to undo it; empty when there is nothing to undo
	UndoText string         // label of that button
	Task     string         // on task pages the label of the one way out ("Leave without signing"); no menu then
	TaskPath string         // where that way leads
	Brand    Brand
	Path     string // of this page, for links that come back
	Live     string // path of the page's event stream; empty when nothing here can change
	Now      time.Time
	Zone     *time.Location
	Demo     bool   // shows the demo strip with the links below
	MailURL  string // the simulator's mailbox, demo only
	PhoneURL string // the simulator's phone, demo only
	said     bool   // the title is a name or is in the page's language already
}

// Brand is the configured name and look.
type Brand struct {
	Name         string // "Countersign"
	Organization string // whose portal it is, "Example BV"
	Logo         string // path, empty: a mark cut from the name
	HelpEmail    string // a human to ask; empty: "your admin"
}

// Problem is an error page or an error inside a page.
type Problem struct {
	Status    int
	Title     string // the situation as a sentence
	Sentence  string // what happened and who can fix it
	Signed    string // "nothing was signed", or what is known; empty when signing was not touched
	Who       string // who can fix it, and how
	Args      []any  // values of Sentence, in pairs: name, value
	WayOn     string // label of the one way on
	WayPath   string
	Reference string // of the request
	Account   string // signed-in account, told on 403
}

// Landing is "/" for somebody who is not signed in.
type Landing struct{ Page }

// SignedOut is the page after signing out.
type SignedOut struct {
	Page
	AtProvider bool // also signed out at the login provider
}

// Home is "/" for somebody who is signed in. Which situation it shows is decided here, not in the template.
type Home struct {
	Page
	Situation   string // "new", "waiting", "your_turn", "refused", "approved", "ready", "document", "suspended"; for admins without signer role "admin", for auditors "auditor"
	Validation  *identity.Validation
	Credential  *identity.Credential
	EndsSoon    bool         // the credential does
	Document    *DocumentRow // the document that waits, in situation "document"
	Recent      []DocumentRow
	Total       int         // of own documents
	Review      []ReviewRow // for admins: what waits, oldest first, at most 5
	ReviewTotal int
	Upload      UploadForm
	Usual       string // how long an identity check usually takes, e.g. "a few hours"
}

// UploadForm is the drop area with its limits and, after a refusal, the reason.
type UploadForm struct {
	MaxBytes int64
	Types    string // "PDF"
	Refused  string // sentence with the remedy; empty when there is none
	Name     string // of the refused file
}

// DocumentRow is one document in a list.
type DocumentRow struct {
	Document  signing.Document
	Words     []string           // four words of the fingerprint
	Indent    []int              // twelve levels 0–3 of the fingerprint
	Signature *signing.Signature // the newest one, if any
	Open      signing.CeremonyID // ceremony to go on with, if any
}

// Documents is the list of own documents.
type Documents struct {
	Page
	Upload UploadForm
	Rows   []DocumentRow
	Counts map[string]int // "all", "ready", "signed", "refused"
	Filter string         // one of those
	Text   string
	Older  string                      // path of the next page, empty at the end
	Chosen map[signing.DocumentID]bool // to be signed together
	Others []signing.DocumentID        // chosen on other pages
	Next   string                      // cursor of the next page, for those who go on choosing
}

// Document is the preview.
type Document struct {
	Page
	Row        DocumentRow
	Content    string                  // path of the stored bytes, for the viewer
	Signatures []pades.SignatureResult // those the stored file carries, checked
	History    []signing.Signature     // ours, oldest first
	Extension  *signing.Extension      // the work on its level; nil when there is none
	Notices    []Notice                // "We noticed n things", worst first
	CanSign    bool
	WhyNot     string // sentence, when not
	WhyPath    string // where to go to change that
	WhyText    string // label of that link
	Seen       string // fingerprint of what is told about erasing it
	Changed    bool   // it was another when that was pressed
}

// Notice is one thing worth knowing before signing.
type Notice struct {
	Tone string // "bad", "hold", "off"
	Text string
}

// CredentialChoice is one credential on the choose page.
type CredentialChoice struct {
	Credential identity.Credential
	Usable     bool
	Why        string // sentence with who can change it, when not usable
}

// Choose is the first step of signing.
type Choose struct {
	Page
	Row     DocumentRow
	Choices []CredentialChoice
	Chosen  identity.CredentialID
	Problem string // sentence above the choices

	Connection Connection
}

// TogetherRow is one of several documents that are signed under one approval.
type TogetherRow struct {
	Row       DocumentRow
	Signature signing.Signature  // once it has begun
	Why       string             // sentence: what is in the way, or what went wrong
	Signed    string             // was anything signed, when something went wrong
	Who       string             // who can fix it
	Open      signing.CeremonyID // the signing that it is in already
}

// Together is the first step of signing several documents.
type Together struct {
	Page
	Rows    []TogetherRow
	Chosen  int // how many were chosen, should they be too many to list
	Bytes   int64
	Pages   int
	Choices []CredentialChoice
	With    identity.CredentialID
	GoOn    bool   // one that fails does not stop the others
	Most    int    // how many one approval takes, when these are more; else 0
	Problem string // sentence above the list

	Connection Connection
}

// Ceremony is every later step: the state decides which.
type Ceremony struct {
	Page
	Many        []TogetherRow // the documents, when they are several; then Row and Signature are the first one's
	Row         DocumentRow
	Ceremony    signing.Ceremony
	Signature   signing.Signature
	Credential  identity.Credential
	Step        string     // "check", "code", "consent", "progress", "result", "failed"
	Checks      []LiveStep // pre-flight, on "check", and on "code" where no code is sent
	Refused     bool       // one of Many is in the way
	Steps       []LiveStep // on "progress"
	Until       time.Time  // when finishing is given up, on "progress"
	Columns     int        // of the second line already written, 0–12
	CodeError   string     // "wrong", "expired", "locked", "empty", "format", or empty
	PINError    string
	TriesLeft   int
	ResendIn    int                    // seconds until a new code can be asked for
	PhoneLeft   int                    // seconds the provider still waits for the approval on the phone
	Destination string                 // masked, where the code went; empty when DTM does not say
	Failed      Problem                // on "failed"
	Problem     *Problem               // above the form: DTM did not answer, a limit was reached …
	Result      *pades.SignatureResult // on "result": this signature, checked
	Download    string                 // path
}

// LiveStep is one line of a list of steps.
type LiveStep struct {
	Step string // "done", "now", "todo", "bad", "hold": not known, and not in the way
	Text string
	Args []any     // values of Text, in pairs
	Who  string    // who can change it, when it is bad or not known
	At   time.Time // zero: no time shown
}

// StartCheck is the form that starts an identity check.
type StartCheck struct {
	Page
	Standards []StandardChoice
	Chosen    identity.Standard
	Errors    map[string]string // by field: "standard", "consent"
	Problem   *Problem          // DTM did not answer, no seat …
}

// StandardChoice is one standard a person can choose.
type StandardChoice struct {
	Standard identity.Standard
	Name     string // "Basic", "Advanced+"
	Takes    string // what it takes
	Usual    string // how long it usually lasts
}

// Check is the progress of an identity check, for its person.
type Check struct {
	Page
	Validation identity.Validation
	Credential *identity.Credential // once one is being made
	Title      string               // h1: the situation as a sentence
	Steps      []CheckStep
	CanCancel  bool
	DecidedBy  string // name of the admin, once decided
	DTMWord    string // DTM's own word for a state we do not know
}

// CheckStep is one step of the vertical stepper.
type CheckStep struct {
	Step       string // "done", "now", "todo"
	Name       string
	At         time.Time // when it was done
	With       string    // who has to act: "You", "DigiCert", "An admin of Example BV"
	Yours      bool
	Since      time.Time
	Usual      string
	Next       string
	Text       string // more, on the current step
	Action     string // label of the button, when the reader can do something
	ActionPath string // may be an address at DTM
}

// Reason is one entry of a catalogue of reasons.
type Reason struct{ Code, Text string }

// ProfileChoice is a certificate profile to issue for.
type ProfileChoice struct{ ID, Name string }

// CredentialRow is one credential in a list.
type CredentialRow struct {
	Credential identity.Credential
	Person     people.Person
}

// Credentials is the list: everybody's for an admin, one's own otherwise.
type Credentials struct {
	Page
	All    bool
	Rows   []CredentialRow
	Counts map[string]int // "all", "active", "pending", "suspended", "ended", "soon", "asked"
	Filter string
	Text   string
	Older  string
}

// Credential is one credential.
type Credential struct {
	Page
	Row                              CredentialRow
	Own                              bool
	EndsSoon                         bool
	Default, CanDefault              bool // it is the one its owner signs with; it can become so
	Renewal                          Renewal
	AtStake                          signing.AtStake // what hangs on it
	Seen                             string          // fingerprint of what is told about suspending it
	Changed                          bool            // it was another when that was pressed
	CanSuspend, CanResume, CanRevoke bool
	Events                           []audit.Entry
	Names                            map[people.ID]string
	Problem                          string // a command was refused: sentence

	Connection Connection
}

// Renewal is how far the successor of a credential is.
type Renewal struct {
	At              int // 0 nobody asked, 1 asked for, 2 being made, 4 it is there
	Asked, Retired  time.Time
	CanAsk, CanDrop bool
	CanMake         bool // the reader may have it made
	NeedsCheck      bool // the identity check no longer counts
	Successor       *identity.Credential
}

// Consequences is the page that asks before a credential is revoked.
type Consequences struct {
	Page
	Row     CredentialRow
	Own     bool
	Reasons []Reason
	Chosen  string
	Typed   string            // must equal Row.Credential.Name… see Ask
	Ask     string            // the word to type
	Seen    string            // fingerprint of what is told here
	Changed bool              // it was another when the button was pressed
	AtStake signing.AtStake   // what hangs on it
	Errors  map[string]string // "reason", "typed"
}

// Leaving leads on to the provider's page.
type Leaving struct {
	Page
	Host    string
	Address string // holds the state of the visit: on no other page, and in no log
	At      string // the same, for the browser to lead on by itself; empty to stay
}

// Verify is the public page, before and after a file was given.
type Verify struct {
	Page
	MaxBytes int64
	Result   *pades.Result
	Name     string // of the file
	Size     int64
	Indent   []int    // of the original revision; for a changed file what the signature says
	Other    []int    // what a changed file gives instead
	Words    []string // empty for a changed file
	SHA256   string   // hex, of the file as given
	Known    string   // "we also have a record of this file", or empty
	Refused  string   // sentence: not a PDF, too large …
}

// Account is the person's own page.
type Account struct {
	Page
	Sessions   []SessionRow
	Saved      bool
	Connection Connection
}

// Connection is the person's way into DigiCert, where every signer has to have one of their own.
type Connection struct {
	State string // "none", "open", "ended"; empty where nobody needs one
	Since time.Time
	Back  string // path to come back to
}

// Disconnect asks before it is taken away.
type Disconnect struct{ Page }

// SessionRow is one session of the person.
type SessionRow struct {
	ID                  string // public id, not the cookie's
	Started, Seen, Ends time.Time
	Agent, Address      string
	Current             bool
}

// Text is a plain page: help, accessibility, privacy.
type Text struct {
	Page
	Name string // "help", "accessibility", "privacy"
}
