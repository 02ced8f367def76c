package db_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/work"
)

// filler makes tables of 20,000 rows and more, one person owning 2,000 of each kind and
// the others few: what a plan made for an ordinary owner gets wrong.
const filler = `
INSERT INTO people (id, issuer, subject, name, created_at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 3000)
	SELECT 'p' || i, 'iss', 's' || i, 'Name ' || i, i FROM g;
INSERT INTO validations (id, reference, person, standard, state, created_at, since, look_at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'v' || i, 'R' || i, OWNER, CASE i % 2 WHEN 0 THEN 'basic' ELSE 'advanced_plus' END,
	CASE i % 10 WHEN 0 THEN 'awaiting_approval' WHEN 1 THEN 'in_review' WHEN 2 THEN 'rejected' ELSE 'approved' END,
	i, i, CASE WHEN i % 10 < 2 THEN i ELSE 0 END FROM g;
INSERT INTO credentials (id, person, name, state, created_at, since, look_at, not_after, renewal_asked, replaces) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'c' || i, OWNER, 'n' || i, CASE i % 10 WHEN 0 THEN 'revoked' WHEN 1 THEN 'suspended' ELSE 'active' END, i, i, i, i, CASE i % 50 WHEN 9 THEN i ELSE 0 END, CASE i % 20 WHEN 15 THEN 'c' || (i - 5) ELSE '' END FROM g;
INSERT INTO documents (id, owner, name, size, state, signed, created_at, since, deadline) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'd' || i, OWNER, 'file ' || i, i, CASE i % 20 WHEN 0 THEN 'erased' WHEN 10 THEN 'receiving' WHEN 11 THEN 'refused' ELSE 'ready' END,
	BOOL, i, i, i FROM g;
INSERT INTO revisions (document, number, start, size, blob, created_at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'd' || i, 1, 0, i, 'b' || i, i FROM g;
INSERT INTO ceremonies (id, owner, credential, state, created_at, since, deadline) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'y' || i, OWNER, 'c' || i, CASE i % 50 WHEN 0 THEN 'prepared' ELSE 'used' END, i, i, i FROM g;
INSERT INTO signatures (id, ceremony, document, owner, base, state, prepared, created_at, since, deadline) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 's' || i, 'y' || i, 'd' || i, OWNER, 1, CASE i % 50 WHEN 0 THEN 'prepared' ELSE 'released' END, 'q' || i, i, i, i FROM g;
INSERT INTO extensions (id, owner, state, level, created_at, since, deadline) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'd' || i, OWNER, CASE i % 50 WHEN 0 THEN 'waiting' WHEN 1 THEN 'stopped' ELSE 'reached' END, 'B-LT', i, i, CASE WHEN i % 50 < 3 THEN i ELSE 0 END FROM g;
INSERT INTO checks (ceremony, document, name, state, at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'y' || i, 'd' || i, 'file', 'ok', i FROM g;
INSERT INTO consents (ceremony, state, session, provider, at, ends) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'y' || i, KEYED, HASH, 'p', i, i FROM g;
INSERT INTO settled (kind, id, person, at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000)
	SELECT CASE i % 5 WHEN 0 THEN 'closed' WHEN 1 THEN 'unknown' WHEN 2 THEN 'discarded' WHEN 3 THEN 'stopped' ELSE 'lostmail' END, 'x' || i, 'p1', i FROM g;
INSERT INTO grants (id, person, state, sealed, since, deadline) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000)
	SELECT 'g' || i, 'p' || i, CASE i % 50 WHEN 0 THEN 'leaving' ELSE 'open' END, HASH, i, i FROM g;
INSERT INTO attempts (id, action, subject, at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'a' || i, 'otp.try', OWNER, i FROM g;
INSERT INTO audit (id, at, person, action, object, subject, owner, outcome) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 30000)
	SELECT 'e' || i, i, OWNER, CASE i % 7 WHEN 0 THEN 'signature.release' WHEN 1 THEN 'signature.begin' WHEN 2 THEN 'session.end' ELSE 'document.submit' END,
	CASE i % 7 WHEN 0 THEN 'signature' WHEN 1 THEN 'signature' WHEN 2 THEN 'session' ELSE 'document' END, 'd' || (i % 5000), OWNER,
	CASE i % 100 WHEN 0 THEN 'refused' ELSE 'done' END FROM g;
UPDATE audit SET number = at - 1, hash = HASH WHERE at <= 29000;
INSERT INTO audit_head (one, size, root, at) VALUES (1, 29000, HASH, 1);
INSERT INTO audit_refusals (hour, kind, person, n) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 10000) SELECT CAST(i AS BIGINT) * 3600000, 'k', 'p' || i, 1 FROM g;
INSERT INTO audit_checks (id, started_at, size, ended_at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000) SELECT 'x' || i, i, i, i FROM g;
INSERT INTO audit_stamps (size, token, at, asked) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000) SELECT i, HASH, i, i FROM g;
INSERT INTO audit_nodes (position, hash) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000) SELECT i, HASH FROM g;
INSERT INTO audit_checkpoints (size, root, at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 5000) SELECT i, HASH, i FROM g;
INSERT INTO outbox (id, recipient, subject, body, about, created_at, due_at, sent_at, failed_at) WITH RECURSIVE g (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM g WHERE i < 20000)
	SELECT 'm' || i, CASE WHEN i < 19000 THEN '' ELSE 'a' END, '', '', 'm' || i, i, i, CASE WHEN i % 50 > 1 THEN 1 ELSE 0 END, CASE WHEN i % 50 = 1 THEN 1 ELSE 0 END FROM g`

