// Portal is Countersign's one program: it serves the site, migrates its database, tells
// its health and its configuration, finds what is amiss, and verifies signed files offline.
// This package only wires; it is the only one that reads the environment.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the image has no list of time zones, and TZ may name one
)

const usage = `portal <command>

  serve                                start the site (configuration from the environment)
  migrate                              bring the database to this program's schema
  health [URL]                         exit 0 when the site answers that it is ready
  doctor [-json]                       try out everything the site stands on, and say what to do; more with -h
  fsck [-quick] [-json] [-ledger FILE] check that all that is stored is as it must be; writes nothing
  config [-markdown]                   print the configuration in force, or the reference of it
  verify [-roots FILE] [-json] FILE    check the signatures of a PDF, offline
  receipt verify FILE                  check a receipt of the audit log, offline; more with -h
  audit key | export | verify          the log's keys, the log as a file, and whether such a file holds
  version                              what this program is

Configuration is described in docs/configuration.md.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return 4
	}
	switch command, rest := args[0], args[1:]; command {
	case "serve":
		return fail(serve(ctx))
	case "migrate":
		return fail(migrate(ctx))
	case "health":
		return fail(health(ctx, rest))
	case "doctor":
		return examine(ctx, rest, os.Stdout)
	case "fsck":
		return fsck(ctx, rest, os.Stdout)
	case "config":
		return tellConfig(rest)
	case "verify":
		return verify(ctx, rest)
	case "receipt":
		return receipt(rest)
	case "audit":
		return auditCommand(ctx, rest)
	case "version":
		fmt.Println(version())
		return 0
	case "help", "-h", "--help":
		fmt.Print(usage)
		return 0
	}
	fmt.Fprint(os.Stderr, usage)
	return 4
}

// fail prints the sentence of an error and answers the exit code.
func fail(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "portal:", err)
	return 1
}
