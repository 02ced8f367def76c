package signing

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"countersign/pades/trust"
	"countersign/people"
)

const (
	clockFresh   = time.Minute      // how long an answer of the clock service holds
	lookAgainIn  = 10 * time.Second // after a check that may go better next time
	revokedFresh = 10 * time.Minute // how long revocation data holds that was good
	askWait      = 8 * time.Second  // for one answer from outside
	runWait      = 10 * time.Minute // for all checks of one ceremony
	runsAtOnce   = 4                // ceremonies whose files are read at a time
	remembered   = 10_000           // documents whose stamp is kept in mind
)

// checks is what one process knows of checks under way.
type checks struct {
	mu    sync.Mutex
	runs  map[CeremonyID]*run
	seen  map[DocumentID]string // stamps of bytes that were read and were right
	good  map[[32]byte]time.Time
	clock struct {
		sync.Mutex
		at    time.Time
		token int // bytes
		err   error
	}
	turn chan struct{}
}

func newChecks() *checks {
	return &checks{runs: map[CeremonyID]*run{}, seen: map[DocumentID]string{}, good: map[[32]byte]time.Time{}, turn: make(chan struct{}, runsAtOnce)}
}

// run is the checks of one ceremony being made.
type run struct {
	done chan struct{}
	err  error
}

// slow are the checks that take their time, in the order in which they are made.
func (s *Service) slow(signatures []Signature) (all []Check) {
	if !s.NoTimestamp {
		all = append(all, Check{Name: "clock"})
	}
	if s.Fetch != nil {
		all = append(all, Check{Name: "revocation"})
	}
	for _, g := range toSign(signatures) {
		all = append(all, Check{Name: "file", Document: g.Document})
	}
	return all
}

func find(stored []Check, w Check) *Check {
	for i := range stored {
		if stored[i].Name == w.Name && stored[i].Document == w.Document {
			return &stored[i]
		}
	}
	return nil
}

// missing are the checks that were not made, or have to be made again.
func (s *Service) missing(c Ceremony, signatures []Signature, stored []Check) (some []Check) {
	for _, w := range s.slow(signatures) {
		w.Ceremony = c.ID
		found := find(stored, w)
		switch {
		case found == nil,
			found.State == CheckUnchecked && s.now().Sub(found.At) >= lookAgainIn,
			found.Name == "clock" && found.State == CheckFailed && s.now().Sub(found.At) >= lookAgainIn,
			found.Name == "clock" && found.State == CheckOK && s.now().Sub(found.At) >= clockFresh:
			some = append(some, w)
		}
	}
	return some
}

// inTheWay reports whether no code is asked for because of this.
func (s *Service) inTheWay(c Check) bool {
	switch c.State {
	case CheckFailed:
		return true
	case CheckUnchecked:
		return c.Name == "revocation" && s.NeedRevocation
	}
	return false
}

// look makes what is missing of the checks of a ceremony, once at a time.
func (s *Service) look(c Ceremony) *run {
	s.checks.mu.Lock()
	defer s.checks.mu.Unlock()
	if r := s.checks.runs[c.ID]; r != nil {
		return r
	}
	r := &run{done: make(chan struct{})}
	s.checks.runs[c.ID] = r
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), runWait)
		defer cancel()
		r.err = safely(func() error { return s.makeChecks(ctx, c) })
		if r.err != nil {
			s.Log.WarnContext(ctx, "checks broke off", "ceremony", c.ID, "error", r.err)
		}
		s.checks.mu.Lock()
		delete(s.checks.runs, c.ID)
		s.checks.mu.Unlock()
		close(r.done)
	}()
	return r
}

