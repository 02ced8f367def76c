package trust

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// RevocationState is what the data at hand says.
type RevocationState int

// The states. NotChecked is no claim: there was nothing usable for that time.
const (
	NotChecked RevocationState = iota
	NotRevoked                 // every certificate below the root was good
	Withdrawn                  // one was revoked or suspended at that time
)

// Revocation is the answer for a chain.
type Revocation struct {
	State   RevocationState
	At      time.Time // when it was withdrawn
	Suspend bool      // only put on hold
	CA      bool      // an issuer's certificate, not the signer's
	Later   time.Time // the signer's was withdrawn after the moment that counts; zero otherwise
	Last    int64     // where in the file the last piece that was needed lies
}

// Evidence is revocation data found in a file. Each piece is known to exist since a moment:
// the present, until Prove says that a timestamp covers it.
type Evidence struct {
	now  time.Time
	crls []list
	ocsp []answer
}

type piece struct {
	at     int64     // where it lies in the file
	exists time.Time // it is proven to have existed then (EN 319 102-1, 5.6.2.3)
}

type list struct {
	piece
	*x509.RevocationList
}

type answer struct {
	piece
	der []byte
}

// Limits of the evidence of one file.
const (
	maxEvidence     = 256
	MaxEvidenceSize = 8 << 20 // bytes of one CRL or OCSP response
)

// NewEvidence is empty; now is the moment of checking.
func NewEvidence(now time.Time) *Evidence { return &Evidence{now: now} }

// AddCRL keeps a CRL that lies at an offset of the file; one that cannot be read is left
// out, since it proves nothing.
func (e *Evidence) AddCRL(der []byte, at int64) {
	if len(e.crls) >= maxEvidence || len(der) > MaxEvidenceSize {
		return
	}
	if crl, err := x509.ParseRevocationList(der); err == nil {
		e.crls = append(e.crls, list{piece{at, e.now}, crl})
	}
}

// AddOCSP keeps an OCSP response that lies at an offset of the file.
func (e *Evidence) AddOCSP(der []byte, at int64) {
	if len(e.ocsp) < maxEvidence && len(der) <= MaxEvidenceSize {
		e.ocsp = append(e.ocsp, answer{piece{at, e.now}, der})
	}
}

// Prove notes that everything before an offset of the file existed at a moment.
func (e *Evidence) Prove(before int64, moment time.Time) {
	prove := func(p *piece) {
		if p.at < before && moment.Before(p.exists) {
			p.exists = moment
		}
	}
	for i := range e.crls {
		prove(&e.crls[i].piece)
	}
	for i := range e.ocsp {
		prove(&e.ocsp[i].piece)
	}
}

// Empty tells whether there is any data.
func (e *Evidence) Empty() bool { return e == nil || len(e.crls)+len(e.ocsp) == 0 }

// Check looks at every certificate of a chain below its root.
func (e *Evidence) Check(chain []*x509.Certificate, at time.Time) Revocation {
	var r Revocation
	if e.Empty() || len(chain) < 2 {
		return r
	}
	known := true
	for i := 0; i+1 < len(chain); i++ {
		s := e.status(chain[i], chain[i+1], at, 0)
		if !s.revokedAt.IsZero() && !s.revokedAt.After(at) {
			return Revocation{State: Withdrawn, At: s.revokedAt, Suspend: s.hold, CA: i > 0}
		}
		if i == 0 && !s.revokedAt.IsZero() {
			r.Later = s.revokedAt
		}
		r.Last = max(r.Last, s.last)
		known = known && (s.good || !s.revokedAt.IsZero() || needsNone(chain[i]))
	}
	if known {
		r.State = NotRevoked
	}
	return r
}

type status struct {
	good      bool
	fresh     bool      // said after the moment
	until     time.Time // a piece that says so holds until then
	revokedAt time.Time
	hold      bool
	last      int64 // where in the file the piece that says so lies
}

// usable tells whether whoever signed a piece could still be relied on when it is first
// proven to exist: a key whose certificate has ended may have been lost since.
func (p piece) usable(by *x509.Certificate, made time.Time) bool {
	return !p.exists.After(by.NotAfter) && !made.Before(by.NotBefore) && !made.After(p.exists.Add(skew))
}

func (e *Evidence) status(c, issuer *x509.Certificate, at time.Time, depth int) status {
	var s status
	for _, a := range e.ocsp {
		resp, err := ocsp.ParseResponseForCert(a.der, c, issuer)
		if err != nil || !responderMay(resp, issuer) || !a.usable(signerOf(resp, issuer), resp.ThisUpdate) {
			continue
		}
		// Bad news counts also from a responder of whom nothing is proven.
		switch proven := e.responderGood(resp, issuer, depth); {
		case resp.Status == ocsp.Revoked:
			s.revoke(resp.RevokedAt, resp.RevocationReason == ocsp.CertificateHold, a.at)
		case resp.Status == ocsp.Good && proven:
			s.vouch(resp.ThisUpdate, resp.NextUpdate, at, a.at)
		}
	}
	for _, crl := range e.crls {
		if string(crl.RawIssuer) != string(issuer.RawSubject) || crl.CheckSignatureFrom(issuer) != nil || !crl.usable(issuer, crl.ThisUpdate) {
			continue
		}
		found := false
		for i := range crl.RevokedCertificateEntries {
			entry := &crl.RevokedCertificateEntries[i]
			if entry.SerialNumber.Cmp(c.SerialNumber) == 0 && entry.ReasonCode != removeFromCRL {
				s.revoke(entry.RevocationTime, entry.ReasonCode == certificateHold, crl.at)
				found = true
			}
		}
		if !found && complete(crl.RevocationList, c) {
			s.vouch(crl.ThisUpdate, crl.NextUpdate, at, crl.at)
		}
	}
	return s
}

