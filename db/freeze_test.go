package db_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// freeze stops a process where it is, and answers when it stands still.
func freeze(t *testing.T, p *os.Process) (thaw func()) {
	t.Helper()
	require.NoError(t, p.Signal(syscall.SIGSTOP))
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid))
		return err == nil && strings.Contains(string(stat), ") T ")
	}, 5*time.Second, 100*time.Microsecond)
	return func() { require.NoError(t, p.Signal(syscall.SIGCONT)) }
}
