package handlers_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/pades"
	"countersign/signing"
)

func ofAll(ids []signing.DocumentID, more ...string) []string {
	fields := more
	for _, id := range ids {
		fields = append(fields, "document", string(id))
	}
	return fields
}

func signPath(ids []signing.DocumentID) string {
	path := "/sign?"
	for _, id := range ids {
		path += "document=" + string(id) + "&"
	}
	return strings.TrimSuffix(path, "&")
}

// batch begins the documents under one approval, over HTTP.
func (w *town) batch(ids []signing.DocumentID, failure string) signing.CeremonyID {
	w.T.Helper()
	a := w.ada.Post("/sign", ofAll(ids, "credential", string(w.credential.ID), "failure", failure)...)
	require.Equal(w.T, http.StatusSeeOther, a.StatusCode, a.Body)
	return signing.CeremonyID(strings.TrimPrefix(a.Header.Get("Location"), "/ceremonies/"))
}

func unzipped(t *testing.T, body string) map[string][]byte {
	t.Helper()
	archive, err := zip.NewReader(strings.NewReader(body), int64(len(body)))
	require.NoError(t, err)
	files := map[string][]byte{}
	for _, f := range archive.File {
		require.Equal(t, zip.Store, f.Method)
		r, err := f.Open()
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NotContains(t, files, f.Name)
		files[f.Name] = b
	}
	return files
}

