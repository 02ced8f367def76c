// Package trust decides whether a certificate was good for its purpose at a moment: a chain
// to a root the reader trusts, the dates, the key usage, and revocation. It answers with the
// indications of ETSI EN 319 102-1 (clauses 5.2.6 and 5.5.4).
//
// It never fetches anything. Revocation is judged from data at hand (the DSS of a PDF); where
// there is none the outcome says "not checked" and leaves what that means to the caller's
// policy. Without roots nothing is trusted.
package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"
)

// Usage is what the certificate was used for.
type Usage int

// The usages.
const (
	Signing   Usage = iota // signatures on documents
	TimeStamp              // RFC 3161 tokens
)

// Options of Validate.
type Options struct {
	Intermediates []*x509.Certificate // from the signature and the DSS; not trusted
	Roots         *x509.CertPool      // nil: nothing is trusted
	At            time.Time           // the moment to judge: a trusted timestamp's, else now
	Usage         Usage
	Evidence      *Evidence // revocation data at hand, may be nil
}

// Outcome is the answer for one certificate.
type Outcome struct {
	Chain         []*x509.Certificate // leaf first; ends in a root only if Trusted
	Trusted       bool                // a chain to one of the roots was found
	Failed        bool                // with a SubIndication: TOTAL-FAILED; otherwise it is INDETERMINATE
	SubIndication string              // empty: good
	Text          string              // why not, one sentence
	Revocation    Revocation
}

// maxIntermediates bounds the search for a chain in a hostile file.
const maxIntermediates = 100

// Validate judges a leaf. EXPIRED is not among the answers: it needs proof that the signature
// was made after the certificate's end, and a timestamp only proves "not later than"; a
// certificate that had ended at o.At gives OUT_OF_BOUNDS_NO_POE.
func Validate(leaf *x509.Certificate, o Options) Outcome {
	out := Outcome{Chain: guess(leaf, o.Intermediates)}
	if leaf == nil {
		out.SubIndication, out.Text = NoSigningCertificateFound, "There is no certificate to check."
		return out
	}
	chain, err := build(leaf, o, o.At)
	if err != nil {
		// Tell an ended certificate from an unknown issuer: look again inside its own dates.
		for _, at := range []time.Time{leaf.NotBefore.Add(time.Second), leaf.NotAfter.Add(-time.Second)} {
			chain, again := build(leaf, o, at)
			if again != nil {
				continue
			}
			out.Chain, out.Trusted = chain, true
			out.Revocation = o.Evidence.Check(chain, o.At)
			outside(&out, leaf, o.At)
			return out
		}
		unchained(&out, err, o.Roots == nil)
		return out
	}
	out.Chain, out.Trusted = chain, true
	if text := weak(chain); text != "" {
		out.SubIndication, out.Text = CryptoConstraints, text
		return out
	}
	if text := misuse(leaf, o.Usage); text != "" {
		out.SubIndication, out.Text = ChainConstraintsFailure, text
		return out
	}
	out.Revocation = o.Evidence.Check(chain, o.At)
	revoked(&out)
	return out
}

func build(leaf *x509.Certificate, o Options, at time.Time) ([]*x509.Certificate, error) {
	if o.Roots == nil {
		return nil, x509.UnknownAuthorityError{Cert: leaf}
	}
	pool := x509.NewCertPool()
	for i, c := range o.Intermediates {
		if i == maxIntermediates {
			break
		}
		pool.AddCert(c)
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: o.Roots, Intermediates: pool, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, err
	}
	return chains[0], nil
}

func outside(out *Outcome, leaf *x509.Certificate, at time.Time) {
	switch {
	case at.Before(leaf.NotBefore):
		out.Failed, out.SubIndication = true, NotYetValid
		out.Text = fmt.Sprintf("The certificate is valid only from %s on.", day(leaf.NotBefore))
	case at.After(leaf.NotAfter):
		out.SubIndication = OutOfBoundsNoPOE
		out.Text = fmt.Sprintf("The certificate ended on %s, and nothing in the file proves that the signature is older.", day(leaf.NotAfter))
	default:
		out.SubIndication = OutOfBoundsNoPOE
		out.Text = "A certificate in the chain was not valid at that time."
	}
	if out.Revocation.State == Withdrawn {
		revoked(out)
	}
}

