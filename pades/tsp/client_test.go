package tsp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/tsp"
)

// forger makes tokens of any content and certificate: OpenSSL signs a statement we write.
type forger struct {
	dir, key, cert string
	certificate    *x509.Certificate
	options        []string
}

func newForger(t testing.TB, usage, start, end string, options ...string) forger {
	t.Helper()
	f := forger{dir: t.TempDir(), options: options}
	f.key, f.cert = filepath.Join(f.dir, "k"), filepath.Join(f.dir, "c")
	conf := "[req]\ndistinguished_name=d\n[d]\n[ca]\ndefault_ca=x\n[x]\ndatabase=" + f.dir + "/index\nnew_certs_dir=" + f.dir + "\nrand_serial=1\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nkeyUsage=digitalSignature\n"
	if usage != "" {
		conf += "extendedKeyUsage=" + usage + "\n"
	}
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "conf"), []byte(conf), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "index"), nil, 0o600))
	openssl(t, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f.key, "-subj", "/CN=Forged clock", "-config", filepath.Join(f.dir, "conf"), "-out", filepath.Join(f.dir, "csr"))
	openssl(t, "ca", "-batch", "-selfsign", "-config", filepath.Join(f.dir, "conf"), "-keyfile", f.key, "-in", filepath.Join(f.dir, "csr"), "-startdate", start, "-enddate", end, "-notext", "-out", f.cert)
	openssl(t, "x509", "-in", f.cert, "-outform", "DER", "-out", filepath.Join(f.dir, "der"))
	raw, err := os.ReadFile(filepath.Join(f.dir, "der"))
	require.NoError(t, err)
	f.certificate, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	return f
}

func openssl(t testing.TB, args ...string) {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	require.NoError(t, err, "openssl %s: %s", args[0], out)
}

// statement is the TSTInfo of RFC 3161, 2.4.2, as encoding/asn1 writes it.
type statement struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint imprint
	Serial  *big.Int
	Time    time.Time `asn1:"generalized"`
	Nonce   *big.Int  `asn1:"optional"`
}

type imprint struct {
	Algorithm struct{ OID asn1.ObjectIdentifier }
	Digest    []byte
}

type request struct {
	Version int
	Imprint imprint
	Policy  asn1.ObjectIdentifier `asn1:"optional"`
	Nonce   *big.Int
	Certs   bool
}

func (f forger) token(t testing.TB, s statement) []byte {
	t.Helper()
	raw, err := asn1.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "i"), raw, 0o600))
	openssl(t, append([]string{"cms", "-sign", "-binary", "-nodetach", "-econtent_type", "1.2.840.113549.1.9.16.1.4", "-in", filepath.Join(f.dir, "i"),
		"-signer", f.cert, "-inkey", f.key, "-outform", "DER", "-out", filepath.Join(f.dir, "t")}, f.options...)...)
	raw, err = os.ReadFile(filepath.Join(f.dir, "t"))
	require.NoError(t, err)
	return raw
}

// post answers with what change makes of a good statement.
func (f forger) post(t testing.TB, change func(*statement)) tsp.Poster {
	return func(_ context.Context, body []byte) ([]byte, error) {
		var q request
		_, err := asn1.Unmarshal(body, &q)
		require.NoError(t, err)
		s := statement{Version: 1, Policy: asn1.ObjectIdentifier{1, 2, 3, 4}, Imprint: q.Imprint, Serial: big.NewInt(1), Time: time.Now().UTC(), Nonce: q.Nonce}
		if q.Policy != nil {
			s.Policy = q.Policy
		}
		if change != nil {
			change(&s)
		}
		return granted(f.token(t, s)), nil
	}
}

func granted(token []byte) []byte {
	b, err := asn1.Marshal(struct {
		Info  struct{ Status int }
		Token asn1.RawValue
	}{Token: asn1.RawValue{FullBytes: token}})
	if err != nil {
		panic(err)
	}
	return b
}

func question() tsp.Question { return tsp.Question{Digest: sum("value"), Hash: crypto.SHA256} }

const past, future = "20200101000000Z", "20990101000000Z"

