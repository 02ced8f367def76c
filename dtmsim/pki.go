package dtmsim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// entity is a key with its certificate.
type entity struct {
	key  crypto.Signer
	cert *x509.Certificate
}

// pki is the simulator's certification authority: a root that signs one issuing
// CA, which signs everybody else, the TSA and the OCSP responder included.
type pki struct {
	root, issuing, tsa, ocsp entity
}

var (
	oidDocumentSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 36}    // RFC 9336
	oidNoCheck         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5} // RFC 6960, 4.2.2.2.1
	oidEKU             = asn1.ObjectIdentifier{2, 5, 29, 37}                  // RFC 5280, 4.2.1.12
	oidTimeStamping    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}     // RFC 3161, 2.3
	oidPolicy          = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 1} // RFC 5612: for documentation
	oidTSAPolicy       = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1, 2} // likewise
	oidCommonName      = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidCountry         = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidOrganization    = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidSurname         = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidGivenName       = asn1.ObjectIdentifier{2, 5, 4, 42}
)

const simOrg = "DTM Simulator"

func simName(cn string) pkix.Name {
	return pkix.Name{Country: []string{"NL"}, Organization: []string{simOrg}, CommonName: cn}
}

// newPKI makes the four keys and certificates.
func (s *Sim) newPKI() (*pki, error) {
	now := s.now()
	from := now.Add(-24 * time.Hour)
	p := &pki{}
	for _, e := range []*entity{&p.root, &p.issuing, &p.tsa, &p.ocsp} {
		alg := "RSA"
		if s.opt.FastKeys {
			alg = "P-256"
		}
		k, err := s.newKey(alg)
		if err != nil {
			return nil, err
		}
		e.key = k
	}
	var err error
	if p.root.cert, err = s.certify(p.root.key, entity{key: p.root.key}, &x509.Certificate{
		Subject: simName("Simulator Root CA"), NotBefore: from, NotAfter: from.AddDate(25, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}); err != nil {
		return nil, err
	}
	if p.issuing.cert, err = s.certify(p.issuing.key, p.root, &x509.Certificate{
		Subject: simName("Simulator Issuing CA"), NotBefore: from, NotAfter: from.AddDate(15, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IssuingCertificateURL: []string{s.url("/pki/root.cer")}, CRLDistributionPoints: []string{s.url("/crl/root.crl")},
	}); err != nil {
		return nil, err
	}
	eku, err := asn1.Marshal([]asn1.ObjectIdentifier{oidTimeStamping})
	if err != nil {
		return nil, err
	}
	tsa := s.leaf(simName("Simulator Time Stamping Authority"), from, from.AddDate(10, 0, 0))
	tsa.KeyUsage = x509.KeyUsageDigitalSignature
	tsa.ExtraExtensions = []pkix.Extension{{Id: oidEKU, Critical: true, Value: eku}} // RFC 3161, 2.3: critical, and alone
	if p.tsa.cert, err = s.certify(p.tsa.key, p.issuing, tsa); err != nil {
		return nil, err
	}
	ocsp := &x509.Certificate{
		Subject: simName("Simulator OCSP Responder"), NotBefore: from, NotAfter: from.AddDate(5, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: oidNoCheck, Value: asn1.NullBytes}},
	}
	p.ocsp.cert, err = s.certify(p.ocsp.key, p.issuing, ocsp)
	return p, err
}

// leaf is the frame of an end-entity certificate of the issuing CA.
func (s *Sim) leaf(subject pkix.Name, from, to time.Time) *x509.Certificate {
	return &x509.Certificate{
		Subject: subject, NotBefore: from, NotAfter: to, BasicConstraintsValid: true,
		OCSPServer:            []string{s.url("/ocsp")},
		IssuingCertificateURL: []string{s.url("/pki/issuing.cer")},
		CRLDistributionPoints: []string{s.url("/crl/issuing.crl")},
	}
}

// certifySigner issues the certificate of a person or a seal.
func (s *Sim) certifySigner(key crypto.Signer, subject pkix.Name, from, to time.Time) (*x509.Certificate, error) {
	t := s.leaf(subject, from, to)
	t.KeyUsage = x509.KeyUsageContentCommitment | x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	t.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidDocumentSigning}
	t.PolicyIdentifiers = []asn1.ObjectIdentifier{oidPolicy}
	if pol, err := x509.OIDFromInts([]uint64{1, 3, 6, 1, 4, 1, 32473, 1, 1}); err == nil {
		t.Policies = []x509.OID{pol}
	}
	return s.certify(key, s.pki.issuing, t)
}

