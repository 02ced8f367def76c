package signing

import (
	"context"
	"crypto"
	"errors"
	"io"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/mail"
	"countersign/people"
)

// ErrNotFound is answered for a record that is not there, or not there for this actor.
var ErrNotFound = errors.New("not found")

// ErrConflict is answered when a record was not in the state the change starts from.
var ErrConflict = errors.New("changed meanwhile")

// ErrLimited is answered when a Limit of the change is reached; nothing was changed.
var ErrLimited = errors.New("limit reached")

// ErrQuota is answered when a change would take an owner past the Quota it names; nothing was changed.
var ErrQuota = errors.New("quota reached")

// ErrCorrupt is answered for stored bytes that are gone or are not what the record says. It is
// for bytes that will never be right again: trouble that passes is any other error.
var ErrCorrupt = errors.New("stored bytes do not fit the record")

// Job is background work: a struct with ids only. It satisfies River's JobArgs.
type Job interface{ Kind() string }

// Moved is one row before and after. An empty From inserts; otherwise the row must be
// in From and at To.Version, and every column is written with Version+1.
type Moved[S ~string, T any] struct {
	From S
	To   T
}

// Change is what one command does, in one transaction.
type Change struct {
	Documents  []Moved[DocumentState, Document]
	Revisions  []Revision // inserted
	Withdrawn  []Revision // deleted by (Document, Number, Signature): bytes that are never released
	Ceremonies []Moved[CeremonyState, Ceremony]
	Signatures []Moved[SignatureState, Signature]
	Extensions []Moved[ExtensionState, Extension]
	Forget     []DocumentID // rows of documents that were never received, deleted
	Used       string       // credential id whose LastUsed is set
	Attempts   []Attempt    // inserted
	Limits     []Limit      // checked first, inside the transaction
	Quota      *QuotaCheck  // checked last, inside the transaction, with the change already in
	Entries    []audit.Entry
	Mail       []mail.Message
	Jobs       []DueJob
	Topics     []string
	Checks     []Check    // written over the ones before
	Consents   []Consent  // written over the ones before
	Taken      []Consent  // used up, by (Ceremony, State): one that was replaced or used meanwhile is ErrConflict
	Over       []OverMail // sent with the change that leaves no signature of the ceremony open
}

// OverMail tells of a whole ceremony. Which of the many changes is the last one only the
// transaction knows, so each carries it.
type OverMail struct {
	Ceremony CeremonyID
	Mail     mail.Message
}

// DueJob is a job and when it may start; zero is at once.
type DueJob struct {
	Job Job
	At  time.Time
}

// Attempt is something that is counted: a code entered or sent.
type Attempt struct {
	Action  string // "otp.try", "otp.back", "otp.right", the same of "code" and "pin", "otp.send", "consent.ask", "document.submit", "ceremony.begin", "document.prepare"
	Subject string // credential id, or the person's
	At      time.Time
}

// Limit refuses a change with ErrLimited when Max attempts or more were made at or after Since.
// Attempts of the action Except are taken off the count: a try that turned out right. Those
// up to the newest attempt of the action After do not count at all.
type Limit struct {
	Action, Subject string
	Except          string // empty: nothing is taken off
	After           string // empty: only Since says from when
	Since           time.Time
	Max             int
}

// QuotaCheck refuses a change with ErrQuota when, with it, the owner's documents in the
// states receiving, checking, ready and quarantined would be more than Files, or their
// sizes sum to more than Bytes. What waits to be received counts with its declared size, so two
// uploads at once cannot both take the last place.
type QuotaCheck struct {
	Owner people.ID
	Bytes int64
	Files int
}

