package handlers_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/db/pgcluster"
	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/signing"
)

// freshCeremony is one of Ada's over a new document, with its code.
func (w *town) freshCeremony(name string) (signing.CeremonyID, string) {
	w.T.Helper()
	w.Clock.Pass(31 * time.Second)
	id := w.ada.Begin(w.fresh(name), w.credential.ID)
	return id, w.ada.Code(id)
}

// reads asks for every page of Ada's that changes nothing and wants 200 from each.
func (w *town) reads(why string) {
	w.T.Helper()
	for _, path := range []string{"/", "/documents", "/documents/" + string(w.signed), "/documents/" + string(w.signed) + "/content",
		"/documents/" + string(w.signed) + "/download", "/ceremonies/" + string(w.ceremony), "/credentials", "/credentials/" + string(w.credential.ID),
		"/identity-checks/" + string(w.check), "/account", "/verify", "/help"} {
		a := w.ada.Get(path)
		require.Equal(w.T, http.StatusOK, a.StatusCode, "%s: %s\n%s", why, path, a.Body)
	}
}

// sorry wants an answer that says what the trouble is and when to come again.
func (w *town) sorry(a *handlerstest.Answer, status int, text string) {
	w.T.Helper()
	require.Equal(w.T, status, a.StatusCode, a.Body)
	require.Equal(w.T, "5", a.Header.Get("Retry-After"), a.Body)
	require.Contains(w.T, a.Body, text)
}

// signedOnce wants one signature in the ledger and in the database, given out.
func (w *town) signedOnce(id signing.CeremonyID, before counts) {
	w.T.Helper()
	for range 3 { // what was left to the jobs
		w.Clock.Pass(3 * time.Minute)
		w.Look()
	}
	_, signatures := w.Ceremony(id)
	require.Equal(w.T, signing.SignatureReleased, signatures[0].State, signatures[0].Reason)
	got := w.counts().since(before)
	require.Equal(w.T, 1, got.hashed)
	require.Equal(w.T, 1, got.signed)
	require.Contains(w.T, w.ada.Get("/documents/"+string(signatures[0].Document)+"/download").Body, "/ETSI.CAdES.detached")
}

// during runs f once the simulator has made a signature, before its answer arrives.
func (w *town) during(f func()) {
	signed := w.Sim.Count(dtmsim.LedgerSigned, "")
	w.Sim.Trouble(dtmsim.Fault{Path: "signatures/signHash", After: true, Delay: dtmsim.Duration(400 * time.Millisecond)})
	go func() {
		for w.Sim.Count(dtmsim.LedgerSigned, "") == signed {
			time.Sleep(time.Millisecond)
		}
		f()
	}()
}

// C9: another process holds the lock of the SQLite file, for a second and for longer.
func TestALockedDatabaseIsWaitedForThenSaidAndLosesNothing(t *testing.T) {
	t.Parallel()
	path := "sqlite:" + filepath.Join(t.TempDir(), "portal.db")
	d := dbtest.Open(t, path)
	require.NoError(t, d.Migrate(t.Context()))
	w := newTown(t, handlerstest.Options{Database: d})
	other, err := db.Open(t.Context(), db.Config{URL: path})
	require.NoError(t, err)
	defer other.Close()
	lock := func() (unlock func()) {
		tx, err := other.Write.Beginx()
		if err != nil {
			t.Error(err)
			return func() {}
		}
		return sync.OnceFunc(func() { _ = tx.Rollback() })
	}

	unlock := lock()
	time.AfterFunc(time.Second, unlock)
	w.ceremony = w.ada.Begin(w.fresh("a second.pdf"), w.credential.ID)

	unlock = lock()
	before, state := w.counts(), w.Snapshot()
	w.reads("the writer waits")
	begin := time.Now()
	var all sync.WaitGroup
	for _, ask := range []func() *handlerstest.Answer{
		func() *handlerstest.Answer { return w.ada.Post("/ceremonies/" + string(w.ceremony) + "/code") },
		func() *handlerstest.Answer { return w.ada.Put("late.pdf", handlerstest.PDF()) },
		func() *handlerstest.Answer { return w.ada.Erase(w.signed) },
		func() *handlerstest.Answer { return w.cleo.Post("/account", "language", "de") },
	} {
		all.Go(func() {
			a := ask()
			if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "5" || !strings.Contains(a.Body, "The database is busy.") {
				t.Errorf("%s: %d %s", a.Request.URL.Path, a.StatusCode, a.Body)
			}
		})
	}
	all.Wait()
	require.Less(t, time.Since(begin), 8*time.Second)
	w.reads("nobody else waits")
	require.Equal(t, counts{}, w.counts().since(before), "DTM was not asked")
	unlock()
	require.Equal(t, state, w.Snapshot(), "nothing half done")

	// The signature is made and cannot be stored: what cannot be had again is held on to.
	before = w.counts()
	w.Clock.Pass(31 * time.Second)
	code := w.ada.Code(w.ceremony)
	w.during(func() { time.AfterFunc(7*time.Second, lock()) })
	a := w.ada.Approve(w.ceremony, code)
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	w.signedOnce(w.ceremony, before)
}

