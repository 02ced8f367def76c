package db_test

import (
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
)

// attacks are statements of somebody who has the database and does not take the triggers away.
var attacks = []string{
	"UPDATE audit SET reason = 'x' WHERE id = 'e1'",
	"UPDATE audit SET facts = '{\"a\":\"b\"}' WHERE id = 'e1'",
	"UPDATE audit SET number = 7 WHERE id = 'e1'",
	"UPDATE audit SET number = NULL, hash = NULL WHERE id = 'e1'",
	"UPDATE audit SET at = 0 WHERE id = 'e1'",
	"UPDATE audit SET id = 'e9' WHERE id = 'e1'",
	"UPDATE audit SET person = '', system = '', action = '', object = '', subject = '', owner = '', from_state = '', to_state = '', reason = '', facts = '{}', address = '', request = '' WHERE id = 'e1'",
	"DELETE FROM audit WHERE id = 'e1'",
	"DELETE FROM audit WHERE id = 'e3'",
	"INSERT INTO audit (id, at, action, outcome, number, hash) VALUES ('e9', 1, 'a.b', 'done', 9, HASH)",
	"INSERT INTO audit (id, at, action, outcome) VALUES ('e1', 1, 'a.b', 'done') ON CONFLICT (id) DO UPDATE SET action = 'x.y'",
	"UPDATE audit_nodes SET hash = HASH",
	"UPDATE audit_nodes SET position = position + 100",
	"DELETE FROM audit_nodes",
	"INSERT INTO audit_nodes (position, hash) VALUES (0, HASH) ON CONFLICT (position) DO UPDATE SET hash = excluded.hash",
	"UPDATE audit_checkpoints SET root = HASH",
	"UPDATE audit_checkpoints SET note = 'x'",
	"DELETE FROM audit_checkpoints",
	"UPDATE audit_head SET root = HASH",
	"UPDATE audit_head SET note = 'x'",
	"UPDATE audit_head SET size = 1",
	"UPDATE audit_head SET size = size - 1",
	"DELETE FROM audit_head",
	"UPDATE audit_stamps SET token = HASH",
	"UPDATE audit_stamps SET at = 1",
	"DELETE FROM audit_stamps",
	"UPDATE audit_keys SET since = 0",
	"UPDATE audit_keys SET id = 'x'",
	"DELETE FROM audit_keys",
	"UPDATE audit_checks SET problem = ''",
	"DELETE FROM audit_checks",
}

var attacksOnSQLite = []string{ // a replaced row is deleted without a word to the triggers on DELETE
	"INSERT OR REPLACE INTO audit (id, at, action, outcome) VALUES ('e1', 1, 'x.y', 'done')",
	"REPLACE INTO audit (rowid, id, at, action, outcome) VALUES (1, 'e9', 1, 'x.y', 'done')",
	"UPDATE OR REPLACE audit SET number = 0, hash = HASH WHERE id = 'e3'",
	"UPDATE OR REPLACE audit SET rowid = 1, number = 9, hash = HASH WHERE id = 'e3'",
	"UPDATE OR REPLACE audit SET id = 'e1', number = 9, hash = HASH WHERE id = 'e3'",
	"INSERT INTO audit_head (one, size, root, at) VALUES (2, 900, HASH, 1)",
	"INSERT OR REPLACE INTO audit_nodes (position, hash) VALUES (0, HASH)",
	"INSERT OR REPLACE INTO audit_checkpoints (size, root, at) VALUES (2, HASH, 1)",
	"INSERT OR REPLACE INTO audit_head (one, size, root, at) VALUES (1, 900, HASH, 1)",
	"UPDATE OR REPLACE audit_head SET one = 1, size = 0",
	"INSERT OR REPLACE INTO audit_stamps (size, token, at, asked) VALUES (2, HASH, 1, 1)",
	"INSERT OR REPLACE INTO audit_keys (id, since) VALUES ('k1', 1)",
	"INSERT OR REPLACE INTO audit_keys (rowid, id, since) VALUES (1, 'k9', 1)",
	"INSERT OR REPLACE INTO audit_checks (id, started_at, size) VALUES ('c1', 1, 1)",
	"INSERT OR REPLACE INTO audit_checks (rowid, id, started_at, size) VALUES (1, 'c9', 1, 1)",
}

