package cms_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/cms"
)

// peer lets OpenSSL make keys and signatures as others do.
type peer struct {
	t   *testing.T
	dir string
}

func newPeer(t *testing.T, algorithm string, options ...string) peer {
	t.Helper()
	p := peer{t, t.TempDir()}
	require.NoError(t, os.WriteFile(p.path("c"), content, 0o600))
	args := []string{"genpkey", "-algorithm", algorithm, "-out", p.path("k.pem")}
	for _, o := range options {
		args = append(args, "-pkeyopt", o)
	}
	p.openssl(args...)
	p.openssl("req", "-x509", "-new", "-key", p.path("k.pem"), "-subj", "/CN=Peer", "-days", "2", "-out", p.path("s.pem"))
	return p
}

func (p peer) path(name string) string { return filepath.Join(p.dir, name) }

func (p peer) openssl(args ...string) {
	p.t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	require.NoError(p.t, err, "openssl %s: %s", args[0], out)
}

func (p peer) sign(options ...string) []byte {
	p.t.Helper()
	p.openssl(append([]string{"cms", "-sign", "-binary", "-in", p.path("c"), "-signer", p.path("s.pem"), "-inkey", p.path("k.pem"),
		"-outform", "DER", "-out", p.path("out")}, options...)...)
	der, err := os.ReadFile(p.path("out"))
	require.NoError(p.t, err)
	return der
}

func verify(t *testing.T, der, signed []byte) (cms.Verified, error) {
	t.Helper()
	sd, err := cms.Parse(der)
	if err != nil {
		return cms.Verified{}, err
	}
	s, err := sd.One()
	if err != nil {
		return cms.Verified{}, err
	}
	h, err := s.Hash()
	if h == 0 {
		return cms.Verified{}, err
	}
	return sd.Verify(s, digest(h, signed))
}

func TestWhatPeersWriteIsVerified(t *testing.T) {
	rsa := newPeer(t, "RSA", "rsa_keygen_bits:2048")
	ec := newPeer(t, "EC", "ec_paramgen_curve:P-256")
	odd := newPeer(t, "RSA", "rsa_keygen_bits:2049") // an encoded message shorter than the value
	pssKey := newPeer(t, "RSA-PSS", "rsa_keygen_bits:2048")
	tied := newPeer(t, "RSA-PSS", "rsa_keygen_bits:2048", "rsa_pss_keygen_md:sha256", "rsa_pss_keygen_mgf1_md:sha256", "rsa_pss_keygen_saltlen:32")
	pss := func(salt, mask string) []string {
		return []string{"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:" + salt, "-keyopt", "rsa_mgf1_md:" + mask}
	}
	for name, c := range map[string]struct {
		peer    peer
		options []string
	}{
		"signed attributes":              {rsa, []string{"-md", "sha256"}},
		"no signed attributes, RSA":      {rsa, []string{"-noattr", "-md", "sha256"}},
		"no signed attributes, EC":       {ec, []string{"-noattr", "-md", "sha512"}},
		"no signed attributes, PSS":      {rsa, append(pss("32", "sha256"), "-noattr", "-md", "sha256")},
		"named by key id":                {rsa, []string{"-keyid", "-md", "sha384"}},
		"PSS, salt 0":                    {rsa, append(pss("0", "sha256"), "-md", "sha256")},
		"PSS, salt 20":                   {rsa, append(pss("20", "sha256"), "-md", "sha256")},
		"PSS, longest salt":              {rsa, append(pss("222", "sha256"), "-md", "sha256")},
		"PSS, mask of SHA-1":             {rsa, append(pss("32", "sha1"), "-md", "sha256")},
		"PSS, mask of SHA-512, salt 0":   {rsa, append(pss("0", "sha512"), "-md", "sha256")},
		"PSS, mask of SHA-1, odd key":    {odd, append(pss("48", "sha1"), "-md", "sha384")},
		"PSS, salt 0, odd key":           {odd, append(pss("0", "sha512"), "-md", "sha512")},
		"PSS key":                        {pssKey, append(pss("32", "sha256"), "-md", "sha256")},
		"PSS key with limits":            {tied, append(pss("32", "sha256"), "-md", "sha256")},
		"PSS key with limits, long salt": {tied, append(pss("60", "sha256"), "-md", "sha256")},
	} {
		t.Run(name, func(t *testing.T) {
			der := c.peer.sign(c.options...)
			v, err := verify(t, der, content)
			require.NoError(t, err)
			require.Equal(t, strings.HasPrefix(name, "no signed"), v.Bare)
			require.Zero(t, v.ESS)
			require.NotContains(t, cms.Describe(v.Algorithm, cms.PublicKey(v.Certificate)), "%")
			_, err = verify(t, der, []byte("other bytes"))
			require.Error(t, err)
			for i := 1; i <= 64; i += 7 { // the value stands last
				der[len(der)-i] ^= 4
				_, err = verify(t, der, content)
				require.Error(t, err, i)
				der[len(der)-i] ^= 4
			}
		})
	}
}

