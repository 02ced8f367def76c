package identity

import (
	"context"
	"errors"
	"strings"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

// resend is how long after a lost answer a start may be asked of DTM again, provided that
// a look found nothing. Twice a call's deadline.
const resend = time.Minute

// Start begins an identity check. DTM is told in the request; what is not answered in time
// is found or finished later, so a check that comes back as started is no error.
func (s *Service) Start(ctx context.Context, a people.Actor, standard Standard, consent bool) (Validation, error) {
	e := audit.Entry{Action: "validation.start", Object: "validation", Owner: a.Person}
	if err := s.allow(ctx, a, people.StartCheck, e); err != nil {
		return Validation{}, err
	}
	if !standard.Known() {
		return Validation{}, fail(codeStandard, nil)
	}
	if !consent {
		return Validation{}, fail(codeConsent, nil)
	}
	p, err := s.store.Person(ctx, a.Person)
	if err != nil {
		return Validation{}, ofStore(err)
	}
	claims, err := claimsOf(p)
	if err != nil {
		return Validation{}, err
	}
	v, err := s.insert(ctx, a, standard, claims, e)
	if err != nil {
		return v, err
	}
	ctx, cancel := outlive(ctx, callTime)
	defer cancel()
	begun, err := s.begin(ctx, v)
	var explained *Error
	switch {
	case err == nil || begun.State != ValidationStarted:
	case errors.Is(err, ErrConflict): // another run goes on with it
		return s.store.Validation(ctx, v.ID)
	case errors.As(err, &explained) && explained.Kind != KindRemote:
		return begun, err
	default:
		s.log.WarnContext(ctx, "a start waits for DTM", "validation", v.ID, "cause", err)
	}
	if begun.State == ValidationExpired && errors.As(err, &explained) {
		return begun, err
	}
	return begun, nil
}

// insert writes the row that says what is about to be asked of DTM.
func (s *Service) insert(ctx context.Context, a people.Actor, standard Standard, claims Attributes, e audit.Entry) (Validation, error) {
	for try := 0; ; try++ {
		list, err := s.store.ValidationsOf(ctx, a.Person)
		if err != nil {
			return Validation{}, ofStore(err)
		}
		for _, v := range list {
			switch {
			case v.Standard != standard || v.State.Ended():
			case v.State.Running():
				return Validation{}, fail(codeOpen, nil)
			default:
				return Validation{}, fail(codeApproved, nil)
			}
		}
		id, err := s.newID()
		if err != nil {
			return Validation{}, fail(codeInternal, err)
		}
		reference, err := s.newReference()
		if err != nil {
			return Validation{}, fail(codeInternal, err)
		}
		now := s.now()
		v := s.enter(Validation{ID: ValidationID(id), Reference: reference, Person: a.Person, Standard: standard,
			Claims: claims, Consent: now, CreatedAt: now}, ValidationStarted, now)
		// The request that inserts goes on by itself; everybody else waits until it may have died.
		v.LookAt = now.Add(resend)
		entry := done(e, a)
		entry.Subject, entry.Facts = id, map[string]string{"standard": string(standard)}
		v, err = answered(s, PointStart, func() (Validation, error) {
			return s.record(ctx, "", v, entry, DueJob{Job: ReconcileValidation{v.ID}, At: now.Add(resend)})
		})
		if errors.Is(err, ErrConflict) && try < 3 {
			continue // the reference is taken, or another request of this person was quicker
		}
		return v, ofStore(err)
	}
}

// claimsOf takes from the login what an identity check is about.
func claimsOf(p people.Person) (Attributes, error) {
	given, family := strings.TrimSpace(p.GivenName), strings.TrimSpace(p.FamilyName)
	if words := strings.Fields(p.Name); given == "" && family == "" && len(words) > 1 {
		given, family = strings.Join(words[:len(words)-1], " "), words[len(words)-1]
	}
	switch {
	case p.Email == "":
		return Attributes{}, fail(codeNoEmail, nil)
	case given == "" || family == "":
		return Attributes{}, fail(codeNoName, nil)
	}
	return Attributes{GivenName: given, FamilyName: family, Email: p.Email}, nil
}

// begin brings a started check to DTM. Everything it asks for can be found again by its
// name, so it looks first and creates second, and any number of runs lead to one check.
func (s *Service) begin(ctx context.Context, v Validation) (Validation, error) {
	p, err := s.store.Person(ctx, v.Person)
	if err != nil {
		return v, err
	}
	user, err := s.user(ctx, v, p)
	if err != nil {
		return s.notBegun(ctx, v, err)
	}
	found, err := s.find(ctx, v, user)
	if err != nil {
		return s.notBegun(ctx, v, err)
	}
	if found.ID != "" {
		return s.adopt(ctx, v, found)
	}
	now := s.now()
	if now.Before(v.HeldUntil) {
		return v, s.store.LookSoon(ctx, v.ID, "", v.HeldUntil) // a request may still be on its way
	}
	if !now.Before(v.Deadline) {
		return s.expire(ctx, v, codeNotStarted)
	}
	// From here on the row says that DTM is being asked, and only one run can write that.
	v.Reason, v.HeldUntil, v.LookAt = codeSent, now.Add(resend), now.Add(resend)
	if v, err = answered(s, PointSend, func() (Validation, error) {
		return s.record(ctx, v.State, v, bySystem(ofValidation(v, "validation.send"), "reconcile-validation"))
	}); err != nil {
		return v, err
	}
	d, err := answered(s, PointCreate, func() (dtmclient.Validation, error) {
		return s.dtm.CreateValidation(ctx, dtmclient.NewValidation{UserID: user, Email: v.Claims.Email, FirstName: v.Claims.GivenName,
			LastName: v.Claims.FamilyName, ProfileID: s.o.ValidationProfiles[v.Standard], Standard: v.Standard.DTM(),
			AccountID: s.o.AccountID, OrganizationID: s.o.OrganizationID, Locale: s.o.Locale})
	})
	if isRemote(err, dtmclient.Duplicate) {
		if d, err = s.find(ctx, v, user); err == nil && d.ID == "" {
			err = fail(codeRefused, errors.New("DTM has a validation of this standard that is not ours to take"))
		}
	}
	if err != nil {
		return s.notBegun(ctx, v, err)
	}
	return s.adopt(ctx, v, d)
}

// notBegun keeps a start that can still succeed, and ends one that DTM refused.
func (s *Service) notBegun(ctx context.Context, v Validation, cause error) (Validation, error) {
	var e *Error
	var remote *dtmclient.Error
	mayBe := false
	switch {
	case errors.As(cause, &e) && e.Kind != KindInternal:
	case errors.As(cause, &remote):
		e, mayBe = ofRemote(cause)
	default: // ours, not DTM's
		return v, cause
	}
	now := s.now()
	switch {
	case !mayBe && e.Code != codeAway:
		ended, err := s.expire(ctx, v, e.Code)
		if err != nil {
			return v, err
		}
		return ended, e
	case !mayBe && v.Reason == codeSent && now.Before(v.HeldUntil):
		// Refused or never sent, for certain: the next run need not wait.
		v.Reason, v.HeldUntil, v.LookAt = "", time.Time{}, now.Add(s.backoff(now.Sub(v.Since)))
		v, err := s.record(ctx, v.State, v, bySystem(ofValidation(v, "validation.send-failed"), "reconcile-validation"))
		if err != nil {
			return v, err
		}
		return v, e
	case now.Before(v.Deadline):
	case v.Reason != codeSent: // DTM was never asked, and now is the deadline
		ended, err := s.expire(ctx, v, codeNotStarted)
		return ended, errors.Join(err, e)
	case now.After(v.CreatedAt.Add(s.o.Deadlines.Settle)):
		ended, err := s.expire(ctx, v, codeSent)
		return ended, errors.Join(err, e)
	}
	return v, e
}

// user answers the id of the person's DTM user and makes one if there is none. Its name
// is made from the person's id, so one whose answer was lost is found again.
func (s *Service) user(ctx context.Context, v Validation, p people.Person) (string, error) {
	if p.DTMUser != "" {
		return p.DTMUser, nil
	}
	name := "cs-" + string(p.ID)
	u, err := s.dtm.FindUser(ctx, name)
	if isRemote(err, dtmclient.NotFound) {
		u, err = answered(s, PointUser, func() (dtmclient.User, error) {
			return s.dtm.CreateUser(ctx, dtmclient.User{UserName: name, Email: v.Claims.Email, FirstName: v.Claims.GivenName,
				LastName: v.Claims.FamilyName, Phone: digits(p.Phone), Locale: s.o.Locale, Accounts: []string{s.o.AccountID}})
		})
	}
	if isRemote(err, dtmclient.Duplicate) {
		if u, err = s.dtm.FindUser(ctx, name); isRemote(err, dtmclient.NotFound) {
			return "", fail(codeEmailTaken, err) // never bound by e-mail
		}
	}
	if err != nil {
		return "", err
	}
	e := bySystem(audit.Entry{Action: "person.bind", Object: "person", Subject: string(p.ID), Owner: p.ID,
		Facts: map[string]string{"dtm_user": u.ID}}, "reconcile-validation")
	err = s.at(PointBind, func() error {
		return s.store.Apply(ctx, Change{Bind: &Binding{Person: p.ID, DTMUser: u.ID}, Entries: []audit.Entry{e}, Topics: []string{PersonTopic(p.ID)}})
	})
	if errors.Is(err, ErrConflict) {
		return "", fail(codeBound, err)
	}
	return u.ID, err
}

// find looks for a check at DTM whose answer we lost. One that an ended check of ours left
// open is closed on the way: DTM has room for one of each standard.
func (s *Service) find(ctx context.Context, v Validation, user string) (dtmclient.Validation, error) {
	theirs, err := s.dtm.ValidationsOf(ctx, user)
	if err != nil {
		return dtmclient.Validation{}, err
	}
	ours, err := s.store.ValidationsOf(ctx, v.Person)
	if err != nil {
		return dtmclient.Validation{}, ofStore(err)
	}
	known := map[string]Validation{}
	for _, o := range ours {
		known[o.DTM] = o
	}
	for _, d := range theirs {
		state, _ := seenState(d)
		if d.Standard != v.Standard.DTM() || state.Ended() {
			continue
		}
		o, mine := known[d.ID]
		if !mine {
			return d, nil
		}
		if o.State.Ended() {
			s.closeAtDTM(ctx, o)
		}
	}
	return dtmclient.Validation{}, nil
}

// adopt takes a check of DTM as the one that was asked for.
func (s *Service) adopt(ctx context.Context, v Validation, d dtmclient.Validation) (Validation, error) {
	now := s.now()
	to := s.observed(v, d, now)
	to.DTM, to.Reason, to.HeldUntil, to.LookAt = d.ID, "", time.Time{}, now.Add(s.o.PollInterval)
	if to.State == ValidationRejected || to.State == ValidationResubmit {
		to.Reason = clip(d.Reason, 200)
	}
	e := bySystem(ofValidation(v, "validation.open"), "reconcile-validation")
	e.Facts = map[string]string{"dtm": d.ID, "status": to.DTMStatus}
	return answered(s, PointOpen, func() (Validation, error) { return s.record(ctx, v.State, to, e) })
}

// expire ends a check at its deadline, or a start that came to nothing.
func (s *Service) expire(ctx context.Context, v Validation, reason string) (Validation, error) {
	to := s.enter(v, ValidationExpired, s.now())
	to.Reason, to.HeldUntil = reason, time.Time{}
	e := bySystem(ofValidation(v, "validation.expire"), "look-again-identity")
	e.Reason = reason
	to, err := s.record(ctx, v.State, to, e)
	if err == nil && v.DTM != "" {
		s.closeAtDTM(ctx, v)
	}
	return to, err
}

// closeAtDTM asks DTM once to cancel a check that is over here. Whether it works changes
// nothing here; a later start of the same person tries again.
func (s *Service) closeAtDTM(ctx context.Context, v Validation) {
	if err := s.dtm.CancelValidation(ctx, v.DTM); err != nil {
		s.log.WarnContext(ctx, "an ended check stays open at DTM", "validation", v.ID, "cause", err)
	}
}

// Cancel withdraws one's own check.
func (s *Service) Cancel(ctx context.Context, a people.Actor, id ValidationID) error {
	v, err := s.validationFor(ctx, a, id, "validation.cancel")
	if err != nil {
		return err
	}
	e := ofValidation(v, "validation.cancel")
	if v.Person != a.Person || !people.May(a, people.CancelOwnCheck) {
		return s.refuse(ctx, a, codeRole, e)
	}
	if !CanCancel(v.State) {
		return fail(codeWrongState, nil)
	}
	if v.DTM == "" && v.Reason == codeSent {
		return fail(codeStarting, nil)
	}
	to := s.enter(v, ValidationCancelled, s.now())
	to.Reason, to.HeldUntil = "", time.Time{}
	if v.DTM == "" {
		_, err = s.record(ctx, v.State, to, done(e, a))
		return ofStore(err)
	}
	return s.ask(ctx, a, v, to, e, func(ctx context.Context) error { return s.dtm.CancelValidation(ctx, v.DTM) })
}

func digits(phone string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, phone)
}
