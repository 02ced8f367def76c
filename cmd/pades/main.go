// Command pades signs, extends, inspects and verifies PDF files with the engine the portal
// uses. It signs with a key in a file, for tests and for trying out what a file does; the
// portal's keys never leave Document Trust Manager.
//
// Each command is a row of one table with its flags; help and shell completion are made
// from the same table, so that they cannot say different things.
//
// Exit codes of sign, extend and inspect: 0 done, 3 the file cannot be signed, 4 could not
// read or write, or wrong usage. Of verify: 0 all signatures are valid, 1 one is not,
// 2 that cannot be told, 3 no signature, 4 could not read or wrong usage; for several
// files the first of 4, 1, 2, 3 that one of them has.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"countersign/pades"
)

const trouble = 4

// command is one row of the table.
type command struct {
	name, args, does string
	more             string                     // for help
	flags            func(*flag.FlagSet) action // registers the flags and gives what runs with them
	words            []string                   // what the argument can be, when it is no file
}

// action runs a command; the code counts when there is no error.
type action func(ctx context.Context, c *call) (code int, err error)

// call is one use of a command.
type call struct {
	args      []string
	out, errs io.Writer
	terminal  bool // errs is one
}

var errUsage = errors.New("wrong usage")

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUsage}, args...)...)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends at once: what stands half-done is a temporary file.
	context.AfterFunc(ctx, stop)
	code := run(ctx, &call{args: os.Args[1:], out: os.Stdout, errs: os.Stderr, terminal: isTerminal(os.Stderr)})
	stop()
	os.Exit(code)
}

func run(ctx context.Context, c *call) int {
	if len(c.args) == 0 {
		fmt.Fprint(c.errs, overview())
		return trouble
	}
	cmd := lookUp(c.args[0])
	if cmd == nil {
		fmt.Fprintf(c.errs, "pades: there is no command %q\n\n%s", c.args[0], overview())
		return trouble
	}
	fs := flag.NewFlagSet(cmd.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	act := cmd.flags(fs)
	err := fs.Parse(c.args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(c.out, cmd.help())
		return 0
	}
	code := 0
	if err != nil {
		err = usagef("%v", err)
	} else {
		c.args = fs.Args()
		code, err = act(ctx, c)
	}
	var refused *pades.Refusal
	switch {
	case err == nil:
		return code
	case ctx.Err() != nil:
		fmt.Fprintln(c.errs, "pades: interrupted")
	case errors.Is(err, errUsage):
		fmt.Fprintf(c.errs, "pades %s: %s\n\n%s", cmd.name, strings.TrimPrefix(err.Error(), errUsage.Error()+": "), cmd.usage())
	case errors.As(err, &refused):
		fmt.Fprintln(c.errs, "cannot be signed:", refused)
		return 3
	default:
		fmt.Fprintf(c.errs, "pades %s: %v\n", cmd.name, err)
	}
	return trouble
}