func TestHostileAnswersAreRefused(t *testing.T) {
	good := newForger(t, "critical,timeStamping", past, future, "-cades", "-md", "sha256")
	loose := newForger(t, "timeStamping", past, future, "-cades", "-md", "sha256")
	double := newForger(t, "critical,timeStamping,emailProtection", past, future, "-cades", "-md", "sha256")
	other := newForger(t, "critical,emailProtection", past, future, "-cades", "-md", "sha256")
	none := newForger(t, "", past, future, "-cades", "-md", "sha256")
	ended := newForger(t, "critical,timeStamping", past, "20210101000000Z", "-cades", "-md", "sha256")
	later := newForger(t, "critical,timeStamping", "20980101000000Z", future, "-cades", "-md", "sha256")
	bare := good
	bare.options = []string{"-cades", "-md", "sha256", "-nocerts"}
	unbound := good
	unbound.options = []string{"-md", "sha256"}
	old := good
	old.options = []string{"-cades", "-md", "sha1"}
	reply, err := good.post(t, nil)(t.Context(), mustRequest(t))
	require.NoError(t, err)
	raw := func(b []byte) tsp.Poster {
		return func(context.Context, []byte) ([]byte, error) { return b, nil }
	}
	for name, post := range map[string]tsp.Poster{
		"nothing": raw(nil), "a page": raw([]byte("<html>")), "huge": raw(make([]byte, tsp.MaxResponse+1)), "truncated": raw(reply[:len(reply)/2]), "more after": raw(append(slices.Clone(reply), 0)),
		"an error": func(context.Context, []byte) ([]byte, error) { return nil, io.ErrUnexpectedEOF },
		"replayed": raw(reply), "granted without a token": raw([]byte{0x30, 5, 0x30, 3, 2, 1, 0}), "no signed data": raw(granted([]byte{0x30, 0})),
		"another imprint":     good.post(t, func(s *statement) { s.Imprint.Digest = sum("other") }),
		"another hash":        good.post(t, func(s *statement) { s.Imprint.Algorithm.OID = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 8} }),
		"a short imprint":     good.post(t, func(s *statement) { s.Imprint.Digest = s.Imprint.Digest[:20] }),
		"another nonce":       good.post(t, func(s *statement) { s.Nonce = big.NewInt(5) }),
		"no nonce":            good.post(t, func(s *statement) { s.Nonce = nil }),
		"another version":     good.post(t, func(s *statement) { s.Version = 2 }),
		"another policy":      good.post(t, func(s *statement) { s.Policy = asn1.ObjectIdentifier{1, 2, 3, 5} }),
		"tomorrow":            good.post(t, func(s *statement) { s.Time = time.Now().UTC().Add(24 * time.Hour) }),
		"yesterday":           good.post(t, func(s *statement) { s.Time = time.Now().UTC().Add(-24 * time.Hour) }),
		"ended certificate":   ended.post(t, nil),
		"certificate to come": later.post(t, nil),
		"no certificate":      bare.post(t, nil),
		"certificate unbound": unbound.post(t, nil),
		"SHA-1":               old.post(t, nil),
		"usage not critical":  loose.post(t, nil),
		"two usages":          double.post(t, nil),
		"another usage":       other.post(t, nil),
		"no extended usage":   none.post(t, nil),
		"a bit of the token": func(ctx context.Context, q []byte) ([]byte, error) {
			b, err := good.post(t, nil)(ctx, q)
			b[len(b)-9] ^= 1
			return b, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			token, tried, err := tsp.First(t.Context(), []tsp.Service{{Name: "bad", Post: post, Policy: asn1.ObjectIdentifier{1, 2, 3, 4}},
				{Name: "good", Post: good.post(t, nil)}}, question())
			require.NoError(t, err)
			require.Len(t, tried, 2)
			require.Error(t, tried[0].Err)
			require.NoError(t, tried[1].Err)
			require.True(t, token.Certificate.Equal(good.certificate))
			_, tried, err = tsp.First(t.Context(), []tsp.Service{{Name: "bad", Post: post, Policy: asn1.ObjectIdentifier{1, 2, 3, 4}}}, question())
			var f *tsp.Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, tried, f.Attempts)
			require.Contains(t, err.Error(), "bad: ")
		})
	}
}

func mustRequest(t *testing.T) []byte {
	t.Helper()
	b, err := tsp.Request(sum("value"), crypto.SHA256, big.NewInt(99), nil, true)
	require.NoError(t, err)
	return b
}

