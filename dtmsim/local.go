package dtmsim

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Signer is a person with a credential, made without the detour over the API.
type Signer struct {
	UserID     string
	UserName   string
	Email      string
	Phone      string
	PIN        string
	Credential string // name, nickname and CSC credentialID
}

// AddSigner makes a user with an active credential of a certificate profile, as if
// proofing, approval and issuing had all happened.
func (s *Sim) AddSigner(first, last, profileID, nickname string) (Signer, error) {
	p := profileOf(profileID)
	if p.ID == "" {
		return Signer{}, fmt.Errorf("no certificate profile %q", profileID)
	}
	key, err := s.newKey(p.Key)
	if err != nil {
		return Signer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkNickname(nickname); err != nil {
		return Signer{}, err
	}
	if s.credential(nickname) != nil {
		return Signer{}, fmt.Errorf("a credential %q exists", nickname)
	}
	s.st.Counter++
	u := &user{ID: s.newID(), UserName: fmt.Sprintf("signer-%d", s.st.Counter), Email: fmt.Sprintf("signer-%d@example.test", s.st.Counter),
		First: first, Last: last, Type: "standard", Accounts: []string{s.opt.AccountID}, Roles: []string{roleSigner},
		Phone: fmt.Sprintf("316%08d", s.st.Counter), Locale: "en_US", Terms: true, Privacy: true, Status: "ACTIVE", CreatedAt: s.now(), TOTP: s.random(20)}
	s.st.Users = append(s.st.Users, u)
	c := &credential{ID: s.newID(), Name: nickname, Status: credPending, User: u.ID, Org: s.opt.OrgID, Profile: p.ID, CreatedAt: s.now(), IssueAt: s.now(), key: key}
	s.st.Credentials = append(s.st.Credentials, c)
	if err := s.activate(c); err != nil {
		return Signer{}, err
	}
	return Signer{UserID: u.ID, UserName: u.UserName, Email: u.Email, Phone: u.Phone, PIN: u.PIN, Credential: c.Name}, s.save()
}

// Certificate is that of a credential, nil while there is none.
func (s *Sim) Certificate(name string) *x509.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.credential(name); c != nil {
		return c.cert
	}
	return nil
}

// LastCode is the newest code sent to a user (id, user name or address), or empty.
func (s *Sim) LastCode(who string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.findUser(who); u != nil {
		return s.lastCode(u)
	}
	return ""
}

// TOTP is the code a user's authenticator shows now, or empty.
func (s *Sim) TOTP(who string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.findUser(who); u != nil {
		return totpAt(u.TOTP, s.totpStep())
	}
	return ""
}

// PIN is a user's PIN, or empty.
func (s *Sim) PIN(who string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.findUser(who); u != nil {
		return u.PIN
	}
	return ""
}

// Proof takes the newest open validation of a user through e-mail and proofing, up to
// PENDING_APPROVAL. Attributes may be nil: the user's own names and a made-up passport.
func (s *Sim) Proof(who string, attributes map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.findUser(who)
	if u == nil {
		return fmt.Errorf("no user %q", who)
	}
	for i := len(s.st.Validations) - 1; i >= 0; i-- {
		v := s.st.Validations[i]
		if v.User != u.ID || !v.open() {
			continue
		}
		if v.Status == valEmail {
			if err := s.confirmEmail(v); err != nil {
				return err
			}
		}
		for _, step := range []string{stepSubmit, stepReview, stepVerify} {
			if v.Status != valIdentity || (step == stepSubmit && v.Identity == idSubmitted) || (step != stepVerify && v.Identity == idInReview) {
				continue
			}
			if err := s.proof(v, step, attributes, ""); err != nil {
				return err
			}
		}
		return s.save()
	}
	return errors.New("no open validation of " + who)
}

// Step takes one step of a validation: "confirm-email", "submit", "start-review", "verify", "resubmit", "refuse".
func (s *Sim) Step(validationID, step, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.validation(validationID)
	if v == nil {
		return fmt.Errorf("no validation %q", validationID)
	}
	err := error(nil)
	if step == "confirm-email" {
		err = s.confirmEmail(v)
	} else {
		err = s.proof(v, step, nil, why)
	}
	if err != nil {
		return err
	}
	return s.save()
}

// SetSeats changes how many seats of a standard there are.
func (s *Sim) SetSeats(standard string, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Seats[standard] = total
	s.touch()
	s.saveOrLog()
}

// Revoke ends a credential behind the client's back, at the simulator's now.
func (s *Sim) Revoke(name string) error { return s.force(name, credRevoked, "KEY_COMPROMISE") }

// Suspend holds a credential behind the client's back.
func (s *Sim) Suspend(name string) error { return s.force(name, credSuspended, reasonHold) }

func (s *Sim) force(name, status, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.credential(name)
	if c == nil || c.Status != credActive {
		return fmt.Errorf("no active credential %q", name)
	}
	s.leaveActive(c, status, reason)
	return s.save()
}

// AnswerPhone approves or declines the oldest waiting push of a user and tells whether there was one.
func (s *Sim) AnswerPhone(who string, approve bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.findUser(who)
	if u == nil {
		return false
	}
	outcome := pushDeclined
	if approve {
		outcome = pushApproved
	}
	all := s.pushesOf(u.ID)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].decide(outcome) {
			return true
		}
	}
	return false
}

// Waiting counts the pushes of a user that wait for an answer.
func (s *Sim) Waiting(who string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	if u := s.findUser(who); u != nil {
		for _, p := range s.pushesOf(u.ID) {
			if p.outcome == "" {
				n++
			}
		}
	}
	return n
}

// Clock is the simulator's time.
func (s *Sim) Clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}
