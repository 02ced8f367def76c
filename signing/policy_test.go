package signing_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/signing"
)

// tellsOtherwise changes what credentials/info says.
type tellsOtherwise struct {
	signing.Remote
	change func(*dtmclient.CredentialInfo)
}

func (x tellsOtherwise) CredentialInfo(ctx context.Context, id string) (dtmclient.CredentialInfo, error) {
	info, err := x.Remote.CredentialInfo(ctx, id)
	if err == nil {
		x.change(&info)
	}
	return info, err
}

func certificate(t *testing.T, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Ada Example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature}
	if change != nil {
		change(c)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	c, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

// O15, O17 and the rest of the policy: refused before anybody is asked for a code.
func TestWhatMustNotSignIsRefusedAtTheStart(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	only := func(c *x509.Certificate) func(*dtmclient.CredentialInfo) {
		return func(i *dtmclient.CredentialInfo) { i.Certificates = []*x509.Certificate{c} }
	}
	ec := func(change func(*x509.Certificate)) func(*dtmclient.CredentialInfo) {
		return func(i *dtmclient.CredentialInfo) {
			i.Certificates, i.KeyAlgo = []*x509.Certificate{certificate(t, p256, change)}, []string{"1.2.840.10045.4.3.2"}
		}
	}
	for name, c := range map[string]struct {
		change       func(*dtmclient.CredentialInfo)
		code, failed string
	}{
		"key disabled": {func(i *dtmclient.CredentialInfo) { i.KeyStatus = "disabled" }, "key_disabled", "key"},
		"RSA 1024":     {only(certificate(t, weak, nil)), "algorithm", "key"},
		"P-224": {func(i *dtmclient.CredentialInfo) {
			i.Certificates, i.KeyAlgo = []*x509.Certificate{certificate(t, p224, nil)}, []string{"1.2.840.10045.4.3.2"}
		}, "algorithm", "key"},
		"only SHA-1":          {func(i *dtmclient.CredentialInfo) { i.KeyAlgo = []string{"1.2.840.113549.1.1.5"} }, "algorithm", "key"},
		"only MD5":            {func(i *dtmclient.CredentialInfo) { i.KeyAlgo = []string{"1.2.840.113549.1.1.4"} }, "algorithm", "key"},
		"nothing offered":     {func(i *dtmclient.CredentialInfo) { i.KeyAlgo = nil }, "algorithm", "key"},
		"no certificate":      {func(i *dtmclient.CredentialInfo) { i.Certificates = nil }, "certificate_invalid", "key"},
		"certificate revoked": {func(i *dtmclient.CredentialInfo) { i.CertStatus = "revoked" }, "certificate_time", "certificate"},
		"expired":             {ec(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "certificate_time", "certificate"},
		"not yet valid":       {ec(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) }), "certificate_time", "certificate"},
		"authority as leaf":   {ec(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), "certificate_invalid", "certificate"},
		"may not sign":        {ec(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), "certificate_invalid", "certificate"},
		"unknown issuer":      {ec(nil), "certificate_invalid", "certificate"},
		"chain does not fit": {func(i *dtmclient.CredentialInfo) {
			i.Certificates = []*x509.Certificate{i.Certificates[0], certificate(t, p256, nil)}
		}, "certificate_invalid", "certificate"},
		"oauth2token": {func(i *dtmclient.CredentialInfo) { i.AuthMode = "oauth2token" }, "factor_unsupported", "key"},
		"no factor":   {func(i *dtmclient.CredentialInfo) { i.PIN.Presence, i.OTP.Presence = "false", "false" }, "factor_unsupported", "key"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-basic", func(o *signing.Options) {
				o.Remote = tellsOtherwise{o.Remote, c.change}
				if slices.Contains([]string{"authority as leaf", "may not sign", "chain does not fit"}, name) {
					o.Roots = nil // else nobody would know the issuer either
				}
			})
			_, checks, err := w.Begin(ctx, w.ada, []signing.DocumentID{w.submitted("Policy").ID}, "ada")
			require.Equal(t, c.code, code(t, err))
			require.NotEmpty(t, checks)
			last := checks[len(checks)-1]
			require.Equal(t, c.failed, last.Name)
			require.False(t, last.OK)
			require.Equal(t, 1, w.files(), "no preparation is left")
		})
	}
}

