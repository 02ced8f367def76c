package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/db"
	"countersign/db/dbtest"
	"countersign/db/pgcluster"
	"countersign/people"
)

// elsewhere runs one of the deeds in another process, which is this program again. It ends
// when stop is called, or with the test.
func elsewhere(t *testing.T, deed, path string) (said *bufio.Scanner, process *os.Process, stop func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestInAnotherProcess$", "-test.v=false")
	cmd.Env = append(os.Environ(), "COUNTERSIGN_DEED="+deed, "COUNTERSIGN_FILE="+path)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	return bufio.NewScanner(out), cmd.Process, stop
}

// TestInAnotherProcess does what another test has asked of a process of its own.
func TestInAnotherProcess(t *testing.T) {
	deed, path := os.Getenv("COUNTERSIGN_DEED"), os.Getenv("COUNTERSIGN_FILE")
	if deed == "" {
		return
	}
	d, err := db.Open(t.Context(), db.Config{URL: "sqlite:" + path})
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	switch deed {
	case "lock":
		tx, err := d.Write.Beginx() // BEGIN IMMEDIATE
		require.NoError(t, err)
		fmt.Println("locked")
		<-ended
		require.NoError(t, tx.Rollback())
	case "write":
		for n := 0; ; n++ {
			select {
			case <-ended:
				return
			default:
			}
			writePair(t, d, n)
			fmt.Println(n)
		}
	}
}

// writePair is one change of two rows: neither may ever be there without the other.
func writePair(t *testing.T, d *db.DB, n int) {
	t.Helper()
	id := fmt.Sprintf("pair-%06d", n)
	require.NoError(t, d.InTx(t.Context(), func(tx *sqlx.Tx) error {
		if _, err := tx.Exec("INSERT INTO used_once (id, ends) VALUES (?, ?)", id, n); err != nil {
			return err
		}
		return d.AddEntries(t.Context(), tx, audit.Entry{System: "test", Action: "test.pair", Object: "pair", Subject: id,
			Facts: map[string]string{"filler": strings.Repeat("x", 500)}})
	}))
}

// C9.
func TestALockOfAnotherProcessIsWaitedForFiveSeconds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "portal.db")
	d := dbtest.Open(t, "sqlite:"+path)
	require.NoError(t, d.Migrate(t.Context()))
	writePair(t, d, 0)

	said, _, stop := elsewhere(t, "lock", path)
	require.True(t, said.Scan(), "the other process has the lock")
	time.AfterFunc(time.Second, stop)
	begin := time.Now()
	writePair(t, d, 1)
	require.Greater(t, time.Since(begin), 500*time.Millisecond, "it waited")

	said, _, stop = elsewhere(t, "lock", path)
	require.True(t, said.Scan())
	begin = time.Now()
	var all sync.WaitGroup
	for i := range 12 { // some come later, and find the handle taken by who came first
		all.Go(func() {
			time.Sleep(time.Duration(i) * 150 * time.Millisecond)
			came := time.Now()
			err := d.InTx(context.Background(), func(*sqlx.Tx) error { t.Error("nothing may be written"); return nil })
			if d.Trouble(err) != db.Busy || time.Since(came) > 6500*time.Millisecond {
				t.Errorf("after %s: %v", time.Since(came), err)
			}
		})
	}
	var n int
	require.NoError(t, d.Read.Get(&n, "SELECT COUNT(*) FROM used_once"), "whoever only reads goes on")
	require.Equal(t, 2, n)
	require.Less(t, time.Since(begin), time.Second)
	all.Wait()
	require.Greater(t, time.Since(begin), 4*time.Second)
	stop()
	begin = time.Now()
	writePair(t, d, 2)
	require.Less(t, time.Since(begin), 2*time.Second)
	var wait int
	require.NoError(t, d.Write.Get(&wait, "PRAGMA busy_timeout"))
	require.Equal(t, 5000, wait, "the next one has the whole time again")
}

