package dtmsim

import (
	"slices"
	"strings"
)

// mail drops a message into the mailbox.
func (s *Sim) mail(m Mail) {
	m.ID, m.At = s.newID(), s.now()
	if m.From == "" {
		m.From = "DTM Simulator <no-reply@simulator.invalid>"
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
		if to == "" || strings.EqualFold(m.To, to) {
			out = append(out, m)
		}
	}
	return out
}

func (s *Sim) textsOf(user string) []Text {
	out := []Text{}
	for _, t := range slices.Backward(s.st.Texts) {
		if t.User == user {
			out = append(out, t)
		}
	}
	return out
}
