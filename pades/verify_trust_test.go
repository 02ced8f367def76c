package pades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"countersign/pades"
	"countersign/pades/cms"
)

func leaf(c *x509.Certificate)     { c.KeyUsage = x509.KeyUsageContentCommitment }
func endsSoon(c *x509.Certificate) { leaf(c); c.NotAfter = time.Now().Add(time.Hour) }

// P6: certificates nobody should rely on.
func TestDoubtfulCertificatesDoNotPass(t *testing.T) {
	a := theAuthority()
	self := func(edit func(*x509.Certificate)) func(crypto.Signer) []*x509.Certificate {
		return func(key crypto.Signer) []*x509.Certificate {
			return []*x509.Certificate{certificate("Self", nil, key, key, edit)}
		}
	}
	issued := func(edit func(*x509.Certificate)) func(crypto.Signer) []*x509.Certificate {
		return func(key crypto.Signer) []*x509.Certificate {
			return []*x509.Certificate{certificate("Somebody", a.issuer, key, a.issuerKey, edit), a.issuer, a.root}
		}
	}
	for name, c := range map[string]struct {
		chain func(crypto.Signer) []*x509.Certificate
		want  pades.Indication
		sub   string
	}{
		"self-signed":        {self(leaf), pades.Indeterminate, "NO_CERTIFICATE_CHAIN_FOUND"},
		"self-signed issuer": {self(func(c *x509.Certificate) { c.IsCA = true }), pades.Indeterminate, "NO_CERTIFICATE_CHAIN_FOUND"},
		"an issuer signs": {issued(func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign
		}),
			pades.Indeterminate, "CHAIN_CONSTRAINTS_FAILURE"},
		"ended":         {issued(func(c *x509.Certificate) { leaf(c); c.NotAfter = time.Now().Add(-time.Hour) }), pades.Indeterminate, "OUT_OF_BOUNDS_NO_POE"},
		"not begun":     {issued(func(c *x509.Certificate) { leaf(c); c.NotBefore = time.Now().Add(time.Hour) }), pades.TotalFailed, "NOT_YET_VALID"},
		"for keys only": {issued(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), pades.Indeterminate, "CHAIN_CONSTRAINTS_FAILURE"},
		"for servers": {issued(func(c *x509.Certificate) { leaf(c); c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }),
			pades.Indeterminate, "CHAIN_CONSTRAINTS_FAILURE"},
		"for mail": {issued(func(c *x509.Certificate) {
			leaf(c)
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		}), pades.TotalPassed, ""},
		"for documents": {issued(func(c *x509.Certificate) {
			leaf(c)
			c.UnknownExtKeyUsage = append(c.UnknownExtKeyUsage, []int{1, 3, 6, 1, 5, 5, 7, 3, 36})
		}),
			pades.TotalPassed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			key := newKey()
			r := check(t, signFile(t, paper(), signing{chain: c.chain(key), key: key}))
			require.Equal(t, c.want, r.Indication, report(r))
			require.Equal(t, c.sub, r.Signatures[0].SubIndication)
		})
	}
}

func TestAKeyThatIsTooShortIsNamed(t *testing.T) {
	a := theAuthority()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	cert := certificate("Short Key", a.issuer, key, a.issuerKey, leaf)
	file := signFile(t, paper(), signing{forged: func(*cms.Unsigned) []byte { return nil }})
	from, to := hole(file)
	dir := t.TempDir()
	out := filepath.Join(dir, "o")
	openssl(t, "cms", "-sign", "-binary", "-cades", "-in", writeFile(t, dir, "d", append(bytes.Clone(file[:from]), file[to:]...)),
		"-signer", writeFile(t, dir, "c", pemCert(cert)), "-inkey", writeFile(t, dir, "k", pemKey(t, key)),
		"-certfile", writeFile(t, dir, "ch", pemCert(a.issuer)), "-md", "sha256", "-outform", "DER", "-out", out)
	der, err := os.ReadFile(out)
	require.NoError(t, err)
	hex.Encode(file[from+1:], der)
	r := check(t, file)
	require.Equal(t, pades.Indeterminate, r.Indication, report(r))
	require.Equal(t, "CRYPTO_CONSTRAINTS_FAILURE", r.Signatures[0].SubIndication)
	require.Contains(t, report(r), "1024 bits")
}

// stored adds a security store with CRLs, OCSP answers and certificates.
func stored(file []byte, crls, ocsps [][]byte, certs ...*x509.Certificate) []byte {
	objs, n := map[int]string{}, 70
	list := func(blobs [][]byte) string {
		var refs []string
		for _, b := range blobs {
			objs[n] = fmt.Sprintf("<</Length %d>>\nstream\n%s\nendstream", len(b), b)
			refs = append(refs, fmt.Sprintf("%d 0 R", n))
			n++
		}
		return "[" + strings.Join(refs, " ") + "]"
	}
	var ders [][]byte
	for _, c := range certs {
		ders = append(ders, c.Raw)
	}
	objs[69] = "<</CRLs " + list(crls) + " /OCSPs " + list(ocsps) + " /Certs " + list(ders) + ">>"
	objs[1] = "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R /DSS 69 0 R>>"
	return update(file, objs, "")
}

