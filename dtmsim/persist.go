package dtmsim

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is what survives a restart, besides keys and the two journals.
type state struct {
	Offset        time.Duration   `json:"clock_offset"`
	Users         []*user         `json:"users"`
	Validations   []*validation   `json:"validations"`
	Credentials   []*credential   `json:"credentials"`
	Organizations []*organization `json:"organizations"`
	Seats         map[string]int  `json:"seats"`
	Mail          []Mail          `json:"mail"`
	Texts         []Text          `json:"texts"`
	Counter       int             `json:"counter"`
}

type user struct {
	ID          string    `json:"id"`
	UserName    string    `json:"user_name"`
	Email       string    `json:"email"`
	First       string    `json:"first_name"`
	Last        string    `json:"last_name"`
	Type        string    `json:"user_type"`
	Accounts    []string  `json:"accounts"`
	Roles       []string  `json:"roles"`
	Description string    `json:"description"`
	Phone       string    `json:"phone_number"`
	Locale      string    `json:"locale"`
	Terms       bool      `json:"is_tou_accepted"`
	Privacy     bool      `json:"is_pipl_accepted"`
	Status      string    `json:"status"`
	CreatedAt   time.Time `json:"created_at"`
	APIKey      string    `json:"api_key"`
	PIN         string    `json:"pin"`
	PINTries    int       `json:"pin_tries"`
	PINLocked   bool      `json:"pin_locked"`
	TOTP        []byte    `json:"totp"`
	TOTPUsed    int64     `json:"totp_used"` // last time step taken
}

func (u *user) name() string { return u.First + " " + u.Last }

type organization struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Country      string `json:"country"`
	Registration string `json:"registration_number"`
	Status       string `json:"status"`
}

// Mail is one message in the mailbox.
type Mail struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	Link    string    `json:"link,omitempty"`
	Label   string    `json:"label,omitempty"` // words of the link
	Code    string    `json:"code,omitempty"`  // one-time code
	Due     time.Time `json:"due,omitzero"`    // on its way until then
	PIN     string    `json:"pin,omitempty"`
}

// Text is one message on a phone.
type Text struct {
	ID         string    `json:"id"`
	At         time.Time `json:"at"`
	User       string    `json:"user"`
	Credential string    `json:"credential"`
	Text       string    `json:"text"`
	Code       string    `json:"code"`
	Due        time.Time `json:"due,omitzero"` // on its way until then
}

const (
	keepMail  = 2000
	keepTexts = 2000
)

// load takes up Options.Data, or starts afresh.
func (s *Sim) load() error {
	s.st = state{Seats: map[string]int{}}
	for k, n := range defaultSeats {
		s.st.Seats[k] = n
	}
	if s.opt.Data != "" {
		if err := os.MkdirAll(filepath.Join(s.opt.Data, "keys"), 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
		b, err := os.ReadFile(filepath.Join(s.opt.Data, "state.json"))
		if err == nil {
			err = json.Unmarshal(b, &s.st)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("take up state.json: %w", err)
		}
		if err := s.ledger.open(filepath.Join(s.opt.Data, "ledger.jsonl")); err != nil {
			return fmt.Errorf("take up the ledger: %w", err)
		}
		for i := range s.ledger.items {
			s.ledger.items[i].Number = i + 1 // a folder from before entries had numbers
		}
		if err := s.audit.open(filepath.Join(s.opt.Data, "audit.jsonl")); err != nil {
			return fmt.Errorf("take up the audit log: %w", err)
		}
	}
	if len(s.st.Organizations) == 0 {
		s.st.Organizations = []*organization{{ID: s.opt.OrgID, Name: "Example BV", Country: "NL", Registration: "12345678", Status: "ACTIVE"}}
	}
	if err := s.loadPKI(); err != nil {
		return err
	}
	for _, c := range s.st.Credentials {
		e, err := s.kept("credential-" + c.ID)
		if err != nil {
			return fmt.Errorf("take up credential %s: %w", c.Name, err)
		}
		c.key, c.cert = e.key, e.cert
	}
	return nil
}

// save writes the state when it has changed, if it is to be kept at all.
func (s *Sim) save() error {
	if !s.dirty || s.opt.Data == "" {
		s.dirty = false
		return nil
	}
	b, err := json.MarshalIndent(s.st, "", " ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(s.opt.Data, "state.json"), b); err != nil {
		return fmt.Errorf("keep the state: %w", err)
	}
	s.dirty = false
	return nil
}

// writeFile replaces a file whole: after a crash there is the old one or the new one.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(b)
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// journal is a list that only grows, on disk one JSON line each, synced before add returns.
type journal[T any] struct {
	items []T
	file  *os.File
}

func (j *journal[T]) open(path string) error {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole := int64(0)
	lines := bufio.NewReader(bytes.NewReader(b))
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // a half-written last line is what a crash leaves; it was never answered
			break
		}
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			return fmt.Errorf("line %d: %w", len(j.items)+1, err)
		}
		j.items = append(j.items, v)
		whole += int64(len(line))
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Truncate(whole); err != nil {
		f.Close()
		return err
	}
	if _, err := f.Seek(whole, 0); err != nil {
		f.Close()
		return err
	}
	j.file = f
	return nil
}

func (j *journal[T]) add(v T) error {
	j.items = append(j.items, v)
	if j.file == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := j.file.Write(append(b, '\n')); err != nil {
		return err
	}
	return j.file.Sync()
}

func (j *journal[T]) close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// credential is a key with its certificate, and what protects its use.
type credential struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Status     string    `json:"status"`
	User       string    `json:"user"`
	Org        string    `json:"org"`
	Validation string    `json:"validation"`
	Profile    string    `json:"profile"`
	CreatedAt  time.Time `json:"created_at"`
	IssueAt    time.Time `json:"issue_at"`
	Reason     string    `json:"reason"`
	RevokedAt  time.Time `json:"revoked_at"`
	OTP        otpState  `json:"otp"`

	key  crypto.Signer
	cert *x509.Certificate
}

type otpState struct {
	Code   string    `json:"code"`
	SentAt time.Time `json:"sent_at"`
	Tries  int       `json:"tries"`
	Locked time.Time `json:"locked"` // until
}

func (c *credential) keyLen() int {
	switch k := c.key.Public().(type) {
	case *rsa.PublicKey:
		return k.N.BitLen()
	case *ecdsa.PublicKey:
		return k.Params().BitSize
	}
	return 0
}
