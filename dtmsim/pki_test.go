package dtmsim_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// openssl runs the tool in a folder that holds root.pem and ca.pem, and answers all it printed.
func (r *rig) openssl(dir string, args ...string) string {
	r.t.Helper()
	_, err := exec.LookPath("openssl")
	require.NoError(r.t, err, "openssl is needed; make setup installs it")
	for name, path := range map[string]string{"root.pem": "/sim/v1/roots.pem", "ca.pem": "/sim/v1/ca.pem"} {
		_, b := r.send("GET", path, nil)
		require.NoError(r.t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(r.t, err, "openssl %v: %s", args, out)
	return string(out)
}

func (r *rig) writeCert(dir, name string, c *x509.Certificate) {
	r.t.Helper()
	require.NoError(r.t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600))
}

func (r *rig) get(address string) []byte {
	r.t.Helper()
	resp, err := http.Get(address)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, 200, resp.StatusCode)
	return b
}

func keys(rsa bool) dtmtest.Option { return func(o *dtmsim.Options) { o.FastKeys = !rsa } }

func TestOpenSSLAcceptsTimestampsOverHTTP(t *testing.T) {
	for name, useRSA := range map[string]bool{"P-256": false, "RSA": true} {
		t.Run(name, func(t *testing.T) {
			r := start(t, keys(useRSA))
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), []byte("to be dated"), 0o600))
			for _, hash := range []string{"-sha256", "-sha384", "-sha512"} {
				r.openssl(dir, "ts", "-query", "-data", "data", hash, "-cert", "-out", "q.tsq")
				q, err := os.ReadFile(filepath.Join(dir, "q.tsq"))
				require.NoError(t, err)
				resp, err := http.Post(r.TSA, "application/timestamp-query", bytes.NewReader(q))
				require.NoError(t, err)
				b, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				require.NoError(t, err)
				require.Equal(t, "application/timestamp-reply", resp.Header.Get("Content-Type"))
				require.NoError(t, os.WriteFile(filepath.Join(dir, "r.tsr"), b, 0o600))
				r.openssl(dir, "ts", "-verify", "-in", "r.tsr", "-queryfile", "q.tsq", "-CAfile", "root.pem", "-untrusted", "ca.pem")
				r.openssl(dir, "ts", "-verify", "-in", "r.tsr", "-data", "data", "-CAfile", "root.pem", "-untrusted", "ca.pem")
			}
		})
	}
}

func TestCSCTimestampsAreTokensThatOpenSSLAccepts(t *testing.T) {
	r := start(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), []byte("data"), 0o600))
	status, out := r.csc("signatures/timestamp", object{"hash": b64(digest("data")), "hashAlgo": oidSHA256, "nonce": "00c0ffee"})
	require.Equal(t, 200, status, "%v", out)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), unb64(t, out["timestamp"]), 0o600))
	r.openssl(dir, "ts", "-verify", "-token_in", "-in", "token", "-data", "data", "-CAfile", "root.pem", "-untrusted", "ca.pem")
	require.Contains(t, r.openssl(dir, "ts", "-reply", "-token_in", "-in", "token", "-token_out", "-text"), "Nonce: 0xC0FFEE")
	r.openssl(dir, "cms", "-verify", "-inform", "DER", "-in", "token", "-purpose", "timestampsign", "-CAfile", "root.pem", "-out", "info")
}

func TestCSCTimestampRefusesInTheSpecificationsWords(t *testing.T) {
	r := start(t)
	good := object{"hash": b64(digest("data")), "hashAlgo": oidSHA256}
	for _, c := range []struct {
		change object
		text   string
	}{
		{object{"hash": nil}, "Missing (or invalid type) string parameter hash"},
		{object{"hash": []string{"x"}}, "Missing (or invalid type) string parameter hash"},
		{object{"hash": ""}, "Empty hash parameter"},
		{object{"hash": "!!"}, "Invalid Base64 hash string parameter"},
		{object{"hashAlgo": "1.2"}, "Invalid parameter hashAlgo"},
		{object{"hashAlgo": oidSHA512}, "Invalid digest value length"},
		{object{"nonce": "xyz"}, "Invalid parameter nonce"},
	} {
		r.refused("signatures/timestamp", with(good, c.change), 400, "invalid_request", c.text)
	}
	status, _ := r.csc("signatures/timestamp", object{"hash": b64(digest("data")[:20]), "hashAlgo": "1.3.14.3.2.26", "nonce": "1234567890"})
	require.Equal(t, 200, status, "SHA-1 is tolerated here, and a decimal nonce is hex too")
}

