package signing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"countersign/audit"
	"countersign/mail"
	"countersign/people"
)

// step gathers one Change: every move of a row with its audit entry and topics. Rows are
// taken as they are when the step is applied, and have the next version afterwards; a
// row of a step that failed must be read again.
type step struct {
	actor   people.Actor
	now     time.Time
	rows    []func(*Change)
	bump    []*int64
	entries []*audit.Entry
	wrong   error

	Change
}

func (s *Service) step(a people.Actor) *step { return &step{actor: a, now: s.now()} }

func (t *step) topic(topics ...string) {
	for _, topic := range topics {
		if !slices.Contains(t.Topics, topic) {
			t.Topics = append(t.Topics, topic)
		}
	}
}

// entry adds a line to the audit log and answers it, for facts to be added.
func (t *step) entry(e audit.Entry) *audit.Entry {
	if e.Outcome == "" {
		e.Outcome = audit.Done
	}
	e = e.By(t.actor)
	t.entries = append(t.entries, &e)
	return &e
}

func (t *step) document(d *Document, to DocumentState, deadline time.Time, action string) *audit.Entry {
	from := d.State
	if !CanMoveDocument(from, to) {
		t.wrong = fmt.Errorf("document may not go from %q to %q", from, to)
	}
	if from != to {
		d.Since = t.now
	}
	d.State, d.Deadline = to, deadline
	t.rows = append(t.rows, func(c *Change) {
		c.Documents = append(c.Documents, Moved[DocumentState, Document]{From: from, To: *d})
	})
	if from != "" {
		t.bump = append(t.bump, &d.Version)
	}
	t.topic(DocumentTopic(d.ID), PersonTopic(d.Owner))
	if action == "" {
		return &audit.Entry{}
	}
	return t.entry(audit.Entry{Action: action, Object: "document", Subject: string(d.ID), Owner: d.Owner,
		From: string(from), To: string(to), Reason: d.Reason})
}

func (t *step) ceremony(c *Ceremony, to CeremonyState, deadline time.Time, action string) *audit.Entry {
	from := c.State
	if !CanMoveCeremony(from, to) {
		t.wrong = fmt.Errorf("ceremony may not go from %q to %q", from, to)
	}
	if from != to {
		c.Since = t.now
	}
	c.State, c.Deadline = to, deadline
	t.rows = append(t.rows, func(ch *Change) {
		ch.Ceremonies = append(ch.Ceremonies, Moved[CeremonyState, Ceremony]{From: from, To: *c})
	})
	if from != "" {
		t.bump = append(t.bump, &c.Version)
	}
	t.topic(CeremonyTopic(c.ID), PersonTopic(c.Owner))
	if action == "" {
		return &audit.Entry{}
	}
	return t.entry(audit.Entry{Action: action, Object: "ceremony", Subject: string(c.ID), Owner: c.Owner,
		From: string(from), To: string(to), Reason: c.Reason})
}

func (t *step) signature(g *Signature, to SignatureState, deadline time.Time, action string) *audit.Entry {
	from := g.State
	if !CanMoveSignature(from, to) {
		t.wrong = fmt.Errorf("signature may not go from %q to %q", from, to)
	}
	if from != to {
		g.Since = t.now
	}
	g.State, g.Deadline = to, deadline
	t.rows = append(t.rows, func(c *Change) {
		c.Signatures = append(c.Signatures, Moved[SignatureState, Signature]{From: from, To: *g})
	})
	if from != "" {
		t.bump = append(t.bump, &g.Version)
	}
	t.topic(CeremonyTopic(g.Ceremony), DocumentTopic(g.Document), PersonTopic(g.Owner))
	if action == "" {
		return &audit.Entry{}
	}
	return t.entry(audit.Entry{Action: action, Object: "signature", Subject: string(g.ID), Owner: g.Owner,
		From: string(from), To: string(to), Reason: g.Reason,
		Facts: map[string]string{"document": string(g.Document), "ceremony": string(g.Ceremony)}})
}

func (t *step) job(j Job, at time.Time) { t.Jobs = append(t.Jobs, DueJob{Job: j, At: at}) }

func (t *step) mail(m mail.Message) { t.Mail = append(t.Mail, m) }

// apply makes it so. The errors are the store's own.
func (s *Service) apply(ctx context.Context, t *step) error {
	if t.wrong != nil {
		return internal(t.wrong)
	}
	c := t.Change
	for _, row := range t.rows {
		row(&c)
	}
	for _, e := range t.entries {
		c.Entries = append(c.Entries, *e)
	}
	if err := s.Store.Apply(ctx, c); err != nil {
		return err
	}
	for _, v := range t.bump {
		*v++
	}
	s.observe(c)
	return nil
}

func (s *Service) observe(c Change) {
	for _, m := range c.Documents {
		moved(s, "document", m.From, m.To.State)
	}
	for _, m := range c.Ceremonies {
		moved(s, "ceremony", m.From, m.To.State)
	}
	for _, m := range c.Signatures {
		moved(s, "signature", m.From, m.To.State)
	}
	for _, m := range c.Extensions {
		moved(s, "extension", m.From, m.To.State)
	}
}

func moved[S ~string](s *Service, object string, from, to S) {
	if from != to {
		s.Observe(object, string(from), string(to))
	}
}
