package dtmsim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func listProfiles(c *call) (int, any, error) {
	out := []profileWire{}
	for _, p := range profiles {
		if p.Unlisted {
			continue
		}
		out = append(out, profileWire{ID: p.ID, Name: p.Name, Status: "ACTIVE", Standard: p.Standard, SubjectType: p.Subject,
			KeyAlgorithm: p.Key, ValidityDays: p.Days, AuthMode: p.AuthMode})
	}
	return paged(c, out)
}

// listCredentialProfiles tells how credentials of each profile are authorized.
func listCredentialProfiles(c *call) (int, any, error) {
	out := []credentialProfileWire{}
	for _, p := range profiles {
		if !p.Unlisted {
			out = append(out, credentialProfileWire{ID: p.ID, Name: p.Name, Status: "ACTIVE", AuthMode: p.AuthMode, SCAL: p.SCAL, Multisign: p.Multisign})
		}
	}
	return paged(c, out)
}

// listTemplates tells what certificates of each profile are like.
func listTemplates(c *call) (int, any, error) {
	out := []templateWire{}
	for _, p := range profiles {
		if !p.Unlisted {
			out = append(out, templateWire{ID: p.ID, Name: p.Name, Status: "ACTIVE", SubjectType: p.Subject, KeyAlgorithm: p.Key, ValidityDays: p.Days})
		}
	}
	return paged(c, out)
}

func (o *organization) wire() organizationWire {
	return organizationWire{o.ID, o.Name, o.Country, o.Registration, o.Status}
}

func listOrganizations(c *call) (int, any, error) {
	out := []organizationWire{}
	for _, o := range c.st.Organizations {
		out = append(out, o.wire())
	}
	return paged(c, out)
}

func (c *call) fillOrganization(o *organization) error {
	in := organizationWire{Status: "ACTIVE"}
	if err := c.decode(&in); err != nil {
		return err
	}
	if strings.TrimSpace(in.Name) == "" || len(in.Name) > 255 {
		return invalidField("name", "name is required")
	}
	if len(in.Country) != 2 {
		return invalidField("country", "country must be two letters")
	}
	if in.Status != "ACTIVE" && in.Status != "DISABLED" {
		return invalidField("status", "status must be ACTIVE or DISABLED")
	}
	for _, other := range c.st.Organizations {
		if other.ID != o.ID && other.Name == in.Name {
			return duplicate("An organization with this name exists")
		}
	}
	o.Name, o.Country, o.Registration, o.Status = in.Name, strings.ToUpper(in.Country), in.RegistrationNumber, in.Status
	c.touch()
	return nil
}

func createOrganization(c *call) (int, any, error) {
	o := &organization{ID: c.newID()}
	if err := c.fillOrganization(o); err != nil {
		return 0, nil, err
	}
	c.st.Organizations = append(c.st.Organizations, o)
	c.record(auditRecord{Type: "organization", Resource: o.ID, Action: "create", Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Text: "Organization created"})
	return http.StatusCreated, o.wire(), nil
}

func changeOrganization(c *call) (int, any, error) {
	i := slices.IndexFunc(c.st.Organizations, func(o *organization) bool { return o.ID == c.r.PathValue("id") })
	if i < 0 {
		return 0, nil, notFound("organization")
	}
	if err := c.fillOrganization(c.st.Organizations[i]); err != nil {
		return 0, nil, err
	}
	c.record(auditRecord{Type: "organization", Resource: c.st.Organizations[i].ID, Action: "update", Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Text: "Organization changed"})
	return http.StatusOK, c.st.Organizations[i].wire(), nil
}

func listSeats(c *call) (int, any, error) {
	out := []seatWire{}
	for _, std := range standards {
		total, used := c.st.Seats[std], c.seatsUsed(std)
		out = append(out, seatWire{std, total, used, max(0, total-used)})
	}
	return paged(c, out)
}

func (s *Sim) auditWire(r auditRecord) auditWire {
	return auditWire{ID: r.ID, Account: refWire{ID: s.opt.AccountID}, ResourceType: r.Type, ResourceID: r.Resource, Action: r.Action,
		User: refWire{r.Actor, r.ActorName}, Timestamp: r.At, Description: r.Text, Status: r.Status, AuthenticationType: r.Auth,
		CertificateType: r.Credential, CertificateLevel: r.Level, Hashes: r.Hashes}
}

func listAudit(c *call) (int, any, error) {
	q := c.r.URL.Query()
	from, err := when(q.Get("from"), false)
	if err != nil {
		return 0, nil, invalidField("from", "from must be a date or a time")
	}
	to, err := when(q.Get("to"), true)
	if err != nil {
		return 0, nil, invalidField("to", "to must be a date or a time")
	}
	is := func(name, value string) bool {
		return !q.Has(name) || slices.Contains(strings.Split(q.Get(name), ","), value)
	}
	out := []auditWire{}
	for _, r := range c.audit.items {
		if c.owns(r.Actor) && is("resource_type", r.Type) && is("resource_types", r.Type) && is("resource_id", r.Resource) &&
			is("action", r.Action) && is("status", r.Status) && is("user_name", r.ActorName) && is("account_id", c.opt.AccountID) &&
			(from.IsZero() || !r.At.Before(from)) && (to.IsZero() || r.At.Before(to)) {
			out = append(out, c.auditWire(r))
		}
	}
	switch q.Get("sort") {
	case "", "-timestamp", "timestamp:desc": // newest first
		slices.Reverse(out)
	case "timestamp", "timestamp:asc":
	default:
		return 0, nil, invalidField("sort", "sort must be timestamp or -timestamp")
	}
	return paged(c, out)
}

// when reads a date or an RFC 3339 time; as the end of a span a date counts whole.
func when(text string, end bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse("2006-01-02", text); err == nil {
		if end {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err == nil && end {
		t = t.Add(time.Second) // up to and including
	}
	return t, err
}

func getAudit(c *call) (int, any, error) {
	for _, r := range c.audit.items {
		if r.ID == c.r.PathValue("id") && c.owns(r.Actor) {
			return http.StatusOK, c.auditWire(r), nil
		}
	}
	return 0, nil, notFound("audit entry")
}