// C13: what a PostgreSQL server does to its clients, each while somebody signs.
func TestAPostgreSQLServerThatFailsLosesNothing(t *testing.T) {
	t.Parallel()
	cluster, err := pgcluster.Start(true)
	require.NoError(t, err)
	defer cluster.Close()
	require.NoError(t, cluster.Exec("CREATE DATABASE portal"))
	d := dbtest.Open(t, cluster.URL("portal"))
	require.NoError(t, d.Migrate(t.Context()))
	w := newTown(t, handlerstest.Options{Database: d})
	anew := func() { // every connection, as after a change of the server's settings
		require.NoError(t, cluster.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'portal'"))
		require.Eventually(t, func() bool { return d.Ping(context.Background()) == nil }, 10*time.Second, 20*time.Millisecond)
	}

	t.Run("read only", func(t *testing.T) {
		id, code := w.freshCeremony("read only.pdf")
		before, state := w.counts(), w.Snapshot()
		require.NoError(t, cluster.Exec("ALTER DATABASE portal SET default_transaction_read_only = on"))
		anew()
		w.reads("read only")
		w.Clock.Pass(2 * time.Minute) // sessions would be kept alive now
		w.reads("read only, and activity cannot be written down")
		for _, a := range []*handlerstest.Answer{w.ada.Approve(id, code), w.ada.Post("/ceremonies/" + string(id) + "/code"),
			w.ada.Put("late.pdf", handlerstest.PDF()), w.ada.Erase(w.signed), w.ada.Suspend(w.credential.ID)} {
			w.sorry(a, http.StatusServiceUnavailable, "Nothing can be changed at the moment")
		}
		require.Equal(t, counts{}, w.counts().since(before), "DTM was not asked")
		require.NoError(t, cluster.Exec("ALTER DATABASE portal SET default_transaction_read_only = off"))
		anew()
		require.Equal(t, state, w.Snapshot())
		require.Equal(t, http.StatusSeeOther, w.ada.Approve(id, code).StatusCode)
		w.signedOnce(id, before)
	})
	pin := w.ada.PIN()
	approve := func(id signing.CeremonyID, code string) *handlerstest.Answer {
		return w.ada.Post("/ceremonies/"+string(id)+"/authorize", "otp", code, "pin", pin)
	}
	for name, immediate := range map[string]bool{"restart": false, "immediate stop": true} {
		t.Run(name, func(t *testing.T) {
			id, code := w.freshCeremony(name + ".pdf")
			before := w.counts()
			require.NoError(t, cluster.Stop(immediate))
			for _, path := range []string{"/", "/documents", "/ceremonies/" + string(id)} {
				w.sorry(w.ada.Get(path), http.StatusServiceUnavailable, "Nothing that was stored is lost.")
			}
			w.sorry(approve(id, code), http.StatusServiceUnavailable, "Nothing that was stored is lost.")
			require.Equal(t, http.StatusOK, w.Browser().Get("/verify").StatusCode, "what needs no database goes on")
			require.Equal(t, counts{}, w.counts().since(before))
			require.NoError(t, cluster.Again())

			w.reads("it is back") // nobody has to sign in again
			w.during(func() {     // after the signature was made, before it is stored
				if err := cluster.Stop(immediate); err != nil {
					t.Error(err)
				}
				time.Sleep(500 * time.Millisecond)
				if err := cluster.Again(); err != nil {
					t.Error(err)
				}
			})
			approve(id, code)
			require.Eventually(t, func() bool { return d.Ping(context.Background()) == nil }, 10*time.Second, 20*time.Millisecond)
			w.signedOnce(id, before)
		})
	}
	t.Run("a server that stands still", func(t *testing.T) {
		id, code := w.freshCeremony("still.pdf")
		before := w.counts()
		thaw, err := cluster.Freeze()
		require.NoError(t, err)
		time.AfterFunc(4*time.Second, thaw)
		begin := time.Now()
		a := approve(id, code)
		require.Greater(t, time.Since(begin), 3*time.Second)
		require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
		w.signedOnce(id, before)
	})
}
