package dtmsim

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512" // registers SHA-384 and SHA-512
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	oidTSTInfo     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSHA256RSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidSHA256ECDSA = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

// hashOIDs are the digests this simulator knows. SHA-1 is there for timestamps only.
var hashOIDs = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	"1.3.14.3.2.26":          crypto.SHA1,
}

func hashOID(h crypto.Hash) asn1.ObjectIdentifier {
	switch h {
	case crypto.SHA1:
		return asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	case crypto.SHA384:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}
	case crypto.SHA512:
		return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}
	}
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
}

// imprint is what a timestamp is asked for.
type imprint struct {
	hash    crypto.Hash
	digest  []byte
	nonce   *big.Int
	certReq bool
	spoiled bool // by a fault: one bit of the signature is wrong
}

// timestamp makes a TimeStampToken (RFC 3161, 2.4.2): a CMS ContentInfo.
func (s *Sim) timestamp(im imprint, at time.Time) ([]byte, error) {
	serial, err := s.serial()
	if err != nil {
		return nil, err
	}
	info, err := tstInfo(im, serial, at)
	if err != nil {
		return nil, err
	}
	d := signedData{content: oidTSTInfo, inner: info, hash: crypto.SHA256, signer: s.pki.tsa.cert}
	sum := sha256.Sum256(info)
	if d.attributes, err = signedAttributes(d, sum[:], time.Time{}); err != nil {
		return nil, err
	}
	// RFC 5652, 5.4: what is signed is the SET OF, not the [0] it travels in.
	toSign := sha256.Sum256(set(cbasn1.SET, d.attributes))
	if d.value, err = s.pki.tsa.key.Sign(s.opt.Rand, toSign[:], crypto.SHA256); err != nil {
		return nil, err
	}
	var alg cryptobyte.Builder
	addSignatureAlgorithm(&alg, s.pki.tsa.key)
	if d.algorithm, err = alg.Bytes(); err != nil {
		return nil, err
	}
	if im.certReq {
		d.certificates = [][]byte{d.signer.Raw, s.pki.issuing.cert.Raw}
	}
	if im.spoiled {
		d.value = flipped(d.value)
	}
	return d.bytes()
}

func tstInfo(im imprint, serial *big.Int, at time.Time) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1ObjectIdentifier(oidTSAPolicy)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addAlgorithm(b, hashOID(im.hash), true)
			b.AddASN1OctetString(im.digest)
		})
		b.AddASN1BigInt(serial)
		b.AddASN1GeneralizedTime(at)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(1) }) // accuracy: one second
		if im.nonce != nil {
			b.AddASN1BigInt(im.nonce)
		}
	})
	return b.Bytes()
}

func addSignatureAlgorithm(b *cryptobyte.Builder, key crypto.Signer) {
	if _, ok := key.Public().(*rsa.PublicKey); ok {
		addAlgorithm(b, oidSHA256RSA, true)
		return
	}
	addAlgorithm(b, oidSHA256ECDSA, false)
}

// serveTSA answers RFC 3161 over HTTP (3.4).
func (s *Sim) serveTSA(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	if err != nil || r.Header.Get("Content-Type") != "application/timestamp-query" {
		http.Error(w, "want application/timestamp-query", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/timestamp-reply")
	im, failure, err := parseTimeStampReq(body)
	if err != nil {
		_, _ = w.Write(refusedTimestamp(failure, err.Error()))
		return
	}
	s.mu.Lock()
	now := s.now()
	s.mu.Unlock()
	f := faultOf(r.Context())
	if f.Effect == EffectRejected {
		_, _ = w.Write(refusedTimestamp(failTimeNotAvailable, "the time source is not available"))
		return
	}
	im, now = f.bent(im, now)
	token, err := s.timestamp(im, now)
	if err != nil {
		s.log.Error("dtmsim: timestamp", "err", err)
		http.Error(w, "no timestamp", http.StatusInternalServerError)
		return
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
		b.AddBytes(token)
	})
	_, _ = w.Write(b.BytesOrPanic())
}

// The bits of PKIFailureInfo (RFC 3161, 2.4.2).
const (
	failBadAlg           = 0
	failBadDataFormat    = 5
	failTimeNotAvailable = 14
	failBadPolicy        = 15
	failExtension        = 16
)

func refusedTimestamp(bit int, why string) []byte {
	bits := make([]byte, bit/8+1)
	bits[bit/8] = 0x80 >> (bit % 8)
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1Int64(2) // rejection
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(why)) })
			})
			b.AddASN1(cbasn1.BIT_STRING, func(b *cryptobyte.Builder) {
				b.AddUint8(uint8(7 - bit%8))
				b.AddBytes(bits)
			})
		})
	})
	return b.BytesOrPanic()
}

// parseTimeStampReq reads a TimeStampReq (RFC 3161, 2.4.1) and names the failure bit.
func parseTimeStampReq(der []byte) (imprint, int, error) {
	var (
		im           imprint
		version      int64
		in           = cryptobyte.String(der)
		req, mi, alg cryptobyte.String
		oid, policy  asn1.ObjectIdentifier
		digest       cryptobyte.String
	)
	if !in.ReadASN1(&req, cbasn1.SEQUENCE) || !in.Empty() ||
		!req.ReadASN1Integer(&version) || version != 1 ||
		!req.ReadASN1(&mi, cbasn1.SEQUENCE) || !mi.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!mi.ReadASN1(&digest, cbasn1.OCTET_STRING) || !mi.Empty() {
		return im, failBadDataFormat, errors.New("not a TimeStampReq")
	}
	if req.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) {
		if !req.ReadASN1ObjectIdentifier(&policy) {
			return im, failBadDataFormat, errors.New("policy cannot be read")
		}
		if !policy.Equal(oidTSAPolicy) {
			return im, failBadPolicy, errors.New("unknown policy")
		}
	}
	if req.PeekASN1Tag(cbasn1.INTEGER) {
		im.nonce = new(big.Int)
		if !req.ReadASN1Integer(im.nonce) {
			return im, failBadDataFormat, errors.New("nonce cannot be read")
		}
	}
	if req.PeekASN1Tag(cbasn1.BOOLEAN) && !req.ReadASN1Boolean(&im.certReq) {
		return im, failBadDataFormat, errors.New("certReq cannot be read")
	}
	if !req.Empty() {
		return im, failExtension, errors.New("extensions are not supported")
	}
	h, ok := hashOIDs[oid.String()]
	if !ok || h == crypto.SHA1 {
		return im, failBadAlg, errors.New("hash algorithm is not accepted")
	}
	if len(digest) != h.Size() {
		return im, failBadDataFormat, errors.New("digest has the wrong length")
	}
	im.hash, im.digest = h, digest
	return im, 0, nil
}
