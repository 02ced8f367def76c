package mail_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/mail"
)

// sink is an SMTP server that keeps what it takes.
type sink struct {
	mu      sync.Mutex
	taken   []string
	answer  func(to string) error // at RCPT
	after   func() error          // after DATA
	address string
	tls     *tls.Config
}

func newSink(t *testing.T, withTLS bool) *sink {
	t.Helper()
	k := &sink{}
	server := smtp.NewServer(k)
	server.Domain = "sink.example"
	if withTLS {
		ts := httptest.NewTLSServer(nil) // for its certificate only
		t.Cleanup(ts.Close)
		server.TLSConfig = &tls.Config{Certificates: ts.TLS.Certificates}
		k.tls = ts.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		k.tls.ServerName = "example.com" // httptest's certificate
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	k.address = l.Addr().String()
	return k
}

func (k *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{k}, nil }

type sinkSession struct{ k *sink }

func (s *sinkSession) Mail(string, *smtp.MailOptions) error { return nil }
func (s *sinkSession) Reset()                               {}
func (s *sinkSession) Logout() error                        { return nil }
func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	if s.k.answer != nil {
		return s.k.answer(to)
	}
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	s.k.taken = append(s.k.taken, string(b))
	if s.k.after != nil {
		return s.k.after()
	}
	return nil
}

func (k *sink) mails() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.taken...)
}

func (k *sink) set(answer func(string) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = answer
}

func write(t *testing.T, d *db.DB, messages ...mail.Message) {
	t.Helper()
	require.NoError(t, d.InTx(context.Background(), func(tx *sqlx.Tx) error { return d.AddMail(context.Background(), tx, messages...) }))
}

type clock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift += d
}

func deliver(t *testing.T, d *mail.Delivery) int {
	t.Helper()
	n, err := d.Deliver(context.Background())
	require.NoError(t, err)
	return n
}

func plainSender(t *testing.T, k *sink) *mail.SMTPSender {
	t.Helper()
	s, err := mail.SMTP("smtp://"+k.address+"?tls=none", "Countersign <portal@example.test>")
	require.NoError(t, err)
	return s
}

func TestMailArrivesOnceWithTextAndHTML(t *testing.T) {
	d, k := dbtest.New(t), newSink(t, false)
	write(t, d, mail.Message{ID: "m1", To: "ada@example.test", Subject: "Your identity check: approved é", About: "validation.approved:1",
		Text: "Hello Ada,\n\nyour check is <approved>.\nGo on at https://portal.example/credentials?a=1&b=2.\n"})
	write(t, d, mail.Message{To: "ada@example.test", Subject: "again", About: "validation.approved:1", Text: "x"})
	delivery := mail.NewDelivery(d.Outbox(), plainSender(t, k), nil)
	require.Equal(t, 1, deliver(t, delivery))
	require.Zero(t, deliver(t, delivery))
	require.Len(t, k.mails(), 1)

	m, err := netmail.ReadMessage(strings.NewReader(k.mails()[0]))
	require.NoError(t, err)
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	require.NoError(t, err)
	require.Equal(t, "Your identity check: approved é", subject)
	require.Equal(t, "<"+mail.Letter{ID: "m1"}.MessageID("example.test")+">", m.Header.Get("Message-Id"))
	require.Equal(t, "auto-generated", m.Header.Get("Auto-Submitted"))
	require.Contains(t, m.Header.Get("From"), "portal@example.test")
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"your check is <approved>.", `<a href="https://portal.example/credentials?a=1&amp;b=2">`} {
		p, err := parts.NextPart()
		require.NoError(t, err)
		body, err := io.ReadAll(p)
		require.NoError(t, err)
		require.Contains(t, string(body), want)
	}
}

func TestMessageFromOutsideCannotAddHeaders(t *testing.T) {
	d, k := dbtest.New(t), newSink(t, false)
	write(t, d, mail.Message{To: "ada@example.test", Subject: "Hello\r\nBcc: evil@example.test", Text: "x"},
		mail.Message{ID: "bad", To: "ada@example.test\r\nBcc: evil@example.test", Subject: "x", Text: "x"})
	require.Equal(t, 1, deliver(t, mail.NewDelivery(d.Outbox(), plainSender(t, k), nil)))
	m, err := netmail.ReadMessage(strings.NewReader(k.mails()[0]))
	require.NoError(t, err)
	require.Empty(t, m.Header.Get("Bcc"))
	_, _, dead, err := d.Outbox().Counts(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1, dead)
}

