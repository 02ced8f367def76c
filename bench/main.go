// Bench measures the portal as it is shipped: the stripped program as a child of this one,
// over real HTTP, with the simulator, the login provider and the load on the same machine;
// and the engine by itself, as a program and as a library, beside what others have.
//
// Each figure is held against a limit of the machine that is measured in the same run, so
// that it says the same on a slow machine and on a fast one; where two things are compared,
// they take turns. It writes bench/results.md and bench/results.json.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	dir    string // everything goes here and is removed at the end
	portal string // the program, stripped
	short  bool
	report report
}

// parts of the run, in order; each fills in figures.
var parts = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"start", measureStart},
	{"upload", measureUpload},
	{"pages", measurePages},
	{"growth-sqlite", func(ctx context.Context, b *bench) error { return measureGrowth(ctx, b, "SQLite") }},
	{"growth-postgresql", func(ctx context.Context, b *bench) error { return measureGrowth(ctx, b, "PostgreSQL") }},
	{"flood", measureFlood},
	{"signing", measureSigning},
	{"foreign", measureForeign},
	{"engine", measureEngine},
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "hello" {
		serveHello(os.Args[2])
		return
	}
	only := flag.String("only", "", "regular expression of the parts to run: start, upload, pages, growth-sqlite, growth-postgresql, flood, signing, foreign, engine")
	short := flag.Bool("short", false, "a hundredth of the data: to see that it runs, not to measure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *short); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, short bool) error {
	which, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	b := &bench{short: short}
	if b.dir, err = os.MkdirTemp("", "countersign-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(ctx); err != nil {
		return err
	}
	if err := b.report.describeMachine(ctx); err != nil {
		return err
	}
	for _, p := range parts {
		if !which.MatchString(p.name) {
			continue
		}
		fmt.Printf("== %s\n", p.name)
		begin := time.Now()
		if err := p.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Printf("   %s took %s\n", p.name, time.Since(begin).Round(time.Second))
	}
	if short {
		fmt.Println("A short run measures nothing: bench/results.* are left as they were.")
		return nil
	}
	return b.report.write("bench", only == "")
}

// build makes the program as `make build` does.
func (b *bench) build(ctx context.Context) error {
	b.portal = filepath.Join(b.dir, "portal")
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", b.portal, "./cmd/portal")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build the portal: %w\n%s", err, out)
	}
	return nil
}

// size is n, or a hundredth of it in a short run, at least least.
func (b *bench) size(n, least int) int {
	if b.short {
		return max(n/100, least)
	}
	return n
}
