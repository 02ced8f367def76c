package dtmsim

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"golang.org/x/crypto/ocsp"
	"time"
)

// builder makes the CMS of one call, without the lock.
type builder struct {
	s       *Sim
	p       *preparedHashes
	level   string
	now     time.Time
	revoked revocation
	list    *x509.RevocationList
	bad     Spoil
}

func (b *builder) build(in signaturesWire) (out signaturesAnswerWire, err error) {
	var data *validationDataWire
	if b.level == levelLT {
		if data, err = b.validationData(); err != nil {
			return out, err
		}
	}
	for _, g := range in.Signatures {
		w, err := b.one(g, data)
		if err != nil {
			return out, err
		}
		out.Signatures = append(out.Signatures, w)
	}
	return out, nil
}

func (b *builder) one(g signatureWire, data *validationDataWire) (cmsWire, error) {
	d := signedData{content: oidData, hash: b.p.scheme.hash, signer: b.p.cert, attributes: b.p.document(g.Document).attributes,
		algorithm: b.p.algorithm, value: g.Signature, certificates: [][]byte{b.p.cert.Raw, b.s.pki.issuing.cert.Raw}}
	out := cmsWire{Document: g.Document, Level: b.level}
	var err error
	if b.level != levelB {
		stamped := g.Signature
		if b.bad == SpoilToken {
			stamped = []byte("something else")
		}
		m := crypto.SHA256.New()
		m.Write(stamped)
		if d.token, err = b.s.timestamp(imprint{hash: crypto.SHA256, digest: m.Sum(nil), certReq: true}, b.now); err != nil {
			return out, err
		}
	}
	switch b.bad {
	case SpoilSignature: // good in itself, and over something else
		if d.value, err = b.other(); err != nil {
			return out, err
		}
	case SpoilOversize:
		for range 40 {
			d.certificates = append(d.certificates, b.s.pki.tsa.cert.Raw)
		}
	}
	if data != nil {
		d.certificates = append(d.certificates, b.s.pki.root.cert.Raw)
		if b.p.format == formatPAdES {
			out.Validation = data // EN 319 142-1, 5.4.2: it goes into the DSS, which whoever has the file writes
		} else {
			d.crls, d.ocsp = data.CRLs, data.OCSP
		}
	}
	out.CMS, err = d.bytes()
	return out, err
}

func (b *builder) other() ([]byte, error) {
	m := b.p.scheme.hash.New()
	m.Write([]byte("another document"))
	signatures, err := b.s.signAll(b.p.credential.key, b.p.scheme, [][]byte{m.Sum(nil)})
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(signatures[0])
}

// validationData is what proves later that the certificate was good now.
func (b *builder) validationData() (*validationDataWire, error) {
	der, err := ocsp.CreateRequest(b.p.cert, b.s.pki.issuing.cert, nil)
	if err != nil {
		return nil, err
	}
	req, err := ocsp.ParseRequest(der)
	if err != nil {
		return nil, err
	}
	answer, err := b.s.ocspResponse(req, b.revoked, b.now, false)
	if err != nil {
		return nil, err
	}
	issuing, err := x509.CreateRevocationList(b.s.opt.Rand, b.list, b.s.pki.issuing.cert, b.s.pki.issuing.key)
	if err != nil {
		return nil, err
	}
	root, err := x509.CreateRevocationList(b.s.opt.Rand, &x509.RevocationList{Number: b.list.Number, ThisUpdate: b.list.ThisUpdate, NextUpdate: b.list.NextUpdate},
		b.s.pki.root.cert, b.s.pki.root.key)
	return &validationDataWire{Certificates: [][]byte{b.p.cert.Raw, b.s.pki.issuing.cert.Raw, b.s.pki.root.cert.Raw},
		CRLs: [][]byte{issuing, root}, OCSP: [][]byte{answer}}, err
}