func TestTheTSARefusesWithAReason(t *testing.T) {
	r := start(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data"), []byte("data"), 0o600))
	r.openssl(dir, "ts", "-query", "-data", "data", "-sha1", "-out", "q.tsq")
	q, err := os.ReadFile(filepath.Join(dir, "q.tsq"))
	require.NoError(t, err)
	resp, err := http.Post(r.TSA, "application/timestamp-query", bytes.NewReader(q))
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "r.tsr"), b, 0o600))
	require.Contains(t, r.openssl(dir, "ts", "-reply", "-in", "r.tsr", "-text"), "unrecognized or unsupported algorithm identifier")
}

func TestOpenSSLAcceptsChainCRLAndOCSP(t *testing.T) {
	for name, useRSA := range map[string]bool{"P-256": false, "RSA": true} {
		t.Run(name, func(t *testing.T) {
			r := start(t, keys(useRSA))
			dir := t.TempDir()
			s := r.Signer("cp-basic", "ada")
			cert := r.Certificate(s.Credential)
			require.Contains(t, cert.Subject.String(), "Simulator")
			r.writeCert(dir, "leaf.pem", cert)
			crls := func() {
				var all []byte
				for _, a := range []string{cert.CRLDistributionPoints[0], r.BaseURL + "/crl/root.crl"} {
					all = append(all, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: r.get(a)})...)
				}
				require.NoError(t, os.WriteFile(filepath.Join(dir, "crls.pem"), all, 0o600))
			}
			crls()
			r.openssl(dir, "verify", "-x509_strict", "-crl_check_all", "-CRLfile", "crls.pem", "-CAfile", "root.pem", "-untrusted", "ca.pem", "leaf.pem")
			ask := []string{"ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-url", cert.OCSPServer[0], "-CAfile", "root.pem", "-verify_other", "ca.pem", "-no_nonce"}
			out := r.openssl(dir, ask...)
			require.Contains(t, out, "Response verify OK")
			require.Contains(t, out, "leaf.pem: good")

			require.NoError(t, r.Revoke(s.Credential))
			out = r.openssl(dir, ask...)
			require.Contains(t, out, "leaf.pem: revoked")
			require.Contains(t, out, "keyCompromise")
			crls()
			cmd := exec.Command("openssl", "verify", "-crl_check", "-CRLfile", "crls.pem", "-CAfile", "root.pem", "-untrusted", "ca.pem", "leaf.pem")
			cmd.Dir = dir
			text, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(text), "certificate revoked")
		})
	}
}

func TestOCSPFollowsTheMovableClockAndTheHold(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-basic-single", "ada")
	cert := r.Certificate(s.Credential)
	block, _ := pem.Decode([]byte(r.CAPEM()))
	issuer, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	der, err := ocsp.CreateRequest(cert, issuer, nil)
	require.NoError(t, err)
	ask := func() *ocsp.Response {
		t.Helper()
		resp, err := ocsp.ParseResponse(r.get(cert.OCSPServer[0]+"/"+url.PathEscape(base64.StdEncoding.EncodeToString(der))), issuer)
		require.NoError(t, err)
		return resp
	}
	require.Equal(t, ocsp.Good, ask().Status)
	r.Advance(48 * time.Hour)
	resp := ask()
	require.WithinDuration(t, r.Clock(), resp.ProducedAt, time.Second)
	require.WithinDuration(t, r.Clock(), resp.ThisUpdate, time.Second)
	require.NoError(t, r.Suspend(s.Credential))
	resp = ask()
	require.Equal(t, ocsp.Revoked, resp.Status)
	require.Equal(t, ocsp.CertificateHold, resp.RevocationReason)
	r.put(v1 + "/credential/ada/resume")
	require.Equal(t, ocsp.Good, ask().Status)

	stranger := *cert
	stranger.SerialNumber = new(big.Int).Add(cert.SerialNumber, big.NewInt(1))
	der, err = ocsp.CreateRequest(&stranger, issuer, nil)
	require.NoError(t, err)
	require.Equal(t, ocsp.Unknown, ask().Status)
}

func TestEveryCertificateNamesTheSimulator(t *testing.T) {
	r := start(t)
	s := r.Signer("cp-seal", "seal")
	_, out := r.csc("credentials/info", object{"credentialID": s.Credential, "certificates": "chain"})
	for _, text := range out["cert"].(object)["certificates"].([]any) {
		c, err := x509.ParseCertificate(unb64(t, text))
		require.NoError(t, err)
		require.Contains(t, c.Subject.String(), "Simulator")
	}
}
