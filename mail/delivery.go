package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	atOnce    = 20
	lease     = 5 * time.Minute
	sendWait  = 30 * time.Second
	maxTries  = 12 // with the pauses below the last is about a day and a half after the first
	firstWait = time.Minute
	longest   = 6 * time.Hour
	maxAge    = 3 * 24 * time.Hour
	// keptFor is how long addresses and texts stay after the end.
	keptFor = 30 * 24 * time.Hour
)

// Letter is one message as a Sender sends it.
type Letter struct {
	ID      string // of the row; the same at every try
	To      string
	Subject string
	Text    string
	HTML    string
	Date    time.Time // when it was written
}

// MessageID is the value of the Message-ID header without angle brackets: the same at
// every try, so that a receiver who gets two after a lost answer can drop one.
func (l Letter) MessageID(domain string) string {
	sum := sha256.Sum256([]byte(l.ID))
	return hex.EncodeToString(sum[:16]) + "@" + domain
}

// Sender hands one letter to the next station. An error that can never get better is a
// *RefusedError; every other one is tried again.
type Sender interface {
	Send(ctx context.Context, l Letter) error
}

// RefusedError says that the next station will not take the letter, now or later. Its text
// holds no address.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// Delivery takes due messages from the outbox to a sender. Several processes may run one
// each: a message is held by one at a time, and only while its lease stands.
//
// A process that dies between the station's yes and the row's mark makes the message go
// out again after the lease; that is the one way to get two, and both bear one Message-ID.
type Delivery struct {
	Outbox Outbox
	Sender Sender
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// NewDelivery makes a delivery.
func NewDelivery(o Outbox, s Sender, log *slog.Logger) *Delivery {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Delivery{Outbox: o, Sender: s, Log: log, Now: time.Now}
}

// Deliver sends what is due now and answers how many went out. Trouble with one message
// delays that message only; an error is about the outbox itself.
func (d *Delivery) Deliver(ctx context.Context) (sent int, err error) {
	for {
		now := d.now()
		due, err := d.Outbox.Claim(ctx, now, now.Add(lease), atOnce)
		if err != nil {
			return sent, fmt.Errorf("deliver mail: %w", err)
		}
		for _, m := range due {
			ok, err := d.one(ctx, m)
			if err != nil {
				return sent, fmt.Errorf("deliver mail: %w", err)
			}
			if ok {
				sent++
			}
		}
		if len(due) < atOnce {
			return sent, nil
		}
	}
}

func (d *Delivery) one(ctx context.Context, m Due) (sent bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if !d.now().Add(sendWait).Before(m.Lease) {
		return false, nil // the rest of a slow batch: another run takes it when the lease ends
	}
	sendCtx, cancel := context.WithTimeout(ctx, sendWait)
	err = d.Sender.Send(sendCtx, Letter{ID: m.ID, To: m.To, Subject: m.Subject, Text: m.Text, HTML: HTML(m.Language, m.Text), Date: m.CreatedAt})
	cancel()
	if err != nil && ctx.Err() != nil {
		// We are shutting down; whether it went out is unknown. The lease decides when it is tried again.
		return false, ctx.Err()
	}
	// What happened is written down even if the caller stops waiting now.
	markCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	markErr := d.mark(markCtx, m, err)
	if errors.Is(markErr, ErrLost) {
		d.Log.WarnContext(ctx, "mail was taken over by another process", "mail", m.ID)
		markErr = nil
	}
	return err == nil && markErr == nil, markErr
}

func (d *Delivery) mark(ctx context.Context, m Due, err error) error {
	now := d.now()
	var refused *RefusedError
	switch {
	case err == nil:
		return d.Outbox.Sent(ctx, m, now)
	case errors.As(err, &refused):
		d.Log.ErrorContext(ctx, "mail refused", "mail", m.ID, "about", m.About, "reason", refused.Reason)
		return d.Outbox.GiveUp(ctx, m, now, refused.Reason)
	case m.Tries >= maxTries || now.Sub(m.CreatedAt) > maxAge:
		d.Log.ErrorContext(ctx, "mail given up", "mail", m.ID, "about", m.About, "tries", m.Tries, "cause", err)
		return d.Outbox.GiveUp(ctx, m, now, "no success in time")
	}
	d.Log.WarnContext(ctx, "mail not sent yet", "mail", m.ID, "tries", m.Tries, "cause", err)
	return d.Outbox.Later(ctx, m, now.Add(pause(m.Tries)), "not sent yet")
}

// pause doubles from a minute to six hours.
func pause(tries int) time.Duration {
	wait := firstWait
	for i := 1; i < tries && wait < longest; i++ {
		wait *= 2
	}
	return min(wait, longest)
}

// Forget empties messages that ended long ago; the event stays, so that none is told twice.
func (d *Delivery) Forget(ctx context.Context) (int, error) {
	return d.Outbox.Forget(ctx, d.now().Add(-keptFor))
}

func (d *Delivery) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}
