package pades_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/cms"
)

// authority is a small PKI: a root, an issuer, a signer and a clock service.
type authority struct {
	root, issuer, signer, clock   *x509.Certificate
	rootKey, issuerKey, signerKey crypto.Signer
	clockKey                      *ecdsa.PrivateKey
	roots                         *x509.CertPool
	now                           time.Time
}

var theAuthority = sync.OnceValue(newAuthority)

func newAuthority() *authority {
	a := &authority{now: time.Now().UTC().Truncate(time.Second)}
	rootKey := newKey()
	a.root = certificate("Test Root", nil, rootKey, rootKey, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign })
	issuerKey := newKey()
	a.issuer = certificate("Test Issuer", a.root, issuerKey, rootKey, func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign })
	signerKey := newKey()
	a.signer = certificate("Ada Example", a.issuer, signerKey, issuerKey, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment })
	a.clockKey = newKey()
	a.clock = certificate("Test Clock", a.issuer, a.clockKey, issuerKey, func(c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageDigitalSignature
		c.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 37}, Critical: true, Value: []byte{0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 8}}}
	})
	a.rootKey, a.issuerKey, a.signerKey = rootKey, issuerKey, signerKey
	a.roots = x509.NewCertPool()
	a.roots.AddCert(a.root)
	return a
}

func newKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

var serial = struct {
	sync.Mutex
	n int64
}{n: 1000}

// certificate issues one; parent nil means self-signed.
func certificate(name string, parent *x509.Certificate, key, by crypto.Signer, edit func(*x509.Certificate)) *x509.Certificate {
	serial.Lock()
	serial.n++
	n := serial.n
	serial.Unlock()
	c := &x509.Certificate{SerialNumber: big.NewInt(n), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().AddDate(0, 6, 0)}
	edit(c)
	if parent == nil {
		parent = c
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		panic(err)
	}
	c, err = x509.ParseCertificate(raw)
	if err != nil {
		panic(err)
	}
	return c
}

func (a *authority) chain() []*x509.Certificate {
	return []*x509.Certificate{a.signer, a.issuer, a.root}
}

// paper is a file of one page with a text field and an empty signature field.
func paper(extra ...string) []byte {
	objs := map[int]string{
		1: "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R>>",
		2: "<</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 300 200]>>",
		3: "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [6 0 R 7 0 R] /Resources <<>>>>",
		4: "<</Length 24>>\nstream\n0 0 m 100 100 l S       \nendstream",
		5: "<</Fields [6 0 R 7 0 R]>>",
		6: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (100) /Rect [10 10 90 30] /P 3 0 R>>",
		7: "<</Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /Rect [100 10 190 30] /P 3 0 R>>",
	}
	for i, e := range extra {
		objs[20+i] = e
	}
	return update([]byte("%PDF-1.7\n"), objs, "")
}

var startxref = regexp.MustCompile(`startxref\s+(\d+)`)

// update appends an incremental update with a cross-reference table.
func update(file []byte, objs map[int]string, trailer string) []byte {
	b := bytes.NewBuffer(bytes.Clone(file))
	places := map[int]int{}
	for _, n := range slices.Sorted(maps.Keys(objs)) {
		if objs[n] == "free" {
			places[n] = -1
			continue
		}
		places[n] = b.Len()
		fmt.Fprintf(b, "%d 0 obj\n%s\nendobj\n", n, objs[n])
	}
	start := b.Len()
	b.WriteString("xref\n0 1\n0000000000 65535 f \n")
	for _, n := range slices.Sorted(maps.Keys(objs)) {
		if places[n] < 0 {
			fmt.Fprintf(b, "%d 1\n%010d %05d f \n", n, 0, 1)
			continue
		}
		fmt.Fprintf(b, "%d 1\n%010d 00000 n \n", n, places[n])
	}
	if m := startxref.FindAllSubmatch(file, -1); m != nil {
		trailer += " /Prev " + string(m[len(m)-1][1])
	}
	if !strings.Contains(trailer, "/Root") {
		trailer += " /Root 1 0 R"
	}
	fmt.Fprintf(b, "trailer\n<</Size 100 %s>>\nstartxref\n%d\n%%%%EOF\n", trailer, start)
	return b.Bytes()
}

type signing struct {
	chain  []*x509.Certificate
	key    crypto.Signer
	opts   pades.Options
	stamp  bool
	forged func(u *cms.Unsigned) []byte // a value of its own making instead of the signature
}

