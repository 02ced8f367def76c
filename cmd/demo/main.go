// Demo starts the whole world on one machine: the simulator of DTM, a login provider,
// and then the unchanged portal as a child with ordinary configuration. It exists so that
// somebody with Go and make sees a document signed within minutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

type options struct {
	port   int
	data   string
	keep   bool // the folder was named, so it outlives the demo
	portal string
	fast   bool
	hold   time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, readOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func readOptions() options {
	var o options
	flag.IntVar(&o.port, "port", 8080, "port of the portal; the simulator and the login provider take the next two")
	flag.StringVar(&o.data, "data", "", "folder that keeps everything; empty: a clean start, nothing kept")
	flag.StringVar(&o.portal, "portal", beside("portal"), "the portal program")
	flag.BoolVar(&o.fast, "fast", false, "small keys, short waits and short undo: for tests")
	flag.DurationVar(&o.hold, "hold", 20*time.Second, "how long an approval can be undone")
	flag.Parse()
	o.keep = o.data != ""
	if o.fast {
		o.hold = 3 * time.Second
	}
	return o
}

// beside is a program in the folder this one was started from.
func beside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

func run(ctx context.Context, o options) (err error) {
	if os.Getenv("DATABASE_URL") != "" && !o.keep { // perhaps it was set for another program
		return errors.New("DATABASE_URL is set, and its rows would outlive the keys and files of this demo. Give a folder for these with DATA=demo-data, or unset it")
	}
	ports, err := openPorts(ctx, o.port)
	if err != nil {
		return err
	}
	defer ports.close()
	if !o.keep {
		if o.data, err = os.MkdirTemp("", "countersign-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.data)
	}
	if o.data, err = filepath.Abs(o.data); err != nil {
		return err
	}
	keys, err := readKeys(o.data)
	if err != nil {
		return err
	}
	far, err := startFarSide(o, ports, keys)
	if err != nil {
		return err
	}
	defer far.stop()
	portal, err := startPortal(o, ports, keys, far)
	if err != nil {
		return err
	}
	if err := portal.ready(ctx, "http://"+ports.portalAddress()+"/readyz"); err != nil {
		portal.stop()
		return err
	}
	welcome(o, far)
	select {
	case <-ctx.Done():
		fmt.Println("\nStopping: the portal finishes what is running.")
		return portal.stop()
	case err := <-portal.ended:
		return fmt.Errorf("the portal ended by itself (%v); its log is %s", err, portal.log)
	}
}

func welcome(o options, far *farSide) {
	fmt.Printf(`
Countersign is running.

  Open             %s
  Sign in as       Ada or Ben (signers), Cleo (admin), Dora (auditor): no password
  Mail arrives at  %s/mailbox
  Codes arrive at  %s/phone
  Proofing desk    %s/desk   (plays the people who check papers)
  Trouble          %s/switchboard   (the clock is down, an answer is lost, …: see what comes of it)
`, far.portalURL, far.simURL, far.simURL, far.simURL, far.simURL)
	if o.keep {
		fmt.Printf("  Kept in          %s\n", o.data)
	} else {
		fmt.Println("  Nothing is kept. Give a folder to keep everything: make demo DATA=demo-data")
	}
	fmt.Print(`
DigiCert is played by a simulator: nothing signed here counts. Ctrl-C stops.
`)
}
