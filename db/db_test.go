package db_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
)

func TestMigratingTwiceChangesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		pending, err := d.Pending(t.Context())
		require.NoError(t, err)
		require.False(t, pending)
		require.NoError(t, d.Migrate(t.Context()))
	})
}

func TestANewerSchemaIsRefusedWithASentence(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		_, err := d.Write.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9000, " +
			map[db.Dialect]string{db.SQLite: "1", db.Postgres: "true"}[d.Dialect] + ")")
		require.NoError(t, err)
		err = d.Migrate(t.Context())
		require.True(t, db.IsNewerSchema(err), "%v", err)
		require.ErrorContains(t, err, "set up by a later release (tables at step 9000")
	})
}

func TestAnAddressWithAPasswordIsNotRepeated(t *testing.T) {
	_, err := db.Open(context.Background(), db.Config{URL: "mysql://user:geheim@host/x"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "geheim")
	_, err = db.Open(context.Background(), db.Config{URL: "postgres://user:geheim@127.0.0.1:1/x"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "geheim")
}

func TestASQLitePathMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%41.db")
	d, err := db.Open(t.Context(), db.Config{URL: "sqlite:" + path})
	require.NoError(t, err)
	require.NoError(t, d.Migrate(t.Context()))
	require.NoError(t, d.Close())
	require.FileExists(t, path)
}

func TestTheReadHandleRefusesToWrite(t *testing.T) {
	d := dbtest.New(t)
	_, err := d.Read.Exec("DELETE FROM people")
	require.ErrorContains(t, err, "readonly")
}

func TestSQLiteIsSetToLoseNothing(t *testing.T) {
	d := dbtest.New(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		require.NoError(t, d.Write.Get(&got, "PRAGMA "+pragma))
		require.Equal(t, want, got, pragma)
	}
}

func TestPostgresPlansEachStatementForItsValues(t *testing.T) {
	d := dbtest.Postgres(t)
	var mode string
	require.NoError(t, d.Write.Get(&mode, "SHOW plan_cache_mode"))
	require.Equal(t, "force_custom_plan", mode)
}
