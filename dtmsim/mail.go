package dtmsim

import (
	"slices"
	"strings"
	"time"
)

// mail drops a message into the mailbox.
func (s *Sim) mail(m Mail) {
	m.ID, m.At = s.newID(), s.now()
	if m.From == "" {
		m.From = "DTM Simulator <no-reply@simulator.invalid>"
	}
	switch f := s.spend("", PathMail, m.To); {
	case f == nil:
	case f.Effect == EffectLost:
		return
	case f.Effect == EffectLate:
		m.Due = m.At.Add(time.Duration(f.Shift))
	}
	if len(s.st.Mail) >= keepMail {
		s.st.Mail = slices.Delete(s.st.Mail, 0, keepMail/10)
	}
	s.st.Mail = append(s.st.Mail, m)
	s.touch()
}

// text sends a message to a phone.
func (s *Sim) text(t Text) {
	t.ID, t.At = s.newID(), s.now()
	if len(s.st.Texts) >= keepTexts {
		s.st.Texts = slices.Delete(s.st.Texts, 0, keepTexts/10)
	}
	s.st.Texts = append(s.st.Texts, t)
	s.touch()
}

// sendCode sends the code of a credential to its person's phone, and by mail where no number is known.
func (s *Sim) sendCode(cr *credential, trouble *Fault) {
	var due time.Time
	switch trouble.Effect {
	case EffectLost:
		return
	case EffectLate:
		due = cr.OTP.SentAt.Add(time.Duration(trouble.Shift))
	}
	u := s.user(cr.User)
	text := "Your code for signing with " + cr.Name + ". It works once, within five minutes."
	s.text(Text{User: u.ID, Credential: cr.Name, Text: text, Code: cr.OTP.Code, Due: due})
	if u.Phone == "" {
		s.mail(Mail{To: u.Email, Subject: "Your code for signing", Text: text + "\n", Code: cr.OTP.Code, Due: due})
	}
}

// Mailbox is a copy of the mail to one address, newest first; an empty address means all.
func (s *Sim) Mailbox(to string) []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	return s.mailTo(to)
}

func (s *Sim) mailTo(to string) []Mail {
	out := []Mail{}
	for _, m := range slices.Backward(s.st.Mail) {
		if (to == "" || strings.EqualFold(m.To, to)) && !s.now().Before(m.Due) {
			out = append(out, m)
		}
	}
	return out
}

func (s *Sim) textsOf(user string) []Text {
	out := []Text{}
	for _, t := range slices.Backward(s.st.Texts) {
		if t.User == user && !s.now().Before(t.Due) {
			out = append(out, t)
		}
	}
	return out
}
