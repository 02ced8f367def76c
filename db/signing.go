package db

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/people"
	"countersign/signing"
)

// Signing is the store of package signing.
func (d *DB) Signing() signing.Store { return signingStore{d} }

type signingStore struct{ *DB }

// Apply makes the change in one transaction: limits first, the quota last.
func (s signingStore) Apply(ctx context.Context, c signing.Change) error {
	t := told{entries: c.Entries, mail: c.Mail, topics: c.Topics}
	for _, j := range c.Jobs {
		t.jobs = append(t.jobs, dueJob{j.Job, j.At})
	}
	err := s.apply(ctx, t, func(ctx context.Context, tx *sqlx.Tx) error {
		if err := s.lockCounted(ctx, tx, c); err != nil {
			return err
		}
		if err := checkLimits(ctx, tx, c.Limits); err != nil {
			return err
		}
		if err := s.write(ctx, tx, c); err != nil {
			return err
		}
		if err := s.mailWhenOver(ctx, tx, c.Over); err != nil {
			return err
		}
		return checkQuota(ctx, tx, c.Quota)
	})
	if s.conflict(err) {
		return fmt.Errorf("%w: %w", signing.ErrConflict, err)
	}
	return err
}

// lockCounted makes changes that count the same thing wait for each other, in one order
// so that they never wait in a circle.
func (s signingStore) lockCounted(ctx context.Context, tx *sqlx.Tx, c signing.Change) error {
	var keys []string
	for _, l := range c.Limits {
		keys = append(keys, "limit "+l.Action+" "+l.Subject)
	}
	if c.Quota != nil {
		keys = append(keys, "quota "+string(c.Quota.Owner))
	}
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if err := s.lockUntilCommit(ctx, tx, k); err != nil {
			return err
		}
	}
	return nil
}

func (s signingStore) write(ctx context.Context, tx *sqlx.Tx, c signing.Change) error {
	for _, m := range c.Documents {
		if err := documents.put(ctx, tx, toDocumentRow(m.To), string(m.From)); err != nil {
			return err
		}
	}
	for _, r := range c.Withdrawn {
		if err := withdraw(ctx, tx, r); err != nil {
			return err
		}
	}
	for _, r := range c.Revisions {
		if err := revisions.add(ctx, tx, toRevisionRow(r)); err != nil {
			return err
		}
	}
	for _, m := range c.Ceremonies {
		if err := ceremonies.put(ctx, tx, toCeremonyRow(m.To), string(m.From)); err != nil {
			return err
		}
	}
	// What ends comes first, so that one change can replace an open preparation.
	for _, ends := range []bool{true, false} {
		for i, m := range c.Signatures {
			if slices.Contains(openSignatures, m.To.State) == ends {
				continue
			}
			if err := signatures.put(ctx, tx, toSignatureRow(m.To, i), string(m.From)); err != nil {
				return err
			}
		}
	}
	for _, m := range c.Extensions {
		if err := extensions.put(ctx, tx, toExtensionRow(m.To), string(m.From)); err != nil {
			return err
		}
	}
	for _, id := range c.Forget {
		if err := forget(ctx, tx, id); err != nil {
			return err
		}
	}
	if c.Used != "" {
		if _, err := tx.ExecContext(ctx, tx.Rebind("UPDATE credentials SET last_used = ? WHERE id = ?"), ms(s.now()), c.Used); err != nil {
			return fmt.Errorf("note the use of a credential: %w", err)
		}
	}
	if err := putChecks(ctx, tx, c.Checks); err != nil {
		return err
	}
	if err := putConsents(ctx, tx, c.Consents); err != nil {
		return err
	}
	if err := s.takeConsents(ctx, tx, c.Taken); err != nil {
		return err
	}
	return s.addAttempts(ctx, tx, c.Attempts)
}

// mailWhenOver writes the mail about a ceremony if this change ended its last signature. Two
// changes that end one each wait for each other, so that the second one sees both.
func (s signingStore) mailWhenOver(ctx context.Context, tx *sqlx.Tx, all []signing.OverMail) error {
	for _, o := range all {
		if err := s.lockUntilCommit(ctx, tx, "over "+string(o.Ceremony)); err != nil {
			return err
		}
		var open int
		err := tx.GetContext(ctx, &open, tx.Rebind(`SELECT COUNT(*) FROM signatures
			WHERE ceremony = ? AND state IN ('prepared', 'intended', 'signed', 'assembled')`), o.Ceremony)
		if err != nil {
			return fmt.Errorf("count what is open: %w", err)
		}
		if open > 0 {
			continue
		}
		if err := s.AddMail(ctx, tx, o.Mail); err != nil {
			return err
		}
	}
	return nil
}

// Person by id.
func (s signingStore) Person(ctx context.Context, id people.ID) (people.Person, error) {
	p, err := s.person(ctx, id)
	return p, signingMissing(err)
}

// Overdue lists open rows past their deadline, oldest first, at most n of each.
func (s signingStore) Overdue(ctx context.Context, now time.Time, n int) (o signing.Overdue, err error) {
	const late = " AND deadline > 0 AND deadline <= ? ORDER BY deadline LIMIT ?"
	ds, err := documents.list(ctx, s.Read, "state IN ('receiving', 'checking')"+late, ms(now), limit(n))
	if o.Documents, err = convert(ds, documentRow.document, err); err != nil {
		return o, err
	}
	cs, err := ceremonies.list(ctx, s.Read, "state IN ('prepared', 'code_sent', 'consenting', 'authorizing', 'authorized')"+late, ms(now), limit(n))
	if o.Ceremonies, err = convert(cs, ceremonyRow.ceremony, err); err != nil {
		return o, err
	}
	ss, err := signatures.list(ctx, s.Read, "state IN ('prepared', 'intended', 'signed', 'assembled')"+late, ms(now), limit(n))
	if o.Signatures, err = convert(ss, signatureRow.signature, err); err != nil {
		return o, err
	}
	es, err := extensions.list(ctx, s.Read, "state IN ('waiting', 'reached')"+late, ms(now), limit(n))
	o.Extensions, err = convert(es, extensionRow.extension, err)
	return o, err
}

// signingMissing turns a missing row into the domain's own error.
func signingMissing(err error) error {
	if missing(err) {
		return fmt.Errorf("%w: %w", signing.ErrNotFound, err)
	}
	return err
}