func TestWhatIsOldOrUnknownIsNamed(t *testing.T) {
	rsa := newPeer(t, "RSA", "rsa_keygen_bits:2048")
	small := newPeer(t, "RSA", "rsa_keygen_bits:1024")
	tiny := newPeer(t, "RSA", "rsa_keygen_bits:768")
	for name, c := range map[string]struct {
		peer    peer
		options []string
		kind    cms.Kind
		holds   bool
		text    string
	}{
		"SHA-1":       {rsa, []string{"-md", "sha1"}, cms.Weak, true, "SHA-1 is no longer safe"},
		"SHA-1, bare": {rsa, []string{"-md", "sha1", "-noattr"}, cms.Weak, true, "SHA-1 is no longer safe"},
		"MD5":         {rsa, []string{"-md", "md5"}, cms.Weak, true, "MD5 is no longer safe"},
		"SHA-224":     {rsa, []string{"-md", "sha224"}, cms.Weak, true, "SHA-224 is no longer accepted"},
		"1024 bits":   {small, []string{"-md", "sha256"}, cms.Weak, true, "an RSA key of 1024 bits is no longer safe"},
		"768 bits":    {tiny, []string{"-md", "sha256"}, cms.Weak, false, "an RSA key of 768 bits is no longer safe"},
		"Brainpool":   {newPeer(t, "EC", "ec_paramgen_curve:brainpoolP256r1"), []string{"-md", "sha256"}, cms.Unsupported, false, "the elliptic curve brainpoolP256r1 is not supported"},
		"secp256k1":   {newPeer(t, "EC", "ec_paramgen_curve:secp256k1"), []string{"-md", "sha256"}, cms.Unsupported, false, "the elliptic curve secp256k1 is not supported"},
		"P-224":       {newPeer(t, "EC", "ec_paramgen_curve:P-224"), []string{"-md", "sha256"}, cms.Unsupported, false, "the elliptic curve P-224 is not supported"},
		"two signers": {rsa, []string{"-md", "sha256", "-signer", small.path("s.pem"), "-inkey", small.path("k.pem")}, cms.Malformed, false, "the signature has 2 signers, where exactly one is allowed"},
		"streamed":    {rsa, []string{"-md", "sha256", "-stream", "-nodetach"}, cms.Malformed, false, strings.TrimPrefix(cms.ErrIndefinite.Error(), "cms: ")},
		"no signers":  {rsa, []string{"-md", "sha256", "-nocerts"}, cms.NoSigner, false, "the signer's certificate is not in the signature"},
	} {
		t.Run(name, func(t *testing.T) {
			der := c.peer.sign(c.options...)
			v, err := verify(t, der, content)
			require.Equal(t, c.kind, cms.KindOf(err), err)
			require.Equal(t, "cms: "+c.text, err.Error())
			if !c.holds {
				return
			}
			require.NotNil(t, v.Certificate)
			der[len(der)-1] ^= 1
			_, err = verify(t, der, content)
			require.Equal(t, cms.Signature, cms.KindOf(err), "an old signature that does not even fit: %v", err)
		})
	}
}

func TestAPSSKeyKeepsItsLimits(t *testing.T) {
	free, tied := newPeer(t, "RSA", "rsa_keygen_bits:2048"), newPeer(t, "RSA-PSS", "rsa_keygen_bits:2048", "rsa_pss_keygen_md:sha512", "rsa_pss_keygen_mgf1_md:sha512", "rsa_pss_keygen_saltlen:64")
	// The same numbers under both identifiers: the free key signs what the tied one may not.
	tied.openssl("pkey", "-in", tied.path("k.pem"), "-outform", "DER", "-traditional", "-out", tied.path("k.der"))
	der, err := os.ReadFile(tied.path("k.der"))
	require.NoError(t, err)
	require.NotNil(t, pkcs1(der))
	require.NoError(t, os.WriteFile(free.path("k.pem"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: pkcs1(der)}), 0o600))
	free.openssl("req", "-x509", "-new", "-key", free.path("k.pem"), "-subj", "/CN=Peer", "-days", "2", "-out", free.path("s.pem"))
	free.openssl("x509", "-in", tied.path("s.pem"), "-out", free.path("tied.pem"))
	for salt, kind := range map[string]cms.Kind{"20": cms.Signature, "64": 0} {
		made := free.sign("-md", "sha512", "-nocerts", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:"+salt, "-keyopt", "rsa_mgf1_md:sha512",
			"-keyid", "-certfile", free.path("tied.pem"))
		_, err = verify(t, made, content)
		require.Equal(t, kind, cms.KindOf(err), "salt of %s: %v", salt, err)
	}
}

// pkcs1 takes the key out of PKCS #8.
func pkcs1(der []byte) []byte {
	i := strings.Index(string(der), "\x02\x01\x00\x02\x82\x01\x01\x00")
	if i < 4 {
		return nil
	}
	return der[i-4:]
}