var attacksOnPostgres = []string{
	"TRUNCATE audit", "TRUNCATE audit_nodes", "TRUNCATE audit_checkpoints", "TRUNCATE audit_head", "TRUNCATE audit_stamps", "TRUNCATE audit_keys", "TRUNCATE audit_checks",
	"TRUNCATE audit, audit_nodes, audit_checkpoints, audit_head CASCADE",
	"MERGE INTO audit USING (SELECT 'e1' AS x) s ON audit.id = s.x WHEN MATCHED THEN DELETE",
	"WITH gone AS (DELETE FROM audit RETURNING 1) SELECT 1 FROM gone",
}

func attacked(t *testing.T, d *db.DB) (all []string) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, d.Audit().Write(ctx, audit.Entry{ID: "e1", Action: "a.b"}, audit.Entry{ID: "e2", Action: "a.b"}))
	tree := &audit.Tree{Store: d.AuditTree()}
	_, err := tree.Number(ctx)
	require.NoError(t, err)
	require.NoError(t, d.Audit().Write(ctx, audit.Entry{ID: "e3", Action: "a.b"}))
	hash := map[db.Dialect]string{db.SQLite: "x'01'", db.Postgres: `'\x01'::bytea`}[d.Dialect]
	for _, s := range []string{
		"INSERT INTO audit_stamps (size, token, at, asked) VALUES (2, HASH, 5, 5)", "INSERT INTO audit_keys (id, since) VALUES ('k1', 5)",
		"INSERT INTO audit_checks (id, started_at, size, ended_at, problem) VALUES ('c1', 1, 2, 3, 'bad')",
	} {
		_, err := d.Write.Exec(strings.ReplaceAll(s, "HASH", hash))
		require.NoError(t, err)
	}
	for _, list := range [][]string{attacks, map[db.Dialect][]string{db.SQLite: attacksOnSQLite, db.Postgres: attacksOnPostgres}[d.Dialect]} {
		for _, s := range list {
			all = append(all, strings.ReplaceAll(s, "HASH", hash))
		}
	}
	return all
}

// kept is everything that the log is made of.
func kept(t *testing.T, d *db.DB) (all []map[string]any) {
	t.Helper()
	for _, table := range []string{"audit", "audit_nodes", "audit_checkpoints", "audit_head", "audit_stamps", "audit_keys", "audit_checks"} {
		n := len(all)
		func() {
			rows, err := d.Read.Queryx("SELECT * FROM " + table + " ORDER BY 1")
			require.NoError(t, err)
			defer rows.Close()
			for rows.Next() {
				row := map[string]any{}
				require.NoError(t, rows.MapScan(row))
				all = append(all, row)
			}
			require.NoError(t, rows.Err())
		}()
		require.Greater(t, len(all), n, table)
	}
	return all
}

func TestNoStatementChangesWhatWasLogged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		all := attacked(t, d)
		before := kept(t, d)
		for _, statement := range all {
			_, err := d.Write.Exec(statement)
			require.ErrorContains(t, err, "append-only", statement)
			require.Equal(t, before, kept(t, d), statement)
		}
	})
}

// The owner of the tables may take triggers away; a session that calls itself a replica, or
// asks for constraints later, is no such.
func TestASessionCannotSilenceTheTriggersOnPostgreSQL(t *testing.T) {
	d := dbtest.Postgres(t)
	all := attacked(t, d)
	before := kept(t, d)
	for _, setting := range []string{"SET LOCAL session_replication_role = replica", "SET CONSTRAINTS ALL DEFERRED", "SET LOCAL row_security = off"} {
		for _, statement := range all {
			err := d.InTx(t.Context(), func(tx *sqlx.Tx) error {
				if _, err := tx.Exec(setting); err != nil {
					t.Fatal(err)
				}
				_, err := tx.Exec(statement)
				return err
			})
			require.ErrorContains(t, err, "append-only", "%s; %s", setting, statement)
		}
	}
	require.Equal(t, before, kept(t, d))
}
