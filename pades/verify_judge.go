package pades

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"countersign/pades/cms"
	"countersign/pades/trust"
	"countersign/pades/tsp"
)

// allowedClockDifference is how far a timestamp may be later than what proves it.
const allowedClockDifference = 5 * time.Minute

// verdict gathers what is wrong with one signature; the gravest is the outcome.
type verdict struct {
	rank int
	out  *SignatureResult
}

// The order of gravity: what failed outright, then changes, then what cannot be told.
const (
	rankFormat = iota + 1
	rankHash
	rankCrypto
	rankRevoked
	rankChanges
	rankWeak
	rankChain
	rankStamp
	rankOdd
)

func (d *verdict) against(rank int, ind Indication, sub, text string) {
	if d.rank == 0 || rank < d.rank {
		d.rank = rank
		d.out.Indication, d.out.SubIndication, d.out.Explanation = ind, sub, text
	}
}

func (d *verdict) check(name, state, text, more string) {
	d.out.Checks = append(d.out.Checks, Check{Name: name, State: state, Text: text, More: more})
}

// judge decides on one signature. Items come newest first.
func (v *verification) judge(it *item) {
	it.out = SignatureResult{Field: it.name, Type: "signature", Indication: TotalPassed, Digest: nil, Computed: it.digest,
		Revision: it.number, Revisions: v.revisions, CoversAll: it.broken == "" && it.end == v.size,
		ClaimedTime: pdfTime(it.sig.M)}
	if it.stamp {
		it.out.Type, it.out.ClaimedTime = "timestamp", time.Time{}
	}
	d := &verdict{out: &it.out}
	if it.broken == "" && it.readErr != nil && cms.KindOf(it.readErr) == cms.Malformed {
		it.broken = sentence(it.readErr)
	}
	if it.broken != "" {
		d.against(rankFormat, TotalFailed, trust.FormatFailure, it.broken)
		d.check("format", "bad", "The signature is not built as it must be.", it.broken)
		return
	}
	it.out.Length = it.end
	if it.stamp {
		v.judgeStamp(it, d)
	} else {
		v.judgeSignature(it, d)
	}
	if it.out.Indication == TotalPassed && it.out.Certificate == nil {
		d.against(rankOdd, Indeterminate, trust.NoSigningCertificateFound, "The signer's certificate could not be read.") // cannot happen; never green without one
	}
}

// judgeSignature: integrity, coverage, changes, signer, trust, revocation, time, algorithm, format.
func (v *verification) judgeSignature(it *item, d *verdict) {
	verified, cryptoErr := v.crypto(it)
	it.out.Digest, _ = signedDigest(it)
	integrityCheck(it, d, cryptoErr)
	v.coverageChecks(it, d)

	cert := verified.Certificate
	if cert == nil {
		cert = certificateOf(it)
	}
	describe(&it.out, cert)
	signerCheck(it, d, cert)

	best, stamp := v.stampTime(it, d)
	outcome := trust.Validate(cert, trust.Options{Intermediates: v.pool(it), Roots: v.o.Roots, At: best, Usage: trust.Signing, Evidence: v.evidence})
	v.trustChecks(it, d, outcome, best)
	timeCheck(it, d, stamp)
	algorithmCheck(it, d, verified, cryptoErr, cert)
	v.formatCheck(it, d, verified, outcome, stamp)
}

// crypto checks the value over the computed digest.
func (v *verification) crypto(it *item) (cms.Verified, error) {
	if errors.Is(it.readErr, errOld) && it.digest != nil {
		return cryptoOld(it)
	}
	if it.readErr != nil && (cms.KindOf(it.readErr) != cms.Weak || it.signer == nil || it.digest == nil) {
		return cms.Verified{}, it.readErr
	}
	return it.data.Verify(it.signer, it.digest)
}

func signedDigest(it *item) ([]byte, error) {
	if it.signer == nil {
		return nil, it.readErr
	}
	return it.signer.MessageDigest()
}

func certificateOf(it *item) *x509.Certificate {
	if it.cert != nil {
		return it.cert
	}
	if it.data == nil || it.signer == nil {
		return nil
	}
	c, _ := it.data.Certificate(it.signer) // nil: the trust check says so
	return c
}

func describe(out *SignatureResult, c *x509.Certificate) {
	if c == nil {
		return
	}
	out.Certificate, out.Chain = c, []*x509.Certificate{c}
	out.SignerName, out.Issuer = nameOf(c.Subject.CommonName, c.Subject.String()), nameOf(c.Issuer.CommonName, c.Issuer.String())
	if len(c.Subject.Organization) > 0 {
		out.Organization = c.Subject.Organization[0]
	}
	out.Serial = fmt.Sprintf("%X", c.SerialNumber)
}

