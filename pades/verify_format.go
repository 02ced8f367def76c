package pades

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"countersign/pades/cms"
	"countersign/pades/trust"
)

// formatCheck: whether it is PAdES, its level, and that the unprotected parts of the value
// are what a careful writer makes. The latter matters because nothing else notices changes
// there.
func (v *verification) formatCheck(it *item, d *verdict, verified cms.Verified, o trust.Outcome, s *stampFinding) {
	if odd := v.oddity(it, o, s); odd != "" {
		text := "The signature is oddly built: " + odd + "."
		d.against(rankOdd, Indeterminate, trust.SigConstraintsFailure, text)
		d.check("format", "unknown", "The signature is oddly built.", reason(text))
		return
	}
	if verified.Bare {
		const text = "The signature has no signed attributes; its value fits, but nothing in it names the certificate."
		d.against(rankOdd, Indeterminate, trust.SigConstraintsFailure, text)
		d.check("format", "unknown", "It is a bare signature that does not name its certificate.", text)
		return
	}
	switch it.sig.SubFilter {
	case "ETSI.CAdES.detached":
		if verified.Certificate != nil && verified.ESS == 0 {
			const text = "The signature does not name its certificate, which PAdES requires."
			d.against(rankOdd, Indeterminate, trust.SigConstraintsFailure, text)
			d.check("format", "bad", "It is not a proper PAdES signature.", text)
			return
		}
		it.out.Level = v.level(it, verified, o, s)
		if it.out.Level == "" {
			d.check("format", "off", "It is a PDF signature, but not PAdES baseline.", "")
			return
		}
		d.check("format", "good", "It follows PAdES "+it.out.Level+".", "")
	case "adbe.pkcs7.detached":
		d.check("format", "off", "It is an ordinary PDF signature, not PAdES.", "")
	default:
		text := fmt.Sprintf("The kind of signature %q is not supported.", string(it.sig.SubFilter))
		d.against(rankFormat+rankOdd, Indeterminate, trust.SigConstraintsFailure, text)
		d.check("format", "unknown", "This kind of signature is not supported.", fmt.Sprintf("The file calls it %q.", string(it.sig.SubFilter)))
	}
}

// level is the PAdES baseline level reached (EN 319 142-1, 6.1), empty for none. The time is
// proven by a timestamp of the signature or of the document; B-LT needs data about the signer
// and the clock service, and B-LTA a timestamp over that data.
func (v *verification) level(it *item, verified cms.Verified, o trust.Outcome, s *stampFinding) string {
	if verified.Certificate == nil || v.hasSigningTime(it) {
		return ""
	}
	archived := v.archived(it)
	stamped := s != nil && s.state != "bad"
	if !stamped && len(archived) == 0 {
		return "B-B"
	}
	if o.Revocation.State != trust.NotRevoked {
		return "B-T"
	}
	last := o.Revocation.Last
	if stamped {
		if s.data.State != trust.NotRevoked {
			return "B-T"
		}
		last = max(last, s.data.Last)
	}
	for _, a := range archived {
		if a.end > last {
			return "B-LTA"
		}
	}
	return "B-LT"
}

// archived are the good document timestamps that cover a signature, which are judged by now.
func (v *verification) archived(it *item) (stamps []*item) {
	for _, other := range v.items { // newest first
		if other.stamp && other.out.Indication == TotalPassed && other.end > it.end {
			stamps = append(stamps, other)
		}
	}
	return stamps
}

func (v *verification) hasSigningTime(it *item) bool {
	for _, a := range it.signer.Signed {
		if a.OID.Equal(cms.OIDSigningTime) {
			return true
		}
	}
	return false
}

func (v *verification) oddity(it *item, o trust.Outcome, s *stampFinding) string {
	if it.mixed {
		return "its digits mix upper and lower case"
	}
	if it.data == nil || it.signer == nil {
		return ""
	}
	if odd := it.data.Oddities(true); len(odd) > 0 {
		return odd[0]
	}
	known := append([]*x509.Certificate{}, o.Chain...)
	embedded := append([]*x509.Certificate{}, it.data.Certificates...)
	if s != nil && s.token != nil {
		known, embedded = append(known, s.outcome.Chain...), append(embedded, s.token.Certificates...)
	}
	if v.stray(embedded, known, v.pool(it)) {
		return "it carries a certificate that nobody signed"
	}
	return ""
}

