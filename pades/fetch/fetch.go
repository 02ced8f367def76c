// Package fetch is an HTTP client for addresses that a stranger wrote: those of OCSP
// responders, revocation lists, issuers' certificates and clock services, as they stand in
// certificates.
//
// The one idea: the address is judged at the moment of connecting, after the name was
// resolved and for each redirect again, so that no name, notation or second answer of a
// name server leads into the own network (server-side request forgery). Beside that each
// call has one deadline and one size. What comes back is signed by somebody and is checked
// by the caller; this package says nothing about its truth.
package fetch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// Defaults of Client.
const (
	DefaultTimeout  = 10 * time.Second
	DefaultMaxBytes = 16 << 20 // the largest public revocation lists have some 10 MB
)

const (
	maxURL       = 2048
	maxRedirects = 2
	maxHeader    = 32 << 10
)

// Errors, to be looked for with errors.Is.
var (
	ErrForbidden = errors.New("fetch: the address is not allowed")
	ErrTooLarge  = errors.New("fetch: the answer is too large")
)

// StatusError is an HTTP answer other than 200.
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("fetch: the answer is HTTP status %d", e.Code)
}

// Client fetches. The zero value is ready and allows public addresses only; it may be used
// by several goroutines. It keeps no connections and no cookies and asks no proxy.
type Client struct {
	Allow    func(netip.Addr) bool // who may be connected to; nil: Public
	Timeout  time.Duration         // of a whole call with redirects and body; zero: DefaultTimeout
	MaxBytes int64                 // of the body; zero: DefaultMaxBytes
	Roots    *x509.CertPool        // for https; nil: the system's
	Resolver *net.Resolver         // nil: the system's
}

// Fetch gets address, or posts body with the content type if body is not nil, and gives the
// body of the answer. Addresses are http or https without user information, on port 80, 443
// or one from 1024 up. At most two redirects are followed; one that would turn a POST into a
// GET or leave https is an error.
func (c *Client) Fetch(ctx context.Context, address, contentType string, body []byte) ([]byte, error) {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	method, sent := http.MethodGet, io.Reader(http.NoBody)
	if body != nil {
		method, sent = http.MethodPost, bytes.NewReader(body)
	}
	if len(address) > maxURL {
		return nil, fmt.Errorf("%w: it has %d characters", ErrForbidden, len(address))
	}
	req, err := http.NewRequestWithContext(ctx, method, address, sent)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be read", ErrForbidden)
	}
	if err := checkURL(req.URL); err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "pades")
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	defer resp.Body.Close()
	return c.read(resp)
}

func (c *Client) read(resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, &StatusError{Code: resp.StatusCode}
	}
	limit := c.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, resp.ContentLength)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("fetch: read the answer: %w", err)
	}
	if int64(len(answer)) > limit {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return answer, nil
}

// http makes a client for one call: kept connections would be open to addresses that were
// judged by another call.
func (c *Client) http() *http.Client {
	allow := c.Allow
	if allow == nil {
		allow = Public
	}
	dialer := &net.Dialer{Resolver: c.Resolver, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || to.Addr().Zone() != "" || !allow(to.Addr().Unmap()) {
			return fmt.Errorf("%w: %s", ErrForbidden, address)
		}
		return nil
	}}
	one := new(http.Protocols)
	one.SetHTTP1(true)
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy:                  nil, // not the environment's: it would connect in our place
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
			Protocols:              one,
		},
	}
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("%w: more than %d redirects", ErrForbidden, maxRedirects)
	}
	if req.Method != via[0].Method {
		return fmt.Errorf("%w: the redirect drops what was sent", ErrForbidden)
	}
	if req.URL.Scheme != "https" && via[len(via)-1].URL.Scheme == "https" {
		return fmt.Errorf("%w: the redirect leaves https", ErrForbidden)
	}
	return checkURL(req.URL)
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%w: the scheme is %.20q", ErrForbidden, u.Scheme)
	case u.User != nil:
		return fmt.Errorf("%w: it carries a user name", ErrForbidden)
	case u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("%w: it names no host", ErrForbidden)
	case u.Port() == "" || u.Port() == "80" || u.Port() == "443":
		return nil
	}
	// Below 1024 live protocols that could be talked to in HTTP's clothes, such as mail.
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n < 1024 {
		return fmt.Errorf("%w: the port is %.20q", ErrForbidden, u.Port())
	}
	return nil
}
