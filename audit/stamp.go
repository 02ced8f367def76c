package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// Clock is a clock service (RFC 3161); cmd/portal has one.
type Clock interface {
	// Stamp asks for a token over the digest (SHA-256), checks that it is one over this
	// digest, and answers it as DER with the time it states.
	Stamp(ctx context.Context, digest []byte) (token []byte, at time.Time, err error)
}

// StampStore is what the stamper needs of the database.
type StampStore interface {
	LastCheckpoint(ctx context.Context) (Checkpoint, error)
	// LastStamp is the newest one, and when it was asked for; zero when there is none.
	LastStamp(ctx context.Context) (s Stamp, asked time.Time, err error)
	// TakeTurn gives a work to one of all processes until the time; false: another has it.
	TakeTurn(ctx context.Context, name string, now, until time.Time) (bool, error)
	// KeepStamp keeps the checkpoint and its stamp for good.
	KeepStamp(ctx context.Context, cp Checkpoint, s Stamp, asked time.Time) error
}

// turn is how long the process that asks the clock service has to come back; after a
// failure nobody asks again before.
const turn = 2 * time.Minute

// Stamper has the newest checkpoint stamped by a clock service now and then, so that
// whoever runs the log cannot make up later when it was what it was. Nothing waits for it:
// while the clock service is away, checkpoints are signed all the same.
type Stamper struct {
	Store StampStore
	Clock Clock
	Every time.Duration
	Now   func() time.Time // nil: time.Now
}

// Run asks for a stamp if one is due and the log has grown since the last. It answers how
// many it got.
func (s *Stamper) Run(ctx context.Context) (int, error) {
	now := time.Now().UTC()
	if s.Now != nil {
		now = s.Now().UTC()
	}
	cp, err := s.Store.LastCheckpoint(ctx)
	if err != nil || cp.Note == "" {
		return 0, err
	}
	last, asked, err := s.Store.LastStamp(ctx)
	if err != nil || last.Size >= cp.Size || now.Sub(asked) < s.Every {
		return 0, err
	}
	mine, err := s.Store.TakeTurn(ctx, "stamp", now, now.Add(turn))
	if err != nil || !mine {
		return 0, err
	}
	digest := sha256.Sum256([]byte(cp.Note))
	token, at, err := s.Clock.Stamp(ctx, digest[:])
	if err != nil {
		return 0, fmt.Errorf("have the log's checkpoint stamped: %w", err)
	}
	if err := s.Store.KeepStamp(ctx, cp, Stamp{Size: cp.Size, Token: token, At: at.UTC()}, now); err != nil {
		return 0, err
	}
	return 1, nil
}
