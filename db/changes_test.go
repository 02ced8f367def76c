package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/identity"
	"countersign/people"
)

func told(t *testing.T, changed <-chan string) string {
	t.Helper()
	select {
	case topic := <-changed:
		return topic
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was told")
		return ""
	}
}

func TestAChangeIsToldAfterItsCommit(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		p := dbtest.Person(t, d, people.Person{})
		changed, cancel := d.Subscribe(t.Context(), identity.ValidationTopic("v1"), identity.ReviewTopic)
		defer cancel()
		listening(t, d, changed, identity.ReviewTopic)
		require.NoError(t, d.Identity().Apply(t.Context(), identity.Change{
			Validations: inserted[identity.ValidationState](aValidation(p.ID, "v1")),
			Topics:      []string{identity.ValidationTopic("v1"), identity.ValidationTopic("v1"), "another"},
		}))
		require.Equal(t, "validation:v1", told(t, changed))
		_, err := d.Identity().Validation(t.Context(), "v1")
		require.NoError(t, err, "what is told can be read")
	})
}

// listening waits until announcements arrive, and takes what came meanwhile.
func listening(t *testing.T, d *db.DB, changed <-chan string, topic string) {
	t.Helper()
	require.NoError(t, d.Announce(t.Context(), topic))
	for told(t, changed) != topic {
	}
	for {
		select {
		case <-changed:
		case <-time.After(200 * time.Millisecond):
			return
		}
	}
}

func TestAChangeThatFailsIsNotTold(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		changed, cancel := d.Subscribe(t.Context(), "a", "b")
		defer cancel()
		listening(t, d, changed, "b")
		require.Error(t, d.Identity().Apply(t.Context(), identity.Change{
			Validations: inserted[identity.ValidationState](aValidation("nobody", "v1")), Topics: []string{"a"}}))
		require.NoError(t, d.Announce(t.Context(), "b"))
		require.Equal(t, "b", told(t, changed))
	})
}

func TestASlowReceiverLosesNoTopic(t *testing.T) {
	d := dbtest.New(t)
	changed, cancel := d.Subscribe(t.Context(), "a", "b", "c")
	for range 1000 {
		require.NoError(t, d.Announce(t.Context(), "a", "b", "c"))
	}
	seen := map[string]bool{}
	for len(seen) < 3 {
		seen[told(t, changed)] = true
	}
	cancel()
	for range changed { // it is closed
	}
}

func TestSubscriptionsEndWithTheDatabase(t *testing.T) {
	d, err := db.Open(t.Context(), db.Config{URL: "sqlite:" + t.TempDir() + "/x.db"})
	require.NoError(t, err)
	changed, cancel := d.Subscribe(context.Background(), "a")
	defer cancel()
	require.NoError(t, d.Close())
	_, open := <-changed
	require.False(t, open)
}

func TestAnotherProcessHearsOfAChangeEvenAfterItsConnectionBroke(t *testing.T) {
	address := dbtest.PostgresURL(t)
	one, err := db.Open(t.Context(), db.Config{URL: address})
	require.NoError(t, err)
	defer func() { require.NoError(t, one.Close()) }()
	two, err := db.Open(t.Context(), db.Config{URL: address})
	require.NoError(t, err)
	defer func() { require.NoError(t, two.Close()) }()
	changed, cancel := two.Subscribe(t.Context(), "a")
	defer cancel()
	listening(t, one, changed, "a")
	var broken int
	require.NoError(t, one.Write.Get(&broken, `SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid)
		FROM pg_stat_activity WHERE query = 'LISTEN countersign' AND datname = current_database()) AS x`))
	require.Equal(t, 2, broken)
	require.Equal(t, "a", told(t, changed), "what may have been missed is told after the new connection")
}
