// Package signing takes documents in, has them signed by a remote key after a person's
// approval, and gives out only what passed our own check.
//
// A document is an original and the small increments that signatures append. A ceremony
// is one approval: one credential, one second factor, one use of the remote key. The
// order of the steps is the safety of it: what is about to be signed is committed before
// the remote key is asked, the key is asked once, the answer is checked against the
// certificate before it is stored, and the finished file is read back and verified before
// anybody can download it. Whatever breaks off in between is ended by LookAgain, never by
// a second call to the key.
//
// The service decides and hands a Change to its Store. HTTP, SQL, the wire of the signing
// service and the PDF format are left to others.
package signing

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/mail"
	"countersign/pades/trust"
	"countersign/people"
)

// Options of NewService. Store, Remote, Credentials and Blobs must be there; zero values
// of the rest take the defaults named.
type Options struct {
	Store       Store
	Remote      Remote
	Credentials Credentials
	Blobs       Blobs
	Persons     Persons          // nil: Remote speaks for everybody
	Now         func() time.Time // time.Now
	Rand        io.Reader        // crypto/rand
	Log         *slog.Logger     // slog.Default()

	MaxBytes int64 // of one document: 1 GB
	Quota    Quota // of one person: 10 GB and 1000 files
	Reserve  int64 // bytes that stay free where blobs are kept: 2 GiB; negative for none
	Limits   Limits

	// Roots is what our own check of a released file trusts. Without it a chain that ends
	// nowhere is accepted, and nothing else.
	Roots *x509.CertPool

	CeremonyLife  time.Duration // from Begin until it expires unused: 30 min
	AuthorizeWait time.Duration // longest wait for credentials/authorize: 2 min
	SignWait      time.Duration // longest wait for signHash: 1 min
	FinishLife    time.Duration // how long finishing is tried again: 24 h
	PortalURL     string        // for links in mails
	Words         mail.Words    // the texts of mails; nil: English
	MaxTogether   int           // most documents in one ceremony: 100
	SignTogether  int           // most documents in one signHash: 25
	ExtendLife    time.Duration // how long a file is tried to be carried to Level: 30 days
	CheckWait     time.Duration // how long a request for a code waits for checks that are not done: 20 s
	OAuth         OAuthClient   // for credentials that are approved at the provider's page
	ConsentLife   time.Duration // how long the answer of the provider's page is waited for: 15 min
	NoTimestamp   bool          // release at B-B: only where there is no clock service

	// Builder, where there is one, is asked for signed attributes and for the structure around a
	// signature; nil: both are made here.
	Builder Builder

	// Level is what files are carried to after their release, at B-T: "B-LT" or "B-LTA"; anything
	// else leaves them as they were released. It takes Roots and Fetch.
	Level string
	// Fetch asks the addresses that certificates name. It must guard against addresses that are
	// not for it.
	Fetch trust.Fetcher

	// WithoutClock lets people sign while the clock service is away: their files are finished once
	// it is back. Else they are asked to wait, before a code is spent.
	WithoutClock bool
	// NeedRevocation makes it a reason not to sign that nobody could be asked whether the
	// certificate was revoked.
	NeedRevocation bool
	// Skew tells how far the signing service's clock is from ours, when it is known; may be nil.
	Skew func() (d time.Duration, known bool)
	// Lazy makes the checks only when a code is asked for, not while the person reads. It is for
	// tests that count every call.
	Lazy bool

	// Alarmed is told, in a few constant words, of what should never happen.
	Alarmed func(what string)

	// Observe is told of every move of a document, a ceremony or a signature, once it is
	// stored. An empty from is a new one.
	Observe func(object, from, to string)

	// Reached is told of every point, before the step and once it is done. It is for tests
	// that end the process there; nil in production.
	Reached func(p Point, done bool)
}

// Quota is how much one person may keep here.
type Quota struct {
	Bytes int64
	Files int
}

// Limits count what a person may do how often. The service at the far side has limits of
// its own; ours are lower, so that nobody can lock a credential through us.
type Limits struct {
	Tries        int           // codes or PINs in one ceremony: 5
	TriesPerHour int           // wrong ones for one credential: 10
	TriesInRow   int           // wrong ones for one credential within a day without a right one between: 20
	LocksAfter   int           // wrong codes or PINs in a row with which the service is taken to lock: 5; one fewer reach it
	SendEvery    time.Duration // between two codes for one credential: 30 s
	SendsPerHour int           // codes for one credential: 5
	// Visits to the provider's page for one credential: 20. There the provider itself counts what is wrong.
	ConsentsPerHour int
	CodeLife        time.Duration // how long we take a code that was sent: 5 min
	UploadsPerHour  int           // uploads of one person: 2000
	BeginsPerHour   int           // ceremonies of one person: 600
	SignsPerHour    int           // documents that one person has prepared for signing: 2000
}

// Service is the only way documents and signatures change.
type Service struct {
	Options
	checks *checks
	afoot  afoot
}