func TestOpenSSLAcceptsTheTokensWeAccept(t *testing.T) {
	for name, options := range map[string][]string{
		"PKCS 1":     {"-cades", "-md", "sha256"},
		"SHA-512":    {"-cades", "-md", "sha512"},
		"PSS":        {"-cades", "-md", "sha256", "-keyopt", "rsa_padding_mode:pss"},
		"PSS, odd":   {"-cades", "-md", "sha384", "-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:20", "-keyopt", "rsa_mgf1_md:sha1"},
		"by key id":  {"-cades", "-md", "sha256", "-keyid"},
		"ESS, first": nil,
	} {
		t.Run(name, func(t *testing.T) {
			f := newForger(t, "critical,timeStamping", past, future, options...)
			post := f.post(t, nil)
			if options == nil { // OpenSSL's own service with the old attribute
				c := newClock(t, usage(true, 8))
				conf, err := os.ReadFile(c.conf)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(c.conf, []byte(string(conf[:len(conf)-len("sha256\n")])+"sha1\n"), 0o600))
				post, f.cert = c.post(t), c.cert
			}
			token, err := tsp.Fetch(t.Context(), post, sum("value"), crypto.SHA256, nil)
			require.NoError(t, err)
			p, d := filepath.Join(f.dir, "token"), filepath.Join(f.dir, "data")
			require.NoError(t, os.WriteFile(p, token.Raw, 0o600))
			require.NoError(t, os.WriteFile(d, []byte("value"), 0o600))
			if strings.HasPrefix(name, "PSS") || name == "by key id" { // its part for timestamps knows neither, its part for CMS does
				openssl(t, "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", p, "-CAfile", f.cert, "-purpose", "timestampsign", "-out", d)
				return
			}
			openssl(t, "ts", "-verify", "-token_in", "-in", p, "-data", d, "-CAfile", f.cert)
		})
	}
}

func TestTheNextServiceIsAskedAndEachHasItsDeadline(t *testing.T) {
	good := newForger(t, "critical,timeStamping", past, future, "-cades", "-md", "sha256")
	stopped := errors.New("not on our list")
	deaf := func(context.Context, []byte) ([]byte, error) { select {} } // heeds no context either
	refusing := func(context.Context, []byte) ([]byte, error) { return []byte{0x30, 5, 0x30, 3, 2, 1, 2}, nil }
	asked := 0
	q := question()
	q.Check = func(*tsp.Token) error {
		if asked++; asked == 1 {
			return stopped
		}
		return nil
	}
	start := time.Now()
	token, tried, err := tsp.First(t.Context(), []tsp.Service{{Name: "deaf", Post: deaf, Timeout: 50 * time.Millisecond}, {Name: "refusing", Post: refusing},
		{Name: "unknown", Post: good.post(t, nil)}, {Name: "good", Post: good.post(t, nil)}, {Name: "never asked"}}, q)
	require.NoError(t, err)
	require.NotNil(t, token)
	require.Less(t, time.Since(start), 5*time.Second)
	require.Len(t, tried, 4)
	require.ErrorIs(t, tried[0].Err, context.DeadlineExceeded)
	var r *tsp.Rejection
	require.ErrorAs(t, tried[1].Err, &r)
	require.ErrorIs(t, tried[2].Err, stopped)
	require.Equal(t, tsp.Attempt{Service: "good"}, tried[3])

	_, tried, err = tsp.First(t.Context(), nil, q)
	require.Error(t, err)
	require.Empty(t, tried)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, tried, err = tsp.First(ended, []tsp.Service{{Name: "a", Post: deaf}, {Name: "b", Post: deaf}}, q)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, tried, 1, "who has left waits for nobody")
}

func TestRequestsTravelAsTheStandardSays(t *testing.T) {
	c := newClock(t, usage(true, 8))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, "POST", r.Method)
		require.Equal(t, "application/timestamp-query", r.Header.Get("Content-Type"))
		body, _ := io.ReadAll(r.Body)
		reply, err := c.post(t)(r.Context(), body)
		require.NoError(t, err)
		w.Header().Set("Content-Type", "application/timestamp-reply")
		_, _ = w.Write(reply)
	}))
	defer s.Close()
	post := tsp.HTTP(func(ctx context.Context, url, contentType string, body []byte) ([]byte, error) {
		resp, err := http.Post(url, contentType, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		return io.ReadAll(resp.Body)
	}, s.URL)
	token, _, err := tsp.First(t.Context(), []tsp.Service{{Name: "s", Post: post, Policy: asn1.ObjectIdentifier{1, 2, 3, 4}}}, question())
	require.NoError(t, err)
	require.Equal(t, "1.2.3.4", token.Policy.String())
}
