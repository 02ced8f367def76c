package cms_test

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"countersign/pades/cms"
)

// attr is one attribute with its values.
func attr(oid asn1.ObjectIdentifier, values ...[]byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(cbasn1.SET, func(b *cryptobyte.Builder) {
			for _, v := range values {
				b.AddBytes(v)
			}
		})
	})
	return b.BytesOrPanic()
}

func attrs(tag cbasn1.Tag, sorted bool, elements ...[]byte) []byte {
	elements = slices.Clone(elements)
	if sorted {
		slices.SortFunc(elements, bytes.Compare)
	}
	var b cryptobyte.Builder
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		for _, e := range elements {
			b.AddBytes(e)
		}
	})
	return b.BytesOrPanic()
}

func der(f func(*cryptobyte.Builder)) []byte {
	var b cryptobyte.Builder
	f(&b)
	return b.BytesOrPanic()
}

func octets(v []byte) []byte { return der(func(b *cryptobyte.Builder) { b.AddASN1OctetString(v) }) }

func oidValue(oid asn1.ObjectIdentifier) []byte {
	return der(func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
}

// essValue is SigningCertificateV2 of hashes, with anything after them.
func essValue(alg asn1.ObjectIdentifier, after []byte, hashes ...[]byte) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, h := range hashes {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						if alg != nil {
							b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(alg) })
						}
						b.AddASN1OctetString(h)
					})
				}
			})
			b.AddBytes(after)
		})
	})
}

func TestOnlyTheRightAttributesOfOthersAreTaken(t *testing.T) {
	id, stranger := issue(t, ecKey(t, elliptic.P256())), issue(t, ecKey(t, elliptic.P256()))
	alg, err := cms.AlgorithmFor("", nil, id.cert.PublicKey, crypto.SHA256)
	require.NoError(t, err)
	md := digest(crypto.SHA256, content)
	leaf, ca, other := sha256.Sum256(id.cert.Raw), sha256.Sum256(id.ca.Raw), sha256.Sum256(stranger.cert.Raw)
	leaf512, leaf1 := sha512.Sum512(id.cert.Raw), sha1.Sum(id.cert.Raw)
	ct, dig, ess := attr(cms.OIDContentType, oidValue(cms.OIDData)), attr(cms.OIDMessageDigest, octets(md)), attr(cms.OIDSigningCertificateV2, essValue(nil, nil, leaf[:]))
	sigTime := attr(cms.OIDSigningTime, der(func(b *cryptobyte.Builder) { b.AddASN1UTCTime(time.Unix(1.7e9, 0)) }))
	own, err := cms.NewUnsigned([]*x509.Certificate{id.cert, id.ca}, alg, md)
	require.NoError(t, err)
	essOf := func(v []byte) []byte { return attrs(cbasn1.SET, true, ct, dig, attr(cms.OIDSigningCertificateV2, v)) }
	good := attrs(cbasn1.SET, true, ct, dig, ess)
	for name, c := range map[string]struct {
		set  []byte
		good bool
	}{
		"the three":                          {good, true},
		"with algorithm protection":          {own.Attributes, true},
		"the chain named after the leaf":     {essOf(essValue(nil, nil, leaf[:], ca[:])), true},
		"the leaf by SHA-512":                {essOf(essValue(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, nil, leaf512[:])), true},
		"nothing":                            {nil, false},
		"an empty set":                       {[]byte{0x31, 0}, false},
		"under [0], as in a signature":       {attrs(cbasn1.Tag(0).ContextSpecific().Constructed(), true, ct, dig, ess), false},
		"out of order":                       {attrs(cbasn1.SET, false, ess, dig, ct), false},
		"something after them":               {append(bytes.Clone(good), 0), false},
		"cut short":                          {good[:len(good)-1], false},
		"a length longer than it must be":    {append([]byte{0x31, 0x82, 0, byte(len(good) - 2)}, good[2:]...), false},
		"without the content type":           {attrs(cbasn1.SET, true, dig, ess), false},
		"without the digest":                 {attrs(cbasn1.SET, true, ct, ess), false},
		"without the certificate":            {attrs(cbasn1.SET, true, ct, dig), false},
		"the digest of other bytes":          {attrs(cbasn1.SET, true, ct, attr(cms.OIDMessageDigest, octets(digest(crypto.SHA256, []byte("x")))), ess), false},
		"the digest cut short":               {attrs(cbasn1.SET, true, ct, attr(cms.OIDMessageDigest, octets(md[:31])), ess), false},
		"another content type":               {attrs(cbasn1.SET, true, attr(cms.OIDContentType, oidValue(cms.OIDTSTInfo)), dig, ess), false},
		"another certificate":                {essOf(essValue(nil, nil, other[:])), false},
		"another certificate beside it":      {essOf(essValue(nil, nil, leaf[:], other[:])), false},
		"the issuer's certificate first":     {essOf(essValue(nil, nil, ca[:], leaf[:])), false},
		"the certificate by SHA-1":           {essOf(essValue(asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, nil, leaf1[:])), false},
		"policies":                           {essOf(essValue(nil, []byte{0x30, 0}, leaf[:])), false},
		"no certificate in it":               {essOf(essValue(nil, nil)), false},
		"a signing time":                     {attrs(cbasn1.SET, true, ct, dig, ess, sigTime), false},
		"a commitment":                       {attrs(cbasn1.SET, true, ct, dig, ess, attr(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 16}, []byte{0x30, 0})), false},
		"the digest twice":                   {attrs(cbasn1.SET, true, ct, dig, attr(cms.OIDMessageDigest, octets(digest(crypto.SHA256, []byte("x")))), ess), false},
		"two digests in one":                 {attrs(cbasn1.SET, true, ct, attr(cms.OIDMessageDigest, octets(md), octets(md)), ess), false},
		"protection of another algorithm":    {attrs(cbasn1.SET, true, ct, dig, ess, attr(cms.OIDAlgorithmProtection, protection(t))), false},
		"the older certificate attribute":    {attrs(cbasn1.SET, true, ct, dig, ess, attr(cms.OIDSigningCertificate, []byte{0x30, 0})), false},
		"larger than attributes are":         {attrs(cbasn1.SET, true, ct, dig, ess, attr(cms.OIDAlgorithmProtection, octets(make([]byte, 9000)))), false},
		"an attribute without a value":       {attrs(cbasn1.SET, true, attr(cms.OIDContentType), dig, ess), false},
		"something that is not an attribute": {attrs(cbasn1.SET, true, ct, dig, ess, []byte{0x30, 0}), false},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := own.Adopt(c.set)
			if !c.good {
				require.Error(t, err)
				require.NotZero(t, cms.KindOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.set, u.Attributes)
			require.Equal(t, digest(crypto.SHA256, c.set), u.Digest())
			value, err := cms.SignLocal(u, id.key)
			require.NoError(t, err)
			made, err := u.Complete(value, nil)
			require.NoError(t, err)
			sd, err := cms.Parse(made)
			require.NoError(t, err)
			v, err := sd.Verify(sd.Signers[0], md)
			require.NoError(t, err)
			require.Equal(t, 2, v.ESS)
		})
	}
}

