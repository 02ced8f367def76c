// Package identity carries a person from "not known" to "has a signing credential":
// identity checks, the review desk, and the credentials issued after it.
//
// The idea: DTM holds the truth, we hold the intent. Before anything is asked of DTM
// that cannot be undone, the row says that it is being asked; afterwards the answer, or
// a later look at DTM, settles it. So a process may die at any line: what is on its way
// is found again by looking, and is never asked for a second time by itself.
//
// Commands follow the edges in state.go; a look at DTM may set any state. How things are
// stored is package db's, how they are said to DTM package dtmclient's.
package identity

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"countersign/audit"
	"countersign/mail"
	"countersign/people"
)

// Options are what the service works with; Store and Remote are needed.
type Options struct {
	Store  Store
	Remote Remote
	Now    func() time.Time
	Rand   io.Reader
	Log    *slog.Logger

	ApprovalHold       time.Duration // how long an approval can be undone; zero: not at all
	Approvals          int           // how many admins have to approve: 1, or 2; 1 when zero
	AccountID          string
	OrganizationID     string
	ValidationProfiles map[Standard]string // validation profile at DTM by standard; empty: DTM's own
	Locale             string              // of new users at DTM; "en_US" when empty
	Deadlines          Deadlines
	WarnBefore         []time.Duration // how long before an end people are told; none: 30, 7 and 1 days
	PollInterval       time.Duration   // between looks at a young record; 2 s when zero
	PortalURL          string          // for links in mails
	Words              mail.Words      // the texts of mails; nil: English
	CanSuspend         bool            // the host has suspend and resume

	// Reached is told of every point, before the step and once it is done. It is for tests
	// that end the process there; nil in production.
	Reached func(p Point, done bool)
}

// Deadlines say how long a state may wait. Zero fields take the defaults in brackets.
type Deadlines struct {
	Start    time.Duration // to reach DTM at all [10 min]
	Person   time.Duration // for the person to act [14 days]
	Provider time.Duration // for DTM to look at the papers [30 days]
	Admin    time.Duration // for an admin to decide [30 days]
	Settle   time.Duration // for an approval or an issuing to be found out [24 h]
}

// Service decides about identity checks and credentials. It is safe for concurrent use.
type Service struct {
	o     Options
	store Store
	dtm   Remote
	log   *slog.Logger
	now   func() time.Time
	told  sync.Map // warnings this process has written, so that a watched page writes none again
}

// NewService fills the gaps of the options.
func NewService(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Words == nil {
		o.Words = mail.English{}
	}
	if o.Reached == nil {
		o.Reached = func(Point, bool) {}
	}
	if o.Locale == "" {
		o.Locale = "en_US"
	}
	if o.PollInterval <= 0 {
		o.PollInterval = 2 * time.Second
	}
	o.PortalURL = strings.TrimRight(o.PortalURL, "/")
	o.Approvals = max(o.Approvals, 1)
	if len(o.WarnBefore) == 0 {
		o.WarnBefore = []time.Duration{30 * day, 7 * day, day}
	}
	o.WarnBefore = slices.Sorted(slices.Values(o.WarnBefore))
	usually(&o.Deadlines.Start, 10*time.Minute)
	usually(&o.Deadlines.Person, 14*day)
	usually(&o.Deadlines.Provider, 30*day)
	usually(&o.Deadlines.Admin, 30*day)
	usually(&o.Deadlines.Settle, day)
	// Rows keep milliseconds; a finer clock would make a row differ from what was read.
	now := func() time.Time { return o.Now().UTC().Truncate(time.Millisecond) }
	return &Service{o: o, store: o.Store, dtm: o.Remote, log: o.Log, now: now}
}

const day = 24 * time.Hour

