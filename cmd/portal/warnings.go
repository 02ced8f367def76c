package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"countersign/db"
	"countersign/work"
)

const (
	lateAfter   = 10 * time.Minute // work that waits longer is worth a warning
	failsBefore = 5                // runs in a row, and
	failsFor    = 5 * time.Minute  // this long, until a kind of job counts as failing
	lookAgain   = 10 * time.Second // anybody may ask, but the database is asked no more often
)

// streaks remember which kinds of jobs fail in a row, in this process.
type streaks struct {
	now func() time.Time

	mu    sync.Mutex
	since map[string]time.Time
	count map[string]int
}

func newStreaks() *streaks {
	return &streaks{now: time.Now, since: map[string]time.Time{}, count: map[string]int{}}
}

func (s *streaks) told(kind string, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done {
		delete(s.since, kind)
		delete(s.count, kind)
		return
	}
	if s.count[kind]++; s.count[kind] == 1 {
		s.since[kind] = s.now()
	}
}

// failing are the kinds that have failed for long, by their names.
func (s *streaks) failing() (kinds []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for kind, n := range s.count {
		if n >= failsBefore && s.now().Sub(s.since[kind]) >= failsFor {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// warnings are kept for a moment, since /readyz is open to anybody.
type warnings struct {
	store   *db.DB
	failing *streaks
	now     func() time.Time

	mu   sync.Mutex
	at   time.Time
	last map[string]string
}

func (w *warnings) tell(ctx context.Context) map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil || w.now().Sub(w.at).Abs() >= lookAgain {
		// The answer is for the next ones too, also when this visitor leaves.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		w.last, w.at = w.look(ctx), w.now()
	}
	return w.last
}

func (w *warnings) look(ctx context.Context) map[string]string {
	found := map[string]string{}
	if kinds := w.failing.failing(); len(kinds) > 0 {
		found["jobs"] = "failing for more than " + failsFor.String() + ": " + strings.Join(kinds, ", ")
	}
	b, err := w.store.Backlog(ctx, w.now().Add(-lateAfter))
	if err != nil {
		found["backlog"] = "what waits cannot be counted"
		return found
	}
	say := func(name string, n int, text string) {
		if n > 0 {
			found[name] = fmt.Sprintf("%s: %d", text, n)
		}
	}
	if !b.AuditSince.IsZero() && w.now().Sub(b.AuditSince) > lateAfter {
		found["audit"] = "entries wait for their place in the tree since " + b.AuditSince.UTC().Format(time.RFC3339)
	}
	if b.AuditBroken != "" {
		found["audit_check"] = "the audit log does not hold: " + b.AuditBroken + "; see /audit/log"
	}
	say("retries", b.JobsFailing, "jobs tried three times or more in vain")
	say("overdue", b.Overdue, "documents, ceremonies or signatures past their deadline that nobody ended")
	say("mail", b.MailDead, "mails given up")
	if late := w.late(ctx); late != "" {
		found["work"] = late
	}
	return found
}

// late names the work that waits longer than it should, but for mails and jobs, which have
// warnings of their own.
func (w *warnings) late(ctx context.Context) string {
	ages, err := w.store.WorkAges(ctx, w.now())
	if err != nil {
		return "what waits cannot be counted"
	}
	var kinds []string
	for _, k := range work.Kinds() {
		if k != work.LostMail && k != work.Mail && k != work.FailingJob && ages[k].Late > 0 {
			kinds = append(kinds, fmt.Sprintf("%s %d", k, ages[k].Late))
		}
	}
	if len(kinds) == 0 {
		return ""
	}
	return "waits longer than it should: " + strings.Join(kinds, ", ") + "; see /work"
}
