package db

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/signing"
)

// Fsck reads the rows and holds them against what must always be true of them. It writes
// nothing. Each check sees the rows of one moment, so it may run beside a site at work;
// what it finds there is worth a second look, for bytes are no rows.
type Fsck struct {
	signingStore
	Now time.Time
}

// Fsck of this database.
func (d *DB) Fsck(now time.Time) Fsck { return Fsck{signingStore{d}, now} }

// KeptDocuments answers up to n documents whose bytes must be here, by id.
func (f Fsck) KeptDocuments(ctx context.Context, after signing.DocumentID, n int) ([]signing.Document, error) {
	rows, err := documents.list(ctx, f.Read, "id > ? AND state IN ('checking', 'ready') ORDER BY id LIMIT ?", after, n)
	return convert(rows, documentRow.document, err)
}

// CertificateOf is the serial number on record for the credential of a ceremony.
func (f Fsck) CertificateOf(ctx context.Context, id signing.CeremonyID) (serial string, err error) {
	err = f.Read.GetContext(ctx, &serial, f.Read.Rebind("SELECT k.serial FROM ceremonies c JOIN credentials k ON k.id = c.credential WHERE c.id = ?"), id)
	if missing(err) {
		return "", nil
	}
	return serial, err
}

// snapshot runs f on the rows of one moment.
func (f Fsck) snapshot(ctx context.Context, look func(tx *sqlx.Tx) error) error {
	tx, err := f.Read.BeginTxx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: f.oneMoment()})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	return look(tx)
}

