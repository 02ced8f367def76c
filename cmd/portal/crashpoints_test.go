package main_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The build for crash tests ends itself where a variable says so; the crash tests show
// that their program does hold the name.
func TestTheShippedProgramCannotBeToldToCrash(t *testing.T) {
	text, err := os.ReadFile(program)
	require.NoError(t, err)
	require.NotContains(t, string(text), "CRASH_AT")
	require.NotContains(t, string(text), "crash point")
}
