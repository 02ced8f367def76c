package idpsim

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	requestLife = 10 * time.Minute
	maxRequests = 1000
	maxSessions = 1000
)

// state is everything the provider remembers, in memory.
type state struct {
	options Options
	key     signingKey

	mu       sync.Mutex
	people   []Person
	requests map[string]*request
	codes    map[string]string // code to request
	tokens   map[string]token
	sessions map[string]session // of browsers, by the id in the cookie
}

// request is one authorization request on its way.
type request struct {
	id       string
	asked    oidc.AuthRequest
	made     time.Time
	subject  string // set once somebody chose
	session  string // sid
	authTime time.Time
}

// token is an access token, good for userinfo only.
type token struct {
	subject string
	sid     string
	ends    time.Time
}

// session is a browser that is signed in here.
type session struct {
	id       string // the cookie's; sid is made from a second random id
	sid      string
	subject  string
	authTime time.Time
}

var errUnknown = errors.New("unknown or expired")

func newState(o Options, key signingKey) *state {
	return &state{
		options: o, key: key, people: o.People, requests: map[string]*request{}, codes: map[string]string{},
		tokens: map[string]token{}, sessions: map[string]session{},
	}
}

func randomID() string {
	var b [20]byte
	_, _ = rand.Read(b[:]) // never fails, since Go 1.24
	return hex.EncodeToString(b[:])
}

// get answers a copy of a request that is still alive.
func (s *state) get(id string) (request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok || s.options.Now().Sub(r.made) > requestLife {
		return request{}, errUnknown
	}
	return *r, nil
}

func (s *state) person(subject string) (Person, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.people, func(p Person) bool { return p.Subject == subject })
	if i < 0 {
		return Person{}, false
	}
	return s.people[i], true
}

func (s *state) everybody() []Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.people)
}

func (s *state) change(subject string, f func(*Person)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.people {
		if s.people[i].Subject == subject {
			f(&s.people[i])
		}
	}
}

func (s *state) setRoles(subject string, roles []string) {
	s.change(subject, func(p *Person) { p.Roles = slices.Clone(roles) })
}

func (s *state) setEmail(subject, email string) {
	s.change(subject, func(p *Person) { p.Email = email })
}

// begin opens a browser session.
func (s *state) begin(subject string) session {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := session{id: randomID(), sid: randomID(), subject: subject, authTime: s.options.Now()}
	if len(s.sessions) >= maxSessions {
		clear(s.sessions)
	}
	s.sessions[n.id] = n
	return n
}

func (s *state) session(id string) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.sessions[id]
	return n, ok
}

// end closes the browser's session, and with everywhere all of the person's.
func (s *state) end(id, subject string) []session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ended []session
	for key, n := range s.sessions {
		if key == id || (id == "" && subject != "" && n.subject == subject) {
			delete(s.sessions, key)
			ended = append(ended, n)
		}
	}
	return ended
}

// choose completes a request in the name of a session.
func (s *state) choose(id string, n session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok || s.options.Now().Sub(r.made) > requestLife {
		return errUnknown
	}
	r.subject, r.session, r.authTime = n.subject, n.sid, n.authTime
	return nil
}

// tidy drops what is over. The caller holds mu.
func (s *state) tidy() {
	now := s.options.Now()
	for id, r := range s.requests {
		if now.Sub(r.made) > requestLife || len(s.requests) > maxRequests {
			delete(s.requests, id)
		}
	}
	for code, id := range s.codes {
		if _, ok := s.requests[id]; !ok {
			delete(s.codes, code)
		}
	}
	for id, t := range s.tokens {
		if now.After(t.ends) {
			delete(s.tokens, id)
		}
	}
}

var _ op.AuthRequest = request{}

// The methods of op.AuthRequest.

func (r request) GetID() string                      { return r.id }
func (r request) GetACR() string                     { return "" }
func (r request) GetAMR() []string                   { return []string{"user"} }
func (r request) GetAudience() []string              { return []string{r.asked.ClientID} }
func (r request) GetAuthTime() time.Time             { return r.authTime }
func (r request) GetClientID() string                { return r.asked.ClientID }
func (r request) GetNonce() string                   { return r.asked.Nonce }
func (r request) GetRedirectURI() string             { return r.asked.RedirectURI }
func (r request) GetScopes() []string                { return r.asked.Scopes }
func (r request) GetState() string                   { return r.asked.State }
func (r request) GetSubject() string                 { return r.subject }
func (r request) Done() bool                         { return r.subject != "" }
func (r request) GetResponseType() oidc.ResponseType { return r.asked.ResponseType }
func (r request) GetResponseMode() oidc.ResponseMode { return r.asked.ResponseMode }
func (r request) GetCodeChallenge() *oidc.CodeChallenge {
	if r.asked.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: r.asked.CodeChallenge, Method: r.asked.CodeChallengeMethod}
}
