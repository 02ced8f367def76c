package dbtest

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/pgcluster"
)

const template = "template_countersign"

// Postgres is a fresh migrated PostgreSQL database with a job queue, dropped with the test.
func Postgres(t testing.TB, change ...func(*db.Config)) *db.DB {
	t.Helper()
	return open(t, PostgresURL(t), change)
}

var databases atomic.Int64

// PostgresURL is the address of a fresh migrated database, for tests that open it more
// than once. It is dropped with the test.
func PostgresURL(t testing.TB) string {
	t.Helper()
	c, err := server()
	require.NoError(t, err, "start PostgreSQL; `make setup` installs what tests need")
	name := "test_" + strconv.FormatInt(databases.Add(1), 10)
	require.NoError(t, c.Exec("CREATE DATABASE "+name+" TEMPLATE "+template))
	t.Cleanup(func() { _ = c.Exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)") })
	return c.URL(name)
}

// server is the one of this test binary, with a migrated template.
var server = sync.OnceValues(func() (*pgcluster.Cluster, error) {
	c, err := pgcluster.Start(true)
	if err != nil {
		return nil, err
	}
	if err := c.Exec("CREATE DATABASE " + template); err != nil {
		return nil, err
	}
	return c, migrated(context.Background(), c.URL(template))
})
