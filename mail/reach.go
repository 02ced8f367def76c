package mail

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Reach connects, says hello, begins TLS and signs in as Send would, and sends nothing.
func (s *SMTPSender) Reach(ctx context.Context) error {
	wait := sendWait
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, max(time.Until(end), time.Millisecond))
	}
	c, err := gomail.NewClient(s.host, append(s.options[:len(s.options):len(s.options)], gomail.WithTimeout(wait))...)
	if err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	if err := c.DialWithContext(ctx); err != nil {
		return fmt.Errorf("reach the mail server: %w", err)
	}
	_ = c.Close() // the good-bye does not matter
	return nil
}

// Reach asks whether anything answers at the mailbox's address.
func (s *MailboxSender) Reach(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address, nil)
	if err != nil {
		return fmt.Errorf("reach the mailbox: %w", err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("reach the mailbox: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("reach the mailbox: it answered %d", resp.StatusCode)
	}
	return nil
}
