package handlers

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/go-chi/httprate"
)

// The public page takes files of anybody. These numbers are flood control for one replica;
// nothing secret hangs on them.
const (
	filesAMinute  = 10 // of one address
	filesAtOnce   = 16 // with those on their way: what they may take of the disk
	atOnceOfOne   = 4  // of one address
	checkedAtOnce = 2
	checkWait     = 10 * time.Second // for one of those
	formSpare     = 1 << 20          // of a form around its file
)

// gate counts the files of the public page. Those that are here and those being checked
// are counted apart: who sends slowly holds a place for a file, and nobody else's check.
type gate struct {
	flood    *httprate.RateLimiter
	checking chan struct{}
	wait     time.Duration

	mu   sync.Mutex
	here map[string]int // by address
	all  int
}

func newGate(wait time.Duration) *gate {
	if wait <= 0 {
		wait = checkWait
	}
	return &gate{flood: httprate.NewRateLimiter(filesAMinute, time.Minute), checking: make(chan struct{}, checkedAtOnce), wait: wait, here: map[string]int{}}
}

// network is what one visitor has of addresses: of IPv6 a whole /64 costs nothing more.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	if a = a.Unmap().WithZone(""); a.Is6() {
		return netip.PrefixFrom(a, 64).Masked().String()
	}
	return a.String()
}

// tooMany counts a file, and answers whether it is one too many; headers say until when.
func (g *gate) tooMany(w http.ResponseWriter, r *http.Request, from string) bool {
	return g.flood.RespondOnLimit(&discard{w.Header()}, r, from)
}

// enter takes a place for a file. Otherwise it answers the status to refuse with.
func (g *gate) enter(from string) (leave func(), status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.here[from] >= atOnceOfOne:
		return nil, http.StatusTooManyRequests
	case g.all >= filesAtOnce:
		return nil, http.StatusServiceUnavailable
	}
	g.here[from]++
	g.all++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.all--
		if g.here[from]--; g.here[from] == 0 {
			delete(g.here, from)
		}
	}), 0
}

// check waits for a place to check in.
func (g *gate) check(r *http.Request) (leave func(), ok bool) {
	soon := time.NewTimer(g.wait)
	defer soon.Stop()
	select {
	case g.checking <- struct{}{}:
		return func() { <-g.checking }, true
	case <-soon.C:
	case <-r.Context().Done():
	}
	return nil, false
}

// discard keeps somebody from answering by themselves, but for headers: the page does.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header       { return d.header }
func (*discard) WriteHeader(int)             {}
func (*discard) Write(b []byte) (int, error) { return len(b), nil }
