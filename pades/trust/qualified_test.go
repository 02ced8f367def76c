package trust_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/trust"
)

var qcStatements = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}

// claiming is a certificate as the parser sees it, with this extension only.
func claiming(value []byte) *x509.Certificate {
	return &x509.Certificate{Extensions: []pkix.Extension{{Id: qcStatements, Value: value}}}
}

// der writes an element; the parts stand one after the other.
func der(tag byte, parts ...[]byte) []byte {
	var body []byte
	for _, p := range parts {
		body = append(body, p...)
	}
	switch n := len(body); {
	case n < 128:
		return append([]byte{tag, byte(n)}, body...)
	case n < 256:
		return append([]byte{tag, 0x81, byte(n)}, body...)
	default:
		return append([]byte{tag, 0x82, byte(n >> 8), byte(n)}, body...)
	}
}

func oid(t testing.TB, numbers ...int) []byte {
	t.Helper()
	b, err := asn1.Marshal(asn1.ObjectIdentifier(numbers))
	require.NoError(t, err)
	return b
}

func etsi(t testing.TB, n int, info ...[]byte) []byte {
	t.Helper()
	return der(0x30, append([][]byte{oid(t, 0, 4, 0, 1862, 1, n)}, info...)...)
}

func statements(t testing.TB) []byte {
	t.Helper()
	return der(0x30,
		etsi(t, 1), etsi(t, 4),
		etsi(t, 2, der(0x30, der(0x13, []byte("EUR")), der(2, []byte{25}), der(2, []byte{3}))),
		etsi(t, 3, der(2, []byte{15})),
		etsi(t, 5, der(0x30,
			der(0x30, der(0x16, []byte("https://ca.example/pds_en.pdf")), der(0x13, []byte("en"))),
			der(0x30, der(0x16, []byte("https://ca.example/pds_de.pdf")), der(0x13, []byte("de"))))),
		etsi(t, 6, der(0x30, oid(t, 0, 4, 0, 1862, 1, 6, 1))),
		etsi(t, 7, der(0x30, der(0x13, []byte("CH")))),
		der(0x30, oid(t, 1, 3, 6, 1, 5, 5, 7, 11, 2)))
}

func TestTheIssuersClaimsAreRead(t *testing.T) {
	q, err := trust.QualifiedStatements(claiming(statements(t)))
	require.NoError(t, err)
	years := 15
	require.Equal(t, trust.Qualified{Compliance: true, Device: true, Types: []trust.QualifiedType{trust.ForSignatures}, Countries: []string{"CH"},
		Retention: &years, Limit: &trust.Limit{Currency: "EUR", Amount: 25, Exponent: 3},
		Disclosures: []trust.Disclosure{{Language: "en", Address: "https://ca.example/pds_en.pdf"}, {Language: "de", Address: "https://ca.example/pds_de.pdf"}},
		Others:      []string{"1.3.6.1.5.5.7.11.2"}}, q)
	q, err = trust.QualifiedStatements(claiming(der(0x30, etsi(t, 6, der(0x30, oid(t, 0, 4, 0, 1862, 1, 6, 2), oid(t, 0, 4, 0, 1862, 1, 6, 3), oid(t, 0, 4, 0, 1862, 1, 6, 9))))))
	require.NoError(t, err)
	require.Equal(t, trust.Qualified{Types: []trust.QualifiedType{trust.ForSeals, trust.ForWebsites}, Others: []string{"0.4.0.1862.1.6.9"}}, q)
	q, err = trust.QualifiedStatements(&x509.Certificate{})
	require.NoError(t, err)
	require.Zero(t, q)
}

