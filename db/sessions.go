package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"countersign/audit"
	"countersign/auth"
	"countersign/people"
)

// Auth is the store of package auth.
func (d *DB) Auth() auth.Store { return sessionStore{d} }

type sessionStore struct{ *DB }

type sessionRow struct {
	ID              string    `db:"id"`
	Hash            []byte    `db:"hash"`
	Person          people.ID `db:"person"`
	Issuer          string    `db:"issuer"`
	Subject         string    `db:"subject"`
	ProviderSession string    `db:"provider_session"`
	CreatedAt       int64     `db:"created_at"`
	SeenAt          int64     `db:"seen_at"`
	IdleEnds        int64     `db:"idle_ends"`
	Ends            int64     `db:"ends"`
	Data            string    `db:"data"`
	Hint            []byte    `db:"hint"`
}

var sessions = newTable[sessionRow]("sessions")

func (r sessionRow) session() (auth.Session, error) {
	data, err := fromJSON[auth.Data](r.Data)
	return auth.Session{
		ID: r.ID, Hash: r.Hash, Person: r.Person, Issuer: r.Issuer, Subject: r.Subject, ProviderSession: r.ProviderSession,
		CreatedAt: at(r.CreatedAt), SeenAt: at(r.SeenAt), IdleEnds: at(r.IdleEnds), Ends: at(r.Ends), Data: data, Hint: r.Hint,
	}, err
}

// sessionWithPerson is read by one statement on each request of a signed-in person.
var sessionWithPerson = func() string {
	var columns []string
	for prefix, all := range map[string]string{"s": sessions.columns, "p": persons.columns} {
		for _, c := range strings.Split(all, ", ") {
			columns = append(columns, fmt.Sprintf(`%s.%s AS "%s.%s"`, prefix, c, prefix, c))
		}
	}
	return "SELECT " + strings.Join(columns, ", ") + " FROM sessions AS s JOIN people AS p ON p.id = s.person WHERE s.hash = ?"
}()

// Session and its person by the hash of the cookie's id.
func (s sessionStore) Session(ctx context.Context, hash []byte) (auth.Session, people.Person, error) {
	var row struct {
		S sessionRow `db:"s"`
		P personRow  `db:"p"`
	}
	err := s.Read.GetContext(ctx, &row, s.Read.Rebind(sessionWithPerson), hash)
	if missing(err) {
		return auth.Session{}, people.Person{}, fmt.Errorf("%w: %w", auth.ErrNotFound, err)
	}
	if err != nil {
		return auth.Session{}, people.Person{}, fmt.Errorf("read a session: %w", err)
	}
	session, err := row.S.session()
	if err != nil {
		return auth.Session{}, people.Person{}, err
	}
	person, err := row.P.person()
	return session, person, err
}

// Sessions of a person, newest first.
func (s sessionStore) Sessions(ctx context.Context, p people.ID) ([]auth.Session, error) {
	rows, err := sessions.list(ctx, s.Read, "person = ? ORDER BY created_at DESC, id DESC LIMIT 100", p)
	return convert(rows, sessionRow.session, err)
}

// Two callbacks of one new person may come at once: the second finds the row of the first.
var keepPerson = func() string {
	var sets []string
	for _, c := range []string{"name", "given_name", "family_name", "email", "phone", "roles", "browser", "seen_at"} {
		sets = append(sets, c+" = excluded."+c)
	}
	return persons.insert + " ON CONFLICT (issuer, subject) DO UPDATE SET " + strings.Join(sets, ", ") +
		", version = people.version + 1 RETURNING " + persons.columns
}()

