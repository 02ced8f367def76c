package db

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"countersign/identity"
	"countersign/people"
)

type credentialRow struct {
	ID          string `db:"id"`
	Person      string `db:"person"`
	Validation  string `db:"validation"`
	Name        string `db:"name"`
	Profile     string `db:"profile"`
	ProfileName string `db:"profile_name"`
	Standard    string `db:"standard"`
	State       string `db:"state"`
	DTMStatus   string `db:"dtm_status"`
	Reason      string `db:"reason"`
	Subject     string `db:"subject"`
	Issuer      string `db:"issuer"`
	Serial      string `db:"serial"`
	NotBefore   int64  `db:"not_before"`
	NotAfter    int64  `db:"not_after"`
	IssuedBy    string `db:"issued_by"`
	LastUsed    int64  `db:"last_used"`
	Replaces    string `db:"replaces"`
	Asked       int64  `db:"renewal_asked"`
	RetiredAt   int64  `db:"retired_at"`
	CreatedAt   int64  `db:"created_at"`
	Since       int64  `db:"since"`
	Deadline    int64  `db:"deadline"`
	LookAt      int64  `db:"look_at"`
	Version     int64  `db:"version"`
}

// credentials is written by identity, but last_used by signing, without a new version:
// an update from a record read earlier must not take it back.
var credentials = newTable[credentialRow]("credentials", "last_used")

var credentialStates = []identity.CredentialState{
	identity.CredentialPending, identity.CredentialActive, identity.CredentialSuspended, identity.CredentialRevoked,
	identity.CredentialDeactivated, identity.CredentialExpired, identity.CredentialIssuanceUnknown, identity.CredentialUnknown,
}

func toCredentialRow(c identity.Credential) credentialRow {
	return credentialRow{
		ID: string(c.ID), Person: string(c.Person), Validation: string(c.Validation), Name: c.Name, Profile: c.Profile,
		ProfileName: c.ProfileName, Standard: string(c.Standard), State: string(c.State), DTMStatus: c.DTMStatus,
		Reason: c.Reason, Subject: c.Subject, Issuer: c.Issuer, Serial: c.Serial, NotBefore: ms(c.NotBefore),
		NotAfter: ms(c.NotAfter), IssuedBy: string(c.IssuedBy), LastUsed: ms(c.LastUsed), Replaces: string(c.Replaces),
		Asked: ms(c.RenewalAsked), RetiredAt: ms(c.RetiredAt), CreatedAt: ms(c.CreatedAt),
		Since: ms(c.Since), Deadline: ms(c.Deadline), LookAt: ms(c.LookAt), Version: c.Version,
	}
}

func (r credentialRow) credential() (identity.Credential, error) {
	return identity.Credential{
		ID: identity.CredentialID(r.ID), Person: people.ID(r.Person), Validation: identity.ValidationID(r.Validation),
		Name: r.Name, Profile: r.Profile, ProfileName: r.ProfileName, Standard: identity.Standard(r.Standard),
		State: identity.CredentialState(r.State), DTMStatus: r.DTMStatus, Reason: r.Reason, Subject: r.Subject,
		Issuer: r.Issuer, Serial: r.Serial, NotBefore: at(r.NotBefore), NotAfter: at(r.NotAfter),
		IssuedBy: people.ID(r.IssuedBy), LastUsed: at(r.LastUsed), Replaces: identity.CredentialID(r.Replaces),
		RenewalAsked: at(r.Asked), RetiredAt: at(r.RetiredAt), CreatedAt: at(r.CreatedAt), Since: at(r.Since),
		Deadline: at(r.Deadline), LookAt: at(r.LookAt), Version: r.Version,
	}, nil
}

// Credential by id.
func (s identityStore) Credential(ctx context.Context, id identity.CredentialID) (identity.Credential, error) {
	return s.credentialWhere(ctx, "id = ?", id)
}

// CredentialByName by its name at DTM.
func (s identityStore) CredentialByName(ctx context.Context, name string) (identity.Credential, error) {
	return s.credentialWhere(ctx, "name = ?", name)
}

func (s identityStore) credentialWhere(ctx context.Context, where string, arg any) (identity.Credential, error) {
	row, err := credentials.get(ctx, s.Read, where, arg)
	if err != nil {
		return identity.Credential{}, identityMissing(err)
	}
	return row.credential()
}

// CredentialsOf lists a person's credentials, newest first.
func (s identityStore) CredentialsOf(ctx context.Context, p people.ID) ([]identity.Credential, error) {
	rows, err := credentials.list(ctx, s.Read, "person = ? ORDER BY created_at DESC, id DESC LIMIT 100", p)
	return convert(rows, credentialRow.credential, err)
}

