// Package dtmsim plays DigiCert ONE Document Trust Manager and its CSC signing
// service, so that a client can be built, tested and shown without an account.
//
// It is a second reading of the same pages the client was written from: it shares
// no type with the client and imports nothing of this module. It is strict where
// the specification is, holds a small PKI of its own (root, issuing CA, signers,
// TSA, OCSP responder, CRLs) and plays the outside world on pages a person or a
// browser test can click: a mailbox, a phone and a proofing desk. Trouble is
// scripted through control routes, time is movable, and a ledger remembers what
// was asked of it. What nothing public settles is in assumed.go.
//
// It is no trust service: keys lie in memory or in plain files.
package dtmsim

import (
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Sim is a running simulator; it is an http.Handler and safe for concurrent use.
type Sim struct {
	opt     Options
	log     *slog.Logger
	handler http.Handler
	pages   *template.Template

	mu                    sync.Mutex // guards everything below; released around keys, signatures and waits
	st                    state
	pki                   *pki
	moved                 chan struct{} // closed and replaced when the clock is moved
	tokens                map[string]*token
	sads                  map[string]*sad
	pushes                map[string]*push
	codes                 map[string]*authCode
	asks                  map[string]*ask
	hashes                map[string]*preparedHashes
	nonces                map[string]*digestNonce
	opaque                string               // of every digest challenge
	seen                  map[string]time.Time // ids of clients' own tokens, each good once
	mux                   *http.ServeMux
	faults                []*Fault
	faultCount, callCount int
	hostile               hostile
	calls                 []Call
	ledger                journal[LedgerEntry]
	audit                 journal[auditRecord]
	limits                map[string]*window
	dirty                 bool
}

// New makes a simulator. With Options.Data it takes up what is there.
func New(o Options) (*Sim, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := &Sim{
		opt: o, log: o.Log,
		moved:  make(chan struct{}),
		tokens: map[string]*token{},
		sads:   map[string]*sad{},
		pushes: map[string]*push{},
		codes:  map[string]*authCode{},
		asks:   map[string]*ask{},
		hashes: map[string]*preparedHashes{},
		nonces: map[string]*digestNonce{},
		seen:   map[string]time.Time{},
		limits: map[string]*window{},
	}
	s.opaque = s.secret()
	if err := s.load(); err != nil {
		return nil, err
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	s.pages = pages
	mux := http.NewServeMux()
	s.mux = mux
	s.routeDTM(mux)
	s.routeCSC(mux)
	s.routePKI(mux)
	s.routePages(mux)
	s.routeControl(mux)
	s.handler = s.observed(s.limited(s.faulty(s.ocspByGet(mux))))
	if o.Hostile != 0 {
		if err := s.Hostile(o.Hostile, o.HostileRate); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touch()
	if err := s.save(); err != nil {
		return nil, err
	}
	return s, nil
}

// ServeHTTP answers API calls, pages and control routes.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Options tells what the simulator runs with, gaps filled.
func (s *Sim) Options() Options { return s.opt }

// Close writes what is left and closes the files of Options.Data.
func (s *Sim) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.save()
	for _, c := range []interface{ close() error }{&s.ledger, &s.audit} {
		if e := c.close(); err == nil {
			err = e
		}
	}
	return err
}

// clock is the simulator's own time, now the same to the second and in UTC, as it is told.
func (s *Sim) clock() time.Time { return s.opt.Now().Add(s.st.Offset) }

func (s *Sim) now() time.Time { return s.clock().UTC().Truncate(time.Second) }

// Advance moves the clock and wakes whatever waits on it.
func (s *Sim) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Offset += d
	s.touch()
	close(s.moved)
	s.moved = make(chan struct{})
	s.settle()
	s.saveOrLog()
}

// unlocked runs slow work without holding the lock.
func (s *Sim) unlocked(f func()) {
	s.mu.Unlock()
	defer s.mu.Lock()
	f()
}

// touch marks the state as changed; save writes it.
func (s *Sim) touch() { s.dirty = true }

func (s *Sim) saveOrLog() {
	if err := s.save(); err != nil {
		s.log.Error("dtmsim: state was not kept", "err", err)
	}
}

// settle lets time pass: due credentials are issued, proofing moves on by itself
// when asked to, and what has waited too long expires.
func (s *Sim) settle() {
	now := s.now()
	for _, c := range s.st.Credentials {
		if c.Status == credPending && !now.Before(c.IssueAt) {
			if err := s.activate(c); err != nil {
				s.log.Error("dtmsim: issuing", "credential", c.Name, "err", err)
			}
		}
	}
	for _, v := range s.st.Validations {
		s.settleValidation(v, now)
	}
}

func (s *Sim) url(format string, a ...any) string { return s.opt.BaseURL + fmt.Sprintf(format, a...) }