func (s *Service) makeChecks(ctx context.Context, c Ceremony) error {
	select {
	case s.checks.turn <- struct{}{}:
		defer func() { <-s.checks.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	signatures, err := s.Store.Signatures(ctx, c.ID)
	if err != nil {
		return err
	}
	stored, err := s.Store.Checks(ctx, c.ID)
	if err != nil {
		return err
	}
	for _, w := range s.missing(c, signatures, stored) {
		switch w.Name {
		case "clock":
			s.checkClock(ctx, c, &w)
		case "revocation":
			err = s.checkRevocation(ctx, c, toSign(signatures), &w)
		default:
			err = s.checkFile(ctx, c.Owner, &w)
		}
		if err != nil {
			return err
		}
		w.At = s.now()
		if err := s.Store.Apply(ctx, Change{Checks: []Check{w}, Topics: []string{CeremonyTopic(c.ID)}}); err != nil {
			return err
		}
	}
	return nil
}

// checkFile reads the stored bytes again, unless nothing has touched them since they were.
func (s *Service) checkFile(ctx context.Context, owner people.ID, w *Check) error {
	d, revisions, err := s.ready(ctx, people.Actor{Person: owner}, w.Document)
	if err == nil {
		s.checks.mu.Lock()
		known := s.checks.seen[d.ID]
		s.checks.mu.Unlock()
		if w.Stamp, err = s.checkBytes(ctx, d, revisions, known); err == nil {
			s.remember(d.ID, w.Stamp)
			w.State = CheckOK
			return nil
		}
		err = s.broken(context.WithoutCancel(ctx), d, err)
	}
	var f *Error
	if errors.As(err, &f) && f.Kind == KindConflict {
		w.State, w.Reason, w.Stamp = CheckFailed, f.Code, ""
		return nil
	}
	return err
}

func (s *Service) remember(id DocumentID, stamp string) {
	s.checks.mu.Lock()
	defer s.checks.mu.Unlock()
	if len(s.checks.seen) >= remembered {
		clear(s.checks.seen)
	}
	s.checks.seen[id] = stamp
}

// checkClock asks the clock service for a time nobody needs, unless it has answered just now:
// better before a code is spent than after.
func (s *Service) checkClock(ctx context.Context, c Ceremony, w *Check) {
	size, err := s.clockAnswers(ctx)
	var waits waiting
	switch {
	case err == nil && size > c.Room:
		w.State, w.Reason = CheckFailed, codeNoRoom
	case err == nil && s.farSkew() > clockDifference:
		w.State, w.Reason = CheckFailed, codeClockApart
	case err == nil:
		w.State = CheckOK
	case errors.As(err, &waits) && waits.code == codeWaitSkew:
		w.State, w.Reason = CheckFailed, codeClockApart
	case s.WithoutClock:
		w.State, w.Reason = CheckUnchecked, codeClockLater
	default:
		w.State, w.Reason = CheckFailed, codeClockDown
	}
}

// farSkew is how far the clock of the signing service is from ours, as far as it tells.
func (s *Service) farSkew() time.Duration {
	if s.Skew == nil {
		return 0
	}
	d, known := s.Skew()
	if !known {
		return 0
	}
	return d.Abs()
}

func (s *Service) clockAnswers(ctx context.Context) (size int, err error) {
	k := &s.checks.clock
	k.Lock()
	defer k.Unlock()
	if age := s.now().Sub(k.at); !k.at.IsZero() && age >= 0 && (k.err == nil && age < clockFresh || k.err != nil && age < lookAgainIn/2) {
		return k.token, k.err
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	var nothing [32]byte
	if _, err := io.ReadFull(s.Rand, nothing[:]); err != nil {
		return 0, err
	}
	digest := sha256.Sum256(nothing[:])
	token, _, err := s.ask(ctx, digest[:], crypto.SHA256)
	k.at, k.token, k.err = s.now(), len(token), err
	return k.token, err
}

// checkRevocation asks whoever issued the certificates whether they still hold.
func (s *Service) checkRevocation(ctx context.Context, c Ceremony, signatures []Signature, w *Check) error {
	if len(signatures) == 0 {
		return fmt.Errorf("ceremony %s has nothing to sign", c.ID)
	}
	d, err := s.Store.Document(ctx, c.Owner, signatures[0].Document)
	if err != nil {
		return err
	}
	p, err := s.prepared(ctx, d, signatures[0])
	if err != nil {
		return err
	}
	var chain []*x509.Certificate
	for _, der := range p.Unsigned.Chain {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		chain = append(chain, cert)
	}
	w.State, w.Reason = s.revocation(ctx, chain)
	return nil
}

func (s *Service) revocation(ctx context.Context, chain []*x509.Certificate) (CheckState, string) {
	key, now := sha256.Sum256(chain[0].Raw), s.Now()
	s.checks.mu.Lock()
	last := s.checks.good[key]
	s.checks.mu.Unlock()
	if age := now.Sub(last); age >= 0 && age < revokedFresh {
		return CheckOK, ""
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	collector := &trust.Collector{Fetch: s.Fetch, Roots: s.Roots, Now: now}
	collector.Know(chain...)
	err := collector.Add(ctx, chain[0], now, now)
	var withdrawn *trust.WithdrawnError
	switch {
	case errors.As(err, &withdrawn):
		return CheckFailed, codeRevoked
	case err != nil:
		s.Log.InfoContext(ctx, "revocation could not be checked", "error", err)
		return CheckUnchecked, codeRevocationUnknown
	}
	s.checks.mu.Lock()
	defer s.checks.mu.Unlock()
	if len(s.checks.good) >= remembered {
		clear(s.checks.good)
	}
	s.checks.good[key] = now
	return CheckOK, ""
}

// settle waits for what is not done of the checks, no longer than CheckWait, and refuses when
// one of them is in the way. It comes before anything that a person would have to repeat.
func (s *Service) settle(ctx context.Context, c Ceremony, signatures []Signature) error {
	ctx, cancel := context.WithTimeout(ctx, s.CheckWait)
	defer cancel()
	for tries := 0; ; tries++ {
		stored, err := s.Store.Checks(ctx, c.ID)
		if err != nil {
			return ofStore(err)
		}
		if len(s.missing(c, signatures, stored)) == 0 {
			return s.refusal(signatures, stored)
		}
		r := s.look(c)
		select {
		case <-r.done:
			if r.err != nil {
				return internal(r.err)
			}
			if tries >= 3 {
				return fail(codeStillChecking, errors.New("checks do not come to an end"))
			}
		case <-ctx.Done():
			f := fail(codeStillChecking, ctx.Err())
			f.RetryAfter = lookAgainIn
			return f
		}
	}
}

// refusal is why no code is asked for, if a check is in the way.
func (s *Service) refusal(signatures []Signature, stored []Check) error {
	var refused []Refused
	for _, w := range s.slow(signatures) {
		found := find(stored, w)
		if found == nil || !s.inTheWay(*found) {
			continue
		}
		f := fail(found.Reason, nil)
		if w.Document == "" {
			return f
		}
		f.Kind = KindConflict
		refused = append(refused, Refused{w.Document, f})
	}
	if len(refused) == 0 {
		return nil
	}
	return someRefused(refused, len(toSign(signatures)))
}
