package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"countersign/dtmsim"
	"countersign/idpsim"
)

const clientID = "countersign-demo"

// ports are the three addresses of a demo. The portal's is only tried and let go, since
// the child has to take it.
type ports struct {
	portal        int
	sim, provider net.Listener
}

func openPorts(ctx context.Context, first int) (*ports, error) {
	p := &ports{portal: first}
	probe, err := listen(ctx, first)
	if err != nil {
		return nil, err
	}
	probe.Close()
	if p.sim, err = listen(ctx, first+1); err != nil {
		return nil, err
	}
	if p.provider, err = listen(ctx, first+2); err != nil {
		p.sim.Close()
		return nil, err
	}
	return p, nil
}

func listen(ctx context.Context, port int) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is taken by another program. The demo needs three ports in a row; choose others with: make demo DEMO_PORT=9090", port)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on port %d: %w", port, err)
	}
	return l, nil
}

func (p *ports) portalAddress() string { return fmt.Sprintf("127.0.0.1:%d", p.portal) }

func (p *ports) close() {
	p.sim.Close()
	p.provider.Close()
}

// farSide is what the portal talks to.
type farSide struct {
	portalURL, simURL, providerURL string
	roots                          string // path of the simulator's root certificate
	sim                            *dtmsim.Sim
	servers                        []*http.Server
}

func startFarSide(o options, p *ports, k keys) (*farSide, error) {
	f := &farSide{
		portalURL:   fmt.Sprintf("http://localhost:%d", p.portal),
		simURL:      fmt.Sprintf("http://localhost:%d", p.portal+1),
		providerURL: fmt.Sprintf("http://localhost:%d", p.portal+2),
		roots:       filepath.Join(o.data, "roots.pem"),
	}
	log := slog.New(slog.DiscardHandler)
	settings := dtmsim.Options{BaseURL: f.simURL, APIKey: k.DTM, ClientSecret: k.DTMClient, IssuanceDelay: 2 * time.Second, Log: log}
	if o.keep {
		settings.Data = filepath.Join(o.data, "simulator")
	}
	if o.fast {
		settings.FastKeys, settings.RSABits, settings.IssuanceDelay = true, 2048, time.Second
	}
	sim, err := dtmsim.New(settings)
	if err != nil {
		return nil, err
	}
	f.sim = sim
	if err := os.WriteFile(f.roots, []byte(sim.RootPEM()), 0o600); err != nil {
		return nil, err
	}
	provider, err := idpsim.New(idpsim.Options{
		Issuer: f.providerURL, ClientID: clientID, ClientSecret: k.Login,
		RedirectURIs: []string{f.portalURL + "/auth/callback"}, PostLogoutURIs: []string{f.portalURL + "/signed-out"},
		BackChannelURI: f.portalURL + "/auth/backchannel-logout", DataDir: filepath.Join(o.data, "login"), Log: log,
	})
	if err != nil {
		return nil, err
	}
	f.serve(p.sim, sim)
	f.serve(p.provider, provider.Handler())
	return f, nil
}

func (f *farSide) serve(l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	f.servers = append(f.servers, server)
	go func() { _ = server.Serve(l) }() // ends with stop
}

func (f *farSide) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for _, server := range f.servers {
		_ = server.Shutdown(ctx)
		_ = server.Close()
	}
	_ = f.sim.Close()
}
