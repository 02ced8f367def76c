// Package dbtest gives tests a real, migrated database: SQLite in a temporary folder, or
// PostgreSQL in a cluster that lives as long as the test binary.
//
// Both start from a copy of one migrated database, so a test costs milliseconds. The job
// queue is River's, inserting only; Jobs shows what is in it. A PostgreSQL that is not
// installed fails the test, it does not skip it.
package dbtest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/jobs"
	"countersign/mail"
	"countersign/people"
)

// New is a fresh migrated SQLite database with a job queue, closed with the test.
func New(t testing.TB, change ...func(*db.Config)) *db.DB {
	t.Helper()
	file, err := emptySQLite()
	require.NoError(t, err, "make the template database")
	path := filepath.Join(t.TempDir(), "portal.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	return open(t, "sqlite:"+path, change)
}

// Each runs the test on SQLite and on PostgreSQL.
func Each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, New(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, Postgres(t)) })
}

// Open opens a database that is migrated already, as a second process does.
func Open(t testing.TB, address string, change ...func(*db.Config)) *db.DB {
	t.Helper()
	return open(t, address, change)
}

func open(t testing.TB, address string, change []func(*db.Config)) *db.DB {
	t.Helper()
	c := db.Config{URL: address}
	for _, f := range change {
		f(&c)
	}
	d, err := db.Open(context.Background(), c)
	require.NoError(t, err, "open the database")
	q, err := jobs.NewQueue(d)
	require.NoError(t, err, "open the queue")
	d.UseQueue(q)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// emptySQLite is the bytes of a migrated database file.
var emptySQLite = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "countersign-dbtest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "portal.db")
	if err := migrated(context.Background(), "sqlite:"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrated(ctx context.Context, address string) error {
	d, err := db.Open(ctx, db.Config{URL: address})
	if err != nil {
		return err
	}
	if err := d.Migrate(ctx); err != nil {
		_ = d.Close()
		return err
	}
	return d.Close()
}

var lastPerson atomic.Int64

// Person stores a person, filling what is empty, and answers it as stored.
func Person(t testing.TB, d *db.DB, p people.Person) people.Person {
	t.Helper()
	n := strconv.FormatInt(lastPerson.Add(1), 10)
	if p.ID == "" {
		p.ID = people.ID("person-" + n)
	}
	if p.Issuer == "" {
		p.Issuer = "https://login.example"
	}
	if p.Subject == "" {
		p.Subject = "subject-" + string(p.ID)
	}
	if p.Roles == nil {
		p.Roles = []people.Role{people.Signer}
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = time.Now()
	}
	p.CreatedAt = p.CreatedAt.UTC().Truncate(time.Millisecond)
	roles, err := json.Marshal(p.Roles)
	require.NoError(t, err)
	_, err = d.Write.Exec(d.Write.Rebind(`INSERT INTO people (id, issuer, subject, name, given_name, family_name, email,
		phone, roles, disabled, dtm_user, language, scheme, created_at, version)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`), p.ID, p.Issuer, p.Subject, p.Name, p.GivenName, p.FamilyName,
		p.Email, p.Phone, string(roles), p.Disabled, p.DTMUser, p.Language, p.Scheme, p.CreatedAt.UnixMilli(), p.Version)
	require.NoError(t, err, "store a person")
	return p
}

// Job is one row of the queue.
type Job struct {
	Kind  string `db:"kind"`
	Args  string `db:"args"` // JSON
	State string `db:"state"`
}

// Jobs lists the queue in the order the jobs were inserted.
func Jobs(t testing.TB, d *db.DB) []Job {
	t.Helper()
	args, state := "CAST(args AS TEXT)", "CAST(state AS TEXT)"
	if d.Dialect == db.SQLite {
		args = "json(args)"
	}
	var out []Job
	require.NoError(t, d.Read.Select(&out, "SELECT kind, "+args+" AS args, "+state+" AS state FROM river_job ORDER BY id"))
	return out
}

// Mails lists the outbox in the order it was written.
func Mails(t testing.TB, d *db.DB) []mail.Message {
	t.Helper()
	var rows []struct {
		ID, Recipient, Subject, Body, Language, About string
	}
	require.NoError(t, d.Read.Select(&rows, "SELECT id, recipient, subject, body, language, about FROM outbox ORDER BY created_at, id"))
	out := make([]mail.Message, 0, len(rows))
	for _, r := range rows {
		out = append(out, mail.Message{ID: r.ID, To: r.Recipient, Subject: r.Subject, Text: r.Body, Language: r.Language, About: r.About})
	}
	return out
}
