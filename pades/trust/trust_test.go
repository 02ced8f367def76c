package trust_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/trust"
)

type party struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var number int64

func issue(t *testing.T, by *party, edit func(*x509.Certificate)) *party {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	number++
	c := &x509.Certificate{SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "Party", SerialNumber: big.NewInt(number).String()},
		BasicConstraintsValid: true, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	edit(c)
	me := &party{c, key}
	if by == nil {
		by = me
	}
	raw, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	require.NoError(t, err)
	me.cert, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	return me
}

func authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}
func signer(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }

func list(t *testing.T, by *party, extra []pkix.Extension, serials ...*big.Int) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(time.Minute), NextUpdate: time.Now().Add(time.Hour), ExtraExtensions: extra}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: s, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.cert, by.key)
	require.NoError(t, err)
	return der
}

func TestTheWholeChainIsJudged(t *testing.T) {
	root := issue(t, nil, authority)
	mid := issue(t, root, authority)
	me := issue(t, mid, signer)
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	o := trust.Options{Intermediates: []*x509.Certificate{mid.cert}, Roots: pool, At: time.Now()}

	out := trust.Validate(me.cert, o)
	require.Empty(t, out.SubIndication, out.Text)
	require.Len(t, out.Chain, 3)
	require.Equal(t, trust.NotChecked, out.Revocation.State)

	o.Evidence = trust.NewEvidence(time.Now())
	o.Evidence.AddCRL(list(t, mid, nil), 0)
	require.Equal(t, trust.NotChecked, trust.Validate(me.cert, o).Revocation.State, "the issuer's own state is missing")
	o.Evidence.AddCRL(list(t, root, nil), 0)
	require.Equal(t, trust.NotRevoked, trust.Validate(me.cert, o).Revocation.State)

	o.Evidence = trust.NewEvidence(time.Now())
	o.Evidence.AddCRL(list(t, root, nil, mid.cert.SerialNumber), 0)
	out = trust.Validate(me.cert, o)
	require.Equal(t, trust.RevokedCANoPOE, out.SubIndication)
	require.False(t, out.Failed)

	o.Intermediates = nil
	require.Equal(t, trust.NoCertificateChainFound, trust.Validate(me.cert, o).SubIndication)
	o.Roots = nil
	require.Equal(t, trust.NoCertificateChainFound, trust.Validate(me.cert, o).SubIndication)
	require.NotEmpty(t, trust.Validate(nil, o).SubIndication)
}

func TestAListThatIsNotCompleteProvesNothingGood(t *testing.T) {
	root := issue(t, nil, authority)
	me := issue(t, root, signer)
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	for name, ext := range map[string]pkix.Extension{
		"only issuers":     {Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 3, 0x82, 1, 0xff}},
		"only some reason": {Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 4, 0x83, 2, 1, 0x40}},
		"indirect":         {Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 3, 0x84, 1, 0xff}},
		"a delta":          {Id: []int{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}},
		"unknown rule":     {Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			e := trust.NewEvidence(time.Now())
			e.AddCRL(list(t, root, []pkix.Extension{ext}), 0)
			out := trust.Validate(me.cert, trust.Options{Roots: pool, At: time.Now(), Evidence: e})
			require.Equal(t, trust.NotChecked, out.Revocation.State)
			require.Empty(t, out.SubIndication)
			e.AddCRL(list(t, root, []pkix.Extension{ext}, me.cert.SerialNumber), 0)
			require.Equal(t, trust.Revoked, trust.Validate(me.cert, trust.Options{Roots: pool, At: time.Now(), Evidence: e}).SubIndication)
		})
	}
}

func TestASignerIsNoClock(t *testing.T) {
	root := issue(t, nil, authority)
	me := issue(t, root, signer)
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	out := trust.Validate(me.cert, trust.Options{Roots: pool, At: time.Now(), Usage: trust.TimeStamp})
	require.Equal(t, trust.ChainConstraintsFailure, out.SubIndication)
}
