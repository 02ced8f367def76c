package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// SMTPSender hands letters to an SMTP server, one connection each: they are few.
type SMTPSender struct {
	host    string
	from    *netmail.Address
	domain  string
	options []gomail.Option
}

// SMTPOption changes a default of an SMTPSender.
type SMTPOption func(*SMTPSender)

// WithTLS sets certificates to trust and the name to expect.
func WithTLS(c *tls.Config) SMTPOption {
	return func(s *SMTPSender) { s.options = append(s.options, gomail.WithTLSConfig(c)) }
}

// SMTP reads an address of the form
//
//	smtp://user:password@host:587           STARTTLS demanded
//	smtps://user:password@host:465          TLS from the start
//	smtp://host:25?tls=opportunistic|none   STARTTLS if offered, or never
//
// A name and password never go over a connection without TLS. Errors do not repeat the
// address, which may hold a password.
func SMTP(address, from string, more ...SMTPOption) (*SMTPSender, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("mail: the server's address must look like smtp://user:password@host:587")
	}
	sender, err := parseFrom(from)
	if err != nil {
		return nil, err
	}
	s := &SMTPSender{host: u.Hostname(), from: sender, domain: domainOf(sender)}
	s.options = []gomail.Option{gomail.WithTimeout(sendWait), gomail.WithoutNoop(), gomail.WithHELO(helo(s.domain))}
	policy, err := tlsOptions(u)
	if err != nil {
		return nil, err
	}
	s.options = append(s.options, policy...)
	if u.User != nil {
		if u.Query().Get("tls") == "none" || u.Query().Get("tls") == "opportunistic" {
			return nil, errors.New("mail: a name and password need TLS")
		}
		password, _ := u.User.Password()
		s.options = append(s.options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	for _, o := range more {
		o(s)
	}
	if _, err := gomail.NewClient(s.host, s.options...); err != nil {
		return nil, fmt.Errorf("mail: set up the server: %w", err)
	}
	return s, nil
}

func tlsOptions(u *url.URL) ([]gomail.Option, error) {
	port := 587
	var options []gomail.Option
	switch policy := u.Query().Get("tls"); {
	case u.Scheme == "smtps":
		port, options = 465, []gomail.Option{gomail.WithSSL()}
	case policy == "" || policy == "mandatory":
		options = []gomail.Option{gomail.WithTLSPolicy(gomail.TLSMandatory)}
	case policy == "opportunistic":
		port, options = 25, []gomail.Option{gomail.WithTLSPolicy(gomail.TLSOpportunistic)}
	case policy == "none":
		port, options = 25, []gomail.Option{gomail.WithTLSPolicy(gomail.NoTLS)}
	default:
		return nil, errors.New("mail: tls must be mandatory, opportunistic or none")
	}
	if u.Port() != "" {
		n, err := strconv.Atoi(u.Port())
		if err != nil || n < 1 || n > 65535 {
			return nil, errors.New("mail: the server's port is not a port")
		}
		port = n
	}
	return append(options, gomail.WithPort(port)), nil
}

func parseFrom(from string) (*netmail.Address, error) {
	a, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("mail: the sender's address: %w", err)
	}
	return a, nil
}

func domainOf(a *netmail.Address) string { return a.Address[strings.LastIndexByte(a.Address, '@')+1:] }

func helo(domain string) string {
	if domain == "" {
		return "localhost"
	}
	return domain
}

// Send hands one letter over. A lasting refusal (5xx of this letter) is a *RefusedError.
func (s *SMTPSender) Send(ctx context.Context, l Letter) error {
	m, err := s.message(l)
	if err != nil {
		return &RefusedError{Reason: "address or text cannot be sent"}
	}
	c, err := gomail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("send mail: %w", err)
	}
	err = c.DialAndSendWithContext(ctx, m)
	if m.IsDelivered() {
		return nil // also when only the good-bye failed: a second try would be a second mail
	}
	return sendError(err)
}

func (s *SMTPSender) message(l Letter) (*gomail.Msg, error) {
	m := gomail.NewMsg()
	m.FromMailAddress(s.from)
	if err := m.To(l.To); err != nil {
		return nil, err
	}
	m.Subject(oneLine(l.Subject))
	m.SetMessageIDWithValue(l.MessageID(s.domain))
	m.SetDateWithValue(l.Date)
	// RFC 3834: nobody's holiday notice should answer.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	if l.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	}
	return m, nil
}

// sendError keeps addresses and the server's words out of the error.
func sendError(err error) error {
	if err == nil {
		return nil
	}
	var e *gomail.SendError
	if !errors.As(err, &e) {
		return fmt.Errorf("send mail: %w", err)
	}
	switch e.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPData, gomail.ErrSMTPDataClose, gomail.ErrSMTPMailFrom:
		if code := e.ErrorCode(); code >= 550 && code < 560 && !e.IsTemp() {
			return &RefusedError{Reason: fmt.Sprintf("server answered %d %s", code, e.EnhancedStatusCode())}
		}
	}
	return fmt.Errorf("send mail: %s (server answered %d)", e.Reason, e.ErrorCode())
}

// oneLine keeps a header in its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
