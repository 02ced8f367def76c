package dtmsim

import (
	"crypto"
	"crypto/sha1" //nolint:gosec // OCSP names issuers by SHA-1 by default (RFC 6960, 4.1.1)
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/crypto/ocsp"
)

// revocationFresh is how long OCSP answers and CRLs say they are good for.
const revocationFresh = 12 * time.Hour

var oidOCSPBasic = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}

func (s *Sim) routePKI(mux *http.ServeMux) {
	mux.HandleFunc("POST /tsa", s.serveTSA)
	mux.HandleFunc("POST /ocsp", s.serveOCSP)
	mux.HandleFunc("GET /crl/issuing.crl", func(w http.ResponseWriter, r *http.Request) { s.serveCRL(w, r, s.pki.issuing, true) })
	mux.HandleFunc("GET /crl/root.crl", func(w http.ResponseWriter, r *http.Request) { s.serveCRL(w, r, s.pki.root, false) })
	cert := func(c func() *x509.Certificate) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/pkix-cert")
			_, _ = w.Write(c().Raw)
		}
	}
	mux.HandleFunc("GET /pki/root.cer", cert(func() *x509.Certificate { return s.pki.root.cert }))
	mux.HandleFunc("GET /pki/issuing.cer", cert(func() *x509.Certificate { return s.pki.issuing.cert }))
}

// ocspByGet takes OCSP's GET before the mux does: base64 may hold "//", which the mux would tidy away.
func (s *Sim) ocspByGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/ocsp/") {
			s.serveOCSP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// revocation tells how a serial number of the issuing CA stands.
type revocation struct {
	known  bool
	reason int // 0: good
	at     time.Time
}

func (s *Sim) revocationOf(serial *big.Int) revocation {
	for _, c := range []*x509.Certificate{s.pki.tsa.cert, s.pki.ocsp.cert} {
		if c.SerialNumber.Cmp(serial) == 0 {
			return revocation{known: true}
		}
	}
	for _, c := range s.st.Credentials {
		if c.cert == nil || c.cert.SerialNumber.Cmp(serial) != 0 {
			continue
		}
		return revocation{known: true, reason: revocationReasons[c.Reason], at: c.RevokedAt}
	}
	return revocation{}
}

func (s *Sim) serveOCSP(w http.ResponseWriter, r *http.Request) {
	der, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if r.Method == http.MethodGet {
		// RFC 6960, A.1: base64, URL-encoded; some clients leave its slashes as they are.
		raw := strings.TrimPrefix(r.URL.EscapedPath(), "/ocsp/")
		var plain string
		if plain, err = url.PathUnescape(raw); err == nil {
			der, err = base64.StdEncoding.DecodeString(plain)
		}
	}
	w.Header().Set("Content-Type", "application/ocsp-response")
	if err != nil {
		_, _ = w.Write(ocsp.MalformedRequestErrorResponse)
		return
	}
	req, err := ocsp.ParseRequest(der)
	if err != nil {
		_, _ = w.Write(ocsp.MalformedRequestErrorResponse)
		return
	}
	s.mu.Lock()
	s.settle()
	now, rev := s.now(), s.revocationOf(req.SerialNumber)
	s.mu.Unlock()
	if !s.isOurs(req) {
		_, _ = w.Write(ocsp.UnauthorizedErrorResponse)
		return
	}
	f := faultOf(r.Context())
	now = f.lookedUp(now)
	switch f.Effect {
	case EffectTryLater:
		_, _ = w.Write(ocsp.TryLaterErrorResponse)
		return
	case EffectUnknown:
		rev = revocation{}
	case EffectSaysRevoked:
		rev = revocation{known: true, reason: revocationReasons["KEY_COMPROMISE"], at: now}
	}
	resp, err := s.ocspResponse(req, rev, now, f.Effect == EffectSpoiled)
	if err != nil {
		s.log.Error("dtmsim: OCSP", "err", err)
		_, _ = w.Write(ocsp.InternalErrorErrorResponse)
		return
	}
	_, _ = w.Write(resp)
}

