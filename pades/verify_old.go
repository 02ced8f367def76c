package pades

import (
	"crypto"
	"crypto/x509"

	"countersign/pades/cms"
	"countersign/pades/pdf"
)

// Kinds of signatures that ISO 32000-2 has dropped. Both rely on SHA-1: they are checked, so
// that a changed file is told apart from an old one, and named; they never pass.
const (
	oldSHA1 = pdf.Name("adbe.pkcs7.sha1")    // ISO 32000-1, 12.8.3.3
	oldX509 = pdf.Name("adbe.x509.rsa_sha1") // ISO 32000-1, 12.8.3.2
)

var errOld = &cms.Error{Kind: cms.Weak, Text: "the signature is of a kind that relies on SHA-1, which is no longer safe"}

// parseOld reads a value of such a kind and tells whether it was one.
func (v *verification) parseOld(it *item) bool {
	switch it.sig.SubFilter {
	case oldX509:
		it.cert = certificateBeside(v.f, &it.sig)
	case oldSHA1:
		der, _ := cms.Trim(it.sig.Contents)
		if it.data, it.readErr = cms.Parse(der); it.readErr != nil {
			return true
		}
		if it.signer, it.readErr = it.data.One(); it.readErr != nil {
			return true
		}
	default:
		return false
	}
	it.hash, it.readErr = crypto.SHA1, errOld
	return true
}

// cryptoOld checks a value of such a kind. The best outcome is errOld.
func cryptoOld(it *item) (cms.Verified, error) {
	var verified cms.Verified
	var err error
	switch {
	case it.sig.SubFilter == oldX509 && it.cert == nil:
		err = &cms.Error{Kind: cms.NoSigner, Text: "the signer's certificate is not in the signature"}
	case it.sig.SubFilter == oldX509:
		verified, err = cms.VerifyX509RSASHA1(it.sig.Contents, it.cert, it.digest)
	default:
		verified, err = it.data.VerifySHA1(it.signer, it.digest)
	}
	if err == nil || cms.KindOf(err) == cms.Weak {
		err = errOld
	}
	return verified, err
}

// certificateBeside is the one in the signature dictionary, nil when there is none.
func certificateBeside(f *pdf.File, s *pdf.Signature) *x509.Certificate {
	o, _ := f.Resolve(s.Dict.Get("Cert"))
	if list, ok := o.(pdf.Array); ok && len(list) > 0 {
		o, _ = f.Resolve(list[0])
	}
	der, _ := o.(pdf.String)
	c, err := x509.ParseCertificate(der.Value)
	if err != nil {
		return nil
	}
	return c
}
