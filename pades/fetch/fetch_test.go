package fetch_test

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/pades/fetch"
)

// TestMain names a proxy where nobody listens: who asks it fails. It is read only once.
func TestMain(m *testing.M) {
	_ = os.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	os.Exit(m.Run())
}

func anyone(netip.Addr) bool { return true }

// server counts who gets through to it.
func server(t *testing.T, h http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var reached atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s, &reached
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") }

func TestOnlyPublicAddressesArePublic(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
		"100.64.0.1", "100.127.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%lo", "fec0::1", "fc00::1", "fd12::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
		"64:ff9b:1::808:808", "2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2001::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1"} {
		require.False(t, fetch.Public(netip.MustParseAddr(a)), a)
	}
	require.False(t, fetch.Public(netip.Addr{}))
	for _, a := range []string{"8.8.8.8", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1", "2a00::1"} {
		require.True(t, fetch.Public(netip.MustParseAddr(a)), a)
	}
}

func TestNoNotationOfTheOwnMachineIsConnectedTo(t *testing.T) {
	s, reached := server(t, ok)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	c := &fetch.Client{Timeout: 3 * time.Second}
	for _, host := range []string{"127.0.0.1", "localhost", "LOCALHOST.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "0.0.0.0", "[::]", "[::1]", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1",
		"[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "127.0.0.1%00.example", "[fe80::1%25lo]", "①②⑦.⓪.⓪.①"} {
		_, err := c.Fetch(t.Context(), "http://"+host+":"+port+"/", "", nil)
		require.Error(t, err, host)
	}
	require.Zero(t, reached.Load())
	_, err = c.Fetch(t.Context(), s.URL, "", nil)
	require.ErrorIs(t, err, fetch.ErrForbidden)
	_, err = (&fetch.Client{Allow: anyone}).Fetch(t.Context(), s.URL, "", nil)
	require.NoError(t, err, "the server is there, so the refusals above meant something")
}

// names answers every question for an IPv4 address with the next of the given ones.
func names(t *testing.T, answers ...string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		for n, b := 0, make([]byte, 1500); ; {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			q := 12 // past the header; the name ends with an empty label, then type and class
			for q < size && b[q] != 0 {
				q += int(b[q]) + 1
			}
			r := append([]byte{b[0], b[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, b[12:q+5]...)
			if binary.BigEndian.Uint16(b[q+1:]) == 1 {
				ip := netip.MustParseAddr(answers[min(n, len(answers)-1)]).As4()
				n++
				r[7] = 1
				r = append(append(r, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4), ip[:]...)
			}
			_, _ = conn.WriteTo(r, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestANameThatResolvesToTheOwnMachineIsNotConnectedTo(t *testing.T) {
	s, reached := server(t, ok)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	url := "http://ocsp.example.org:" + port + "/"
	_, err := (&fetch.Client{Resolver: names(t, "127.0.0.1")}).Fetch(t.Context(), url, "", nil)
	require.ErrorIs(t, err, fetch.ErrForbidden)
	require.Zero(t, reached.Load())
	_, err = (&fetch.Client{Resolver: names(t, "127.0.0.1"), Allow: anyone}).Fetch(t.Context(), url, "", nil)
	require.NoError(t, err, "the name leads to the server, so the refusal above meant something")
}

// The name is allowed on the first connection and means another machine on the second.
func TestANameThatChangesItsAddressIsJudgedAgain(t *testing.T) {
	s, reached := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	first := netip.MustParseAddr("127.0.0.1")
	c := &fetch.Client{Resolver: names(t, "127.0.0.1", "127.0.0.2"), Allow: func(a netip.Addr) bool { return a == first }}
	_, err := c.Fetch(t.Context(), "http://ocsp.example.org:"+port+"/", "", nil)
	require.ErrorIs(t, err, fetch.ErrForbidden)
	require.EqualValues(t, 1, reached.Load())
}

func TestARedirectIsJudgedLikeAnAddress(t *testing.T) {
	inner, reached := server(t, ok)
	var to string
	var code int
	outer, rounds := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(code)
	})
	// Both run on this machine; the outer one is told apart by its address.
	_, port, _ := net.SplitHostPort(outer.Listener.Addr().String())
	c := &fetch.Client{Resolver: names(t, "127.0.0.1"), Timeout: 3 * time.Second}
	var asked atomic.Int32
	c.Allow = func(netip.Addr) bool { return asked.Add(1) == 1 }
	for _, to = range []string{inner.URL, "file:///etc/passwd", "ftp://example.org/", "gopher://127.0.0.1/", "http://user:pw@example.org/", "http://example.org:25/", "http:///x", "//127.0.0.1/", "http://[::1]/"} {
		for _, code = range []int{301, 302, 303, 307, 308} {
			asked.Store(0)
			_, err := c.Fetch(t.Context(), "http://ca.example.org:"+port+"/", "", nil)
			require.ErrorIs(t, err, fetch.ErrForbidden, to)
		}
	}
	require.Zero(t, reached.Load())
	c.Allow, to, code = anyone, inner.URL, http.StatusFound
	_, err := c.Fetch(t.Context(), outer.URL, "", nil)
	require.NoError(t, err)
	_, err = c.Fetch(t.Context(), outer.URL, "application/ocsp-request", []byte("q"))
	require.ErrorIs(t, err, fetch.ErrForbidden, "a POST would become a GET")
	to = outer.URL
	rounds.Store(0)
	_, err = c.Fetch(t.Context(), outer.URL, "", nil)
	require.ErrorIs(t, err, fetch.ErrForbidden, "round and round")
	require.EqualValues(t, 3, rounds.Load())
}

func TestOddAddressesAreRefusedBeforeAnythingIsSent(t *testing.T) {
	c := &fetch.Client{Allow: func(netip.Addr) bool { t.Error("connected"); return false }}
	for _, u := range []string{"", "x", "/x", "ldap://ca.example/cn=x", "file:///etc/passwd", "javascript:1", "http:", "http://", "http:example.org", "http://u@example.org/", "http://u:p@example.org/",
		"http://example.org:0/", "http://example.org:22/", "http://example.org:25/", "http://example.org:70000/", "http://example.org:-1/", "http://a b/", "http://example.org/\r\nX: y", "http://example.org/" + strings.Repeat("a", 3000)} {
		_, err := c.Fetch(t.Context(), u, "", nil)
		require.ErrorIs(t, err, fetch.ErrForbidden, "%.40s", u)
	}
}

func TestASlowAnswerEndsWithTheDeadline(t *testing.T) {
	drip, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	})
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	require.NoError(t, err)
	defer mute.Close()
	for _, u := range []string{drip.URL, "http://" + mute.Addr().String(), "https://" + mute.Addr().String()} {
		start := time.Now()
		_, err := (&fetch.Client{Allow: anyone, Timeout: 300 * time.Millisecond}).Fetch(t.Context(), u, "", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(start), 3*time.Second)
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	endless, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		for b := make([]byte, 1<<16); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	})
	announced, _ := server(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(1<<40))
		_, _ = io.WriteString(w, "x")
	})
	bomb, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		require.Empty(t, r.Header.Get("Accept-Encoding"))
		for i := range 4000 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("h", 100))
		}
	})
	c := &fetch.Client{Allow: anyone, MaxBytes: 1 << 20}
	_, err := c.Fetch(t.Context(), endless.URL, "", nil)
	require.ErrorIs(t, err, fetch.ErrTooLarge)
	_, err = c.Fetch(t.Context(), announced.URL, "", nil)
	require.ErrorIs(t, err, fetch.ErrTooLarge)
	_, err = c.Fetch(t.Context(), bomb.URL, "", nil)
	require.Error(t, err, "a header without end")
}

