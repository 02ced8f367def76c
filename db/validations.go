package db

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/identity"
	"countersign/people"
)

type validationRow struct {
	ID        string `db:"id"`
	Reference string `db:"reference"`
	Person    string `db:"person"`
	Standard  string `db:"standard"`
	State     string `db:"state"`
	DTM       string `db:"dtm"`
	DTMStatus string `db:"dtm_status"`
	Reason    string `db:"reason"`
	Note      string `db:"note"`
	Link      string `db:"link"`
	Claims    string `db:"claims"`
	Proofed   string `db:"proofed"`
	Consent   int64  `db:"consent"`
	DecidedBy string `db:"decided_by"`
	FirstBy   string `db:"first_by"`
	Approvals int    `db:"approvals"`
	HeldUntil int64  `db:"held_until"`
	CreatedAt int64  `db:"created_at"`
	Since     int64  `db:"since"`
	Deadline  int64  `db:"deadline"`
	LookAt    int64  `db:"look_at"`
	Version   int64  `db:"version"`
}

var validations = newTable[validationRow]("validations")

// waitsForAdmin are the states the review desk shows when none is chosen.
var waitsForAdmin = []identity.ValidationState{identity.ValidationAwaitingApproval, identity.ValidationAwaitingSecond, identity.ValidationApprovalUnknown}

var validationStates = []identity.ValidationState{
	identity.ValidationStarted, identity.ValidationEmailSent, identity.ValidationActionNeeded,
	identity.ValidationSubmitted, identity.ValidationInReview, identity.ValidationResubmit,
	identity.ValidationAwaitingApproval, identity.ValidationAwaitingSecond, identity.ValidationApprovalHeld, identity.ValidationApproved,
	identity.ValidationApprovalUnknown, identity.ValidationRejected, identity.ValidationCancelled,
	identity.ValidationExpired, identity.ValidationDisabled, identity.ValidationUnknown,
}

func toValidationRow(v identity.Validation) validationRow {
	return validationRow{
		ID: string(v.ID), Reference: v.Reference, Person: string(v.Person), Standard: string(v.Standard),
		State: string(v.State), DTM: v.DTM, DTMStatus: v.DTMStatus, Reason: v.Reason, Note: v.Note, Link: v.Link,
		Claims: toJSON(v.Claims), Proofed: toJSON(v.Proofed), Consent: ms(v.Consent), DecidedBy: string(v.DecidedBy),
		FirstBy: string(v.FirstBy), Approvals: v.Approvals, HeldUntil: ms(v.HeldUntil), CreatedAt: ms(v.CreatedAt), Since: ms(v.Since), Deadline: ms(v.Deadline),
		LookAt: ms(v.LookAt), Version: v.Version,
	}
}

func (r validationRow) validation() (identity.Validation, error) {
	claims, err := fromJSON[identity.Attributes](r.Claims)
	if err != nil {
		return identity.Validation{}, err
	}
	proofed, err := fromJSON[identity.Attributes](r.Proofed)
	return identity.Validation{
		ID: identity.ValidationID(r.ID), Reference: r.Reference, Person: people.ID(r.Person),
		Standard: identity.Standard(r.Standard), State: identity.ValidationState(r.State), DTM: r.DTM,
		DTMStatus: r.DTMStatus, Reason: r.Reason, Note: r.Note, Link: r.Link, Claims: claims, Proofed: proofed,
		Consent: at(r.Consent), DecidedBy: people.ID(r.DecidedBy), FirstBy: people.ID(r.FirstBy), Approvals: r.Approvals, HeldUntil: at(r.HeldUntil),
		CreatedAt: at(r.CreatedAt), Since: at(r.Since), Deadline: at(r.Deadline), LookAt: at(r.LookAt), Version: r.Version,
	}, err
}

// Validation by id.
func (s identityStore) Validation(ctx context.Context, id identity.ValidationID) (identity.Validation, error) {
	row, err := validations.get(ctx, s.Read, "id = ?", id)
	if err != nil {
		return identity.Validation{}, identityMissing(err)
	}
	return row.validation()
}

