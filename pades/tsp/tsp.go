// Package tsp makes RFC 3161 timestamp requests and checks the answers. A token is CMS
// signed data over a small statement: this digest existed at this time.
//
// The package has no network of its own: it turns a digest into request bytes, and
// response bytes into a checked token; the caller carries them (see Poster and HTTP).
// First asks one service after the other until one gives a good token. Whether the clock
// service is trusted is left to package trust, whose answer Question.Check can hand in.
package tsp

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"countersign/pades/cms"
)

// Poster sends a request (application/timestamp-query) and gives the body of the answer.
// It bounds time and size.
type Poster func(ctx context.Context, request []byte) (response []byte, err error)

// MaxResponse is a fitting bound in bytes for the answer.
const MaxResponse = 1 << 20

// NewNonce draws 64 random bits.
func NewNonce(random io.Reader) (*big.Int, error) {
	b := make([]byte, 8)
	if random == nil {
		random = rand.Reader
	}
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("draw nonce: %w", err)
	}
	b[0] |= 0x01 // never short, never zero
	return new(big.Int).SetBytes(b), nil
}

// Request is the DER of a TimeStampReq (RFC 3161, 2.4.1) for a digest made with h. A nil
// policy leaves it to the service. certReq asks for the certificates in the token; without
// them nobody can check it later.
func Request(digest []byte, h crypto.Hash, nonce *big.Int, policy asn1.ObjectIdentifier, certReq bool) ([]byte, error) {
	if len(digest) != h.Size() {
		return nil, fmt.Errorf("tsp: a digest of %d bytes is not one of %s", len(digest), h)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			cms.AddHash(b, h)
			b.AddASN1OctetString(digest)
		})
		if policy != nil {
			b.AddASN1ObjectIdentifier(policy)
		}
		if nonce != nil {
			b.AddASN1BigInt(nonce)
		}
		if certReq {
			b.AddASN1Boolean(true)
		}
	})
	return b.Bytes()
}

// Rejection is a refusal by the clock service (PKIStatus other than granted).
type Rejection struct {
	Status  int      // 2 rejection, 3 waiting, 4 revocation warning, 5 revocation notification
	Text    string   // what the service says, may be empty
	Reasons []string // PKIFailureInfo, as RFC 3161, 2.4.2 names its bits
}

func (r *Rejection) Error() string {
	return strings.TrimSpace(fmt.Sprintf("tsp: the clock service refused (status %d) %s %s", r.Status, strings.Join(r.Reasons, " "), r.Text))
}

// failures are the bits of PKIFailureInfo.
var failures = map[int]string{0: "badAlg", 2: "badRequest", 5: "badDataFormat", 14: "timeNotAvailable", 15: "unacceptedPolicy",
	16: "unacceptedExtension", 17: "addInfoNotAvailable", 25: "systemFailure"}

// ParseResponse reads a TimeStampResp (RFC 3161, 2.4.2) and gives the token's DER. A
// refusal is a *Rejection.
func ParseResponse(der []byte) ([]byte, error) {
	bad := errors.New("tsp: the answer is not a timestamp response")
	if len(der) > MaxResponse {
		return nil, bad
	}
	in := cryptobyte.String(der)
	var resp, info, token cryptobyte.String
	var status int
	if !in.ReadASN1(&resp, cbasn1.SEQUENCE) || !in.Empty() || !resp.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1Integer(&status) {
		return nil, bad
	}
	if status != 0 && status != 1 { // granted, grantedWithMods
		return nil, rejection(status, info)
	}
	if !resp.ReadASN1Element(&token, cbasn1.SEQUENCE) || !resp.Empty() {
		return nil, bad
	}
	return token, nil
}

func rejection(status int, info cryptobyte.String) error {
	r := &Rejection{Status: status}
	var texts, text cryptobyte.String
	if info.PeekASN1Tag(cbasn1.SEQUENCE) && info.ReadASN1(&texts, cbasn1.SEQUENCE) && texts.ReadASN1(&text, cbasn1.UTF8String) {
		r.Text = strings.Map(func(c rune) rune {
			if unicode.IsGraphic(c) && c != utf8.RuneError {
				return c
			}
			return -1
		}, string(text[:min(len(text), 200)]))
	}
	var bits asn1.BitString
	if info.ReadASN1BitString(&bits) {
		for i := range min(bits.BitLength, 32) {
			if name := failures[i]; bits.At(i) == 1 && name != "" {
				r.Reasons = append(r.Reasons, name)
			}
		}
	}
	return r
}