// C10: a copy of the files as they stand at any moment is a whole database with everything
// in it that was acknowledged. The moment is made by stopping the process that writes.
func TestACopyOfAnyMomentIsWholeAndLacksNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv("COUNTERSIGN_SOAK") == "" {
		copiesOfAnyMoment(t, 25)
		return
	}
	for i := range 40 { // each on a new database, for it grows all the while
		t.Run(fmt.Sprint(i+1), func(t *testing.T) { copiesOfAnyMoment(t, 50) })
	}
}

func copiesOfAnyMoment(t *testing.T, copies int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "portal.db")
	d := dbtest.Open(t, "sqlite:"+path)
	require.NoError(t, d.Migrate(t.Context()))
	said, process, stop := elsewhere(t, "write", path)
	var acknowledged atomic.Int64
	acknowledged.Store(-1)
	go func() {
		for said.Scan() {
			var n int64
			if _, err := fmt.Sscan(said.Text(), &n); err == nil {
				acknowledged.Store(n)
			}
		}
	}()
	require.Eventually(t, func() bool { return acknowledged.Load() > 0 }, 20*time.Second, time.Millisecond)
	for i := range copies {
		time.Sleep(time.Duration(1+i*7%23) * time.Millisecond)
		known := acknowledged.Load() // what was said before the moment
		thaw := freeze(t, process)
		dir := t.TempDir()
		to := filepath.Join(dir, "copy.db")
		for _, end := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + end)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to+end, b, 0o600))
		}
		thaw()
		c, err := db.Open(t.Context(), db.Config{URL: "sqlite:" + to})
		require.NoError(t, err)
		var whole string
		require.NoError(t, c.Read.Get(&whole, "PRAGMA integrity_check"))
		require.Equal(t, "ok", whole)
		var pairs, entries, highest int64
		require.NoError(t, c.Read.Get(&pairs, "SELECT COUNT(*) FROM used_once"))
		require.NoError(t, c.Read.Get(&entries, "SELECT COUNT(*) FROM audit WHERE action = 'test.pair'"))
		require.NoError(t, c.Read.Get(&highest, "SELECT COALESCE(MAX(ends), -1) FROM used_once"))
		require.Equal(t, pairs, entries, "half a change")
		require.Equal(t, highest+1, pairs)
		require.GreaterOrEqual(t, highest, known, "an acknowledged change is missing")
		require.NoError(t, c.Migrate(t.Context()), "the portal starts on it")
		require.NoError(t, c.Close())
		require.NoError(t, os.RemoveAll(dir)) // all together are more than a disk has
	}
	stop()
	require.Greater(t, acknowledged.Load(), int64(copies), "it wrote all the while")
}

// C10: whichever connection a statement is given.
func TestEveryConnectionLosesNothing(t *testing.T) {
	d := dbtest.New(t)
	check := func(q interface {
		GetContext(ctx context.Context, dest any, query string, args ...any) error
	}, only string) {
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000", "query_only": only} {
			var got string
			require.NoError(t, q.GetContext(t.Context(), &got, "PRAGMA "+pragma))
			require.Equal(t, want, got, pragma)
		}
	}
	for range 8 { // all there can be at once, so that none is looked at twice
		if d.Read.Stats().InUse == d.Read.Stats().MaxOpenConnections {
			break
		}
		c, err := d.Read.Connx(t.Context())
		require.NoError(t, err)
		defer c.Close()
		check(c, "1")
	}
	require.Equal(t, 4, d.Read.Stats().InUse)
	check(d.Write, "0")
}

