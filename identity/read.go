package identity

import (
	"context"

	"countersign/audit"
	"countersign/dtmclient"
	"countersign/people"
)

// Validation reads an identity check: one's own, or anybody's for an admin or auditor.
func (s *Service) Validation(ctx context.Context, a people.Actor, id ValidationID) (Validation, error) {
	return s.validationFor(ctx, a, id, "validation.read")
}

// Validations lists the actor's own identity checks, newest first.
func (s *Service) Validations(ctx context.Context, a people.Actor) ([]Validation, error) {
	if err := s.allow(ctx, a, people.ReadOwnChecks, audit.Entry{Action: "validation.list", Object: "validation"}); err != nil {
		return nil, err
	}
	list, err := s.store.ValidationsOf(ctx, a.Person)
	return list, ofStore(err)
}

// ValidationsFor lists another person's identity checks, newest first, for an admin or auditor.
func (s *Service) ValidationsFor(ctx context.Context, a people.Actor, p people.ID) ([]Validation, error) {
	if err := s.allow(ctx, a, people.ReadAnyCheck, audit.Entry{Action: "validation.list-any", Object: "validation", Owner: p}); err != nil {
		return nil, err
	}
	list, err := s.store.ValidationsOf(ctx, p)
	return list, ofStore(err)
}

// Queue lists identity checks for the review desk, oldest first; next is the cursor of the
// following page, empty on the last.
func (s *Service) Queue(ctx context.Context, a people.Actor, q QueueQuery) (list []Validation, next string, err error) {
	if err := s.allow(ctx, a, people.ReadAnyCheck, audit.Entry{Action: "validation.list-any", Object: "validation"}); err != nil {
		return nil, "", err
	}
	q.Limit = pageLimit(q.Limit)
	if list, err = s.store.Queue(ctx, more(q)); err != nil {
		return nil, "", ofStore(err)
	}
	if len(list) > q.Limit {
		list = list[:q.Limit]
		next = list[q.Limit-1].Cursor()
	}
	return list, next, nil
}

// QueueCounts counts identity checks by state, each at most 1000.
func (s *Service) QueueCounts(ctx context.Context, a people.Actor) (map[ValidationState]int, error) {
	if err := s.allow(ctx, a, people.ReadAnyCheck, audit.Entry{Action: "validation.list-any", Object: "validation"}); err != nil {
		return nil, err
	}
	counts, err := s.store.QueueCounts(ctx)
	return counts, ofStore(err)
}

// Credential reads a credential: one's own, or anybody's for an admin or auditor.
func (s *Service) Credential(ctx context.Context, a people.Actor, id CredentialID) (Credential, error) {
	return s.credentialFor(ctx, a, id, "credential.read")
}

// OwnCredentials lists the actor's own, newest first.
func (s *Service) OwnCredentials(ctx context.Context, a people.Actor) ([]Credential, error) {
	if err := s.allow(ctx, a, people.ReadOwnCredentials, audit.Entry{Action: "credential.list", Object: "credential"}); err != nil {
		return nil, err
	}
	list, err := s.store.CredentialsOf(ctx, a.Person)
	return list, ofStore(err)
}

// CredentialsOf lists another person's credentials, newest first, for an admin or auditor.
func (s *Service) CredentialsOf(ctx context.Context, a people.Actor, p people.ID) ([]Credential, error) {
	if a.Person == p {
		return s.OwnCredentials(ctx, a)
	}
	if err := s.allow(ctx, a, people.ReadAnyCredential, audit.Entry{Action: "credential.list-any", Object: "credential", Owner: p}); err != nil {
		return nil, err
	}
	list, err := s.store.CredentialsOf(ctx, p)
	return list, ofStore(err)
}

// EndingCredentials lists everybody's that are near their end, the next one first.
func (s *Service) EndingCredentials(ctx context.Context, a people.Actor, q CredentialQuery) (list []Credential, next string, err error) {
	q.Now = s.now()
	q.EndsBefore = q.Now.Add(s.warnFrom())
	return s.Credentials(ctx, a, q)
}

// AskedCount counts the renewals that were asked for, at most 1000.
func (s *Service) AskedCount(ctx context.Context, a people.Actor) (int, error) {
	if err := s.allow(ctx, a, people.ReadAnyCredential, audit.Entry{Action: "credential.list-any", Object: "credential"}); err != nil {
		return 0, err
	}
	n, err := s.store.AskedCount(ctx)
	return n, ofStore(err)
}

// EndingCount counts those, at most 1000.
func (s *Service) EndingCount(ctx context.Context, a people.Actor) (int, error) {
	if err := s.allow(ctx, a, people.ReadAnyCredential, audit.Entry{Action: "credential.list-any", Object: "credential"}); err != nil {
		return 0, err
	}
	n, err := s.store.EndingCount(ctx, s.now(), s.now().Add(s.warnFrom()))
	return n, ofStore(err)
}

