package db_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db/dbtest"
	"countersign/people"
)

// Compiled statements are kept with their connection; none of that may show.
func TestKeptStatementsDoNotGetInEachOthersWay(t *testing.T) {
	d := dbtest.New(t)
	for range 3 {
		dbtest.Person(t, d, people.Person{})
	}
	const query = "SELECT id FROM people WHERE created_at > ? ORDER BY id"
	tx, err := d.Write.Beginx()
	require.NoError(t, err)
	var outer []string
	rows, err := tx.Queryx(query, 0)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		outer = append(outer, id)
		var inner []string
		require.NoError(t, tx.Select(&inner, query, 0), "the same statement while its rows are read")
		require.Len(t, inner, 3)
	}
	require.NoError(t, rows.Err())
	require.Len(t, outer, 3)

	require.NoError(t, tx.Commit())

	var before []string
	require.NoError(t, d.Read.Select(&before, query, 0))
	_, err = d.Write.Exec("ALTER TABLE people ADD COLUMN spare TEXT")
	require.NoError(t, err)
	_, err = d.Write.Exec("DELETE FROM people WHERE id = ?", outer[0])
	require.NoError(t, err)
	var after []string
	require.NoError(t, d.Read.Select(&after, query, 0), "a statement that was compiled for another schema")
	require.Equal(t, before[1:], after)

	require.Error(t, d.Write.Get(&after, "SELECT nothing FROM people"))
	for i := range 1000 { // more shapes than are kept
		var n int
		require.NoError(t, d.Read.Get(&n, fmt.Sprintf("SELECT COUNT(*) + %d FROM people", i)))
		require.Equal(t, 2+i, n)
	}
}
