package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/people"
	"countersign/signing"
)

// Three rows share each moment, so that a cursor of the time alone would lose some.
func moment(i int) time.Time { return noon.Add(time.Duration(i/3) * time.Second) }

// walk reads a list page by page, with rows added in front of it meanwhile.
func walk[T any](t *testing.T, size int, between func(), page func(after string, n int) (rows []T, next string)) []T {
	t.Helper()
	var all []T
	for after, pages := "", 0; ; pages++ {
		require.Less(t, pages, 100, "the list does not end")
		rows, next := page(after, size)
		all = append(all, rows...)
		if len(rows) < size || next == "" {
			return all
		}
		after = next
		between()
	}
}

func TestPagesOfDocumentsLoseAndRepeatNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Signing()
		p, other := dbtest.Person(t, d, people.Person{}), dbtest.Person(t, d, people.Person{})
		var c signing.Change
		put := func(owner people.ID, i int, state signing.DocumentState, signed bool) {
			doc := aDocument(owner, fmt.Sprintf("%s-%03d", owner, i))
			doc.CreatedAt, doc.State, doc.Signed = moment(i), state, signed
			c.Documents = append(c.Documents, signing.Moved[signing.DocumentState, signing.Document]{To: doc})
		}
		states := []signing.DocumentState{signing.DocumentReady, signing.DocumentRefused, signing.DocumentErased, signing.DocumentReceiving, signing.DocumentQuarantined}
		for i := range 50 {
			put(p.ID, i, states[i%5], i%2 == 0)
			put(other.ID, i, signing.DocumentReady, true)
		}
		require.NoError(t, s.Apply(ctx, c))
		added := 1000
		read := func(q signing.DocumentQuery) []signing.Document {
			return walk(t, 4, func() {
				c = signing.Change{}
				put(p.ID, added, signing.DocumentReady, true)
				added++
				require.NoError(t, s.Apply(ctx, c))
			}, func(after string, n int) ([]signing.Document, string) {
				q.After, q.Limit = after, n
				rows, err := s.Documents(ctx, q)
				require.NoError(t, err)
				if len(rows) == 0 {
					return rows, ""
				}
				return rows, rows[len(rows)-1].Cursor()
			})
		}
		check := func(rows []signing.Document, want int) {
			seen := map[signing.DocumentID]bool{}
			for i, row := range rows {
				require.Equal(t, p.ID, row.Owner)
				require.False(t, seen[row.ID], "%s twice", row.ID)
				seen[row.ID] = true
				if i > 0 {
					require.False(t, row.CreatedAt.After(rows[i-1].CreatedAt), "newest first")
				}
			}
			require.Len(t, rows, want)
		}
		check(read(signing.DocumentQuery{Owner: p.ID}), 30)
		readyAdded := added - 1000
		yes := true
		check(read(signing.DocumentQuery{Owner: p.ID, Signed: &yes}), 15+readyAdded)
		before := added - 1000
		check(read(signing.DocumentQuery{Owner: p.ID, States: []signing.DocumentState{signing.DocumentRefused, signing.DocumentReady, signing.DocumentReady}}), 20+before)
		counts, err := s.DocumentCounts(ctx, p.ID)
		require.NoError(t, err)
		require.Equal(t, map[signing.DocumentState]int{"ready": 10 + added - 1000, "refused": 10, "quarantined": 10}, counts)
	})
}

func TestTextIsFoundInAnyCaseAndTakenLiterally(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		p := dbtest.Person(t, d, people.Person{Name: "Jürgen ÖZ"})
		doc := aDocument(p.ID, "d1")
		doc.Name = "ÄRZTE 100%_Plan!.pdf"
		require.NoError(t, d.Signing().Apply(ctx, signing.Change{Documents: documentMoves{{To: doc}}}))
		require.NoError(t, d.Identity().Apply(ctx, identity.Change{Credentials: inserted[identity.CredentialState](aCredential(p.ID, "c1"))}))
		for text, want := range map[string]int{"ärzte": 1, "100%_p": 1, "plan!": 1, "1000": 0, "%z%": 0, "_": 1, "x": 0, "'": 0} {
			rows, err := d.Signing().Documents(ctx, signing.DocumentQuery{Owner: p.ID, Text: text})
			require.NoError(t, err)
			require.Len(t, rows, want, text)
		}
		for text, want := range map[string]int{"özil": 0, "öz": 1, "NAME-C1": 1, "%": 0} {
			rows, err := d.Identity().Credentials(ctx, identity.CredentialQuery{Text: text})
			require.NoError(t, err)
			require.Len(t, rows, want, text)
		}
	})
}

