package mail

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	netmail "net/mail"
	"net/url"
	"strings"
)

// MailboxSender posts letters to a simulator's mailbox over HTTP, so that the demo shows
// the portal's mails without an SMTP server.
type MailboxSender struct {
	address string
	from    *netmail.Address
	client  *http.Client
}

// Mailbox takes the simulator's base address; letters go to /sim/v1/mail below it.
func Mailbox(base, from string) (*MailboxSender, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("mail: the mailbox must be an http(s) address")
	}
	sender, err := parseFrom(from)
	if err != nil {
		return nil, err
	}
	return &MailboxSender{
		address: strings.TrimSuffix(base, "/") + "/sim/v1/mail", from: sender,
		client: &http.Client{Timeout: sendWait, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Send posts one letter.
func (s *MailboxSender) Send(ctx context.Context, l Letter) error {
	if _, err := netmail.ParseAddress(l.To); err != nil {
		return &RefusedError{Reason: "address cannot be sent to"}
	}
	body, err := json.Marshal(map[string]string{
		"id": l.MessageID(domainOf(s.from)), "from": s.from.String(), "to": l.To, "subject": oneLine(l.Subject), "text": l.Text, "html": l.HTML,
	})
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("send mail: the mailbox answered %d", resp.StatusCode)
	}
	return nil
}
