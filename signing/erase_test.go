package signing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

func TestErasingDestroysKeyAndBytesAndKeepsTheFingerprint(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d := w.submitted("To be erased")
	c := w.begun(d)
	_, err := w.Authorize(ctx, w.ada, c.ID, w.factors())
	require.NoError(t, err)
	require.NoError(t, w.Erase(ctx, w.ada, d.ID))
	got, err := w.Document(ctx, w.ada, d.ID)
	require.NoError(t, err)
	require.Equal(t, signing.DocumentErased, got.State)
	require.Empty(t, got.Key)
	require.Empty(t, got.Name)
	require.Equal(t, d.SHA256, got.SHA256)
	require.Zero(t, w.files())
	_, _, _, err = w.Open(ctx, w.ada, d.ID)
	require.Equal(t, "erased", code(t, err))
	require.Equal(t, "erased", code(t, w.Erase(ctx, w.ada, d.ID)))
	page, _, err := w.Documents(ctx, w.ada, signing.DocumentQuery{})
	require.NoError(t, err)
	require.Empty(t, page)
}

func TestErasingADocumentBeingPreparedCancelsTheCeremony(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d := w.submitted("Changed my mind")
	c := w.begun(d)
	f := w.factors()
	require.NoError(t, w.Erase(ctx, w.ada, d.ID))
	require.Zero(t, w.files())
	_, err := w.Authorize(ctx, w.ada, c.ID, f)
	require.Equal(t, "cancelled", code(t, err))
	require.Zero(t, w.calls("credentials/authorize"))
}

// B3: while the key may be at work, a document stays.
func TestErasingIsRefusedWhileASignatureIsOnItsWay(t *testing.T) {
	w, d, _, _ := withoutClock(t)
	require.Equal(t, "on_the_way", code(t, w.Erase(ctx, w.ada, d.ID)))
	require.Equal(t, page("Unfinished", 0), w.bytes(w.ada, d.ID))
	w.clock.pass(3 * time.Minute)
	_, err := w.LookAgain(ctx)
	require.NoError(t, err)
	require.NoError(t, w.Erase(ctx, w.ada, d.ID))
}

func TestForeignDocumentsAreNotThere(t *testing.T) {
	w := newWorld(t, "cp-basic")
	d := w.submitted("Mine")
	c := w.begun(d)
	bea := w.another("Bea", "cp-basic", "bea")
	_, err := w.Document(ctx, bea, d.ID)
	require.Equal(t, "not_found", code(t, err))
	_, _, _, err = w.Open(ctx, bea, d.ID)
	require.Equal(t, "not_found", code(t, err))
	_, err = w.Check(ctx, bea, d.ID)
	require.Equal(t, "not_found", code(t, err))
	_, err = w.Signatures(ctx, bea, d.ID)
	require.Equal(t, "not_found", code(t, err))
	newest, err := w.NewestSignatures(ctx, bea, []signing.DocumentID{d.ID})
	require.NoError(t, err)
	require.Empty(t, newest)
	_, _, err = w.Ceremony(ctx, bea, c.ID)
	require.Equal(t, "not_found", code(t, err))
	_, err = w.SendCode(ctx, bea, c.ID)
	require.Equal(t, "not_found", code(t, err))
	require.Equal(t, "not_found", code(t, w.Cancel(ctx, bea, c.ID)))
	require.Equal(t, "not_found", code(t, w.Erase(ctx, bea, d.ID)))
	page, _, err := w.Documents(ctx, bea, signing.DocumentQuery{Owner: w.person.ID})
	require.NoError(t, err)
	require.Empty(t, page, "an owner named in the query does not matter")
}

func TestCancelledCeremonyFreesTheDocument(t *testing.T) {
	w := newWorld(t, "cp-basic-single")
	d := w.submitted("Cancel")
	c := w.begun(d)
	require.NoError(t, w.Cancel(ctx, w.ada, c.ID))
	require.Equal(t, "cancelled", code(t, w.Cancel(ctx, w.ada, c.ID)))
	newest, err := w.NewestSignatures(ctx, w.ada, []signing.DocumentID{d.ID})
	require.NoError(t, err)
	require.Equal(t, signing.SignatureCancelled, newest[d.ID].State)
	require.Equal(t, 1, w.files())
	w.clock.pass(31 * time.Second)
	_, err = w.Authorize(ctx, w.ada, w.begun(d).ID, w.factors())
	require.NoError(t, err)
}

func TestUnusedCeremonyExpires(t *testing.T) {
	w := newWorld(t, "cp-basic-single")
	d := w.submitted("Forgotten")
	c := w.begun(d)
	f := w.factors()
	w.clock.pass(31 * time.Minute)
	_, err := w.Authorize(ctx, w.ada, c.ID, f)
	require.Equal(t, "expired", code(t, err), "also before any sweep")
	got, g := w.state(c)
	require.Equal(t, signing.CeremonyExpired, got.State)
	require.Equal(t, signing.SignatureExpired, g.State)
	n, err := w.LookAgain(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestListsAreReadInPages(t *testing.T) {
	w := newWorld(t, "cp-basic-single")
	for range 5 {
		w.submitted("Page")
		w.clock.pass(time.Second)
	}
	seen := map[signing.DocumentID]bool{}
	next, pages := "", 0
	for {
		page, after, err := w.Documents(ctx, w.ada, signing.DocumentQuery{Limit: 2, After: next})
		require.NoError(t, err)
		for _, d := range page {
			require.False(t, seen[d.ID])
			seen[d.ID] = true
		}
		pages++
		if next = after; next == "" {
			break
		}
	}
	require.Len(t, seen, 5)
	require.Equal(t, 3, pages)
	counts, err := w.DocumentCounts(ctx, w.ada)
	require.NoError(t, err)
	require.Equal(t, 5, counts[signing.DocumentReady])
}
