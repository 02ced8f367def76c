package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"countersign/pades"
)

// unreadable is the exit code for a file that could not be read or judged, and wrong usage.
const unreadable = 4

// verify prints what can be said of a file's signatures. The exit code is 0 when all are
// valid, 1 when one is not, 2 when that cannot be told, 3 without a signature, 4 on trouble.
func verify(args []string) int {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	rootFile := flags.String("roots", "", "PEM `file` of trusted issuers; without it no signature can pass")
	asJSON := flags.Bool("json", false, "print JSON")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: pades verify [-roots roots.pem] [-json] FILE")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return unreadable
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return unreadable
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	result, err := verifyFile(ctx, flags.Arg(0), *rootFile)
	if err == nil {
		if *asJSON {
			enc := json.NewEncoder(os.Stdout)
			enc.SetIndent("", "  ")
			err = enc.Encode(result)
		} else {
			err = pades.WriteText(os.Stdout, result)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "pades verify: %v\n", err)
		return unreadable
	}
	return result.ExitCode()
}

func verifyFile(ctx context.Context, name, rootFile string) (pades.Result, error) {
	roots, err := readRoots(rootFile)
	if err != nil {
		return pades.Result{}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return pades.Result{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return pades.Result{}, err
	}
	return pades.Verify(ctx, f, info.Size(), pades.VerifyOptions{Roots: roots})
}

func readRoots(name string) (*x509.CertPool, error) {
	if name == "" {
		return nil, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", name)
	}
	return pool, nil
}
