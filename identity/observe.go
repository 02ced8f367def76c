package identity

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

// inFlight is how long a request that was sent may still take effect at DTM: what a look
// finds before then proves nothing about it.
const inFlight = 2 * time.Minute

var identityStates = map[string]ValidationState{
	"":              ValidationActionNeeded,
	"ACTION_NEEDED": ValidationActionNeeded,
	"SUBMITTED":     ValidationSubmitted,
	"IN_REVIEW":     ValidationInReview,
	"VERIFIED":      ValidationInReview,
	"RESUBMIT":      ValidationResubmit,
}

var dtmStates = map[string]ValidationState{
	"PENDING_EMAIL":    ValidationEmailSent,
	"PENDING_APPROVAL": ValidationAwaitingApproval,
	"APPROVED":         ValidationApproved,
	"REJECTED":         ValidationRejected,
	"CANCELLED":        ValidationCancelled,
	"EXPIRED":          ValidationExpired,
	"DISABLED":         ValidationDisabled,
}

// seenState reads DTM's words. word is DTM's own one, with the sub-state where that is
// what we do not know.
func seenState(d dtmclient.Validation) (state ValidationState, word string) {
	word = d.Status
	if d.Status == "PENDING_IDENTITY" {
		if state, ok := identityStates[d.Identity]; ok {
			return state, word
		}
		return ValidationUnknown, d.Status + " " + d.Identity
	}
	if state, ok := dtmStates[d.Status]; ok {
		return state, word
	}
	return ValidationUnknown, word
}

// observed is the check as a look at DTM shows it. It decides nothing that DTM has not said.
func (s *Service) observed(v Validation, d dtmclient.Validation, now time.Time) Validation {
	state, word := seenState(d)
	to := v
	to.DTMStatus, to.Link = clip(word, 100), proofingLink(d.ProofingURL)
	if p := attributes(d); p != (Attributes{}) {
		to.Proofed = p
	}
	if state == ValidationAwaitingApproval {
		switch {
		case v.State == ValidationApprovalHeld, v.State == ValidationAwaitingSecond:
			return to // ours: DTM does not know of them
		case v.State == ValidationApprovalUnknown && now.Before(v.Since.Add(inFlight)):
			return to // the approval may still be on its way
		}
	}
	if state == v.State {
		return to
	}
	to = s.enter(to, state, now)
	to.HeldUntil = time.Time{}
	switch state {
	case ValidationRejected, ValidationResubmit:
		if ReasonText(v.Reason) == "" || v.State != ValidationAwaitingApproval && v.State != ValidationAwaitingSecond { // not what one of our admins asked for
			to.Reason, to.Note, to.DecidedBy = clip(d.Reason, 200), "", ""
		}
	case ValidationApproved:
		to.Reason, to.Note = "", ""
		if v.State != ValidationApprovalUnknown {
			to.DecidedBy, to.FirstBy = "", "" // decided at DTM itself
		}
	default:
		to.Reason, to.Note = "", ""
		if state != ValidationDisabled {
			to.DecidedBy = ""
		}
		if v.State == ValidationApprovalUnknown && state == ValidationAwaitingApproval {
			to.Reason = codeLost
		}
	}
	return to
}

// enter puts the check into a state: since now, until its deadline, to be looked at soon.
func (s *Service) enter(v Validation, state ValidationState, now time.Time) Validation {
	v.State, v.Since = state, now
	v.Deadline = later(now, map[ValidationState]time.Duration{
		ValidationStarted:          s.o.Deadlines.Start,
		ValidationEmailSent:        s.o.Deadlines.Person,
		ValidationActionNeeded:     s.o.Deadlines.Person,
		ValidationResubmit:         s.o.Deadlines.Person,
		ValidationSubmitted:        s.o.Deadlines.Provider,
		ValidationInReview:         s.o.Deadlines.Provider,
		ValidationUnknown:          s.o.Deadlines.Provider,
		ValidationAwaitingApproval: s.o.Deadlines.Admin,
		ValidationAwaitingSecond:   s.o.Deadlines.Admin,
		ValidationApprovalUnknown:  s.o.Deadlines.Settle,
		ValidationApprovalHeld:     s.o.ApprovalHold + s.o.Deadlines.Start,
	}[state])
	if state != ValidationActionNeeded && state != ValidationResubmit {
		v.Link = ""
	}
	switch state {
	case ValidationAwaitingSecond, ValidationApprovalHeld, ValidationApprovalUnknown, ValidationApproved:
	default:
		v.FirstBy = "" // only an approval has a first half
	}
	v.LookAt = s.nextLook(v, now)
	return v
}