const heavy = people.ID("p1")

func fill(t *testing.T, d *db.DB) {
	t.Helper()
	text := strings.NewReplacer("OWNER", "'p' || CASE WHEN i % 10 = 0 THEN 1 ELSE i % 3000 + 1 END", "BOOL", "i % 2", "HASH", "x'01'", "KEYED", "CAST('k' || i AS BLOB)")
	if d.Dialect == db.Postgres {
		text = strings.NewReplacer("OWNER", "'p' || CASE WHEN i % 10 = 0 THEN 1 ELSE i % 3000 + 1 END", "BOOL", "i % 2 = 1", "HASH", `'\x01'::bytea`, "KEYED", "CAST('k' || i AS bytea)")
	}
	for _, s := range strings.Split(filler, ";\n") {
		_, err := d.Write.Exec(text.Replace(s))
		require.NoError(t, err, s)
	}
	if d.Dialect == db.Postgres {
		_, err := d.Write.Exec("VACUUM ANALYZE")
		require.NoError(t, err)
	}
}

// reads is every query that a page or a sweep makes.
func reads(d *db.DB) map[string]func(ctx context.Context) error {
	i, s, yes := d.Identity(), d.Signing(), true
	out := map[string]func(ctx context.Context) error{}
	add := func(name string, f func(ctx context.Context) error) { out[name] = f }
	add("validation", func(ctx context.Context) error { _, err := i.Validation(ctx, "v5"); return err })
	add("validations of", func(ctx context.Context) error { _, err := i.ValidationsOf(ctx, heavy); return err })
	add("due validations", func(ctx context.Context) error {
		_, err := i.DueValidations(ctx, time.UnixMilli(9000), time.UnixMilli(9001), 20)
		return err
	})
	add("admins", func(ctx context.Context) error { _, err := i.Admins(ctx); return err })
	add("review counts", func(ctx context.Context) error { _, err := i.QueueCounts(ctx); return err })
	for name, q := range map[string]identity.QueueQuery{
		"": {}, " of a standard": {Standard: identity.Basic}, " next": {After: "9000_v9000"}, " of a standard next": {Standard: identity.Basic, After: "9000_v9000"},
		" of all": {States: []identity.ValidationState{"approved", "in_review", "rejected"}, After: "9000_v9000"},
	} {
		add("review queue"+name, func(ctx context.Context) error { _, err := i.Queue(ctx, q); return err })
	}
	add("credential", func(ctx context.Context) error { _, err := i.Credential(ctx, "c5"); return err })
	add("credential by name", func(ctx context.Context) error { _, err := i.CredentialByName(ctx, "n5"); return err })
	add("credentials of", func(ctx context.Context) error { _, err := i.CredentialsOf(ctx, heavy); return err })
	add("due credentials", func(ctx context.Context) error {
		_, err := i.DueCredentials(ctx, time.UnixMilli(9000), time.UnixMilli(9001), 20)
		return err
	})
	add("credential counts", func(ctx context.Context) error { _, err := i.CredentialCounts(ctx); return err })
	add("renewals counted", func(ctx context.Context) error { _, err := i.AskedCount(ctx); return err })
	add("successor", func(ctx context.Context) error { _, err := i.SuccessorOf(ctx, "c10"); return missingIsFine(err) })
	add("credentials that end, counted", func(ctx context.Context) error {
		_, err := i.EndingCount(ctx, time.UnixMilli(5000), time.UnixMilli(9000))
		return err
	})
	add("look soon", func(ctx context.Context) error { return i.LookSoon(ctx, "v19991", "c19999", time.UnixMilli(100)) })
	for name, q := range map[string]identity.CredentialQuery{
		"": {}, " next": {After: "9000_c9000"}, " in states": {States: []identity.CredentialState{"active", "revoked"}, After: "9000_c9000"},
		" asked for": {Asked: true}, " asked for next": {Asked: true, After: "5000_c5000"},
		" that end": {Now: time.UnixMilli(5000), EndsBefore: time.UnixMilli(9000)}, " that end next": {After: "6000_c6000", EndsBefore: time.UnixMilli(9000)},
		" by text": {Text: "name 17"}, " by text in a state": {Text: "n17", States: []identity.CredentialState{"active"}},
	} {
		add("credentials"+name, func(ctx context.Context) error { _, err := i.Credentials(ctx, q); return err })
	}
	for name, q := range map[string]signing.DocumentQuery{
		"": {}, " next": {After: "9000_d9000"}, " signed": {Signed: &yes}, " signed next": {Signed: &yes, After: "9000_d9000"},
		" in states": {States: []signing.DocumentState{"ready", "refused"}, After: "9000_d9000"}, " by text": {Text: "e 17"},
		" signed in states": {Signed: &yes, States: []signing.DocumentState{"ready"}},
	} {
		for _, owner := range []people.ID{heavy, "p7"} {
			q := q
			q.Owner = owner
			add("documents"+name+" of "+string(owner), func(ctx context.Context) error { _, err := s.Documents(ctx, q); return err })
		}
	}
	add("document", func(ctx context.Context) error { _, err := s.Document(ctx, heavy, "d10"); return err })
	add("documents by id", func(ctx context.Context) error {
		_, err := s.DocumentsIn(ctx, heavy, []signing.DocumentID{"d10", "d20", "d30"})
		return err
	})
	add("over", func(ctx context.Context) error {
		return s.Apply(ctx, signing.Change{Over: []signing.OverMail{{Ceremony: "y50"}}})
	})
	add("document counts", func(ctx context.Context) error { _, err := s.DocumentCounts(ctx, heavy); return err })
	add("usage", func(ctx context.Context) error { _, _, err := s.Usage(ctx, heavy); return err })
	add("revisions", func(ctx context.Context) error { _, err := s.Revisions(ctx, "d10"); return err })
	add("ceremony", func(ctx context.Context) error { _, err := s.Ceremony(ctx, heavy, "y10"); return err })
	add("signatures", func(ctx context.Context) error { _, err := s.Signatures(ctx, "y10"); return err })
	add("consent", func(ctx context.Context) error { _, err := s.Consent(ctx, []byte("k10")); return missingIsFine(err) })
	add("checks", func(ctx context.Context) error { _, err := s.Checks(ctx, "y10"); return err })
	add("signature", func(ctx context.Context) error { _, err := s.Signature(ctx, "s10"); return err })
	add("signatures of", func(ctx context.Context) error { _, err := s.SignaturesOf(ctx, "d10"); return err })
	add("extension", func(ctx context.Context) error { _, err := s.Extension(ctx, "d10"); return err })
	add("newest signatures", func(ctx context.Context) error {
		_, err := s.NewestSignatures(ctx, heavy, []signing.DocumentID{"d10", "d20", "d30"})
		return err
	})
	add("open ceremony", func(ctx context.Context) error { _, err := s.OpenCeremony(ctx, "d50"); return err })
	add("ages of work", func(ctx context.Context) error { _, err := d.WorkAges(ctx, time.UnixMilli(9000)); return err })
	add("what hangs on a credential", func(ctx context.Context) error { _, err := s.AtStake(ctx, "c10"); return err })
	add("overdue", func(ctx context.Context) error { _, err := s.Overdue(ctx, time.UnixMilli(9000), 20); return err })
	add("limits and quota", func(ctx context.Context) error {
		return s.Apply(ctx, signing.Change{Limits: []signing.Limit{{Action: "otp.try", Subject: "p7", Except: "otp.back", Max: 1000},
			{Action: "otp.try", Subject: "p8", Except: "otp.back", After: "otp.right", Max: 1000}},
			Quota: &signing.QuotaCheck{Owner: heavy, Bytes: 1 << 60, Files: 1 << 30}})
	})
	add("old attempts", func(ctx context.Context) error { _, err := s.ForgetOld(ctx, time.UnixMilli(50)); return err })
	add("kept bytes", func(ctx context.Context) error { _, err := d.KeepsBlob(ctx, "b5"); return err })
	for name, f := range map[string]audit.Filter{
		"": {}, " next": {After: "9000_e9000"}, " of an owner": {Owner: heavy}, " of a light owner": {Owner: "p7", After: "9000_e9000"},
		" of a person": {Person: heavy}, " about": {Subject: "d7"}, " of a kind": {Object: "session"}, " refused": {Outcome: audit.Refused},
		" of actions": {Action: "signature."}, " of a day": {From: time.UnixMilli(100), To: time.UnixMilli(20000)},
		" of an owner's actions": {Owner: heavy, Action: "signature."}, " refused of an owner": {Owner: heavy, Outcome: audit.Refused},
	} {
		add("log"+name, func(ctx context.Context) error { _, _, err := d.Audit().List(ctx, f); return err })
	}
	for _, k := range work.Kinds() {
		if k != work.FailingJob { // the queue's own few rows
			add("work "+string(k), func(ctx context.Context) error {
				_, err := d.Work().Waiting(ctx, k, time.UnixMilli(9000), 50)
				return err
			})
		}
	}
	add("entry", func(ctx context.Context) error { _, err := d.Audit().Entry(ctx, "e5"); return err })
	add("a person's grant", func(ctx context.Context) error {
		_, err := d.Grants().Of(ctx, "p7")
		return err
	})
	add("grants that leave", func(ctx context.Context) error { _, err := d.Grants().Leaving(ctx, 50); return err })
	add("unnumbered", func(ctx context.Context) error { _, err := d.AuditTree().Unnumbered(ctx, 500); return err })
	add("numbered", func(ctx context.Context) error { _, err := d.AuditTree().Numbered(ctx, 500, 500); return err })
	add("nodes", func(ctx context.Context) error { _, err := d.AuditTree().Nodes(ctx, []int64{5, 7, 900}); return err })
	add("last checkpoint", func(ctx context.Context) error { _, err := d.AuditTree().LastCheckpoint(ctx); return err })
	add("last kept checkpoint", func(ctx context.Context) error { _, err := d.AuditTree().LastKept(ctx); return err })
	add("keys of the log", func(ctx context.Context) error { _, err := d.AuditTree().Keys(ctx); return err })
	add("last stamp", func(ctx context.Context) error { _, _, err := d.AuditTree().LastStamp(ctx); return err })
	add("stamped", func(ctx context.Context) error { _, _, err := d.AuditTree().StampedFrom(ctx, 500); return err })
	add("stamps", func(ctx context.Context) error { _, err := d.AuditTree().Stamps(ctx, 500, 600); return err })
	add("refusals", func(ctx context.Context) error {
		_, err := d.Audit().Refusals(ctx, time.UnixMilli(9000*3600000))
		return err
	})
	add("old refusals", func(ctx context.Context) error {
		_, err := d.Audit().ForgetRefusals(ctx, time.UnixMilli(50*3600000))
		return err
	})
	add("checks of the log", func(ctx context.Context) error { _, err := d.AuditTree().Checks(ctx, 20); return err })
	add("newest kept checkpoints", func(ctx context.Context) error { _, err := d.AuditTree().NewestKept(ctx, 20); return err })
	add("a kept checkpoint", func(ctx context.Context) error { _, err := d.AuditTree().KeptAt(ctx, 500); return err })
	add("kept checkpoints", func(ctx context.Context) error { _, err := d.AuditTree().Kept(ctx, 500, 20); return err })
	add("persons", func(ctx context.Context) error {
		_, _, err := d.People().List(ctx, db.PeopleQuery{After: "900_p900"})
		return err
	})
	add("names", func(ctx context.Context) error { _, err := d.People().Names(ctx, []people.ID{"p1", "p2"}); return err })
	add("mail due", func(ctx context.Context) error {
		_, err := d.Outbox().Claim(ctx, time.UnixMilli(9000), time.UnixMilli(9001), 20)
		return err
	})
	add("mail counts", func(ctx context.Context) error { _, _, _, err := d.Outbox().Counts(ctx); return err })
	add("old mail", func(ctx context.Context) error { _, err := d.Outbox().Forget(ctx, time.UnixMilli(19100)); return err })
	return out
}