func TestDocumentsAreChosenSignedAndDownloadedTogether(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	ids := []signing.DocumentID{w.fresh("same name.pdf"), w.fresh("same name.PDF"), w.fresh("aux.pdf")}
	list := w.ada.Get("/documents?all=1").Body
	for _, id := range ids {
		require.Contains(t, list, `name="document" value="`+string(id)+`" checked`)
	}
	require.NotContains(t, list, `value="`+string(w.document)+`"`, "what is being signed cannot be chosen")

	page := w.ada.Get(signPath(ids))
	require.Equal(t, http.StatusOK, page.StatusCode)
	for _, says := range []string{"3 documents to sign together", "same name.pdf", "aux.pdf", "Check 3 documents", "Go on with the others"} {
		require.Contains(t, page.Body, says)
	}
	before := w.counts()
	id := w.batch(ids, "stop")
	require.Equal(t, counts{}, w.counts().since(before), "no code is spent on a choice")
	require.Contains(t, w.ada.Get("/ceremonies/"+string(id)).Body, "same name.pdf")
	a := w.ada.Approve(id, w.ada.Code(id))
	require.Equal(t, http.StatusSeeOther, a.StatusCode, a.Body)
	require.Equal(t, counts{1, 1, 1, 1, 1}, w.counts().since(before), "one code, one approval, one call of the key")
	require.Contains(t, w.ada.Get("/ceremonies/"+string(id)).Body, "All 3 documents are signed, and checked.")

	got := w.ada.Get("/ceremonies/" + string(id) + "/download")
	require.Equal(t, http.StatusOK, got.StatusCode)
	require.Equal(t, "application/zip", got.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename="signed-documents.zip"`, got.Header.Get("Content-Disposition"))
	require.Contains(t, got.Header.Get("Cache-Control"), "no-store")
	files := unzipped(t, got.Body)
	require.Len(t, files, 3)
	for _, name := range []string{"same name-signed.pdf", "same name-signed (2).pdf", "aux-signed.pdf"} {
		b := files[name]
		result, err := pades.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), pades.VerifyOptions{Roots: w.Sim.Roots, Now: w.Clock.Now()})
		require.NoError(t, err, name)
		require.Equal(t, pades.TotalPassed, result.Indication, name)
	}
	require.Equal(t, http.StatusOK, w.ada.Get("/ceremonies/"+string(id)+"/download", "Range", "bytes=0-1").StatusCode, "no part of it is promised")
	for _, path := range []string{"/ceremonies/" + string(id) + "/download", signPath(ids)} {
		require.Equal(t, http.StatusNotFound, w.ben.Get(path).StatusCode)
	}

	require.Equal(t, 303, w.ada.Erase(ids[0]).StatusCode)
	require.Len(t, unzipped(t, w.ada.Get("/ceremonies/"+string(id)+"/download").Body), 2, "what was erased since is not in it")
	for _, d := range ids[1:] {
		require.Equal(t, 303, w.ada.Erase(d).StatusCode)
	}
	require.Equal(t, http.StatusNotFound, w.ada.Get("/ceremonies/"+string(id)+"/download").StatusCode)
	require.Equal(t, http.StatusNotFound, w.ada.Get("/ceremonies/"+string(w.ceremony)+"/download").StatusCode, "nothing is signed there")
}

func TestAFailureAmongManyIsToldAndRepeatedByItself(t *testing.T) {
	for failure, want := range map[string]string{"stop": "It was not signed", "go_on": "2 of 3 documents are signed."} {
		t.Run(failure, func(t *testing.T) {
			w := newTown(t, handlerstest.Options{Signing: func(o *signing.Options) { o.SignTogether = 1 }})
			ids := []signing.DocumentID{w.fresh("one.pdf"), w.fresh("two.pdf"), w.fresh("three.pdf")}
			id := w.batch(ids, failure)
			w.Sim.Trouble(dtmsim.Fault{Path: "signatures/signHash", Status: 400, Body: `{"error":"invalid_request","error_description":"Invalid digest value length"}`})
			before := w.counts()
			a := w.ada.Approve(id, w.ada.Code(id))
			page := w.ada.Get("/ceremonies/" + string(id)).Body
			_, signatures := w.Ceremony(id)
			again := ids[:1]
			if failure == "stop" {
				require.Equal(t, http.StatusBadGateway, a.StatusCode)
				require.Equal(t, 1, w.counts().since(before).hashed, "the others are not asked for")
				require.Contains(t, page, "Signing stopped before it came to this document.")
				require.Contains(t, page, "Nothing was signed")
				require.Contains(t, page, "Sign the 3 that were not signed")
				again = ids
			} else {
				require.Equal(t, http.StatusSeeOther, a.StatusCode)
				require.Equal(t, 3, w.counts().since(before).hashed)
				require.Contains(t, page, want)
				require.Contains(t, page, "Sign the one that was not signed")
				require.Equal(t, signing.SignatureReleased, signatures[2].State)
			}
			require.Equal(t, signing.SignatureFailed, signatures[0].State)
			require.Equal(t, "sign_refused", signatures[0].Reason)
			w.Clock.Pass(31 * time.Second)
			if len(again) == 1 {
				w.ada.Signed(again[0], w.credential.ID)
			} else {
				id = w.batch(again, "stop")
				require.Equal(t, 303, w.ada.Approve(id, w.ada.Code(id)).StatusCode)
			}
			for _, d := range ids {
				var signed, revisions int
				w.Row([]any{&revisions}, "SELECT revisions FROM documents WHERE id = ?", string(d))
				w.Row([]any{&signed}, "SELECT count(*) FROM signatures WHERE document = ? AND state = 'released'", string(d))
				require.Equal(t, []int{2, 1}, []int{revisions, signed})
			}
		})
	}
}

func TestDocumentsAreLeftOutBeforeAndAfterTheyWereChecked(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	ids := []signing.DocumentID{w.fresh("one.pdf"), w.fresh("two.pdf"), w.fresh("three.pdf")}
	a := w.ada.Get(signPath(ids) + "&without=" + string(ids[1]))
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	require.Equal(t, signPath([]signing.DocumentID{ids[0], ids[2]}), a.Header.Get("Location"))
	a = w.ada.Get(signPath(ids[:2]) + "&without=" + string(ids[1]))
	require.Equal(t, "/documents/"+string(ids[0])+"/sign", w.ada.Follow(a).Request.URL.Path)
	require.Equal(t, "/documents", w.ada.Get("/sign").Header.Get("Location"))

	id := w.batch(ids, "stop")
	code := w.ada.Code(id)
	without := "/ceremonies/" + string(id) + "/without"
	require.Equal(t, http.StatusNotFound, w.ben.Post(without, "document", string(ids[0])).StatusCode)
	require.Equal(t, http.StatusNotFound, w.ada.Post(without, "document", string(w.signed)).StatusCode)
	require.Equal(t, http.StatusSeeOther, w.ada.Post(without, "document", string(ids[1])).StatusCode)
	require.NotContains(t, w.ada.Get("/ceremonies/"+string(id)).Body, "two.pdf")
	require.Equal(t, http.StatusSeeOther, w.ada.Approve(id, code).StatusCode, "the code holds for the others")
	_, signatures := w.Ceremony(id)
	require.Equal(t, signing.SignatureCancelled, signatures[1].State)
	for _, e := range w.Sim.Ledger() {
		if e.Kind == dtmsim.LedgerSigned && e.ClientData == string(id) {
			require.Equal(t, []string{hexOf(signatures[0].Digest), hexOf(signatures[2].Digest)}, e.Hashes)
		}
	}
	require.Equal(t, http.StatusSeeOther, w.ada.Post(without, "document", string(ids[0])).StatusCode, "to the page that tells how it ended")
	require.Len(t, unzipped(t, w.ada.Get("/ceremonies/"+string(id)+"/download").Body), 2)
}

func TestWhatIsInTheWayOfManyIsToldBesideEach(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	one, two, three := w.fresh("one.pdf"), w.fresh("two.pdf"), w.fresh("three.pdf")
	require.Equal(t, 303, w.ada.Erase(two).StatusCode)
	before := w.counts()
	ids := []signing.DocumentID{one, two, three}
	require.Contains(t, w.ada.Get(signPath(ids)).Body, "This document was erased.", "told before anything is asked")
	a := w.ada.Post("/sign", ofAll(ids, "credential", string(w.credential.ID))...)
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.Body, "Some of these documents cannot be signed now.")
	require.Contains(t, a.Body, "This document was erased.")
	require.Equal(t, http.StatusUnprocessableEntity, w.ada.Post("/sign", ofAll(ids)...).StatusCode, "no credential")
	require.Equal(t, http.StatusUnprocessableEntity, w.ada.Post("/sign").StatusCode, "no document")
	for _, foreign := range []signing.DocumentID{w.ben.Upload("of ben.pdf", handlerstest.PDF()), "0123456789abcdef"} {
		with := append([]signing.DocumentID{one}, foreign)
		require.Equal(t, http.StatusNotFound, w.ada.Get(signPath(with)).StatusCode)
		require.Equal(t, http.StatusNotFound, w.ada.Post("/sign", ofAll(with, "credential", string(w.credential.ID))...).StatusCode)
	}
	require.Equal(t, counts{}, w.counts().since(before))
	var open int
	w.Row([]any{&open}, "SELECT count(*) FROM signatures WHERE document IN (?, ?)", string(one), string(three))
	require.Zero(t, open, "nothing was begun")
}

func TestMoreThanOneApprovalTakesAreOfferedInParts(t *testing.T) {
	w := newTown(t, handlerstest.Options{Signing: func(o *signing.Options) { o.MaxTogether = 3 }})
	var ids []signing.DocumentID
	for i := range 5 {
		ids = append(ids, w.fresh(fmt.Sprintf("paper %d.pdf", i)))
	}
	page := w.ada.Get(signPath(ids)).Body
	require.Contains(t, page, "An approval signs 3 documents at most.")
	require.Contains(t, page, "Begin with the first 3")
	require.NotContains(t, page, "Check 5 documents")
	a := w.ada.Post("/sign", ofAll(ids, "credential", string(w.credential.ID))...)
	require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode)
	require.Contains(t, a.Body, "Begin with the first 3")
	require.Contains(t, w.ada.Get(signPath(ids[:3])).Body, "Check 3 documents")
}

// eager makes the checks while the person reads, as the portal does.
func eager(o *signing.Options) { o.Lazy = false }

// What could not succeed is said on the page, with who can change it, before a code is sent; what
// passes is noticed by itself.
func TestAClockServiceThatIsAwayIsToldBeforeACodeIsSent(t *testing.T) {
	w := newTown(t, handlerstest.Options{Signing: eager})
	w.Clock.Pass(2 * time.Minute) // what the clock service said before is forgotten
	w.Sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 500, N: 1000})
	before := w.counts()
	path := "/ceremonies/" + string(w.ada.Begin(w.fresh("waits.pdf"), w.credential.ID))
	require.Eventually(t, func() bool {
		return strings.Contains(w.ada.Get(path).Body, "The clock service does not answer, so your signature would have no time that others trust.")
	}, 20*time.Second, 50*time.Millisecond)
	page := w.ada.Get(path).Body
	require.Contains(t, page, "we ask it again every few seconds")
	require.NotContains(t, page, path+"/code", "there is no button that would spend a code")
	require.Equal(t, http.StatusBadGateway, w.ada.Post(path+"/code").StatusCode)
	require.Equal(t, counts{}, w.counts().since(before))

	w.Sim.ClearFaults()
	w.Clock.Pass(11 * time.Second)
	require.Eventually(t, func() bool { return strings.Contains(w.ada.Get(path).Body, path+"/code") }, 20*time.Second, 50*time.Millisecond)
	require.Equal(t, http.StatusSeeOther, w.ada.Post(path+"/code").StatusCode)
	require.Equal(t, 1, w.counts().since(before).sent)
}

// One file of many was altered where it is stored: it is named beside the others, and left out.
func TestAnAlteredFileAmongManyIsNamedBeforeACodeIsSent(t *testing.T) {
	w := newTown(t, handlerstest.Options{Signing: eager})
	ids := []signing.DocumentID{w.fresh("one.pdf"), w.fresh("two.pdf"), w.fresh("three.pdf")}
	_, err := w.DB.Write.Exec(w.DB.Write.Rebind("UPDATE revisions SET sha256 = ? WHERE document = ?"), bytes.Repeat([]byte{1}, 32), string(ids[1]))
	require.NoError(t, err)
	_, err = w.DB.Write.Exec(w.DB.Write.Rebind("UPDATE documents SET sha256 = ? WHERE id = ?"), bytes.Repeat([]byte{1}, 32), string(ids[1]))
	require.NoError(t, err)
	before := w.counts()
	a := w.ada.Post("/sign", ofAll(ids, "credential", string(w.credential.ID))...)
	require.Equal(t, counts{}, w.counts().since(before))
	if a.StatusCode == http.StatusSeeOther { // found while the person reads
		path := a.Header.Get("Location")
		require.Eventually(t, func() bool { return strings.Contains(w.ada.Get(path).Body, "Leave out what is in the way") }, 20*time.Second, 50*time.Millisecond)
		require.Equal(t, http.StatusSeeOther, w.ada.Post(path+"/without", "document", string(ids[1])).StatusCode)
		require.Equal(t, http.StatusSeeOther, w.ada.Approve(signing.CeremonyID(strings.TrimPrefix(path, "/ceremonies/")), w.ada.Code(signing.CeremonyID(strings.TrimPrefix(path, "/ceremonies/")))).StatusCode)
		return
	}
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.Body, "The stored file is not the one you uploaded")
}
