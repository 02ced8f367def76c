package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAKindOfJobFailsWhenItHasFailedInARowAndForLong(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newStreaks()
	s.now = func() time.Time { return now }
	run := func(kind string, done bool, after time.Duration) {
		now = now.Add(after)
		s.told(kind, done)
	}
	for range failsBefore {
		run("deliver-mail", false, time.Second)
	}
	require.Empty(t, s.failing(), "not for long")
	run("look-again-signing", false, failsFor)
	require.Equal(t, []string{"deliver-mail"}, s.failing())
	now = now.Add(failsFor)
	require.Equal(t, []string{"deliver-mail"}, s.failing(), "one failure is no streak")
	run("deliver-mail", true, time.Second)
	require.Empty(t, s.failing())
	run("deliver-mail", false, time.Second)
	require.Empty(t, s.failing(), "it begins anew")
}
