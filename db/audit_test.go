package db_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
)

func TestTheLogOnlyGrows(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		require.NoError(t, d.Audit().Write(t.Context(), audit.Entry{ID: "e1", Action: "a.b", Outcome: audit.Done}))
		hash := map[db.Dialect]string{db.SQLite: "x'01'", db.Postgres: `'\x01'::bytea`}[d.Dialect]
		refused := []string{
			"UPDATE audit SET reason = 'x'",
			"UPDATE audit SET number = 0",
			"UPDATE audit SET number = 0, hash = " + hash + ", subject = 'x'",
			"DELETE FROM audit",
		}
		if d.Dialect == db.Postgres {
			refused = append(refused, "TRUNCATE audit")
		}
		for _, statement := range refused {
			_, err := d.Write.Exec(statement)
			require.ErrorContains(t, err, "append-only", statement)
		}
		_, err := d.Write.Exec("UPDATE audit SET number = 0, hash = " + hash)
		require.NoError(t, err, "its place in the tree is told once")
		for _, statement := range append(refused, "UPDATE audit SET number = 1, hash = "+hash, "UPDATE audit SET number = NULL, hash = NULL") {
			_, err := d.Write.Exec(statement)
			require.ErrorContains(t, err, "append-only", statement)
		}
		e, err := d.Audit().Entry(t.Context(), "e1")
		require.NoError(t, err)
		require.Equal(t, int64(0), e.Number)
		require.Equal(t, []byte{1}, e.Hash)
	})
}

func TestTheTreeGrowsFromOneHandOnly(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, tree := t.Context(), d.AuditTree()
		last, err := tree.LastCheckpoint(ctx)
		require.NoError(t, err)
		require.Zero(t, last.Size)
		for i := range 3 {
			require.NoError(t, d.Audit().Write(ctx, audit.Entry{Action: "a.b", At: noon.Add(time.Duration(i) * time.Second), Outcome: audit.Done}))
		}
		waiting, err := tree.Unnumbered(ctx, 2)
		require.NoError(t, err)
		require.Len(t, waiting, 2)
		add := func(first int64, entries []audit.Entry) error {
			hashes, nodes := [][]byte{}, []audit.Node{}
			for i := range entries {
				hashes = append(hashes, []byte{byte(i)})
				nodes = append(nodes, audit.Node{Index: first + int64(i), Hash: []byte{byte(10 + i)}})
			}
			size := first + int64(len(entries))
			return tree.Append(ctx, first, entries, hashes, nodes, audit.Checkpoint{Size: size, Root: []byte{9}, At: noon}, true)
		}
		results := atOnce(4, func(int) error { return add(0, waiting) })
		require.Equal(t, 1, results[""], "%v", results)
		require.ErrorIs(t, add(0, waiting), db.ErrTreeMoved)
		require.ErrorIs(t, add(2, waiting), db.ErrTreeMoved, "numbered already")
		require.ErrorIs(t, add(5, waiting), db.ErrTreeMoved, "a gap")
		rest, err := tree.Unnumbered(ctx, 10)
		require.NoError(t, err)
		require.Len(t, rest, 1)
		require.NoError(t, add(2, rest))
		last, err = tree.LastCheckpoint(ctx)
		require.NoError(t, err)
		require.Equal(t, audit.Checkpoint{Size: 3, Root: []byte{9}, At: noon}, last)
		nodes, err := tree.Nodes(ctx, []int64{2, 0, 1})
		require.NoError(t, err)
		require.Equal(t, [][]byte{{10}, {10}, {11}}, nodes)
		_, err = tree.Nodes(ctx, []int64{0, 7})
		require.ErrorContains(t, err, "missing")
	})
}

func TestATreeMadeByTheAuditPackageProvesItsEntries(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		tree := &audit.Tree{Store: d.AuditTree()}
		for range 5 {
			require.NoError(t, d.Audit().Write(ctx, audit.Entry{Action: "a.b", Outcome: audit.Done, Facts: map[string]string{"b": "1", "a": "ü<&"}}))
			n, err := tree.Number(ctx)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		last, err := d.AuditTree().LastCheckpoint(ctx)
		require.NoError(t, err)
		require.Equal(t, int64(5), last.Size)
	})
}
