package signing

import (
	"context"
	"strings"

	"countersign/mail"
)

// letter is a mail to the owner of a signature. {{document}} and {{link}} are filled in.
type letter struct{ subject, text string }

var letters = map[string]letter{
	"signing.released": {
		subject: "Signed: {{document}}",
		text: "Your document \"{{document}}\" is signed. We read the file back and checked the signature before letting it out.\n\n" +
			"You find it here: {{link}}\n\nIf it was not you who signed, tell your admin at once.\n",
	},
	"signing.outcome_unknown": {
		subject: "Not finished: {{document}}",
		text: "DigiCert was asked to sign \"{{document}}\" and gave no clear answer. No signature was put in your document, and we do not ask twice by ourselves.\n\n" +
			"You can begin again here: {{link}}\n",
	},
	"signing.failed": {
		subject: "Not signed: {{document}}",
		text: "The signature on \"{{document}}\" could not be finished. The document is as it was before. Your admin can see why in the log.\n\n" +
			"The document: {{link}}\n",
	},
}

// tell adds a mail about a signature to the step, one for each event. Somebody without an
// address sees it on the page only; so does everybody when the address cannot be read now,
// for no signature fails over a mail.
func (s *Service) tell(ctx context.Context, t *step, g Signature, event string) {
	p, err := s.Store.Person(ctx, g.Owner)
	if err != nil {
		s.Log.WarnContext(ctx, "no mail: the person cannot be read", "signature", g.ID, "error", err)
		return
	}
	d, err := s.Store.Document(ctx, g.Owner, g.Document)
	if err != nil || p.Email == "" || p.Disabled {
		return
	}
	l := letters[event]
	fill := strings.NewReplacer("{{document}}", d.Name, "{{link}}", strings.TrimRight(s.PortalURL, "/")+"/documents/"+string(d.ID))
	t.mail(mail.Message{To: p.Email, Subject: fill.Replace(l.subject), Text: fill.Replace(l.text), About: event + ":" + string(g.ID)})
}
