package handlers_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers"
	"countersign/handlers/handlerstest"
	"countersign/pades"
	"countersign/pades/pdf/pdftest"
)

// behindProxies lets X-Forwarded-For count, so that a test can come from many addresses.
func behindProxies(c *handlers.Config) { c.Trusted = []string{"127.0.0.0/8"} }

// verifyFrom sends a file to the public page from an address.
func verifyFrom(t *testing.T, b *handlerstest.Browser, from string, file []byte) *handlerstest.Answer {
	t.Helper()
	body, kind := handlerstest.Form("file.pdf", file)
	a, err := b.Send(b.Request("POST", "/verify", body, "Content-Type", kind, "X-Forwarded-For", from))
	require.NoError(t, err)
	return a
}

// heapGrown is how much more heap there was, at most, while f ran.
func heapGrown(f func()) int64 {
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		for {
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapInuse)
			select {
			case <-stop:
				most <- peak
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	return int64(<-most) - int64(before.HeapInuse)
}

// spooled counts the files that the public page has left in the folder for temporary ones.
func spooled(t *testing.T) int {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "countersign-verify-*"))
	require.NoError(t, err)
	return len(left)
}

func TestThePublicPageTakesAHundredMegabytesToTheByte(t *testing.T) {
	const most = 100 << 20
	s := handlerstest.New(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.MaxVerify = most }})
	b := s.Browser()
	exact := pdftest.NewLarge(most - (pdftest.NewLarge(most).Size() - most))
	require.EqualValues(t, most, exact.Size())
	send := func(before string, more string, declared bool) (*handlerstest.Answer, error) {
		form, kind := handlerstest.Form("large.pdf", []byte("\x00"))
		head, tail, _ := bytes.Cut(form.Bytes(), []byte("\x00"))
		size := int64(len(before)+len(head)+len(tail)+len(more)) + exact.Size()
		r := b.Request("POST", "/verify", io.MultiReader(strings.NewReader(before), bytes.NewReader(head), io.NewSectionReader(exact, 0, exact.Size()),
			strings.NewReader(more), bytes.NewReader(tail)), "Content-Type", kind)
		if r.ContentLength = -1; declared {
			r.ContentLength = size
		}
		return b.Send(r)
	}
	for _, declared := range []bool{true, false} {
		grown := heapGrown(func() {
			a, err := send("", "", declared)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, a.StatusCode, a.Body)
			require.Contains(t, a.Body, "This file carries no signature")
		})
		require.Less(t, grown, int64(16<<20))
		if a, err := send("", "\n", declared); err == nil { // or the connection was closed first
			require.Equal(t, http.StatusRequestEntityTooLarge, a.StatusCode)
		}
		// What stands in the form before the file counts too: nobody is read for ever.
		junk := "--a-boundary-0123456789\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n" + strings.Repeat("x", 2<<20) + "\r\n"
		if a, err := send(junk, "", declared); err == nil {
			require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
		}
	}
	require.Zero(t, spooled(t))
}

// waiting is a verifier that waits to be let go on.
type waiting struct {
	goOn chan struct{}
	in   atomic.Int32
}

func (v *waiting) Verify(ctx context.Context, _ io.ReaderAt, _ int64) (pades.Result, error) {
	v.in.Add(1)
	defer v.in.Add(-1)
	select {
	case <-v.goOn:
		return pades.Result{Indication: pades.NoSignature, SHA256: make([]byte, 32)}, nil
	case <-ctx.Done():
		return pades.Result{}, ctx.Err()
	}
}

func TestTwoFilesAreVerifiedAtATime(t *testing.T) {
	v := &waiting{goOn: make(chan struct{})}
	s := handlerstest.New(t, handlerstest.Options{Handlers: func(c *handlers.Config) {
		behindProxies(c)
		c.Verify, c.VerifyWait = v, 300*time.Millisecond
	}})
	b := s.Browser()
	answers := make(chan int, 20)
	begin := func(from string) {
		go func() { answers <- verifyFrom(t, b, from, handlerstest.PDF()).StatusCode }()
	}
	begin("198.51.100.1")
	begin("198.51.100.2")
	require.Eventually(t, func() bool { return v.in.Load() == 2 }, 5*time.Second, time.Millisecond)
	third := verifyFrom(t, b, "198.51.100.3", handlerstest.PDF())
	require.Equal(t, http.StatusServiceUnavailable, third.StatusCode)
	require.Equal(t, "30", third.Header.Get("Retry-After"))
	require.Contains(t, third.Body, "Try again in half a minute")
	require.EqualValues(t, 2, v.in.Load())
	close(v.goOn)
	require.Equal(t, []int{200, 200}, []int{<-answers, <-answers})
	require.Equal(t, http.StatusOK, verifyFrom(t, b, "198.51.100.3", handlerstest.PDF()).StatusCode, "the place is free again")
	require.Zero(t, spooled(t))
}

