package identity

import (
	"context"
	"errors"
	"strconv"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

// renewBefore is how long before its end a credential may get a successor.
const renewBefore = 30 * day

// Issue has a credential made after an approved check. The name we choose follows from the
// check and how many were made before, and is written down before DTM is asked: two
// requests meet at the same name, and a lost answer is found by it. DTM is asked once.
func (s *Service) Issue(ctx context.Context, a people.Actor, id ValidationID, profile string) (Credential, error) {
	v, err := s.validationFor(ctx, a, id, "credential.issue")
	if err != nil {
		return Credential{}, err
	}
	e := audit.Entry{Action: "credential.issue", Object: "credential", Owner: v.Person, Facts: map[string]string{"validation": string(v.ID)}}
	if err := s.allow(ctx, a, people.IssueCredential, e); err != nil {
		return Credential{}, err
	}
	if v.Person == a.Person {
		return Credential{}, s.refuse(ctx, a, codeOwn, e)
	}
	if v.State != ValidationApproved {
		return Credential{}, fail(codeWrongState, nil)
	}
	c, ours, err := s.reserve(ctx, a, v, profile, "")
	if err != nil || !ours {
		return c, err
	}
	return s.issue(ctx, a, v, c, e)
}

// reserve writes the row of the new credential. ours is false when the row is there
// already: then another request asks DTM, or has asked. One that is near its end gets a
// successor without being named.
func (s *Service) reserve(ctx context.Context, a people.Actor, v Validation, profile string, replaces CredentialID) (c Credential, ours bool, err error) {
	all, err := s.store.CredentialsOf(ctx, v.Person)
	if err != nil {
		return Credential{}, false, ofStore(err)
	}
	now, n := s.now(), 1
	for _, c := range all {
		if c.Validation != v.ID {
			continue
		}
		n++
		switch {
		case c.State.Ended(), !c.RetiredAt.IsZero(), c.ID == replaces:
		case c.Profile == profile && (c.State == CredentialPending || c.State == CredentialIssuanceUnknown):
			return c, false, nil // the same request once more
		case c.State == CredentialActive && !c.NotAfter.IsZero() && c.NotAfter.Before(now.Add(renewBefore)) && replaces == "":
			replaces = c.ID
		default:
			return c, false, fail(codeHasCredential, nil)
		}
	}
	chosen, err := s.profile(ctx, v.Standard, profile)
	if err != nil {
		return Credential{}, false, err
	}
	id, err := s.newID()
	if err != nil {
		return Credential{}, false, fail(codeInternal, err)
	}
	c = s.enterCredential(Credential{ID: CredentialID(id), Person: v.Person, Validation: v.ID,
		Name: "cs-" + string(v.ID) + "-" + strconv.Itoa(n), Profile: chosen.ID, ProfileName: clip(chosen.Name, 200), Standard: v.Standard,
		IssuedBy: a.Person, Replaces: replaces, CreatedAt: now}, CredentialIssuanceUnknown, now)
	c.Reason, c.LookAt = codeSent, now.Add(inFlight)
	e := ofCredential(c, "credential.issue-ask")
	e.From, e.Facts = "", map[string]string{"validation": string(v.ID), "profile": chosen.ID, "name": c.Name, "replaces": string(replaces)}
	c, err = answered(s, PointReserve, func() (Credential, error) { return s.recordCredential(ctx, "", c, done(e, a)) })
	if errors.Is(err, ErrConflict) { // another request took the name: it is the same wish
		made, err := s.store.CredentialByName(ctx, c.Name)
		if errors.Is(err, ErrNotFound) && replaces != "" {
			made, err = s.store.SuccessorOf(ctx, replaces)
		}
		return made, false, ofStore(err)
	}
	return c, true, ofStore(err)
}

func (s *Service) profile(ctx context.Context, standard Standard, id string) (dtmclient.Profile, error) {
	all, err := s.profiles(ctx, standard)
	if err != nil {
		return dtmclient.Profile{}, err
	}
	for _, p := range all {
		if p.ID == id && id != "" {
			return p, nil
		}
	}
	return dtmclient.Profile{}, fail(codeProfile, nil)
}

// issue asks DTM, once.
func (s *Service) issue(ctx context.Context, a people.Actor, v Validation, c Credential, e audit.Entry) (Credential, error) {
	ctx, cancel := outlive(ctx, callTime)
	defer cancel()
	p, err := s.store.Person(ctx, v.Person)
	if err != nil {
		return c, ofStore(err)
	}
	d, err := answered(s, PointIssue, func() (dtmclient.Credential, error) {
		return s.dtm.CreateCredential(ctx, dtmclient.NewCredential{ValidationID: v.DTM, UserID: p.DTMUser, AccountID: s.o.AccountID,
			OrganizationID: s.o.OrganizationID, ProfileID: c.Profile, Nickname: c.Name})
	})
	now := s.now()
	e.Subject, e.From, e.Facts["name"] = string(c.ID), string(c.State), c.Name
	switch explained, mayBe := ofRemoteOrNil(err); {
	case err == nil:
		to := s.observedCredential(c, d, now)
		to.LookAt = now.Add(s.o.PollInterval)
		to, err = answered(s, PointIssued, func() (Credential, error) { return s.recordCredential(ctx, c.State, to, done(e, a)) })
		if errors.Is(err, ErrConflict) { // a look was quicker
			to, err = s.store.Credential(ctx, c.ID)
		}
		return to, ofStore(err)
	case mayBe || isRemote(err, dtmclient.Duplicate): // it may be there: a look by name tells
		if err := s.store.LookSoon(ctx, "", c.ID, now.Add(s.o.PollInterval)); err != nil {
			return c, ofStore(err)
		}
		return c, nil
	default:
		to := s.enterCredential(c, CredentialDeactivated, now)
		to.Reason = explained.Code
		e.Outcome, e.Reason = audit.Failed, explained.Code
		to, err = s.recordCredential(ctx, c.State, to, e.By(a))
		if err != nil {
			return to, ofStore(err)
		}
		return to, explained
	}
}

func ofRemoteOrNil(err error) (*Error, bool) {
	if err == nil {
		return nil, false
	}
	return ofRemote(err)
}

// notIssued ends a credential that DTM does not know although it was asked long enough ago.
func (s *Service) notIssued(ctx context.Context, c Credential, now time.Time) (Credential, error) {
	to := s.enterCredential(c, CredentialDeactivated, now)
	to.Reason = codeNotIssued
	e := byDTM(ofCredential(c, "credential.observe"))
	e.Reason = codeNotIssued
	return s.recordCredential(ctx, c.State, to, e)
}