func nameOf(common, whole string) string {
	if common != "" {
		return common
	}
	return whole
}

// integrityCheck turns the outcome of the cryptography into the first row.
func integrityCheck(it *item, d *verdict, err error) {
	switch cms.KindOf(err) {
	case 0:
		if err != nil { // a fault of a timestamp token
			d.against(rankCrypto, TotalFailed, trust.SigCryptoFailure, sentence(err))
			d.check("integrity", "bad", "The signature does not hold.", sentence(err))
			return
		}
		d.check("integrity", "good", "The signed bytes are unchanged.", "Their fingerprint is the one that was signed.")
	case cms.Digest:
		d.against(rankHash, TotalFailed, trust.HashFailure, "The signed bytes were changed: their fingerprint is not the one that was signed.")
		d.check("integrity", "bad", "The signed bytes were changed.", "Their fingerprint is not the one that was signed.")
	case cms.Signature:
		d.against(rankCrypto, TotalFailed, trust.SigCryptoFailure, sentence(err))
		d.check("integrity", "bad", "The signature does not hold.", sentence(err))
	case cms.Malformed:
		d.against(rankFormat, TotalFailed, trust.FormatFailure, sentence(err))
		d.check("integrity", "bad", "The signature is not built as it must be.", sentence(err))
	case cms.NoSigner:
		d.against(rankChain, Indeterminate, trust.NoSigningCertificateFound, sentence(err))
		d.check("integrity", "unknown", "Whether the bytes are unchanged cannot be told.", sentence(err))
	default:
		d.against(rankWeak, Indeterminate, trust.CryptoConstraints, sentence(err))
		d.check("integrity", "unknown", "Whether the bytes are unchanged cannot be relied on.", sentence(err))
	}
}

// coverageChecks: how much of the file is signed, and what came after.
func (v *verification) coverageChecks(it *item, d *verdict) {
	rest := v.size - it.end
	switch {
	case rest == 0:
		d.check("coverage", "good", "The signature covers the whole file.", "")
	case it.changes.state <= agreed:
		d.check("coverage", "good", fmt.Sprintf("The signature covers version %d of %d.", it.number, v.revisions),
			fmt.Sprintf("%s came later.", bytesText(rest)))
	default:
		d.check("coverage", "unknown", "The signature covers only the first part of the file.", fmt.Sprintf("%s came later.", bytesText(rest)))
	}
	f := it.changes
	switch f.state {
	case unchanged:
		d.check("changes", "good", "Nothing was added after signing.", "")
	case expected:
		d.check("changes", "good", "Nothing was added after signing but more signatures and their proofs.", added(f))
	case agreed:
		said := agreements(f)
		for i, text := range said {
			more := ""
			if i == len(said)-1 {
				more = added(f)
			}
			d.check("changes", "good", text, more)
		}
	case described:
		const text = "Only the file's description (title, author, dates) was changed after signing."
		d.against(rankChanges, Indeterminate, trust.SigConstraintsFailure, text)
		d.check("changes", "unknown", text, added(f))
	case forged:
		d.against(rankFormat, TotalFailed, trust.FormatFailure, f.text)
		d.check("changes", "bad", "The file was tampered with after signing.", reason(f.text))
	default:
		d.against(rankChanges, Indeterminate, trust.SigConstraintsFailure, f.text)
		d.check("changes", "bad", "The file was changed after signing.", reason(f.text))
	}
}

// reason is the part of a sentence after its colon, as a sentence.
func reason(text string) string {
	if _, why, ok := strings.Cut(text, ": "); ok {
		return strings.ToUpper(why[:1]) + why[1:]
	}
	return text
}

func added(f finding) string {
	var parts []string
	for _, p := range []struct {
		n         int
		one, many string
	}{{f.signed, "signature", "signatures"}, {f.stamps, "timestamp", "timestamps"}, {f.fields, "empty signature field", "empty signature fields"},
		{f.unused, "object that nothing uses", "objects that nothing uses"}} {
		switch {
		case p.n == 1:
			parts = append(parts, "one "+p.one)
		case p.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.many))
		}
	}
	if f.store {
		parts = append(parts, "data for later checks")
	}
	if len(parts) == 0 {
		return ""
	}
	return "Added: " + strings.Join(parts, ", ") + "."
}

