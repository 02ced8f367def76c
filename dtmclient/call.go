package dtmclient

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	maxAnswer     = 1 << 20          // bytes of an answer that are read
	maxTries      = 3                // of a read
	maxRetryAfter = 30 * time.Second // longest Retry-After that is waited for
	firstWait     = 200 * time.Millisecond
)

// call is one request and how to judge its answer.
type call struct {
	op      string
	method  string
	url     string
	body    any        // marshalled to JSON; nil for none
	form    url.Values // instead of body
	auth    Authenticator
	read    bool // changes nothing at the service, so it may be tried again
	timeout time.Duration
	most    int64              // bytes of an answer; 0: maxAnswer
	secrets []Secret           // values that must not come back in an error
	on504   Kind               // what a gateway timeout means here, instead of Unavailable
	decode  func([]byte) error // of a good answer; nil: its body does not matter
}

// do makes the call, repeats it only when it is a read, and observes it once.
func (c *Client) do(ctx context.Context, k call) error {
	start := c.c.Now()
	err := c.tries(ctx, k)
	var e *Error
	switch {
	case errors.As(err, &e):
		c.c.Observe(k.op, e.Kind, c.c.Now().Sub(start))
	default:
		c.c.Observe(k.op, "", c.c.Now().Sub(start))
	}
	return err
}

func (c *Client) tries(ctx context.Context, k call) error {
	renewed := false
	for try := 1; ; {
		if c.breaker.resting(c.c.Now()) {
			return c.fail(k, &Error{Kind: Unreachable, Cause: errResting})
		}
		e := c.once(ctx, k)
		if ctx.Err() == nil { // a caller who left says nothing about the service
			c.breaker.told(e, c.c.Now())
		}
		if e == nil {
			return nil
		}
		if e.again && k.read && !renewed {
			renewed = true
			continue
		}
		if !k.read || !e.passing() || try == maxTries || e.RetryAfter > maxRetryAfter {
			return e
		}
		if !pause(ctx, max(e.RetryAfter, c.jitter(try))) {
			return e
		}
		try++
	}
}

// passing reports whether another try of a read may go better.
func (e *Error) passing() bool {
	switch e.Kind {
	case Limited:
		return true
	case Unavailable:
		return e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable
	case Unreachable, Unknown:
		return e.lost && !errors.Is(e.Cause, context.DeadlineExceeded) && !errors.Is(e.Cause, context.Canceled)
	}
	return false
}

// jitter is a wait between nothing and an exponentially growing most (full jitter).
func (c *Client) jitter(try int) time.Duration {
	var b [8]byte
	if _, err := io.ReadFull(c.c.Rand, b[:]); err != nil {
		return firstWait
	}
	most := uint64(firstWait << (try - 1))
	return time.Duration(binary.BigEndian.Uint64(b[:]) % most)
}

// pause answers false when the caller's deadline comes first: then it does not wait at all.
func pause(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= d {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once sends the request one time.
func (c *Client) once(ctx context.Context, k call) *Error {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	req, sent, err := c.request(ctx, k)
	if err != nil {
		return c.unsent(k, err)
	}
	client := c.writes
	if k.read {
		client = c.reads
	}
	res, err := client.Do(req)
	if err != nil {
		kind := Unreachable
		if sent.Load() {
			kind = Unknown
		}
		return c.fail(k, &Error{Kind: kind, lost: true, Cause: plainCause(ctx, err)})
	}
	defer res.Body.Close()
	c.skew.note(res.Header.Get("Date"), c.c.Now())
	most := max(k.most, maxAnswer)
	body, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		// A refusal is a refusal even when its explanation was cut short.
		e := refusal(k, res, body, c.c.Now())
		e.again = res.StatusCode == http.StatusUnauthorized && k.auth.Refused(req)
		k.secrets = append([]Secret{Secret(strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "))}, k.secrets...)
		return c.fail(k, e)
	}
	if err != nil {
		return c.fail(k, &Error{Kind: Unknown, Status: res.StatusCode, lost: true, Cause: plainCause(ctx, err)})
	}
	if int64(len(body)) > most {
		return c.fail(k, unreadable(res.StatusCode, fmt.Errorf("the answer is larger than %d KiB", most>>10)))
	}
	if k.decode == nil {
		return nil
	}
	if err := k.decode(body); err != nil {
		return c.fail(k, unreadable(res.StatusCode, err))
	}
	return nil
}

func (c *Client) request(ctx context.Context, k call) (*http.Request, *atomic.Bool, error) {
	sent := new(atomic.Bool)
	sent.Store(!c.traced)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	var body io.Reader
	contentType := "application/json"
	switch {
	case k.form != nil:
		contentType = "application/x-www-form-urlencoded"
		body = strings.NewReader(k.form.Encode())
	case k.body != nil:
		b, err := json.Marshal(k.body)
		if err != nil {
			return nil, nil, errors.New("the request cannot be written")
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, k.method, k.url, body)
	if err != nil {
		return nil, nil, errors.New("the address cannot be used")
	}
	if !k.read {
		req.GetBody = nil // nothing may send this body a second time
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.c.UserAgent)
	if err := k.auth.Authenticate(ctx, req); err != nil {
		return nil, nil, err
	}
	sent.Store(!c.traced) // getting a token may have sent requests of its own
	return req, sent, nil
}

// unsent is the error of a request that was never sent, for want of a token mostly.
func (c *Client) unsent(k call, err error) *Error {
	e := &Error{Kind: Unreachable, Cause: err}
	var token *Error
	if errors.As(err, &token) {
		e.lost = token.passing()
		switch token.Kind {
		case Unauthorized, Invalid, Denied:
			e.Kind = Unauthorized
		case Limited:
			e.Kind, e.RetryAfter = Limited, token.RetryAfter
		}
	}
	return c.fail(k, e)
}

// fail finishes an error: names the call and takes every secret out of what the service said.
func (c *Client) fail(k call, e *Error) *Error {
	e.Op = k.op
	for _, list := range [][]Secret{k.secrets, c.secretWords} {
		for _, s := range list {
			if len(s) >= 3 {
				e.Code = strings.ReplaceAll(e.Code, string(s), "[redacted]")
				e.Message = strings.ReplaceAll(e.Message, string(s), "[redacted]")
			}
		}
	}
	return e
}

func unreadable(status int, cause error) *Error {
	return &Error{Kind: Unknown, Status: status, Cause: cause}
}

// plainCause drops the address from an error of net/http: a query may name a person.
func plainCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); zero when absent or nonsense.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseInt(v, 10, 32); err == nil && s >= 0 {
		return time.Duration(s) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
