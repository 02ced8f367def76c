package handlers_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db/dbtest"
	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/signing"
	"countersign/work"
)

// waits answers the references of what the page lists.
func (w *town) waits(b *handlerstest.Browser) (refs []string) {
	w.T.Helper()
	a := b.Get("/work")
	require.Equal(w.T, http.StatusOK, a.StatusCode)
	for _, part := range strings.Split(a.Body, `<li id="w-`)[1:] {
		ref, _, _ := strings.Cut(part, `"`)
		refs = append(refs, ref)
	}
	return refs
}

func TestStuckWorkIsSeenWithItsCauseAndTriedAgain(t *testing.T) {
	w := newTown(t, carried("B-LT"))
	ctx := context.Background()
	require.Empty(t, w.waits(w.cleo))
	require.Contains(t, w.cleo.Get("/work").Body, "Nothing waits too long")

	// Signed, and the clock service is away.
	code := w.ada.Code(w.ceremony)
	w.Sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 503, N: 100})
	require.Equal(t, http.StatusSeeOther, w.ada.Approve(w.ceremony, code).StatusCode)
	_, signatures := w.Ceremony(w.ceremony)
	ref := "finishing-" + string(signatures[0].ID)
	require.Empty(t, w.waits(w.cleo), "a few seconds are usual")
	w.Clock.Pass(61 * time.Second)
	require.Equal(t, []string{ref}, w.waits(w.cleo))
	page := w.cleo.Get("/work").Body
	for _, said := range []string{"Signed, and not finished", "The clock service does not answer.", "Ada Example", "Try again now"} {
		require.Contains(t, page, said)
	}
	require.NotContains(t, page, "waits.pdf", "an admin looks after work, and does not read")
	require.Contains(t, w.cleo.Get("/").Body, "One thing waits too long")
	require.Contains(t, w.cleo.Get("/credentials").Body, "One thing waits too long", "the menu of every page says so")
	for _, b := range []*handlerstest.Browser{w.ada, w.dora} {
		require.NotContains(t, b.Get("/credentials").Body, "waits too long")
	}

	before := w.counts()
	jobs := len(dbtest.Jobs(t, w.DB))
	require.Equal(t, "/work", w.cleo.Post("/work/"+ref+"/again").Header.Get("Location"))
	require.Len(t, dbtest.Jobs(t, w.DB), jobs+1)
	w.Sim.ClearFaults()
	require.NoError(t, w.Signing.Finish(ctx, signatures[0].ID)) // as the job does
	require.Empty(t, w.waits(w.cleo))
	require.Zero(t, w.counts().since(before).hashed, "the key is not asked")
	require.Equal(t, "/work", w.cleo.Post("/work/"+ref+"/again").Header.Get("Location"))
	require.Len(t, dbtest.Jobs(t, w.DB), jobs+1, "it does not wait any more")

	// Proof for later years that was given up.
	w.Sim.Trouble(dtmsim.Fault{Path: "ocsp", Status: 503, N: 10_000})
	w.Sim.Trouble(dtmsim.Fault{Path: "crl/issuing.crl", Status: 503, N: 10_000})
	_, err := w.DB.Write.Exec("UPDATE extensions SET ends = 1")
	require.NoError(t, err)
	w.tryExtension(w.signed)
	require.Contains(t, w.waits(w.cleo), "stopped-"+string(w.signed))
	require.Contains(t, w.cleo.Get("/work").Body, "The issuer’s service does not give what is needed.")
	require.Equal(t, 303, w.cleo.Post("/work/stopped-"+string(w.signed)+"/again").StatusCode)
	e, err := w.DB.Signing().Extension(ctx, w.signed)
	require.NoError(t, err)
	require.Equal(t, signing.ExtensionWaiting, e.State)
	w.Sim.ClearFaults()
	require.NoError(t, w.Signing.Extend(ctx, w.signed))
	require.NotContains(t, w.waits(w.cleo), "stopped-"+string(w.signed))

	by := map[string]int{}
	for _, e := range w.Audited() {
		if e.Person == w.cleo.Person().ID {
			by[e.Action]++
		}
	}
	require.Equal(t, 1, by["signature.again"])
	require.Equal(t, 1, by["document.extend-again"])
}

