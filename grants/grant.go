// Package grants keeps the refresh tokens by which DigiCert lets the portal speak for
// somebody: the site's own one, and each person's where an account wants every signer's.
//
// A token is kept sealed, bound to its row and its person, and is asked with by one process
// at a time over all replicas: whoever holds the row's lease asks, everybody else waits and
// reads the row again. Access tokens are in memory only, found by the row, so one whose row
// is gone is gone too, on every replica. A token is never handed to anybody but the client
// that speaks for its person.
//
// The wire is dtmclient's, rows are db's, pages are handlers'.
package grants

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

// State of a grant.
type State string

// The states. There is one grant of a person that is not Leaving.
const (
	Open    State = "open"    // its token is used
	Ended   State = "ended"   // DigiCert refused the token; the person has to connect again
	Leaving State = "leaving" // used by nobody; DigiCert is being told
)

// Grant is one refresh token.
type Grant struct {
	ID        string
	Person    people.ID // empty: the site's own
	State     State
	Sealed    []byte // the token; none once it has ended
	Key       string // the master key it is sealed with
	Since     time.Time
	RenewedAt time.Time // when the token was last used
	Held      time.Time // until when somebody may be asking with it
	Deadline  time.Time // of one that is leaving: until when DigiCert is told
	Version   int64
}

// Ask is a person on their way to DigiCert's page and back.
type Ask struct {
	State    []byte // SHA-256 of the state in the address
	Session  string // public id of the session it was begun in
	Person   people.ID
	Verifier []byte // of PKCE, sealed
	ReturnTo string
	Ends     time.Time
}

// The errors of the store.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed meanwhile")
)

// Moved is one row before and after: an empty From inserts, an empty To.State deletes.
// Otherwise the row must be in From and at To.Version.
type Moved struct {
	From State
	To   Grant
}

// Change is written in one transaction.
type Change struct {
	Grants  []Moved
	Ask     *Ask // inserted; of one session the newest few stay
	Entries []audit.Entry
	Topics  []string
}

// Store is what this package needs of the database.
type Store interface {
	Apply(ctx context.Context, c Change) error
	// Of is the grant of a person (empty: the site's own) that is not leaving; ErrNotFound.
	Of(ctx context.Context, p people.ID) (Grant, error)
	// TakeAsk answers and deletes an ask of this session that has not ended; ErrNotFound.
	TakeAsk(ctx context.Context, state []byte, session string, now time.Time) (Ask, error)
	// Leaving are up to n that DigiCert is to be told of, the oldest first.
	Leaving(ctx context.Context, n int) ([]Grant, error)
	// SealedBefore are up to n that are sealed with another master key.
	SealedBefore(ctx context.Context, key string, n int) ([]Grant, error)
	// ForgetAsks deletes those that have ended.
	ForgetAsks(ctx context.Context, now time.Time) (int, error)
}

// Sealer seals small secrets; *blob.Master is one.
type Sealer interface {
	Seal(purpose, subject string, plain []byte) ([]byte, error)
	Unseal(purpose, subject string, sealed []byte) ([]byte, error)
	KeyID() string
}

// Remote is what this package needs of the OAuth endpoints; *dtmclient.Client is one.
type Remote interface {
	CodeURL(ctx context.Context, q dtmclient.CodeRequest) (string, error)
	NewVerifier() (dtmclient.Secret, error)
	ExchangeCode(ctx context.Context, q dtmclient.CodeRequest, secret, code dtmclient.Secret) (dtmclient.Tokens, error)
	Refresh(ctx context.Context, id string, secret, refresh dtmclient.Secret) (dtmclient.Tokens, error)
	Revoke(ctx context.Context, clientID string, secret, refresh dtmclient.Secret) error
}

// Options of New. Store, Seal and the client are needed; Remote too, or Use later.
type Options struct {
	Store        Store
	Seal         Sealer
	Remote       Remote
	ClientID     string
	ClientSecret dtmclient.Secret
	RedirectURL  string // where DigiCert's page sends people back to

	// Credentials are the names, at DigiCert, of what the person signs with here.
	Credentials func(ctx context.Context, p people.ID) ([]string, error)
	// Reachable lists the names that an access token opens.
	Reachable func(ctx context.Context, access dtmclient.Secret) ([]string, error)

	Now  func() time.Time // time.Now
	Rand io.Reader        // crypto/rand
	Log  *slog.Logger     // slog.Default()
	// Alarmed is told, in a few constant words, of what should never happen.
	Alarmed func(what string)
}

// Service is the only way grants change.
type Service struct {
	Options
	mu     sync.Mutex
	access map[string]*held // by the grant's id
}

// held is an access token in memory.
type held struct {
	*dtmclient.Access
	used time.Time
}

// New fills in the defaults.
func New(o Options) *Service {
	if o.Store == nil || o.Seal == nil {
		panic("grants: Store and Seal are needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Alarmed == nil {
		o.Alarmed = func(string) {}
	}
	return &Service{Options: o, access: map[string]*held{}}
}

// Topic is announced when a person's grant changes.
func Topic(p people.ID) string { return "person:" + string(p) }

func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

func (s *Service) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

const tokenPurpose = "refresh token"

// subject binds a token to its row and to its person: moved to another row it does not open.
func (g Grant) subject() string { return g.ID + "\x00" + string(g.Person) }

func (s *Service) seal(g *Grant, token dtmclient.Secret) (err error) {
	g.Key = s.Seal.KeyID()
	g.Sealed, err = s.Seal.Seal(tokenPurpose, g.subject(), []byte(token))
	return err
}

func (s *Service) unseal(g Grant) (dtmclient.Secret, error) {
	plain, err := s.Seal.Unseal(tokenPurpose, g.subject(), g.Sealed)
	return dtmclient.Secret(plain), err
}

// Check reports whether a stored token opens, for whoever looks for broken rows.
func Check(seal Sealer, g Grant) error {
	_, err := seal.Unseal(tokenPurpose, g.subject(), g.Sealed)
	return err
}

func (s *Service) alarm(ctx context.Context, text string, args ...any) {
	s.Alarmed(text)
	s.Log.ErrorContext(ctx, text, append(args, "alarm", true)...)
}
