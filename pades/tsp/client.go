package tsp

import (
	"context"
	"crypto"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"
)

// Defaults of Service and Question.
const (
	DefaultTimeout   = 10 * time.Second
	DefaultTolerance = 5 * time.Minute
)

// HTTP carries requests to an address as RFC 3161, 3.4 says. fetch posts a body of a content
// type and bounds time and size, as the Fetch method of package fetch's Client does.
func HTTP(fetch func(ctx context.Context, url, contentType string, body []byte) ([]byte, error), url string) Poster {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		return fetch(ctx, url, "application/timestamp-query", request)
	}
}

// Service is a clock service.
type Service struct {
	Name    string // for what is told of it
	Post    Poster
	Policy  asn1.ObjectIdentifier // that the token must be made under; nil: any
	Timeout time.Duration         // of its answer; zero: DefaultTimeout
}

// Question is what is to be stamped, and what makes an answer a good one.
type Question struct {
	Digest []byte
	Hash   crypto.Hash
	Random io.Reader        // of the nonce; nil: crypto/rand
	Now    func() time.Time // nil: time.Now

	// Tolerance is how far the service's clock may differ from Now, beside the accuracy it
	// states itself; zero: DefaultTolerance.
	Tolerance time.Duration

	// Check is asked last, for what package tsp cannot know: whether the certificate leads
	// to a trusted root. nil: anybody's token is taken.
	Check func(*Token) error
}

// Attempt is what came of asking one service.
type Attempt struct {
	Service string
	Err     error // nil: the token is from here
}

// Failure says that no service gave a good token. errors.As finds the single errors too.
type Failure struct{ Attempts []Attempt }

func (f *Failure) Error() string {
	var told []string
	for _, a := range f.Attempts {
		told = append(told, a.Service+": "+a.Err.Error())
	}
	if told == nil {
		return "tsp: no clock service was given"
	}
	return "tsp: no clock service gave a timestamp: " + strings.Join(told, "; ")
}

// Unwrap gives the errors of the services.
func (f *Failure) Unwrap() []error {
	var all []error
	for _, a := range f.Attempts {
		all = append(all, a.Err)
	}
	return all
}

// First asks the services in their order, each with its own deadline and nonce, until one
// gives a good token. What does not answer, refuses or gives a bad token leads to the next;
// only the end of ctx ends all. The attempts are told in any case, the error is a *Failure.
func First(ctx context.Context, services []Service, q Question) (*Token, []Attempt, error) {
	var tried []Attempt
	for _, s := range services {
		t, err := s.ask(ctx, q)
		tried = append(tried, Attempt{s.Name, err})
		if err == nil {
			return t, tried, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, tried, &Failure{tried}
}

// Fetch asks one service without a deadline of its own.
func Fetch(ctx context.Context, post Poster, digest []byte, h crypto.Hash, random io.Reader) (*Token, error) {
	return Service{Post: post}.exchange(ctx, Question{Digest: digest, Hash: h, Random: random})
}

func (s Service) ask(ctx context.Context, q Question) (*Token, error) {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type answer struct {
		token *Token
		err   error
	}
	// A Poster that does not heed its context must not hold the next service up.
	done := make(chan answer, 1)
	go func() {
		t, err := s.exchange(ctx, q)
		done <- answer{t, err}
	}()
	select {
	case a := <-done:
		return a.token, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("tsp: the clock service did not answer in time: %w", ctx.Err())
	}
}

func (s Service) exchange(ctx context.Context, q Question) (*Token, error) {
	now := q.Now
	if now == nil {
		now = time.Now
	}
	nonce, err := NewNonce(q.Random)
	if err != nil {
		return nil, err
	}
	req, err := Request(q.Digest, q.Hash, nonce, s.Policy, true)
	if err != nil {
		return nil, err
	}
	asked := now()
	resp, err := s.Post(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("ask the clock service: %w", err)
	}
	der, err := ParseResponse(resp)
	if err != nil {
		return nil, err
	}
	t, err := ParseToken(der)
	if err != nil {
		return nil, err
	}
	if err := s.judge(t, q, nonce, asked, now()); err != nil {
		return nil, err
	}
	return t, nil
}

// judge decides on a token that just came.
func (s Service) judge(t *Token, q Question, nonce *big.Int, asked, got time.Time) error {
	if t.Hash != q.Hash {
		return fail("the timestamp was made for something else")
	}
	if err := t.Check(q.Digest, nonce); err != nil {
		return err
	}
	if s.Policy != nil && !t.Policy.Equal(s.Policy) {
		return fail("the timestamp was made under another policy than the one asked for")
	}
	if t.Time.Before(t.Certificate.NotBefore) || t.Time.After(t.Certificate.NotAfter) {
		return fail("the clock service's certificate was not valid at the time of the timestamp")
	}
	tolerance := q.Tolerance
	if tolerance <= 0 {
		tolerance = DefaultTolerance
	}
	tolerance += min(t.Accuracy, DefaultTolerance)
	if t.Time.After(got.Add(tolerance)) || t.Time.Before(asked.Add(-tolerance)) {
		return fail("the time of the timestamp is too far from ours")
	}
	if q.Check != nil {
		if err := q.Check(t); err != nil {
			return fmt.Errorf("tsp: the clock service is not accepted: %w", err)
		}
	}
	return nil
}
