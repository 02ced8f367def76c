package db_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// SQLite writes the table of ceremonies anew; what speaks of them must still find them, and a
// database that is in use must come through it with every row.
func TestCeremoniesComeThroughTheirTableBeingWrittenAnew(t *testing.T) {
	d, err := sqlx.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_pragma=foreign_keys(1)")
	require.NoError(t, err)
	defer d.Close()
	d.SetMaxOpenConns(1)
	steps, err := filepath.Glob("migrations/sqlite/*.sql")
	require.NoError(t, err)
	slices.Sort(steps)
	up := func(step string) {
		text, err := os.ReadFile(step)
		require.NoError(t, err)
		tx, err := d.Begin()
		require.NoError(t, err)
		_, err = tx.ExecContext(context.Background(), string(text))
		require.NoError(t, err, step)
		require.NoError(t, tx.Commit(), step)
	}
	for _, step := range steps {
		if strings.HasSuffix(step, "00012_consents.sql") {
			_, err := d.Exec(`INSERT INTO people (id, issuer, subject, created_at) VALUES ('p', 'i', 's', 1);
				INSERT INTO documents (id, owner, name, state, created_at, since) VALUES ('d', 'p', 'n', 'ready', 1, 1);
				INSERT INTO ceremonies (id, owner, credential, state, created_at, since, go_on, room, version, sign_params) VALUES ('y', 'p', 'c', 'code_sent', 1, 2, 1, 77, 5, x'05');
				INSERT INTO ceremonies (id, owner, credential, state, created_at, since) VALUES ('z', 'p', 'c', 'used', 1, 2);
				INSERT INTO signatures (id, ceremony, document, owner, base, state, created_at, since) VALUES ('s', 'y', 'd', 'p', 1, 'prepared', 1, 1);
				INSERT INTO checks (ceremony, name, state, at) VALUES ('y', 'clock', 'ok', 1)`)
			require.NoError(t, err)
		}
		up(step)
	}
	var row struct {
		State              string
		Since, Room, GoOn  int
		Version            int
		SignParams         []byte
		Violations, Others int
	}
	require.NoError(t, d.QueryRow(`SELECT state, since, room, go_on, version, sign_params, (SELECT COUNT(*) FROM ceremonies), (SELECT COUNT(*) FROM pragma_foreign_key_check)
		FROM ceremonies WHERE id = 'y'`).Scan(&row.State, &row.Since, &row.Room, &row.GoOn, &row.Version, &row.SignParams, &row.Others, &row.Violations))
	require.Equal(t, "code_sent", row.State)
	require.Equal(t, []int{2, 77, 1, 5, 2}, []int{row.Since, row.Room, row.GoOn, row.Version, row.Others})
	require.Equal(t, []byte{5}, row.SignParams)
	require.Zero(t, row.Violations)
	_, err = d.Exec("DELETE FROM ceremonies WHERE id = 'y'")
	require.Error(t, err, "what speaks of a ceremony holds it, as before")
	_, err = d.Exec("UPDATE ceremonies SET state = 'consenting' WHERE id = 'y'")
	require.NoError(t, err)
	_, err = d.Exec("UPDATE ceremonies SET state = 'other' WHERE id = 'y'")
	require.Error(t, err)
}
