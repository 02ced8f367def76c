package handlers_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers"
	"countersign/handlers/handlerstest"
)

// spoken sends bytes as they are over one connection, with the browser's cookie in place
// of COOKIE, and answers the statuses that came back until the site closed it.
func spoken(t *testing.T, b *handlerstest.Browser, text string) (statuses []int) {
	t.Helper()
	conn, err := tls.Dial("tcp", b.Site.Server.Listener.Addr().String(), b.Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	defer conn.Close()
	c := b.SessionCookie()
	common := fmt.Sprintf("Host: %s\r\nOrigin: %s\r\nCookie: %s=%s", b.Site.Server.Listener.Addr(), b.Site.URL, c.Name, c.Value)
	_, _ = io.WriteString(conn, strings.ReplaceAll(text, "COOKIE", common)) // the site may have closed before all was sent
	// Who closes at once is taken for gone; who never does waits for the site to do it.
	first := make([]byte, 4096)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(3*time.Second)))
	n, _ := conn.Read(first)
	_ = conn.CloseWrite()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	rest, _ := io.ReadAll(conn)
	all := append(first[:n], rest...)
	for line := range bytes.SplitSeq(all, []byte("HTTP/1.1 ")) {
		var status int
		if n, _ := fmt.Sscanf(string(line), "%d ", &status); n == 1 {
			statuses = append(statuses, status)
		}
	}
	return statuses
}

// U4: what is said about a body and what comes are two things.
func TestABodyThatIsNotWhatWasSaidIsRefused(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada := s.SignIn("ada")
	pdf := string(handlerstest.PDF())
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(pdf), pdf)
	put := "PUT /documents?name=a.pdf HTTP/1.1\r\nCOOKIE\r\n"
	hidden := "GET /account HTTP/1.1\r\nCOOKIE\r\n\r\n"
	for name, c := range map[string]struct {
		text string
		want []int // the first answer is one of these; nothing good follows
	}{
		"length, longer":           {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", put, len(pdf)+100, pdf), []int{0, 400, 422}},
		"length, shorter":          {fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", put, len(pdf)/2, pdf), []int{422}},
		"length, none":             {put + "Content-Length: 0\r\n\r\n" + pdf, []int{422}},
		"length, negative":         {put + "Content-Length: -5\r\n\r\n" + pdf, []int{400}},
		"length, twice, different": {fmt.Sprintf("%sContent-Length: %d\r\nContent-Length: 5\r\n\r\n%s", put, len(pdf), pdf), []int{400}},
		"length, two in one":       {fmt.Sprintf("%sContent-Length: %d, 5\r\n\r\n%s", put, len(pdf), pdf), []int{400}},
		"length, hexadecimal":      {put + "Content-Length: 0x10\r\n\r\n" + pdf, []int{400}},
		"length, with a plus":      {fmt.Sprintf("%sContent-Length: +%d\r\n\r\n%s", put, len(pdf), pdf), []int{400}},
		"length, beyond numbers":   {put + "Content-Length: 99999999999999999999\r\n\r\n" + pdf, []int{400}},
		"coding nobody knows":      {put + "Transfer-Encoding: xchunked\r\n\r\n" + chunk, []int{400, 501}},
		"coding, two":              {put + "Transfer-Encoding: chunked, identity\r\n\r\n" + chunk, []int{400, 501}},
		"coding, two lines":        {put + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunk, []int{400, 501}},
		"coding, a tab before":     {put + "Transfer-Encoding:\x0bchunked\r\n\r\n" + chunk, []int{400, 501}},
		"coding, a space in it":    {put + "Transfer-Encoding : chunked\r\n\r\n" + chunk, []int{400}},
		"chunk of a wrong size":    {put + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(pdf)-5, pdf), []int{400, 422}},
		"chunk of no size":         {put + "Transfer-Encoding: chunked\r\n\r\n-5\r\n" + pdf, []int{400, 422}},
		"chunk beyond numbers":     {put + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + pdf, []int{400, 422}},
		"no last chunk":            {put + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(pdf), pdf), []int{0, 400, 422}},
		"two boundaries":           {put2(pdf, "boundary=a; boundary=b", "a"), []int{422}},
		"a boundary never seen":    {put2(pdf, "boundary=b", "a"), []int{422}},
		"a boundary of 20 KB":      {put2(pdf, "boundary="+strings.Repeat("b", 20<<10), "b"), []int{422}},
		"a file around another":    {put2("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.pdf\"\r\n\r\n"+pdf, "boundary=b", "b"), []int{422}},
	} {
		before := s.Snapshot()
		got := spoken(t, ada, c.text)
		first := 0
		if len(got) > 0 {
			first = got[0]
		}
		if first != 499 { // on a machine that is busy: taken for somebody who left
			require.Contains(t, c.want, first, "%s: %v", name, got)
		}
		for _, status := range got {
			require.GreaterOrEqual(t, status, 400, "%s: %v", name, got)
		}
		require.Zero(t, documents(t, s), name)
		require.Zero(t, stored(t, s), name)
		if !strings.HasPrefix(name, "length, s") && first == 400 {
			require.Equal(t, before, s.Snapshot(), name)
		}
	}

	// Both at once: the coding counts (RFC 9112, 6.1), and nothing after it is a request.
	for name, text := range map[string]string{
		"length first":            fmt.Sprintf("%sContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%s%s", put, len(chunk)+len(hidden), chunk, hidden),
		"coding first":            fmt.Sprintf("%sTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n%s%s", put, chunk, hidden),
		"a form that is empty":    "POST /logout HTTP/1.1\r\nCOOKIE\r\nTransfer-Encoding: chunked\r\nContent-Length: 200\r\n\r\n0\r\n\r\n" + hidden,
		"to the page for anybody": "POST /verify HTTP/1.1\r\nCOOKIE\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
	} {
		ada = s.SignIn("ada") // one of them signs out
		got := spoken(t, ada, text)
		require.Len(t, got, 1, "%s: the hidden request was answered too: %v", name, got)
		require.NotContains(t, got, 500)
	}
	require.LessOrEqual(t, documents(t, s), 2)
}

