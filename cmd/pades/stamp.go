package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"

	"countersign/pades/fetch"
	"countersign/pades/tsp"
)

// clocks are timestamp services in the order they are asked. Their addresses come from
// whoever runs the command, so any is good; those inside certificates are guarded.
type clocks []string

// stamp asks until one gives a token (RFC 3161, 3.4).
func (c clocks) stamp(ctx context.Context, digest []byte, h crypto.Hash) (*tsp.Token, error) {
	client := &fetch.Client{Allow: func(netip.Addr) bool { return true }, MaxBytes: tsp.MaxResponse}
	var failed []error
	for _, url := range c {
		post := func(ctx context.Context, request []byte) ([]byte, error) {
			return client.Fetch(ctx, url, "application/timestamp-query", request)
		}
		t, err := tsp.Fetch(ctx, post, digest, h, rand.Reader)
		if err == nil || ctx.Err() != nil {
			return t, err
		}
		failed = append(failed, fmt.Errorf("%s: %w", url, err))
	}
	return nil, errors.Join(failed...)
}

func guarded(private bool) *fetch.Client {
	client := &fetch.Client{}
	if private {
		client.Allow = func(netip.Addr) bool { return true }
	}
	return client
}