// Store is what this package needs of the database.
type Store interface {
	Apply(ctx context.Context, c Change) error
	// Document by id, of this owner; ErrNotFound for anybody else's.
	Document(ctx context.Context, owner people.ID, id DocumentID) (Document, error)
	// DocumentsIn are those of these that the owner has, in no order.
	DocumentsIn(ctx context.Context, owner people.ID, ids []DocumentID) ([]Document, error)
	// Documents lists an owner's, newest first.
	Documents(ctx context.Context, q DocumentQuery) ([]Document, error)
	// DocumentCounts counts an owner's that are shown (not on their way in, not erased) by state, each at most 1000.
	DocumentCounts(ctx context.Context, owner people.ID) (map[DocumentState]int, error)
	// Person by id, for the address a mail goes to; ErrNotFound.
	Person(ctx context.Context, id people.ID) (people.Person, error)
	// Usage sums an owner's bytes and files, in the states QuotaCheck names.
	Usage(ctx context.Context, owner people.ID) (bytes int64, files int, err error)
	// Revisions of a document, oldest first.
	Revisions(ctx context.Context, id DocumentID) ([]Revision, error)
	// Ceremony by id, of this owner; ErrNotFound.
	Ceremony(ctx context.Context, owner people.ID, id CeremonyID) (Ceremony, error)
	// Signatures of a ceremony, in the order they were prepared.
	Signatures(ctx context.Context, id CeremonyID) ([]Signature, error)
	// Checks of a ceremony, in no order.
	Checks(ctx context.Context, id CeremonyID) ([]Check, error)
	// Consent by the SHA-256 of its state; ErrNotFound.
	Consent(ctx context.Context, state []byte) (Consent, error)
	// Signature by id, for the work that finishes it; ErrNotFound.
	Signature(ctx context.Context, id SignatureID) (Signature, error)
	// SignaturesOf a document, oldest first.
	SignaturesOf(ctx context.Context, id DocumentID) ([]Signature, error)
	// Extension of a document, for the work on it; ErrNotFound when it has none.
	Extension(ctx context.Context, id DocumentID) (Extension, error)
	// NewestSignatures is the last one of each of these documents, where the owner has one.
	NewestSignatures(ctx context.Context, owner people.ID, ids []DocumentID) ([]Signature, error)
	// OpenCeremony is the ceremony with an open preparation of the document; ErrNotFound when there is none.
	// A preparation is open while its signature is prepared, intended, signed or assembled, and a unique
	// index keeps it to one for each document: a second one makes Apply answer ErrConflict.
	OpenCeremony(ctx context.Context, id DocumentID) (Ceremony, error)
	// AtStake counts the signatures made with a credential, and lists the ceremonies that may still be cancelled.
	AtStake(ctx context.Context, credential string) (AtStake, error)
	// ForgetOld deletes what was counted, checked and asked of providers before the time, some thousands of
	// each at most, and answers how many.
	ForgetOld(ctx context.Context, before time.Time) (int, error)
	// Overdue lists open rows past their deadline, oldest first, at most n of each.
	Overdue(ctx context.Context, now time.Time, n int) (Overdue, error)
}

// Overdue are rows that wait past their deadline.
type Overdue struct {
	Documents  []Document
	Ceremonies []Ceremony
	Signatures []Signature
	Extensions []Extension // those of files to be renewed among them
}

// DocumentQuery narrows an owner's documents: newest first, keyset-paged by (CreatedAt, ID).
type DocumentQuery struct {
	Owner  people.ID
	States []DocumentState // empty: all but erased and receiving
	Signed *bool
	Text   string // part of the name
	After  string // cursor: Document.Cursor of the last row
	Limit  int
}

// Credential is what signing needs to know of the credential that signs.
type Credential struct {
	ID     string
	Name   string // at DTM
	Person people.ID
	Usable bool
	// Retired is true of one whose successor is there: it finishes what has begun, and begins nothing.
	Retired bool
	Reason  string // code, when not usable
}

// Credentials finds credentials through the person who asks; identity's service is one, by an adapter in cmd/portal.
type Credentials interface {
	// Credential of this person; ErrNotFound for anybody else's.
	Credential(ctx context.Context, p people.ID, id string) (Credential, error)
	// Fresh reads the state at DTM again, records what it finds, and answers it.
	Fresh(ctx context.Context, id string) (Credential, error)
}

