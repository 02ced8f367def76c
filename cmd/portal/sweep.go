package main

import (
	"context"
	"errors"
	"time"

	"countersign/auth"
	"countersign/blob"
	"countersign/db"
	"countersign/grants"
	"countersign/mail"
	"countersign/signing"
)

// strayAge is how old stored bytes without a row must be before they go: longer than the
// longest upload, since a row speaks of them only afterwards.
const strayAge = 24 * time.Hour

// countAge is how long the counts of refusals are kept that are no entries of the log.
const countAge = 400 * 24 * time.Hour

// sweeper clears away what has ended: sessions, delivered mails, old counts, stray bytes.
type sweeper struct {
	login *auth.Auth
	post  *mail.Delivery
	sign  *signing.Service
	bytes *blob.Store
	store *db.DB
	kept  *grants.Service
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
	refusals, refusalErr := s.store.Audit().ForgetRefusals(ctx, time.Now().Add(-countAge))
	asks, grantErr := s.kept.Sweep(ctx)
	return sessions + mails + counts + stray + refusals + asks, errors.Join(err, mailErr, countErr, blobErr, refusalErr, grantErr)
}