// OpenSSL writes the extension from its configuration, Go reads the certificate.
func TestOpenSSLsStatementsAreRead(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "c.cnf")
	require.NoError(t, os.WriteFile(conf, []byte(strings.Join([]string{"[req]", "distinguished_name=dn", "x509_extensions=x", "[dn]", "[x]", "1.3.6.1.5.5.7.1.3=ASN1:SEQUENCE:qcs",
		"[qcs]", "a=SEQUENCE:compliance", "b=SEQUENCE:limit", "c=SEQUENCE:type", "[compliance]", "i=OID:0.4.0.1862.1.1",
		"[limit]", "i=OID:0.4.0.1862.1.2", "v=SEQUENCE:value", "[value]", "c=INTEGER:978", "a=INTEGER:1", "e=INTEGER:6",
		"[type]", "i=OID:0.4.0.1862.1.6", "t=SEQUENCE:types", "[types]", "e=OID:0.4.0.1862.1.6.2", ""}, "\n")), 0o600))
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", filepath.Join(dir, "k"),
		"-subj", "/CN=Seal", "-config", conf, "-outform", "DER", "-out", filepath.Join(dir, "c")).CombinedOutput()
	require.NoError(t, err, "%s", out)
	raw, err := os.ReadFile(filepath.Join(dir, "c"))
	require.NoError(t, err)
	c, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	q, err := trust.QualifiedStatements(c)
	require.NoError(t, err)
	require.Equal(t, trust.Qualified{Compliance: true, Limit: &trust.Limit{Currency: "978", Amount: 1, Exponent: 6}, Types: []trust.QualifiedType{trust.ForSeals}}, q)
}

func TestHostileStatementsAreAnError(t *testing.T) {
	good := statements(t)
	many := func(n int, one []byte) []byte {
		var b [][]byte
		for range n {
			b = append(b, one)
		}
		return der(0x30, b...)
	}
	var different [][]byte
	for i := range 40 {
		different = append(different, der(0x30, oid(t, 1, 2, 3, i)))
	}
	place := der(0x30, der(0x16, []byte("https://x")), der(0x13, []byte("en")))
	for name, b := range map[string][]byte{
		"nothing": nil, "no sequence": {2, 1, 1}, "indefinite": {0x30, 0x80, 0, 0}, "more after": append(statements(t), 0),
		"cut": good[:len(good)-3], "huge": der(0x30, der(0x30, oid(t, 1, 2, 3), make([]byte, 20000))),
		"twice": der(0x30, etsi(t, 1), etsi(t, 1)), "too many": der(0x30, different...),
		"compliance with a value": der(0x30, etsi(t, 1, der(5))),
		"too many types":          der(0x30, etsi(t, 6, many(17, oid(t, 0, 4, 0, 1862, 1, 6, 1)))),
		"too many places":         der(0x30, etsi(t, 5, many(17, place))),
		"a type that is none":     der(0x30, etsi(t, 6, der(0x30, der(2, []byte{1})))),
		"minus years":             der(0x30, etsi(t, 3, der(2, []byte{0xff}))),
		"an age of years":         der(0x30, etsi(t, 3, der(2, []byte{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))),
		"minus money":             der(0x30, etsi(t, 2, der(0x30, der(0x13, []byte("EUR")), der(2, []byte{0xff}), der(2, []byte{0})))),
		"currency":                der(0x30, etsi(t, 2, der(0x30, der(0x13, []byte("EURO")), der(2, []byte{1}), der(2, []byte{0})))),
		"currency 0":              der(0x30, etsi(t, 2, der(0x30, der(2, []byte{0}), der(2, []byte{1}), der(2, []byte{0})))),
		"country":                 der(0x30, etsi(t, 7, der(0x30, der(0x13, []byte("CHE"))))),
		"control signs":           der(0x30, etsi(t, 5, der(0x30, der(0x30, der(0x16, []byte("https://\x1b[2J")), der(0x13, []byte("en")))))),
		"long address":            der(0x30, etsi(t, 5, der(0x30, der(0x30, der(0x16, []byte(strings.Repeat("a", 600))), der(0x13, []byte("en")))))),
	} {
		q, err := trust.QualifiedStatements(claiming(b))
		require.ErrorIs(t, err, trust.ErrStatements, name)
		require.Zero(t, q, name)
	}
}

// Go reads such a certificate whole, also when the extension is marked critical.
func TestStatementsAreReadFromARealCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), ExtraExtensions: []pkix.Extension{{Id: qcStatements, Critical: true, Value: statements(t)}}}
	raw, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	q, err := trust.QualifiedStatements(c)
	require.NoError(t, err)
	require.True(t, q.Compliance)
}

func FuzzQualified(f *testing.F) {
	f.Add(statements(f))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := trust.QualifiedStatements(claiming(b))
		if err == nil && len(q.Types)+len(q.Others) > 64 || len(q.Disclosures) > 16 {
			t.Fatal("more than the limits allow")
		}
	})
}