func usually(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// CanSuspend reports whether suspending and resuming can be offered.
func (s *Service) CanSuspend() bool { return s.o.CanSuspend }

// ApprovalHold is how long an approval can be undone; zero: not at all.
func (s *Service) ApprovalHold() time.Duration { return s.o.ApprovalHold }

// Approvals is how many admins have to approve an identity check.
func (s *Service) Approvals() int { return s.o.Approvals }

// ReconcileValidation is the job that finishes a start, or looks at a check, soon.
type ReconcileValidation struct {
	Validation ValidationID `json:"validation"`
}

// Kind names the job.
func (ReconcileValidation) Kind() string { return "reconcile-validation" }

// FinishApproval is the job that sends a held approval once it can no more be undone.
type FinishApproval struct {
	Validation ValidationID `json:"validation"`
}

// Kind names the job.
func (FinishApproval) Kind() string { return "finish-approval" }

// LookAgain is the periodic job that sweeps what waits.
type LookAgain struct{}

// Kind names the job.
func (LookAgain) Kind() string { return "look-again-identity" }

// outlive keeps a request's work going when its reader leaves, for as long as DTM may take.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

const callTime = 45 * time.Second // for a command: a token, a read or two, one call

// newID makes a random name of 128 bits.
func (s *Service) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.o.Rand, b[:]); err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])), nil
}

// newReference makes "VC-0000-00", for people to say to each other. It is unique by the
// store's word, so a maker tries again on a conflict.
func (s *Service) newReference() (string, error) {
	n, err := rand.Int(s.o.Rand, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("make a reference: %w", err)
	}
	return fmt.Sprintf("VC-%04d-%02d", n.Int64()/100, n.Int64()%100), nil
}

// allow answers nil when the roles allow the action; otherwise it writes the refusal down.
func (s *Service) allow(ctx context.Context, a people.Actor, do people.Action, e audit.Entry) error {
	if people.May(a, do) {
		return nil
	}
	return s.refuse(ctx, a, codeRole, e)
}

// refuse writes a refusal to the log and answers the error of its code. When it cannot be
// written down, it is no less refused.
func (s *Service) refuse(ctx context.Context, a people.Actor, code string, e audit.Entry) error {
	e.Outcome, e.Reason = audit.Refused, code
	refusal := fail(code, nil)
	if err := s.store.Apply(ctx, Change{Entries: []audit.Entry{e.By(a)}}); err != nil {
		s.log.ErrorContext(ctx, "a refusal was not written to the audit log", "action", e.Action, "cause", err)
		return fail(code, err)
	}
	return refusal
}

func ofValidation(v Validation, action string) audit.Entry {
	return audit.Entry{Action: action, Object: "validation", Subject: string(v.ID), Owner: v.Person, From: string(v.State)}
}

func ofCredential(c Credential, action string) audit.Entry {
	return audit.Entry{Action: action, Object: "credential", Subject: string(c.ID), Owner: c.Person, From: string(c.State)}
}

// validationFor loads an identity check that the actor may read: their own, or anybody's
// for those who may read all. To everybody else it is not there.
func (s *Service) validationFor(ctx context.Context, a people.Actor, id ValidationID, action string) (Validation, error) {
	v, err := s.store.Validation(ctx, id)
	missing := errors.Is(err, ErrNotFound)
	if err != nil && !missing {
		return Validation{}, ofStore(err)
	}
	if !missing && (people.May(a, people.ReadAnyCheck) || v.Person == a.Person && people.May(a, people.ReadOwnChecks)) {
		return v, nil
	}
	// Foreign and absent take the same way, so that neither words nor time tell them apart.
	return Validation{}, s.refuse(ctx, a, codeNotFound, audit.Entry{Action: action, Object: "validation", Subject: string(id)})
}

func (s *Service) credentialFor(ctx context.Context, a people.Actor, id CredentialID, action string) (Credential, error) {
	c, err := s.store.Credential(ctx, id)
	missing := errors.Is(err, ErrNotFound)
	if err != nil && !missing {
		return Credential{}, ofStore(err)
	}
	if !missing && (people.May(a, people.ReadAnyCredential) || c.Person == a.Person && people.May(a, people.ReadOwnCredentials)) {
		return c, nil
	}
	return Credential{}, s.refuse(ctx, a, codeNotFound, audit.Entry{Action: action, Object: "credential", Subject: string(id)})
}

func validationTopics(v Validation) []string {
	return []string{ValidationTopic(v.ID), PersonTopic(v.Person), ReviewTopic}
}

func credentialTopics(c Credential) []string {
	return []string{CredentialTopic(c.ID), PersonTopic(c.Person), ReviewTopic}
}