// oneMoment: SQLite's transactions always are.
func (f Fsck) oneMoment() sql.IsolationLevel {
	if f.Dialect == Postgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// most bounds what one question answers: who has more flaws than that has one cause.
const most = 200

// found is a row that is not as it should be.
type found struct {
	ID    string `db:"id"`
	State string `db:"state"`
	Since int64  `db:"since"`
	Note  string `db:"note"`
}

// question is one query that answers what is wrong, and nothing where all is well. It
// selects id, state, since and note.
type question struct {
	object string
	query  string
	what   string // with the note put in for %s, if there is a place for it
	do     string
}

// ask puts the questions to the rows of one moment.
func (f Fsck) ask(ctx context.Context, invariant string, tell func(signing.Flaw), all []question, args ...any) error {
	return f.snapshot(ctx, func(tx *sqlx.Tx) error {
		for _, q := range all {
			var rows []found
			if err := tx.SelectContext(ctx, &rows, tx.Rebind(q.query+fmt.Sprintf(" LIMIT %d", most)), args...); err != nil {
				return fmt.Errorf("%s: %w", invariant, err)
			}
			for _, r := range rows {
				tell(signing.Flaw{Invariant: invariant, Object: q.object, Subject: r.ID, Since: at(r.Since), What: q.say(r), Do: q.do})
			}
		}
		return nil
	})
}

func (q question) say(r found) string {
	text := q.what
	if r.Note != "" {
		text += ": " + r.Note
	}
	if r.State != "" {
		text += " (state " + r.State + ")"
	}
	return text
}

// count of a table, to tell how much was looked at.
func (f Fsck) count(ctx context.Context, table string) (n int, err error) {
	err = f.Read.GetContext(ctx, &n, "SELECT COUNT(*) FROM "+table)
	return n, err
}

// remembered is how long the log keeps what its lines say; of what is older it may tell
// nothing any more.
const remembered = 2562 * 24 * time.Hour

func (f Fsck) young() int64 { return ms(f.Now.Add(-remembered)) }

const report = "This must not be possible. Keep a copy of the database and the log, and report it."

// Once holds that a signature was given out once at most (I4).
func (f Fsck) Once(ctx context.Context, tell func(signing.Flaw)) (int, error) {
	err := f.ask(ctx, "I4", tell, []question{
		{"ceremony", `SELECT ceremony AS id, '' AS state, MIN(since) AS since, document AS note FROM signatures WHERE state = 'released'
			GROUP BY ceremony, document HAVING COUNT(*) > 1`, "more than one signature of one document was given out for one approval", report},
		{"document", `SELECT document AS id, '' AS state, MIN(since) AS since, '' AS note FROM signatures
			WHERE state IN ('prepared', 'intended', 'signed', 'assembled') GROUP BY document HAVING COUNT(*) > 1`,
			"more than one signature of it is open at the same time", "See that the unique index signatures_open is there: portal migrate makes it. " + report},
		{"signature", fmt.Sprintf("SELECT s.id, s.state, s.since, '' AS note FROM signatures s WHERE s.created_at > %d AND ", f.young()) + `
			(SELECT COUNT(*) FROM audit a WHERE a.subject = s.id AND a.object = 'signature' AND a.action = 'signature.release')
			<> CASE WHEN s.state = 'released' THEN 1 ELSE 0 END`, "the log does not tell of exactly one release where there is one, and of none where there is none", report},
		{"signature", `SELECT s.id, s.state, s.since, '' AS note FROM signatures s WHERE
			(SELECT COUNT(*) FROM audit a WHERE a.subject = s.id AND a.object = 'signature' AND a.action = 'signature.sign') > 1`,
			"a value of the key was stored for it more than once", report},
		{"signature", `SELECT signature AS id, '' AS state, MIN(created_at) AS since, '' AS note FROM revisions WHERE signature <> '' AND number > 1
			GROUP BY signature HAVING COUNT(*) > 1`, "it appended to its document more than once", report},
	})
	if err != nil {
		return 0, err
	}
	return f.count(ctx, "signatures")
}

// Stuck holds that nothing waits in a state that passes by itself (I11).
func (f Fsck) Stuck(ctx context.Context, tell func(signing.Flaw)) (int, error) {
	const (
		late  = 15 * time.Minute
		start = "If the site is stopped, start it: it takes this up within minutes. If it runs, see why its background work does not: /readyz and the log tell."
	)
	old, longer := ms(f.Now.Add(-late)), ms(f.Now.Add(-25*time.Hour))
	stuck := func(table, states, column string) string {
		return "SELECT id, state, since, '' AS note FROM " + table + " WHERE state IN (" + states + ") AND " + column + " > 0 AND " + column + " < ?"
	}
	for _, one := range []struct {
		q     question
		limit int64
	}{
		{question{"document", stuck("documents", "'receiving', 'checking'", "deadline"), "an upload came to a stop and was not ended", start}, old},
		{question{"ceremony", stuck("ceremonies", "'prepared', 'code_sent', 'consenting', 'authorizing', 'authorized'", "deadline"), "a signing waits past its time and was not ended", start}, old},
		{question{"signature", stuck("signatures", "'intended'", "since"), "the key was to be asked, and what came of it was never settled", start}, old},
		{question{"signature", stuck("signatures", "'signed', 'assembled'", "signed_at"), "it was signed, and has been neither given out nor ended for a day", start}, longer},
		{question{"document", stuck("extensions", "'waiting'", "deadline"), "proof for later years is due to be added, and nobody took it up", start}, old},
		{question{"validation", stuck("validations", "'started'", "deadline"), "an identity check was begun, and neither made at DigiCert nor ended", start}, old},
	} {
		if err := f.ask(ctx, "I11", tell, []question{one.q}, one.limit); err != nil {
			return 0, err
		}
	}
	return f.countAll(ctx, "documents", "ceremonies", "signatures", "validations")
}

func (f Fsck) countAll(ctx context.Context, tables ...string) (sum int, err error) {
	for _, table := range tables {
		n, err := f.count(ctx, table)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// Sums holds that what is counted against people's room is what they keep (I12).
func (f Fsck) Sums(ctx context.Context, tell func(signing.Flaw)) (int, error) {
	err := f.ask(ctx, "I12", tell, []question{
		{"document", `SELECT d.id, d.state, d.since, '' AS note FROM documents d WHERE d.state IN ('checking', 'ready', 'quarantined') AND
			(d.size <> (SELECT COALESCE(SUM(r.size), 0) FROM revisions r WHERE r.document = d.id AND r.number <= d.revisions)
			OR d.revisions <> (SELECT COUNT(*) FROM revisions r WHERE r.document = d.id AND r.number <= d.revisions))`,
			"the size that counts for its owner is not the sum of its revisions", report},
		{"document", `SELECT r.document AS id, '' AS state, r.created_at AS since, '' AS note FROM revisions r WHERE r.start <>
			(SELECT COALESCE(SUM(b.size), 0) FROM revisions b WHERE b.document = r.document AND b.number < r.number)`,
			"a revision does not begin where the one before it ends", report},
	})
	if err != nil {
		return 0, err
	}
	return f.count(ctx, "documents")
}

// Intents answers up to n signatures as the ledger of the service sees them, by id.
func (f Fsck) Intents(ctx context.Context, after signing.SignatureID, n int) ([]signing.Intent, error) {
	var rows []struct {
		ID         string `db:"id"`
		Ceremony   string `db:"ceremony"`
		State      string `db:"state"`
		Reason     string `db:"reason"`
		Digest     []byte `db:"digest"`
		IntendedAt int64  `db:"intended_at"`
		Since      int64  `db:"since"`
		Sends      int    `db:"sends"`
	}
	err := f.Read.SelectContext(ctx, &rows, f.Read.Rebind(`SELECT s.id, s.ceremony, s.state, s.reason, s.digest, s.intended_at, s.since, c.sends
		FROM signatures s JOIN ceremonies c ON c.id = s.ceremony WHERE s.id > ? ORDER BY s.id LIMIT ?`), after, n)
	if err != nil {
		return nil, fmt.Errorf("list what was to be signed: %w", err)
	}
	out := make([]signing.Intent, 0, len(rows))
	for _, r := range rows {
		out = append(out, signing.Intent{Signature: signing.SignatureID(r.ID), Ceremony: signing.CeremonyID(r.Ceremony), State: signing.SignatureState(r.State),
			Reason: r.Reason, Digest: hex.EncodeToString(r.Digest), Intended: r.IntendedAt > 0, Since: at(r.Since), Sends: r.Sends})
	}
	return out, nil
}