func revocationList(t *testing.T, by *x509.Certificate, key crypto.Signer, this, next time.Time, revoked ...x509.RevocationListEntry) []byte {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: this, NextUpdate: next,
		RevokedCertificateEntries: revoked}, by, key)
	require.NoError(t, err)
	return der
}

func TestRevocationDataInTheFileDecides(t *testing.T) {
	a := theAuthority()
	rootKey := newKey()
	root := certificate("Other Root", nil, rootKey, rootKey, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign })
	key := newKey()
	cert := certificate("Rita Example", root, key, rootKey, leaf)
	responderKey := newKey()
	responder := certificate("Responder", root, responderKey, rootKey, func(c *x509.Certificate) {
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	})
	roots := x509.NewCertPool()
	roots.AddCert(root)
	roots.AddCert(a.root)
	now := time.Now()
	entry := func(at time.Time, reason int) x509.RevocationListEntry {
		return x509.RevocationListEntry{SerialNumber: cert.SerialNumber, RevocationTime: at, ReasonCode: reason}
	}
	crl := func(entries ...x509.RevocationListEntry) [][]byte {
		return [][]byte{revocationList(t, root, rootKey, now.Add(time.Minute), now.Add(time.Hour), entries...)}
	}
	answer := func(by *x509.Certificate, byKey crypto.Signer, status int, at time.Time) [][]byte {
		tmpl := ocsp.Response{Status: status, SerialNumber: cert.SerialNumber, ThisUpdate: now, NextUpdate: now.Add(time.Hour), RevokedAt: at}
		if !by.Equal(root) {
			tmpl.Certificate = by
		}
		der, err := ocsp.CreateResponse(root, by, tmpl, byKey)
		require.NoError(t, err)
		return [][]byte{der}
	}
	wrongKey := newKey()
	impostor := certificate("Impostor", root, wrongKey, rootKey, leaf)
	foreign := [][]byte{revocationList(t, a.issuer, a.issuerKey, now.Add(time.Minute), now.Add(time.Hour), entry(now.Add(-time.Hour), 1))}
	old := [][]byte{revocationList(t, root, rootKey, now.Add(-48*time.Hour), now.Add(-24*time.Hour))}
	for name, c := range map[string]struct {
		crls, ocsps [][]byte
		want        pades.Indication
		sub, check  string
	}{
		"no data":                        {nil, nil, pades.TotalPassed, "", "unknown"},
		"a list without it":              {crl(), nil, pades.TotalPassed, "", "good"},
		"a list that names it":           {crl(entry(now.Add(-time.Hour), 1)), nil, pades.TotalFailed, "REVOKED", "bad"},
		"a list that suspends it":        {crl(entry(now.Add(-time.Hour), 6)), nil, pades.Indeterminate, "TRY_LATER", "bad"},
		"revoked after the timestamp":    {crl(entry(now.Add(30*time.Minute), 1)), nil, pades.TotalPassed, "", "good"},
		"somebody else's list":           {foreign, nil, pades.TotalPassed, "", "unknown"},
		"an old list":                    {old, nil, pades.TotalPassed, "", "unknown"},
		"nonsense":                       {[][]byte{[]byte("x")}, [][]byte{[]byte("y")}, pades.TotalPassed, "", "unknown"},
		"an answer: good":                {nil, answer(root, rootKey, ocsp.Good, time.Time{}), pades.TotalPassed, "", "good"},
		"an answer: revoked":             {nil, answer(root, rootKey, ocsp.Revoked, now.Add(-time.Hour)), pades.TotalFailed, "REVOKED", "bad"},
		"a responder's answer":           {nil, answer(responder, responderKey, ocsp.Revoked, now.Add(-time.Hour)), pades.TotalFailed, "REVOKED", "bad"},
		"a responder nobody answers for": {nil, answer(responder, responderKey, ocsp.Good, time.Time{}), pades.TotalPassed, "", "unknown"},
		"a responder's list":             {[][]byte{revocationList(t, root, rootKey, now, now.Add(time.Hour))}, answer(responder, responderKey, ocsp.Good, time.Time{}), pades.TotalPassed, "", "good"},
		"an impostor's answer is void":   {nil, answer(impostor, wrongKey, ocsp.Good, time.Time{}), pades.TotalPassed, "", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			file := signFile(t, paper(), signing{chain: []*x509.Certificate{cert, root}, key: key, stamp: true})
			// The clock service's data is always there: it is the signer's that counts.
			lists := append(slices.Clone(c.crls), revocationList(t, a.issuer, a.issuerKey, now.Add(time.Minute), now.Add(time.Hour)),
				revocationList(t, a.root, a.rootKey, now.Add(time.Minute), now.Add(time.Hour)))
			r := checkWith(t, stored(file, lists, c.ocsps), pades.VerifyOptions{Roots: roots})
			require.Equal(t, c.want, r.Indication, report(r))
			s := r.Signatures[0]
			require.Equal(t, c.sub, s.SubIndication)
			for _, k := range s.Checks {
				if k.Name == "revocation" {
					require.Equal(t, c.check, k.State, k.Text)
				}
			}
			if c.check == "good" && c.want == pades.TotalPassed {
				require.Equal(t, "B-LT", s.Level)
			}
		})
	}
}

