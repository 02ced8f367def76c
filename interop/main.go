// Interop lets programs of others judge the files that package pades signs, and package pades
// the files of others: pyHanko, EU DSS and veraPDF. It makes people, authorities and a clock
// service on the loopback interface, signs samples of every kind, asks each judge what it
// thinks of each file, and prints one line a judge. pyHanko also signs through the simulator by
// its own client of the CSC API. Samples that are spoilt on purpose must
// fail, so that a judge that says yes to everything is found out.
//
// The judges are downloaded at the versions that are pinned beside them and kept in
// interop/.cache; that is why this is no part of the tests.
package main

import (
	"context"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	verbose := flag.Bool("v", false, "print each sample that passed, too")
	corpus := flag.String("corpus", "../shared/corpus", "folder of files to sign; without it only files made here are signed")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *corpus, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		stop()
		os.Exit(1)
	}
}

var errFailed = errors.New("a judge does not agree")

func run(ctx context.Context, corpus string, verbose bool) error {
	tools, err := install(ctx, "interop")
	if err != nil {
		return err
	}
	k, err := newKit(filepath.Join("interop", ".cache", "run"))
	if err != nil {
		return err
	}
	defer k.pki.Close()
	if err := k.signAll(corpus); err != nil {
		return err
	}
	if err := tools.sign(ctx, k); err != nil {
		return err
	}
	failed := 0
	for _, j := range []struct {
		name  string
		judge func(context.Context, *kit) ([]verdict, error)
	}{
		{"PADES", judgeOurselves}, {"PYHANKO", tools.pyHanko}, {"DSS", tools.dss}, {"VERAPDF", tools.veraPDF}, {"CSC", tools.csc},
	} {
		verdicts, err := j.judge(ctx, k)
		if err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		failed += report(j.name, verdicts, verbose)
	}
	if failed > 0 {
		return errFailed
	}
	return nil
}

// verdict is what came out for one sample; why is empty when it is as it should be.
type verdict struct{ sample, why string }

func report(name string, verdicts []verdict, verbose bool) (failed int) {
	for _, v := range verdicts {
		if v.why != "" {
			failed++
			fmt.Printf("  %s: %s: %s\n", name, v.sample, v.why)
		} else if verbose {
			fmt.Printf("  %s: %s: as it should be\n", name, v.sample)
		}
	}
	fmt.Printf("%s: %d passed, %d failed\n", name, len(verdicts)-failed, failed)
	return failed
}

func writePEM(path, kind string, ders ...[]byte) error {
	var out []byte
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
	}
	return os.WriteFile(path, out, 0o600)
}