func TestAnAnswerMayBeAsLargeAsTheLimit(t *testing.T) {
	s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) })
	b, err := (&fetch.Client{Allow: anyone, MaxBytes: 1000}).Fetch(t.Context(), s.URL, "", nil)
	require.NoError(t, err)
	require.Len(t, b, 1000)
	_, err = (&fetch.Client{Allow: anyone, MaxBytes: 999}).Fetch(t.Context(), s.URL, "", nil)
	require.ErrorIs(t, err, fetch.ErrTooLarge)
}

func TestOtherStatusesAreErrors(t *testing.T) {
	for _, code := range []int{201, 204, 206, 304, 400, 401, 404, 500, 503} {
		s, _ := server(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		_, err := (&fetch.Client{Allow: anyone}).Fetch(t.Context(), s.URL, "", nil)
		var status *fetch.StatusError
		require.True(t, errors.As(err, &status), "%v", err)
		require.Equal(t, code, status.Code)
	}
}

func TestAPostArrivesWholeAfterARedirectAndWithoutAProxy(t *testing.T) {
	s, reached := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
			http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect)
			return
		}
		require.Empty(t, r.Cookies())
		require.Equal(t, "application/timestamp-query", r.Header.Get("Content-Type"))
		_, _ = io.Copy(w, r.Body)
	})
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	// A name, since no client asks a proxy for 127.0.0.1.
	c := &fetch.Client{Allow: anyone, Resolver: names(t, "127.0.0.1")}
	b, err := c.Fetch(t.Context(), "http://tsa.example.org:"+port, "application/timestamp-query", []byte("question"))
	require.NoError(t, err)
	require.Equal(t, "question", string(b))
	require.EqualValues(t, 2, reached.Load())
}

func TestHTTPSIsCheckedAgainstTheRoots(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(ok))
	defer s.Close()
	s.Config.ErrorLog = nil
	_, err := (&fetch.Client{Allow: anyone}).Fetch(t.Context(), s.URL, "", nil)
	require.Error(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	b, err := (&fetch.Client{Allow: anyone, Roots: roots}).Fetch(t.Context(), s.URL, "", nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(b))
	plain, _ := server(t, ok)
	down := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer down.Close()
	roots.AddCert(down.Certificate())
	_, err = (&fetch.Client{Allow: anyone, Roots: roots}).Fetch(t.Context(), down.URL, "", nil)
	require.ErrorIs(t, err, fetch.ErrForbidden)
}
