package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/people"
)

// asOwner runs statements as somebody who may take the triggers away, and puts them back.
func asOwner(t *testing.T, d *db.DB, statements ...string) {
	t.Helper()
	var triggers []struct {
		Name string `db:"name"`
		SQL  string `db:"sql"`
	}
	require.NoError(t, d.Read.Select(&triggers, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
	for _, g := range triggers {
		d.Write.MustExec("DROP TRIGGER " + g.Name)
	}
	for _, s := range statements {
		d.Write.MustExec(s)
	}
	for _, g := range triggers {
		d.Write.MustExec(g.SQL)
	}
}

// grown is a log of 1203 entries with three kept checkpoints, the second of which is
// stamped. Its last entry is of now.
func grown(t *testing.T) (*db.DB, *audit.Tree) {
	t.Helper()
	growth.Do(func() { grownFile = grow(t) })
	path := filepath.Join(t.TempDir(), "grown.db")
	require.NoError(t, os.WriteFile(path, grownFile, 0o600))
	d := dbtest.Open(t, "sqlite:"+path)
	return d, treeOf(t, d, time.Now)
}

var (
	growth    sync.Once
	grownFile []byte // a copy is much quicker than growing again
)

func treeOf(t *testing.T, d *db.DB, now func() time.Time) *audit.Tree {
	t.Helper()
	return &audit.Tree{Store: d.AuditTree(), Signer: signer(t, 7), Now: now,
		CheckStamp: func(signed string, token []byte) error {
			if string(token) != "stamp of "+signed {
				return errors.New("not over this")
			}
			return nil
		}}
}

func grow(t *testing.T) []byte {
	t.Helper()
	d := dbtest.New(t)
	ctx := context.Background()
	now := time.Now().Add(-time.Hour)
	tree := treeOf(t, d, func() time.Time { return now })
	for i, n := range []int{7, 400, 796} {
		write(t, d, n)
		_, err := tree.Number(ctx)
		require.NoError(t, err)
		if i == 1 {
			cp, err := d.AuditTree().LastCheckpoint(ctx)
			require.NoError(t, err)
			require.NoError(t, d.AuditTree().KeepStamp(ctx, cp, audit.Stamp{Size: cp.Size, Token: []byte("stamp of " + cp.Note), At: now}, now))
		}
		now = now.Add(20 * time.Minute)
	}
	kept, err := d.AuditTree().Kept(ctx, 0, 10)
	require.NoError(t, err)
	require.Len(t, kept, 3)
	path := filepath.Join(t.TempDir(), "copy.db")
	d.Write.MustExec("VACUUM INTO ?", path)
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	return file
}

// What somebody who owns the database can do, and what a check says of it.
func TestACheckNamesWhatWasDoneToTheLog(t *testing.T) {
	const otherHash = "x'0000000000000000000000000000000000000000000000000000000000000000'"
	for name, c := range map[string]struct {
		do     []string
		code   audit.Code
		number int64
	}{
		"nothing":                           {nil, "", 0},
		"an entry says something else":      {[]string{"UPDATE audit SET reason = 'x' WHERE number = 5"}, audit.EntryChanged, 5},
		"who did it":                        {[]string{"UPDATE audit SET person = 'p2' WHERE number = 700"}, audit.EntryChanged, 700},
		"a young entry is forgotten":        {[]string{"UPDATE audit SET person = '', system = '', action = '', object = '', subject = '', owner = '', facts = '{}', address = '' WHERE number = 5"}, audit.EntryChanged, 5},
		"an entry is gone":                  {[]string{"DELETE FROM audit WHERE number = 600"}, audit.EntryMissing, 600},
		"two change places":                 {[]string{"UPDATE audit SET number = 9999 WHERE number = 3", "UPDATE audit SET number = 3 WHERE number = 4", "UPDATE audit SET number = 4 WHERE number = 9999"}, audit.TreeChanged, 3},
		"the last is gone":                  {[]string{"DELETE FROM audit WHERE number = 1202"}, audit.EntryMissing, 1202},
		"an entry and its hash":             {[]string{"UPDATE audit SET hash = " + otherHash + " WHERE number = 5"}, audit.EntryChanged, 5},
		"a leaf of the tree":                {[]string{"UPDATE audit_nodes SET hash = " + otherHash + " WHERE position = 0"}, audit.TreeChanged, 0},
		"a hash within the tree":            {[]string{"UPDATE audit_nodes SET hash = " + otherHash + " WHERE position = 2"}, audit.TreeChanged, 1},
		"a hash of the tree is gone":        {[]string{"DELETE FROM audit_nodes WHERE position = 900"}, audit.TreeChanged, 0},
		"a kept root":                       {[]string{"UPDATE audit_checkpoints SET root = " + otherHash + " WHERE size = 407"}, audit.RootDiffers, 407},
		"the newest root":                   {[]string{"UPDATE audit_head SET root = " + otherHash}, audit.RootDiffers, 1203},
		"the log is shorter":                {[]string{"UPDATE audit_head SET size = 407, root = (SELECT root FROM audit_checkpoints WHERE size = 407), note = (SELECT note FROM audit_checkpoints WHERE size = 407)", "DELETE FROM audit WHERE number >= 407"}, audit.CheckpointBeyond, 0},
		"entries behind the end":            {[]string{"UPDATE audit_head SET size = 407, root = (SELECT root FROM audit_checkpoints WHERE size = 407), note = (SELECT note FROM audit_checkpoints WHERE size = 407)", "DELETE FROM audit_checkpoints WHERE size > 407"}, audit.EntryBeyond, 0},
		"a signature of another checkpoint": {[]string{"UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints WHERE size = 7) WHERE size = 407"}, audit.SignatureBad, 407},
		"a signature that is none":          {[]string{"UPDATE audit_head SET note = 'signed'"}, audit.SignatureBad, 1203},
		"the keys are gone":                 {[]string{"DELETE FROM audit_keys"}, audit.SignatureBad, 7},
		"a stamp of something else":         {[]string{"UPDATE audit_stamps SET token = x'01'"}, audit.StampBad, 407},
	} {
		t.Run(name, func(t *testing.T) {
			d, tree := grown(t)
			asOwner(t, d, c.do...)
			_, err := tree.Check(t.Context(), d.AuditTree())
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, audit.ErrProof)
			var v *audit.Violation
			require.ErrorAs(t, err, &v)
			require.Equal(t, c.code, v.Code, err.Error())
			if c.number > 0 {
				require.Equal(t, c.number, v.Number, err.Error())
			}
			require.NotEmpty(t, err.Error())
		})
	}
}

func TestACheckSeesThatAGuardIsGone(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tree := &audit.Tree{Store: d.AuditTree()}
		_, err := tree.Check(t.Context(), d.AuditTree())
		require.NoError(t, err)
		gone := []string{"DROP TRIGGER audit_nodes_no_delete", "CREATE TRIGGER audit_nodes_no_delete BEFORE DELETE ON audit_nodes BEGIN SELECT 1; END"}
		if d.Dialect == db.Postgres {
			gone = []string{
				"ALTER TABLE audit_nodes DISABLE TRIGGER ALL", "ALTER TABLE audit_nodes ENABLE TRIGGER ALL",
				"ALTER TABLE audit_nodes ENABLE ALWAYS TRIGGER audit_nodes_no_truncate; DROP TRIGGER audit_nodes_append_only ON audit_nodes",
				"CREATE OR REPLACE FUNCTION audit_frozen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
			}
		}
		for _, s := range gone {
			_, err := d.Write.Exec(s)
			require.NoError(t, err)
			_, err = tree.Check(t.Context(), d.AuditTree())
			var v *audit.Violation
			require.ErrorAs(t, err, &v, s)
			require.Equal(t, audit.GuardMissing, v.Code)
			require.Contains(t, v.Detail, "audit_")
		}
	})
}

