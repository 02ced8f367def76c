package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
)

const (
	numbersAt = "COUNTERSIGN_TEST_NUMBERS_AT" // address of the database that a second process numbers
	toNumber  = 1500
)

// numberAll numbers until the tree has toNumber entries, and answers how many it did itself
// and how often another was first.
func numberAll(t *testing.T, d *db.DB) (mine, lost int) {
	t.Helper()
	tree := &audit.Tree{Store: d.AuditTree(), Signer: signer(t, 7)}
	for {
		n, err := tree.Number(t.Context())
		mine += n
		if errors.Is(err, db.ErrTreeMoved) {
			lost++
			continue
		}
		require.NoError(t, err)
		cp, err := d.AuditTree().LastCheckpoint(t.Context())
		require.NoError(t, err)
		if cp.Size >= toNumber {
			return mine, lost
		}
	}
}

// TestNumberInAnotherProcess is the second process of the test below.
func TestNumberInAnotherProcess(t *testing.T) {
	address := os.Getenv(numbersAt)
	if address == "" {
		t.Skip("runs as a process of the test that follows")
	}
	mine, lost := numberAll(t, dbtest.Open(t, address))
	fmt.Printf("numbered %d lost %d\n", mine, lost)
}

func TestTwoProcessesAtOnceMakeOneTree(t *testing.T) {
	address := dbtest.PostgresURL(t)
	d := dbtest.Open(t, address)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	other := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestNumberInAnotherProcess$", "-test.v")
	other.Env = append(os.Environ(), numbersAt+"="+address)
	var said strings.Builder
	other.Stdout, other.Stderr = &said, &said
	require.NoError(t, other.Start())
	go func() {
		for i := range toNumber / 3 {
			_ = d.Audit().Write(ctx, audit.Entry{Action: "a.b", Subject: fmt.Sprint(i)}, audit.Entry{Action: "a.c"}, audit.Entry{Action: "a.d"})
			time.Sleep(2 * time.Millisecond) // leaves turns to both
		}
	}()
	mine, lost := numberAll(t, d)
	require.NoError(t, other.Wait(), "%s", &said)
	var theirs, theyLost int
	_, numbers, _ := strings.Cut(said.String(), "numbered ")
	_, err := fmt.Sscanf(numbers, "%d lost %d", &theirs, &theyLost)
	require.NoError(t, err, said.String())
	t.Logf("this process numbered %d and lost %d races, the other %d and %d", mine, lost, theirs, theyLost)
	require.Equal(t, toNumber, mine+theirs, "each entry once")
	require.NotZero(t, mine)
	require.NotZero(t, theirs, "both took part")
	tree := &audit.Tree{Store: d.AuditTree()}
	n, err := tree.Check(ctx, d.AuditTree())
	require.NoError(t, err)
	require.EqualValues(t, toNumber, n)
}
