package tsp_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/tsp"
)

// clock lets OpenSSL play the clock service.
type clock struct {
	dir, conf, cert, key string
	certificate          *x509.Certificate
}

// newClock makes a service; eku is its extended key usage extension.
func newClock(t *testing.T, eku pkix.Extension) *clock {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "Test clock"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{eku}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	c := &clock{dir: t.TempDir()}
	c.certificate, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	pk, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	c.cert = c.write(t, "c.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
	c.key = c.write(t, "k.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pk}))
	c.conf = c.write(t, "ts.cnf", []byte("[tsa]\ndefault_tsa=t\n[t]\nserial="+filepath.Join(c.dir, "serial")+
		"\ncrypto_device=builtin\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256,sha384\naccuracy=secs:1, millisecs:500\nclock_precision_digits=3\ness_cert_id_alg=sha256\n"))
	return c
}

func (c *clock) write(t *testing.T, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(c.dir, name)
	require.NoError(t, os.WriteFile(p, b, 0o600))
	return p
}

func (c *clock) post(t *testing.T) tsp.Poster {
	return func(_ context.Context, req []byte) ([]byte, error) {
		q, r := c.write(t, "q", req), filepath.Join(c.dir, "r")
		out, err := exec.Command("openssl", "ts", "-reply", "-config", c.conf, "-section", "t", "-queryfile", q, "-signer", c.cert, "-inkey", c.key, "-out", r).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return os.ReadFile(r)
	}
}

func usage(critical bool, oids ...byte) pkix.Extension {
	body := []byte{}
	for _, o := range oids {
		body = append(body, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, o)
	}
	return pkix.Extension{Id: []int{2, 5, 29, 37}, Critical: critical, Value: append([]byte{0x30, byte(len(body))}, body...)}
}

func sum(b string) []byte {
	h := crypto.SHA256.New()
	h.Write([]byte(b))
	return h.Sum(nil)
}

func TestATokenFromOpenSSLIsAccepted(t *testing.T) {
	c := newClock(t, usage(true, 8))
	token, err := tsp.Fetch(t.Context(), c.post(t), sum("value"), crypto.SHA256, nil)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), token.Time, time.Minute)
	require.Equal(t, 1500*time.Millisecond, token.Accuracy)
	require.Equal(t, "1.2.3.4", token.Policy.String())
	require.True(t, token.Certificate.Equal(c.certificate))
	require.Empty(t, token.Oddities())
	out, err := exec.Command("openssl", "ts", "-verify", "-token_in", "-in", c.write(t, "t", token.Raw), "-data", c.write(t, "d", []byte("value")), "-CAfile", c.cert).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestATokenForSomethingElseIsRefused(t *testing.T) {
	c := newClock(t, usage(true, 8))
	token, err := tsp.Fetch(t.Context(), c.post(t), sum("value"), crypto.SHA256, nil)
	require.NoError(t, err)
	require.Error(t, token.Check(sum("other"), nil))
	require.Error(t, token.Check(sum("value"), big.NewInt(1)), "the nonce of another request")
	for i := 0; i < len(token.Raw); i += 3 {
		b := append([]byte{}, token.Raw...)
		b[i] ^= 0x10
		if x, err := tsp.ParseToken(b); err == nil {
			// Certificates, version and lists lie outside of what the signature protects.
			if x.Check(sum("value"), nil) == nil {
				require.True(t, x.Time.Equal(token.Time), "byte %d", i)
			}
		}
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	for status := byte(2); status <= 5; status++ {
		// PKIStatusInfo: status, "no" with a control sign and a broken rune, badAlg and unacceptedPolicy
		_, err := tsp.ParseResponse([]byte{0x30, 20, 0x30, 18, 0x02, 0x01, status, 0x30, 6, 0x0c, 4, 'n', 'o', 0x1b, 0xff, 0x03, 5, 0, 0x80, 0x01, 0, 0, 0, 0})
		require.Error(t, err)
		_, err = tsp.ParseResponse([]byte{0x30, 20, 0x30, 18, 0x02, 0x01, status, 0x30, 6, 0x0c, 4, 'n', 'o', 0x1b, 0xff, 0x03, 5, 0, 0x80, 0x01, 0, 0})
		var r *tsp.Rejection
		require.ErrorAs(t, err, &r)
		require.Equal(t, tsp.Rejection{Status: int(status), Text: "no", Reasons: []string{"badAlg", "unacceptedPolicy"}}, *r)
	}
	for _, b := range [][]byte{nil, {0x30}, {0x30, 0x00}, []byte("<html>busy</html>"), make([]byte, tsp.MaxResponse+1), {0x30, 5, 0x30, 3, 2, 1, 0}, {0x30, 0x80, 0, 0}} {
		_, err := tsp.ParseResponse(b)
		require.Error(t, err)
		var r *tsp.Rejection
		require.NotErrorAs(t, err, &r)
	}
}

func TestARequestIsWhatOpenSSLReads(t *testing.T) {
	req, err := tsp.Request(sum("x"), crypto.SHA256, big.NewInt(0xabcdef), []int{1, 2, 3, 4}, true)
	require.NoError(t, err)
	p := filepath.Join(t.TempDir(), "q")
	require.NoError(t, os.WriteFile(p, req, 0o600))
	out, err := exec.Command("openssl", "ts", "-query", "-in", p, "-text").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "0xABCDEF")
	require.Contains(t, string(out), "Certificate required: yes")
	require.Contains(t, string(out), "Policy OID: 1.2.3.4")
	_, err = tsp.Request([]byte("short"), crypto.SHA256, nil, nil, true)
	require.Error(t, err)
}
