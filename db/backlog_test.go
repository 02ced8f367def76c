package db_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/mail"
	"countersign/people"
	"countersign/signing"
)

func TestBacklogCountsWhatWaits(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		b, err := d.Backlog(ctx, noon)
		require.NoError(t, err)
		require.Zero(t, b)

		p := dbtest.Person(t, d, people.Person{GivenName: "Ada"}).ID
		document := aDocument(p, "d1")
		document.State, document.Deadline = signing.DocumentReceiving, noon.Add(-time.Minute)
		before := time.Now().Add(-time.Minute)
		require.NoError(t, d.Signing().Apply(ctx, signing.Change{
			Documents: []signing.Moved[signing.DocumentState, signing.Document]{{To: document}},
			Entries:   []audit.Entry{{Action: "document.submit", Object: "document", Subject: "d1", Outcome: audit.Done}},
			Mail:      []mail.Message{{To: "ada@example.test", Subject: "Hello", About: "a"}, {To: "ada@example.test", Subject: "Hello", About: "b"}},
		}))
		exec := func(statement string, args ...any) {
			_, err := d.Write.ExecContext(ctx, d.Write.Rebind(statement), args...)
			require.NoError(t, err)
		}
		exec("UPDATE outbox SET failed_at = 1, trouble = 'no such mailbox' WHERE about = 'b'")
		require.NoError(t, d.Signing().Apply(ctx, signing.Change{Jobs: []signing.DueJob{{Job: ping{"1"}}, {Job: ping{"2"}}, {Job: ping{"3"}}}}))
		exec("UPDATE river_job SET state = 'retryable', attempt = 2 WHERE id = (SELECT MIN(id) FROM river_job)")
		exec("UPDATE river_job SET state = 'retryable', attempt = 3 WHERE id = (SELECT MAX(id) FROM river_job)")

		b, err = d.Backlog(ctx, noon)
		require.NoError(t, err)
		require.WithinRange(t, b.AuditSince, before, time.Now().Add(time.Minute))
		b.AuditSince = time.Time{}
		require.Equal(t, db.Backlog{MailWaiting: 1, MailDead: 1, JobsFailing: 1, Overdue: 1}, b)
		b, err = d.Backlog(ctx, noon.Add(-time.Hour))
		require.NoError(t, err)
		require.Zero(t, b.Overdue, "its deadline is after then")
	})
}
