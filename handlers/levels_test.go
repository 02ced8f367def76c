package handlers_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/pades/fetch"
	"countersign/signing"
)

// carried makes sites whose signed files are carried to a level.
func carried(level string) handlerstest.Options {
	near := fetch.Client{Allow: func(netip.Addr) bool { return true }}
	return handlerstest.Options{Signing: func(o *signing.Options) { o.Level, o.Fetch = level, near.Fetch }}
}

// tryExtension lets time pass and does what the sweep and its job do.
func (w *town) tryExtension(id signing.DocumentID) {
	w.T.Helper()
	w.Clock.Pass(21 * time.Second)
	w.Look()
	require.NoError(w.T, w.Signing.Extend(context.Background(), id))
}

func TestPagesSayWhichLevelTheFileHasNow(t *testing.T) {
	w := newTown(t, carried("B-LT"))
	path := "/documents/" + string(w.signed)
	page := w.ada.Get(path).Body
	require.Contains(t, page, "Level now: B-T")
	require.Contains(t, page, "Proof for later years is added when the issuer publishes data from after the signature. Next try: ")
	first := w.ada.Get(path + "/download").Body

	w.Sim.Trouble(dtmsim.Fault{Path: "ocsp", Status: 503, N: 2})
	w.Sim.Trouble(dtmsim.Fault{Path: "crl/issuing.crl", Status: 503, N: 2})
	w.tryExtension(w.signed)
	page = w.ada.Get(path).Body
	require.Contains(t, page, "Level now: B-T")
	require.Contains(t, page, "Proof for later years is still missing. The issuer’s service does not give what is needed. Next try: ")
	require.Equal(t, first, w.ada.Get(path+"/download").Body, "nothing became of it")

	w.Sim.ClearFaults()
	w.Clock.Pass(time.Minute)
	w.tryExtension(w.signed)
	page = w.ada.Get(path).Body
	require.Contains(t, page, "Level now: B-LT")
	require.Contains(t, page, "B-LT: provable without us")
	require.NotContains(t, page, "Proof for later years")
	file := w.ada.Get(path + "/download").Body
	require.True(t, strings.HasPrefix(file, first))
	require.Greater(t, len(file), len(first))
	require.Contains(t, w.ada.Get("/documents").Body, "<span>B-LT</span>")

	body, kind := handlerstest.Form("signed.pdf", []byte(file))
	a := w.ben.Do("POST", "/verify", body, "Content-Type", kind)
	require.Equal(t, http.StatusOK, a.StatusCode)
	require.Contains(t, a.Body, "B-LT: provable without us")
	entries := 0
	for _, e := range w.Audited() {
		if e.Action == "document.extend" {
			entries++
			require.Equal(t, "B-LT", e.Facts["level"])
		}
	}
	require.Equal(t, 1, entries)
	require.Contains(t, w.dora.Get("/audit?kind=document").Body, "dded proof for later years")
}

// A clock service that is down makes a signature wait, and so does DTM where it puts signatures
// together; the page says for what, since when and how long, and it goes on without the page.
func TestAPageSaysWhatASignatureWaitsFor(t *testing.T) {
	for name, c := range map[string]struct {
		path, said string
		options    handlerstest.Options
	}{
		"the clock service": {"signatures/timestamp", "The clock service does not answer.", handlerstest.Options{}},
		"the structure around it": {"v1/signatures", "DigiCert has signed and does not answer when asked to finish the signature.",
			handlerstest.Options{Signing: func(o *signing.Options) { o.Builder = o.Remote.(signing.Builder) }}},
	} {
		t.Run(name, func(t *testing.T) { saysWhatItWaitsFor(t, newTown(t, c.options), c.path, c.said) })
	}
}

func saysWhatItWaitsFor(t *testing.T, w *town, path, said string) {
	code := w.ada.Code(w.ceremony)
	w.Sim.Trouble(dtmsim.Fault{Path: path, Status: 503, N: 100})
	require.Equal(t, http.StatusSeeOther, w.ada.Approve(w.ceremony, code).StatusCode)
	address := "/ceremonies/" + string(w.ceremony)
	require.NotContains(t, w.ada.Get(address).Body, "We try until", "a few seconds are usual")
	w.Clock.Pass(31 * time.Second)
	page := w.ada.Get(address).Body
	for _, words := range []string{"It takes longer than usual.", "You may close this page", said, "Next try", "We try until"} {
		require.Contains(t, page, words)
	}
	sent := func() (n int) {
		w.Row([]any{&n}, "SELECT COUNT(*) FROM outbox WHERE about LIKE 'signing.released%'")
		return n
	}
	before := sent()
	w.Clock.Pass(3 * time.Minute)
	_, err := w.Signing.LookAgain(context.Background())
	require.Error(t, err)
	_, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, signing.SignatureSigned, signatures[0].State, "it waits, and does not fail")

	w.Sim.ClearFaults()
	w.Clock.Pass(10 * time.Minute)
	w.Look() // nobody has the page open
	_, signatures = w.Ceremony(w.ceremony)
	require.Equal(t, signing.SignatureReleased, signatures[0].State)
	require.Equal(t, before+1, sent(), "they are told by mail")
	require.Contains(t, w.ada.Get(address).Body, "Signed, and checked.")
}
