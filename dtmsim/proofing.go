package dtmsim

import (
	"slices"
	"time"
)

// confirmEmail is what the mailed link does.
func (s *Sim) confirmEmail(v *validation) error {
	if v.Status != valEmail {
		return invalid("This validation does not wait for an e-mail confirmation")
	}
	v.EmailAt = s.now()
	if v.basic() {
		s.toApproval(v)
		return nil
	}
	v.Status, v.Identity, v.IdentityAt = valIdentity, idActionNeeded, s.now()
	s.mailProofing(v, "")
	s.touch()
	return nil
}

func (s *Sim) mailProofing(v *validation, why string) {
	u := s.user(v.User)
	text := "Dear " + u.name() + ",\n\nyour address is confirmed. Show your papers next; it takes a few minutes.\n"
	if why != "" {
		text = "Dear " + u.name() + ",\n\nyour papers are wanted once more: " + why + "\n"
	}
	s.mail(Mail{To: u.Email, Subject: "Show your papers", Link: s.url("/proofing/%s", v.Link), Label: "Show your papers", Text: text})
}

// The steps of proofing, as the person, the desk or a control route takes them.
const (
	stepSubmit = "submit"
	stepReview = "start-review"
	stepVerify = "verify"
	stepAgain  = "resubmit"
	stepRefuse = "refuse"
)

// proof takes one step of proofing. Attributes may accompany any step; why goes with resubmit and refuse.
func (s *Sim) proof(v *validation, step string, attributes map[string]string, why string) error {
	if v.Status != valIdentity {
		return invalid("This validation is not in proofing")
	}
	from := map[string][]string{
		stepSubmit: {idActionNeeded, idResubmit},
		stepReview: {idSubmitted},
		stepVerify: {idSubmitted, idInReview},
		stepAgain:  {idSubmitted, idInReview},
		stepRefuse: {idActionNeeded, idResubmit, idSubmitted, idInReview},
	}[step]
	if !slices.Contains(from, v.Identity) {
		return invalid("The papers are " + v.Identity + "; this step does not follow")
	}
	if attributes != nil {
		v.Attributes = attributes
	} else if v.Attributes == nil {
		v.Attributes = s.likelyAttributes(v)
	}
	v.IdentityAt, v.Correction = s.now(), ""
	s.touch()
	switch step {
	case stepSubmit:
		v.Identity = idSubmitted
	case stepReview:
		v.Identity = idInReview
	case stepVerify:
		v.Identity = idVerified
		s.toApproval(v)
	case stepAgain:
		s.wantAgain(v, why)
	case stepRefuse:
		v.Status, v.Reason = valRejected, cmpOr(why, "PROOFING_FAILED")
		s.recordBy(v, "reject", "Proofing refused")
	}
	return nil
}

func (s *Sim) wantAgain(v *validation, why string) {
	v.Status, v.Identity, v.IdentityAt, v.Correction = valIdentity, idResubmit, s.now(), cmpOr(why, "DOCUMENT_UNREADABLE")
	s.mailProofing(v, v.Correction)
	s.touch()
}

// recordBy notes what proofing or time did, not a caller.
func (s *Sim) recordBy(v *validation, action, text string) {
	s.record(auditRecord{Type: "validation", Resource: v.ID, Action: action, Actor: "simulator", ActorName: "Simulator", Auth: "internal", Level: v.Standard, Text: text})
}

// settleValidation lets proofing go on by itself and what is too old expire.
func (s *Sim) settleValidation(v *validation, now time.Time) {
	if auto := s.opt.ProofingAuto; auto > 0 && v.Status == valIdentity {
		if v.Identity == idSubmitted && !now.Before(v.IdentityAt.Add(auto/2)) {
			at := v.IdentityAt
			_ = s.proof(v, stepReview, nil, "") // submitted papers always go to review
			v.IdentityAt = at.Add(auto / 2)
		}
		if v.Identity == idInReview && !now.Before(v.IdentityAt.Add(auto/2)) {
			_ = s.proof(v, stepVerify, nil, "") // and from there to verified
		}
	}
	if v.open() && v.Status != valApproval && now.After(v.OpenUntil) || v.Status == valApproved && now.After(v.ApprovedAt.Add(validationApprovedLife)) {
		v.Status = valExpired
		s.recordBy(v, "expire", "Expired")
		s.touch()
	}
}

// likelyAttributes are made up for a user: the desk edits them.
func (s *Sim) likelyAttributes(v *validation) map[string]string {
	u := s.user(v.User)
	return map[string]string{"given_name": u.First, "family_name": u.Last, "birth_date": "1990-04-12", "birth_place": "Utrecht", "nationality": "NL",
		"document_type": "PASSPORT", "document_number": "SPECI2026", "document_expires": s.now().AddDate(6, 0, 0).Format("2006-01-02")}
}