// certify signs a certificate; an issuer without one signs itself.
func (s *Sim) certify(key crypto.Signer, issuer entity, t *x509.Certificate) (*x509.Certificate, error) {
	serial, err := s.serial()
	if err != nil {
		return nil, err
	}
	t.SerialNumber = serial
	parent := issuer.cert
	if parent == nil {
		parent = t
	}
	der, err := x509.CreateCertificate(s.opt.Rand, t, parent, key.Public(), issuer.key)
	if err != nil {
		return nil, fmt.Errorf("certify %s: %w", t.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

// serial is a positive number of sixteen octets.
func (s *Sim) serial() (*big.Int, error) {
	b := s.random(16)
	if b == nil {
		return nil, errors.New("no randomness for a serial number")
	}
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b), nil
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

func (s *Sim) newKey(alg string) (crypto.Signer, error) {
	if curve := curves[alg]; curve != nil {
		return ecdsa.GenerateKey(curve, s.opt.Rand)
	}
	bits := s.opt.RSABits
	if size, ok := strings.CutPrefix(alg, "RSA-"); ok {
		var err error
		if bits, err = strconv.Atoi(size); err != nil {
			return nil, fmt.Errorf("key %q: %w", alg, err)
		}
	}
	return rsa.GenerateKey(s.opt.Rand, bits)
}

// personName is the subject of a natural person's certificate, in the order that
// makes its common name come first in RFC 4514's reversed form.
func personName(given, family string) pkix.Name {
	return pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: oidCountry, Value: "NL"}, {Type: oidOrganization, Value: simOrg},
		{Type: oidSurname, Value: family}, {Type: oidGivenName, Value: given}, {Type: oidCommonName, Value: given + " " + family},
	}}
}

// dnNames are the short names of RFC 4519 for what stands in our subjects.
var dnNames = map[string]string{"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.42": "givenName", "2.5.4.10": "O", "2.5.4.6": "C"}

// dn writes a name after RFC 4514. Go's own form shows given name and surname as numbers.
func dn(n pkix.Name) string {
	var parts []string
	for _, a := range slices.Backward(n.Names) {
		name, ok := dnNames[a.Type.String()]
		if !ok {
			name = a.Type.String()
		}
		value := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`, `"`, `\"`, `<`, `\<`, `>`, `\>`, `;`, `\;`).Replace(fmt.Sprint(a.Value))
		if strings.HasPrefix(value, "#") || strings.HasPrefix(value, " ") {
			value = `\` + value
		}
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, ",")
}

func pemCert(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// keep writes an entity as name.key and name.pem; without a data folder it does nothing.
func (s *Sim) keep(name string, e entity) error {
	if s.opt.Data == "" {
		return nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(e.key)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.opt.Data, "keys")
	if err := writeFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err != nil {
		return err
	}
	if e.cert == nil {
		return nil
	}
	return writeFile(filepath.Join(dir, name+".pem"), []byte(pemCert(e.cert)))
}

// kept reads an entity back; the certificate is nil when there is none yet.
func (s *Sim) kept(name string) (entity, error) {
	dir := filepath.Join(s.opt.Data, "keys")
	b, err := os.ReadFile(filepath.Join(dir, name+".key"))
	if err != nil {
		return entity{}, err
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return entity{}, fmt.Errorf("key %s: not PEM", name)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return entity{}, fmt.Errorf("key %s: %w", name, err)
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return entity{}, fmt.Errorf("key %s: cannot sign", name)
	}
	e := entity{key: signer}
	b, err = os.ReadFile(filepath.Join(dir, name+".pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err != nil {
		return entity{}, err
	}
	if block, _ = pem.Decode(b); block == nil {
		return entity{}, fmt.Errorf("certificate %s: not PEM", name)
	}
	e.cert, err = x509.ParseCertificate(block.Bytes)
	return e, err
}

// loadPKI takes up the kept PKI or makes a new one.
func (s *Sim) loadPKI() error {
	names := []string{"root", "issuing", "tsa", "ocsp"}
	if s.opt.Data != "" {
		p := &pki{}
		into := []*entity{&p.root, &p.issuing, &p.tsa, &p.ocsp}
		for i, n := range names {
			e, err := s.kept(n)
			if errors.Is(err, fs.ErrNotExist) && i == 0 {
				break
			}
			if err != nil {
				return fmt.Errorf("take up the PKI: %w", err)
			}
			*into[i] = e
		}
		if p.root.key != nil {
			s.pki = p
			return nil
		}
	}
	p, err := s.newPKI()
	if err != nil {
		return fmt.Errorf("make a PKI: %w", err)
	}
	s.pki = p
	// The root comes last: it is what marks the set as complete.
	for i, e := range []entity{p.ocsp, p.tsa, p.issuing, p.root} {
		if err := s.keep(names[len(names)-1-i], e); err != nil {
			return err
		}
	}
	return nil
}

// Roots is a pool with the simulator's root.
func (s *Sim) Roots() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(s.pki.root.cert)
	return p
}

// RootPEM and CAPEM are the root and the issuing CA.
func (s *Sim) RootPEM() string { return pemCert(s.pki.root.cert) }

// CAPEM is the issuing CA's certificate.
func (s *Sim) CAPEM() string { return pemCert(s.pki.issuing.cert) }