func TestACheckGoesOnWhereItWasCutOffWhileTheLogGrows(t *testing.T) {
	d, tree := grown(t)
	p, done, parts := audit.Progress{}, false, 0
	for ; !done; parts++ {
		var err error
		p, done, err = tree.CheckPart(t.Context(), d.AuditTree(), p, func(audit.Progress) bool { return false })
		require.NoError(t, err)
		if parts < 3 {
			write(t, d, 5)
			_, err = tree.Number(t.Context())
			require.NoError(t, err)
		}
	}
	require.Greater(t, parts, 3)
	require.EqualValues(t, 1218, p.Seen)
	asOwner(t, d, "UPDATE audit SET reason = 'x' WHERE number = 1210")
	_, _, err := tree.CheckPart(t.Context(), d.AuditTree(), audit.Progress{}, nil)
	require.ErrorIs(t, err, audit.ErrProof)
}

func TestTheLogIsCheckedDailyAndWhenSomebodyAsks(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		tree := &audit.Tree{Store: d.AuditTree(), Signer: signer(t, 7)}
		var log bytes.Buffer
		checker := &audit.Checker{Store: d.AuditTree(), Tree: tree, Every: 24 * time.Hour, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))}
		run := func(want int) {
			t.Helper()
			got, err := checker.Run(ctx)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		run(0) // nothing to check
		write(t, d, 20)
		_, err := tree.Number(ctx)
		require.NoError(t, err)
		run(1)
		run(0)
		last, err := d.AuditTree().LastCheck(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 20, last.Seen)
		require.Empty(t, last.Code)
		now = now.Add(23 * time.Hour)
		run(0)
		require.NoError(t, checker.Ask(ctx, people.Actor{Person: "p9"}))
		require.ErrorIs(t, checker.Ask(ctx, people.Actor{Person: "p9"}), audit.ErrChecking)
		run(1)
		last, err = d.AuditTree().LastCheck(ctx)
		require.NoError(t, err)
		require.EqualValues(t, "p9", last.AskedBy)
		now = now.Add(24 * time.Hour)
		run(1)
		require.NotContains(t, log.String(), "alarm")

		var all sync.WaitGroup
		var mu sync.Mutex
		ended := 0
		now = now.Add(24 * time.Hour)
		for range 6 {
			all.Go(func() {
				n, err := checker.Run(ctx)
				mu.Lock()
				defer mu.Unlock()
				if ended += n; err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 1, ended, "one of many processes checks")
		if d.Dialect == db.Postgres {
			return
		}
		asOwner(t, d, "UPDATE audit SET reason = 'x' WHERE number = 5")
		require.NoError(t, checker.Ask(ctx, people.Actor{Person: "p9"}))
		run(1)
		last, err = d.AuditTree().LastCheck(ctx)
		require.NoError(t, err)
		require.Equal(t, audit.EntryChanged, last.Code)
		require.EqualValues(t, 5, last.Number)
		require.Contains(t, log.String(), "alarm=true")
		found, _, err := d.Audit().List(ctx, audit.Filter{Action: "audit.check", Outcome: audit.Failed})
		require.NoError(t, err)
		require.Equal(t, "entry_changed", found[0].Reason, "the log tells of it too")
		require.Error(t, d.AuditTree().KeepCheck(ctx, audit.Checked{ID: last.ID, EndedAt: now}), "and the result cannot be taken back")
	})
}