func TestTheReviewQueueIsOldestFirstAndPaged(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), d.Identity()
		p := dbtest.Person(t, d, people.Person{})
		states := []identity.ValidationState{identity.ValidationAwaitingApproval, identity.ValidationApprovalUnknown, identity.ValidationApproved}
		var c identity.Change
		for i := range 30 {
			v := aValidation(p.ID, fmt.Sprintf("v%03d", 99-i))
			v.Since, v.State = moment(i), states[i%3]
			if i%2 == 0 {
				v.Standard = identity.Basic
			}
			c.Validations = append(c.Validations, identity.Moved[identity.ValidationState, identity.Validation]{To: v})
		}
		require.NoError(t, s.Apply(ctx, c))
		read := func(q identity.QueueQuery) []identity.Validation {
			return walk(t, 3, func() {}, func(after string, n int) ([]identity.Validation, string) {
				q.After, q.Limit = after, n
				rows, err := s.Queue(ctx, q)
				require.NoError(t, err)
				if len(rows) == 0 {
					return rows, ""
				}
				return rows, rows[len(rows)-1].Cursor()
			})
		}
		all := read(identity.QueueQuery{})
		require.Len(t, all, 20)
		for i := range all[1:] {
			a, b := all[i], all[i+1]
			require.True(t, a.Since.Before(b.Since) || a.Since.Equal(b.Since) && a.ID < b.ID)
		}
		require.Len(t, read(identity.QueueQuery{Standard: identity.Basic}), 10)
		counts, err := s.QueueCounts(ctx)
		require.NoError(t, err)
		require.Equal(t, map[identity.ValidationState]int{"awaiting_approval": 10, "approval_unknown": 10, "approved": 10}, counts)
	})
}

func TestTheLogIsPagedAndNarrowed(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		actions := []string{"signature.release", "signature.begin", "document.submit", "session.end", "signal.x"}
		var entries []audit.Entry
		for i := range 50 {
			e := audit.Entry{At: moment(i), Action: actions[i%5], Object: "thing", Subject: fmt.Sprint("s", i%10), Owner: "o", Person: "p", Outcome: audit.Done}
			if i%7 == 0 {
				e.Outcome, e.Owner = audit.Refused, "other"
			}
			entries = append(entries, e)
		}
		require.NoError(t, d.Audit().Write(ctx, entries...))
		for name, c := range map[string]struct {
			f    audit.Filter
			want int
		}{
			"everything": {audit.Filter{}, 50}, "a prefix": {audit.Filter{Action: "signature."}, 20}, "one action": {audit.Filter{Action: "signature.begin"}, 10},
			"no such action": {audit.Filter{Action: "zzz"}, 0}, "owner": {audit.Filter{Owner: "other"}, 8}, "outcome": {audit.Filter{Outcome: audit.Refused}, 8},
			"subject": {audit.Filter{Subject: "s3"}, 5}, "person and object": {audit.Filter{Person: "p", Object: "thing"}, 50},
			"prefix and owner": {audit.Filter{Action: "sig", Owner: "o"}, 25}, "time": {audit.Filter{From: moment(3), To: moment(9)}, 6},
		} {
			t.Run(name, func(t *testing.T) {
				seen := map[string]bool{}
				rows := walk(t, 4, func() {}, func(after string, n int) ([]audit.Entry, string) {
					c.f.After, c.f.Limit = after, n
					rows, next, err := d.Audit().List(ctx, c.f)
					require.NoError(t, err)
					return rows, next
				})
				for i, e := range rows {
					require.False(t, seen[e.ID])
					seen[e.ID] = true
					require.True(t, i == 0 || !e.At.After(rows[i-1].At), "newest first")
				}
				require.Len(t, rows, c.want)
			})
		}
		_, err := d.Audit().Entry(ctx, "none")
		require.ErrorIs(t, err, audit.ErrNotFound)
	})
}

func TestACursorThatNoListGaveIsRefused(t *testing.T) {
	d := dbtest.New(t)
	for _, bad := range []string{"x", "1", "_", "x_y", "99999999999999999999_a", "1_" + string(make([]byte, 300))} {
		_, err := d.Signing().Documents(t.Context(), signing.DocumentQuery{Owner: "p", After: bad})
		require.ErrorIs(t, err, db.ErrCursor, bad)
	}
}
