package dtmclient

import (
	"net/http"
	"sync"
	"time"
)

// skew is how far the service's clock is from ours, by the Date of its last answer, which has
// whole seconds and is as old as the answer took.
type skew struct {
	mu    sync.Mutex
	d     time.Duration
	known bool
}

func (s *skew) note(date string, now time.Time) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.d, s.known = at.Sub(now), true
}

// Skew tells how far the service's clock was from ours at its last answer; positive when it is
// ahead. It is not known before there was one.
func (c *Client) Skew() (d time.Duration, known bool) {
	c.skew.mu.Lock()
	defer c.skew.mu.Unlock()
	return c.skew.d, c.skew.known
}