// C11 without a disk of its own: the file may not grow.
func TestAFullDatabaseSaysSoAndRecovers(t *testing.T) {
	d := dbtest.New(t)
	writePair(t, d, 0)
	var pages int
	require.NoError(t, d.Write.Get(&pages, "PRAGMA page_count"))
	_, err := d.Write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	require.NoError(t, err)
	for n := 1; ; n++ {
		require.Less(t, n, 1000, "it has to be full some time")
		err = d.Audit().Write(t.Context(), audit.Entry{System: "test", Action: "test.fill", Object: "x", Facts: map[string]string{"filler": strings.Repeat("x", 3000)}})
		if err != nil {
			break
		}
	}
	require.Equal(t, db.Full, d.Trouble(err), "%v", err)
	var whole string
	require.NoError(t, d.Read.Get(&whole, "PRAGMA integrity_check"))
	require.Equal(t, "ok", whole)
	_, err = d.Write.Exec("PRAGMA max_page_count = 1073741823")
	require.NoError(t, err)
	writePair(t, d, 1)
}

func TestWhatIsNoTroubleOfTheDatabaseIsNotCalledSo(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		require.Empty(t, d.Trouble(nil))
		require.Empty(t, d.Trouble(errors.New("no such luck")))
		_, err := d.Write.Exec("SELECT nothing FROM nowhere")
		require.Error(t, err)
		require.Empty(t, d.Trouble(err), "%v", err)
		dbtest.Person(t, d, people.Person{ID: "twice"})
		_, err = d.Write.Exec("INSERT INTO people SELECT * FROM people")
		require.Error(t, err)
		require.Empty(t, d.Trouble(err), "%v", err)
	})
}

