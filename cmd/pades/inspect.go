package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"countersign/pades"
)

func inspect(args []string, out, errs io.Writer) error {
	fs := flag.NewFlagSet("inspect", flag.ContinueOnError)
	fs.SetOutput(errs)
	asJSON := fs.Bool("json", false, "print JSON")
	if fs.Parse(args) != nil || fs.NArg() != 1 {
		return flag.ErrHelp
	}
	f, err := os.Open(fs.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	rep, err := pades.Inspect(f, st.Size())
	var refused *pades.Refusal
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	if *asJSON {
		v := struct {
			pades.Report
			Refused string `json:",omitempty"`
		}{Report: rep}
		if refused != nil {
			v.Refused = refused.Code
		}
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return err
		}
		return err
	}
	fmt.Fprintf(out, "version     %s\npages       %d\nsignatures  %d\n", rep.Version, rep.Pages, rep.Signatures)
	if rep.Certified > 0 {
		fmt.Fprintf(out, "certified   permission %d\n", rep.Certified)
	}
	if len(rep.Notices) > 0 {
		fmt.Fprintf(out, "notices     %s\n", strings.Join(rep.Notices, ", "))
	}
	return err
}
