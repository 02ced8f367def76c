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
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "dtmsim:", err)
		os.Exit(1)
	}
}

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

func run() error {
	o := dtmsim.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	addr := flag.String("addr", "127.0.0.1:8081", "address to listen on")
	mtls := flag.String("mtls-addr", "", "address of a second listener, with TLS and client certificates, as DigiCert's clientauth. hosts; fetch a certificate from /sim/v1/client.pem")
	anywhere := flag.Bool("anywhere", false, "allow an address beyond this machine")
	o.Flags(flag.CommandLine)
	flag.Parse()
	for _, a := range []string{*addr, *mtls} {
		if a != "" && !*anywhere && !dtmsim.IsLoopback(a) {
			return fmt.Errorf("%s can be reached from other machines; the simulator guards nothing. Say -anywhere if that is meant", a)
		}
	}
	l, err := net.Listen("tcp", *addr)
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
	fmt.Printf("simulator on %s (API key %s, OAuth client %s)\n", o.BaseURL, sim.Options().APIKey, sim.Options().ClientID)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	srv := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 2)
	go func() { ended <- srv.Serve(l) }()
	if *mtls != "" {
		tl, err := listenTLS(sim, *mtls)
		if err != nil {
			return errors.Join(err, srv.Close(), sim.Close())
		}
		fmt.Printf("client certificates are taken on https://%s\n", tl.Addr())
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
