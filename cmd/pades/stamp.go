package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"

	"countersign/pades/tsp"
)

// fetchToken asks a timestamp service over HTTP (RFC 3161, 3.4) for a token over a digest.
func fetchToken(ctx context.Context, url string, digest []byte, h crypto.Hash) ([]byte, error) {
	post := func(ctx context.Context, request []byte) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(request))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/timestamp-query")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("timestamp service: %s", resp.Status)
		}
		return io.ReadAll(io.LimitReader(resp.Body, tsp.MaxResponse))
	}
	t, err := tsp.Fetch(ctx, post, digest, h, rand.Reader)
	if err != nil {
		return nil, err
	}
	return t.Raw, nil
}