func (s *Sim) isOurs(req *ocsp.Request) bool {
	if !req.HashAlgorithm.Available() {
		return false
	}
	h := req.HashAlgorithm.New()
	h.Write(s.pki.issuing.cert.RawSubject)
	return string(h.Sum(nil)) == string(req.IssuerNameHash)
}

// ocspResponse builds the answer by hand: x/crypto/ocsp would write the machine's
// time as producedAt, and our clock is movable.
func (s *Sim) ocspResponse(req *ocsp.Request, rev revocation, now time.Time, spoiled bool) ([]byte, error) {
	spki, err := publicKeyBits(s.pki.ocsp.cert)
	if err != nil {
		return nil, err
	}
	keyHash := sha1.Sum(spki) //nolint:gosec // RFC 6960, 4.2.1: KeyHash is SHA-1
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1OctetString(keyHash[:]) })
		b.AddASN1GeneralizedTime(now)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					addAlgorithm(b, hashOID(req.HashAlgorithm), true)
					b.AddASN1OctetString(req.IssuerNameHash)
					b.AddASN1OctetString(req.IssuerKeyHash)
					b.AddASN1BigInt(req.SerialNumber)
				})
				addCertStatus(b, rev)
				b.AddASN1GeneralizedTime(now)
				b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(now.Add(revocationFresh)) })
			})
		})
	})
	tbs, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(tbs)
	sig, err := s.pki.ocsp.key.Sign(s.opt.Rand, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	if spoiled {
		sig = flipped(sig)
	}
	var basic cryptobyte.Builder
	basic.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		addSignatureAlgorithm(b, s.pki.ocsp.key)
		b.AddASN1BitString(sig)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(s.pki.ocsp.cert.Raw) })
		})
	})
	inner, err := basic.Bytes()
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0)
		b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidOCSPBasic)
				b.AddASN1OctetString(inner)
			})
		})
	})
	return out.Bytes()
}

func addCertStatus(b *cryptobyte.Builder, rev revocation) {
	switch {
	case !rev.known:
		b.AddASN1(cbasn1.Tag(2).ContextSpecific(), func(*cryptobyte.Builder) {})
	case rev.reason == 0:
		b.AddASN1(cbasn1.Tag(0).ContextSpecific(), func(*cryptobyte.Builder) {})
	default:
		b.AddASN1(cbasn1.Tag(1).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1GeneralizedTime(rev.at)
			b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(rev.reason)) })
		})
	}
}

// publicKeyBits is the content of subjectPublicKey, without tag and unused-bits octet.
func publicKeyBits(c *x509.Certificate) ([]byte, error) {
	var spki struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	_, err := asn1.Unmarshal(c.RawSubjectPublicKeyInfo, &spki)
	return spki.Key.Bytes, err
}

func (s *Sim) serveCRL(w http.ResponseWriter, r *http.Request, ca entity, leaves bool) {
	s.mu.Lock()
	s.settle()
	f := faultOf(r.Context())
	t := s.revocationList(leaves, f.lookedUp(s.now()))
	s.mu.Unlock()
	der, err := x509.CreateRevocationList(s.opt.Rand, t, ca.cert, ca.key)
	if err != nil {
		s.log.Error("dtmsim: CRL", "err", err)
		http.Error(w, "no CRL", http.StatusInternalServerError)
		return
	}
	if f.Effect == EffectSpoiled {
		der = flipped(der) // its signature comes last
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	_, _ = w.Write(der)
}

// revocationList is a list before it is signed: of everybody, or of the CA itself.
func (s *Sim) revocationList(leaves bool, now time.Time) *x509.RevocationList {
	t := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now, NextUpdate: now.Add(revocationFresh)}
	if !leaves {
		return t
	}
	for _, c := range s.st.Credentials {
		if c.cert != nil && c.Reason != "" {
			t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{
				SerialNumber: c.cert.SerialNumber, RevocationTime: c.RevokedAt, ReasonCode: revocationReasons[c.Reason]})
		}
	}
	return t
}