// ErrNotConnected is answered where calls go out in a person's own name and the person has
// not let the portal in at DigiCert, or not any more. Nothing was sent.
var ErrNotConnected = errors.New("the person has to connect first")

// Persons lets calls go out in the name of whom they are for, where the signing service wants
// that; an adapter in cmd/portal is one.
type Persons interface {
	// As is the service as that person sees it.
	As(p people.ID) Remote
	// Ready gets what calls in their name need; ErrNotConnected.
	Ready(ctx context.Context, p people.ID) error
}

// Remote is what this package needs of the CSC service; *dtmclient.Client is one.
type Remote interface {
	CredentialInfo(ctx context.Context, credentialID string) (dtmclient.CredentialInfo, error)
	SendOTP(ctx context.Context, credentialID, clientData string) error
	Authorize(ctx context.Context, a dtmclient.Authorization) (dtmclient.SAD, error)
	// CodeURL is the address of the provider's page where a person approves.
	CodeURL(ctx context.Context, q dtmclient.CodeRequest) (string, error)
	// ExchangeCode trades what came back from there for activation data; a code is good once.
	ExchangeCode(ctx context.Context, q dtmclient.CodeRequest, secret, code dtmclient.Secret) (dtmclient.Tokens, error)
	SignHash(ctx context.Context, h dtmclient.HashesToSign) ([][]byte, error)
	// ExtendTransaction gets the activation data for the next hashes of an authorization; the old is dead.
	ExtendTransaction(ctx context.Context, credentialID string, sad dtmclient.Secret, hashes [][]byte) (dtmclient.SAD, error)
	// Timestamp asks for an RFC 3161 token over the digest: DER of the TimeStampToken.
	Timestamp(ctx context.Context, digest []byte, hash crypto.Hash, nonce []byte) ([]byte, error)
}

// Blobs keeps encrypted bytes; an adapter over package blob in cmd/portal is one. Open, ReadAt
// of what it gives, and Unseal answer an error that is ErrCorrupt when the bytes do not
// authenticate or are not there.
type Blobs interface {
	// NewKey makes a key for a document and wraps it, bound to the document's id.
	NewKey(document DocumentID) (wrapped []byte, err error)
	// Create begins a blob under the document's key. Nothing is visible before Commit; Abort drops it.
	Create(ctx context.Context, document DocumentID, wrapped []byte) (BlobWriter, error)
	// Open reads a blob at random.
	Open(ctx context.Context, document DocumentID, wrapped []byte, id string) (BlobReader, error)
	// Remove deletes a blob; one that is not there is no error.
	Remove(ctx context.Context, id string) error
	// Seal and Unseal keep small values (hash states) under the document's key.
	Seal(document DocumentID, wrapped, plain []byte) ([]byte, error)
	Unseal(document DocumentID, wrapped, sealed []byte) ([]byte, error)
	// Free tells the bytes left where blobs are kept; -1 when unknown.
	Free(ctx context.Context) (int64, error)
}

// BlobWriter takes the plain bytes of one blob.
type BlobWriter interface {
	io.Writer
	// Commit makes the blob durable and answers its id.
	Commit() (id string, err error)
	Abort() error
}

// BlobReader gives the plain bytes of one blob.
type BlobReader interface {
	io.ReaderAt
	io.Closer
	Size() int64
	// Stamp changes whenever the stored bytes may have been touched; empty when that cannot
	// be told.
	Stamp() string
}

// Topics that a change announces and pages listen to.

// CeremonyTopic is announced when a ceremony or one of its signatures changes.
func CeremonyTopic(id CeremonyID) string { return "ceremony:" + string(id) }

// DocumentTopic is announced when a document changes.
func DocumentTopic(id DocumentID) string { return "document:" + string(id) }

// PersonTopic is announced when anything a person's home page shows changes.
func PersonTopic(id people.ID) string { return "person:" + string(id) }
