package reliability

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/dtmsim"
	"countersign/pades/pdf/pdftest"
)

// floods has one person send more than is let through, over all replicas at once: what is
// counted is counted for all of them together, and nobody else notices.
func (s *replicas) floods() {
	t, ctx := s.t, context.Background()
	t.Helper()
	one, other := s.people[0], s.people[1]
	var ceremonies []string
	for range 2 {
		document, err := one.upload(ctx, 1)
		require.NoError(t, err)
		ceremony, err := one.begin(ctx, document)
		require.NoError(t, err)
		ceremonies = append(ceremonies, ceremony)
	}

	const left = 5
	s.open(func(d *db.DB) { // all but a few of the 2000 uploads of an hour have been made
		var id string
		require.NoError(t, d.Read.Get(&id, d.Read.Rebind("SELECT id FROM people WHERE subject = ?"), one.subject))
		now := time.Now()
		var made int
		require.NoError(t, d.Read.Get(&made, d.Read.Rebind("SELECT COUNT(*) FROM attempts WHERE action = 'document.submit' AND subject = ? AND at > ?"), id, now.Add(-time.Hour).UnixMilli()))
		var rows []string
		for i := range 2000 - left - made {
			rows = append(rows, fmt.Sprintf("('flood-%d', 'document.submit', '%s', %d)", i, id, now.Add(-time.Minute).UnixMilli()))
		}
		_, err := d.Write.Exec("INSERT INTO attempts (id, action, subject, at) VALUES " + strings.Join(rows, ", "))
		require.NoError(t, err)
	})
	var all sync.WaitGroup
	var taken, refused atomic.Int64
	for i := range 30 {
		all.Go(func() {
			a, err := one.send(ctx, http.MethodPut, "/documents?name=flood.pdf", "application/pdf", strings.NewReader(string(pdftest.Plain(1))+fmt.Sprintf("%% %d\n", i)))
			switch {
			case err == nil && a.status == http.StatusCreated:
				taken.Add(1)
			case err == nil && a.status == http.StatusTooManyRequests:
				refused.Add(1)
			}
		})
	}
	var trouble error // of somebody else
	all.Go(func() { _, trouble = other.upload(ctx, 1) })
	all.Wait()
	require.NoError(t, trouble)
	require.Equal(t, []int64{left, 30 - left}, []int64{taken.Load(), refused.Load()}, "uploads that were taken, and that were refused")

	tries := func() (n int) {
		for _, e := range s.sim.Ledger() {
			if e.Kind == dtmsim.LedgerPINTry && e.Credential == "cs-"+one.check+"-1" && e.Outcome != "ok" {
				n++
			}
		}
		return n
	}
	before := tries()
	for range 4 { // while one is on its way, the others of its ceremony only see its page
		for _, ceremony := range ceremonies {
			for range 6 {
				all.Go(func() { _, _ = one.post(ctx, "/ceremonies/"+ceremony+"/authorize", "pin", "00000000") })
			}
		}
		all.Wait()
	}
	require.Equal(t, 4, tries()-before, "wrong ones that reach DTM, which locks with the fifth")
	s.sound("one has flooded")
}
