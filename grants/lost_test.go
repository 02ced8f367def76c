package grants_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/grants"
)

// deaf loses the answer of the next writes of tokens, before or after they took place.
type deaf struct {
	grants.Store
	before, after atomic.Int32
}

var errLost = errors.New("the connection was lost")

func (d *deaf) Apply(ctx context.Context, c grants.Change) error {
	token := slices.ContainsFunc(c.Grants, func(m grants.Moved) bool { return m.To.State == grants.Open && m.To.Held.IsZero() })
	if token && d.before.Add(-1) >= 0 {
		return errLost
	}
	err := d.Store.Apply(ctx, c)
	if token && err == nil && d.after.Add(-1) >= 0 {
		return errLost
	}
	return err
}

func TestATokenWhoseStoringWasNotAnsweredIsNotRevoked(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorld(t, d)
		r := w.replica()
		store := &deaf{Store: r.Store}
		r.Store = store
		ada := w.person("ada")
		w.heard()
		store.after.Store(1)
		require.NoError(t, w.connect(r, ada), "connecting")

		for _, lost := range []struct{ before, after int32 }{{0, 1}, {1, 0}, {1, 1}, {0, 9}} {
			w.later(2 * time.Hour)
			store.before.Store(lost.before)
			store.after.Store(lost.after)
			require.NoError(t, r.Ready(t.Context(), ada.Person), lost)
			store.before.Store(0)
			store.after.Store(0)
		}
		w.later(2 * time.Hour)
		require.NoError(t, w.replica().Ready(t.Context(), ada.Person), "the newest is what is kept")
		require.Empty(t, w.revocations())

		// One that was not stored belongs to nobody.
		ben := w.person("ben")
		store.before.Store(1)
		require.Error(t, w.connect(r, ben))
		require.Equal(t, []int{204}, w.revocations())
		_, err := d.Grants().Of(t.Context(), ben.Person)
		require.ErrorIs(t, err, grants.ErrNotFound)
	})
}

func TestATokenRenewedWhileItIsTakenBackIsRevoked(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	r := w.replica()
	ada := w.connected(r, "ada")
	w.heard()
	r.Store = &meanwhile{Store: r.Store, do: func() {
		_, err := w.replica().Disconnect(t.Context(), ada)
		require.NoError(t, err)
	}}
	w.later(2 * time.Hour)
	require.ErrorIs(t, r.Ready(t.Context(), ada.Person), grants.ErrNotConnected)
	require.Len(t, w.revocations(), 2, "the one that was kept, and the one that came in its place")
}

// meanwhile does something just before the first token is written.
type meanwhile struct {
	grants.Store
	do func()
}

func (m *meanwhile) Apply(ctx context.Context, c grants.Change) error {
	for _, g := range c.Grants {
		if g.To.State == grants.Open && g.To.Held.IsZero() && m.do != nil {
			do := m.do
			m.do = nil
			do()
		}
	}
	return m.Store.Apply(ctx, c)
}
