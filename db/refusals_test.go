package db_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/people"
)

func TestAFloodOfRefusalsIsAFewRowsAndItsCountIsKept(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		const flood = 10_000
		count := func(table string) (n int) {
			require.NoError(t, d.Read.Get(&n, "SELECT COUNT(*) FROM "+table))
			return n
		}
		var all []audit.Entry
		for i := range flood {
			all = append(all,
				audit.Entry{At: noon, System: "login", Action: "session.begin", Object: "session", Outcome: audit.Refused, Reason: "answer_invalid", Address: fmt.Sprintf("192.0.2.%d", i%250)},
				audit.Entry{At: noon, Person: "p1", Action: "document.read", Object: "document", Subject: fmt.Sprint("d", i), Outcome: audit.Refused, Reason: "not_found"})
		}
		for len(all) > 0 {
			require.NoError(t, d.Audit().Write(ctx, all[:1000]...))
			all = all[1000:]
		}
		require.Equal(t, 2, count("audit_refusals"))
		entries, _, err := d.Audit().List(ctx, audit.Filter{Limit: 500})
		require.NoError(t, err)
		require.Len(t, entries, 20+8, "twenty, then 40, 80, … 5120")
		require.Equal(t, "5120", entries[0].Facts["refusals_this_hour"])
		for _, e := range entries {
			require.Equal(t, people.ID("p1"), e.Person, "nobody's are no entries")
		}
		sums, err := d.Audit().Refusals(ctx, noon)
		require.NoError(t, err)
		require.ElementsMatch(t, []audit.Refusals{{Kind: "session.begin answer_invalid", Nobody: flood}, {Kind: "document.read not_found", People: flood}}, sums)

		// Another person, kind or hour is not thinned by it, nor what changed something.
		before := count("audit")
		for _, e := range []audit.Entry{
			{At: noon, Person: "p2", Action: "document.read", Outcome: audit.Refused, Reason: "not_found"},
			{At: noon, Person: "p1", Action: "document.read", Outcome: audit.Refused, Reason: "forbidden"},
			{At: noon.Add(time.Hour), Person: "p1", Action: "document.read", Outcome: audit.Refused, Reason: "not_found"},
			{At: noon, Person: "p1", Action: "document.read", Outcome: audit.Refused, Reason: "not_found", From: "ready", To: "quarantined"},
			{At: noon, System: "dtm", Action: "validation.observe", Outcome: audit.Observed},
			{At: noon, System: "finish-signature", Action: "signature.fail", Outcome: audit.Failed},
			{At: noon, System: "sweep", Action: "validation.expire", Outcome: audit.Refused},
		} {
			require.NoError(t, d.Audit().Write(ctx, e))
			before++
			require.Equal(t, before, count("audit"), "%+v", e)
		}
		n, err := d.Audit().ForgetRefusals(ctx, noon.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.Equal(t, 1, count("audit_refusals"))
	})
}

func TestStrangersAreCountedInMemoryAndOfFewKinds(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		tally := &audit.Tally{Store: d.Audit(), Now: func() time.Time { return noon }}
		for i := range 10_000 {
			tally.Refused("http 404")
			tally.Refused(fmt.Sprint("made up ", i))
		}
		require.NoError(t, tally.Flush(t.Context()))
		require.NoError(t, tally.Flush(t.Context()))
		tally.Refused("http 404")
		require.NoError(t, tally.Flush(t.Context()))
		sums, err := d.Audit().Refusals(t.Context(), noon)
		require.NoError(t, err)
		require.Len(t, sums, 65, "64 kinds and the rest")
		total := int64(0)
		for _, s := range sums {
			total += s.Nobody
			require.True(t, s.Kind == "http 404" || s.Kind == "other" || strings.HasPrefix(s.Kind, "made up"))
		}
		require.EqualValues(t, 20_001, total)
	})
}
