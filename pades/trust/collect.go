package trust

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"countersign/pades/cms"
)

// Fetcher carries one request to an address that a certificate names: a GET when body is
// nil, else a POST of that content type. It bounds time and size, and where it may go: the
// address was written by whoever made the certificate.
type Fetcher func(ctx context.Context, url, contentType string, body []byte) ([]byte, error)

// Material is validation data as a security store keeps it.
type Material struct {
	Certs []*x509.Certificate
	OCSPs [][]byte // OCSPResponse, DER
	CRLs  [][]byte // CertificateList, DER
}

// Collector gathers what proves that certificates were good: the chain up to the root, and
// for each certificate below it an OCSP answer or a list, the same for those who signed the
// answers (EN 319 142-1, 5.4.2). Collect after the signature's timestamp: data from before
// it says nothing about the moment of signing.
type Collector struct {
	Fetch  Fetcher
	Roots  *x509.CertPool // where chains end; nil: at a certificate that signed itself
	Now    time.Time
	Strict bool      // data from before the moment that counts is not taken, though it still holds
	Have   *Evidence // data at hand: what it proves is not asked for again; may be nil

	// Stale are certificates whose data is from before the moment that counts, with the time
	// from when newer data is promised.
	Stale map[*x509.Certificate]time.Time

	until    time.Time
	pool     []*x509.Certificate
	material Material
	have     map[[32]byte]bool
	done     map[[32]byte]span // by certificate
	fetched  map[string][]byte
	requests int
	size     int
}

// span is what data has to speak of.
type span struct{ at, until time.Time }

// Limits of one collection.
const (
	maxRequests = 64
	maxMaterial = 16 << 20 // bytes
	maxChain    = 8
	maxDepth    = 3 // answers about those who signed answers
	maxURLs     = 3 // of one kind in one certificate
)

// ErrNotFresh says that data is there but from before the moment that counts (Strict).
var ErrNotFresh = errors.New("revocation data is older than the signature")

// Unproven says of which certificate no usable revocation data, or no issuer, was to be had.
type Unproven struct {
	Certificate *x509.Certificate
	Cause       error
}

func (u *Unproven) Error() string {
	return fmt.Sprintf("trust: no proof for %q: %v", nameOf(u.Certificate), u.Cause)
}

func (u *Unproven) Unwrap() error { return u.Cause }

// WithdrawnError says that a certificate was revoked or suspended before the moment that counts.
type WithdrawnError struct {
	Certificate *x509.Certificate
	At          time.Time
}

func (w *WithdrawnError) Error() string {
	return fmt.Sprintf("trust: %q was withdrawn on %s", nameOf(w.Certificate), day(w.At))
}

func nameOf(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return c.Subject.String()
}

// Material is everything gathered so far.
func (c *Collector) Material() Material { return c.material }

// Know adds certificates at hand, which are not trusted.
func (c *Collector) Know(certs ...*x509.Certificate) {
	for _, k := range certs {
		if len(c.pool) < maxIntermediates && !contains(c.pool, k) {
			c.pool = append(c.pool, k)
		}
	}
}

// Add gathers for a leaf that was used at a moment. Data at hand (Have) is enough if it is
// from after that moment and held until another, which is the same for a signer, and the
// present for a clock service whose own timestamp nothing covers yet. An error is *Unproven,
// *WithdrawnError, or the context's.
func (c *Collector) Add(ctx context.Context, leaf *x509.Certificate, at, until time.Time) error {
	if c.done == nil {
		c.done, c.have, c.fetched, c.Stale = map[[32]byte]span{}, map[[32]byte]bool{}, map[string][]byte{}, map[*x509.Certificate]time.Time{}
	}
	c.Know(leaf)
	chain, err := c.chain(ctx, leaf, at)
	if err != nil {
		return err
	}
	c.until = until
	return c.prove(ctx, chain, at, 0)
}

func (c *Collector) prove(ctx context.Context, chain []*x509.Certificate, at time.Time, depth int) error {
	for i, cert := range chain {
		if err := c.keep(cert.Raw, func() { c.material.Certs = append(c.material.Certs, cert) }); err != nil {
			return &Unproven{cert, err}
		}
		if i+1 == len(chain) {
			break
		}
		if err := c.revocation(ctx, cert, chain[i+1], chain[i+1:], at, depth); err != nil {
			return err
		}
	}
	return nil
}

