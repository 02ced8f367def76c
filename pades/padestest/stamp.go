package padestest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"countersign/pades/tsp"
)

// imprint is what a timestamp is asked for; alg and digest as they came.
type imprint struct {
	message []byte // the MessageImprint, a complete element
	nonce   *big.Int
}

// Stamp is a token over a digest, checked, as a client of the clock service gets it.
func (p *PKI) Stamp(ctx context.Context, digest []byte, h crypto.Hash) (*tsp.Token, error) {
	clock := tsp.Service{Name: "clock", Post: func(_ context.Context, req []byte) ([]byte, error) { return p.stampReply(req) }}
	t, _, err := tsp.First(ctx, []tsp.Service{clock}, tsp.Question{Digest: digest, Hash: h, Now: p.Now})
	return t, err
}

// stampReply is the clock service's TimeStampResp.
func (p *PKI) stampReply(request []byte) ([]byte, error) {
	im, err := parseRequest(request)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.serial++
	serial, at := p.serial, p.now()
	p.mu.Unlock()
	token, err := p.Token(im.message, im.nonce, serial, at)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1Int64(0) })
		b.AddBytes(token)
	})
	return b.Bytes()
}

func parseRequest(der []byte) (im imprint, err error) {
	bad := errors.New("no timestamp request")
	in := cryptobyte.String(der)
	var seq, message cryptobyte.String
	var version int
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1Integer(&version) || !seq.ReadASN1Element(&message, cbasn1.SEQUENCE) {
		return im, bad
	}
	im.message = message
	if seq.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) && !seq.SkipASN1(cbasn1.OBJECT_IDENTIFIER) {
		return im, bad
	}
	if seq.PeekASN1Tag(cbasn1.INTEGER) {
		im.nonce = new(big.Int)
		if !seq.ReadASN1Integer(im.nonce) {
			return im, bad
		}
	}
	return im, nil
}

var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
	oidSHA256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// Token is a TimeStampToken (RFC 3161, 2.4.2) by Clock over a MessageImprint.
func (p *PKI) Token(message []byte, nonce *big.Int, serial int64, at time.Time) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{1, 2, 3, 4})
		b.AddBytes(message)
		b.AddASN1Int64(serial)
		b.AddASN1GeneralizedTime(at.UTC())
		if nonce != nil {
			b.AddASN1BigInt(nonce)
		}
	})
	info, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sum, cert := sha256.Sum256(info), sha256.Sum256(p.Clock.Cert.Raw)
	attributes := [][]byte{
		attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oidTSTInfo) }),
		attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}, func(b *cryptobyte.Builder) { b.AddASN1OctetString(sum[:]) }),
		attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}, func(b *cryptobyte.Builder) {
			nest(b, 3, func(b *cryptobyte.Builder) { b.AddASN1OctetString(cert[:]) })
		}),
	}
	slices.SortFunc(attributes, bytes.Compare)
	signed := slices.Concat(attributes...)
	digest := sha256.Sum256(element(cbasn1.SET, signed))
	value, err := p.Clock.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return p.signedData(info, signed, value)
}

func (p *PKI) signedData(info, signed, value []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSignedData)
		b.AddASN1(tagged(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(3)
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { algorithm(b, oidSHA256, nil) })
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oidTSTInfo)
					b.AddASN1(tagged(0), func(b *cryptobyte.Builder) { b.AddASN1OctetString(info) })
				})
				certs := [][]byte{p.Clock.Cert.Raw, p.Clocks.Cert.Raw}
				slices.SortFunc(certs, bytes.Compare)
				b.AddBytes(element(tagged(0), slices.Concat(certs...)))
				b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) { p.signerInfo(b, signed, value) })
			})
		})
	})
	return b.Bytes()
}

func (p *PKI) signerInfo(b *cryptobyte.Builder, signed, value []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(p.Clock.Cert.RawIssuer)
			b.AddASN1BigInt(p.Clock.Cert.SerialNumber)
		})
		algorithm(b, oidSHA256, nil)
		b.AddBytes(element(tagged(0), signed))
		switch p.Clock.Key.Public().(type) {
		case *ecdsa.PublicKey:
			algorithm(b, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}, nil)
		case *rsa.PublicKey:
			algorithm(b, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, []byte{5, 0})
		}
		b.AddASN1OctetString(value)
	})
}

func algorithm(b *cryptobyte.Builder, oid asn1.ObjectIdentifier, params []byte) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddBytes(params)
	})
}

func attribute(oid asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, value)
	})
	return b.BytesOrPanic()
}

// nest writes sequences within sequences.
func nest(b *cryptobyte.Builder, depth int, inner func(*cryptobyte.Builder)) {
	if depth == 0 {
		inner(b)
		return
	}
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { nest(b, depth-1, inner) })
}

func element(tag cbasn1.Tag, content []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(content) })
	return b.BytesOrPanic()
}

func tagged(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
