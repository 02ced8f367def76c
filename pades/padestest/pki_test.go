package padestest_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/padestest"
)

func write(t *testing.T, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(p, b, 0o600))
	return p
}

func pemOf(certs ...*x509.Certificate) (out []byte) {
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	require.NoError(t, err, "openssl %v: %s", args, out)
	return string(out)
}

func TestOpenSSLTakesWhatItIssuesAndAnswers(t *testing.T) {
	p := padestest.New()
	defer p.Close()
	ada := p.Issue("Ada Example", padestest.Key(), nil)
	root, people := write(t, pemOf(p.Root.Cert)), write(t, pemOf(p.People.Cert))
	leaf := write(t, pemOf(ada.Cert))

	resp, err := http.Get(p.URL + "/people.crl")
	require.NoError(t, err)
	crl, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	openssl(t, "crl", "-inform", "DER", "-in", write(t, crl), "-noout", "-CAfile", people)

	ask := []string{"ocsp", "-issuer", people, "-cert", leaf, "-url", p.URL + "/ocsp", "-CAfile", root, "-verify_other", people, "-no_nonce"}
	require.Contains(t, openssl(t, ask...), ": good")
	p.Revoke(ada.Cert, p.Now().Add(-time.Minute), 1)
	require.Contains(t, openssl(t, ask...), ": revoked")

	sum := sha256.Sum256([]byte("now"))
	token, err := p.Stamp(context.Background(), sum[:], crypto.SHA256)
	require.NoError(t, err)
	openssl(t, "ts", "-verify", "-digest", hex.EncodeToString(sum[:]), "-token_in", "-in", write(t, token.Raw), "-CAfile", root, "-untrusted", write(t, pemOf(p.Clocks.Cert)))
}