func TestAnUnknownOutcomeIsForPeopleAndNeverAskedAgain(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	code := w.ada.Code(w.ceremony)
	w.Sim.Trouble(dtmsim.Fault{Path: "signatures/signHash", After: true, Drop: true})
	w.ada.Approve(w.ceremony, code)
	_, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, signing.SignatureOutcomeUnknown, signatures[0].State)
	ref := "unknown-" + string(signatures[0].ID)
	require.Equal(t, []string{ref}, w.waits(w.cleo))
	page := w.cleo.Get("/work").Body
	require.Contains(t, page, "DigiCert’s own log")
	require.NotContains(t, page, "Try again now")

	before := w.counts()
	require.Equal(t, 303, w.cleo.Post("/work/"+ref+"/again").StatusCode)
	require.Equal(t, counts{}, w.counts().since(before))
	require.Equal(t, []string{ref}, w.waits(w.cleo), "it cannot be tried again")
	require.Equal(t, 303, w.cleo.Post("/work/"+ref+"/settle").StatusCode)
	require.Empty(t, w.waits(w.cleo), "looked after")
	require.Equal(t, 303, w.cleo.Post("/work/"+ref+"/settle").StatusCode, "twice is no trouble")
	settled := 0
	for _, e := range w.Audited() {
		if e.Action == "work.settle" {
			settled++
			require.Equal(t, string(signatures[0].ID), e.Subject)
		}
	}
	require.Equal(t, 1, settled)
}

func TestMailsGivenUpAreSentAgain(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	ctx := context.Background()
	now := w.Clock.Now()
	due, err := w.DB.Outbox().Claim(ctx, now, now.Add(time.Minute), 1)
	require.NoError(t, err)
	require.NotEmpty(t, due)
	require.NoError(t, w.DB.Outbox().GiveUp(ctx, due[0], now, "refused"))
	require.Equal(t, []string{"lostmail-" + due[0].ID}, w.waits(w.cleo))
	require.NotContains(t, w.cleo.Get("/work").Body, due[0].To)
	w.Clock.Pass(2 * time.Minute)
	require.Equal(t, 303, w.cleo.Post("/work/lostmail-"+due[0].ID+"/again").StatusCode)
	require.NotContains(t, w.waits(w.cleo), "lostmail-"+due[0].ID)
	again, err := w.DB.Outbox().Claim(ctx, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), 100)
	require.NoError(t, err)
	var ids []string
	for _, d := range again {
		ids = append(ids, d.ID)
	}
	require.Contains(t, ids, due[0].ID)
	require.Equal(t, 303, w.cleo.Post("/work/lostmail-"+due[0].ID+"/again").StatusCode)
}

func TestOnlyWhatIsThereAndMayBeIsTriedAgain(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	_, signatures := w.Ceremony(w.ceremony)
	state := w.Snapshot()
	for _, ref := range []string{"finishing-" + string(signatures[0].ID), "finishing-nobody", "stopped-" + string(w.document), "mail-x", "failingjob-x", "failingjob-99",
		"closed-" + string(w.document), "approval-" + string(w.check), "unknown-" + string(signatures[0].ID)} {
		for _, deed := range []string{"again", "settle"} {
			a := w.cleo.Post("/work/" + ref + "/" + deed)
			require.Equal(t, 303, a.StatusCode, "%s %s: %s", ref, deed, a.Body)
			require.Equal(t, http.StatusForbidden, w.dora.Post("/work/"+ref+"/"+deed).StatusCode)
			require.Equal(t, http.StatusForbidden, w.ada.Post("/work/"+ref+"/"+deed).StatusCode)
		}
	}
	for _, ref := range []string{"job-1", "nonsense", "-", "mail-"} {
		require.Equal(t, http.StatusNotFound, w.cleo.Post("/work/"+ref+"/again").StatusCode, ref)
	}
	require.Equal(t, state, w.Snapshot())
	for _, k := range work.Kinds() {
		require.False(t, k == work.Unknown && k.Again())
	}
}
