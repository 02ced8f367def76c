package signing

import (
	"context"
	"strings"

	"countersign/mail"
	"countersign/people"
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
	"signing.over": {
		subject: "Signing of {{.Count}} documents is over",
		what:    "The signing of {{.Count}} documents that you approved is over. Each file that was signed was read back and checked before it was let out.",
		where:   "What became of each of them stands here: {{.Link}}",
		more:    "If it was not you who signed, tell your admin at once.",
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
	if together, err := s.Store.Signatures(ctx, g.Ceremony); err == nil && len(asked(together)) > 1 {
		s.tellWhenOver(ctx, t, together)
		if event != "signing.quarantined" { // which is about the document, not about the signing
			return
		}
	}
	p, err := s.Store.Person(ctx, g.Owner)
	if err != nil {
		s.Log.WarnContext(ctx, "no mail: the person cannot be read", "signature", g.ID, "error", err)
		return
	}
	d, err := s.Store.Document(ctx, g.Owner, g.Document)
	if err != nil || p.Email == "" || p.Disabled {
		return
	}
	t.mail(s.letter(p, event, event+":"+string(g.ID), map[string]any{"Document": d.Name, "Link": s.link("/documents/" + string(d.ID))}))
}

// tellWhenOver adds the one mail about a ceremony over several documents, for the change that
// ends the last of them.
func (s *Service) tellWhenOver(ctx context.Context, t *step, together []Signature) {
	together = asked(together)
	if len(together) < 2 || len(t.Over) > 0 {
		return
	}
	c := together[0].Ceremony
	p, err := s.Store.Person(ctx, together[0].Owner)
	if err != nil {
		s.Log.WarnContext(ctx, "no mail: the person cannot be read", "ceremony", c, "error", err)
		return
	}
	if p.Email == "" || p.Disabled {
		return
	}
	const event = "signing.over"
	t.Over = []OverMail{{Ceremony: c, Mail: s.letter(p, event, event+":"+string(c), map[string]any{"Count": len(together), "Link": s.link("/ceremonies/" + string(c))})}}
}

// asked leaves out what was taken out before anybody approved.
func asked(all []Signature) (some []Signature) {
	for _, g := range all {
		if g.State != SignatureCancelled {
			some = append(some, g)
		}
	}
	return some
}

func (s *Service) link(path string) string { return strings.TrimRight(s.PortalURL, "/") + path }

// letter writes a mail in the language of its reader.
func (s *Service) letter(p people.Person, event, about string, values map[string]any) mail.Message {
	words := s.Words
	if words == nil {
		words = mail.English{}
	}
	l, language := letters[event], words.Language(p.Reads())
	say := func(sentence string) string { return words.Say(language, sentence, values) }
	text := say(l.what) + "\n\n" + say(l.where) + "\n"
	if l.more != "" {
		text += "\n" + say(l.more) + "\n"
	}
	return mail.Message{To: p.Email, Language: language, Subject: say(l.subject), Text: text, About: about}
}
