package tsp_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"

	"countersign/pades/tsp"
)

// Two services are asked in turn: one is down, one refuses.
func ExampleFirst() {
	down := func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no connection") }
	refusing := func(context.Context, []byte) ([]byte, error) {
		// a TimeStampResp with the status "rejection" and the reason unacceptedPolicy
		return []byte{0x30, 10, 0x30, 8, 2, 1, 2, 3, 3, 0, 0, 1}, nil
	}
	digest := sha256.Sum256([]byte("what existed"))
	_, tried, err := tsp.First(context.Background(), []tsp.Service{{Name: "first", Post: down}, {Name: "second", Post: refusing}},
		tsp.Question{Digest: digest[:], Hash: crypto.SHA256})
	for _, a := range tried {
		fmt.Println(a.Service, "-", a.Err)
	}
	var refused *tsp.Rejection
	fmt.Println(errors.As(err, &refused))
	// Output:
	// first - ask the clock service: no connection
	// second - tsp: the clock service refused (status 2) unacceptedPolicy
	// true
}