// protection names RSA where the key is of another kind.
func protection(t *testing.T) []byte {
	t.Helper()
	alg, err := cms.AlgorithmFor("", nil, rsaKey().Public(), crypto.SHA256)
	require.NoError(t, err)
	id := issue(t, rsaKey())
	u, err := cms.NewUnsigned([]*x509.Certificate{id.cert}, alg, digest(crypto.SHA256, content))
	require.NoError(t, err)
	var all []struct {
		OID    asn1.ObjectIdentifier
		Values []asn1.RawValue `asn1:"set"`
	}
	_, err = asn1.UnmarshalWithParams(u.Attributes, &all, "set")
	require.NoError(t, err)
	for _, a := range all {
		if a.OID.Equal(cms.OIDAlgorithmProtection) {
			return a.Values[0].FullBytes
		}
	}
	t.Fatal("no protection")
	return nil
}

// What somebody else made of our attributes and a value is taken when it is just that.
func TestOnlyTheRightSignatureOfOthersIsTaken(t *testing.T) {
	id, stranger := issue(t, ecKey(t, elliptic.P256())), issue(t, ecKey(t, elliptic.P256()))
	made, u, value := sign(t, id, "", crypto.SHA256)
	token, err := u.Accept(value, made)
	require.NoError(t, err)
	require.Nil(t, token)

	again, err := cms.SignLocal(u, id.key)
	require.NoError(t, err)
	require.NotEqual(t, value, again, "ECDSA gives another value each time")
	otherValue, err := u.Complete(again, nil)
	require.NoError(t, err)
	elsewhere, _, _ := sign(t, stranger, "", crypto.SHA256)
	noAttributes := replaceOnce(t, made, u.Attributes[1:], append([]byte{u.Attributes[1]}, bytes.Repeat([]byte{0}, len(u.Attributes)-2)...))
	for name, bad := range map[string][]byte{
		"nothing":                      nil,
		"garbage":                      []byte("garbage"),
		"another value of the key":     otherValue,
		"another person's":             elsewhere,
		"other attributes":             noAttributes,
		"something after it":           append(bytes.Clone(made), 0),
		"cut short":                    made[:len(made)-1],
		"another version":              replaceOnce(t, made, []byte{2, 1, 1, 0x31}, []byte{2, 1, 3, 0x31}),
		"a certificate that is broken": replaceOnce(t, made, id.ca.Raw[:12], append([]byte{0x30, 0x82}, bytes.Repeat([]byte{0xff}, 10)...)),
		"too large":                    append(bytes.Clone(made), make([]byte, cms.MaxSize)...),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := u.Accept(value, bad)
			require.Error(t, err)
		})
	}
	_, err = u.Accept(again, made)
	require.Error(t, err, "the value is the one that the key gave")
	_, err = u.Accept([]byte{1}, made)
	require.Error(t, err)
}