// keep counts and takes data once.
func (c *Collector) keep(b []byte, take func()) error {
	sum := sha256.Sum256(b)
	if c.have[sum] {
		return nil
	}
	if c.size += len(b); c.size > maxMaterial {
		return fmt.Errorf("more than %d bytes of validation data", maxMaterial)
	}
	c.have[sum] = true
	take()
	return nil
}

// chain builds the chain, fetching issuers that are not at hand (RFC 5280, 4.2.2.1).
func (c *Collector) chain(ctx context.Context, leaf *x509.Certificate, at time.Time) ([]*x509.Certificate, error) {
	tried := map[string]bool{}
	for {
		if c.Roots != nil {
			if chain, err := build(leaf, Options{Intermediates: c.pool, Roots: c.Roots}, at); err == nil {
				return chain, nil
			}
		}
		chain := guess(leaf, c.pool)
		tip := chain[len(chain)-1]
		self := bytes.Equal(tip.RawIssuer, tip.RawSubject) && tip.CheckSignatureFrom(tip) == nil
		if c.Roots == nil && self {
			return chain, nil
		}
		var next string
		for _, u := range web(tip.IssuingCertificateURL) {
			if !tried[u] && len(tried) < maxChain {
				next = u
				break
			}
		}
		if next == "" || self {
			return nil, &Unproven{tip, errors.New("its issuer is not known")}
		}
		tried[next] = true
		b, err := c.get(ctx, next, "", nil)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			c.Know(certificates(b)...)
		}
	}
}

// certificates reads one in DER, or a certs-only message (RFC 5280, 4.2.2.1).
func certificates(b []byte) []*x509.Certificate {
	if one, err := x509.ParseCertificate(b); err == nil {
		return []*x509.Certificate{one}
	}
	if sd, err := cms.Parse(b); err == nil {
		return sd.Certificates
	}
	return nil
}

// web are the addresses that are fetched, LDAP not among them.
func web(urls []string) []string {
	var out []string
	for _, u := range urls {
		if low := strings.ToLower(u); len(out) < maxURLs && (strings.HasPrefix(low, "http://") || strings.HasPrefix(low, "https://")) {
			out = append(out, u)
		}
	}
	return out
}

func (c *Collector) get(ctx context.Context, url, kind string, body []byte) ([]byte, error) {
	key := url + "\x00" + string(body)
	if b, ok := c.fetched[key]; ok {
		return b, nil
	}
	if c.requests++; c.requests > maxRequests {
		return nil, fmt.Errorf("more than %d requests", maxRequests)
	}
	b, err := c.Fetch(ctx, url, kind, body)
	if err == nil && len(b) > MaxEvidenceSize {
		err = fmt.Errorf("%d bytes are too many", len(b))
	}
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", url, err)
	}
	c.fetched[key] = b
	return b, nil
}

// revocation gathers for one certificate: an answer, else a list.
func (c *Collector) revocation(ctx context.Context, cert, issuer *x509.Certificate, up []*x509.Certificate, at time.Time, depth int) error {
	sum := sha256.Sum256(cert.Raw)
	before := c.done[sum]
	if needsNone(cert) || !before.at.Before(at) && !before.until.Before(c.until) {
		return nil
	}
	c.done[sum] = span{at, c.until}
	if !c.Have.Empty() {
		if s := c.Have.status(cert, issuer, at, 0); s.good && s.fresh && !s.until.Before(c.until) {
			return nil
		}
	}
	var causes []error
	best := proof{}
	for _, source := range []func(context.Context, *x509.Certificate, *x509.Certificate) ([]proof, []error){c.answers, c.lists} {
		found, errs := source(ctx, cert, issuer)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		causes = append(causes, errs...)
		for _, p := range found {
			if !p.revokedAt.IsZero() && !p.revokedAt.After(at) {
				return &WithdrawnError{cert, p.revokedAt}
			}
			if best.raw == nil || p.this.After(best.this) {
				best = p
			}
		}
		if best.raw != nil && !best.this.Before(at) {
			break // fresh enough
		}
	}
	switch {
	case best.raw == nil:
		return &Unproven{cert, errors.Join(append(causes, errors.New("no usable answer and no usable list"))...)}
	case best.this.Before(at):
		// What issuers of issuers publish is renewed a few times a year: waiting is for leaves.
		if c.Strict && !cert.IsCA {
			return &Unproven{cert, fmt.Errorf("%w: of %s, the next is promised for %s", ErrNotFresh, best.this.UTC().Format(time.RFC3339), best.next.UTC().Format(time.RFC3339))}
		}
		c.Stale[cert] = best.next
	}
	if err := c.keep(best.raw, func() {
		if best.list {
			c.material.CRLs = append(c.material.CRLs, best.raw)
		} else {
			c.material.OCSPs = append(c.material.OCSPs, best.raw)
		}
	}); err != nil {
		return &Unproven{cert, err}
	}
	if best.by == nil || best.by.Equal(issuer) {
		return nil
	}
	if depth >= maxDepth {
		return &Unproven{best.by, errors.New("answers about who signed answers go too deep")}
	}
	return c.prove(ctx, append([]*x509.Certificate{best.by}, up...), best.this, depth+1)
}

