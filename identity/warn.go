package identity

import (
	"context"
	"strconv"
	"time"

	"countersign/mail"
	"countersign/people"
)

// Warnings: what ends by itself is told before, once for each of Options.WarnBefore. The
// sweep that looks at DTM writes them. About makes a second mail of one event impossible on
// any replica and after any start; a process that was away tells the nearest only.

// warnFrom is the earliest of the warnings.
func (s *Service) warnFrom() time.Duration { return s.o.WarnBefore[len(s.o.WarnBefore)-1] }

// warnings are those that make sense for this credential, the latest first: one that lives
// for a month is not near its end on its first day.
func (s *Service) warnings(c Credential) (all []time.Duration) {
	if c.NotAfter.IsZero() {
		return nil
	}
	return within(s.o.WarnBefore, c.NotAfter.Sub(c.NotBefore)/2)
}

func within(sorted []time.Duration, most time.Duration) []time.Duration {
	for i, d := range sorted {
		if d > most {
			return sorted[:i]
		}
	}
	return sorted
}

// EndsSoon reports whether the credential is in the time in which its end is told.
func (s *Service) EndsSoon(c Credential) bool {
	return s.due(c.NotAfter, s.warnings(c)) > 0 && c.RetiredAt.IsZero() && (c.State == CredentialActive || c.State == CredentialSuspended)
}

// due is the nearest warning whose time has come; 0 when there is none, or the end has come.
func (s *Service) due(end time.Time, sorted []time.Duration) time.Duration {
	left := end.Sub(s.now())
	for _, d := range sorted {
		if left > 0 && left <= d {
			return d
		}
	}
	return 0
}

func (s *Service) warnOfCredential(ctx context.Context, c Credential) {
	before := s.due(c.NotAfter, s.warnings(c))
	if before == 0 || !c.RetiredAt.IsZero() || c.State != CredentialActive && c.State != CredentialSuspended {
		return
	}
	s.warn(ctx, c.Person, "credential.ending:"+string(c.ID)+":"+days(before), func(l letter, about string) []mail.Message {
		return s.send(l, about, l.say("Your signing credential ends soon", nil), "/credentials/"+string(c.ID),
			l.say("your signing credential ends on {{.Day}}. After that it signs nothing more; what you signed with it stays provable.", values{"Day": c.NotAfter}),
			l.say("You can ask for a new one on its page.", nil))
	})
}

// warnOfCheck tells a person that a check that waits for them is about to run out.
func (s *Service) warnOfCheck(ctx context.Context, v Validation) {
	switch v.State {
	case ValidationEmailSent, ValidationActionNeeded, ValidationResubmit:
	default:
		return
	}
	before := s.due(v.Deadline, within(s.o.WarnBefore, v.Deadline.Sub(v.Since)/2))
	if before == 0 {
		return
	}
	about := "validation.ending:" + string(v.ID) + ":" + strconv.FormatInt(v.Since.UnixMilli(), 10) + ":" + days(before)
	s.warn(ctx, v.Person, about, func(l letter, about string) []mail.Message {
		return s.send(l, about, l.say("Your identity check waits for you", nil), "/identity-checks/"+string(v.ID),
			l.say("your identity check {{.Reference}} waits for you and ends on {{.Day}} if nothing happens.", values{"Reference": v.Reference, "Day": v.Deadline}))
	})
}

func (s *Service) warn(ctx context.Context, to people.ID, about string, write func(l letter, about string) []mail.Message) {
	if _, told := s.told.Load(about); told {
		return
	}
	p, err := s.store.Person(ctx, to)
	if err == nil {
		err = s.store.Apply(ctx, Change{Mail: write(s.letter(p), about)})
	}
	if err != nil {
		s.log.WarnContext(ctx, "warn of an end", "about", about, "cause", err)
		return
	}
	s.told.Store(about, true)
}

func days(d time.Duration) string { return strconv.Itoa(int(d / day)) }