// Credentials lists everybody's, newest first. Text is looked for while walking the
// index, so a text that occurs nowhere costs a walk over all of them.
func (s identityStore) Credentials(ctx context.Context, q identity.CredentialQuery) ([]identity.Credential, error) {
	after, paged, err := parseCursor(q.After)
	if err != nil {
		return nil, err
	}
	n := limit(q.Limit)
	if q.Asked {
		where, args := "renewal_asked > 0", []any{}
		if paged {
			where, args = where+" AND (renewal_asked, id) > (?, ?)", append(args, after.at, after.id)
		}
		rows, err := credentials.list(ctx, s.Read, where+" ORDER BY renewal_asked, id LIMIT ?", append(args, n)...)
		return convert(rows, credentialRow.credential, err)
	}
	if !q.EndsBefore.IsZero() {
		return s.ending(ctx, q, after, paged, n)
	}
	list := func(where string, args ...any) ([]credentialRow, error) {
		if paged {
			where, args = where+" AND (created_at, id) < (?, ?)", append(args, after.at, after.id)
		}
		if q.Text != "" {
			where += " AND (" + s.holds("name") + " OR (SELECT " + s.holds("people.name") + " FROM people WHERE people.id = credentials.person))"
			args = append(args, strings.ToLower(q.Text), strings.ToLower(q.Text))
		}
		return credentials.list(ctx, s.Read, where+" ORDER BY created_at DESC, id DESC LIMIT ?", append(args, n)...)
	}
	if len(q.States) == 0 {
		rows, err := list("1 = 1")
		return convert(rows, credentialRow.credential, err)
	}
	newest := func(a, b credentialRow) int {
		return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), cmp.Compare(b.ID, a.ID))
	}
	rows, err := byEach(q.States, n, newest, func(state identity.CredentialState) ([]credentialRow, error) {
		return list("state = ?", state)
	})
	return convert(rows, credentialRow.credential, err)
}

// AskedCount counts those whose owner asked for a successor, at most 1000.
func (s identityStore) AskedCount(ctx context.Context) (n int, err error) {
	query := fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM credentials WHERE renewal_asked > 0 LIMIT %d) AS found", countedTo)
	if err := s.Read.GetContext(ctx, &n, query); err != nil {
		return 0, fmt.Errorf("count renewals: %w", err)
	}
	return n, nil
}

// SuccessorOf is the newest credential that takes another's place.
func (s identityStore) SuccessorOf(ctx context.Context, id identity.CredentialID) (identity.Credential, error) {
	return s.credentialWhere(ctx, "replaces = ? AND replaces <> '' AND state NOT IN ('revoked', 'deactivated', 'expired') LIMIT 1", id)
}

// ending lists those that end soon, the next one first.
func (s identityStore) ending(ctx context.Context, q identity.CredentialQuery, after cursor, paged bool, n int) ([]identity.Credential, error) {
	from := cursor{at: ms(q.Now)}
	if paged {
		from = after
	}
	soonest := func(a, b credentialRow) int {
		return cmp.Or(cmp.Compare(a.NotAfter, b.NotAfter), cmp.Compare(a.ID, b.ID))
	}
	rows, err := byEach(ending, n, soonest, func(state identity.CredentialState) ([]credentialRow, error) {
		where, args := "state = ? AND (not_after, id) > (?, ?) AND not_after <= ?", []any{state, from.at, from.id, ms(q.EndsBefore)}
		if q.Text != "" {
			where += " AND (" + s.holds("name") + " OR (SELECT " + s.holds("people.name") + " FROM people WHERE people.id = credentials.person))"
			args = append(args, strings.ToLower(q.Text), strings.ToLower(q.Text))
		}
		return credentials.list(ctx, s.Read, where+" ORDER BY not_after, id LIMIT ?", append(args, n)...)
	})
	return convert(rows, credentialRow.credential, err)
}

// ending are the states in which an end is still to come.
var ending = []identity.CredentialState{identity.CredentialActive, identity.CredentialSuspended}

// EndingCount counts those that end soon, at most 1000.
func (s identityStore) EndingCount(ctx context.Context, now, before time.Time) (int, error) {
	all := 0
	for _, state := range ending {
		var n int
		query := "SELECT COUNT(*) FROM (SELECT 1 FROM credentials WHERE state = ? AND not_after > ? AND not_after <= ? ORDER BY not_after LIMIT ?) AS found"
		if err := s.Read.GetContext(ctx, &n, s.Read.Rebind(query), state, ms(now), ms(before), countedTo); err != nil {
			return 0, fmt.Errorf("count credentials that end: %w", err)
		}
		all += n
	}
	return min(all, countedTo), nil
}

// CredentialCounts counts credentials by state, each at most 1000.
func (s identityStore) CredentialCounts(ctx context.Context) (map[identity.CredentialState]int, error) {
	return counts(ctx, s.DB, "credentials", "created_at", "1 = 1", nil, credentialStates)
}

// DueCredentials claims credentials whose time to look at DTM has come.
func (s identityStore) DueCredentials(ctx context.Context, now, next time.Time, n int) ([]identity.Credential, error) {
	rows, err := claim(ctx, s.DB, credentials, now, next, n)
	return convert(rows, credentialRow.credential, err)
}
