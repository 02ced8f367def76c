package signing

import (
	"context"
	"sync"
)

// afoot is work that goes on after the call that began it was answered.
type afoot struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when there is none any more; nil when there was none
}

func (f *afoot) Go(work func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n++; f.n == 1 {
		f.none = make(chan struct{})
	}
	go func() {
		defer f.end()
		work()
	}()
}

func (f *afoot) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n--; f.n == 0 {
		close(f.none)
	}
}

// Wait lets what was begun and answered already come to its end, or the context.
func (s *Service) Wait(ctx context.Context) error {
	s.afoot.mu.Lock()
	none, n := s.afoot.none, s.afoot.n
	s.afoot.mu.Unlock()
	if n == 0 {
		return nil
	}
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// goOn signs with an approval that was claimed. What breaks off is ended by the sweep.
func (s *Service) goOn(ctx context.Context, at *authorizing) {
	if err := safely(func() error { return at.run(ctx) }); err != nil {
		s.Log.InfoContext(ctx, "signing did not go on", "ceremony", at.c.ID, "cause", err)
	}
}
