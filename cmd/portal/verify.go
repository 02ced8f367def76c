package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"countersign/pades"
)

// verify checks a file without network, database or account. Exit codes: 0 passed,
// 1 failed, 2 cannot tell, 3 no signature, 4 could not read or wrong usage.
func verify(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("portal verify", flag.ContinueOnError)
	rootsFile := flags.String("roots", "", "PEM file of the roots to trust; without it nobody is trusted")
	asJSON := flags.Bool("json", false, "print the whole result as JSON")
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: portal verify [-roots FILE] [-json] FILE")
		return 4
	}
	result, err := verifyFile(ctx, flags.Arg(0), *rootsFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "portal verify:", err)
		return 4
	}
	if *asJSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		err = out.Encode(result)
	} else {
		err = pades.WriteText(os.Stdout, result)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "portal verify:", err)
		return 4
	}
	return result.ExitCode()
}

func verifyFile(ctx context.Context, path, rootsFile string) (pades.Result, error) {
	roots, err := readRoots(rootsFile)
	if err != nil {
		return pades.Result{}, err
	}
	file, err := os.Open(path)
	if err != nil {
		return pades.Result{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return pades.Result{}, err
	}
	return pades.Verify(ctx, file, info.Size(), pades.VerifyOptions{Roots: roots})
}
