package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// progress tells on a terminal how far a long run is. It stays silent for half a second and
// leaves nothing behind. A nil progress does nothing.
type progress struct {
	w     io.Writer
	total int64
	seen  atomic.Int64
	stop  chan struct{}
	gone  chan struct{}
}

func startProgress(c *call, quiet bool, total int64) *progress {
	if quiet || !c.terminal {
		return nil
	}
	p := &progress{w: c.errs, total: total, stop: make(chan struct{}), gone: make(chan struct{})}
	go p.show()
	return p
}

func (p *progress) show() {
	defer close(p.gone)
	began, shown := time.Now(), false
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			if shown {
				fmt.Fprint(p.w, "\r\x1b[K")
			}
			return
		case now := <-tick.C:
			if spent := now.Sub(began); spent >= 500*time.Millisecond {
				shown = true
				n := min(p.seen.Load(), p.total)
				fmt.Fprintf(p.w, "\r\x1b[K%.1f of %.1f MB, %.0f MB/s", float64(n)/1e6, float64(p.total)/1e6, float64(n)/1e6/spent.Seconds())
			}
		}
	}
}

func (p *progress) add(n int) {
	if p != nil {
		p.seen.Add(int64(n))
	}
}

func (p *progress) end() {
	if p != nil {
		close(p.stop)
		<-p.gone
	}
}

// watched is a reader that ends with its context and counts what was read.
type watched struct {
	ctx context.Context
	r   io.ReaderAt
	p   *progress
}

func (w watched) ReadAt(b []byte, at int64) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.r.ReadAt(b, at)
	w.p.add(n)
	return n, err
}

func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
