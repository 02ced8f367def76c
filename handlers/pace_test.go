package handlers_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers"
	"countersign/handlers/handlerstest"
)

// drip is a body that comes in pieces, with a pause before each.
type drip struct {
	pieces [][]byte
	pause  time.Duration
	begun  bool // with the first piece
}

func (d *drip) Read(p []byte) (int, error) {
	if len(d.pieces) == 0 {
		return 0, io.EOF
	}
	if !d.begun {
		time.Sleep(d.pause)
	}
	n := copy(p, d.pieces[0])
	d.begun = n < len(d.pieces[0])
	if d.pieces[0] = d.pieces[0][n:]; !d.begun {
		d.pieces = d.pieces[1:]
	}
	return n, nil
}

func TestABodyThatOnlyDripsIsCutOff(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Pace = 200 * time.Millisecond }})
	ada := s.SignIn("ada")
	cookie := ada.SessionCookie()
	for name, c := range map[string][2]string{
		"upload":           {"PUT /documents?name=slow.pdf", "application/pdf"},
		"form":             {"POST /account", "application/x-www-form-urlencoded"},
		"file of a form":   {"POST /documents", "multipart/form-data; boundary=b"},
		"unread":           {"POST /ceremonies/none/code", "application/x-www-form-urlencoded"},
		"of nobody":        {"PUT /documents?name=slow.pdf", ""},
		"public page":      {"POST /verify", "multipart/form-data; boundary=b"},
		"logout token":     {"POST /auth/backchannel-logout", "application/x-www-form-urlencoded"},
		"unread, for long": {"POST /logout", "text/plain"},
	} {
		conn, err := tls.Dial("tcp", s.Server.Listener.Addr().String(), ada.Transport.(*http.Transport).TLSClientConfig)
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Type: %s\r\nContent-Length: 5000\r\n", c[0], s.Server.Listener.Addr(), s.URL, c[1])
		require.NoError(t, err)
		if name != "of nobody" && name != "unread, for long" {
			_, err = fmt.Fprintf(conn, "Cookie: %s=%s\r\n", cookie.Name, cookie.Value)
			require.NoError(t, err)
		}
		_, err = io.WriteString(conn, "\r\n%PDF-")
		require.NoError(t, err)
		begin, stop := time.Now(), make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					if _, err := conn.Write([]byte("x")); err != nil {
						return
					}
				}
			}
		}()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		_, err = io.Copy(io.Discard, conn) // ends when the site has closed
		close(stop)
		if err != nil {
			require.NotContains(t, err.Error(), "timeout", name)
		}
		require.Less(t, time.Since(begin), 4*time.Second, name)
		_ = conn.Close() // it is closed already
		require.Eventually(t, func() bool { return documents(t, s) == 0 && stored(t, s) == 0 }, 5*time.Second, 5*time.Millisecond, name)
	}
}

func TestALongUploadAtAPaceArrives(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Pace = 250 * time.Millisecond }})
	ada := s.SignIn("ada")
	pieces := [][]byte{handlerstest.PDF()}
	size := int64(len(pieces[0]))
	for range 8 {
		pieces = append(pieces, bytes.Repeat([]byte("\n"), 128<<10))
		size += 128 << 10
	}
	begin := time.Now()
	a, err := ada.Send(ways["PUT"](ada, "steady.pdf", &drip{pieces: pieces, pause: 80 * time.Millisecond}, size))
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.StatusCode, a.Body)
	require.Greater(t, time.Since(begin), 500*time.Millisecond)
}

func TestWorkAfterTheBodyMayTakeItsTime(t *testing.T) {
	w := newTown(t, handlerstest.Options{Handlers: func(c *handlers.Config) { c.Pace = 100 * time.Millisecond }})
	code := w.ada.Code(w.ceremony)
	w.Sim.Trouble(dtmsim.Fault{Path: "credentials/authorize", Delay: dtmsim.Duration(400 * time.Millisecond)})
	a := w.ada.Approve(w.ceremony, code)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	_, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, "released", string(signatures[0].State))
	w.Sim.Trouble(dtmsim.Fault{Path: "audit-log", Delay: dtmsim.Duration(300 * time.Millisecond)})
	require.Equal(t, http.StatusOK, w.dora.Get("/audit/dtm").StatusCode)
	w.Sim.Trouble(dtmsim.Fault{Path: "credentials/info", Delay: dtmsim.Duration(400 * time.Millisecond)})
	w.ada.Begin(w.fresh("slow service.pdf"), w.credential.ID)
	require.Equal(t, http.StatusSeeOther, w.ada.Do("POST", "/logout", strings.NewReader("")).StatusCode)
}
