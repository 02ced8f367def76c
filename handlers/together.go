package handlers

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"countersign/identity"
	"countersign/signing"
	"countersign/web/templates"
)

// named are the documents that a form or an address names, each once.
func named(values []string) (ids []signing.DocumentID) {
	for _, v := range values {
		if id := signing.DocumentID(cut(v, 64)); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func togetherPath(ids []signing.DocumentID) string {
	q := url.Values{}
	for _, id := range ids {
		q.Add("document", string(id))
	}
	return "/sign?" + q.Encode()
}

// chooseTogether is the first step of signing several documents: which, and with what.
func (a *App) chooseTogether(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	ids := named(q["document"])
	if out := q.Get("without"); out != "" {
		ids = slices.DeleteFunc(ids, func(id signing.DocumentID) bool { return string(id) == out })
		if len(ids) > 0 {
			return a.redirect(w, r, togetherPath(ids), "")
		}
	}
	switch len(ids) {
	case 0:
		return a.redirect(w, r, "/documents", "none-chosen")
	case 1:
		return a.redirect(w, r, "/documents/"+url.PathEscape(string(ids[0]))+"/sign", "")
	}
	view, err := a.together(r, ids)
	if err != nil {
		return err
	}
	if most := a.Signing.MaxTogether; len(ids) > most {
		view.Most = most
	}
	return a.page(w, r, http.StatusOK, templates.TogetherPage(view))
}

// mostShown bounds what a page lists of a choice that is too large to be signed anyway.
const mostShown = 200

func (a *App) together(r *http.Request, ids []signing.DocumentID) (templates.Together, error) {
	ctx, actor := r.Context(), actorOf(r)
	view := templates.Together{Page: task(a.pageFor(r, "Choose how to sign", "documents"), "Leave without signing", "/documents"), Chosen: len(ids)}
	ids = ids[:min(len(ids), mostShown)]
	documents, err := a.Signing.DocumentsIn(ctx, actor, ids)
	if err != nil {
		return view, err
	}
	rows, err := a.documentRows(r, documents)
	if err != nil {
		return view, err
	}
	for _, row := range rows {
		view.Bytes += row.Document.Size
		view.Pages += row.Document.Pages
		view.Rows = append(view.Rows, templates.TogetherRow{Row: row, Why: whyNotTogether(row)})
	}
	if view.Connection, err = a.connection(r, togetherPath(ids)); err != nil {
		return view, err
	}
	view.Choices, view.With, err = a.credentialChoices(r)
	return view, err
}

// whyNotTogether tells what is known to be in the way before anything is asked.
func whyNotTogether(row templates.DocumentRow) string {
	switch row.Document.State {
	case signing.DocumentReady:
		return ""
	case signing.DocumentErased:
		return signing.Explain("erased").Sentence
	case signing.DocumentQuarantined:
		return signing.Explain("quarantined").Sentence
	case signing.DocumentRefused:
		return signing.Explain("refused").Sentence
	}
	return signing.Explain("not_ready").Sentence
}

func (a *App) beginTogether(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	ids := named(r.PostForm["document"])
	chosen := r.PostForm.Get("credential")
	how := signing.Choice{GoOn: r.PostForm.Get("failure") == "go_on"}
	if chosen == "" && len(ids) > 0 {
		return a.togetherAgain(w, r, ids, http.StatusUnprocessableEntity, "Choose a credential first.", how, nil)
	}
	ceremony, _, err := a.Signing.BeginWith(r.Context(), actorOf(r), ids, chosen, how)
	if err == nil {
		return a.redirect(w, r, "/ceremonies/"+string(ceremony.ID), "")
	}
	status, problem := a.explain(w, r, err)
	if len(ids) == 0 || status == http.StatusNotFound || status >= 500 && status != http.StatusBadGateway {
		return err
	}
	if status == http.StatusBadGateway {
		a.log.WarnContext(r.Context(), "pre-flight failed", "request", problem.Reference, "cause", err)
	}
	var domain *signing.Error
	errors.As(err, &domain)
	return a.togetherAgain(w, r, ids, status, problem.Sentence, how, domain)
}

func (a *App) togetherAgain(w http.ResponseWriter, r *http.Request, ids []signing.DocumentID, status int, sentence string, how signing.Choice, why *signing.Error) error {
	view, err := a.together(r, ids)
	if err != nil {
		return err
	}
	view.Problem, view.GoOn = sentence, how.GoOn
	if why == nil {
		return a.page(w, r, status, templates.TogetherPage(view))
	}
	if most, ok := why.Args["Most"].(int); ok {
		view.Most = most
	}
	for _, refused := range why.Documents {
		for i := range view.Rows {
			if view.Rows[i].Row.Document.ID == refused.Document {
				view.Rows[i].Why, view.Rows[i].Who = refused.Error.Sentence, refused.Error.Who
				view.Rows[i].Open = refused.Error.Ceremony
			}
		}
	}
	return a.page(w, r, status, templates.TogetherPage(view))
}

// credentialChoices are the person's credentials, and the first one that can sign.
func (a *App) credentialChoices(r *http.Request) (choices []templates.CredentialChoice, first identity.CredentialID, err error) {
	all, err := a.Identity.OwnCredentials(r.Context(), actorOf(r))
	if err != nil {
		return nil, "", err
	}
	for _, c := range all {
		usable, why := usable(c, a.Now().Unix())
		choices = append(choices, templates.CredentialChoice{Credential: c, Usable: usable, Why: why})
		if usable && (first == "" || string(c.ID) == personOf(r).Default) {
			first = c.ID
		}
	}
	return choices, first, nil
}

// takeOut leaves one document out of a ceremony that waits for its code.
func (a *App) takeOut(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	id := signing.CeremonyID(r.PathValue("id"))
	if err := a.Signing.TakeOut(r.Context(), actorOf(r), id, signing.DocumentID(cut(r.PostForm.Get("document"), 64))); err != nil {
		return a.ceremonyAgain(w, r, err)
	}
	return a.redirect(w, r, "/ceremonies/"+string(id), "")
}

// many fills in the documents of a ceremony over several, and answers the step it is at.
func (a *App) many(r *http.Request, view *templates.Ceremony, signatures []signing.Signature) (err error) {
	var ids []signing.DocumentID
	for _, g := range signatures {
		if view.Ceremony.State == signing.CeremonyCancelled || g.State != signing.SignatureCancelled {
			ids = append(ids, g.Document)
		}
	}
	documents, err := a.Signing.DocumentsIn(r.Context(), actorOf(r), ids)
	if err != nil {
		return err
	}
	for _, g := range signatures {
		i := slices.IndexFunc(documents, func(d signing.Document) bool { return d.ID == g.Document })
		if i < 0 {
			continue // taken out
		}
		d := documents[i]
		row := templates.TogetherRow{Signature: g, Row: templates.DocumentRow{Document: d, Signature: &g,
			Words: templates.Words(d.SHA256), Indent: templates.IndentLevels(d.SHA256)}}
		if g.Reason != "" && g.State != signing.SignatureReleased {
			why := signing.Explain(g.Reason)
			row.Why, row.Signed, row.Who = why.Sentence, why.Signed, why.Who
		}
		view.Many = append(view.Many, row)
	}
	view.Step = stepOfMany(view.Ceremony, view.Many)
	switch view.Step {
	case "progress":
		view.Task, view.TaskPath = "Leave this page", "/documents"
	case "result":
		view.Task, view.TaskPath = "To your documents", "/documents"
		view.Download = "/ceremonies/" + string(view.Ceremony.ID) + "/download"
	case "failed":
		view.Task, view.TaskPath = "To your documents", "/documents"
	}
	return nil
}

func stepOfMany(c signing.Ceremony, rows []templates.TogetherRow) string {
	if step := stepBefore(c); step != "" {
		return step
	}
	step := "failed"
	for _, row := range rows {
		switch {
		case row.Signature.State.Open():
			return "progress"
		case row.Signature.State == signing.SignatureReleased:
			step = "result"
		}
	}
	return step
}

// downloadAll gives every signed file of a ceremony as one archive, written while it is read:
// nothing is held, and nothing is compressed, for what PDF files hold is so already.
func (a *App) downloadAll(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r)
	_, signatures, err := a.Signing.Ceremony(ctx, actor, signing.CeremonyID(r.PathValue("id")))
	if err != nil {
		return err
	}
	var ids []signing.DocumentID
	for _, g := range signatures {
		if g.State == signing.SignatureReleased {
			ids = append(ids, g.Document)
		}
	}
	documents, err := a.Signing.DocumentsIn(ctx, actor, ids)
	if err != nil {
		return err
	}
	// What was erased or closed since is not in it; when that is all, there is nothing here.
	documents = slices.DeleteFunc(documents, func(d signing.Document) bool { return d.State != signing.DocumentReady })
	if len(documents) == 0 {
		return notFound
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", contentDisposition("attachment", "signed-documents.zip"))
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.WriteHeader(http.StatusOK)
	archive, names := zip.NewWriter(w), map[string]bool{}
	for _, d := range documents {
		if err == nil {
			err = a.addTo(r, archive, uniqueName(fileName(d), names), d)
		}
	}
	if err = errors.Join(err, archive.Close()); err != nil {
		// The answer has begun: broken off it is told from a whole one, ended it is not.
		a.log.WarnContext(ctx, "an archive broke off", "request", referenceOf(r), "cause", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (a *App) addTo(r *http.Request, archive *zip.Writer, name string, d signing.Document) error {
	content, _, _, err := a.Signing.Open(r.Context(), actorOf(r), d.ID)
	if err != nil {
		return err
	}
	defer content.Close()
	to, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: d.Since.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	_, err = io.Copy(to, content)
	return err
}

// uniqueName makes a file's name fit for any disk, and unlike those given out before it in any
// spelling: "a.pdf", "a (2).pdf".
func uniqueName(name string, given map[string]bool) string {
	name = strings.Map(func(c rune) rune {
		if c < 0x20 || strings.ContainsRune(`<>:"/\|?*`, c) {
			return '_'
		}
		return c
	}, name)
	base := strings.TrimRight(strings.TrimSuffix(name, ".pdf"), ". ")
	if base == "" || device(base) {
		base = "_" + base
	}
	for n := 1; ; n++ {
		unique := base + ".pdf"
		if n > 1 {
			unique = fmt.Sprintf("%s (%d).pdf", base, n)
		}
		if key := strings.ToLower(unique); !given[key] {
			given[key] = true
			return unique
		}
	}
}

// device reports whether some systems take a name for a device, whatever its ending.
func device(base string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(base), ".")
	switch stem {
	case "con", "prn", "aux", "nul":
		return true
	}
	return len(stem) == 4 && (strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")) && stem[3] >= '0' && stem[3] <= '9'
}

// chosen marks what was chosen on this page and the ones before it, to be signed together.
func (a *App) chosen(r *http.Request, view *templates.Documents) {
	q := r.URL.Query()
	ids := named(q["document"])
	ids = ids[:min(len(ids), mostShown)]
	view.Chosen = map[signing.DocumentID]bool{}
	for _, row := range view.Rows {
		if i := slices.Index(ids, row.Document.ID); i >= 0 {
			ids = slices.Delete(ids, i, i+1)
			view.Chosen[row.Document.ID] = true
		}
		if q.Get("all") != "" && row.Document.State == signing.DocumentReady && row.Open == "" {
			view.Chosen[row.Document.ID] = true
		}
	}
	view.Others = ids
}
