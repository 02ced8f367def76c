package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
	"countersign/people"
)

// EndTurn gives a turn back.
func (t AuditTree) EndTurn(ctx context.Context, name string) error {
	if _, err := t.db.Write.ExecContext(ctx, t.db.Write.Rebind("UPDATE audit_turns SET until = 0 WHERE name = ?"), name); err != nil {
		return fmt.Errorf("end a turn at the log: %w", err)
	}
	return nil
}

type checkRow struct {
	ID        string `db:"id"`
	AskedBy   string `db:"asked_by"`
	StartedAt int64  `db:"started_at"`
	Size      int64  `db:"size"`
	Seen      int64  `db:"seen"`
	Edges     []byte `db:"edges"`
	EndedAt   int64  `db:"ended_at"`
	Problem   string `db:"problem"` // code, number and detail
}

var checkRows = newTable[checkRow]("audit_checks")

func (r checkRow) checked() audit.Checked {
	c := audit.Checked{ID: r.ID, AskedBy: people.ID(r.AskedBy), StartedAt: at(r.StartedAt), Size: r.Size,
		Progress: audit.Progress{Seen: r.Seen, Edges: r.Edges}, EndedAt: at(r.EndedAt)}
	if code, rest, ok := strings.Cut(r.Problem, " "); ok {
		number, detail, _ := strings.Cut(rest, " ")
		c.Code, c.Detail = audit.Code(code), detail
		c.Number, _ = strconv.ParseInt(number, 10, 64) // as KeepCheck wrote it
	}
	return c
}

// LastCheck is the newest one; zero: there was none.
func (t AuditTree) LastCheck(ctx context.Context) (audit.Checked, error) {
	rows, err := checkRows.list(ctx, t.db.Read, "1 = 1 ORDER BY started_at DESC, id DESC LIMIT 1")
	if err != nil || len(rows) == 0 {
		return audit.Checked{}, err
	}
	return rows[0].checked(), nil
}

// LastEnded is the newest that has ended; nil when none has. Only one can be newer.
func (t AuditTree) LastEnded(ctx context.Context) (*audit.Checked, error) {
	checks, err := t.Checks(ctx, 2)
	for _, c := range checks {
		if !c.Runs() {
			return &c, nil
		}
	}
	return nil, err
}

// Checks answers the newest n, the newest first.
func (t AuditTree) Checks(ctx context.Context, n int) ([]audit.Checked, error) {
	rows, err := checkRows.list(ctx, t.db.Read, "1 = 1 ORDER BY started_at DESC, id DESC LIMIT ?", max(n, 1))
	if err != nil {
		return nil, err
	}
	out := make([]audit.Checked, len(rows))
	for i, r := range rows {
		out[i] = r.checked()
	}
	return out, nil
}

// StartCheck begins a check, with its entry in the log; audit.ErrChecking when one runs.
func (t AuditTree) StartCheck(ctx context.Context, by people.Actor, size int64, now time.Time) error {
	id, err := t.db.newID()
	if err != nil {
		return err
	}
	err = t.db.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := t.db.lockUntilCommit(ctx, tx, "audit check"); err != nil {
			return err
		}
		var running int
		if err := tx.GetContext(ctx, &running, "SELECT COUNT(*) FROM audit_checks WHERE ended_at = 0"); err != nil {
			return fmt.Errorf("look for a check that runs: %w", err)
		}
		if running > 0 {
			return audit.ErrChecking
		}
		if err := checkRows.add(ctx, tx, checkRow{ID: id, AskedBy: string(by.Person), StartedAt: ms(now), Size: size}); err != nil {
			return err
		}
		e := audit.Entry{At: now, Action: "audit.check-begin", Object: "audit", Subject: id, Facts: map[string]string{"size": strconv.FormatInt(size, 10)}}
		return t.db.AddEntries(ctx, tx, e.By(by))
	})
	if t.db.conflict(err) {
		return errors.Join(audit.ErrChecking, err)
	}
	return err
}

