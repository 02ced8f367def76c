package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/a-h/templ"

	"countersign/signing"
	"countersign/web/templates"
)

func (a *App) uploadLimits() templates.UploadForm {
	return templates.UploadForm{MaxBytes: a.MaxBytes, Types: "PDF"}
}

func (a *App) showDocuments(w http.ResponseWriter, r *http.Request) error {
	view, err := a.documents(r)
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.DocumentsPage(view))
}

func (a *App) documents(r *http.Request) (templates.Documents, error) {
	ctx, actor := r.Context(), actorOf(r)
	view := templates.Documents{Page: a.pageFor(r, "Documents", "documents"), Upload: a.uploadLimits(), Filter: "all"}
	q := signing.DocumentQuery{Text: cut(r.URL.Query().Get("q"), 200), After: cursorOf(r), Limit: 50}
	view.Text = q.Text
	yes, no := true, false
	switch show := r.URL.Query().Get("show"); show {
	case "ready":
		view.Filter, q.States, q.Signed = show, []signing.DocumentState{signing.DocumentReady}, &no
	case "signed":
		view.Filter, q.States, q.Signed = show, []signing.DocumentState{signing.DocumentReady}, &yes
	case "refused":
		view.Filter, q.States = show, []signing.DocumentState{signing.DocumentRefused, signing.DocumentQuarantined}
	}
	rows, next, err := a.Signing.Documents(ctx, actor, q)
	if err != nil {
		return view, err
	}
	if view.Rows, err = a.documentRows(r, rows); err != nil {
		return view, err
	}
	view.Older, view.Next = older(r, next), next
	a.chosen(r, &view)
	counts, err := a.Signing.DocumentCounts(ctx, actor)
	if err != nil {
		return view, err
	}
	view.Counts = documentCounts(counts)
	return view, nil
}

// documentCounts folds states into the filters of the page.
func documentCounts(by map[signing.DocumentState]int) map[string]int {
	counts := map[string]int{}
	for state, n := range by {
		if state == signing.DocumentRefused || state == signing.DocumentQuarantined {
			counts["refused"] += n
		}
		counts["all"] += n
	}
	return counts
}

// documentRows adds to documents what was signed last and what is open, in one query for all.
func (a *App) documentRows(r *http.Request, all []signing.Document) ([]templates.DocumentRow, error) {
	ids := make([]signing.DocumentID, len(all))
	for i, d := range all {
		ids[i] = d.ID
	}
	newest, err := a.Signing.NewestSignatures(r.Context(), actorOf(r), ids)
	if err != nil {
		return nil, err
	}
	rows := make([]templates.DocumentRow, len(all))
	for i, d := range all {
		rows[i] = templates.DocumentRow{Document: d, Words: templates.Words(d.SHA256), Indent: templates.IndentLevels(d.SHA256)}
		if g, ok := newest[d.ID]; ok {
			rows[i].Signature = &g
			if g.State.Open() {
				rows[i].Open = g.Ceremony
			}
		}
	}
	return rows, nil
}

func (a *App) documentRow(r *http.Request, d signing.Document) (templates.DocumentRow, error) {
	rows, err := a.documentRows(r, []signing.Document{d})
	if err != nil {
		return templates.DocumentRow{}, err
	}
	return rows[0], nil
}

// uploadRaw takes the bytes of one file as the body: the script's way. It answers
// JSON, since the page stays where it is.
func (a *App) uploadRaw(w http.ResponseWriter, r *http.Request) error {
	document, err := a.Signing.Submit(r.Context(), actorOf(r), r.URL.Query().Get("name"), r.ContentLength, r.Body)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	if err != nil && a.gone(w, r, err) {
		return nil
	}
	if err != nil {
		status, view := a.explain(w, r, err)
		status = uploadStatus(status, err)
		if status >= 500 && status != http.StatusInsufficientStorage {
			a.log.ErrorContext(r.Context(), "upload failed", "request", view.Reference, "cause", err)
		}
		w.WriteHeader(status)
		return json.NewEncoder(w).Encode(map[string]string{"sentence": a.refusal(r, view), "reference": view.Reference})
	}
	if document.State != signing.DocumentReady {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return json.NewEncoder(w).Encode(map[string]string{"sentence": a.refusedFile(r, document), "reference": referenceOf(r)})
	}
	w.Header().Set("Location", "/documents/"+string(document.ID))
	w.WriteHeader(http.StatusCreated)
	return json.NewEncoder(w).Encode(map[string]string{"location": "/documents/" + string(document.ID)})
}

// refusal is why a file was not taken, and what helps.
func (a *App) refusal(r *http.Request, v templates.Problem) string {
	sentence := templates.T(a.textContext(r), v.Sentence, v.Args...)
	if v.Who == "" {
		return sentence
	}
	return sentence + " " + templates.T(a.textContext(r), v.Who)
}

func (a *App) refusedFile(r *http.Request, d signing.Document) string {
	why := signing.Explain(d.Reason)
	return a.refusal(r, templates.Problem{Sentence: why.Sentence, Who: why.Who})
}

func uploadStatus(status int, err error) int {
	var domain *signing.Error
	if errors.As(err, &domain) {
		switch domain.Code {
		case "too_large":
			return http.StatusRequestEntityTooLarge
		case "disk_full", "no_space":
			return http.StatusInsufficientStorage
		}
	}
	return status
}

// argsOf are the values of an error's sentence, in pairs.
func argsOf(err error) (pairs []any) {
	var domain *signing.Error
	if errors.As(err, &domain) {
		for name, value := range domain.Args {
			pairs = append(pairs, name, value)
		}
	}
	return pairs
}

// uploadForm takes the first file of a multipart form, streamed part by part: the way
// without script. A refusal shows the same page again.
func (a *App) uploadForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, a.MaxBytes+formSpare)
	name, body, err := firstFile(r)
	if err != nil {
		return a.refuseUpload(w, r, http.StatusUnprocessableEntity, "", "Choose a PDF file first, then send it.")
	}
	document, err := a.Signing.Submit(r.Context(), actorOf(r), name, -1, body)
	if err != nil {
		status, view := a.explain(w, r, err)
		if status = uploadStatus(status, err); status >= 500 && status != http.StatusInsufficientStorage {
			return err
		}
		return a.refuseUpload(w, r, status, name, a.refusal(r, view))
	}
	if document.State != signing.DocumentReady {
		return a.refuseUpload(w, r, http.StatusUnprocessableEntity, document.Name, a.refusedFile(r, document))
	}
	return a.redirect(w, r, "/documents/"+string(document.ID), "")
}

func (a *App) refuseUpload(w http.ResponseWriter, r *http.Request, status int, name, sentence string) error {
	view, err := a.documents(r)
	if err != nil {
		return err
	}
	view.Upload.Refused, view.Upload.Name = sentence, name
	return a.page(w, r, status, templates.DocumentsPage(view))
}

func (a *App) watchDocument(w http.ResponseWriter, r *http.Request) error {
	id := signing.DocumentID(r.PathValue("id"))
	if _, err := a.Signing.Document(r.Context(), actorOf(r), id); err != nil {
		return err
	}
	return a.stream(w, r, func(context.Context) (templ.Component, bool, error) {
		view, err := a.document(r, id)
		return templates.DocumentLive(view), true, err
	}, signing.DocumentTopic(id))
}