func signerCheck(it *item, d *verdict, c *x509.Certificate) {
	if c == nil {
		d.check("signer", "unknown", "Who signed cannot be told.", "The signer's certificate is not in the signature.")
		return
	}
	more := fmt.Sprintf("The certificate was issued by %s.", it.out.Issuer)
	if it.out.Organization != "" {
		more = fmt.Sprintf("For %s. %s", it.out.Organization, more)
	}
	d.check("signer", "good", "The certificate names "+it.out.SignerName+".", more)
	qualifiedCheck(it, d, c)
}

// qualifiedCheck tells what the issuer claims, which is no finding of ours and never green.
func qualifiedCheck(it *item, d *verdict, c *x509.Certificate) {
	q, err := trust.QualifiedStatements(c)
	switch {
	case err != nil:
		d.check("qualified", "unknown", "What the issuer says of the certificate's quality cannot be read.", "")
		return
	case !q.Compliance:
		return
	}
	it.out.Qualified = &q
	text := "Its issuer calls the certificate qualified."
	if q.Device {
		text = "Its issuer calls the certificate qualified, and the key kept in a qualified device."
	}
	d.check("qualified", "off", text, "Whether that holds is on the trusted list of its country, which is not read here.")
}

// trustChecks: trust and revocation.
func (v *verification) trustChecks(it *item, d *verdict, o trust.Outcome, at time.Time) {
	if len(o.Chain) > 0 {
		it.out.Chain = o.Chain
	}
	switch {
	case o.SubIndication == "":
		d.check("trust", "good", "A trusted issuer vouches for the certificate.", fmt.Sprintf("%s, on %s.", it.out.Issuer, dayText(at)))
	case o.Failed:
		d.against(rankRevoked, TotalFailed, o.SubIndication, o.Text)
		d.check("trust", "bad", "The certificate was not good at that time.", o.Text)
	default:
		rank := rankChain
		if o.SubIndication == trust.CryptoConstraints {
			rank = rankWeak
		}
		d.against(rank, Indeterminate, o.SubIndication, o.Text)
		claim := "Nobody we know vouches for the certificate."
		if o.Trusted {
			claim = "The certificate cannot be relied on for this signature."
		}
		d.check("trust", "unknown", claim, o.Text)
	}
	switch r := o.Revocation; {
	case r.State == trust.Withdrawn:
		d.check("revocation", "bad", "The certificate was revoked.", o.Text)
	case r.State == trust.NotRevoked && !r.Later.IsZero():
		d.check("revocation", "good", "The certificate was revoked only later.", fmt.Sprintf("On %s, after the proven time of the signature.", dayText(r.Later)))
	case r.State == trust.NotRevoked:
		d.check("revocation", "good", "The certificate was not revoked.", "The proof is in the file.")
	case v.evidence.Empty():
		d.check("revocation", "unknown", "Whether the certificate was revoked is not checked.", "The file carries no revocation data.")
	default:
		d.check("revocation", "unknown", "Whether the certificate was revoked is not checked.", "The file's revocation data does not speak of this certificate at that time.")
	}
}

// stampTime checks the signature timestamp. It gives the time to judge the certificate at:
// the timestamp's if it is valid and trusted, else the latest that is proven.
func (v *verification) stampTime(it *item, d *verdict) (time.Time, *stampFinding) {
	if it.signer == nil {
		return v.control, nil
	}
	raw, err := it.signer.Token()
	if err == nil && raw == nil {
		return v.control, nil
	}
	res := &StampResult{Indication: TotalPassed}
	it.out.Stamp = res
	token, err := checkedToken(it, raw, err)
	if err != nil {
		res.Indication, res.SubIndication, res.Text = TotalFailed, stampFault(err), "The timestamp is not good: "+fragment(err)+"."
		d.against(rankStamp, Indeterminate, trust.SigConstraintsFailure, res.Text)
		return v.control, &stampFinding{state: "bad", text: res.Text}
	}
	res.Time, res.Issuer = token.Time, nameOf(token.Certificate.Subject.CommonName, token.Certificate.Subject.String())
	it.out.StampIssuer = res.Issuer
	s := &stampFinding{token: token, state: "good"}
	if odd := token.Oddities(); len(odd) > 0 {
		d.against(rankOdd, Indeterminate, trust.SigConstraintsFailure, "The timestamp is oddly built: "+odd[0]+".")
	}
	s.outcome = trust.Validate(token.Certificate, trust.Options{Intermediates: append(v.pool(it), token.Certificates...), Roots: v.o.Roots,
		At: v.control, Usage: trust.TimeStamp, Evidence: v.evidence})
	s.data = v.evidence.Check(s.outcome.Chain, token.Time)
	switch {
	case s.outcome.SubIndication != "":
		s.state, s.text = "unknown", "The clock service cannot be confirmed. "+s.outcome.Text
		res.Indication, res.SubIndication, res.Text = Indeterminate, s.outcome.SubIndication, s.text
		if s.outcome.Failed {
			res.Indication = TotalFailed
		}
	case token.Time.After(v.control.Add(allowedClockDifference)):
		s.state, s.text = "bad", "The timestamp is later than a time that is proven to be later still."
		res.Indication, res.SubIndication, res.Text = Indeterminate, trust.TimestampOrderFailure, s.text
		d.against(rankStamp, Indeterminate, trust.TimestampOrderFailure, s.text)
	default:
		it.out.StampTime = token.Time
		return token.Time, s
	}
	return v.control, s
}

