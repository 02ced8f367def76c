package signing

import (
	"crypto/x509"
	"time"

	"countersign/dtmclient"
)

// Examined is how a credential would be signed with here, and what is in the way.
type Examined struct {
	Algorithm string // OID; empty: none that is used here
	Factor    Factor
	Best      bool // Algorithm is the first choice for this key

	NoAlgorithm, NoFactor, NoCertificate error
}

// Examine holds what a service tells of a credential against what signing demands; oauth says
// whether an approval at the provider's own page can be asked for. It asks nobody.
func Examine(info dtmclient.CredentialInfo, oauth bool, roots *x509.CertPool, now time.Time) (e Examined) {
	var a algorithm
	a, e.NoAlgorithm = choose(info)
	e.Algorithm, e.Best = a.oid, a.oid == oidSHA256RSA || a.oid == oidECDSASHA256
	e.Factor, e.NoFactor = factorOf(info, oauth)
	e.NoCertificate = checkCertificate(info.Certificates, roots, now)
	return e
}

// SignAlgorithms are the identifiers that signing uses, the best for each kind of key first.
func SignAlgorithms() (all []string) {
	for _, list := range [][]algorithm{rsaAlgorithms, ecdsaAlgorithms} {
		for _, a := range list {
			all = append(all, a.oid)
		}
	}
	return all
}
