package tsp

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"countersign/pades/cms"
)

// Token is a parsed timestamp token. Nothing in it is proven before Check.
type Token struct {
	Raw      []byte
	Hash     crypto.Hash // of the imprint
	Imprint  []byte
	Time     time.Time // genTime, UTC
	Accuracy time.Duration
	Policy   asn1.ObjectIdentifier
	Serial   *big.Int
	Nonce    *big.Int // nil when there is none

	Certificate  *x509.Certificate   // of the clock service, nil when not in the token
	Certificates []*x509.Certificate // all in the token

	data   *cms.SignedData
	signer *cms.Signer
}

// Error is a failed check of a token; Text is a fragment in plain words.
type Error struct{ Text string }

func (e *Error) Error() string { return "tsp: " + e.Text }

func fail(text string) error { return &Error{Text: text} }

// ParseToken reads a TimeStampToken (RFC 3161, 2.4.2). An imprint made with SHA-1 or MD5 is
// refused (kind Weak of package cms).
func ParseToken(der []byte) (*Token, error) {
	sd, err := cms.Parse(der)
	if err != nil {
		return nil, err
	}
	if !sd.ContentType.Equal(cms.OIDTSTInfo) || sd.Content == nil {
		return nil, fail("the timestamp is not a timestamp token")
	}
	signer, err := sd.One()
	if err != nil {
		return nil, err
	}
	t := &Token{Raw: der, data: sd, signer: signer, Certificates: sd.Certificates}
	t.Certificate, _ = sd.Certificate(signer) // Check reports its absence
	return t, t.parseInfo(sd.Content)
}

func (t *Token) parseInfo(der []byte) error {
	bad := fail("the statement inside the timestamp cannot be read")
	in := cryptobyte.String(der)
	var info, imprint, alg, digest cryptobyte.String
	var version int
	var oid asn1.ObjectIdentifier
	t.Serial = new(big.Int)
	if !in.ReadASN1(&info, cbasn1.SEQUENCE) || !in.Empty() || !info.ReadASN1Integer(&version) || version != 1 ||
		!info.ReadASN1ObjectIdentifier(&t.Policy) || !info.ReadASN1(&imprint, cbasn1.SEQUENCE) ||
		!imprint.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!imprint.ReadASN1(&digest, cbasn1.OCTET_STRING) || !imprint.Empty() || !info.ReadASN1Integer(t.Serial) {
		return bad
	}
	var err error
	if t.Hash, err = cms.HashOf(oid); err != nil {
		return err
	}
	if len(digest) != t.Hash.Size() {
		return bad
	}
	t.Imprint = bytes.Clone(digest)
	var at cryptobyte.String
	if !info.ReadASN1(&at, cbasn1.GeneralizedTime) {
		return bad
	}
	// genTime may carry fractions of a second, which ReadASN1GeneralizedTime refuses.
	if t.Time, err = time.Parse("20060102150405.999999999Z", string(at)); err != nil {
		return bad
	}
	return t.parseOptional(info, bad)
}

func (t *Token) parseOptional(info cryptobyte.String, bad error) error {
	if info.PeekASN1Tag(cbasn1.SEQUENCE) {
		var acc cryptobyte.String
		if !info.ReadASN1(&acc, cbasn1.SEQUENCE) {
			return bad
		}
		var seconds, millis, micros int64
		if acc.PeekASN1Tag(cbasn1.INTEGER) && !acc.ReadASN1Integer(&seconds) {
			return bad
		}
		if acc.PeekASN1Tag(cbasn1.Tag(0).ContextSpecific()) && !acc.ReadASN1Int64WithTag(&millis, cbasn1.Tag(0).ContextSpecific()) ||
			acc.PeekASN1Tag(cbasn1.Tag(1).ContextSpecific()) && !acc.ReadASN1Int64WithTag(&micros, cbasn1.Tag(1).ContextSpecific()) || !acc.Empty() {
			return bad
		}
		if seconds < 0 || seconds > 1<<31 || millis < 0 || millis > 999 || micros < 0 || micros > 999 {
			return bad
		}
		t.Accuracy = time.Duration(seconds)*time.Second + time.Duration(millis)*time.Millisecond + time.Duration(micros)*time.Microsecond
	}
	if info.PeekASN1Tag(cbasn1.BOOLEAN) {
		var ordering bool
		if !info.ReadASN1Boolean(&ordering) {
			return bad
		}
	}
	if info.PeekASN1Tag(cbasn1.INTEGER) {
		t.Nonce = new(big.Int)
		if !info.ReadASN1Integer(t.Nonce) {
			return bad
		}
	}
	// What follows ([0] tsa, [1] extensions) is only a hint; the signature covers it.
	return nil
}

// Check proves the token for a digest made with t.Hash: the imprint, the nonce (if one was
// sent), the CMS signature, the binding of the certificate (ESS, required by RFC 3161, 2.4.2)
// and that the certificate is for timestamps only (extended key usage timeStamping, alone and
// critical, RFC 3161, 2.3). The chain is not checked here.
func (t *Token) Check(digest []byte, nonce *big.Int) error {
	if subtle.ConstantTimeCompare(t.Imprint, digest) != 1 {
		return fail("the timestamp was made for something else")
	}
	if nonce != nil && (t.Nonce == nil || t.Nonce.Cmp(nonce) != 0) {
		return fail("the timestamp answers another request")
	}
	h, err := t.signer.Hash()
	if err != nil {
		return err
	}
	sum := h.New()
	sum.Write(t.data.Content)
	v, err := t.data.Verify(t.signer, sum.Sum(nil))
	if err != nil {
		return err
	}
	if v.ESS == 0 {
		return fail("the timestamp does not name its certificate")
	}
	return checkUsage(v.Certificate)
}

// Oddities names what the token carries outside of what its signature protects (see
// cms.SignedData.Oddities).
func (t *Token) Oddities() []string { return t.data.Oddities(false) }

var oidExtKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 37}

func checkUsage(c *x509.Certificate) error {
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageTimeStamping || len(c.UnknownExtKeyUsage) > 0 {
		return fail("the clock service's certificate is not one for timestamps")
	}
	for _, e := range c.Extensions {
		if e.Id.Equal(oidExtKeyUsage) && e.Critical {
			return nil
		}
	}
	return fail("the clock service's certificate does not insist on timestamps (its key usage is not critical)")
}
