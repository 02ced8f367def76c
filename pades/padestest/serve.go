package padestest

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"io"
	"math/big"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"countersign/pades/fetch"
)

var client = fetch.Client{Allow: func(netip.Addr) bool { return true }}

// Fetch asks an address of a PKI, which is on this machine (a trust.Fetcher).
func Fetch(ctx context.Context, url, contentType string, body []byte) ([]byte, error) {
	return client.Fetch(ctx, url, contentType, body)
}

// Validity is how long lists and answers hold.
const Validity = 7 * 24 * time.Hour

// ServeHTTP answers /NAME.cer, /NAME.crl, /ocsp and /tsa.
func (p *PKI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.calls[r.URL.Path]++
	p.mu.Unlock()
	name, kind, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".")
	by := map[string]*Party{"root": p.Root, "people": p.People, "clocks": p.Clocks}[name]
	var body []byte
	var err error
	switch {
	case by != nil && kind == "cer":
		body = by.Cert.Raw
	case by != nil && kind == "crl":
		body, err = p.List(by)
	case name == "ocsp" || name == "tsa":
		var req []byte
		if req, err = io.ReadAll(io.LimitReader(r.Body, 1<<16)); err != nil {
			break
		}
		if name == "ocsp" {
			w.Header().Set("Content-Type", "application/ocsp-response")
			body, err = p.Answer(req)
		} else {
			w.Header().Set("Content-Type", "application/timestamp-reply")
			body, err = p.stampReply(req)
		}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = w.Write(body)
}

// List is the list of an authority's revoked certificates.
func (p *PKI) List(by *Party) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.now().Add(-p.lag).UTC()
	t := &x509.RevocationList{Number: big.NewInt(at.Unix()), ThisUpdate: at, NextUpdate: at.Add(Validity)}
	for serial, r := range p.revoked {
		n, _ := new(big.Int).SetString(serial, 10)
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: n, RevocationTime: r.at.UTC(), ReasonCode: r.reason})
	}
	return x509.CreateRevocationList(rand.Reader, t, by.Cert, by.Key)
}

// Answer is the responder's answer to an OCSP request about one of the people.
func (p *PKI) Answer(request []byte) ([]byte, error) {
	req, err := ocsp.ParseRequest(request)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.now().Add(-p.lag).UTC().Truncate(time.Second)
	t := ocsp.Response{Status: ocsp.Good, SerialNumber: req.SerialNumber, ThisUpdate: at, NextUpdate: at.Add(Validity),
		Certificate: p.Responder.Cert, IssuerHash: req.HashAlgorithm}
	if r, ok := p.revoked[req.SerialNumber.String()]; ok {
		t.Status, t.RevokedAt, t.RevocationReason = ocsp.Revoked, r.at.UTC(), r.reason
	}
	return ocsp.CreateResponse(p.People.Cert, p.Responder.Cert, t, p.Responder.Key)
}