// KeepCheck stores how far a check is, or how it ended, then with its entry in the log. One
// that has ended stays as it is.
func (t AuditTree) KeepCheck(ctx context.Context, c audit.Checked) error {
	problem := ""
	if c.Code != "" {
		problem = strings.TrimSpace(fmt.Sprintf("%s %d %s", c.Code, c.Number, c.Detail))
	}
	return t.db.InTx(ctx, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, tx.Rebind("UPDATE audit_checks SET seen = ?, edges = ?, ended_at = ?, problem = ? WHERE id = ? AND ended_at = 0"),
			c.Seen, c.Edges, ms(c.EndedAt), problem, c.ID)
		if err != nil {
			return fmt.Errorf("store a check: %w", err)
		}
		if err := one(res.RowsAffected()); err != nil || c.Runs() {
			return err
		}
		e := audit.Entry{At: c.EndedAt, System: "check-audit", Action: "audit.check", Object: "audit", Subject: c.ID, Outcome: audit.Done,
			Facts: map[string]string{"entries": strconv.FormatInt(c.Seen, 10)}}
		if c.Code != "" {
			e.Outcome, e.Reason, e.Facts["number"] = audit.Failed, string(c.Code), strconv.FormatInt(c.Number, 10)
		}
		return t.db.AddEntries(ctx, tx, e)
	})
}

// guards are the triggers that keep the log append-only, by their tables.
var guards = map[Dialect]map[string][]string{
	SQLite: {
		"audit":             {"audit_append_only", "audit_no_delete", "audit_no_replace"},
		"audit_nodes":       {"audit_nodes_no_update", "audit_nodes_no_delete", "audit_nodes_no_replace"},
		"audit_checkpoints": {"audit_checkpoints_no_update", "audit_checkpoints_no_delete", "audit_checkpoints_no_replace"},
		"audit_stamps":      {"audit_stamps_no_update", "audit_stamps_no_delete", "audit_stamps_no_replace"},
		"audit_keys":        {"audit_keys_no_update", "audit_keys_no_delete", "audit_keys_no_replace"},
		"audit_head":        {"audit_head_only_grows", "audit_head_no_delete", "audit_head_no_replace"},
		"audit_checks":      {"audit_checks_no_update", "audit_checks_no_delete", "audit_checks_no_replace"},
	},
	Postgres: {
		"audit":             {"audit_append_only", "audit_no_truncate", "audit_no_place"},
		"audit_nodes":       {"audit_nodes_append_only", "audit_nodes_no_truncate"},
		"audit_checkpoints": {"audit_checkpoints_append_only", "audit_checkpoints_no_truncate"},
		"audit_stamps":      {"audit_stamps_append_only", "audit_stamps_no_truncate"},
		"audit_keys":        {"audit_keys_append_only", "audit_keys_no_truncate"},
		"audit_head":        {"audit_head_append_only", "audit_head_no_delete", "audit_head_no_truncate"},
		"audit_checks":      {"audit_checks_append_only", "audit_checks_no_delete", "audit_checks_no_truncate"},
	},
}

// Guards names the triggers that are gone, switched off, or no longer say what they said.
// Who owns the tables can do all that; it must not go unseen.
func (t AuditTree) Guards(ctx context.Context) (missing []string, err error) {
	query := "SELECT tbl_name AS t, name AS n FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%RAISE(ABORT, ''the audit log is append-only'')%'"
	if t.db.Dialect == Postgres {
		query = `SELECT c.relname AS t, g.tgname AS n FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_proc p ON p.oid = g.tgfoid
			WHERE c.oid IN ('audit'::regclass, 'audit_nodes'::regclass, 'audit_checkpoints'::regclass, 'audit_stamps'::regclass, 'audit_keys'::regclass,
				'audit_head'::regclass, 'audit_checks'::regclass)
			AND NOT g.tgisinternal AND g.tgenabled = 'A' AND p.prosrc LIKE '%RAISE EXCEPTION ''the audit log is append-only''%'`
	}
	var rows []struct {
		Table string `db:"t"`
		Name  string `db:"n"`
	}
	if err := t.db.Read.SelectContext(ctx, &rows, query); err != nil {
		return nil, fmt.Errorf("look at what guards the log: %w", err)
	}
	there := map[string]bool{}
	for _, r := range rows {
		there[r.Table+" "+r.Name] = true
	}
	for table, names := range guards[t.db.Dialect] {
		for _, n := range names {
			if !there[table+" "+n] {
				missing = append(missing, n)
			}
		}
	}
	slices.Sort(missing)
	return missing, nil
}
