package pades_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"countersign/pades"
)

// FuzzVerify looks for a panic, a hang, and above all for a file that passes and is not one
// of the seeds.
func FuzzVerify(f *testing.F) {
	once := signFile(f, paper(), signing{})
	seeds := [][]byte{paper(), once, signFile(f, paper(), signing{stamp: true}), signFile(f, once, signing{}), update(once, map[int]string{4: "null"}, "")}
	good := map[string]bool{}
	for _, s := range seeds {
		f.Add(s)
		good[string(s)] = true
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := pades.Verify(ctx, bytes.NewReader(file), int64(len(file)), pades.VerifyOptions{Roots: theAuthority().roots})
		if ctx.Err() != nil {
			t.Fatal("too slow")
		}
		if err != nil || r.Indication != pades.TotalPassed {
			return
		}
		for s := range good {
			// White space at the end, and harmless updates, may pass; the signed bytes may not differ.
			if len(file) >= len(s) && string(file[:len(s)]) == s {
				return
			}
		}
		t.Fatalf("passes and was not signed:\n%s", report(r))
	})
}
