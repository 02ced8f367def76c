package audit

import (
	"context"
	"sync"
	"time"
)

// FirstRefusals is how many refusals of one kind a person gets as entries in an hour. Of
// those that follow every one that doubles their number is an entry, with the number: a
// flood of a million is 36 entries, and the count is in the tree.
const FirstRefusals = 20

// Refusals is a count of refusals of one kind.
type Refusals struct {
	Kind   string // action and reason, or "http" and a status
	Nobody int64  // of visitors who had not signed in
	People int64  // of persons who had more in an hour than the log tells one by one
}

// TallyStore keeps counts.
type TallyStore interface {
	CountRefusals(ctx context.Context, at time.Time, counts map[string]int64) error
}

// Tally counts refusals of unknown visitors in memory, so that a flood of them is a row
// for each hour and kind and no work for the database. What was counted since the last
// Flush is lost when the process dies.
type Tally struct {
	Store TallyStore
	Now   func() time.Time

	mu     sync.Mutex
	counts map[string]int64
}

// kindsAtMost bounds what is counted apart; the rest is "other".
const kindsAtMost = 64

// Refused counts one. Kinds are of a short list by construction.
func (t *Tally) Refused(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	if _, known := t.counts[kind]; !known && len(t.counts) >= kindsAtMost {
		kind = "other"
	}
	t.counts[kind]++
}

// Flush stores what was counted; what could not be stored is counted on.
func (t *Tally) Flush(ctx context.Context) error {
	t.mu.Lock()
	counts := t.counts
	t.counts = nil
	t.mu.Unlock()
	if len(counts) == 0 {
		return nil
	}
	err := t.Store.CountRefusals(ctx, t.Now(), counts)
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.counts == nil {
			t.counts = map[string]int64{}
		}
		for k, n := range counts {
			t.counts[k] += n
		}
	}
	return err
}
