package db

import (
	"context"
	"fmt"
	"time"
)

// Backlog is work that waits, for those who watch over the site. Counts stop at 1000.
type Backlog struct {
	AuditSince   time.Time // of the oldest entry without a place in the tree; zero: none waits
	AuditBroken  string    // what the last check of the log found; empty: it held, or there was none
	AuditChecked time.Time // when that ended; zero: there was none
	MailWaiting  int
	MailTroubled int // of those that wait: the last try failed
	MailDead     int // given up
	JobsFailing  int // tried at least three times, and to be tried again
	Overdue      int // documents, ceremonies and signatures past their deadline
}

const (
	overdueDocuments  = "SELECT 1 FROM documents WHERE state IN ('receiving', 'checking') AND deadline > 0 AND deadline <= ?"
	overdueCeremonies = "SELECT 1 FROM ceremonies WHERE state IN ('prepared', 'code_sent', 'consenting', 'authorizing', 'authorized') AND deadline > 0 AND deadline <= ?"
	overdueSignatures = "SELECT 1 FROM signatures WHERE state IN ('prepared', 'intended', 'signed', 'assembled') AND deadline > 0 AND deadline <= ?"
)

// Backlog counts what waits; overdue is what passed its deadline before then.
func (d *DB) Backlog(ctx context.Context, then time.Time) (b Backlog, err error) {
	if b.MailWaiting, b.MailTroubled, b.MailDead, err = d.Outbox().Counts(ctx); err != nil {
		return b, err
	}
	var oldest int64
	if err := d.Read.GetContext(ctx, &oldest, "SELECT COALESCE(MIN(at), 0) FROM audit WHERE number IS NULL"); err != nil {
		return b, fmt.Errorf("count unnumbered entries: %w", err)
	}
	if oldest > 0 {
		b.AuditSince = at(oldest)
	}
	last, err := d.AuditTree().LastEnded(ctx)
	if err != nil {
		return b, err
	}
	if last != nil {
		b.AuditBroken, b.AuditChecked = string(last.Code), last.EndedAt
	}
	counted := func(n *int, of string, args ...any) {
		if err == nil {
			var found int
			err = d.Read.GetContext(ctx, &found, d.Read.Rebind(fmt.Sprintf("SELECT COUNT(*) FROM (%s LIMIT %d) AS found", of, countedTo)), args...)
			*n += found
		}
	}
	counted(&b.JobsFailing, "SELECT 1 FROM river_job WHERE state = 'retryable' AND attempt >= 3")
	counted(&b.Overdue, overdueDocuments, ms(then))
	counted(&b.Overdue, overdueCeremonies, ms(then))
	counted(&b.Overdue, overdueSignatures, ms(then))
	if err != nil {
		return b, fmt.Errorf("count what waits: %w", err)
	}
	return b, nil
}
