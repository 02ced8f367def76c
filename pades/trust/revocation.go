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
}

// Evidence is revocation data found in a file.
type Evidence struct {
	crls []*x509.RevocationList
	ocsp [][]byte
}

// Limits of the evidence of one file.
const (
	maxEvidence     = 256
	MaxEvidenceSize = 8 << 20 // bytes of one CRL or OCSP response
)

// AddCRL keeps a CRL; one that cannot be read is left out, since it proves nothing.
func (e *Evidence) AddCRL(der []byte) {
	if len(e.crls) >= maxEvidence || len(der) > MaxEvidenceSize {
		return
	}
	if crl, err := x509.ParseRevocationList(der); err == nil {
		e.crls = append(e.crls, crl)
	}
}

// AddOCSP keeps an OCSP response.
func (e *Evidence) AddOCSP(der []byte) {
	if len(e.ocsp) < maxEvidence && len(der) <= MaxEvidenceSize {
		e.ocsp = append(e.ocsp, der)
	}
}

// Empty tells whether there is any data.
func (e *Evidence) Empty() bool { return e == nil || len(e.crls)+len(e.ocsp) == 0 }

// check looks at every certificate below the root.
func (e *Evidence) check(chain []*x509.Certificate, at time.Time) Revocation {
	var r Revocation
	if e.Empty() || len(chain) < 2 {
		return r
	}
	known := true
	for i := 0; i+1 < len(chain); i++ {
		s := e.status(chain[i], chain[i+1], at)
		if !s.revokedAt.IsZero() && !s.revokedAt.After(at) {
			return Revocation{State: Withdrawn, At: s.revokedAt, Suspend: s.hold, CA: i > 0}
		}
		if i == 0 && !s.revokedAt.IsZero() {
			r.Later = s.revokedAt
		}
		known = known && (s.good || !s.revokedAt.IsZero())
	}
	if known {
		r.State = NotRevoked
	}
	return r
}

type status struct {
	good      bool
	revokedAt time.Time
	hold      bool
}

// covers tells whether data with these dates speaks of the moment at (EN 319 102-1, 5.2.5).
func covers(thisUpdate, nextUpdate, at time.Time) bool {
	return !thisUpdate.Before(at) || !nextUpdate.Before(at)
}

func (e *Evidence) status(c, issuer *x509.Certificate, at time.Time) status {
	var s status
	for _, raw := range e.ocsp {
		resp, err := ocsp.ParseResponseForCert(raw, c, issuer)
		if err != nil || !responderMay(resp, issuer) {
			continue
		}
		switch resp.Status {
		case ocsp.Revoked:
			s.revoke(resp.RevokedAt, resp.RevocationReason == ocsp.CertificateHold)
		case ocsp.Good:
			s.good = s.good || covers(resp.ThisUpdate, resp.NextUpdate, at)
		}
	}
	for _, crl := range e.crls {
		if string(crl.RawIssuer) != string(issuer.RawSubject) || crl.CheckSignatureFrom(issuer) != nil {
			continue
		}
		found := false
		for i := range crl.RevokedCertificateEntries {
			entry := &crl.RevokedCertificateEntries[i]
			if entry.SerialNumber.Cmp(c.SerialNumber) == 0 && entry.ReasonCode != 8 { // removeFromCRL
				s.revoke(entry.RevocationTime, entry.ReasonCode == 6)
				found = true
			}
		}
		if !found && complete(crl, c) {
			s.good = s.good || covers(crl.ThisUpdate, crl.NextUpdate, at)
		}
	}
	return s
}

// revoke keeps the earliest date.
func (s *status) revoke(at time.Time, hold bool) {
	if s.revokedAt.IsZero() || at.Before(s.revokedAt) {
		s.revokedAt, s.hold = at, hold
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
