package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	dialWait = 4 * time.Second
	endsSoon = 21 * 24 * time.Hour // a certificate of a server should have been renewed by then
)

// place is where something far away is reached, and which settings say so.
type place struct {
	address      string // scheme://host, with a port or without
	setting      string
	roots        *x509.CertPool // nil: this machine's
	rootsSetting string
	certificates []tls.Certificate
}

// reach resolves the name, connects to each address, and looks at the certificate that is shown.
func (d *doctor) reach(ctx context.Context, f *finding, p place) {
	u, err := url.Parse(p.address)
	if err != nil || u.Hostname() == "" {
		f.say(bad, "%s is not an address. Set %s right.", p.address, p.setting)
		return
	}
	secure := u.Scheme == "https" || u.Scheme == "smtps"
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80", "smtps": "465", "smtp": "587"}[u.Scheme]
	}
	host := u.Hostname()
	if proxy := proxyFor(u); proxy != nil {
		f.say(ok, "the way to %s goes through the proxy %s, as HTTPS_PROXY says; it resolves the name.", host, proxy.Host)
		host, port, secure = proxy.Hostname(), portOf(proxy), false
		p.setting = "HTTPS_PROXY"
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown) && unknown.IsNotFound:
		f.say(bad, "the name %s does not resolve. Correct it in %s, or let this machine ask a name server that knows it.", host, p.setting)
		return
	case err != nil:
		f.say(bad, "the name %s cannot be looked up: %s. Let this machine reach a name server.", host, cause(err))
		return
	}
	var up, down []string
	var conn net.Conn
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, a := range addresses[:min(len(addresses), 8)] {
		all.Go(func() {
			c, err := (&net.Dialer{Timeout: dialWait}).DialContext(ctx, "tcp", net.JoinHostPort(a.Unmap().String(), port))
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				down = append(down, fmt.Sprintf("%s (%s)", a.Unmap(), plainDial(err)))
				return
			case conn == nil:
				conn = c
			default:
				c.Close()
			}
			up = append(up, a.Unmap().String())
		})
	}
	all.Wait()
	if conn == nil {
		f.say(bad, "nothing can be reached at %s port %s: %s. Set %s right, or let this machine reach it (firewall, routing, a proxy in HTTPS_PROXY).", host, port, strings.Join(down, ", "), p.setting)
		return
	}
	defer conn.Close()
	if len(down) > 0 {
		f.say(warn, "of the addresses of %s, %s cannot be reached. Every now and then a call will have to try twice; a network without IPv6 should not resolve to it.", host, strings.Join(down, ", "))
	}
	f.say(ok, "%s is at %s, and port %s is open.", host, strings.Join(up, ", "), port)
	if secure {
		d.handshake(ctx, f, p, conn, u.Hostname())
	}
}

// handshake shows the certificate also where it does not hold: what is wrong with it is the point.
func (d *doctor) handshake(ctx context.Context, f *finding, p place, conn net.Conn, host string) {
	client := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, Certificates: p.certificates, NextProtos: []string{"http/1.1"},
		InsecureSkipVerify: true}) //nolint:gosec // verified below, and nothing is sent
	if err := client.HandshakeContext(ctx); err != nil {
		f.say(bad, "TLS with %s does not come about: %s. It must speak TLS 1.2 or 1.3; something between here and there may break it.", host, cause(err))
		return
	}
	state := client.ConnectionState()
	leaf := state.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: p.roots, Intermediates: between, CurrentTime: d.now()})
	var dates x509.CertificateInvalidError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	whose := "this machine's roots"
	if p.roots != nil {
		whose = "the roots of " + p.rootsSetting
	}
	switch until := leaf.NotAfter.Format(time.DateOnly); {
	case errors.As(err, &dates) && dates.Reason == x509.Expired:
		f.say(bad, "its TLS certificate holds from %s to %s only. Whoever runs it has to renew it, unless this machine's clock is wrong.", leaf.NotBefore.Format(time.DateOnly), until)
	case errors.As(err, &name):
		f.say(bad, "its TLS certificate is for %s, not for %s. Correct the name in %s.", strings.Join(leaf.DNSNames, ", "), host, p.setting)
	case errors.As(err, &authority):
		last := state.PeerCertificates[len(state.PeerCertificates)-1]
		then := "Add that root to this machine's (SSL_CERT_FILE)"
		if p.rootsSetting != "" {
			then = "Give that root in " + p.rootsSetting
		}
		f.say(bad, "its TLS certificate leads to %q, which is not among %s. %s if it is to be trusted; a proxy that opens TLS shows one of its own.", last.Issuer.String(), whose, then)
	case err != nil:
		f.say(bad, "its TLS certificate does not hold: %s.", cause(err))
	default:
		top := chains[0][len(chains[0])-1]
		f.say(ok, "%s; the certificate holds until %s and leads to %q of %s.", tls.VersionName(state.Version), until, top.Subject.String(), whose)
		if d.now().Add(endsSoon).After(leaf.NotAfter) {
			f.say(warn, "its TLS certificate ends on %s. Whoever runs it has to renew it.", until)
		}
	}
}

// proxyFor is the proxy that calls go through, if any; mail takes none.
func proxyFor(u *url.URL) *url.URL {
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil {
		return nil
	}
	return proxy
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// plainDial is why a connection failed, without the addresses that stand beside it already.
func plainDial(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil && !op.Timeout() {
		err = op.Err
	}
	return cause(err)
}