func missingIsFine(err error) error {
	if errors.Is(err, identity.ErrNotFound) || errors.Is(err, signing.ErrNotFound) {
		return nil
	}
	return err
}

func TestEveryQueryOfAPageWalksAnIndexAndSortsNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		fill(t, d)
		plain := d.Write // plans are asked for beside the recorder
		if d.Dialect == db.SQLite {
			plain = d.Read
		}
		r := record(t, d)
		for name, read := range reads(d) {
			require.NoError(t, read(t.Context()), name)
			sent := r.take()
			require.NotEmpty(t, sent, name)
			for _, s := range sent {
				plan := planOf(t, d.Dialect, plain, s)
				require.NotEmpty(t, plan)
				faults := faultsOfSQLite(s.text, plan)
				if d.Dialect == db.Postgres {
					faults = faultsOfPostgres(t, plan)
				}
				if len(faults) > 0 {
					t.Errorf("%s: %v\n%s\n%v\n%s", name, faults, s.text, s.args, strings.Join(plan, "\n"))
				}
			}
		}
	})
}

func planOf(t *testing.T, dialect db.Dialect, plain *sqlx.DB, s statement) (plan []string) {
	t.Helper()
	explain := map[db.Dialect]string{db.SQLite: "EXPLAIN QUERY PLAN ", db.Postgres: "EXPLAIN (FORMAT JSON) "}[dialect]
	rows, err := plain.Query(explain+s.text, s.args...)
	require.NoError(t, err, s.text)
	defer rows.Close()
	for rows.Next() {
		var a, b, c, text any
		if dialect == db.Postgres {
			require.NoError(t, rows.Scan(&text))
		} else {
			require.NoError(t, rows.Scan(&a, &b, &c, &text))
		}
		if raw, ok := text.([]byte); ok {
			text = string(raw)
		}
		plan = append(plan, text.(string))
	}
	require.NoError(t, rows.Err())
	return plan
}

