package pades

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"

	"countersign/pades/pdf"
)

// CheckValue verifies the raw signature value with the certificate's key. Call it before
// anything is stored or stamped: a value that is not good must not get any further.
func (p *Prepared) CheckValue(value []byte) error {
	_, err := p.Unsigned.CheckValue(value)
	return err
}

// StampDigest gives the bytes whose digest a signature timestamp speaks of (EN 319 122-1,
// 5.3): the value as it will stand in the signature, ECDSA as DER. Hash them with the
// message imprint's algorithm.
func (p *Prepared) StampDigest(value []byte) ([]byte, error) {
	return p.Unsigned.CheckValue(value)
}

// Complete checks the value once more and fills the hole; token is the timestamp token
// over StampDigest, or nil. It gives the bytes to append to the file, and may be called
// again: the same input gives the same bytes.
func (p *Prepared) Complete(value, token []byte) ([]byte, error) {
	if !p.readable() {
		return nil, errors.New("pades: complete: the stored preparation cannot be read")
	}
	der, err := p.Unsigned.Complete(value, token)
	if err != nil {
		return nil, fmt.Errorf("pades: complete: %w", err)
	}
	return p.filled(der)
}

// CompleteWith fills the hole with a CMS that somebody else made of the signed attributes and
// the value, once it is seen to be just that (see cms.Unsigned.Accept). It gives the bytes to
// append and the timestamp token in them, nil when there is none; whom the token is from is
// the caller's to check.
func (p *Prepared) CompleteWith(value, der []byte) (delta, token []byte, err error) {
	if !p.readable() {
		return nil, nil, errors.New("pades: complete: the stored preparation cannot be read")
	}
	if token, err = p.Unsigned.Accept(value, der); err != nil {
		return nil, nil, fmt.Errorf("pades: accept signature: %w", err)
	}
	if p.Stamped != (token != nil) {
		return nil, nil, fmt.Errorf("pades: accept signature: timestamp wanted %t, there %t", p.Stamped, token != nil)
	}
	delta, err = p.filled(der)
	return delta, token, err
}

func (p *Prepared) readable() bool {
	return p.HoleOffset >= 0 && p.HoleLength >= 2 && p.HoleOffset+p.HoleLength <= len(p.Delta) && p.Unsigned != nil
}

func (p *Prepared) filled(der []byte) ([]byte, error) {
	delta := bytes.Clone(p.Delta)
	if err := (hole{Span: pdf.Span{Offset: p.HoleOffset, Length: p.HoleLength}}).fill(delta, der); err != nil {
		return nil, fmt.Errorf("pades: complete: %w", err)
	}
	return delta, nil
}

// StateAfter is the SHA-256 state (for Options.State of the next signature) and the digest
// of the whole file with the completed delta appended. The file is not read.
func (p *Prepared) StateAfter(delta []byte) (state, sum []byte, err error) {
	h := sha256.New()
	if err := restore(h, p.BaseState, p.BaseSize); err != nil {
		return nil, nil, fmt.Errorf("pades: hash state: %w", err)
	}
	h.Write(delta)
	state, err = h.(encoding.BinaryMarshaler).MarshalBinary()
	return state, h.Sum(nil), err
}