func unchained(out *Outcome, err error, noRoots bool) {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var critical x509.UnhandledCriticalExtension
	var insecure x509.InsecureAlgorithmError
	switch {
	case noRoots:
		out.SubIndication, out.Text = NoCertificateChainFound, "No list of trusted issuers was given, so nobody vouches for the certificate."
	case errors.As(err, &insecure):
		out.SubIndication, out.Text = CryptoConstraints, "A certificate in the chain is signed with an algorithm that is no longer safe."
	case errors.As(err, &unknown):
		out.SubIndication, out.Text = NoCertificateChainFound, "The certificate does not lead to an issuer on the list of trusted issuers."
	case errors.As(err, &critical):
		out.SubIndication, out.Text = ChainConstraintsFailure, "The certificate carries a critical rule that we do not know."
	case errors.As(err, &invalid):
		out.SubIndication, out.Text = ChainConstraintsFailure, "The certificate's issuer was not allowed to issue it, or was not valid at that time."
	default:
		out.SubIndication, out.Text = ChainGeneralFailure, "The certificate's chain could not be checked."
	}
}

func weak(chain []*x509.Certificate) string {
	for _, c := range chain {
		switch k := c.PublicKey.(type) {
		case *rsa.PublicKey:
			if k.N.BitLen() < 2048 {
				return fmt.Sprintf("The chain holds an RSA key of %d bits, which is no longer safe.", k.N.BitLen())
			}
		case *ecdsa.PublicKey:
			if k.Curve == elliptic.P224() {
				return "The chain holds an elliptic curve key of 224 bits, which is not accepted."
			}
		}
	}
	return ""
}

// OIDs of extended key usages that document signers carry.
var signingUsages = []asn1.ObjectIdentifier{
	{1, 3, 6, 1, 5, 5, 7, 3, 36},       // documentSigning, RFC 9336
	{1, 2, 840, 113583, 1, 1, 5},       // Adobe authentic documents
	{1, 3, 6, 1, 4, 1, 311, 10, 3, 12}, // Microsoft document signing
}

// misuse says why a certificate is not for the usage, empty when it is.
func misuse(c *x509.Certificate, u Usage) string {
	if c.BasicConstraintsValid && c.IsCA {
		return "The signer's certificate is one for issuing certificates, not for signing documents."
	}
	if c.KeyUsage != 0 && c.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return "The certificate's key is not meant for signatures."
	}
	if u == TimeStamp {
		for _, e := range c.ExtKeyUsage {
			if e == x509.ExtKeyUsageTimeStamping {
				return ""
			}
		}
		return "The clock service's certificate is not one for timestamps."
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return ""
	}
	for _, e := range c.ExtKeyUsage {
		switch e {
		case x509.ExtKeyUsageAny, x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth:
			return ""
		}
	}
	for _, e := range c.UnknownExtKeyUsage {
		for _, s := range signingUsages {
			if e.Equal(s) {
				return ""
			}
		}
	}
	return "The certificate is meant for something else than signing documents."
}

// guess follows issuers as far as the certificates at hand go, for display only.
func guess(leaf *x509.Certificate, pool []*x509.Certificate) []*x509.Certificate {
	if leaf == nil {
		return nil
	}
	chain := []*x509.Certificate{leaf}
	for tip := leaf; len(chain) < 8; {
		var next *x509.Certificate
		for i, c := range pool {
			if i == maxIntermediates {
				break
			}
			if string(c.RawSubject) == string(tip.RawIssuer) && !c.Equal(tip) && tip.CheckSignatureFrom(c) == nil {
				next = c
				break
			}
		}
		if next == nil {
			break
		}
		chain, tip = append(chain, next), next
	}
	return chain
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }
