package audit

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"countersign/people"
)

// Checked is one check of the whole log.
type Checked struct {
	ID        string
	AskedBy   people.ID // empty: it was due
	StartedAt time.Time
	Size      int64 // of the log when it began
	Progress
	EndedAt time.Time // zero while it runs
	Code    Code      // what does not hold; empty: all holds
	Number  int64
	Detail  string
}

// Runs reports whether the check goes on.
func (c Checked) Runs() bool { return c.EndedAt.IsZero() }

// ErrChecking is answered when a check is asked for while one runs.
var ErrChecking = errors.New("a check of the log is running")

// CheckStore keeps checks.
type CheckStore interface {
	Whole
	// LastCheck is the newest one, and the one that runs if any does; zero: there was none.
	LastCheck(ctx context.Context) (Checked, error)
	// StartCheck begins one, with its entry in the log; ErrChecking when one runs.
	StartCheck(ctx context.Context, by people.Actor, size int64, at time.Time) error
	// KeepCheck stores how far the check is, or how it ended, then with its entry.
	KeepCheck(ctx context.Context, c Checked) error
	TakeTurn(ctx context.Context, name string, now, until time.Time) (bool, error)
	EndTurn(ctx context.Context, name string) error
}

// part is how long one run of the checker reads before it stores how far it came and lets
// other work have its turn.
const part = 30 * time.Second

// Checker checks the whole log once a day and when somebody asks. A check that was cut off
// is gone on with, by whichever process comes next.
type Checker struct {
	Store CheckStore
	Tree  *Tree
	Every time.Duration
	Now   func() time.Time // nil: time.Now
	Log   *slog.Logger
}

func (c *Checker) now() time.Time {
	if c.Now == nil {
		return time.Now().UTC()
	}
	return c.Now().UTC()
}

// Ask begins a check; the next Run works it.
func (c *Checker) Ask(ctx context.Context, by people.Actor) error {
	head, err := c.Tree.Store.LastCheckpoint(ctx)
	if err != nil {
		return err
	}
	return c.Store.StartCheck(ctx, by, head.Size, c.now())
}

// Run goes on with the check that runs, or begins one that is due. It answers 1 when one ended.
func (c *Checker) Run(ctx context.Context) (int, error) {
	last, err := c.next(ctx, false)
	if err != nil || last == nil {
		return 0, err
	}
	now := c.now()
	mine, err := c.Store.TakeTurn(ctx, "check", now, now.Add(turn))
	if err != nil || !mine {
		return 0, err
	}
	defer func() { _ = c.Store.EndTurn(context.WithoutCancel(ctx), "check") }() // else it ends by itself
	// Looked at again: another process may have had its turn meanwhile.
	if last, err = c.next(ctx, true); err != nil || last == nil {
		return 0, err
	}
	return c.work(ctx, *last)
}

// next is the check to work on, nil when none is due; one that is due is begun if begin says so.
func (c *Checker) next(ctx context.Context, begin bool) (*Checked, error) {
	last, err := c.Store.LastCheck(ctx)
	if err != nil || last.ID != "" && last.Runs() {
		return &last, err
	}
	head, err := c.Tree.Store.LastCheckpoint(ctx)
	if err != nil || head.Size == 0 || c.now().Sub(last.StartedAt) < c.Every {
		return nil, err
	}
	if !begin {
		return &last, nil
	}
	if err := c.Ask(ctx, people.Actor{System: "check-audit"}); err != nil && !errors.Is(err, ErrChecking) {
		return nil, err
	}
	last, err = c.Store.LastCheck(ctx)
	return &last, err
}

func (c *Checker) work(ctx context.Context, check Checked) (int, error) {
	until := time.Now().Add(part)
	p, done, err := c.Tree.CheckPart(ctx, c.Store, check.Progress, func(Progress) bool { return time.Now().Before(until) })
	check.Progress = p
	var v *Violation
	switch {
	case errors.As(err, &v):
		check.Code, check.Number, check.Detail, check.EndedAt = v.Code, v.Number, v.Detail, c.now()
		c.Log.ErrorContext(ctx, "the audit log does not hold", "alarm", true, "code", string(v.Code), "number", v.Number, "detail", v.Detail)
	case err != nil:
		return 0, err
	case done:
		check.EndedAt = c.now()
	}
	if err := c.Store.KeepCheck(ctx, check); err != nil {
		return 0, err
	}
	if check.Runs() {
		return 0, nil
	}
	return 1, nil
}