// put2 is a form with one file, in which boundary and type agree or do not.
func put2(content, params, boundary string) string {
	body := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n" + content
	if params != "boundary=b" || boundary != "b" {
		body += "\r\n--" + boundary + "--\r\n"
	}
	return fmt.Sprintf("POST /documents HTTP/1.1\r\nCOOKIE\r\nContent-Type: multipart/form-data; %s\r\nContent-Length: %d\r\n\r\n%s", params, len(body), body)
}

func TestABrokenFormNeedsLittleMemory(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: behindProxies})
	ada := s.SignIn("ada")
	for name, body := range map[string]func() io.Reader{
		"100 000 parts": func() io.Reader {
			return repeated("--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n", 100_000)
		},
		"one header of 100 MB": func() io.Reader {
			return io.MultiReader(strings.NewReader("--b\r\nContent-Disposition: form-data; name=\""), repeated(strings.Repeat("a", 1000), 100_000))
		},
		"a million headers": func() io.Reader {
			return io.MultiReader(strings.NewReader("--b\r\n"), repeated("X-Header: a value of some length\r\n", 1_000_000))
		},
		"no boundary in 100 MB": func() io.Reader { return repeated(strings.Repeat("a", 999)+"\n", 100_000) },
		"a name of 100 MB": func() io.Reader {
			return io.MultiReader(strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\""), repeated(strings.Repeat("a", 1000), 100_000))
		},
	} {
		for i, path := range []string{"/documents", "/verify"} {
			grown := heapGrown(func() {
				a, err := ada.Send(ada.Request("POST", path, body(), "Content-Type", "multipart/form-data; boundary=b", "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", i)))
				if err == nil { // or closed before all was sent
					require.Contains(t, []int{http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge}, a.StatusCode, "%s at %s", name, path)
				}
			})
			t.Logf("%s at %s: %d KB more heap", name, path, grown>>10)
			require.Less(t, grown, int64(5<<20), "%s at %s", name, path)
		}
	}
	require.Zero(t, documents(t, s))
	require.Zero(t, spooled(t))
}

// repeated gives a text n times without holding it.
func repeated(text string, n int) io.Reader { return &repeater{text: text, left: n} }

type repeater struct {
	text string
	at   int
	left int
}

func (r *repeater) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if r.left == 0 {
			return n, io.EOF
		}
		k := copy(p[n:], r.text[r.at:])
		n += k
		if r.at += k; r.at == len(r.text) {
			r.at = 0
			r.left--
		}
	}
	return n, nil
}

// U5: a thousand who send a byte now and then are cut off, and nobody else waits for them.
func TestAThousandSlowSendersKeepNobodyWaiting(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Pace = 6 * time.Second }})
	ada, ben := s.SignIn("ada"), s.SignIn("ben")
	slowest := func() time.Duration { // p99 of 200
		var took []time.Duration
		for range 200 {
			begin := time.Now()
			require.Equal(t, http.StatusOK, ben.Get("/account").StatusCode)
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		return took[197]
	}
	alone := slowest()
	cookie := ada.SessionCookie()
	head := fmt.Sprintf(" HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nCookie: %s=%s\r\nContent-Length: 100000\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n%%PDF-1.7",
		s.Server.Listener.Addr(), s.URL, cookie.Name, cookie.Value)
	conns := make([]*tls.Conn, 1000)
	var dialing sync.WaitGroup
	for part := range 8 {
		dialing.Go(func() {
			for i := part; i < len(conns); i += 8 {
				conn, err := tls.Dial("tcp", s.Server.Listener.Addr().String(), ada.Transport.(*http.Transport).TLSClientConfig)
				if err != nil {
					t.Errorf("dial %d: %v", i, err)
					return
				}
				conns[i] = conn
				to := []string{"PUT /documents?name=slow.pdf", "POST /account", "POST /ceremonies/x/authorize", "POST /logout"}[i%4]
				_, _ = io.WriteString(conn, to+head)
			}
		})
	}
	dialing.Wait()
	require.False(t, t.Failed())
	stop := make(chan struct{})
	go func() {
		for {
			for _, c := range conns {
				_, _ = c.Write([]byte("x"))
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Second):
			}
		}
	}()
	// That they are answered is for a test; how much slower depends on what else the machine does.
	among := slowest()
	t.Logf("p99 %v alone, %v among a thousand slow senders", alone, among)
	require.Less(t, among, 10*alone+time.Second)
	for i, c := range conns {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(40*time.Second)))
		_, err := io.Copy(io.Discard, c)
		if err != nil {
			require.NotContains(t, err.Error(), "timeout", "sender %d was not cut off", i)
		}
		c.Close()
	}
	close(stop)
	require.Eventually(t, func() bool { return documents(t, s) == 0 && stored(t, s) == 0 }, 10*time.Second, 10*time.Millisecond)
}