// slowly begins a form at the public page and does not end it.
func slowly(t *testing.T, b *handlerstest.Browser, from string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", b.Site.Server.Listener.Addr().String(), b.Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	body, kind := handlerstest.Form("slow.pdf", handlerstest.PDF())
	_, err = fmt.Fprintf(conn, "POST /verify HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", from, kind, body.Len(),
		body.String()[:body.Len()/2])
	require.NoError(t, err)
	return conn
}

// answered is the status that a raw connection gets within a while, 0 for none.
func answered(t *testing.T, conn *tls.Conn, within time.Duration) int {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(within)))
	line := make([]byte, 12)
	if _, err := io.ReadFull(conn, line); err != nil {
		return 0
	}
	var status int
	_, err := fmt.Sscanf(string(line), "HTTP/1.1 %d", &status)
	require.NoError(t, err, "%q", line)
	return status
}

func TestWhoSendsSlowlyHoldsNobodyElsesCheck(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: behindProxies})
	b := s.Browser()
	for range 4 {
		conn := slowly(t, b, "198.51.100.1")
		require.Zero(t, answered(t, conn, 50*time.Millisecond), "it waits for the rest")
	}
	fifth := verifyFrom(t, b, "198.51.100.1", handlerstest.PDF())
	require.Equal(t, http.StatusTooManyRequests, fifth.StatusCode, "four files of one address at once")
	require.Equal(t, "60", fifth.Header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, verifyFrom(t, b, "198.51.100.2", handlerstest.PDF()).StatusCode)
	var last *tls.Conn
	for i := range 12 {
		last = slowly(t, b, fmt.Sprintf("203.0.113.%d", i/4))
		require.Zero(t, answered(t, last, 50*time.Millisecond))
	}
	full := verifyFrom(t, b, "198.51.100.2", handlerstest.PDF())
	require.Equal(t, http.StatusServiceUnavailable, full.StatusCode, "sixteen files at once, that is all")
	require.Equal(t, "30", full.Header.Get("Retry-After"))
	require.NoError(t, last.Close())
	require.Eventually(t, func() bool { return verifyFrom(t, b, "198.51.100.2", handlerstest.PDF()).StatusCode == http.StatusOK }, 5*time.Second, 100*time.Millisecond)
	require.Zero(t, spooled(t))
}

func TestAnAddressVerifiesTenFilesAMinute(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: behindProxies})
	b := s.Browser()
	ten := func(name string, from func(i int) string) {
		t.Helper()
		for i := range 10 {
			require.Equal(t, http.StatusOK, verifyFrom(t, b, from(i), handlerstest.PDF()).StatusCode, "%s %d", name, i)
		}
		a := verifyFrom(t, b, from(10), handlerstest.PDF())
		require.Equal(t, http.StatusTooManyRequests, a.StatusCode, name)
		require.NotEmpty(t, a.Header.Get("Retry-After"), name)
		require.Contains(t, a.Body, "Wait a minute")
	}
	ten("one address", func(int) string { return "198.51.100.1" })
	ten("another one", func(int) string { return "198.51.100.2" })
	ten("with made-up ones in front", func(i int) string { return fmt.Sprintf("203.0.113.%d, 198.51.100.3", i) })
	ten("one /64", func(i int) string { return fmt.Sprintf("2001:db8:1:2:%x::%x", i+1, i*i) })
	ten("the /64 beside it", func(i int) string { return fmt.Sprintf("2001:db8:1:3::%x", i) })
	ten("IPv4 written as IPv6", func(i int) string { return []string{"192.0.2.7", "::ffff:192.0.2.7"}[i%2] })
	require.Equal(t, http.StatusOK, b.Get("/verify", "X-Forwarded-For", "198.51.100.1").StatusCode, "the page itself can be read")

	stranger := handlerstest.New(t, handlerstest.Options{}) // nobody is listed: the header is a lie
	c := stranger.Browser()
	for i := range 10 {
		require.Equal(t, http.StatusOK, verifyFrom(t, c, fmt.Sprintf("203.0.113.%d", i), handlerstest.PDF()).StatusCode)
	}
	require.Equal(t, http.StatusTooManyRequests, verifyFrom(t, c, "203.0.113.200", handlerstest.PDF()).StatusCode)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			body, kind := handlerstest.Form("file.pdf", handlerstest.PDF())
			if a, err := c.Send(c.Request("POST", "/verify", body, "Content-Type", kind)); err == nil && a.StatusCode != http.StatusTooManyRequests {
				t.Errorf("%d", a.StatusCode)
			}
		})
	}
	all.Wait()
}