// C13: what PostgreSQL takes back whole runs again from its beginning, and nothing else does.
func TestOnlyWholeTransactionsRunAgain(t *testing.T) {
	d := dbtest.Postgres(t)
	for _, c := range []struct {
		name  string
		fails int // so many times
		with  error
		runs  int
		ok    bool
	}{
		{"a serialization failure", 2, &pgconn.PgError{Code: "40001"}, 3, true},
		{"a deadlock", 1, fmt.Errorf("update: %w", &pgconn.PgError{Code: "40P01"}), 2, true},
		{"one that does not end", 9, &pgconn.PgError{Code: "40001"}, 3, false},
		{"a unique index", 9, &pgconn.PgError{Code: "23505"}, 1, false},
		{"a broken connection", 9, io.ErrUnexpectedEOF, 1, false},
		{"something of ours", 9, errors.New("no"), 1, false},
	} {
		runs := 0
		err := d.InTx(t.Context(), func(tx *sqlx.Tx) error {
			runs++
			if _, err := tx.Exec("INSERT INTO used_once (id, ends) VALUES ($1, 1)", c.name); err != nil {
				return err
			}
			if runs <= c.fails {
				return c.with
			}
			return nil
		})
		require.Equal(t, c.runs, runs, c.name)
		var n int
		require.NoError(t, d.Read.Get(&n, "SELECT COUNT(*) FROM used_once WHERE id = $1", c.name))
		if !c.ok {
			require.ErrorIs(t, err, c.with)
			require.Zero(t, n, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, 1, n, c.name)
	}
}

func TestTwoThatWaitInACircleBothGetThrough(t *testing.T) {
	d := dbtest.Postgres(t)
	for _, id := range []string{"a", "b"} {
		dbtest.Person(t, d, people.Person{ID: people.ID(id)})
	}
	var both, all sync.WaitGroup
	both.Add(2)
	var runs atomic.Int32
	for _, order := range [][]string{{"a", "b"}, {"b", "a"}} {
		all.Go(func() {
			first := true
			err := d.InTx(context.Background(), func(tx *sqlx.Tx) error {
				runs.Add(1)
				for i, id := range order {
					if _, err := tx.Exec("UPDATE people SET version = version + 1 WHERE id = $1", id); err != nil {
						return err
					}
					if i == 0 && first {
						first = false
						both.Done()
						both.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.GreaterOrEqual(t, runs.Load(), int32(3), "one of them was taken back")
	var versions []int
	require.NoError(t, d.Read.Select(&versions, "SELECT version FROM people ORDER BY id"))
	require.Equal(t, []int{2, 2}, versions, "each once, and not twice")
}

// A commit whose answer is lost may have been made: nobody makes it again.
func TestACommitWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	d := dbtest.Postgres(t)
	runs := 0
	err := d.InTx(t.Context(), func(tx *sqlx.Tx) error {
		runs++
		var pid int
		if err := tx.Get(&pid, "SELECT pg_backend_pid()"); err != nil {
			return err
		}
		if _, err := d.Read.Exec("SELECT pg_terminate_backend($1)", pid); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
		return nil
	})
	require.Equal(t, db.Away, d.Trouble(err), "%v", err)
	require.Equal(t, 1, runs)
	require.NoError(t, d.Ping(t.Context()))
}

func TestPostgresAnswersAfterACommitIsOnItsDisk(t *testing.T) {
	d := dbtest.Postgres(t) // of a server that was told not to
	var mode string
	require.NoError(t, d.Write.Get(&mode, "SHOW synchronous_commit"))
	require.Equal(t, "on", mode)
	_, err := d.Write.Exec("ALTER DATABASE " + databaseOf(t, d) + " SET synchronous_commit = 'remote_apply'")
	require.NoError(t, err)
	again := dbtest.Open(t, d.URL())
	require.NoError(t, again.Write.Get(&mode, "SHOW synchronous_commit"))
	require.Equal(t, "remote_apply", mode, "what is stronger stays")
}

func databaseOf(t *testing.T, d *db.DB) (name string) {
	t.Helper()
	require.NoError(t, d.Read.Get(&name, "SELECT current_database()"))
	return name
}

// C13: more connections than the server gives.
func TestAServerThatGivesNoMoreConnectionsIsBusy(t *testing.T) {
	d := dbtest.Postgres(t)
	role := "few_" + databaseOf(t, d)
	for _, s := range []string{"CREATE ROLE " + role + " LOGIN CONNECTION LIMIT 3", "GRANT ALL ON ALL TABLES IN SCHEMA public TO " + role} {
		_, err := d.Write.Exec(s)
		require.NoError(t, err)
	}
	t.Cleanup(func() { _, _ = d.Write.Exec("DROP OWNED BY " + role); _, _ = d.Write.Exec("DROP ROLE " + role) })
	few := dbtest.Open(t, strings.Replace(d.URL(), "countersign@", role+"@", 1))
	var busy, good atomic.Int32
	atOnce(16, func(i int) error {
		err := few.InTx(context.Background(), func(tx *sqlx.Tx) error {
			_, err := tx.Exec("INSERT INTO used_once (id, ends) VALUES ($1, 1)", fmt.Sprint(i))
			time.Sleep(100 * time.Millisecond)
			return err
		})
		switch {
		case err == nil:
			good.Add(1)
		case few.Trouble(err) == db.Busy:
			busy.Add(1)
		default:
			t.Error(err)
		}
		return nil
	})
	require.Positive(t, good.Load())
	require.Positive(t, busy.Load())
	var n int32
	require.NoError(t, d.Read.Get(&n, "SELECT COUNT(*) FROM used_once"))
	require.Equal(t, good.Load(), n, "all or nothing of each")
}

// C13: a server that neither answers nor hangs up does not hold a reader for ever.
func TestAServerThatStandsStillIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	cluster, err := pgcluster.Start(true)
	require.NoError(t, err)
	defer cluster.Close()
	d := dbtest.Open(t, cluster.URL("postgres"))
	require.NoError(t, d.Migrate(t.Context()))
	for name, rested := range map[string]time.Duration{"just used": 0, "rested": 1100 * time.Millisecond} { // who rested is asked first
		require.NoError(t, d.Ping(context.Background()))
		time.Sleep(rested)
		thaw, err := cluster.Freeze()
		require.NoError(t, err)
		defer thaw()
		begin := time.Now()
		err = d.Ping(context.Background())
		require.Contains(t, []db.Trouble{db.Busy, db.Away}, d.Trouble(err), "%s: %v", name, err)
		require.Less(t, time.Since(begin), 20*time.Second, name)
		thaw()
		require.NoError(t, d.Ping(context.Background()), name)
	}
}
