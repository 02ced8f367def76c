package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
)

func write(t *testing.T, d *db.DB, n int) {
	t.Helper()
	var entries []audit.Entry
	for i := range n {
		entries = append(entries, audit.Entry{Person: "p1", Action: "document.submit", Object: "document", Subject: fmt.Sprint("d", i), Owner: "p1",
			To: "ready", Outcome: audit.Done, Facts: map[string]string{"sha256": fmt.Sprint(i), "bytes": "7"}, Address: "192.0.2.1"})
	}
	require.NoError(t, d.Audit().Write(context.Background(), entries...))
}

func numbered(t *testing.T, d *db.DB) []audit.Entry {
	t.Helper()
	all, err := d.AuditTree().Numbered(context.Background(), 0, 10_000)
	require.NoError(t, err)
	return all
}

func TestEveryEntryHasAProofAndNoOtherEntryFitsIt(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	tree := &audit.Tree{Store: d.AuditTree()}
	_, err := tree.Proof(ctx, 0)
	require.ErrorIs(t, err, audit.ErrNotNumbered)
	total := 0
	for _, n := range []int{1, 2, 4, 9, 1, 16} {
		write(t, d, n)
		got, err := tree.Number(ctx)
		require.NoError(t, err)
		require.Equal(t, n, got)
		total += n
		all := numbered(t, d)
		require.Len(t, all, total)
		for i, e := range all {
			require.EqualValues(t, i, e.Number)
			p, err := tree.Proof(ctx, e.Number)
			require.NoError(t, err)
			require.NoError(t, audit.CheckProof(e, p))
			changed := e
			changed.Reason = "x"
			require.ErrorIs(t, audit.CheckProof(changed, p), audit.ErrProof)
			moved := p
			moved.Number = (p.Number + 1) % int64(total)
			if total > 1 {
				require.ErrorIs(t, audit.CheckProof(e, moved), audit.ErrProof)
				cut := p
				cut.Path = p.Path[1:]
				require.ErrorIs(t, audit.CheckProof(e, cut), audit.ErrProof)
			}
			other := p
			other.Checkpoint.Root = bytes.Repeat([]byte{1}, 32)
			require.ErrorIs(t, audit.CheckProof(e, other), audit.ErrProof)
		}
		count, err := tree.Check(ctx, d.AuditTree())
		require.NoError(t, err)
		require.EqualValues(t, total, count)
	}
	_, err = tree.Proof(ctx, int64(total))
	require.ErrorIs(t, err, audit.ErrNotNumbered)
	n, err := tree.Number(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestTreeOnlyGrows(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	tree := &audit.Tree{Store: d.AuditTree()}
	var checkpoints []audit.Checkpoint
	for _, n := range []int{3, 5, 1, 8} {
		write(t, d, n)
		_, err := tree.Number(ctx)
		require.NoError(t, err)
		cp, err := d.AuditTree().LastCheckpoint(ctx)
		require.NoError(t, err)
		checkpoints = append(checkpoints, cp)
	}
	for _, older := range checkpoints {
		path, newest, err := tree.Growth(ctx, older)
		require.NoError(t, err)
		require.NoError(t, audit.CheckGrowth(path, older, newest))
		forged := older
		forged.Root = bytes.Repeat([]byte{2}, 32)
		require.ErrorIs(t, audit.CheckGrowth(path, forged, newest), audit.ErrProof)
	}
}

func TestManyEntriesAreNumberedInBatches(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	write(t, d, 1203)
	tree := &audit.Tree{Store: d.AuditTree()}
	n, err := tree.Number(ctx)
	require.NoError(t, err)
	require.Equal(t, 1203, n)
	count, err := tree.Check(ctx, d.AuditTree())
	require.NoError(t, err)
	require.EqualValues(t, 1203, count)
	p, err := tree.Proof(ctx, 777)
	require.NoError(t, err)
	require.NoError(t, audit.CheckProof(numbered(t, d)[777], p))
}

// altered answers the log with one entry changed, as somebody with the database could.
type altered struct {
	db.AuditTree
	change func([]audit.Entry) []audit.Entry
}

func (a altered) Numbered(ctx context.Context, first int64, n int) ([]audit.Entry, error) {
	all, err := a.AuditTree.Numbered(ctx, first, n)
	return a.change(all), err
}

func TestCheckFindsWhatWasChanged(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	write(t, d, 20)
	tree := &audit.Tree{Store: d.AuditTree()}
	_, err := tree.Number(ctx)
	require.NoError(t, err)
	for why, change := range map[string]func([]audit.Entry) []audit.Entry{
		"a field": func(all []audit.Entry) []audit.Entry { all[7].To = "refused"; return all },
		"a field and its hash": func(all []audit.Entry) []audit.Entry {
			all[7].To = "refused"
			all[7].Hash, _ = audit.LeafHash(all[7])
			return all
		},
		"one left out":      func(all []audit.Entry) []audit.Entry { return append(all[:7:7], all[8:]...) },
		"the end left out":  func(all []audit.Entry) []audit.Entry { return all[:min(len(all), 0)] },
		"two change places": func(all []audit.Entry) []audit.Entry { all[3], all[4] = all[4], all[3]; return all },
	} {
		_, err := tree.Check(ctx, altered{d.AuditTree(), change})
		require.ErrorIs(t, err, audit.ErrProof, why)
	}
}

func TestTwoProcessesDoNotNumberTwice(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	write(t, d, 700)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			_, err := (&audit.Tree{Store: d.AuditTree()}).Number(ctx)
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, db.ErrTreeMoved)
		}
	}
	tree := &audit.Tree{Store: d.AuditTree()}
	_, err := tree.Number(ctx)
	require.NoError(t, err)
	count, err := tree.Check(ctx, d.AuditTree())
	require.NoError(t, err)
	require.EqualValues(t, 700, count)
}