func TestTroubleDelaysAndGrows(t *testing.T) {
	d, k, c := dbtest.New(t), newSink(t, false), &clock{}
	write(t, d, mail.Message{ID: "m1", To: "ada@example.test", Subject: "s", Text: "x"}, mail.Message{ID: "m2", To: "ben@example.test", Subject: "s", Text: "x"})
	k.set(func(to string) error {
		if to == "ada@example.test" {
			return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "ada@example.test is busy"}
		}
		return nil
	})
	var log strings.Builder
	delivery := mail.NewDelivery(d.Outbox(), plainSender(t, k), slog.New(slog.NewTextHandler(&log, nil)))
	delivery.Now = c.Now
	require.Equal(t, 1, deliver(t, delivery), "the other one goes out")
	require.NotContains(t, log.String(), "ada@", "no address in the log")
	require.NotContains(t, log.String(), "busy")
	waiting, troubled, dead, err := d.Outbox().Counts(context.Background())
	require.NoError(t, err)
	require.Equal(t, []int{1, 1, 0}, []int{waiting, troubled, dead})

	var waits []time.Duration
	for range 6 { // find when it is tried again
		before := triesOf(t, d, "m1")
		wait := time.Duration(0)
		for triesOf(t, d, "m1") == before {
			c.move(30 * time.Second)
			wait += 30 * time.Second
			deliver(t, delivery)
		}
		waits = append(waits, wait)
	}
	require.IsIncreasing(t, waits)
	k.set(nil)
	c.move(6 * time.Hour)
	require.Equal(t, 1, deliver(t, delivery))
	require.Len(t, k.mails(), 2)
}

func triesOf(t *testing.T, d *db.DB, id string) (n int) {
	t.Helper()
	require.NoError(t, d.Read.Get(&n, d.Read.Rebind("SELECT tries FROM outbox WHERE id = ?"), id))
	return n
}

func TestRefusedAndHopelessMailIsGivenUp(t *testing.T) {
	d, k, c := dbtest.New(t), newSink(t, false), &clock{}
	k.set(func(to string) error {
		if to == "gone@example.test" {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
		}
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"}
	})
	write(t, d, mail.Message{To: "gone@example.test", Subject: "s", Text: "x"}, mail.Message{ID: "m2", To: "ben@example.test", Subject: "s", Text: "x"})
	delivery := mail.NewDelivery(d.Outbox(), plainSender(t, k), nil)
	delivery.Now = c.Now
	deliver(t, delivery)
	waiting, _, dead, err := d.Outbox().Counts(context.Background())
	require.NoError(t, err)
	require.Equal(t, []int{1, 1}, []int{waiting, dead})
	for range 20 {
		c.move(6*time.Hour + time.Second)
		deliver(t, delivery)
	}
	require.Equal(t, 12, triesOf(t, d, "m2"))
	_, _, dead, err = d.Outbox().Counts(context.Background())
	require.NoError(t, err)
	require.Equal(t, 2, dead)

	c.move(31 * 24 * time.Hour)
	n, err := delivery.Forget(context.Background())
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for _, m := range dbtest.Mails(t, d) {
		require.Empty(t, m.To+m.Subject+m.Text)
		require.NotEmpty(t, m.About)
	}
}

func TestTwoProcessesSendEachMailOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		k := newSink(t, false)
		const all = 60
		var messages []mail.Message
		for i := range all {
			messages = append(messages, mail.Message{To: fmt.Sprintf("p%d@example.test", i), Subject: "s", Text: "x"})
		}
		write(t, d, messages...)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				_, err := mail.NewDelivery(d.Outbox(), plainSender(t, k), nil).Deliver(context.Background())
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		seen := map[string]int{}
		for _, raw := range k.mails() {
			m, err := netmail.ReadMessage(strings.NewReader(raw))
			require.NoError(t, err)
			seen[m.Header.Get("Message-Id")]++
		}
		require.Len(t, seen, all)
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	})
}

