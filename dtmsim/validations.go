package dtmsim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// validation is one identity check of one user.
type validation struct {
	ID         string            `json:"id"`
	User       string            `json:"user"`
	Profile    string            `json:"profile"`
	Standard   string            `json:"standard"`
	Status     string            `json:"status"`
	Link       string            `json:"link"` // secret part of the mailed links
	EmailAt    time.Time         `json:"email_at"`
	Identity   string            `json:"identity"`
	IdentityAt time.Time         `json:"identity_at"`
	Attributes map[string]string `json:"attributes"`
	Correction string            `json:"correction"` // why papers are wanted again
	Reason     string            `json:"reason"`     // of a rejection
	CreatedAt  time.Time         `json:"created_at"`
	OpenUntil  time.Time         `json:"open_until"`
	ApprovedAt time.Time         `json:"approved_at"`
	ApprovedBy string            `json:"approved_by"`
}

func (v *validation) open() bool {
	return v.Status == valEmail || v.Status == valIdentity || v.Status == valApproval
}

func (v *validation) basic() bool { return v.Standard == "BASIC" }

// holdsSeat tells whether an approved validation occupies a seat.
func (v *validation) holdsSeat() bool { return v.Status == valApproved || v.Status == valDisabled }

func (s *Sim) validation(id string) *validation {
	for _, v := range s.st.Validations {
		if v.ID == id {
			return v
		}
	}
	return nil
}

