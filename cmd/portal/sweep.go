package main

import (
	"context"
	"errors"
	"time"

	"countersign/auth"
	"countersign/blob"
	"countersign/db"
	"countersign/mail"
	"countersign/signing"
)

// strayAge is how old stored bytes without a row must be before they go: longer than the
// longest upload, since a row speaks of them only afterwards.
const strayAge = 24 * time.Hour

// sweeper clears away what has ended: sessions, delivered mails, old counts, stray bytes.
type sweeper struct {
	login *auth.Auth
	post  *mail.Delivery
	sign  *signing.Service
	bytes *blob.Store
	store *db.DB
}

// Sweep goes on with the next part when one fails.
func (s sweeper) Sweep(ctx context.Context) (int, error) {
	sessions, err := s.login.Sweep(ctx)
	mails, mailErr := s.post.Forget(ctx)
	counts, countErr := s.sign.Sweep(ctx)
	stray, blobErr := s.bytes.Sweep(ctx, func(id string) bool {
		kept, err := s.store.KeepsBlob(ctx, id)
		return err != nil || kept // cannot tell: keep
	}, strayAge)
	return sessions + mails + counts + stray, errors.Join(err, mailErr, countErr, blobErr)
}