func TestLeafEncodingIsFixed(t *testing.T) {
	e := audit.Entry{ID: "e1", At: time.UnixMilli(1_700_000_000_123), Person: "p1", Action: "signature.release", Object: "signature", Subject: "s1",
		Owner: "p1", From: "assembled", To: "released", Outcome: audit.Done, Facts: map[string]string{"b": "<&>", "a": "é"}, Number: 9, Hash: []byte{1}}
	l, err := audit.Leaf(e)
	require.NoError(t, err)
	require.Equal(t, `{"v":1,"id":"e1","at":1700000000123,"person":"p1","system":"","action":"signature.release","object":"signature","subject":"s1",`+
		`"owner":"p1","from":"assembled","to":"released","outcome":"done","reason":"","facts":{"a":"é","b":"<&>"},"address":"","request":""}`, string(l))
	h, err := audit.LeafHash(e)
	require.NoError(t, err)
	want := sha256.Sum256(append([]byte{0}, l...)) // RFC 6962, 2.1
	require.Equal(t, want[:], h)
	e.Facts, e.At = nil, e.At.UTC()
	l, err = audit.Leaf(e)
	require.NoError(t, err)
	require.Contains(t, string(l), `"facts":{}`)
}

func TestSpreadsheetRunsNothing(t *testing.T) {
	for _, bad := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"} {
		require.Equal(t, []string{"'" + bad, "x"}, audit.Plain(bad, "x"))
	}
	for _, good := range []string{"", "a", "1=1", "a@b", "'x", "2026-11-23"} {
		require.Equal(t, []string{good}, audit.Plain(good))
	}
	var b bytes.Buffer
	at := time.Date(2026, 11, 23, 9, 31, 0, 0, time.UTC)
	require.NoError(t, audit.WriteCSV(&b, []audit.Entry{{ID: "e1", At: at, Action: "=cmd|' /C calc'!A0", Reason: "a,\"b\"\r\nc", Number: -1},
		{ID: "e2", At: at, Number: 4, Hash: []byte{0xab}, Facts: map[string]string{"b": "2", "a": "1"}}}, true))
	require.NoError(t, audit.WriteCSV(&b, []audit.Entry{{ID: "e3", Number: -1}}, false))
	require.True(t, strings.HasPrefix(b.String(), "number,id,at,"))
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, []string{"", "e1", "2026-11-23T09:31:00Z"}, rows[1][:3])
	require.Equal(t, "'=cmd|' /C calc'!A0", rows[1][5])
	require.Equal(t, []string{"4", "e2"}, rows[2][:2])
	require.Equal(t, "a=1; b=2", rows[2][13])
	require.Equal(t, "ab", rows[2][16])
	require.Equal(t, "e3", rows[3][1])
}
