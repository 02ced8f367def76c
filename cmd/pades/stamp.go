package main

import (
	"context"
	"crypto"
	"net/netip"

	"countersign/pades/fetch"
	"countersign/pades/tsp"
)

// clocks are timestamp services in the order they are asked. Their addresses come from
// whoever runs the command, so any is good; those inside certificates are guarded.
type clocks []string

// stamp asks until one gives a good token (RFC 3161, 3.4).
func (c clocks) stamp(ctx context.Context, digest []byte, h crypto.Hash) (*tsp.Token, error) {
	client := &fetch.Client{Allow: anywhere, MaxBytes: tsp.MaxResponse}
	var services []tsp.Service
	for _, url := range c {
		services = append(services, tsp.Service{Name: url, Post: tsp.HTTP(client.Fetch, url)})
	}
	t, _, err := tsp.First(ctx, services, tsp.Question{Digest: digest, Hash: h})
	return t, err
}

// guarded is for the addresses in certificates.
func guarded(private bool) *fetch.Client {
	if private {
		return &fetch.Client{Allow: anywhere}
	}
	return &fetch.Client{}
}

func anywhere(netip.Addr) bool { return true }