// faultsOfSQLite: a walk along an index that a LIMIT ends is what a list of everything
// is; a walk without an index, or without an end, is not.
func faultsOfSQLite(text string, plan []string) (faults []string) {
	for _, line := range plan {
		scan := strings.HasPrefix(line, "SCAN ") && !strings.HasPrefix(line, "SCAN CONSTANT ROW") &&
			!strings.HasPrefix(line, "SCAN jump") && !strings.HasPrefix(line, "SCAN due") && !strings.HasPrefix(line, "SCAN (") && !strings.HasPrefix(line, "SCAN found") && line != "SCAN audit_keys" &&
			!strings.HasSuffix(text, " ORDER BY size DESC LIMIT 1") // the key is the row's own number: a walk of one
		scan = scan && !strings.HasPrefix(text, "SELECT size, root, at, note FROM audit_checkpoints WHERE 1 = 1 ORDER BY size DESC LIMIT")
		ends := strings.Contains(line, " INDEX ") && strings.Contains(text, "LIMIT")
		walk := strings.HasSuffix(line, "(owner=?)") && strings.Contains(text, "id IN (") // all that one person has, to find a few
		if scan && !ends || walk || strings.Contains(line, "TEMP B-TREE") && strings.Contains(line, "ORDER BY") {
			faults = append(faults, line)
		}
	}
	return faults
}

func faultsOfPostgres(t *testing.T, plan []string) (faults []string) {
	t.Helper()
	type node struct {
		Type  string  `json:"Node Type"`
		Table string  `json:"Relation Name"`
		Rows  float64 `json:"Plan Rows"`
		Plans []node
	}
	var top []struct{ Plan node }
	require.NoError(t, json.Unmarshal([]byte(strings.Join(plan, "\n")), &top))
	var look func(n node)
	look = func(n node) {
		// Sorting the few rows of a light owner is cheaper than walking.
		walks := n.Type == "Seq Scan" && n.Table != "audit_head" && n.Table != "audit_keys" && n.Table != "river_job" // which have one row, a few, and here none
		if walks || strings.Contains(n.Type, "Sort") && n.Plans[0].Rows > 200 {
			faults = append(faults, n.Type+" "+n.Table)
		}
		for _, below := range n.Plans {
			look(below)
		}
	}
	look(top[0].Plan)
	return faults
}