func TestTheObsoleteKindsOfPDFAreNamedAndNeverGood(t *testing.T) {
	p := newPeer(t, "RSA", "rsa_keygen_bits:2048")
	sha1 := digest(crypto.SHA1, content)
	require.NoError(t, os.WriteFile(p.path("c"), sha1, 0o600))
	for _, md := range []string{"sha1", "sha256"} {
		sd, err := cms.Parse(p.sign("-nodetach", "-md", md))
		require.NoError(t, err)
		s, err := sd.One()
		require.NoError(t, err)
		v, err := sd.VerifySHA1(s, sha1)
		require.Equal(t, cms.Weak, cms.KindOf(err), err)
		require.NotNil(t, v.Certificate)
		_, err = sd.VerifySHA1(s, digest(crypto.SHA1, []byte("other")))
		require.Equal(t, cms.Digest, cms.KindOf(err))
	}
	id := issue(t, rsaKey())
	value, err := rsaKey().Sign(nil, sha1, crypto.SHA1)
	require.NoError(t, err)
	contents := append([]byte{4, 0x82, 1, 0}, value...)
	contents = append(contents, make([]byte, 40)...) // padding
	_, err = cms.VerifyX509RSASHA1(contents, id.cert, sha1)
	require.Equal(t, cms.Weak, cms.KindOf(err), err)
	_, err = cms.VerifyX509RSASHA1(contents, id.cert, digest(crypto.SHA1, []byte("other")))
	require.Equal(t, cms.Signature, cms.KindOf(err))
	for _, b := range [][]byte{nil, {4}, {0x30, 0}, make([]byte, 300), append(contents, 1)} {
		_, err = cms.VerifyX509RSASHA1(b, id.cert, sha1)
		require.Equal(t, cms.Malformed, cms.KindOf(err))
	}
}

// castle runs a program of testdata with BouncyCastle, which knows what OpenSSL 3.0 does not.
func castle(t *testing.T, program string, args ...string) ([]byte, error) {
	t.Helper()
	jars, err := filepath.Glob("/usr/share/java/bc*.jar")
	require.NoError(t, err)
	require.NotEmpty(t, jars, "BouncyCastle is missing: run `make setup`")
	java, err := exec.LookPath("java")
	require.NoError(t, err, "java is missing: run `make setup`")
	return exec.Command(java, append([]string{"-cp", strings.Join(jars, ":"), filepath.Join("testdata", program)}, args...)...).CombinedOutput()
}

func TestBouncyCastleAcceptsEd25519(t *testing.T) {
	id := issue(t, edKey(t))
	der, _, _ := sign(t, id, "1.3.101.112", 0)
	dir := t.TempDir()
	s, c := filepath.Join(dir, "s"), filepath.Join(dir, "c")
	require.NoError(t, os.WriteFile(s, der, 0o600))
	require.NoError(t, os.WriteFile(c, content, 0o600))
	out, err := castle(t, "Check.java", s, c)
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.WriteFile(c, []byte("other"), 0o600))
	out, err = castle(t, "Check.java", s, c)
	require.Error(t, err, "%s", out)
}

func TestBouncyCastlesSignaturesAreVerified(t *testing.T) {
	for _, c := range []struct {
		algorithm, family string
		key               crypto.Signer
		hash              crypto.Hash
		scheme            cms.Scheme
	}{
		{"SHA3-256withRSA", "RSA", rsaKey(), crypto.SHA3_256, cms.PKCS1v15},
		{"SHA3-512withECDSA", "EC", ecKey(t, elliptic.P521()), crypto.SHA3_512, cms.ECDSA},
		{"Ed25519", "Ed25519", edKey(t), crypto.SHA512, cms.Ed25519},
		{"SHA384withRSAandMGF1", "RSA", rsaKey(), crypto.SHA384, cms.PSS},
	} {
		t.Run(c.algorithm, func(t *testing.T) {
			id, dir := issue(t, c.key), t.TempDir()
			key, err := x509.MarshalPKCS8PrivateKey(c.key)
			require.NoError(t, err)
			files := map[string][]byte{"k": key, "c": id.cert.Raw, "f": content}
			for name, b := range files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
			}
			out, err := castle(t, "Sign.java", c.algorithm, c.family, filepath.Join(dir, "k"), filepath.Join(dir, "c"), filepath.Join(dir, "f"), filepath.Join(dir, "s"))
			require.NoError(t, err, "%s", out)
			der, err := os.ReadFile(filepath.Join(dir, "s"))
			require.NoError(t, err)
			v, err := verify(t, der, content)
			require.NoError(t, err)
			require.Equal(t, c.hash, v.Algorithm.Hash)
			require.Equal(t, c.scheme, v.Algorithm.Scheme)
			_, err = verify(t, der, []byte("other"))
			require.Equal(t, cms.Digest, cms.KindOf(err))
		})
	}
}
