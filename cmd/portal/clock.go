package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"countersign/dtmclient"
	"countersign/pades/tsp"
)

// clock has digests stamped by the clock service that signatures use too.
type clock struct{ remote *dtmclient.Client }

// clockDifference is how far the service's time may be from ours.
const clockDifference = 5 * time.Minute

func (c clock) Stamp(ctx context.Context, digest []byte) (token []byte, at time.Time, err error) {
	nonce, err := tsp.NewNonce(rand.Reader)
	if err != nil {
		return nil, at, err
	}
	token, err = c.remote.Timestamp(ctx, digest, crypto.SHA256, nonce.Bytes())
	if err != nil {
		return nil, at, fmt.Errorf("ask the clock service: %w", err)
	}
	parsed, err := tsp.ParseToken(token)
	if err != nil {
		return nil, at, fmt.Errorf("read the timestamp: %w", err)
	}
	if parsed.Hash != crypto.SHA256 {
		return nil, at, fmt.Errorf("the timestamp was made with %s", parsed.Hash)
	}
	if err := parsed.Check(digest, nonce); err != nil {
		return nil, at, fmt.Errorf("check the timestamp: %w", err)
	}
	if off := time.Until(parsed.Time).Abs(); off > clockDifference {
		return nil, at, fmt.Errorf("the clock service and our clock are %s apart", off.Round(time.Second))
	}
	return token, parsed.Time, nil
}

// checkStamp holds a token against the checkpoint that it should be over. Whether its clock
// service is trusted is for whoever reads a receipt.
func checkStamp(signed string, token []byte) error {
	parsed, err := tsp.ParseToken(token)
	if err != nil {
		return err
	}
	if parsed.Hash != crypto.SHA256 {
		return fmt.Errorf("the timestamp was made with %s", parsed.Hash)
	}
	digest := sha256.Sum256([]byte(signed))
	return parsed.Check(digest[:], nil)
}
