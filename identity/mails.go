package identity

import (
	"strconv"
	"strings"
	"time"

	"countersign/mail"
	"countersign/people"
)

// The mails: one for each event that the person has to know of. About makes a second one
// about the same event impossible, whoever notices it first.

func (s *Service) letter(p people.Person, about, subject, path string, paragraphs ...string) []mail.Message {
	if p.Email == "" || p.Disabled {
		return nil
	}
	text := "Dear " + p.DisplayName() + ",\n\n"
	for _, paragraph := range paragraphs {
		if paragraph != "" {
			text += paragraph + "\n\n"
		}
	}
	if s.o.PortalURL != "" {
		text += s.o.PortalURL + path + "\n"
	}
	return []mail.Message{{To: p.Email, Subject: subject, Text: strings.TrimRight(text, "\n") + "\n", About: about}}
}

func (s *Service) validationLetter(v Validation, p people.Person) []mail.Message {
	path, note := "/identity-checks/"+string(v.ID), noteLine(v.Note)
	switch v.State {
	case ValidationApproved:
		return s.letter(p, "validation.approved:"+string(v.ID), "Your identity check is approved", path,
			"your identity check "+v.Reference+" is approved. Your signing credential comes next; we write again when it is ready.")
	case ValidationRejected:
		return s.letter(p, "validation.rejected:"+string(v.ID), "Your identity check was refused", path,
			"your identity check "+v.Reference+" was refused."+reasonLine(v.Reason), note)
	case ValidationResubmit:
		// Papers can be asked for more than once, so the event is told apart by its time.
		return s.letter(p, "validation.resubmit:"+string(v.ID)+":"+strconv.FormatInt(v.Since.UnixMilli(), 10), "Send your papers again", path,
			"your identity check "+v.Reference+" needs your papers once more."+reasonLine(v.Reason), note)
	}
	return nil
}

func (s *Service) credentialLetter(c Credential, p people.Person) []mail.Message {
	if c.State != CredentialActive {
		return nil
	}
	until := ""
	if !c.NotAfter.IsZero() {
		until = " It is valid until " + c.NotAfter.Format("2 January 2006") + "."
	}
	return s.letter(p, "credential.ready:"+string(c.ID), "Your signing credential is ready", "/",
		"your signing credential is ready: you can sign your first document."+until)
}

func reasonLine(code string) string {
	if text := ReasonText(code); text != "" {
		return " The reason: " + strings.ToLower(text[:1]) + text[1:] + "."
	}
	return ""
}

func noteLine(note string) string {
	if note == "" {
		return ""
	}
	return "A note from the admin: " + note
}

// later is now plus d, or zero for no d.
func later(now time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d)
}
