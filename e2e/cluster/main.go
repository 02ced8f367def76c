// Cluster runs a throw-away PostgreSQL server for the browser's journeys: it prints the
// server's address and ends, leaving nothing behind, when its standard input does.
package main

import (
	"fmt"
	"io"
	"os"

	"countersign/db/pgcluster"
)

func main() {
	c, err := pgcluster.Start(true)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
	fmt.Println(c.URL("postgres"))
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := c.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}