// docStamp adds a document timestamp by hand.
func docStamp(t *testing.T, file []byte) []byte {
	t.Helper()
	const digits = 12000
	dict := "<</Type /DocTimeStamp /Filter /Adobe.PPKLite /SubFilter /ETSI.RFC3161 /ByteRange [0 " + strings.Repeat(" ", 40) + "] /Contents <" + strings.Repeat("0", digits) + ">>>"
	out := update(file, map[int]string{
		3:  "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [" + lastOf(lastPage, file) + " 90 0 R] /Resources <<>>>>",
		5:  "<</Fields [" + lastOf(lastForm, file) + " 90 0 R] /SigFlags 3>>",
		90: "<</Type /Annot /Subtype /Widget /FT /Sig /T (Stamp1) /F 132 /Rect [0 0 0 0] /P 3 0 R /V 91 0 R>>",
		91: dict,
	}, "")
	from, to := hole(out)
	at := bytes.LastIndex(out, []byte("/ByteRange [0 ")) + len("/ByteRange [")
	copy(out[at:], fmt.Sprintf("0 %d %d %d", from, to, len(out)-to))
	h := crypto.SHA256.New()
	h.Write(out[:from])
	h.Write(out[to:])
	hex.Encode(out[from+1:], stampToken(t, h.Sum(nil)))
	return out
}

func TestADocumentTimestampCarriesTheProofBeyondTheClocksCertificate(t *testing.T) {
	a := theAuthority()
	file := docStamp(t, signFile(t, paper(), signing{stamp: true}))
	r := check(t, file)
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	require.Equal(t, "timestamp", r.Signatures[1].Type)
	require.False(t, r.Signatures[1].StampTime.IsZero())

	// A year later every certificate has ended: then nothing is proven any more.
	r = checkWith(t, file, pades.VerifyOptions{Roots: a.roots, Now: time.Now().AddDate(1, 0, 0)})
	require.Equal(t, pades.Indeterminate, r.Indication)

	// A broken document timestamp does not take the signature with it.
	b := bytes.Clone(file)
	from, _ := hole(b)
	b[from+40] ^= 1
	r = check(t, b)
	require.NotEqual(t, pades.TotalPassed, r.Indication)
	require.Equal(t, pades.TotalPassed, r.Signatures[0].Indication, report(r))
}

func TestACertificationAgainstChangesAllowsTimestampsAndStores(t *testing.T) {
	file := signFile(t, paper(), signing{opts: pades.Options{Certify: 1}})
	r := check(t, docStamp(t, file))
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
}

func TestLevelLTANeedsTheStoreBeneathTheTimestamp(t *testing.T) {
	a := theAuthority()
	now := time.Now()
	crls := [][]byte{revocationList(t, a.root, a.rootKey, now.Add(time.Minute), now.Add(time.Hour)),
		revocationList(t, a.issuer, a.issuerKey, now.Add(time.Minute), now.Add(time.Hour))}
	file := stored(signFile(t, paper(), signing{stamp: true}), crls, nil)
	require.Equal(t, "B-LT", check(t, file).Signatures[0].Level)
	r := check(t, docStamp(t, file))
	require.Equal(t, pades.TotalPassed, r.Indication, report(r))
	require.Equal(t, "B-LTA", r.Signatures[0].Level)
}

// id-etsi-qcs-QcCompliance and QcSSCD (EN 319 412-5, 4.2.1 and 4.2.2).
func TestQualifiedIsOnlyEverTheIssuersWord(t *testing.T) {
	a, key := theAuthority(), newKey()
	with := func(value []byte) pades.SignatureResult {
		c := certificate("Quinn Example", a.issuer, key, a.issuerKey, func(c *x509.Certificate) {
			c.KeyUsage = x509.KeyUsageContentCommitment
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 1, 3}, Value: value}}
		})
		return check(t, signFile(t, paper(), signing{chain: []*x509.Certificate{c, a.issuer, a.root}, key: key})).Signatures[0]
	}
	row := func(s pades.SignatureResult) (state, text string) {
		for _, c := range s.Checks {
			if c.Name == "qualified" {
				return c.State, c.Text + " " + c.More
			}
		}
		return "", ""
	}
	s := with([]byte{0x30, 0x14, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 1, 0x30, 0x08, 6, 6, 4, 0, 0x8e, 0x46, 1, 4})
	state, text := row(s)
	require.Equal(t, "off", state)
	require.Contains(t, text, "not read here")
	require.True(t, s.Qualified.Device)
	s = with([]byte{0x30, 0x80})
	state, _ = row(s)
	require.Equal(t, "unknown", state)
	require.Nil(t, s.Qualified)
	_, text = row(check(t, signFile(t, paper(), signing{})).Signatures[0])
	require.Empty(t, text)
}
