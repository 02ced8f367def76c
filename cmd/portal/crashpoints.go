//go:build crashpoints

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"countersign/signing"
)

// crashVariable names where this build ends itself: a point, "before" or "after", and at
// which time it is reached, as in intend:after:1.
const crashVariable = "CRASH_AT"

// reached ends the process as a power cut would: no deferred call, no flush, no answer.
func reached() func(signing.Point, bool) {
	text := os.Getenv(crashVariable)
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		panic(crashVariable + " must be POINT:before|after:TIMES")
	}
	times, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		panic(crashVariable + ": " + err.Error())
	}
	var reached atomic.Int64
	return func(p signing.Point, done bool) {
		if string(p) != parts[0] || done != (parts[1] == "after") || reached.Add(1) != times {
			return
		}
		fmt.Fprintln(os.Stderr, "crash point reached:", text)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
