// Package padestest is a small public key infrastructure for tests of signing and verifying:
// a root, an authority for people, one for clock services, a delegated OCSP responder, lists
// of revoked certificates, and a clock service, all reachable over HTTP and on a clock that
// the test sets. Certificates say where their issuer, list and responder are found, so that
// a client collects validation data from it as from a real one.
//
// It is strict in what it issues and simple in what it answers. Tests of how odd answers are
// taken make those themselves.
package padestest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/http/httptest"
	"sync"
	"time"
)

// PKI is the infrastructure. Its fields may be read at any time; Now is set with SetTime.
type PKI struct {
	Root, People, Clocks *Party // authorities
	Responder            *Party // answers for People; its certificate carries id-pkix-ocsp-nocheck
	Clock                *Party // signs timestamps
	URL                  string // of the server

	server *httptest.Server

	mu      sync.Mutex
	at      time.Time // zero: the present
	serial  int64
	revoked map[string]revocation
	lag     time.Duration
	calls   map[string]int
}

// Party is a certificate with its key, and the certificates above it.
type Party struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	Up   []*x509.Certificate // issuer first, the root last
}

// Chain is the certificate and those above it, leaf first.
func (p *Party) Chain() []*x509.Certificate { return append([]*x509.Certificate{p.Cert}, p.Up...) }

type revocation struct {
	at     time.Time
	reason int
}

// Life of the authorities' and the clock service's certificates, from a day before New on.
const (
	RootLife  = 30 * 365 * 24 * time.Hour
	CALife    = 20 * 365 * 24 * time.Hour
	ClockLife = 10 * 365 * 24 * time.Hour
	LeafLife  = 365 * 24 * time.Hour
)

// New makes the infrastructure and starts its server on the loopback interface.
func New() *PKI {
	p := &PKI{serial: 100, revoked: map[string]revocation{}, calls: map[string]int{}}
	p.server = httptest.NewServer(p)
	p.URL = p.server.URL
	p.Root = p.issue("Test Root", nil, Key(), func(c *x509.Certificate) { authority(c, RootLife) })
	p.People = p.issue("Test People Authority", p.Root, Key(), func(c *x509.Certificate) {
		authority(c, CALife)
		p.distribution(c, "root", false)
	})
	p.Clocks = p.issue("Test Clock Authority", p.Root, Key(), func(c *x509.Certificate) {
		authority(c, CALife)
		p.distribution(c, "root", false)
	})
	p.Responder = p.issue("Test Responder", p.People, Key(), func(c *x509.Certificate) {
		c.NotAfter = c.NotBefore.Add(ClockLife)
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}}
	})
	p.Clock = p.IssueClock("Test Clock", Key())
	return p
}

// Close stops the server.
func (p *PKI) Close() { p.server.Close() }

// Roots is a pool with the root.
func (p *PKI) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Root.Cert)
	return pool
}

// Now is the infrastructure's time.
func (p *PKI) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now()
}

func (p *PKI) now() time.Time {
	if p.at.IsZero() {
		return time.Now()
	}
	return p.at
}

// SetTime moves the clock; the zero time is the present.
func (p *PKI) SetTime(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
}

// Lag makes lists and answers as old as given, as if they were made only now and then.
func (p *PKI) Lag(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lag = d
}

// Revoke withdraws a certificate from a moment on; reason as in RFC 5280, 5.3.1.
func (p *PKI) Revoke(c *x509.Certificate, at time.Time, reason int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked[c.SerialNumber.String()] = revocation{at, reason}
}

// Calls is how often a path was asked for.
func (p *PKI) Calls(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[path]
}

// Key makes a P-256 key.
func Key() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// Issue certifies a person who signs documents. edit may be nil.
func (p *PKI) Issue(name string, key crypto.Signer, edit func(*x509.Certificate)) *Party {
	return p.issue(name, p.People, key, func(c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageContentCommitment
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		p.distribution(c, "people", true)
		if edit != nil {
			edit(c)
		}
	})
}

// IssueClock certifies a clock service: timestamps only, and critical (RFC 3161, 2.3).
func (p *PKI) IssueClock(name string, key crypto.Signer) *Party {
	return p.issue(name, p.Clocks, key, func(c *x509.Certificate) {
		c.NotAfter = c.NotBefore.Add(ClockLife)
		c.KeyUsage = x509.KeyUsageDigitalSignature
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true,
			Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
		p.distribution(c, "clocks", false)
	})
}

func authority(c *x509.Certificate, life time.Duration) {
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	c.NotAfter = c.NotBefore.Add(life)
}

// distribution says where list, issuer and perhaps responder are.
func (p *PKI) distribution(c *x509.Certificate, by string, ocsp bool) {
	c.CRLDistributionPoints = []string{p.URL + "/" + by + ".crl"}
	c.IssuingCertificateURL = []string{p.URL + "/" + by + ".cer"}
	if ocsp {
		c.OCSPServer = []string{p.URL + "/ocsp"}
	}
}

// issue makes a certificate; by nil means that it signs itself.
func (p *PKI) issue(name string, by *Party, key crypto.Signer, edit func(*x509.Certificate)) *Party {
	p.mu.Lock()
	p.serial++
	serial, now := p.serial, p.now()
	p.mu.Unlock()
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}},
		BasicConstraintsValid: true, NotBefore: now.Add(-24 * time.Hour).UTC().Truncate(time.Second)}
	c.NotAfter = c.NotBefore.Add(LeafLife)
	edit(c)
	parent, signer := c, key
	out := &Party{Key: key}
	if by != nil {
		parent, signer, out.Up = by.Cert, by.Key, by.Chain()
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		panic(fmt.Sprintf("issue %s: %v", name, err))
	}
	if out.Cert, err = x509.ParseCertificate(raw); err != nil {
		panic(err)
	}
	return out
}
