// Command pades signs, inspects and verifies PDF files with the engine the portal uses.
// It signs with a key in a file, for tests and for trying out what a file does; the
// portal's keys never leave Document Trust Manager.
//
// Exit codes of sign and inspect: 0 done, 3 the file cannot be signed, 4 could not read
// or wrong usage. Those of verify are its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"countersign/pades"
)

const usage = `usage:
  pades sign -cert chain.pem -key key.pem [-tsa URL] [-level B-B|B-T] [-hash 256|384|512] [-pss]
             [-field NAME] [-name TEXT] [-reason TEXT] [-location TEXT] [-certify 1|2|3] IN OUT
  pades inspect [-json] FILE
  pades verify [-roots roots.pem] [-json] FILE
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(errs, usage)
		return 4
	}
	var err error
	switch args[0] {
	case "sign":
		err = sign(args[1:], out, errs)
	case "inspect":
		err = inspect(args[1:], out, errs)
	case "verify":
		return verify(args[1:])
	default:
		err = flag.ErrHelp
	}
	var refused *pades.Refusal
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(errs, usage)
		return 4
	case errors.As(err, &refused):
		fmt.Fprintln(errs, "cannot be signed:", refused)
		return 3
	}
	fmt.Fprintln(errs, "pades:", err)
	return 4
}