// SignIn keeps the person and the new session, and ends the one this browser had.
func (s sessionStore) SignIn(ctx context.Context, in auth.SignIn) (people.Person, error) {
	var person people.Person
	disabled := false
	var ended []string
	err := s.announcing(ctx, &ended, func(tx *sqlx.Tx) error {
		row, err := s.keepPerson(ctx, tx, in.Person)
		if err != nil {
			return err
		}
		if person, err = row.person(); err != nil {
			return err
		}
		e := in.Entry
		e.Person, e.Owner = person.ID, person.ID
		if row.Version == 0 {
			e.Facts = map[string]string{"first": "yes"}
		}
		if disabled = person.Disabled; disabled {
			e.Outcome, e.Reason, e.To = audit.Refused, "disabled", ""
			return s.AddEntries(ctx, tx, e)
		}
		if in.Replaces != nil {
			replaced := audit.Entry{At: e.At, Action: "session.end", Object: "session", From: "open", To: "ended",
				Outcome: audit.Done, Reason: "replaced", Address: e.Address, Request: e.Request}
			if ended, err = s.end(ctx, tx, "hash = ?", []any{in.Replaces}, replaced); err != nil {
				return err
			}
		}
		n := in.Session
		if err := sessions.add(ctx, tx, sessionRow{
			ID: n.ID, Hash: n.Hash, Person: person.ID, Issuer: n.Issuer, Subject: n.Subject, ProviderSession: n.ProviderSession,
			CreatedAt: ms(n.CreatedAt), SeenAt: ms(n.SeenAt), IdleEnds: ms(n.IdleEnds), Ends: ms(n.Ends), Data: toJSON(n.Data), Hint: n.Hint,
		}); err != nil {
			return err
		}
		return s.AddEntries(ctx, tx, e)
	})
	if err == nil && disabled {
		err = auth.ErrDisabled
	}
	return person, err
}

func (s sessionStore) keepPerson(ctx context.Context, tx *sqlx.Tx, p people.Person) (personRow, error) {
	id, err := s.newID()
	if err != nil {
		return personRow{}, err
	}
	now := s.now()
	p.ID, p.CreatedAt, p.SeenAt, p.Version, p.Disabled, p.DTMUser = people.ID(id), now, now, 0, false, ""
	query, args, err := tx.BindNamed(keepPerson, toPersonRow(p))
	if err != nil {
		return personRow{}, fmt.Errorf("keep a person: %w", err)
	}
	var row personRow
	if err := tx.GetContext(ctx, &row, query, args...); err != nil {
		return personRow{}, fmt.Errorf("keep a person: %w", err)
	}
	return row, nil
}

// Touch moves the last activity forward, never back.
func (s sessionStore) Touch(ctx context.Context, hash []byte, seen, idleEnds time.Time) error {
	return s.InTx(ctx, func(tx *sqlx.Tx) error {
		_, err := tx.ExecContext(ctx, tx.Rebind("UPDATE sessions SET seen_at = ?, idle_ends = ? WHERE hash = ? AND seen_at < ?"),
			ms(seen), ms(idleEnds), hash, ms(seen))
		if err != nil {
			return fmt.Errorf("keep activity: %w", err)
		}
		return nil
	})
}

// End deletes one session.
func (s sessionStore) End(ctx context.Context, hash []byte, e audit.Entry) error {
	var ended []string
	return s.announcing(ctx, &ended, func(tx *sqlx.Tx) (err error) {
		ended, err = s.end(ctx, tx, "hash = ?", []any{hash}, e)
		return err
	})
}

// EndAll deletes the sessions that match.
func (s sessionStore) EndAll(ctx context.Context, w auth.Which, e audit.Entry) (int, error) {
	return s.endAll(ctx, w, e, nil)
}

// EndByToken is EndAll, once per token.
func (s sessionStore) EndByToken(ctx context.Context, token string, expires time.Time, w auth.Which, e audit.Entry) (int, error) {
	return s.endAll(ctx, w, e, func(tx *sqlx.Tx) error { return useOnce(ctx, tx, token, expires) })
}

func (s sessionStore) endAll(ctx context.Context, w auth.Which, e audit.Entry, first func(*sqlx.Tx) error) (int, error) {
	var conditions []string
	var args []any
	for _, c := range []struct{ column, value string }{
		{"person", string(w.Person)}, {"provider_session", w.ProviderSession}, {"issuer", w.Issuer}, {"subject", w.Subject},
	} {
		if c.value != "" {
			conditions, args = append(conditions, c.column+" = ?"), append(args, c.value)
		}
	}
	if w.Person == "" && w.Subject == "" && w.ProviderSession == "" {
		return 0, errors.New("end sessions: of nobody")
	}
	var ended []string
	err := s.announcing(ctx, &ended, func(tx *sqlx.Tx) (err error) {
		if first != nil {
			if err := first(tx); err != nil {
				return err
			}
		}
		ended, err = s.end(ctx, tx, strings.Join(conditions, " AND "), args, e)
		return err
	})
	return len(ended), err
}