// nextLook backs off: often while young, rarely when old, hardly when nothing is expected.
func (s *Service) nextLook(v Validation, now time.Time) time.Time {
	switch {
	case v.State.Ended():
		return time.Time{}
	case v.State == ValidationApproved || v.State == ValidationDisabled:
		return now.Add(restLook)
	case v.State == ValidationApprovalHeld:
		return v.HeldUntil.Add(5 * time.Second) // the job comes first
	}
	at := now.Add(s.backoff(now.Sub(v.Since)))
	if v.Deadline.After(now) && at.After(v.Deadline) {
		at = v.Deadline
	}
	return at
}

const (
	restLook = 6 * time.Hour
	longLook = 5 * time.Minute // also how long a claim of a due row lasts
)

func (s *Service) backoff(age time.Duration) time.Duration {
	switch {
	case age < 10*time.Minute:
		return s.o.PollInterval
	case age < day:
		return 30 * time.Second
	}
	return longLook
}

// byDTM is an observation: nobody here did it.
func byDTM(e audit.Entry) audit.Entry {
	e.System, e.Outcome = "dtm", audit.Observed
	return e
}

func bySystem(e audit.Entry, job string) audit.Entry {
	e.System, e.Outcome = job, audit.Done
	return e
}

func done(e audit.Entry, a people.Actor) audit.Entry {
	e.Outcome = audit.Done
	return e.By(a)
}

// record writes a check that moved, or changed in place, with what is to be said about it.
func (s *Service) record(ctx context.Context, from ValidationState, to Validation, e audit.Entry, jobs ...DueJob) (Validation, error) {
	e.To = string(to.State)
	c := Change{Validations: []Moved[ValidationState, Validation]{{From: from, To: to}}, Entries: []audit.Entry{e},
		Jobs: jobs, Topics: validationTopics(to)}
	if from != to.State && from != "" {
		if p, err := s.store.Person(ctx, to.Person); err == nil {
			if c.Mail, err = s.validationLetters(ctx, to, p); err != nil {
				return to, err
			}
		} else if !errors.Is(err, ErrNotFound) {
			return to, err
		}
	}
	if err := s.store.Apply(ctx, c); err != nil {
		return to, err
	}
	if from != "" {
		to.Version++
	}
	return to, nil
}

// look asks DTM about the check and writes down what it says.
func (s *Service) look(ctx context.Context, v Validation) (Validation, error) {
	d, err := s.dtm.Validation(ctx, v.DTM)
	if err != nil {
		return v, err
	}
	return s.see(ctx, v, d)
}

// see writes down what DTM says, if it says anything new.
func (s *Service) see(ctx context.Context, v Validation, d dtmclient.Validation) (Validation, error) {
	now := s.now()
	to := s.observed(v, d, now)
	if to == v {
		return v, nil
	}
	if to.State == v.State {
		to.LookAt = s.nextLook(to, now)
	}
	e := byDTM(ofValidation(v, "validation.observe"))
	e.Facts = map[string]string{"dtm": v.DTM, "status": to.DTMStatus}
	if from := v.State; from != to.State {
		maps.Copy(e.Facts, map[string]string{"standard": string(v.Standard)})
	}
	return s.record(ctx, v.State, to, e)
}

// attributes are what DTM proofed, of the length we keep. Of a document's number only the
// last characters are kept: enough to tell documents apart, too little to use one.
func attributes(d dtmclient.Validation) Attributes {
	p := d.Proofed
	if len(p) == 0 {
		return Attributes{}
	}
	number := []rune(p["document_number"])
	if len(number) > 4 {
		number = number[len(number)-4:]
	}
	a := Attributes{GivenName: clip(p["given_name"], 200), FamilyName: clip(p["family_name"], 200),
		BirthDate: clip(p["birth_date"], 10), BirthPlace: clip(p["birth_place"], 200), Nationality: clip(p["nationality"], 60),
		DocumentType: clip(p["document_type"], 60), DocumentNumber: string(number), DocumentExpires: clip(p["document_expires"], 10)}
	if d.EmailChecked {
		a.Email = clip(d.Email, 254)
	}
	return a
}

// proofingLink keeps an address a browser may be sent to, and nothing else.
func proofingLink(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > 2000 || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.String()
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// KnowsStatus reports whether DTM's word for the status of a validation is one that we read.
func KnowsStatus(word string) bool {
	_, known := dtmStates[word]
	return known || word == "PENDING_IDENTITY"
}