// Credentials lists everybody's, newest first.
func (s *Service) Credentials(ctx context.Context, a people.Actor, q CredentialQuery) (list []Credential, next string, err error) {
	if err := s.allow(ctx, a, people.ReadAnyCredential, audit.Entry{Action: "credential.list-any", Object: "credential"}); err != nil {
		return nil, "", err
	}
	q.Limit = pageLimit(q.Limit)
	ask := q
	ask.Limit++
	if list, err = s.store.Credentials(ctx, ask); err != nil {
		return nil, "", ofStore(err)
	}
	if len(list) > q.Limit {
		list = list[:q.Limit]
		last := list[q.Limit-1]
		switch {
		case q.Asked:
			next = last.askedCursor()
		case !q.EndsBefore.IsZero():
			next = last.endCursor()
		default:
			next = last.Cursor()
		}
	}
	return list, next, nil
}

// CredentialCounts counts credentials by state, each at most 1000.
func (s *Service) CredentialCounts(ctx context.Context, a people.Actor) (map[CredentialState]int, error) {
	if err := s.allow(ctx, a, people.ReadAnyCredential, audit.Entry{Action: "credential.list-any", Object: "credential"}); err != nil {
		return nil, err
	}
	counts, err := s.store.CredentialCounts(ctx)
	return counts, ofStore(err)
}

// Profiles lists the certificate profiles a person checked to this standard can get.
func (s *Service) Profiles(ctx context.Context, a people.Actor, standard Standard) ([]dtmclient.Profile, error) {
	if err := s.allow(ctx, a, people.IssueCredential, audit.Entry{Action: "profile.list", Object: "credential"}); err != nil {
		return nil, err
	}
	return s.profiles(ctx, standard)
}

func (s *Service) profiles(ctx context.Context, standard Standard) ([]dtmclient.Profile, error) {
	all, err := s.dtm.Profiles(ctx)
	if err != nil {
		return nil, ofRead(err)
	}
	var out []dtmclient.Profile
	for _, p := range all {
		// A seal belongs to an organisation: nobody's identity check leads to one.
		if p.Standard == standard.DTM() && (p.Status == "" || p.Status == "ACTIVE") && p.SubjectType != "SEAL" {
			out = append(out, p)
		}
	}
	return out, nil
}

// Seats counts the seats of a standard at DTM; a Total of -1 when DTM has no count of them.
func (s *Service) Seats(ctx context.Context, a people.Actor, standard Standard) (dtmclient.Seats, error) {
	if err := s.allow(ctx, a, people.ReadAnyCheck, audit.Entry{Action: "seat.list", Object: "validation"}); err != nil {
		return dtmclient.Seats{}, err
	}
	return s.seats(ctx, standard)
}

func (s *Service) seats(ctx context.Context, standard Standard) (dtmclient.Seats, error) {
	all, err := s.dtm.Seats(ctx)
	if err != nil {
		return dtmclient.Seats{}, ofRead(err)
	}
	for _, seats := range all {
		if seats.Standard == standard.DTM() {
			return seats, nil
		}
	}
	return dtmclient.Seats{Standard: standard.DTM(), Total: -1}, nil
}

// RemoteQuery narrows DTM's own log.
type RemoteQuery = dtmclient.AuditQuery

// RemoteLog reads a page of DTM's own log, for those who may read all of ours.
func (s *Service) RemoteLog(ctx context.Context, a people.Actor, q RemoteQuery) (dtmclient.Page[dtmclient.AuditEntry], error) {
	if err := s.allow(ctx, a, people.ReadAudit, audit.Entry{Action: "audit.read-remote", Object: "audit"}); err != nil {
		return dtmclient.Page[dtmclient.AuditEntry]{}, err
	}
	page, err := s.dtm.AuditLog(ctx, q)
	if err != nil {
		return page, ofRead(err)
	}
	return page, nil
}

// RemoteRoles lists the roles of DTM.
func (s *Service) RemoteRoles(ctx context.Context, a people.Actor) ([]dtmclient.Role, error) {
	if err := s.allow(ctx, a, people.ReadRoles, audit.Entry{Action: "roles.read", Object: "audit"}); err != nil {
		return nil, err
	}
	roles, err := s.dtm.Roles(ctx)
	if err != nil {
		return nil, ofRead(err)
	}
	return roles, nil
}

func more(q QueueQuery) QueueQuery { q.Limit++; return q }

func pageLimit(n int) int {
	if n <= 0 {
		return 50
	}
	return min(n, 200)
}
