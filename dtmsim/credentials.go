package dtmsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

func (s *Sim) credential(name string) *credential {
	for _, c := range s.st.Credentials {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func profileOf(id string) profile {
	for _, p := range profiles {
		if p.ID == id {
			return p
		}
	}
	return profile{}
}

func (s *Sim) credentialWire(c *credential) credentialWire {
	p := profileOf(c.Profile)
	w := credentialWire{ID: c.ID, Name: c.Name, Nickname: c.Name, Status: c.Status, AccountID: s.opt.AccountID,
		CertificateProfile: refWire{p.ID, p.Name}, CreatedAt: c.CreatedAt}
	if u := s.user(c.User); u != nil {
		w.User = userRefWire{ID: u.ID, Name: u.name()}
	}
	for _, o := range s.st.Organizations {
		if o.ID == c.Org {
			w.Organization = refWire{o.ID, o.Name}
		}
	}
	if c.Validation != "" {
		w.ValidationID = &c.Validation
	}
	if c.cert != nil {
		w.Certificate = &certificateWire{SerialNumber: serialHex(c.cert.SerialNumber), Subject: dn(c.cert.Subject),
			ValidFrom: c.cert.NotBefore.UTC(), ValidTo: c.cert.NotAfter.UTC(), PEM: pemCert(c.cert)}
	}
	if c.Status == credRevoked {
		w.Revocation = &revocationWire{c.Reason, c.RevokedAt}
	}
	return w
}

// newCredential is what either version of create comes down to.
type newCredential struct {
	Validation string `json:"validation_id"`
	User       string `json:"user_id"`
	Account    string `json:"account_id"`
	Org        string `json:"org_id"`
	Profile    string `json:"certificate_profile_id"`
	Nickname   string `json:"nickname"`
}

func createCredentialV1(c *call) (int, any, error) {
	var in newCredential
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.Validation == "" {
		return 0, nil, invalidField("validation_id", "validation_id is required")
	}
	v := c.validation(in.Validation)
	if v == nil || !c.owns(v.User) {
		return 0, nil, invalidField("validation_id", "validation_id names no validation")
	}
	in.User = v.User
	return c.createCredential(in)
}

func createCredentialV2(c *call) (int, any, error) {
	var in newCredential
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.User == "" || in.Account == "" || in.Org == "" {
		return 0, nil, invalid("user_id, account_id and org_id are required")
	}
	if in.Account != c.opt.AccountID {
		return 0, nil, invalidField("account_id", "account_id names an unknown account")
	}
	if !slices.ContainsFunc(c.st.Organizations, func(o *organization) bool { return o.ID == in.Org && o.Status == "ACTIVE" }) {
		return 0, nil, invalidField("org_id", "org_id names no active organization")
	}
	if !c.owns(in.User) {
		return 0, nil, errDenied
	}
	in.Validation = ""
	return c.createCredential(in)
}

func (c *call) createCredential(in newCredential) (int, any, error) {
	v, err := c.mayIssue(in)
	if err != nil {
		c.record(auditRecord{Type: "credential", Resource: in.Nickname, Action: "create", Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Status: "failure", Text: "Refused"})
		return 0, nil, err
	}
	p := profileOf(in.Profile)
	cr := &credential{ID: c.newID(), Name: in.Nickname, Status: credPending, User: in.User, Org: cmpOr(in.Org, c.opt.OrgID), Profile: p.ID}
	if v != nil {
		cr.Validation = v.ID
	}
	c.unlocked(func() { cr.key, err = c.newKey(p.Key) })
	if err != nil {
		return 0, nil, err
	}
	if _, err := c.mayIssue(in); err != nil { // things may have changed while the key was made
		return 0, nil, err
	}
	if err := c.keep("credential-"+cr.ID, entity{key: cr.key}); err != nil {
		return 0, nil, err
	}
	cr.CreatedAt = c.now()
	cr.IssueAt = cr.CreatedAt.Add(c.opt.IssuanceDelay)
	c.st.Credentials = append(c.st.Credentials, cr)
	c.touch()
	c.record(auditRecord{Type: "credential", Resource: cr.Name, Action: "create", Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Credential: p.Subject, Level: p.Standard, Text: "Credential asked for"})
	wire := c.credentialWire(cr) // PENDING_ISSUANCE even when nothing delays it: callers must look again
	c.settle()
	return http.StatusCreated, wire, nil
}

// mayIssue checks a request to issue and finds the validation behind it, if there is one.
func (c *call) mayIssue(in newCredential) (*validation, error) {
	if err := checkNickname(in.Nickname); err != nil {
		return nil, err
	}
	p := profileOf(in.Profile)
	if p.ID == "" {
		return nil, invalidField("certificate_profile_id", "certificate_profile_id names no profile")
	}
	u := c.user(in.User)
	if u == nil {
		return nil, invalidField("user_id", "user_id names no user")
	}
	if !slices.Contains(u.Roles, roleSigner) {
		return nil, &apiError{status: http.StatusForbidden, code: "access_denied", message: "The user does not hold DSM_DOCUMENT_SIGNER"}
	}
	if c.credential(in.Nickname) != nil {
		return nil, duplicate("A credential with this nickname exists")
	}
	rank := slices.Index(standards, p.Standard)
	if in.Validation != "" {
		v := c.validation(in.Validation)
		if v == nil || v.Status != valApproved {
			return nil, invalidField("validation_id", "The validation is not APPROVED")
		}
		if slices.Index(standards, v.Standard) < rank {
			return nil, invalidField("certificate_profile_id", "The validation does not cover standard "+p.Standard)
		}
		return v, nil
	}
	for _, v := range c.st.Validations {
		if v.User == u.ID && v.Status == valApproved && slices.Index(standards, v.Standard) >= rank {
			return v, nil
		}
	}
	if rank > 0 {
		return nil, invalid("The user has no approved validation of standard " + p.Standard)
	}
	return nil, nil //nolint:nilnil // a BASIC credential needs no validation when made for a user
}

func checkNickname(n string) error {
	switch {
	case strings.TrimSpace(n) == "":
		return invalidField("nickname", "nickname is required")
	case len(n) > 64:
		return invalidField("nickname", "nickname is longer than 64")
	case strings.ContainsFunc(n, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalidField("nickname", "nickname has characters that cannot be shown")
	}
	return nil
}

// activate issues the certificate and tells the person.
func (s *Sim) activate(c *credential) error {
	p, u := profileOf(c.Profile), s.user(c.User)
	subject := personName(u.First, u.Last)
	if v := s.validation(c.Validation); v != nil && v.Attributes["given_name"] != "" && v.Attributes["family_name"] != "" {
		subject = personName(v.Attributes["given_name"], v.Attributes["family_name"])
	}
	if p.Subject == "SEAL" {
		subject = simName("Example BV Seal (Simulator)")
	}
	from := c.IssueAt
	cert, err := s.certifySigner(c.key, subject, from, from.AddDate(0, 0, p.Days))
	if err != nil {
		return err
	}
	if err := s.keep("credential-"+c.ID, entity{key: c.key, cert: cert}); err != nil {
		return err
	}
	if err := s.note(LedgerEntry{Kind: LedgerCredentialIssued, User: c.User, Credential: c.Name}); err != nil {
		return err
	}
	c.cert, c.Status = cert, credActive
	s.touch()
	if p.PIN && u.PIN == "" {
		s.newPIN(u)
	}
	s.mail(Mail{To: u.Email, Subject: "Your digital ID is ready",
		Text: "Dear " + u.name() + ",\n\nyour credential " + c.Name + " is ready to sign with.\n" + factorText(p) + "\n"})
	return nil
}

func factorText(p profile) string {
	switch {
	case p.AuthMode == "oauth2code":
		return "Each signing is approved on a page of this service."
	case p.Push:
		return "Each signing is approved on your phone."
	case p.PIN && p.OTP == "online":
		return "Signing asks for your PIN and a code that is sent to your phone."
	case p.PIN && p.OTP == "offline":
		return "Signing asks for your PIN and the code your authenticator shows."
	case p.PIN:
		return "Signing asks for your PIN."
	case p.OTP == "offline":
		return "Signing asks for the code your authenticator shows."
	case p.OTP == "online":
		return "Signing asks for a code that is sent to your phone."
	}
	return "Signing asks for nothing further."
}

// newPIN sets and mails a PIN and lifts the lock.
func (s *Sim) newPIN(u *user) {
	u.PIN, u.PINTries, u.PINLocked = s.digits(pinDigits), 0, false
	s.mail(Mail{To: u.Email, Subject: "Your PIN", PIN: u.PIN,
		Text: "Dear " + u.name() + ",\n\nthis is your PIN for signing. It counts for all your credentials.\n"})
	s.touch()
}

// ofActor finds a credential the caller may see; a signer sees only their own.
func (c *call) ofActor() (*credential, error) {
	cr := c.credential(c.r.PathValue("name"))
	if cr == nil || !c.owns(cr.User) {
		return nil, &apiError{status: http.StatusNotFound, code: "resource_not_found", message: "No credential with this name"}
	}
	return cr, nil
}

func getCredential(c *call) (int, any, error) {
	cr, err := c.ofActor()
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, c.credentialWire(cr), nil
}

func listCredentials(c *call) (int, any, error) {
	q := c.r.URL.Query()
	out := []credentialWire{}
	for _, cr := range c.st.Credentials {
		if c.owns(cr.User) && (!q.Has("status") || q.Get("status") == cr.Status) && (!q.Has("user_id") || q.Get("user_id") == cr.User) {
			out = append(out, c.credentialWire(cr))
		}
	}
	slices.Reverse(out)
	return paged(c, out)
}

func (c *call) done(cr *credential, action string) (int, any, error) {
	p := profileOf(cr.Profile)
	c.touch()
	c.record(auditRecord{Type: "credential", Resource: cr.Name, Action: action, Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Credential: p.Subject, Level: p.Standard, Text: "Credential is " + cr.Status})
	return http.StatusOK, c.credentialWire(cr), nil
}

func (c *call) wrongState(cr *credential, action string) error {
	c.record(auditRecord{Type: "credential", Resource: cr.Name, Action: action, Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Status: "failure", Text: "Refused: credential is " + cr.Status})
	return invalid(fmt.Sprintf("Credential is %s; %s is not possible", cr.Status, action))
}

func cancelCredential(c *call) (int, any, error) {
	cr, err := c.ofActor()
	if err != nil {
		return 0, nil, err
	}
	if cr.Status != credPending {
		return 0, nil, c.wrongState(cr, "cancel")
	}
	cr.Status = credDeactivated
	c.noteCredential(LedgerCredentialCancelled, cr)
	return c.done(cr, "cancel")
}

func revocationReason(text string) (string, error) {
	r := strings.ToUpper(strings.TrimSpace(text))
	if _, ok := revocationReasons[r]; !ok || r == reasonHold {
		return "", invalidField("revocation_reason", "revocation_reason must be KEY_COMPROMISE, AFFILIATION_CHANGED, SUPERSEDED or CESSATION_OF_OPERATION")
	}
	return r, nil
}

func revokeCredential(c *call) (int, any, error) {
	cr, err := c.ofActor()
	if err != nil {
		return 0, nil, err
	}
	var in struct {
		Reason  string `json:"revocation_reason"`
		Reason2 string `json:"reason"`
		User    string `json:"user_id"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	reason, err := revocationReason(cmpOr(in.Reason, in.Reason2))
	if err != nil {
		return 0, nil, err
	}
	if in.User != "" && in.User != cr.User {
		return 0, nil, invalidField("user_id", "user_id is not the holder of the credential")
	}
	if cr.Status != credActive && cr.Status != credSuspended {
		return 0, nil, c.wrongState(cr, "revoke")
	}
	c.leaveActive(cr, credRevoked, reason)
	return c.done(cr, "revoke")
}

func suspendCredential(c *call) (int, any, error) {
	cr, err := c.ofActor()
	if err != nil {
		return 0, nil, err
	}
	if cr.Status != credActive {
		return 0, nil, c.wrongState(cr, "suspend")
	}
	c.leaveActive(cr, credSuspended, reasonHold)
	return c.done(cr, "suspend")
}

func resumeCredential(c *call) (int, any, error) {
	cr, err := c.ofActor()
	if err != nil {
		return 0, nil, err
	}
	if cr.Status != credSuspended {
		return 0, nil, c.wrongState(cr, "resume")
	}
	cr.Status, cr.Reason, cr.RevokedAt = credActive, "", time.Time{}
	c.noteCredential(LedgerCredentialResumed, cr)
	return c.done(cr, "resume")
}

// leaveActive ends or holds a credential; its live SADs and pushes die with it.
func (s *Sim) leaveActive(c *credential, status, reason string) {
	c.Status, c.Reason, c.RevokedAt = status, reason, s.now()
	s.touch()
	if status == credSuspended {
		s.noteCredential(LedgerCredentialSuspended, c)
	} else {
		s.noteCredential(LedgerCredentialRevoked, c)
	}
	for value, d := range s.sads {
		if d.credential == c {
			s.killSAD(value, d, "credential is "+status)
		}
	}
	for _, p := range s.pushes {
		if p.credential == c {
			p.decide(pushWithdrawn)
		}
	}
}