func TestMailHeldByADeadProcessIsTakenOverAndTheDeadCannotMark(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, box := context.Background(), d.Outbox()
		write(t, d, mail.Message{ID: "m1", To: "ada@example.test", Subject: "s", Text: "x"})
		now := time.Now().Add(time.Second)
		dead, err := box.Claim(ctx, now, now.Add(time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, dead, 1)
		none, err := box.Claim(ctx, now.Add(59*time.Second), now.Add(2*time.Minute), 10)
		require.NoError(t, err)
		require.Empty(t, none)
		heir, err := box.Claim(ctx, now.Add(61*time.Second), now.Add(3*time.Minute), 10)
		require.NoError(t, err)
		require.Len(t, heir, 1)
		require.Equal(t, 2, heir[0].Tries)
		require.ErrorIs(t, box.Sent(ctx, dead[0], now), mail.ErrLost)
		require.ErrorIs(t, box.Later(ctx, dead[0], now, "x"), mail.ErrLost)
		require.NoError(t, box.Sent(ctx, heir[0], now))
		require.ErrorIs(t, box.GiveUp(ctx, heir[0], now, "x"), mail.ErrLost, "what was sent stays sent")
	})
}

func TestTLSIsDemandedUnlessSaidOtherwise(t *testing.T) {
	plain, secure := newSink(t, false), newSink(t, true)
	letter := mail.Letter{ID: "1", To: "ada@example.test", Subject: "s", Text: "x", Date: time.Now()}
	s, err := mail.SMTP("smtp://"+plain.address, "portal@example.test")
	require.NoError(t, err)
	require.Error(t, s.Send(context.Background(), letter), "a server without STARTTLS")
	require.Empty(t, plain.mails())
	s, err = mail.SMTP("smtp://"+secure.address, "portal@example.test", mail.WithTLS(secure.tls))
	require.NoError(t, err)
	require.NoError(t, s.Send(context.Background(), letter))
	require.Len(t, secure.mails(), 1)
	s, err = mail.SMTP("smtp://"+secure.address, "portal@example.test")
	require.NoError(t, err)
	require.Error(t, s.Send(context.Background(), letter), "a certificate nobody vouches for")

	for _, bad := range []string{"", "host:25", "http://host", "smtp://", "smtp://host:x", "smtp://host/path", "smtp://host?tls=maybe", "smtp://user:canary@host?tls=none"} {
		_, err := mail.SMTP(bad, "portal@example.test")
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "canary")
	}
	_, err = mail.SMTP("smtp://host", "not an address")
	require.Error(t, err)
}

func TestDemoMailboxGetsTheLetter(t *testing.T) {
	var got map[string]string
	status := http.StatusCreated
	box := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/sim/v1/mail" || json.NewDecoder(r.Body).Decode(&got) != nil {
			status = http.StatusBadRequest
		}
		w.WriteHeader(status)
	}))
	defer box.Close()
	s, err := mail.Mailbox(box.URL+"/", "Countersign <portal@example.test>")
	require.NoError(t, err)
	require.NoError(t, s.Send(context.Background(), mail.Letter{ID: "1", To: "ada@example.test", Subject: "s", Text: "x", HTML: mail.HTML("", "x")}))
	require.Equal(t, "ada@example.test", got["to"])
	require.Equal(t, "x", got["text"])
	require.Contains(t, got["html"], "<p>x</p>")
	status = http.StatusInternalServerError
	err = s.Send(context.Background(), mail.Letter{ID: "1", To: "ada@example.test"})
	require.Error(t, err)
	var refused *mail.RefusedError
	require.False(t, errors.As(err, &refused), "it may work later")
}

func TestHTMLEscapesAndLinks(t *testing.T) {
	got := mail.HTML("de", "a <b>\nc\n\n(see https://x.example/?q=\"1)\r\n\r\njavascript:alert(1)")
	require.Contains(t, got, "<p>a &lt;b&gt;<br>\nc</p>")
	require.Contains(t, got, `(see <a href="https://x.example/?q=">https://x.example/?q=</a>&#34;1)`)
	require.Contains(t, got, "<p>javascript:alert(1)</p>")
	require.Equal(t, 1, strings.Count(got, "<a "))
	require.Contains(t, got, `<html lang="de">`)
	require.Contains(t, mail.HTML("", "x"), `<html lang="en">`)
}
