package dtmsim

import (
	"net/url"
	"slices"
	"strings"
)

// deskCase is a validation as the desk shows it.
type deskCase struct {
	ID, Name, Email, Standard, Word string
	InProofing                      bool
}

// identityWords say the sub-states as a signer is told them.
var identityWords = map[string]string{idActionNeeded: "Action needed", idSubmitted: "Submitted", idInReview: "In review", idVerified: "Verified", idResubmit: "Wanted again"}

var statusWords = map[string]string{valEmail: "Waits for e-mail", valApproval: "Waits for approval", valApproved: "Approved", valRejected: "Refused",
	valCancelled: "Cancelled", valExpired: "Expired", valDisabled: "Disabled"}

func (s *Sim) deskCase(v *validation) deskCase {
	u := s.user(v.User)
	c := deskCase{ID: v.ID, Name: u.name(), Email: u.Email, Standard: v.Standard, Word: statusWords[v.Status], InProofing: v.Status == valIdentity}
	if c.InProofing {
		c.Word = identityWords[v.Identity]
	}
	return c
}

const othersShown = 20

func showDesk(v *visit) {
	page := struct {
		frame
		Open, Done []deskCase
	}{frame: frame{Title: "Proofing desk", Nav: "desk", Live: true}}
	for _, val := range slices.Backward(v.st.Validations) {
		switch c := v.deskCase(val); {
		case c.InProofing:
			page.Open = append(page.Open, c)
		case len(page.Done) < othersShown:
			page.Done = append(page.Done, c)
		}
	}
	v.show("desk", page)
}

type deskField struct{ Key, Label, Value string }

type deskStep struct {
	Step, Label    string
	Possible, Main bool
}

func (s *Sim) deskFields(v *validation) []deskField {
	values := v.Attributes
	if values == nil {
		values = s.likelyAttributes(v)
	}
	var out []deskField
	for _, a := range attributeNames {
		out = append(out, deskField{a.Key, a.Label, values[a.Key]})
	}
	return out
}

func deskSteps(v *validation) []deskStep {
	wants := v.Identity == idActionNeeded || v.Identity == idResubmit
	sent := v.Identity == idSubmitted
	review := v.Identity == idInReview
	return []deskStep{
		{stepSubmit, "Submit papers", wants, wants},
		{stepReview, "Start review", sent, sent},
		{stepVerify, "Verified", sent || review, review},
		{stepAgain, "Ask to send again", sent || review, false},
		{stepRefuse, "Refuse", true, false},
	}
}

func showPapers(v *visit) { papersPage(v, "") }

func papersPage(v *visit, flash string) {
	val := v.validation(v.r.PathValue("id"))
	if val == nil {
		v.missing()
		return
	}
	page := struct {
		frame
		Case   deskCase
		Fields []deskField
		Shown  []deskField
		Steps  []deskStep
	}{frame{Title: "Papers of " + v.user(val.User).name(), Nav: "desk", Flash: flash}, v.deskCase(val), v.deskFields(val), nil, deskSteps(val)}
	if val.Attributes != nil {
		page.Shown = page.Fields
	}
	v.show("papers", page)
}

// attributesOf reads the form of papers.
func attributesOf(v *visit) map[string]string {
	out := map[string]string{}
	for _, a := range attributeNames {
		if text := strings.TrimSpace(v.r.PostFormValue(a.Key)); text != "" && len(text) <= 200 {
			out[a.Key] = text
		}
	}
	return out
}

func decidePapers(v *visit) {
	val := v.validation(v.r.PathValue("id"))
	if val == nil {
		v.missing()
		return
	}
	if err := v.proof(val, v.r.PostFormValue("step"), attributesOf(v), v.r.PostFormValue("why")); err != nil {
		papersPage(v, "That was not possible: the case has moved on.")
		return
	}
	v.goTo("/desk/" + url.PathEscape(val.ID))
}

func (s *Sim) byLink(link string) *validation {
	for _, v := range s.st.Validations {
		if v.Link == link {
			return v
		}
	}
	return nil
}

// confirmByLink is the link of the welcome mail. It acts on a plain click, as such links do.
func confirmByLink(v *visit) {
	val := v.byLink(v.r.PathValue("link"))
	if val == nil {
		v.missing()
		return
	}
	page := struct {
		frame
		Words, Next string
	}{frame{Title: "E-mail confirmed", Nav: "mailbox"}, "Your address is confirmed. An approver looks at your request next; there is nothing more to do here.", ""}
	if val.Status == valEmail {
		if err := v.confirmEmail(val); err != nil {
			v.log.Error("dtmsim: confirm", "err", err)
		}
	}
	if val.Status == valIdentity {
		page.Words, page.Next = "Your address is confirmed. Next, show your papers.", "/proofing/"+url.PathEscape(val.Link)
	}
	v.show("confirmed", page)
}

func showProofing(v *visit) {
	val := v.byLink(v.r.PathValue("link"))
	if val == nil || val.Status == valEmail {
		v.missing()
		return
	}
	can := val.Status == valIdentity && (val.Identity == idActionNeeded || val.Identity == idResubmit)
	v.show("proofing", struct {
		frame
		Case      deskCase
		CanSubmit bool
		Why, Link string
		Fields    []deskField
	}{frame{Title: "Show your papers", Live: !can}, v.deskCase(val), can, val.Correction, val.Link, v.deskFields(val)})
}

func submitPapers(v *visit) {
	val := v.byLink(v.r.PathValue("link"))
	if val == nil {
		v.missing()
		return
	}
	if err := v.proof(val, stepSubmit, attributesOf(v), ""); err != nil {
		v.log.Info("dtmsim: papers came twice", "validation", val.ID)
	}
	v.goTo("/proofing/" + url.PathEscape(val.Link))
}
