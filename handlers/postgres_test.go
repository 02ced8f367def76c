package handlers_test

import (
	"bufio"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
)

// onceIsEnough are tests that measure memory and waiting, or how a file or a body is read: rows
// play no part in them, and they are the longest.
var onceIsEnough = []string{
	"TestAThousandSlowSendersKeepNobodyWaiting", "TestALargeUploadNeedsLittleMemory", "TestABombIsReadNoFurtherThanItsLimits",
	"TestThePublicPageTakesAHundredMegabytesToTheByte",
	"TestABrokenFileIsSignedWholeOrRefused", "TestAFileThatIsTwoThingsIsGivenOutAsAPDF", "TestActiveContentsAreToldOnThePage",
	"TestAFormWithoutAFileIsSmall", "TestABodyThatIsNotWhatWasSaidIsRefused", "TestWorkAfterTheBodyMayTakeItsTime", "TestNoFormIsParsedAhead",
	"TestALockedDatabaseIsWaitedForThenSaidAndLosesNothing", "TestAPostgreSQLServerThatFailsLosesNothing",
	"TestADiskThatIsFullTakesNothingAndRecovers", // these choose their own
}

// Every other test of the edge runs a second time, in a process of its own, with its sites
// on PostgreSQL. One alone: COUNTERSIGN_TEST_DATABASE=postgres go test ./handlers -run TestName
func TestEverythingHoldsOnPostgreSQL(t *testing.T) {
	const self = "TestEverythingHoldsOnPostgreSQL"
	if os.Getenv(handlerstest.Variable) != "" {
		t.Skip("the database is chosen by " + handlerstest.Variable)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.v=test2json", "-test.skip=^("+self+"|"+strings.Join(onceIsEnough, "|")+")$", "-test.timeout=15m")
	child.Env = append(os.Environ(), handlerstest.Variable+"=postgres")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	child.Stderr = child.Stdout
	require.NoError(t, child.Start())

	result := regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (Test\w+) `)
	var said strings.Builder // since the test that runs began
	ran, failed := 0, false
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if i := strings.LastIndexByte(line, 0x16); i >= 0 { // marks what is the test program's own word
			line = line[i+1:]
		}
		if strings.HasPrefix(line, "=== RUN   ") && !strings.Contains(line, "/") {
			said.Reset()
		}
		said.WriteString(line)
		if m := result.FindStringSubmatch(line); m != nil {
			t.Run(m[2], func(t *testing.T) {
				switch m[1] {
				case "FAIL":
					t.Error("on PostgreSQL:\n" + said.String())
				case "SKIP":
					t.Skip(said.String())
				}
			})
			ran, failed = ran+1, failed || m[1] == "FAIL"
		}
		if err != nil {
			break
		}
	}
	if err := child.Wait(); err != nil && !failed {
		t.Error("the tests on PostgreSQL ended early:", err, "\n"+said.String())
	}
	require.Greater(t, ran, 60)
}