// checkedToken reads a token and holds it against the signature's value.
func checkedToken(it *item, raw []byte, err error) (*tsp.Token, error) {
	if err != nil {
		return nil, err
	}
	token, err := tsp.ParseToken(raw)
	if err != nil {
		return nil, err
	}
	h := token.Hash.New()
	h.Write(it.signer.Value)
	sum := h.Sum(nil)
	if !bytes.Equal(sum, token.Imprint) {
		return nil, &cms.Error{Kind: cms.Digest, Text: "the timestamp was made for something else"}
	}
	return token, token.Check(sum, nil)
}

// stampFault is the sub-indication for a token that does not hold.
func stampFault(err error) string {
	switch cms.KindOf(err) {
	case cms.Malformed:
		return trust.FormatFailure
	case cms.Digest:
		return trust.HashFailure
	case cms.Weak, cms.Unsupported:
		return trust.CryptoConstraints
	case cms.NoSigner:
		return trust.NoSigningCertificateFound
	}
	return trust.SigCryptoFailure
}

type stampFinding struct {
	token   *tsp.Token
	outcome trust.Outcome
	data    trust.Revocation // what the file says of the clock service at the time it states
	state   string
	text    string
}

func timeCheck(it *item, d *verdict, s *stampFinding) {
	switch {
	case s == nil && it.out.ClaimedTime.IsZero():
		d.check("time", "off", "The time of signing is not in the file.", "")
	case s == nil:
		d.check("time", "off", "Signed on "+timeText(it.out.ClaimedTime)+", by the signer's own clock.", "No clock service confirms it.")
	case s.state == "good":
		d.check("time", "good", "Signed no later than "+timeText(s.token.Time)+".", "The clock service "+it.out.StampIssuer+" confirms it.")
	case s.state == "unknown":
		d.check("time", "unknown", "A clock service that we do not know says "+timeText(s.token.Time)+".", s.text)
	default:
		d.check("time", "bad", "The timestamp does not hold.", s.text)
	}
}

func algorithmCheck(it *item, d *verdict, verified cms.Verified, err error, c *x509.Certificate) {
	switch kind := cms.KindOf(err); {
	case kind == cms.Weak || kind == cms.Unsupported:
		d.check("algorithm", "bad", "The signature's algorithm is not accepted.", sentence(err))
	case verified.Algorithm.Hash == 0 || c == nil:
		d.check("algorithm", "unknown", "The signature's algorithm could not be checked.", "")
	default:
		it.out.Algorithm = cms.Describe(verified.Algorithm, cms.PublicKey(c))
		d.check("algorithm", "good", it.out.Algorithm+" is strong enough.", "")
	}
}

// pool are all certificates at hand.
func (v *verification) pool(it *item) []*x509.Certificate {
	var all []*x509.Certificate
	if it.data != nil {
		all = append(all, it.data.Certificates...)
	}
	if it.token != nil {
		all = append(all, it.token.Certificates...)
	}
	return append(all, v.certs...)
}

// fragment is the plain text of an error of cms or tsp; the cause of any other stays out.
func fragment(err error) string {
	var c *cms.Error
	var t *tsp.Error
	switch {
	case errors.As(err, &c):
		return c.Text
	case errors.As(err, &t):
		return t.Text
	}
	return "it cannot be read"
}

func sentence(err error) string {
	s := fragment(err)
	return strings.ToUpper(s[:1]) + s[1:] + "."
}
