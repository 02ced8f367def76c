package identity

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"countersign/audit"
	"countersign/dtmclient"
)

var dtmCredentialStates = map[string]CredentialState{
	"PENDING_ISSUANCE": CredentialPending,
	"ACTIVE":           CredentialActive,
	"SUSPENDED":        CredentialSuspended,
	"REVOKED":          CredentialRevoked,
	"DEACTIVATED":      CredentialDeactivated,
}

// observedCredential is the credential as a look at DTM shows it.
func (s *Service) observedCredential(c Credential, d dtmclient.Credential, now time.Time) Credential {
	state, ok := dtmCredentialStates[d.Status]
	if !ok {
		state = CredentialUnknown
	}
	to := c
	to.DTMStatus = clip(d.Status, 100)
	describe(&to, d)
	if state == CredentialActive || state == CredentialSuspended {
		if !to.NotAfter.IsZero() && now.After(to.NotAfter) {
			state = CredentialExpired
		}
	}
	// An active one has a reason while somebody's suspension of it is on its way.
	asked := c.State == CredentialActive && (c.Reason == codeOwner || c.Reason == codeAdmin)
	if state == c.State {
		if asked {
			to.Reason = ""
		}
		return to
	}
	to = s.enterCredential(to, state, now)
	if !asked || state != CredentialSuspended {
		to.Reason = ""
	}
	if state == CredentialRevoked || state == CredentialDeactivated {
		to.Reason = clip(d.Reason, 100)
	}
	return to
}

// describe takes what the certificate says: from the certificate itself where DTM gives
// it, for the words beside it are assumed.
func describe(to *Credential, d dtmclient.Credential) {
	if d.ProfileName != "" {
		to.ProfileName = clip(d.ProfileName, 200)
	}
	if d.Serial != "" {
		to.Serial, to.Subject = clip(d.Serial, 100), clip(d.Subject, 300)
		to.NotBefore, to.NotAfter = millis(d.NotBefore), millis(d.NotAfter)
	}
	block, _ := pem.Decode([]byte(d.PEM))
	if block == nil {
		return
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return
	}
	to.Subject, to.Issuer = clip(cert.Subject.String(), 300), clip(cert.Issuer.CommonName, 200)
	to.Serial = clip(cert.SerialNumber.Text(16), 100)
	to.NotBefore, to.NotAfter = millis(cert.NotBefore), millis(cert.NotAfter)
}

// millis is the time as rows keep it.
func millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// enterCredential puts a credential into a state.
func (s *Service) enterCredential(c Credential, state CredentialState, now time.Time) Credential {
	c.State, c.Since, c.Deadline = state, now, time.Time{}
	if state.Ended() {
		c.RenewalAsked = time.Time{} // nothing is left to renew
	}
	switch state {
	case CredentialPending, CredentialIssuanceUnknown, CredentialUnknown:
		c.Deadline = now.Add(s.o.Deadlines.Settle)
	case CredentialActive, CredentialSuspended:
		c.Deadline = c.NotAfter
	}
	c.LookAt = s.nextCredentialLook(c, now)
	return c
}

func (s *Service) nextCredentialLook(c Credential, now time.Time) time.Time {
	switch {
	case c.State.Ended():
		return time.Time{}
	case c.State == CredentialActive || c.State == CredentialSuspended:
		at := now.Add(day)
		for _, before := range s.warnings(c) {
			if from := c.NotAfter.Add(-before); from.After(now) && from.Before(at) {
				at = from
			}
		}
		if c.NotAfter.After(now) && c.NotAfter.Before(at) {
			return c.NotAfter.Add(time.Second)
		}
		return at
	}
	return now.Add(s.backoff(now.Sub(c.Since)))
}

// recordCredential writes a credential that moved, or changed in place.
func (s *Service) recordCredential(ctx context.Context, from CredentialState, to Credential, e audit.Entry) (Credential, error) {
	e.To = string(to.State)
	if e.Subject == "" {
		e.Subject = string(to.ID)
	}
	c := Change{Credentials: []Moved[CredentialState, Credential]{{From: from, To: to}}, Entries: []audit.Entry{e}, Topics: credentialTopics(to)}
	if from != to.State && to.State == CredentialActive && to.Replaces != "" {
		if err := s.succeed(ctx, &c, to); err != nil {
			return to, err
		}
	}
	if from != to.State {
		if p, err := s.store.Person(ctx, to.Person); err == nil {
			c.Mail = s.credentialLetter(from, to, e.Person, p)
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

// lookCredential asks DTM about the credential and writes down what it says.
func (s *Service) lookCredential(ctx context.Context, c Credential) (Credential, error) {
	d, err := s.dtm.Credential(ctx, c.Name)
	if isRemote(err, dtmclient.NotFound) && c.State == CredentialIssuanceUnknown && s.now().After(c.Since.Add(inFlight)) {
		return s.notIssued(ctx, c, s.now())
	}
	if err != nil {
		return c, err
	}
	return s.seeCredential(ctx, c, d)
}

func (s *Service) seeCredential(ctx context.Context, c Credential, d dtmclient.Credential) (Credential, error) {
	now := s.now()
	to := s.observedCredential(c, d, now)
	if to == c {
		return c, nil
	}
	if to.State == c.State {
		to.LookAt = s.nextCredentialLook(to, now)
	}
	e := byDTM(ofCredential(c, "credential.observe"))
	e.Facts = map[string]string{"name": c.Name, "status": to.DTMStatus}
	return s.recordCredential(ctx, c.State, to, e)
}