// end deletes sessions within tx and writes an entry for each; answers their ids.
func (s sessionStore) end(ctx context.Context, tx *sqlx.Tx, where string, args []any, e audit.Entry) ([]string, error) {
	var gone []struct {
		ID     string    `db:"id"`
		Person people.ID `db:"person"`
	}
	if err := tx.SelectContext(ctx, &gone, tx.Rebind("DELETE FROM sessions WHERE "+where+" RETURNING id, person"), args...); err != nil {
		return nil, fmt.Errorf("end sessions: %w", err)
	}
	var ids []string
	for _, g := range gone {
		one := e
		one.ID, one.Subject, one.Owner = "", g.ID, g.Person
		if one.Person == "" && one.System == "" {
			one.Person = g.Person
		}
		if err := s.AddEntries(ctx, tx, one); err != nil {
			return nil, err
		}
		ids = append(ids, g.ID)
	}
	return ids, nil
}

// announcing tells open pages of the sessions that f ended, so that their streams stop.
func (s sessionStore) announcing(ctx context.Context, ended *[]string, f func(tx *sqlx.Tx) error) error {
	after := func() {}
	err := s.InTx(ctx, func(tx *sqlx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		var topics []string
		for _, id := range *ended {
			topics = append(topics, auth.SessionTopic(id))
		}
		var err error
		after, err = s.AnnounceIn(ctx, tx, topics...)
		return err
	})
	if err == nil {
		after()
	}
	return err
}

// UseAttempt remembers that a login attempt was answered.
func (s sessionStore) UseAttempt(ctx context.Context, attempt string, expires time.Time) error {
	return s.InTx(ctx, func(tx *sqlx.Tx) error { return useOnce(ctx, tx, "login "+attempt, expires) })
}

func useOnce(ctx context.Context, tx *sqlx.Tx, id string, ends time.Time) error {
	res, err := tx.ExecContext(ctx, tx.Rebind("INSERT INTO used_once (id, ends) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"), id, ms(ends))
	if err != nil {
		return fmt.Errorf("remember what was used: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(auth.ErrUsed, err)
	}
	return nil
}

// SetDisabled switches a person off or on.
func (s sessionStore) SetDisabled(ctx context.Context, p people.ID, disabled bool, e audit.Entry) error {
	var ended []string
	return s.announcing(ctx, &ended, func(tx *sqlx.Tx) error {
		res, err := tx.ExecContext(ctx, tx.Rebind("UPDATE people SET disabled = ?, version = version + 1 WHERE id = ?"), disabled, p)
		if err != nil {
			return fmt.Errorf("switch a person: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(auth.ErrNotFound, err)
		}
		if disabled {
			closing := e
			closing.Action, closing.Object, closing.From, closing.To, closing.Reason = "session.end", "session", "open", "ended", "disabled"
			if ended, err = s.end(ctx, tx, "person = ?", []any{p}, closing); err != nil {
				return err
			}
			if err := s.withdrawGrant(ctx, tx, p, e, s.now().Add(24*time.Hour)); err != nil {
				return err
			}
		}
		return s.AddEntries(ctx, tx, e)
	})
}

// Record writes an entry that belongs to no change.
func (s sessionStore) Record(ctx context.Context, e audit.Entry) error {
	return s.InTx(ctx, func(tx *sqlx.Tx) error { return s.AddEntries(ctx, tx, e) })
}

// SweepSessions deletes what is over.
func (s sessionStore) SweepSessions(ctx context.Context, now time.Time) (int, error) {
	total := 0
	var ended []string
	err := s.announcing(ctx, &ended, func(tx *sqlx.Tx) (err error) {
		e := audit.Entry{At: now, System: "sweep-sessions", Action: "session.end", Object: "session", From: "open", To: "ended",
			Outcome: audit.Done, Reason: "idle"}
		if ended, err = s.end(ctx, tx, "idle_ends <= ? OR ends <= ?", []any{ms(now), ms(now)}, e); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, tx.Rebind("DELETE FROM used_once WHERE ends <= ?"), ms(now))
		if err != nil {
			return fmt.Errorf("forget what was used: %w", err)
		}
		n, err := res.RowsAffected()
		total = int(n) + len(ended)
		return err
	})
	return total, err
}
