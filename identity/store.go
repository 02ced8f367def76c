package identity

import (
	"context"
	"errors"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/mail"
	"countersign/people"
)

// ErrNotFound is answered for a record that is not there, or not there for this actor.
var ErrNotFound = errors.New("not found")

// ErrConflict is answered when the record was not in the state the change starts from.
var ErrConflict = errors.New("changed meanwhile")

// Job is background work: a struct with ids only. It satisfies River's JobArgs.
type Job interface{ Kind() string }

// Moved is one row before and after. An empty From inserts; otherwise the row must be
// in From and at To.Version, and every column is written with Version+1.
type Moved[S ~string, T any] struct {
	From S
	To   T
}

// Change is what one command or observation does, in one transaction.
type Change struct {
	Validations []Moved[ValidationState, Validation]
	Credentials []Moved[CredentialState, Credential]
	Bind        *Binding // person to DTM user
	Default     *Default // the credential a person signs with
	Entries     []audit.Entry
	Mail        []mail.Message
	Jobs        []DueJob
	Topics      []string // announced after commit, see Topic…
}

// DueJob is a job and when it may start; zero is at once.
type DueJob struct {
	Job Job
	At  time.Time
}

// Binding ties a person to a DTM user. It fails with ErrConflict when either is bound elsewhere.
type Binding struct {
	Person  people.ID
	DTMUser string
}

// Default is the credential a person signs with unless they choose another. With InsteadOf it
// is set only where that one was the default, or none was.
type Default struct {
	Person     people.ID
	Credential CredentialID
	InsteadOf  CredentialID
}

// Store is what this package needs of the database.
type Store interface {
	// Apply makes the change in one transaction or answers ErrConflict and changes nothing.
	Apply(ctx context.Context, c Change) error
	// Person by id; ErrNotFound.
	Person(ctx context.Context, id people.ID) (people.Person, error)
	// Admins lists those who are admins and not switched off, at most 100.
	Admins(ctx context.Context) ([]people.Person, error)
	// Validation by id; ErrNotFound.
	Validation(ctx context.Context, id ValidationID) (Validation, error)
	// ValidationsOf lists a person's identity checks, newest first, at most 100.
	ValidationsOf(ctx context.Context, p people.ID) ([]Validation, error)
	// Queue lists identity checks for the review desk.
	Queue(ctx context.Context, q QueueQuery) ([]Validation, error)
	// QueueCounts counts by state, each at most 1000.
	QueueCounts(ctx context.Context) (map[ValidationState]int, error)
	// DueValidations claims up to n open identity checks whose LookAt has come, and moves LookAt to next.
	DueValidations(ctx context.Context, now, next time.Time, n int) ([]Validation, error)
	// Credential by id; ErrNotFound.
	Credential(ctx context.Context, id CredentialID) (Credential, error)
	// CredentialByName by its DTM name; ErrNotFound.
	CredentialByName(ctx context.Context, name string) (Credential, error)
	// CredentialsOf lists a person's credentials, newest first, at most 100.
	CredentialsOf(ctx context.Context, p people.ID) ([]Credential, error)
	// Credentials lists everybody's.
	Credentials(ctx context.Context, q CredentialQuery) ([]Credential, error)
	// SuccessorOf is the credential that takes the place of this one, being made or made and not ended; ErrNotFound.
	SuccessorOf(ctx context.Context, id CredentialID) (Credential, error)
	// AskedCount counts those whose owner asked for a successor, at most 1000.
	AskedCount(ctx context.Context) (int, error)
	// EndingCount counts those of Credentials with this EndsBefore, at most 1000.
	EndingCount(ctx context.Context, now, before time.Time) (int, error)
	// CredentialCounts counts by state, each at most 1000.
	CredentialCounts(ctx context.Context) (map[CredentialState]int, error)
	// DueCredentials claims up to n credentials whose LookAt has come, and moves LookAt to next.
	DueCredentials(ctx context.Context, now, next time.Time, n int) ([]Credential, error)
	// LookSoon moves LookAt of an open record forward to at, for a page that watches it.
	LookSoon(ctx context.Context, validation ValidationID, credential CredentialID, at time.Time) error
}

// QueueQuery narrows the review queue: oldest first, keyset-paged by (Since, ID).
type QueueQuery struct {
	States   []ValidationState // empty: those that wait for an admin
	Standard Standard          // empty: all
	After    string            // cursor, Validation.Cursor of the last row
	Limit    int
}

// CredentialQuery narrows the list of credentials: newest first, keyset-paged by (CreatedAt, ID).
// With EndsBefore it is those that are active or suspended and end after Now and up to then, the
// next end first, keyset-paged by (NotAfter, ID).
type CredentialQuery struct {
	Now, EndsBefore time.Time
	Asked           bool // those whose owner asked for a successor, longest ago first; no other condition counts

	States []CredentialState
	Text   string // part of the name of the person or of the credential
	After  string
	Limit  int
}

// Remote is what this package needs of DTM; *dtmclient.Client is one.
type Remote interface {
	CreateUser(ctx context.Context, u dtmclient.User) (dtmclient.User, error)
	// FindUser looks a user up by user name; NotFound when there is none.
	FindUser(ctx context.Context, userName string) (dtmclient.User, error)
	CreateValidation(ctx context.Context, n dtmclient.NewValidation) (dtmclient.Validation, error)
	Validation(ctx context.Context, id string) (dtmclient.Validation, error)
	// ValidationsOf lists a DTM user's validations.
	ValidationsOf(ctx context.Context, userID string) ([]dtmclient.Validation, error)
	ApproveValidation(ctx context.Context, id string) error
	RejectValidation(ctx context.Context, id, reason string) error
	// CorrectValidation asks the person to submit again.
	CorrectValidation(ctx context.Context, id, reason string) error
	CancelValidation(ctx context.Context, id string) error
	CreateCredential(ctx context.Context, n dtmclient.NewCredential) (dtmclient.Credential, error)
	Credential(ctx context.Context, name string) (dtmclient.Credential, error)
	SuspendCredential(ctx context.Context, name string) error
	ResumeCredential(ctx context.Context, name string) error
	RevokeCredential(ctx context.Context, name, reason, userID string) error
	CancelCredential(ctx context.Context, name string) error
	Profiles(ctx context.Context) ([]dtmclient.Profile, error)
	Seats(ctx context.Context) ([]dtmclient.Seats, error)
	Roles(ctx context.Context) ([]dtmclient.Role, error)
	AuditLog(ctx context.Context, q dtmclient.AuditQuery) (dtmclient.Page[dtmclient.AuditEntry], error)
}

// Topics that a change announces and pages listen to.
func ValidationTopic(id ValidationID) string { return "validation:" + string(id) }

// CredentialTopic is announced when a credential changes.
func CredentialTopic(id CredentialID) string { return "credential:" + string(id) }

// PersonTopic is announced when anything a person's home page shows changes.
func PersonTopic(id people.ID) string { return "person:" + string(id) }

// ReviewTopic is announced when the review queue changes.
const ReviewTopic = "review"
