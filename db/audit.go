package db

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
	"countersign/people"
)

type entryRow struct {
	ID      string `db:"id"`
	At      int64  `db:"at"`
	Person  string `db:"person"`
	System  string `db:"system"`
	Action  string `db:"action"`
	Object  string `db:"object"`
	Subject string `db:"subject"`
	Owner   string `db:"owner"`
	From    string `db:"from_state"`
	To      string `db:"to_state"`
	Outcome string `db:"outcome"`
	Reason  string `db:"reason"`
	Facts   string `db:"facts"`
	Address string `db:"address"`
	Request string `db:"request"`
	Number  *int64 `db:"number"`
	Hash    []byte `db:"hash"`
}

var entries = newTable[entryRow]("audit")

func (r entryRow) entry() (audit.Entry, error) {
	facts, err := fromJSON[map[string]string](r.Facts)
	e := audit.Entry{
		ID: r.ID, At: at(r.At), Person: people.ID(r.Person), System: r.System, Action: r.Action, Object: r.Object,
		Subject: r.Subject, Owner: people.ID(r.Owner), From: r.From, To: r.To, Outcome: audit.Outcome(r.Outcome),
		Reason: r.Reason, Facts: facts, Address: r.Address, Request: r.Request, Number: -1, Hash: r.Hash,
	}
	if r.Number != nil {
		e.Number = *r.Number
	}
	return e, err
}

// AddEntries writes to the audit log within tx. Missing ids and times are set here;
// numbers come later, from the one who builds the tree.
func (d *DB) AddEntries(ctx context.Context, tx *sqlx.Tx, added ...audit.Entry) error {
	for _, e := range added {
		id, err := d.idOr(e.ID)
		if err != nil {
			return err
		}
		if e.At.IsZero() {
			e.At = d.now()
		}
		if e.Outcome == "" {
			e.Outcome = audit.Done
		}
		if write, err := d.thin(ctx, tx, &e); err != nil || !write {
			if err != nil {
				return err
			}
			continue
		}
		facts := e.Facts
		if facts == nil {
			facts = map[string]string{}
		}
		if err := entries.add(ctx, tx, entryRow{
			ID: id, At: ms(e.At), Person: string(e.Person), System: e.System, Action: e.Action, Object: e.Object,
			Subject: e.Subject, Owner: string(e.Owner), From: e.From, To: e.To, Outcome: string(e.Outcome),
			Reason: e.Reason, Facts: toJSON(facts), Address: e.Address, Request: e.Request,
		}); err != nil {
			return err
		}
	}
	return nil
}

// Audit reads the audit log, and writes entries that belong to no other change.
func (d *DB) Audit() AuditLog { return AuditLog{d} }

// AuditLog is the log as pages and services outside of a change see it.
type AuditLog struct{ db *DB }

// Write adds entries in a transaction of their own: a refusal, a login, a download.
func (l AuditLog) Write(ctx context.Context, added ...audit.Entry) error {
	return l.db.InTx(ctx, func(tx *sqlx.Tx) error { return l.db.AddEntries(ctx, tx, added...) })
}

// Entry by id; audit.ErrNotFound when there is none.
func (l AuditLog) Entry(ctx context.Context, id string) (audit.Entry, error) {
	row, err := entries.get(ctx, l.db.Read, "id = ?", id)
	if missing(err) {
		return audit.Entry{}, fmt.Errorf("%w: %w", audit.ErrNotFound, err)
	}
	if err != nil {
		return audit.Entry{}, err
	}
	return row.entry()
}

// List answers a page of the log, newest first, and the cursor of the next page; empty
// after the last.
func (l AuditLog) List(ctx context.Context, f audit.Filter) (page []audit.Entry, next string, err error) {
	after, paged, err := parseCursor(f.After)
	if err != nil {
		return nil, "", err
	}
	n := limit(f.Limit)
	conditions, args := entryConditions(f)
	if paged {
		conditions, args = append(conditions, "(at, id) < (?, ?)"), append(args, after.at, after.id)
	}
	list := func(conditions []string, args ...any) ([]entryRow, error) {
		where := strings.Join(append(conditions, "1 = 1"), " AND ")
		return entries.list(ctx, l.db.Read, where+" ORDER BY at DESC, id DESC LIMIT ?", append(args, n+1)...)
	}
	var rows []entryRow
	if f.Action != "" {
		// One indexed walk for each action the prefix stands for: there are some dozens.
		var actions []string
		if actions, err = l.actions(ctx, f.Action); err != nil {
			return nil, "", err
		}
		rows, err = byEach(actions, n+1, newestEntry, func(action string) ([]entryRow, error) {
			return list(append(conditions[:len(conditions):len(conditions)], "action = ?"), append(args[:len(args):len(args)], action)...)
		})
	} else {
		rows, err = list(conditions, args...)
	}
	page, err = convert(rows, entryRow.entry, err)
	if err == nil && len(page) > n {
		page = page[:n]
		next = page[n-1].Cursor()
	}
	return page, next, err
}

func newestEntry(a, b entryRow) int {
	return cmp.Or(cmp.Compare(b.At, a.At), cmp.Compare(b.ID, a.ID))
}

func entryConditions(f audit.Filter) (conditions []string, args []any) {
	add := func(condition string, arg any, set bool) {
		if set {
			conditions, args = append(conditions, condition), append(args, arg)
		}
	}
	add("subject = ?", f.Subject, f.Subject != "")
	add("owner = ?", f.Owner, f.Owner != "")
	add("person = ?", f.Person, f.Person != "")
	add("object = ?", f.Object, f.Object != "")
	add("outcome = ?", f.Outcome, f.Outcome != "")
	add("at >= ?", ms(f.From), !f.From.IsZero())
	add("at < ?", ms(f.To), !f.To.IsZero())
	return conditions, args
}

// actions lists the actions that begin with prefix by jumping from one to the next in
// the index, not by reading it through.
func (l AuditLog) actions(ctx context.Context, prefix string) ([]string, error) {
	const jump = `WITH RECURSIVE jump (action) AS (
			SELECT (SELECT MIN(action) FROM audit WHERE action >= ?)
			UNION ALL
			SELECT (SELECT MIN(audit.action) FROM audit WHERE audit.action > jump.action) FROM jump WHERE jump.action < ?)
		SELECT action FROM jump WHERE action >= ? AND action < ?`
	end := prefix + "\U0010ffff"
	var actions []string
	err := l.db.Read.SelectContext(ctx, &actions, l.db.Read.Rebind(jump), prefix, end, prefix, end)
	if err != nil {
		return nil, fmt.Errorf("list the actions: %w", err)
	}
	return actions, nil
}
