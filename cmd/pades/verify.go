package main

import (
	"fmt"
	"io"
)

func verify(_ []string, _, errs io.Writer) int {
	fmt.Fprintln(errs, "pades: verify is not there yet")
	return 4
}
