//go:build crashpoints

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
)

// crashVariable names a file. While it says intend:after, this build ends itself just
// after that point; it is read each time, so that a running site can be told.
const crashVariable = "CRASH_AT"

// reached ends the process as a power cut would: no deferred call, no flush, no answer.
func reached[P ~string]() func(P, bool) {
	path := os.Getenv(crashVariable)
	if path == "" {
		return nil
	}
	var mu sync.Mutex
	return func(p P, done bool) {
		mu.Lock()
		defer mu.Unlock()
		text, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(text)) != string(p)+map[bool]string{true: ":after", false: ":before"}[done] {
			return
		}
		fmt.Fprintln(os.Stderr, "crash point reached:", strings.TrimSpace(string(text)))
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