func (s *Sim) validationWire(v *validation) validationWire {
	w := validationWire{ID: v.ID, Status: v.Status, Standard: v.Standard, CreatedAt: v.CreatedAt}
	for _, p := range validationProfiles {
		if p.ID == v.Profile {
			w.ValidationProfile = refWire{p.ID, p.Name}
		}
	}
	if u := s.user(v.User); u != nil {
		w.User = userRefWire{u.ID, u.name(), u.Email}
	}
	w.Email = emailWire{Verified: !v.EmailAt.IsZero(), VerifiedAt: timeOrNil(v.EmailAt)}
	if v.Identity != "" {
		w.Identity = &identityWire{Method: "AUTO_IDENT", Provider: "simulator", Status: v.Identity, Reason: v.Correction, UpdatedAt: v.IdentityAt}
		if v.Status == valIdentity && (v.Identity == idActionNeeded || v.Identity == idResubmit) {
			w.Identity.URL = s.url("/proofing/%s", v.Link)
		}
		if v.Identity != idActionNeeded {
			w.Identity.Attributes = v.Attributes
		}
	}
	if !v.ApprovedAt.IsZero() {
		w.ApprovedAt, w.ApprovedBy = &v.ApprovedAt, &v.ApprovedBy
	}
	if v.Reason != "" {
		w.RejectReason = &v.Reason
	}
	return w
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func createValidation(c *call) (int, any, error) {
	var in struct {
		User     string `json:"user_id"`
		Email    string `json:"email"`
		First    string `json:"first_name"`
		Last     string `json:"last_name"`
		Profile  string `json:"validation_profile_id"`
		Standard string `json:"standard"`
		Account  string `json:"account_id"`
		Org      string `json:"organization_id"`
		Locale   string `json:"locale"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.User == "" {
		return 0, nil, invalidField("user_id", "user_id is required")
	}
	u := c.user(in.User)
	if u == nil {
		return 0, nil, invalidField("user_id", "user_id names no user")
	}
	if in.Email != "" && !strings.EqualFold(in.Email, u.Email) {
		return 0, nil, invalidField("email", "email is not that of the user")
	}
	if in.Account != "" && in.Account != c.opt.AccountID {
		return 0, nil, invalidField("account_id", "account_id names an unknown account")
	}
	p, err := validationProfileFor(in.Profile, in.Standard)
	if err != nil {
		return 0, nil, err
	}
	for _, o := range c.st.Validations {
		if o.User == u.ID && o.Standard == p.Standard && (o.open() || o.holdsSeat()) {
			return 0, nil, duplicate("The user has a validation of this standard")
		}
	}
	v := &validation{ID: c.newID(), User: u.ID, Profile: p.ID, Standard: p.Standard, CreatedAt: c.now()}
	c.st.Validations = append(c.st.Validations, v)
	c.startValidation(v)
	c.recordValidation(v, "create", "Validation started")
	return http.StatusCreated, c.validationWire(v), nil
}

func validationProfileFor(id, standard string) (validationProfile, error) {
	for _, p := range validationProfiles {
		if p.ID != id && (id != "" || p.Standard != standard) {
			continue
		}
		if standard != "" && p.Standard != standard {
			return p, invalidField("standard", "standard is not that of the validation profile")
		}
		return p, nil
	}
	if id != "" {
		return validationProfile{}, invalidField("validation_profile_id", "validation_profile_id names no profile")
	}
	return validationProfile{}, invalidField("standard", "standard must be BASIC, ADVANCED_PLUS or QUALIFIED")
}

func (c *call) recordValidation(v *validation, action, text string) {
	c.record(auditRecord{Type: "validation", Resource: v.ID, Action: action, Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Level: v.Standard, Text: text})
}

// startValidation (again): wait for the mailed link.
func (s *Sim) startValidation(v *validation) {
	v.Status, v.EmailAt, v.Link = valEmail, time.Time{}, s.secret()
	v.Identity, v.IdentityAt, v.Attributes, v.Correction, v.Reason = "", time.Time{}, nil, "", ""
	v.ApprovedAt, v.ApprovedBy = time.Time{}, ""
	v.OpenUntil = s.now().Add(validationOpenLife)
	u := s.user(v.User)
	s.mail(Mail{To: u.Email, Subject: "Welcome: confirm your e-mail", Link: s.url("/confirm/%s", v.Link), Label: "Confirm your e-mail",
		Text: "Dear " + u.name() + ",\n\nan identity check was started for you. Confirm that this address is yours, and it goes on.\n"})
	s.touch()
}

func (s *Sim) toApproval(v *validation) {
	v.Status = valApproval
	s.touch()
	if s.opt.AutoApprove {
		if err := s.approve(v, "auto-approval"); err != nil {
			s.log.Info("dtmsim: auto-approval", "validation", v.ID, "err", err)
			return
		}
		s.recordBy(v, "approve", "Approved by rule")
	}
}

// approve takes the seat.
func (s *Sim) approve(v *validation, by string) error {
	if v.Status != valApproval {
		return invalid("Validation is " + v.Status + " and cannot be approved")
	}
	if s.seatsUsed(v.Standard) >= s.st.Seats[v.Standard] {
		return invalid("No free seat for standard " + v.Standard)
	}
	if err := s.note(LedgerEntry{Kind: LedgerSeatTaken, User: v.User, Text: v.Standard}); err != nil {
		return err
	}
	v.Status, v.ApprovedAt, v.ApprovedBy = valApproved, s.now(), by
	s.touch()
	return nil
}

func (s *Sim) seatsUsed(standard string) int {
	n := 0
	for _, v := range s.st.Validations {
		if v.Standard == standard && v.holdsSeat() {
			n++
		}
	}
	return n
}

func listValidations(c *call) (int, any, error) {
	q := c.r.URL.Query()
	out := []validationWire{}
	for _, v := range c.st.Validations {
		u := c.user(v.User)
		if (!q.Has("status") || slices.Contains(strings.Split(q.Get("status"), ","), v.Status)) &&
			(!q.Has("user_id") || q.Get("user_id") == v.User) &&
			(!q.Has("email") || strings.EqualFold(q.Get("email"), u.Email)) {
			out = append(out, c.validationWire(v))
		}
	}
	slices.Reverse(out) // newest first
	return paged(c, out)
}

func getValidation(c *call) (int, any, error) {
	v := c.validation(c.r.PathValue("id"))
	if v == nil {
		return 0, nil, notFound("validation")
	}
	return http.StatusOK, c.validationWire(v), nil
}

// changeValidation does approve, reject, cancel, disable and restart.
func changeValidation(c *call, verb string) (int, any, error) {
	v := c.validation(c.r.PathValue("id"))
	if v == nil {
		return 0, nil, notFound("validation")
	}
	var in struct {
		Reason string `json:"reason"`
		Step   string `json:"step"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if c.reach == basicOnly && !v.basic() {
		return 0, nil, errDenied
	}
	if err := c.moveValidation(v, verb, in.Reason, in.Step); err != nil {
		c.record(auditRecord{Type: "validation", Resource: v.ID, Action: verb, Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Status: "failure", Level: v.Standard, Text: "Refused"})
		return 0, nil, err
	}
	c.recordValidation(v, verb, "Validation is "+v.Status)
	return http.StatusOK, c.validationWire(v), nil
}

func (c *call) moveValidation(v *validation, verb, reason, step string) error {
	wrong := invalid("Validation is " + v.Status + "; " + verb + " is not possible")
	switch verb {
	case "approve":
		return c.approve(v, c.actor.name)
	case "reject":
		if v.Status != valIdentity && v.Status != valApproval {
			return wrong
		}
		if strings.TrimSpace(reason) == "" {
			return invalidField("reason", "reason is required")
		}
		v.Status, v.Reason = valRejected, reason
	case "cancel":
		if !v.open() {
			return wrong
		}
		v.Status = valCancelled
	case "disable":
		if v.Status != valApproved {
			return wrong
		}
		v.Status = valDisabled
	case "restart":
		return c.restart(v, reason, step, wrong)
	}
	c.touch()
	return nil
}

// restart begins again, lifts a block, or with a step asks for a correction.
func (c *call) restart(v *validation, reason, step string, wrong error) error {
	switch {
	case v.Status == valDisabled && step == "":
		v.Status = valApproved
		c.touch()
	case v.Status == valApproval && step == "IDENTITY":
		if v.basic() {
			return invalidField("step", "a BASIC validation has no identity step")
		}
		c.wantAgain(v, reason)
	case (v.Status == valRejected || v.Status == valCancelled || v.Status == valExpired) && step == "":
		c.startValidation(v)
	default:
		return wrong
	}
	return nil
}

// deleteValidation revokes every credential behind it and gives the seat back.
func deleteValidation(c *call) (int, any, error) {
	v := c.validation(c.r.PathValue("id"))
	if v == nil {
		return 0, nil, notFound("validation")
	}
	if c.reach == basicOnly && !v.basic() {
		return 0, nil, errDenied
	}
	var in struct {
		Reason  string `json:"revocation_reason"`
		Reason2 string `json:"reason"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	reason, err := revocationReason(cmpOr(in.Reason, in.Reason2, c.r.URL.Query().Get("revocation_reason"), "CESSATION_OF_OPERATION"))
	if err != nil {
		return 0, nil, err
	}
	for _, cr := range c.st.Credentials {
		if cr.Validation != v.ID {
			continue
		}
		switch cr.Status {
		case credActive, credSuspended:
			c.leaveActive(cr, credRevoked, reason)
		case credPending:
			cr.Status = credDeactivated
			c.noteCredential(LedgerCredentialCancelled, cr)
		}
	}
	c.st.Validations = slices.DeleteFunc(c.st.Validations, func(o *validation) bool { return o == v })
	c.touch()
	c.recordValidation(v, "delete", "Validation deleted")
	return 0, nil, nil
}

func cmpOr(values ...string) string {
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			return v
		}
	}
	return ""
}
