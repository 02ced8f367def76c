package dtmclient_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
)

// certified serves TLS with a certificate that is changed first, and is the root it hangs under.
func certified(t *testing.T, h http.Handler, change func(*x509.Certificate, *tls.Config)) (*httptest.Server, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Root"}, NotBefore: time.Now().Add(-time.Hour * 1000), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Server"}, NotBefore: time.Now().Add(-time.Hour * 500), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	conn := &tls.Config{MinVersion: tls.VersionTLS10}
	change(leaf, conn)
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	require.NoError(t, err)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, key)
	require.NoError(t, err)
	conn.Certificates = []tls.Certificate{{Certificate: [][]byte{leafDER}, PrivateKey: key}}
	s := httptest.NewUnstartedServer(h)
	s.TLS, s.Config.ErrorLog = conn, discard()
	s.StartTLS()
	t.Cleanup(s.Close)
	parsed, err := x509.ParseCertificate(rootDER)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return s, pool
}

func TestAConnectionThatCannotBeTrustedCarriesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*x509.Certificate, *tls.Config)
		trusted bool
		well    bool
	}{
		"good":              {func(*x509.Certificate, *tls.Config) {}, true, true},
		"unknown authority": {func(*x509.Certificate, *tls.Config) {}, false, false},
		"expired":           {func(l *x509.Certificate, _ *tls.Config) { l.NotAfter = time.Now().Add(-time.Minute) }, true, false},
		"not yet":           {func(l *x509.Certificate, _ *tls.Config) { l.NotBefore = time.Now().Add(30 * time.Minute) }, true, false},
		"another name": {func(l *x509.Certificate, _ *tls.Config) {
			l.IPAddresses, l.DNSNames = nil, []string{"dtm.example.test"}
		}, true, false},
		"for another purpose": {func(l *x509.Certificate, _ *tls.Config) {
			l.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, true, false},
		"TLS 1.1": {func(_ *x509.Certificate, c *tls.Config) { c.MaxVersion = tls.VersionTLS11 }, true, false},
		"TLS 1.2": {func(_ *x509.Certificate, c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			s, roots := certified(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n.Add(1)
				_, _ = io.WriteString(w, `{"SAD":"s"}`)
			}), c.change)
			if !c.trusted {
				roots = x509.NewCertPool()
			}
			cl := client(t, s.URL, func(cfg *dtmclient.Config) {
				cfg.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}}} // the client raises it
				cfg.Timeouts = dtmclient.Timeouts{}
			})
			_, err := cl.Authorize(t.Context(), authorization())
			if c.well {
				require.NoError(t, err)
				return
			}
			var e *dtmclient.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, dtmclient.Unreachable, e.Kind)
			require.False(t, e.MayHaveHappened())
			require.Zero(t, n.Load())
		})
	}
}

// The bound on an answer grows with the signatures asked for: ten thousand of RSA 4096 are 7 MB.
func TestTheAnswerToABatchMayBeAsLargeAsTheBatch(t *testing.T) {
	const n = 10000
	one := `"` + strings.Repeat("QUJD", 171) + `"`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{"signatures":[`+strings.Repeat(one+",", n-1)+one+`]}`)
	}))
	defer s.Close()
	cl := client(t, s.URL, func(c *dtmclient.Config) { c.Timeouts = dtmclient.Timeouts{} })
	hashes := make([][]byte, n)
	for i := range hashes {
		hashes[i] = digest()
	}
	values, err := cl.SignHash(t.Context(), toSign("s", hashes...))
	require.NoError(t, err)
	require.Len(t, values, n)
	_, err = cl.SignHash(t.Context(), toSign("s", hashes[:100]...))
	require.ErrorContains(t, err, "larger than 1024 KiB")
}

// Redirects lead nowhere, wherever they point: a token must not follow them.
func TestARedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", other.URL+r.URL.Path)
			w.WriteHeader(status)
		}))
		cl := client(t, s.URL)
		for name, call := range calls {
			var e *dtmclient.Error
			require.ErrorAs(t, call(t.Context(), cl), &e, fmt.Sprint(status, name))
			require.Equal(t, dtmclient.Unknown, e.Kind)
		}
		s.Close()
	}
	require.Zero(t, followed.Load())
}

func TestASecretShowsItselfNowhere(t *testing.T) {
	s := dtmclient.Secret("hush")
	text, err := s.MarshalText()
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%s %v %+v %#v %q %s", s, s, dtmclient.SAD{Value: s}, s, s, text), "hush")
	require.True(t, dtmclient.IsNoSeat(&dtmclient.Error{Kind: dtmclient.Invalid, Message: "No Seat of BASIC"}))
	require.False(t, dtmclient.IsNoSeat(&dtmclient.Error{Kind: dtmclient.Denied, Message: "no seat"}))
	require.ErrorIs(t, &dtmclient.Error{Kind: dtmclient.Unknown, Cause: io.EOF}, io.EOF)
}

func TestTheTokenEndpointIsFoundOrSaidToBeMissing(t *testing.T) {
	for oauth2, ok := range map[string]bool{"": false, "mailto:x": false, "https://user:pw@x.test/": false, "/oauth2": false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"specs":"1.0.4.0","oauth2":"`+oauth2+`"}`)
		}))
		cl := client(t, s.URL)
		_, err := cl.CodeURL(t.Context(), dtmclient.CodeRequest{State: "s", Verifier: "v"})
		require.Equal(t, ok, err == nil, oauth2)
		require.Error(t, cl.Revoke(t.Context(), "c", "s", "r"))
		s.Close()
	}
	// Over TLS the secret does not go to an address in the clear that info names.
	s, roots := certified(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"specs":"1.0.4.0","oauth2":"http://127.0.0.1:9/oauth2"}`)
	}), func(*x509.Certificate, *tls.Config) {})
	cl := client(t, s.URL, func(c *dtmclient.Config) {
		c.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
		c.CSC, c.Timeouts = dtmclient.ClientCredentials("c", "hush-hush"), dtmclient.Timeouts{}
	})
	_, err := cl.CredentialsList(t.Context(), "u")
	require.ErrorContains(t, err, "not https")

	// An address with a name of its own is used as it is, and tells nothing of the others.
	cl = client(t, "http://127.0.0.1:9", func(c *dtmclient.Config) { c.TokenURL = "https://login.example.test/connect" })
	_, err = cl.CodeURL(t.Context(), dtmclient.CodeRequest{State: "s", Verifier: "v"})
	require.ErrorContains(t, err, "tells nothing")
	for _, bad := range []func(*dtmclient.Config){func(c *dtmclient.Config) { c.TokenURL = "http://login.example.test/token" }, func(c *dtmclient.Config) { c.AccountURL = "x" }, func(c *dtmclient.Config) { c.CSCBaseURL = "ftp://x" }} {
		cfg := dtmclient.Config{BaseURL: "https://dtm.example.test/documentmanager", APIKey: "k"}
		bad(&cfg)
		_, err := dtmclient.New(cfg)
		require.Error(t, err)
	}
}