// Reasons of RFC 5280, 5.3.1.
const (
	certificateHold = 6
	removeFromCRL   = 8
)

// signerOf is whoever signed an answer: the issuer, or the responder it has delegated to.
func signerOf(r *ocsp.Response, issuer *x509.Certificate) *x509.Certificate {
	if r.Certificate == nil {
		return issuer
	}
	return r.Certificate
}

// responderGood judges whoever signed an answer at the moment it was made: a delegated
// responder may have been revoked too, unless its issuer says not to ask.
func (e *Evidence) responderGood(r *ocsp.Response, issuer *x509.Certificate, depth int) bool {
	by := signerOf(r, issuer)
	if by.Equal(issuer) || needsNone(by) {
		return true
	}
	if depth >= maxDepth {
		return false
	}
	s := e.status(by, issuer, r.ProducedAt, depth+1)
	return s.good && (s.revokedAt.IsZero() || s.revokedAt.After(r.ProducedAt))
}

// vouch notes that a piece says "good" if it speaks of the moment at (EN 319 102-1, 5.2.5),
// and keeps the first place in the file where one does.
func (s *status) vouch(thisUpdate, nextUpdate, moment time.Time, at int64) {
	fresh := !thisUpdate.Before(moment)
	if !fresh && nextUpdate.Before(moment) {
		return
	}
	s.fresh = s.fresh || fresh
	if nextUpdate.After(s.until) {
		s.until = nextUpdate
	}
	if !s.good || at < s.last {
		s.good, s.last = true, at
	}
}

// revoke keeps the earliest date.
func (s *status) revoke(moment time.Time, hold bool, at int64) {
	if s.revokedAt.IsZero() || moment.Before(s.revokedAt) {
		s.revokedAt, s.hold, s.last = moment, hold, at
	}
}

// responderMay checks a delegated responder (RFC 6960, 4.2.2.2): certified for it by the
// issuer (the ocsp package has checked the issuer's signature) and valid when it spoke.
func responderMay(r *ocsp.Response, issuer *x509.Certificate) bool {
	if r.Certificate == nil || r.Certificate.Equal(issuer) {
		return true
	}
	if r.ProducedAt.Before(r.Certificate.NotBefore) || r.ProducedAt.After(r.Certificate.NotAfter) {
		return false
	}
	for _, e := range r.Certificate.ExtKeyUsage {
		if e == x509.ExtKeyUsageOCSPSigning {
			return true
		}
	}
	return false
}

var (
	oidDelta    = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidIssuing  = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidAuthKey  = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidCRLCount = asn1.ObjectIdentifier{2, 5, 29, 20}
)

// complete tells whether silence of the list about c means that c is good: no delta, not
// restricted to other certificates or to some reasons (RFC 5280, 5.2.4 and 5.2.5).
func complete(crl *x509.RevocationList, c *x509.Certificate) bool {
	for _, e := range crl.Extensions {
		switch {
		case e.Id.Equal(oidDelta):
			return false
		case e.Id.Equal(oidIssuing):
			if !pointFits(e.Value, c.IsCA) {
				return false
			}
		case e.Critical && !e.Id.Equal(oidAuthKey) && !e.Id.Equal(oidCRLCount):
			return false
		}
	}
	return true
}

func pointFits(der []byte, ca bool) bool {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) {
		return false
	}
	for !seq.Empty() {
		var v cryptobyte.String
		var tag cbasn1.Tag
		if !seq.ReadAnyASN1(&v, &tag) {
			return false
		}
		set := len(v) == 1 && v[0] != 0
		switch tag {
		case cbasn1.Tag(0).ContextSpecific().Constructed(): // distributionPoint
		case cbasn1.Tag(1).ContextSpecific(): // onlyContainsUserCerts
			if set && ca {
				return false
			}
		case cbasn1.Tag(2).ContextSpecific(): // onlyContainsCACerts
			if set && !ca {
				return false
			}
		default: // onlySomeReasons, indirectCRL, onlyContainsAttributeCerts
			if tag == cbasn1.Tag(3).ContextSpecific() || set {
				return false
			}
		}
	}
	return true
}

// revoked turns a withdrawn certificate into the indication.
func revoked(out *Outcome) {
	r := out.Revocation
	if r.State != Withdrawn {
		return
	}
	switch {
	case r.CA:
		out.Failed, out.SubIndication = false, RevokedCANoPOE
		out.Text = fmt.Sprintf("The certificate of an issuer was revoked on %s.", day(r.At))
	case r.Suspend:
		out.Failed, out.SubIndication = false, TryLater
		out.Text = fmt.Sprintf("The certificate was suspended on %s.", day(r.At))
	default:
		out.Failed, out.SubIndication = true, Revoked
		out.Text = fmt.Sprintf("The certificate was revoked on %s, before the signature can be proven to exist.", day(r.At))
	}
}
