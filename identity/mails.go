package identity

import (
	"context"
	"strconv"
	"strings"
	"time"

	"countersign/mail"
	"countersign/people"
)

// The mails: one for each event that the person has to know of. About makes a second one
// about the same event impossible, whoever notices it first.

// letter writes to one person in the language they read.
type letter struct {
	words    mail.Words
	language string
	to       people.Person
}

type values = map[string]any

func (s *Service) letter(p people.Person) letter {
	return letter{s.o.Words, s.o.Words.Language(p.Reads()), p}
}

func (l letter) say(sentence string, v values) string { return l.words.Say(l.language, sentence, v) }

// send makes the message; nothing for somebody without an address.
func (s *Service) send(l letter, about, subject, path string, paragraphs ...string) []mail.Message {
	if l.to.Email == "" || l.to.Disabled {
		return nil
	}
	text := l.say("Dear {{.Name}},", values{"Name": l.to.DisplayName()}) + "\n\n"
	for _, paragraph := range paragraphs {
		if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
			text += paragraph + "\n\n"
		}
	}
	if s.o.PortalURL != "" {
		text += s.o.PortalURL + path + "\n"
	}
	return []mail.Message{{To: l.to.Email, Language: l.language, Subject: subject, Text: strings.TrimRight(text, "\n") + "\n", About: about}}
}

// validationLetters are those to the person, or to the admins when one of them has to act.
func (s *Service) validationLetters(ctx context.Context, v Validation, p people.Person) ([]mail.Message, error) {
	if v.State != ValidationAwaitingSecond {
		return s.validationLetter(v, p), nil
	}
	admins, err := s.store.Admins(ctx)
	var all []mail.Message
	for _, admin := range admins {
		if admin.ID == v.FirstBy || admin.ID == v.Person {
			continue
		}
		l := s.letter(admin)
		all = append(all, s.send(l, "validation.second:"+string(v.ID)+":"+strconv.FormatInt(v.Since.UnixMilli(), 10)+":"+string(admin.ID),
			l.say("A second approval is needed", nil), "/review/"+string(v.ID),
			l.say("the identity check {{.Reference}} has one approval and needs a second one. Any admin but the first can give it, except about themselves.", values{"Reference": v.Reference}))...)
	}
	return all, err
}

func (s *Service) validationLetter(v Validation, p people.Person) []mail.Message {
	l, path, reference := s.letter(p), "/identity-checks/"+string(v.ID), values{"Reference": v.Reference}
	switch v.State {
	case ValidationApproved:
		return s.send(l, "validation.approved:"+string(v.ID), l.say("Your identity check is approved", nil), path,
			l.say("your identity check {{.Reference}} is approved. Your signing credential comes next; we write again when it is ready.", reference))
	case ValidationRejected:
		return s.send(l, "validation.rejected:"+string(v.ID), l.say("Your identity check was refused", nil), path,
			l.say("your identity check {{.Reference}} was refused.", reference)+l.reason(v.Reason), l.note(v.Note))
	case ValidationResubmit:
		// Papers can be asked for more than once, so the event is told apart by its time.
		return s.send(l, "validation.resubmit:"+string(v.ID)+":"+strconv.FormatInt(v.Since.UnixMilli(), 10), l.say("Send your papers again", nil), path,
			l.say("your identity check {{.Reference}} needs your papers once more.", reference)+l.reason(v.Reason), l.note(v.Note))
	}
	return nil
}

// credentialLetter tells of a credential that moved from a state: that it is ready, and
// whatever somebody else did to it.
func (s *Service) credentialLetter(from CredentialState, c Credential, by people.ID, p people.Person) []mail.Message {
	making := from == CredentialPending || from == CredentialIssuanceUnknown
	switch {
	case making && c.State == CredentialActive:
		return s.readyLetter(c, p)
	case making || from == "" || by == c.Person:
		return nil
	}
	l, path, event := s.letter(p), "/credentials/"+string(c.ID), string(c.ID)+":"+strconv.FormatInt(c.Since.UnixMilli(), 10)
	switch {
	case c.State == CredentialRevoked:
		return s.send(l, "credential.revoked:"+string(c.ID), l.say("Your signing credential was revoked", nil), path,
			l.say("your signing credential was revoked, for good: it signs nothing more. Your admin can tell you why.", nil))
	case c.State == CredentialSuspended:
		return s.send(l, "credential.suspended:"+event, l.say("Your signing credential is suspended", nil), path,
			l.say("your signing credential is suspended: it cannot sign until it is resumed. Your admin can tell you why.", nil))
	case c.State == CredentialActive && from == CredentialSuspended:
		return s.send(l, "credential.resumed:"+event, l.say("Your signing credential can sign again", nil), path,
			l.say("your signing credential is no longer suspended: it can sign again.", nil))
	}
	return nil
}

func (s *Service) readyLetter(c Credential, p people.Person) []mail.Message {
	l, until := s.letter(p), ""
	if !c.NotAfter.IsZero() {
		until = " " + l.say("It is valid until {{.Day}}.", values{"Day": c.NotAfter})
	}
	text := l.say("your signing credential is ready: you can sign your first document.", nil)
	if c.Replaces != "" {
		text = l.say("your new signing credential is ready, and you sign with it from now on. The one before finishes what it has begun.", nil)
	}
	return s.send(l, "credential.ready:"+string(c.ID), l.say("Your signing credential is ready", nil), "/",
		text+until)
}

func (l letter) reason(code string) string {
	if text := ReasonText(code); text != "" {
		return " " + l.say("The reason given: “{{.Reason}}”.", values{"Reason": l.say(text, nil)})
	}
	return ""
}

func (l letter) note(note string) string {
	if note == "" {
		return ""
	}
	return l.say("A note from the admin: {{.Note}}", values{"Note": note})
}

// later is now plus d, or zero for no d.
func later(now time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d)
}
