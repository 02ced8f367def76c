package db

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/jmoiron/sqlx"
)

// channel is the PostgreSQL notification channel; the payload is the topic.
const channel = "countersign"

// Subscribe tells the topics that change until cancel is called or ctx ends; then the
// channel is closed. Changes of one topic that come while the receiver is busy are told
// once. After a broken connection to PostgreSQL every topic is told, for what was missed.
func (d *DB) Subscribe(ctx context.Context, topics ...string) (changed <-chan string, cancel func()) {
	return d.hub.subscribe(ctx, topics)
}

// Announce tells every process that the topics changed. Changes made by Apply do this by
// themselves; in a transaction of your own use AnnounceIn, or this after it.
func (d *DB) Announce(ctx context.Context, topics ...string) error {
	if d.Dialect == SQLite {
		d.hub.announce(topics)
		return nil
	}
	return notify(ctx, d.Write, topics)
}

// AnnounceIn makes PostgreSQL tell the topics when tx commits. On SQLite it does nothing:
// call the answered function after the commit, on both.
func (d *DB) AnnounceIn(ctx context.Context, tx *sqlx.Tx, topics ...string) (after func(), err error) {
	if d.Dialect == SQLite {
		return func() { d.hub.announce(topics) }, nil
	}
	return func() {}, notify(ctx, tx, topics)
}

func notify(ctx context.Context, x sqlx.ExecerContext, topics []string) error {
	for _, t := range unique(topics) {
		if _, err := x.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, t); err != nil {
			return fmt.Errorf("announce a change: %w", err)
		}
	}
	return nil
}

func unique(topics []string) []string { return slices.Compact(slices.Sorted(slices.Values(topics))) }

// hub hands topics to the subscribers of this process.
type hub struct {
	mu     sync.Mutex
	topics map[string]map[*subscriber]struct{}
	closed bool
}

// subscriber keeps the set of topics not yet received, so that a slow receiver costs one
// entry a topic and loses none.
type subscriber struct {
	pending map[string]struct{}
	wake    chan struct{}
	stop    func()
}

func newHub() *hub { return &hub{topics: map[string]map[*subscriber]struct{}{}} }

func (h *hub) subscribe(ctx context.Context, topics []string) (<-chan string, func()) {
	ctx, stop := context.WithCancel(ctx)
	s := &subscriber{pending: map[string]struct{}{}, wake: make(chan struct{}, 1), stop: stop}
	out := make(chan string)
	h.mu.Lock()
	if h.closed {
		stop()
	}
	for _, t := range topics {
		if h.topics[t] == nil {
			h.topics[t] = map[*subscriber]struct{}{}
		}
		h.topics[t][s] = struct{}{}
	}
	h.mu.Unlock()
	go func() {
		defer close(out)
		defer h.leave(s, topics)
		for {
			t, ok := h.take(s)
			if !ok {
				select {
				case <-s.wake:
					continue
				case <-ctx.Done():
					return
				}
			}
			select {
			case out <- t:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, stop
}

func (h *hub) take(s *subscriber) (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range s.pending {
		delete(s.pending, t)
		return t, true
	}
	return "", false
}

func (h *hub) leave(s *subscriber, topics []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		delete(h.topics[t], s)
		if len(h.topics[t]) == 0 {
			delete(h.topics, t)
		}
	}
}

func (h *hub) announce(topics []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		h.tell(t)
	}
}

// all announces every topic somebody listens to.
func (h *hub) all() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range h.topics {
		h.tell(t)
	}
}

func (h *hub) tell(topic string) {
	for s := range h.topics[topic] {
		s.pending[topic] = struct{}{}
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, subscribers := range h.topics {
		for s := range subscribers {
			s.stop()
		}
	}
}
