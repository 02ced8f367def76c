package signing

import (
	"context"
	"strings"

	"countersign/mail"
)

// letter is a mail to the owner of a signature, as sentences of the catalogue of texts.
type letter struct{ subject, what, where, more string }

var letters = map[string]letter{
	"signing.released": {
		subject: "Signed: {{.Document}}",
		what:    "Your document “{{.Document}}” is signed. We read the file back and checked the signature before letting it out.",
		where:   "You find it here: {{.Link}}",
		more:    "If it was not you who signed, tell your admin at once.",
	},
	"signing.outcome_unknown": {
		subject: "Not finished: {{.Document}}",
		what:    "DigiCert was asked to sign “{{.Document}}” and gave no clear answer. No signature was put in your document, and we do not ask twice by ourselves.",
		where:   "You can begin again here: {{.Link}}",
	},
	"signing.quarantined": {
		subject: "Kept closed: {{.Document}}",
		what:    "The signature on “{{.Document}}” was not given out: what is stored is not what you approved. The document is kept closed until your admin has looked.",
		where:   "The document: {{.Link}}",
	},
	"signing.failed": {
		subject: "Not signed: {{.Document}}",
		what:    "The signature on “{{.Document}}” could not be finished. The document is as it was before. Your admin can see why in the log.",
		where:   "The document: {{.Link}}",
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
	words := s.Words
	if words == nil {
		words = mail.English{}
	}
	l, language := letters[event], words.Language(p.Reads())
	say := func(sentence string) string {
		return words.Say(language, sentence, map[string]any{"Document": d.Name, "Link": strings.TrimRight(s.PortalURL, "/") + "/documents/" + string(d.ID)})
	}
	text := say(l.what) + "\n\n" + say(l.where) + "\n"
	if l.more != "" {
		text += "\n" + say(l.more) + "\n"
	}
	t.mail(mail.Message{To: p.Email, Language: language, Subject: say(l.subject), Text: text, About: event + ":" + string(g.ID)})
}
