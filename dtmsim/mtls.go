package dtmsim

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http"
	"slices"
	"time"
)

// ServerTLS is for a listener that stands for DigiCert's "clientauth." host: it takes only
// callers with a certificate of ClientCertificate's kind. Hosts are names and addresses the
// listener is reached at, besides this machine's own.
func (s *Sim) ServerTLS(hosts ...string) (*tls.Config, error) {
	t := &x509.Certificate{Subject: simName("Simulator Server"), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range append([]string{"localhost", "127.0.0.1", "::1"}, hosts...) {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if !slices.Contains(t.DNSNames, h) {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	own, err := s.connectionCertificate(t)
	if err != nil {
		return nil, err
	}
	// HTTP/1.1 only, so that a fault can break the connection.
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: s.Roots(), NextProtos: []string{"http/1.1"}}, nil
}

// ClientCertificate makes a new certificate with key for the service user.
func (s *Sim) ClientCertificate() (tls.Certificate, error) {
	return s.connectionCertificate(&x509.Certificate{Subject: simName(serviceUserName), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (s *Sim) connectionCertificate(t *x509.Certificate) (tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, err := s.newKey("P-256")
	if err != nil {
		return tls.Certificate{}, err
	}
	// Connections are judged by the real clock, whatever the simulator's says.
	t.NotBefore, t.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	t.BasicConstraintsValid = true
	c, err := s.certify(key, s.pki.issuing, t)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{c.Raw, s.pki.issuing.cert.Raw}, PrivateKey: key, Leaf: c}, nil
}

// ClientPEM is a certificate of ClientCertificate, its issuer and its key, as a file.
func (s *Sim) ClientPEM() (string, error) {
	c, err := s.ClientCertificate()
	if err != nil {
		return "", err
	}
	out := ""
	for _, der := range c.Certificate {
		out += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey.(crypto.Signer))
	if err != nil {
		return "", err
	}
	return out + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), nil
}

// certified tells whether the caller came with a certificate of ours. The listener has
// checked it; signers' certificates are not for connections and do not get here.
func certified(r *http.Request) bool { return r.TLS != nil && len(r.TLS.VerifiedChains) > 0 }
