package pades_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
	"countersign/pades/pdf/pdftest"
	"countersign/pades/tsp"
)

const tsaConfig = `[tsa]
default_tsa = t
[t]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
`

// opensslToken lets openssl play the clock service.
func opensslToken(t *testing.T, digest []byte) []byte {
	t.Helper()
	t.Chdir(t.TempDir())
	k := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	usage := must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
	c := &x509.Certificate{SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "Test Clock"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}}}
	der := must(x509.CreateCertificate(rand.Reader, c, c, k.Public(), k))
	for name, b := range map[string][]byte{
		"tsa.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"tsa.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(k))}),
		"tsa.cnf": []byte(tsaConfig), "serial": []byte("01\n"),
	} {
		require.NoError(t, os.WriteFile(name, b, 0o600))
	}
	msg, code := tool(t, "openssl", "ts", "-query", "-digest", hex.EncodeToString(digest), "-sha256", "-cert", "-no_nonce", "-out", "q")
	require.Zero(t, code, msg)
	msg, code = tool(t, "openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q", "-out", "r")
	require.Zero(t, code, msg)
	return must(tsp.ParseResponse(must(os.ReadFile("r"))))
}

func TestATimestampFitsAndStandsInTheSignature(t *testing.T) {
	b := pdftest.Plain(1)
	for _, s := range []signer{rsaSigner(), ecSigner()} {
		p, err := pades.Prepare(bytes.NewReader(b), int64(len(b)), pades.Options{Chain: s.chain, Time: when, Timestamped: true})
		require.NoError(t, err)
		value := must(cms.SignLocal(p.Unsigned, s.key))
		over, err := p.StampDigest(value)
		require.NoError(t, err)
		digest := sha256.Sum256(over)
		token := opensslToken(t, digest[:])
		delta, err := p.Complete(value, token)
		require.NoError(t, err)
		out := append(bytes.Clone(b), delta...)
		opensslAgrees(t, out, p, s)
		_, sigs := read(t, out)
		require.True(t, bytes.Contains(sigs[0].Contents, token))

		path := filepath.Join(t.TempDir(), "out.pdf")
		require.NoError(t, os.WriteFile(path, out, 0o600))
		msg, _ := tool(t, "pdfsig", "-nocert", path)
		require.Contains(t, msg, valid)

		_, err = p.Complete(value, bytes.Repeat([]byte{0x30}, 40000))
		require.Error(t, err, "no token at all")
	}
}
