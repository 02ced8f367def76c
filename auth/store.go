package auth

import (
	"context"
	"time"

	"countersign/audit"
	"countersign/people"
)

// Session is one signed-in browser.
type Session struct {
	ID              string // public: names the session on the account page, opens nothing
	Hash            []byte // SHA-256 of the id in the cookie
	Person          people.ID
	Issuer          string
	Subject         string
	ProviderSession string // the provider's sid; empty when it gives none
	CreatedAt       time.Time
	SeenAt          time.Time // last activity, up to a minute late
	IdleEnds        time.Time
	Ends            time.Time // whatever happens
	Data            Data
	Hint            []byte // the ID token, sealed; see seal

	raw []byte // id in the cookie; only while a request runs
}

// Data is what else is known of a session, kept as JSON.
type Data struct {
	Address  string    `json:"address,omitempty"`
	Agent    string    `json:"agent,omitempty"`
	AuthTime time.Time `json:"auth_time,omitzero"` // when the provider says the person proved who they are
	ACR      string    `json:"acr,omitempty"`
}

// Ending is when the session ends if nothing more is done.
func (s Session) Ending() time.Time {
	if s.IdleEnds.Before(s.Ends) {
		return s.IdleEnds
	}
	return s.Ends
}

// SignIn is a login that passed every check.
type SignIn struct {
	Person   people.Person // as the claims say; the id is the store's to find or make
	Session  Session       // the person's id is filled in by the store
	Replaces []byte        // hash of the session this browser had before; nil for none
	Entry    audit.Entry   // Person and Owner are filled in by the store
}

// Which says whose sessions to end: set fields must all match, and at least one of
// Person, Subject and ProviderSession is set.
type Which struct {
	Person          people.ID
	Issuer          string
	Subject         string
	ProviderSession string
}

// Store is what this package needs of the database.
type Store interface {
	// SignIn in one transaction: the person is inserted, or updated by (issuer, subject);
	// the session before is deleted, the new one inserted, the entry written. A person who
	// is disabled gets no session: the entry is written as refused, and ErrDisabled answered.
	SignIn(ctx context.Context, s SignIn) (people.Person, error)
	// Session and its person by the hash of the cookie's id; ErrNotFound.
	Session(ctx context.Context, hash []byte) (Session, people.Person, error)
	// Sessions of a person, newest first, at most 100.
	Sessions(ctx context.Context, p people.ID) ([]Session, error)
	// Touch moves the last activity forward, never back.
	Touch(ctx context.Context, hash []byte, seen, idleEnds time.Time) error
	// End deletes a session and writes the entry; nothing when it is gone already.
	End(ctx context.Context, hash []byte, e audit.Entry) error
	// EndAll deletes sessions and writes one entry per session, its Subject, Person (if empty) and Owner filled in.
	EndAll(ctx context.Context, w Which, e audit.Entry) (int, error)
	// EndByToken is EndAll, once per token id; ErrUsed for a token seen before.
	EndByToken(ctx context.Context, token string, expires time.Time, w Which, e audit.Entry) (int, error)
	// UseAttempt remembers that a login attempt was answered; ErrUsed the second time.
	UseAttempt(ctx context.Context, attempt string, expires time.Time) error
	// SetDisabled switches a person off, ending all sessions, or on; ErrNotFound.
	SetDisabled(ctx context.Context, p people.ID, disabled bool, e audit.Entry) error
	// Record writes an entry that belongs to no change, such as a refusal.
	Record(ctx context.Context, e audit.Entry) error
	// SweepSessions deletes sessions and remembered ids whose end has passed.
	SweepSessions(ctx context.Context, now time.Time) (int, error)
}

// SessionTopic is announced when a session ends, so that streams it opened can stop.
func SessionTopic(id string) string { return "session:" + id }