// ValidationsOf lists a person's identity checks, newest first.
func (s identityStore) ValidationsOf(ctx context.Context, p people.ID) ([]identity.Validation, error) {
	rows, err := validations.list(ctx, s.Read, "person = ? ORDER BY created_at DESC, id DESC LIMIT 100", p)
	return convert(rows, validationRow.validation, err)
}

// Queue lists identity checks for the review desk, oldest first.
func (s identityStore) Queue(ctx context.Context, q identity.QueueQuery) ([]identity.Validation, error) {
	after, paged, err := parseCursor(q.After)
	if err != nil {
		return nil, err
	}
	states := q.States
	if len(states) == 0 {
		states = waitsForAdmin
	}
	n := limit(q.Limit)
	oldest := func(a, b validationRow) int { return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.ID, b.ID)) }
	rows, err := byEach(states, n, oldest, func(state identity.ValidationState) ([]validationRow, error) {
		where, args := "state = ?", []any{state}
		if q.Standard != "" {
			where, args = "standard = ? AND state = ?", []any{q.Standard, state}
		}
		if paged {
			where, args = where+" AND (since, id) > (?, ?)", append(args, after.at, after.id)
		}
		return validations.list(ctx, s.Read, where+" ORDER BY since, id LIMIT ?", append(args, n)...)
	})
	return convert(rows, validationRow.validation, err)
}

// QueueCounts counts identity checks by state, each at most 1000.
func (s identityStore) QueueCounts(ctx context.Context) (map[identity.ValidationState]int, error) {
	return counts(ctx, s.DB, "validations", "since", "1 = 1", nil, validationStates)
}

// DueValidations claims open checks whose time to look at DTM has come. The claim is
// LookAt itself: whoever moved it looks, and if it dies the row is due again at next.
func (s identityStore) DueValidations(ctx context.Context, now, next time.Time, n int) ([]identity.Validation, error) {
	rows, err := claim(ctx, s.DB, validations, now, next, n)
	return convert(rows, validationRow.validation, err)
}

// claim moves look_at of up to n due rows to next and answers them as they now are.
func claim[R any](ctx context.Context, d *DB, t table[R], now, next time.Time, n int) ([]R, error) {
	skip := ""
	if d.Dialect == Postgres {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	// Materialized: a planner that ran the SELECT again for each row would claim more than n.
	statement := "WITH due AS MATERIALIZED (SELECT id FROM " + t.name +
		" WHERE look_at > 0 AND look_at <= ? ORDER BY look_at LIMIT ?" + skip + ") UPDATE " + t.name +
		" SET look_at = ? WHERE id IN (SELECT id FROM due) RETURNING " + t.columns
	var rows []R
	err := d.InTx(ctx, func(tx *sqlx.Tx) error {
		return tx.SelectContext(ctx, &rows, tx.Rebind(statement), ms(now), limit(n), ms(next))
	})
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", t.name, err)
	}
	return rows, nil
}

// LookSoon moves LookAt forward to soon; a record that nobody is to look at again stays so.
func (s identityStore) LookSoon(ctx context.Context, v identity.ValidationID, c identity.CredentialID, soon time.Time) error {
	for _, r := range []struct{ table, id string }{{"validations", string(v)}, {"credentials", string(c)}} {
		if r.id == "" {
			continue
		}
		// Reading first keeps a watched page from taking the write lock every time.
		var due bool
		err := s.Read.GetContext(ctx, &due, s.Read.Rebind("SELECT COUNT(*) > 0 FROM "+r.table+" WHERE id = ? AND look_at > ?"), r.id, ms(soon))
		if err != nil {
			return fmt.Errorf("read when to look again: %w", err)
		}
		if !due {
			continue
		}
		if _, err := s.Write.ExecContext(ctx, s.Write.Rebind("UPDATE "+r.table+" SET look_at = ? WHERE id = ? AND look_at > ?"), ms(soon), r.id, ms(soon)); err != nil {
			return fmt.Errorf("look again soon: %w", err)
		}
	}
	return nil
}

// convert turns rows into the domain's records.
func convert[R, T any](rows []R, to func(R) (T, error), err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(rows))
	for _, r := range rows {
		v, err := to(r)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