func TestAlgorithmIsChosenFromWhatTheKeyOffers(t *testing.T) {
	for name, c := range map[string]struct {
		profile string
		offered []string
		chosen  string
	}{
		"PKCS #1 before PSS":      {"cp-basic", []string{"1.2.840.113549.1.1.10", "1.2.840.113549.1.1.13", "1.2.840.113549.1.1.11"}, "1.2.840.113549.1.1.11"},
		"PSS where it is all":     {"cp-basic", []string{"1.2.840.113549.1.1.10"}, "1.2.840.113549.1.1.10"},
		"bare RSA with SHA-256":   {"cp-basic", []string{"1.2.840.113549.1.1.5", "1.2.840.113549.1.1.1"}, "1.2.840.113549.1.1.1"},
		"SHA-512 where it is all": {"cp-basic", []string{"1.2.840.113549.1.1.13"}, "1.2.840.113549.1.1.13"},
		"ECDSA takes SHA-256":     {"cp-basic-single", []string{"1.2.840.10045.4.3.4", "1.2.840.10045.4.3.2"}, "1.2.840.10045.4.3.2"},
		"ECDSA SHA-384, if it is": {"cp-basic-single", []string{"1.2.840.10045.4.3.3"}, "1.2.840.10045.4.3.3"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.profile)
			info, err := w.client.CredentialInfo(ctx, w.signer.Credential)
			require.NoError(t, err)
			w.Service = w.again(func(o *signing.Options) {
				o.Remote = tellsOtherwise{o.Remote, func(i *dtmclient.CredentialInfo) { i.KeyAlgo = c.offered }}
			})
			ceremony := w.begun(w.submitted("Algorithm"))
			require.Equal(t, c.chosen, ceremony.SignAlgo)
			if !slices.Contains(info.KeyAlgo, c.chosen) {
				t.Logf("the simulator's key does not offer %s: chosen, not signed", c.chosen)
				return
			}
			_, err = w.Authorize(ctx, w.ada, ceremony.ID, w.factors())
			require.NoError(t, err)
			_, g := w.state(ceremony)
			require.Equal(t, signing.SignatureReleased, g.State)
		})
	}
}

func TestNoMoreDocumentsThanOneApprovalMaySign(t *testing.T) {
	w := newWorld(t, "cp-basic-single") // multisign 1
	a, b := w.submitted("One"), w.submitted("Two")
	_, _, err := w.Begin(ctx, w.ada, []signing.DocumentID{a.ID, b.ID}, "ada")
	require.Equal(t, "too_many_documents", code(t, err))
	_, _, err = w.Begin(ctx, w.ada, nil, "ada")
	require.Equal(t, "no_documents", code(t, err))
	_, _, err = w.Begin(ctx, w.ada, []signing.DocumentID{a.ID, a.ID}, "ada")
	require.Error(t, err)
}

// Reading across revisions is reading one file.
func TestFileReadsAcrossItsRevisions(t *testing.T) {
	w := newWorld(t, "cp-basic-single")
	d := w.submittedBy(w.ada, page("Across", 300_000))
	for range 2 {
		w.clock.pass(31 * time.Second)
		_, err := w.Authorize(ctx, w.ada, w.begun(d).ID, w.factors())
		require.NoError(t, err)
	}
	whole := w.bytes(w.ada, d.ID)
	f, size, d, err := w.Open(ctx, w.ada, d.ID)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, 3, d.Revisions)
	for _, from := range []int64{0, 1, 299_990, 300_500, size - 3, size - 1} {
		for _, n := range []int{1, 20, 70_000} {
			p := make([]byte, n)
			got, err := f.ReadAt(p, from)
			want := whole[from:min(size, from+int64(n))]
			require.Equal(t, want, p[:got])
			if got < n {
				require.Equal(t, io.EOF, err)
			} else {
				require.NoError(t, err)
			}
		}
	}
	end, err := f.Seek(-5, io.SeekEnd)
	require.NoError(t, err)
	require.Equal(t, size-5, end)
	rest, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Equal(t, whole[size-5:], rest)
	_, err = f.Seek(-1, io.SeekStart)
	require.Error(t, err)
	_, err = f.ReadAt(make([]byte, 1), size)
	require.Equal(t, io.EOF, err)
	require.True(t, bytes.HasPrefix(whole, page("Across", 300_000)))
}