func TestGrowthIsProvedBetweenAnyTwoKeptCheckpoints(t *testing.T) {
	d, tree := grown(t)
	ctx := t.Context()
	state, err := tree.State(ctx, d.AuditTree())
	require.NoError(t, err)
	require.Equal(t, tree.Signer.Key(), state.Key)
	require.Len(t, state.Kept, 3)
	require.Contains(t, state.Stamps, int64(407))
	for i, newer := range state.Kept {
		for _, older := range state.Kept[i:] {
			g, err := tree.GrownBetween(ctx, d.AuditTree(), older.Size, newer.Size)
			require.NoError(t, err)
			require.True(t, g.Holds, "%d to %d", older.Size, newer.Size)
		}
	}
	for _, pair := range [][2]int64{{0, 407}, {8, 407}, {407, 408}, {1203, 407}, {-1, -1}} {
		_, err := tree.GrownBetween(ctx, d.AuditTree(), pair[0], pair[1])
		require.Error(t, err, fmt.Sprint(pair))
	}
	asOwner(t, d, "UPDATE audit_checkpoints SET root = x'"+strings.Repeat("00", 32)+"' WHERE size = 407")
	g, err := tree.GrownBetween(ctx, d.AuditTree(), 407, 1203)
	require.NoError(t, err)
	require.False(t, g.Holds)
}
