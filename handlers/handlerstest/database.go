package handlerstest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
)

// Variable names the database that sites are started on: empty or "sqlite", or
// "postgres". Which one is no argument of a test, because every test has to hold on both.
const Variable = "COUNTERSIGN_TEST_DATABASE"

func database(t testing.TB) *db.DB {
	t.Helper()
	switch name := os.Getenv(Variable); name {
	case "", "sqlite":
		return dbtest.New(t)
	case "postgres":
		return dbtest.Postgres(t)
	default:
		require.Fail(t, Variable+" names no database: "+name)
		return nil
	}
}

// Row reads one row into pointers. A question mark stands for a value, on either database.
func (s *Site) Row(into []any, query string, values ...any) {
	s.T.Helper()
	require.NoError(s.T, s.DB.Read.QueryRow(s.DB.Read.Rebind(query), values...).Scan(into...))
}

// Tables of the database, sorted.
func (s *Site) Tables() []string {
	s.T.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if s.DB.Dialect == db.Postgres {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
	}
	var tables []string
	require.NoError(s.T, s.DB.Read.Select(&tables, query))
	slices.Sort(tables)
	require.Contains(s.T, tables, "documents")
	return tables
}

// Rows are all rows of a table, each by its columns' names.
func (s *Site) Rows(table string) []map[string]any {
	s.T.Helper()
	rows, err := s.DB.Read.Queryx("SELECT * FROM " + table)
	require.NoError(s.T, err)
	defer rows.Close()
	var all []map[string]any
	for rows.Next() {
		row := map[string]any{}
		require.NoError(s.T, rows.MapScan(row))
		all = append(all, row)
	}
	require.NoError(s.T, rows.Err())
	return all
}

// Snapshot is a fingerprint of everything stored, but for when sessions were last used.
// Nothing changed between two equal ones.
func (s *Site) Snapshot() string {
	s.T.Helper()
	var all []string
	for _, table := range s.Tables() {
		if table == "audit" || table == "audit_refusals" { // refusals are written down or counted
			continue
		}
		for _, row := range s.Rows(table) {
			delete(row, "seen_at")
			if table == "sessions" {
				delete(row, "idle_ends")
			}
			all = append(all, fmt.Sprintf("%s %v", table, row))
		}
	}
	slices.Sort(all) // PostgreSQL promises no order of rows
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(all, "\n"))))
}
