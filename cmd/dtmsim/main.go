// Command dtmsim runs the simulator of DigiCert ONE Document Trust Manager as a
// program of its own: APIs, certification authority, mailbox, phone and proofing desk
// on one address. See docs/simulator.md.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"countersign/dtmsim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dtmsim:", err)
		os.Exit(1)
	}
}

// settings are what the command line says.
type settings struct {
	dtmsim.Options
	addr, mtls string
	anywhere   bool
}

func (s *settings) flags(out io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet("dtmsim", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&s.addr, "addr", "127.0.0.1:8081", "address to listen on")
	fs.StringVar(&s.mtls, "mtls-addr", "", "address of a second listener, with TLS and client certificates, as DigiCert's clientauth. hosts; fetch a certificate from /sim/v1/client.pem")
	fs.BoolVar(&s.anywhere, "anywhere", false, "allow an address beyond this machine")
	s.Flags(fs)
	fs.Usage = func() {
		fmt.Fprint(out, help)
		fs.PrintDefaults()
	}
	return fs
}

const help = `Usage: dtmsim [flags]

Stands in for DigiCert ONE Document Trust Manager and its signing service (CSC 1.0.4.0, and
0.1.7.9), with a certification authority, OCSP, CRLs, a time stamping authority, a mailbox, a
phone, a proofing desk and a switchboard for trouble. Open the address in a browser.

It is no trust service: its signatures prove nothing, keys lie in memory or in plain files, and
it guards nothing. What DigiCert has not published is assumed. It has one OAuth client, no CSC
2.x, no media signing, and none of the real service's limits. Live authorizations, access
tokens, scripted trouble and the hostile mode do not survive a restart. Where to find what, and
what else it does not do: docs/simulator.md.

Flags:
`

// listenTLS opens the listener that takes client certificates.
func listenTLS(sim *dtmsim.Sim, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	c, err := sim.ServerTLS(host)
	if err != nil {
		return nil, err
	}
	return tls.Listen("tcp", addr, c)
}

func run(ctx context.Context, args []string, out, trouble io.Writer) error {
	var set settings
	fs := set.flags(trouble)
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%q is no flag; see dtmsim -h", fs.Arg(0))
	}
	o := set.Options
	o.Log = slog.New(slog.NewTextHandler(trouble, nil))
	for _, a := range []string{set.addr, set.mtls} {
		if a != "" && !set.anywhere && !dtmsim.IsLoopback(a) {
			return fmt.Errorf("%s can be reached from other machines; the simulator guards nothing. Say -anywhere if that is meant", a)
		}
	}
	l, err := net.Listen("tcp", set.addr)
	if err != nil {
		return err
	}
	if o.BaseURL == "" {
		o.BaseURL = "http://" + l.Addr().String()
	}
	sim, err := dtmsim.New(o)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "simulator on %s (API key %s, OAuth client %s)\n", o.BaseURL, sim.Options().APIKey, sim.Options().ClientID)
	if o.Hostile != 0 {
		fmt.Fprintf(out, "hostile: any call may meet trouble, drawn from the seed %d\n", o.Hostile)
	}
	srv := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 2)
	go func() { ended <- srv.Serve(l) }()
	if set.mtls != "" {
		tl, err := listenTLS(sim, set.mtls)
		if err != nil {
			return errors.Join(err, srv.Close(), sim.Close())
		}
		fmt.Fprintf(out, "client certificates are taken on https://%s\n", tl.Addr())
		go func() { ended <- srv.Serve(tl) }()
	}
	select {
	case err = <-ended:
	case <-ctx.Done():
		bye, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = srv.Shutdown(bye) // a phone that nobody answers may hold it; then it is cut
		_ = srv.Close()
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, sim.Close())
}
