package handlers_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/handlers/handlerstest"
	"countersign/pades/tsp"
)

func TestAReceiptProvesWhatTheLogHoldsOfASignature(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	path := "/documents/" + string(w.signed) + "/receipt"
	early := w.ada.Get(path)
	require.Equal(t, 409, early.StatusCode, "nothing is numbered yet")
	require.Equal(t, "10", early.Header.Get("Retry-After"))
	_, err := w.Tree.Number(t.Context())
	require.NoError(t, err)

	get := func(b *handlerstest.Browser, path string) audit.Receipt {
		t.Helper()
		a := b.Get(path)
		require.Equal(t, 200, a.StatusCode, a.Body)
		require.Equal(t, "application/json", a.Header.Get("Content-Type"))
		require.Contains(t, a.Header.Get("Content-Disposition"), "attachment")
		require.Contains(t, a.Header.Get("Cache-Control"), "no-store")
		r, err := audit.ReadReceipt(strings.NewReader(a.Body))
		require.NoError(t, err)
		return r
	}
	require.Nil(t, get(w.ada, path).Timestamp, "nobody has stamped it yet, and it says nothing else")
	n, err := w.Stamper.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)

	r := get(w.ada, path)
	held, err := audit.CheckReceipt(r, w.Tree.Signer.Key())
	require.NoError(t, err)
	token, err := tsp.ParseToken(r.Timestamp.Token)
	require.NoError(t, err)
	digest := sha256.Sum256([]byte(r.Checkpoint))
	require.NoError(t, token.Check(digest[:], nil))
	require.True(t, token.Time.Equal(r.Timestamp.Time))
	file := sha256.Sum256([]byte(w.ada.Get("/documents/" + string(w.signed) + "/download").Body))
	actions := map[string]audit.Entry{}
	for _, e := range held.Entries {
		actions[e.Action] = e
	}
	require.Equal(t, fmt.Sprintf("%x", file), actions["signature.release"].Facts["sha256"], "the file that was given out")
	for _, action := range []string{"ceremony.authorize", "signature.intend", "signature.sign"} {
		require.Contains(t, actions, action)
	}
	require.Contains(t, w.ada.Get("/documents/"+string(w.signed)).Body, path)

	// A document without a signature has none; somebody else's is not there.
	require.Equal(t, 404, w.ada.Get("/documents/"+string(w.document)+"/receipt").StatusCode)
	require.NotContains(t, w.ada.Get("/documents/"+string(w.document)).Body, "/receipt")
	require.Equal(t, 404, w.ben.Get(path).StatusCode)
	require.Equal(t, 403, w.cleo.Get(path).StatusCode, "an admin is no signer")

	// The decision about the identity check, for those who read the log.
	for _, e := range w.Audited() {
		if e.Action != "validation.approved" && e.Action != "validation.approve" {
			continue
		}
		held, err := audit.CheckReceipt(get(w.dora, "/audit/"+e.ID+"/receipt"), w.Tree.Signer.Key())
		require.NoError(t, err)
		require.Equal(t, e.ID, held.Entries[0].ID)
		require.Contains(t, w.dora.Get("/audit/"+e.ID).Body, "/audit/"+e.ID+"/receipt")
		actions[e.Action] = e
	}
	require.Contains(t, actions, "validation.approve")
}

// A receipt goes to a person: what others did, and from where, is not theirs to have.
func TestAReceiptTellsNothingOfOtherPersons(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	require.NoError(t, w.DB.Audit().Write(t.Context(), audit.Entry{Action: "ceremony.look", Object: "ceremony", Subject: w.signatureOf(t, w.signed),
		Owner: w.ada.Person().ID, Person: w.cleo.Person().ID, Address: "203.0.113.77"}))
	_, err := w.Tree.Number(t.Context())
	require.NoError(t, err)
	a := w.ada.Get("/documents/" + string(w.signed) + "/receipt")
	require.Equal(t, 200, a.StatusCode)
	require.NotContains(t, a.Body, string(w.cleo.Person().ID))
	require.NotContains(t, a.Body, "203.0.113.77")
	require.True(t, json.Valid([]byte(a.Body)))
	for _, name := range []string{"Ada", "ada@example.test", "signed.pdf"} {
		require.NotContains(t, a.Body, name)
	}
}

func (w *town) signatureOf(t *testing.T, document any) string {
	t.Helper()
	for _, e := range w.Audited() {
		if e.Action == "signature.release" && e.Facts["document"] == fmt.Sprint(document) {
			return e.Subject
		}
	}
	t.Fatal("no signature")
	return ""
}