// NewService fills in the defaults.
func NewService(o Options) *Service {
	if o.Store == nil || o.Remote == nil || o.Credentials == nil || o.Blobs == nil {
		panic("signing: Store, Remote, Credentials and Blobs are needed")
	}
	def(&o.MaxBytes, 1_000_000_000)
	def(&o.Quota.Bytes, 10_000_000_000)
	def(&o.Quota.Files, 1000)
	def(&o.Reserve, 2<<30)
	def(&o.Limits.LocksAfter, 5)
	o.Limits.LocksAfter = max(o.Limits.LocksAfter, 2)
	def(&o.Limits.Tries, 5)
	o.Limits.Tries = min(o.Limits.Tries, o.Limits.LocksAfter-1)
	def(&o.Limits.TriesPerHour, 10)
	def(&o.Limits.TriesInRow, 20)
	def(&o.Limits.SendEvery, 30*time.Second)
	def(&o.Limits.SendsPerHour, 5)
	def(&o.Limits.ConsentsPerHour, 20)
	def(&o.ConsentLife, 15*time.Minute)
	def(&o.Limits.CodeLife, 5*time.Minute)
	def(&o.Limits.UploadsPerHour, 2000)
	def(&o.Limits.BeginsPerHour, 600)
	def(&o.Limits.SignsPerHour, 2000)
	def(&o.CeremonyLife, 30*time.Minute)
	def(&o.AuthorizeWait, 2*time.Minute)
	def(&o.SignWait, time.Minute)
	def(&o.FinishLife, 24*time.Hour)
	def(&o.ExtendLife, 30*24*time.Hour)
	def(&o.CheckWait, 20*time.Second)
	def(&o.MaxTogether, 100)
	def(&o.SignTogether, 25)
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
	if o.Observe == nil {
		o.Observe = func(string, string, string) {}
	}
	if o.Reached == nil {
		o.Reached = func(Point, bool) {}
	}
	return &Service{Options: o, checks: newChecks()}
}

func def[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// FinishSignature is the job that finishes one signature, should the request that made it
// not have done so.
type FinishSignature struct {
	Signature SignatureID `json:"signature"`
}

// Kind names the job.
func (FinishSignature) Kind() string { return "finish-signature" }

// LookAgain is the job that sweeps what waits past its deadline.
type LookAgain struct{}

// Kind names the job.
func (LookAgain) Kind() string { return "look-again-signing" }

// Waits of our own work; each is a Deadline in a row, so that nothing waits for ever.
const (
	receiveWait = 5 * time.Minute // renewed while bytes come
	checkWait   = 5 * time.Minute
	finishWait  = 2 * time.Minute // of one try at finishing; the job's time-out is longer
	sadLife     = 5 * time.Minute // a SAD is dead after this, whatever it says itself
	spare       = 30 * time.Second
	rest        = 24 * time.Hour // how long wrong codes in a row are held against a credential
)

// as is the signing service for what belongs to this person: their credential, codes,
// approvals and signatures. The clock service is nobody's, and asked through Remote.
func (s *Service) as(owner people.ID) Remote {
	if s.Persons == nil {
		return s.Remote
	}
	return s.Persons.As(owner)
}

// connected refuses what would be done in the name of a person who has not let us in, before
// anything is counted or sent.
func (s *Service) connected(ctx context.Context, owner people.ID) error {
	if s.Persons == nil {
		return nil
	}
	if err := s.Persons.Ready(ctx, owner); err != nil {
		return ofRemote(err)
	}
	return nil
}

// refusedAsThem finds out, of a call that was refused for its token, whether the person has
// taken back what they gave: then they can do something about it.
func (s *Service) refusedAsThem(ctx context.Context, owner people.ID, err error) error {
	var e *dtmclient.Error
	if s.Persons == nil || !errors.As(err, &e) || e.Kind != dtmclient.Unauthorized {
		return err
	}
	if now := s.Persons.Ready(ctx, owner); errors.Is(now, ErrNotConnected) {
		return now
	}
	return err
}

func (s *Service) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", internal(fmt.Errorf("make id: %w", err))
	}
	return hex.EncodeToString(b[:]), nil
}

// now is the time as rows keep it: UTC, whole milliseconds.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// may answers KindForbidden, and writes it down, when the actor's roles do not allow it.
func (s *Service) may(ctx context.Context, a people.Actor, do people.Action, object, subject string) error {
	if people.May(a, do) {
		return nil
	}
	return s.refused(ctx, a, audit.Entry{Action: string(do), Object: object, Subject: subject}, fail(codeForbidden, nil))
}

// refused writes a refusal into the log and answers it.
func (s *Service) refused(ctx context.Context, a people.Actor, e audit.Entry, err error) error {
	e.Outcome = audit.Refused
	if e.Owner == "" {
		e.Owner = a.Person
	}
	var f *Error
	if errors.As(err, &f) {
		e.Reason = f.Code
		if f.Kind == KindInternal {
			return err // trouble of ours refuses nobody, and the log is most likely in it too
		}
	}
	if werr := s.Store.Apply(ctx, Change{Entries: []audit.Entry{e.By(a)}}); werr != nil {
		s.Log.ErrorContext(ctx, "refusal not written to the audit log", "action", e.Action, "subject", e.Subject, "error", werr)
	}
	return err
}

// alarm is for what should never happen and what an admin has to look at.
func (s *Service) alarm(ctx context.Context, text string, args ...any) {
	s.Alarmed(text)
	s.Log.ErrorContext(ctx, text, append(args, "alarm", true)...)
}
