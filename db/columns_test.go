package db_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
)

type column struct {
	Table    string `db:"t"`
	Name     string `db:"c"`
	Type     string `db:"y"`
	Required bool   `db:"r"`
	Key      bool   `db:"k"`
}

// sameTypes are what a type of SQLite is on PostgreSQL.
var sameTypes = map[string][]string{"text": {"text"}, "integer": {"bigint", "boolean"}, "blob": {"bytea"}}

func TestBothDatabasesHaveTheSameColumns(t *testing.T) {
	lite, pg := columns(t, dbtest.New(t)), columns(t, dbtest.Postgres(t))
	require.Greater(t, len(lite), 100)
	require.Equal(t, len(lite), len(pg))
	for i := range lite {
		a, b := lite[i], pg[i]
		require.Contains(t, sameTypes[a.Type], b.Type, "%s.%s", a.Table, a.Name)
		a.Type, b.Type = "", ""
		require.Equal(t, a, b)
	}
}

func TestBothDatabasesHaveTheSameIndexes(t *testing.T) {
	require.Equal(t, indexes(t, dbtest.New(t)), indexes(t, dbtest.Postgres(t)))
}

const ours = "t NOT LIKE 'river%' AND t NOT LIKE 'goose%' AND t NOT LIKE 'sqlite%'"

func columns(t *testing.T, d *db.DB) (out []column) {
	t.Helper()
	query := `SELECT * FROM (SELECT m.name AS t, c.name AS c, lower(c.type) AS y, c."notnull" AS r, c.pk > 0 AS k
		FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table') WHERE ` + ours + ` ORDER BY t, c`
	if d.Dialect == db.Postgres {
		query = `SELECT * FROM (SELECT table_name AS t, column_name AS c, data_type AS y, is_nullable = 'NO' AS r,
			EXISTS (SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
				WHERE i.indisprimary AND i.indrelid = table_name::regclass AND a.attname = column_name) AS k
			FROM information_schema.columns WHERE table_schema = 'public') AS x WHERE ` + ours + ` ORDER BY t COLLATE "C", c COLLATE "C"`
	}
	require.NoError(t, d.Read.Select(&out, query))
	return out
}

// indexes lists those we named, with what they cover.
func indexes(t *testing.T, d *db.DB) []string {
	t.Helper()
	query := `SELECT tbl_name || ' ' || sql FROM (SELECT tbl_name AS t, tbl_name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL) WHERE ` + ours
	if d.Dialect == db.Postgres {
		query = `SELECT tablename || ' ' || indexdef FROM (SELECT tablename AS t, * FROM pg_indexes WHERE schemaname = 'public'
			AND indexname NOT LIKE '%_pkey' AND indexname NOT LIKE '%_key') AS x WHERE ` + ours
	}
	var rows []string
	require.NoError(t, d.Read.Select(&rows, query))
	out := map[string]bool{}
	for _, r := range rows {
		// Only name, uniqueness and columns: PostgreSQL writes conditions its own way.
		r = strings.NewReplacer("public.", "", "USING btree ", "").Replace(r)
		_, r, _ = strings.Cut(r, " ")
		out[r[:strings.Index(r, ")")+1]+map[bool]string{true: " WHERE"}[strings.Contains(r, " WHERE ")]] = true
	}
	names := make([]string, 0, len(out))
	for n := range out {
		names = append(names, n)
	}
	return sorted(names)
}
