package mail

import (
	"context"
	"errors"
	"time"
)

// ErrLost is answered when a message is no longer this process's to decide about: its
// lease ran out and another took it, or it was sent.
var ErrLost = errors.New("message was taken by another process")

// Due is a message that this process holds until its lease ends.
type Due struct {
	Message
	Tries     int // this one included
	CreatedAt time.Time
	Lease     time.Time
}

// Outbox is what delivery needs of the database.
type Outbox interface {
	// Claim takes up to n messages that are due, not sent, not given up and not held by
	// anybody, oldest first, and holds them until the lease ends.
	Claim(ctx context.Context, now, lease time.Time, n int) ([]Due, error)
	// Sent marks a claimed message as delivered; ErrLost.
	Sent(ctx context.Context, d Due, at time.Time) error
	// Later lets a claimed message go until then. Trouble is a short reason without addresses; ErrLost.
	Later(ctx context.Context, d Due, then time.Time, trouble string) error
	// GiveUp marks a claimed message as dead; ErrLost.
	GiveUp(ctx context.Context, d Due, at time.Time, trouble string) error
	// Forget empties what was sent or given up before the time: address, subject and text go, the event stays.
	Forget(ctx context.Context, before time.Time) (int, error)
}