// stray tells whether one of the embedded certificates is neither in a validated chain nor
// signed by anybody at hand. The signature's value does not protect its certificates.
func (v *verification) stray(embedded, known, pool []*x509.Certificate) bool {
	if v.o.Roots == nil {
		return false // nothing passes anyway, and roots are what vouches
	}
	for _, c := range embedded {
		if !contains(known, c) && !v.vouched(c, append(pool, embedded...)) {
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

func (v *verification) vouched(c *x509.Certificate, pool []*x509.Certificate) bool {
	for i, issuer := range pool {
		if i > 200 {
			break
		}
		if string(issuer.RawSubject) != string(c.RawIssuer) {
			continue
		}
		err := c.CheckSignatureFrom(issuer)
		if old := (x509.InsecureAlgorithmError)(0); err == nil || errors.As(err, &old) && issuer.Equal(c) {
			return true // an old root's own signature says nothing either way
		}
	}
	inter := x509.NewCertPool()
	for _, p := range pool[:min(len(pool), 100)] {
		inter.AddCert(p)
	}
	_, err := c.Verify(x509.VerifyOptions{Roots: v.o.Roots, Intermediates: inter, CurrentTime: c.NotBefore.Add(time.Second),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// judgeStamp decides on a document timestamp (EN 319 142-1, 5.4.3). A good one moves the
// moment at which everything older is judged.
func (v *verification) judgeStamp(it *item, d *verdict) {
	err := it.readErr
	if err == nil {
		it.out.Digest = it.token.Imprint
		err = it.token.Check(it.digest, nil)
		if it.digest != nil && string(it.digest) != string(it.token.Imprint) {
			err = &cms.Error{Kind: cms.Digest, Text: "the bytes are not the ones that were stamped"}
		}
	}
	integrityCheck(it, d, err)
	v.coverageChecks(it, d)
	if it.token == nil || it.token.Certificate == nil {
		d.against(rankChain, Indeterminate, trust.NoSigningCertificateFound, "The clock service's certificate is not in the timestamp.")
		return
	}
	describe(&it.out, it.token.Certificate)
	it.out.StampIssuer = it.out.SignerName
	d.check("signer", "good", "The timestamp is by "+it.out.SignerName+".", "The certificate was issued by "+it.out.Issuer+".")
	o := trust.Validate(it.token.Certificate, trust.Options{Intermediates: v.pool(it), Roots: v.o.Roots, At: v.control, Usage: trust.TimeStamp, Evidence: v.evidence})
	v.trustChecks(it, d, o, v.control)
	if odd := it.token.Oddities(); len(odd) > 0 || it.mixed || v.stray(it.token.Certificates, o.Chain, v.pool(it)) {
		odd = append(odd, "its unprotected parts are not as they were made")
		d.against(rankOdd, Indeterminate, trust.SigConstraintsFailure, "The timestamp is oddly built: "+odd[0]+".")
	}
	switch {
	case err != nil:
		d.check("time", "bad", "The timestamp does not hold.", "")
	case it.token.Time.After(v.control.Add(allowedClockDifference)):
		const text = "The timestamp is later than a time that is proven to be later still."
		d.against(rankStamp, Indeterminate, trust.TimestampOrderFailure, text)
		d.check("time", "bad", "The timestamp cannot be right.", text)
	case o.SubIndication == "":
		it.out.StampTime = it.token.Time
		d.check("time", "good", "The file existed on "+timeText(it.token.Time)+".", "The clock service "+it.out.StampIssuer+" confirms it.")
	default:
		d.check("time", "unknown", "A clock service that we do not know says "+timeText(it.token.Time)+".", "")
	}
	// What is proven does not depend on what was added after the timestamp, only on the
	// timestamp itself.
	if err == nil && o.SubIndication == "" && it.token.Time.Before(v.control) && it.changes.state != forged {
		v.control = it.token.Time
		v.evidence.Prove(it.end, v.control)
	}
}

// pdfTime reads a PDF date (ISO 32000-2, 7.9.4), zero when it is none.
func pdfTime(s string) time.Time {
	s = strings.TrimPrefix(s, "D:")
	s = strings.NewReplacer("'", "").Replace(s)
	if i := strings.IndexByte(s, 'Z'); i > 0 {
		s = s[:i]
	}
	for _, layout := range []string{"20060102150405-0700", "20060102150405-07", "20060102150405", "200601021504", "20060102"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

func dayText(t time.Time) string  { return t.UTC().Format("2\u00a0January\u00a02006") }
func timeText(t time.Time) string { return t.UTC().Format("2\u00a0January\u00a02006, 15:04\u00a0UTC") }

func bytesText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d\u00a0bytes", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f\u00a0kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f\u00a0MB", float64(n)/1e6)
}