func replaceOnce(t *testing.T, in, from, to []byte) []byte {
	t.Helper()
	require.Equal(t, 1, bytes.Count(in, from))
	require.Len(t, to, len(from))
	return bytes.Replace(in, from, to, 1)
}

// essWith is SigningCertificateV2 of one certificate, with what stands beside its hash.
func essWith(hash []byte, beside ...[]byte) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1OctetString(hash)
					for _, v := range beside {
						b.AddBytes(v)
					}
				})
			})
		})
	})
}

// issuerSerial is that of RFC 5035, with anything after it.
func issuerSerial(issuer []byte, serial *big.Int, after ...byte) []byte {
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(issuer) })
			})
			b.AddASN1BigInt(serial)
			b.AddBytes(after)
		})
	})
}

func TestIssuerAndSerialInAttributesOfOthersAreTheCertificates(t *testing.T) {
	id := issue(t, ecKey(t, elliptic.P256()))
	alg, err := cms.AlgorithmFor("", nil, id.cert.PublicKey, crypto.SHA256)
	require.NoError(t, err)
	md, leaf := digest(crypto.SHA256, content), sha256.Sum256(id.cert.Raw)
	right := issuerSerial(id.cert.RawIssuer, id.cert.SerialNumber)
	for name, c := range map[string]struct {
		beside [][]byte
		good   bool
	}{
		"none":                 {nil, true},
		"the right ones":       {[][]byte{right}, true},
		"another issuer":       {[][]byte{issuerSerial(id.cert.RawSubject, id.cert.SerialNumber)}, false},
		"another serial":       {[][]byte{issuerSerial(id.cert.RawIssuer, big.NewInt(4711))}, false},
		"something in it":      {[][]byte{issuerSerial(id.cert.RawIssuer, id.cert.SerialNumber, 5, 0)}, false},
		"something after it":   {[][]byte{right, {5, 0}}, false},
		"something in its way": {[][]byte{{5, 0}}, false},
		"twice":                {[][]byte{right, right}, false},
		"an empty one":         {[][]byte{{0x30, 0}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cms.UnsignedFrom([]*x509.Certificate{id.cert, id.ca}, alg, md, attrs(cbasn1.SET, true, attr(cms.OIDContentType, oidValue(cms.OIDData)),
				attr(cms.OIDMessageDigest, octets(md)), attr(cms.OIDSigningCertificateV2, essWith(leaf[:], c.beside...))))
			require.Equal(t, c.good, err == nil, "%v", err)
		})
	}
}

// What a structure carries besides is that of the signer, or it is not taken.
func TestAStructureOfOthersCarriesNothingBeside(t *testing.T) {
	id, stranger := issue(t, ecKey(t, elliptic.P256())), issue(t, ecKey(t, elliptic.P256()))
	_, u, value := sign(t, id, "", crypto.SHA256)
	own, chain := *u, u.Chain
	own.Chain = chain[:1]
	for name, c := range map[string]struct {
		chain [][]byte
		lists []byte
		good  bool
	}{
		"the leaf only":                    {chain[:1], nil, true},
		"and who issued it":                {[][]byte{id.cert.Raw, id.ca.Raw}, nil, true},
		"a stranger's certificate":         {[][]byte{id.cert.Raw, stranger.cert.Raw}, nil, false},
		"a stranger's beside the issuer's": {[][]byte{id.cert.Raw, id.ca.Raw, stranger.ca.Raw}, nil, false},
		"revocation lists":                 {chain[:1], []byte{0xa1, 2, 0x30, 0}, false},
		"an empty set of them":             {chain[:1], []byte{0xa1, 0}, false},
	} {
		t.Run(name, func(t *testing.T) {
			with := own
			with.Chain = c.chain
			made, err := with.Complete(value, nil)
			require.NoError(t, err)
			_, err = own.Accept(value, withLists(t, made, c.lists))
			require.Equal(t, c.good, err == nil, "%v", err)
		})
	}
}

// withLists puts an element before the signers of a structure.
func withLists(t *testing.T, made, lists []byte) []byte {
	t.Helper()
	in := cryptobyte.String(made)
	var info, explicit, data, oid cryptobyte.String
	require.True(t, in.ReadASN1(&info, cbasn1.SEQUENCE) && info.ReadASN1Element(&oid, cbasn1.OBJECT_IDENTIFIER) &&
		info.ReadASN1(&explicit, cbasn1.Tag(0).ContextSpecific().Constructed()) && explicit.ReadASN1(&data, cbasn1.SEQUENCE))
	var parts [][]byte
	for !data.Empty() {
		var part cryptobyte.String
		var tag cbasn1.Tag
		require.True(t, data.ReadAnyASN1Element(&part, &tag))
		parts = append(parts, part)
	}
	parts = slices.Insert(parts, len(parts)-1, lists)
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(oid)
			b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(slices.Concat(parts...)) })
			})
		})
	})
}
