package dtmclient

import (
	"errors"
	"sync"
	"time"
)

// breakerRest is how long calls fail at once after the service stopped answering.
const breakerRest = 5 * time.Second

var errResting = errors.New("the service did not answer lately, so it was not asked")

// breaker keeps everybody from waiting for a service that does not answer. After several
// failures in a row calls fail at once, as never sent, for a few seconds; then they are
// let through, and the next failure begins another rest.
type breaker struct {
	after int // failures in a row; 0: never

	mu       sync.Mutex
	failures int
	until    time.Time
}

func (b *breaker) resting(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.after > 0 && b.failures >= b.after && now.Before(b.until)
}

func (b *breaker) told(e *Error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e != nil && e.Kind == Unreachable && !e.lost { // given up here, for want of a token
		return
	}
	// Any answer of the service itself, a refusal too, shows that it is there.
	if e == nil || (e.Kind != Unreachable && e.Kind != Unavailable && (e.Kind != Unknown || !e.lost)) {
		b.failures = 0
		return
	}
	b.failures++
	b.until = now.Add(breakerRest)
}