// signFile signs a file with the local key.
func signFile(t testing.TB, file []byte, s signing) []byte {
	t.Helper()
	a := theAuthority()
	if s.chain == nil {
		s.chain, s.key = a.chain(), a.signerKey
	}
	s.opts.Chain, s.opts.Timestamped = s.chain, s.stamp
	if s.opts.Time.IsZero() {
		s.opts.Time = a.now
	}
	p, err := pades.Prepare(bytes.NewReader(file), int64(len(file)), s.opts)
	require.NoError(t, err)
	if s.forged != nil {
		delta := bytes.Clone(p.Delta)
		hex.Encode(delta[p.HoleOffset+1:], s.forged(p.Unsigned))
		return append(bytes.Clone(file), delta...)
	}
	value, err := cms.SignLocal(p.Unsigned, s.key)
	require.NoError(t, err)
	var token []byte
	if s.stamp {
		over, err := p.StampDigest(value)
		require.NoError(t, err)
		sum := crypto.SHA256.New()
		sum.Write(over)
		token = stampToken(t, sum.Sum(nil))
	}
	delta, err := p.Complete(value, token)
	require.NoError(t, err)
	return append(bytes.Clone(file), delta...)
}

func openssl(t testing.TB, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	require.NoError(t, err, "openssl %v: %s", args, out)
	return out
}

func writeFile(t testing.TB, dir, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(p, b, 0o600))
	return p
}

func pemCert(certs ...*x509.Certificate) []byte {
	var b []byte
	for _, c := range certs {
		b = append(b, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return b
}

func pemKey(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// stampToken lets OpenSSL play the clock service.
func stampToken(t testing.TB, digest []byte) []byte {
	t.Helper()
	a := theAuthority()
	dir := t.TempDir()
	conf := writeFile(t, dir, "ts.cnf", []byte("[tsa]\ndefault_tsa=t\n[t]\nserial="+filepath.Join(dir, "serial")+
		"\ncrypto_device=builtin\nsigner_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256,sha384,sha512\naccuracy=secs:1\ness_cert_id_alg=sha256\nordering=no\ntsa_name=no\ness_cert_id_chain=no\n"))
	req := filepath.Join(dir, "q")
	openssl(t, "ts", "-query", "-digest", hex.EncodeToString(digest), "-sha256", "-cert", "-out", req)
	out := filepath.Join(dir, "r")
	openssl(t, "ts", "-reply", "-config", conf, "-section", "t", "-queryfile", req, "-signer", writeFile(t, dir, "c.pem", pemCert(a.clock)),
		"-inkey", writeFile(t, dir, "k.pem", pemKey(t, a.clockKey)), "-chain", writeFile(t, dir, "ch.pem", pemCert(a.issuer, a.root)), "-token_out", "-out", out)
	token, err := os.ReadFile(out)
	require.NoError(t, err)
	return token
}

func check(t testing.TB, file []byte) pades.Result {
	t.Helper()
	return checkWith(t, file, pades.VerifyOptions{Roots: theAuthority().roots})
}

func checkWith(t testing.TB, file []byte, o pades.VerifyOptions) pades.Result {
	t.Helper()
	r, err := pades.Verify(context.Background(), bytes.NewReader(file), int64(len(file)), o)
	require.NoError(t, err)
	return r
}

func report(r pades.Result) string {
	var b strings.Builder
	_ = pades.WriteText(&b, r) // a Builder takes all
	return b.String()
}

// hole finds the last /Contents <…> of a signature: offsets of "<" and after ">".
func hole(file []byte) (from, to int) {
	m := regexp.MustCompile(`/Contents <[0-9A-Fa-f]+>`).FindAllIndex(file, -1)
	last := m[len(m)-1]
	return last[0] + len("/Contents "), last[1]
}

// byteRange finds the text of the last ByteRange and its numbers.
func byteRange(file []byte) (at, end int, n [4]int) {
	m := regexp.MustCompile(`/ByteRange \[(\d+) (\d+) (\d+) (\d+) *\]`).FindAllSubmatchIndex(file, -1)
	last := m[len(m)-1]
	for i := range 4 {
		n[i], _ = strconv.Atoi(string(file[last[2+2*i]:last[3+2*i]]))
	}
	return last[0] + len("/ByteRange "), last[1], n
}