// proof is one answer or list that speaks of a certificate.
type proof struct {
	raw        []byte
	list       bool
	this, next time.Time
	revokedAt  time.Time
	by         *x509.Certificate // a delegated responder
}

func (c *Collector) answers(ctx context.Context, cert, issuer *x509.Certificate) (found []proof, causes []error) {
	urls := web(cert.OCSPServer)
	if len(urls) == 0 {
		return nil, nil
	}
	// SHA-1 only names the issuer here; responders that know another hash are rare.
	req, err := ocsp.CreateRequest(cert, issuer, &ocsp.RequestOptions{Hash: crypto.SHA1})
	if err != nil {
		return nil, []error{err}
	}
	for _, u := range urls {
		raw, err := c.get(ctx, u, "application/ocsp-request", req)
		var r *ocsp.Response
		if err == nil {
			r, err = ocsp.ParseResponseForCert(raw, cert, issuer)
		}
		switch {
		case err != nil:
		case !responderMay(r, issuer):
			err = errors.New("the responder may not speak for the issuer")
		case r.ThisUpdate.After(c.Now.Add(skew)) || !r.NextUpdate.IsZero() && r.NextUpdate.Before(c.Now.Add(-skew)):
			err = errors.New("the answer is not of now")
		case r.Status == ocsp.Unknown:
			err = errors.New("the responder does not know the certificate")
		}
		if err != nil {
			causes = append(causes, fmt.Errorf("answer of %s: %w", u, err))
			continue
		}
		p := proof{raw: raw, this: r.ThisUpdate, next: r.NextUpdate, by: r.Certificate}
		if r.Status == ocsp.Revoked {
			p.revokedAt = r.RevokedAt
		}
		return []proof{p}, causes
	}
	return nil, causes
}

func (c *Collector) lists(ctx context.Context, cert, issuer *x509.Certificate) (found []proof, causes []error) {
	for _, u := range web(cert.CRLDistributionPoints) {
		raw, err := c.get(ctx, u, "", nil)
		var l *x509.RevocationList
		if err == nil {
			l, err = x509.ParseRevocationList(raw)
		}
		if err == nil {
			err = l.CheckSignatureFrom(issuer)
		}
		switch {
		case err != nil:
		case !complete(l, cert):
			err = errors.New("the list does not speak of all certificates")
		case l.ThisUpdate.After(c.Now.Add(skew)) || !l.NextUpdate.IsZero() && l.NextUpdate.Before(c.Now.Add(-skew)):
			err = errors.New("the list is not of now")
		}
		if err != nil {
			causes = append(causes, fmt.Errorf("list of %s: %w", u, err))
			continue
		}
		p := proof{raw: raw, list: true, this: l.ThisUpdate, next: l.NextUpdate}
		for i := range l.RevokedCertificateEntries {
			if e := &l.RevokedCertificateEntries[i]; e.SerialNumber.Cmp(cert.SerialNumber) == 0 && e.ReasonCode != removeFromCRL {
				p.revokedAt = e.RevocationTime
			}
		}
		return []proof{p}, causes
	}
	return nil, causes
}

// skew is how far clocks of others may be off.
const skew = 5 * time.Minute

var (
	oidNoCheck         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5} // RFC 6960, 4.2.2.2.1
	oidValidityAssured = asn1.ObjectIdentifier{0, 4, 0, 194121, 2, 1}         // EN 319 412-1, 5.2
)

// needsNone tells certificates that are not to be asked about: responders whose issuer says
// so, and those that end before anybody would revoke them.
func needsNone(c *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(oidNoCheck) || e.Id.Equal(oidValidityAssured) {
			return true
		}
	}
	return false
}

func contains(list []*x509.Certificate, c *x509.Certificate) bool {
	for _, x := range list {
		if x.Equal(c) {
			return true
		}
	}
	return false
}
