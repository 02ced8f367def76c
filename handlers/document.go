package handlers

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"

	"countersign/identity"
	"countersign/signing"
	"countersign/web/templates"
)

func (a *App) showDocument(w http.ResponseWriter, r *http.Request) error {
	view, err := a.document(r, signing.DocumentID(r.PathValue("id")))
	if err != nil {
		return err
	}
	a.clearFlash(w, r)
	return a.page(w, r, http.StatusOK, templates.DocumentPage(view))
}

func (a *App) document(r *http.Request, id signing.DocumentID) (templates.Document, error) {
	ctx, actor := r.Context(), actorOf(r)
	d, err := a.Signing.Document(ctx, actor, id)
	if err != nil {
		return templates.Document{}, err
	}
	view := templates.Document{Page: a.pageFor(r, d.Name, "documents"), Content: "/documents/" + string(id) + "/content"}
	view.Live = "/documents/" + string(id) + "/live"
	if view.Row, err = a.documentRow(r, d); err != nil {
		return view, err
	}
	view.Seen = erasing(view.Row)
	if view.History, err = a.Signing.Signatures(ctx, actor, id); err != nil {
		return view, err
	}
	if d.State != signing.DocumentReady {
		view.WhyNot = signing.Explain(d.Reason).Sentence
		return view, nil
	}
	if d.Signed || d.Earlier > 0 {
		result, err := a.Signing.Check(ctx, actor, id)
		if err != nil {
			return view, err
		}
		view.Signatures = result.Signatures
	}
	if d.Signed {
		e, err := a.Signing.Extension(ctx, actor, id)
		switch {
		case err == nil:
			view.Extension = &e
		case !errors.Is(err, signing.ErrNotFound):
			return view, err
		}
	}
	codes, err := a.Signing.Notices(ctx, actor, id)
	if err != nil {
		return view, err
	}
	view.Notices = notices(codes)
	credentials, err := a.Identity.OwnCredentials(ctx, actor)
	if err != nil {
		return view, err
	}
	view.CanSign, view.WhyNot, view.WhyText, view.WhyPath = canSign(credentials)
	return view, nil
}

func canSign(all []identity.Credential) (bool, string, string, string) {
	best := bestCredential(all, "")
	switch {
	case best == nil:
		return false, "You have no credential yet. It comes after your identity check.", "Start the identity check", "/"
	case best.State == identity.CredentialActive && best.RetiredAt.IsZero():
		return true, "", "", ""
	case best.State == identity.CredentialPending:
		return false, "Your credential is still being made.", "See the progress", "/"
	}
	return false, "None of your credentials can sign now.", "See why", "/credentials"
}

// notices turns what the engine found into sentences, worst first.
func notices(codes []string) []templates.Notice {
	var out []templates.Notice
	for _, tone := range []string{"bad", "hold", "off"} {
		for _, code := range codes {
			if n, ok := noticeTexts[code]; ok && n.Tone == tone {
				out = append(out, n)
			}
		}
	}
	return out
}

var noticeTexts = map[string]templates.Notice{
	"javascript":       {Tone: "bad", Text: "It carries a script that could change what a reader shows."},
	"launch":           {Tone: "bad", Text: "It can ask a reader to start another program."},
	"xfa":              {Tone: "bad", Text: "It is a form whose pages are made by the reader."},
	"hidden_layers":    {Tone: "hold", Text: "It has layers that can be shown or hidden."},
	"external":         {Tone: "hold", Text: "Part of what it shows is kept elsewhere and can change."},
	"need_appearances": {Tone: "hold", Text: "It asks the reader to draw its fields anew, so they may look different elsewhere."},
	"open_action":      {Tone: "hold", Text: "It does something when it is opened."},
	"embedded_files":   {Tone: "hold", Text: "It carries other files inside, which this page does not show."},
	"form_fields":      {Tone: "off", Text: "It has form fields. Filling them in after signing shows as a change."},
	"header_junk":      {Tone: "hold", Text: "It has bytes before its beginning. Some readers will complain about the signature."},
	"usage_rights":     {Tone: "off", Text: "It grants extra rights in one maker's reader. They end with any change, also with a signature."},
	"encrypted":        {Tone: "hold", Text: "It is encrypted without a password to open. Some readers cannot check signatures in such files."},
}

// content serves the stored bytes for the viewer on our own page.
func (a *App) content(w http.ResponseWriter, r *http.Request) error {
	return a.serve(w, r, "inline")
}

func (a *App) download(w http.ResponseWriter, r *http.Request) error {
	return a.serve(w, r, "attachment")
}

func (a *App) serve(w http.ResponseWriter, r *http.Request, disposition string) error {
	id := signing.DocumentID(r.PathValue("id"))
	content, _, d, err := a.Signing.Open(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	defer content.Close()
	if ranges := r.Header.Get("Range"); strings.Count(ranges, ",") >= 10 || !strings.HasPrefix(ranges, "bytes=") {
		r.Header.Del("Range") // many small ranges cost more than the whole file; other units mean nothing here
	}
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", contentDisposition(disposition, fileName(d)))
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	http.ServeContent(neverKept{w}, r, "", d.Since, content)
	return nil
}

// neverKept says again what net/http takes away from an answer that refuses a range.
type neverKept struct{ http.ResponseWriter }

func (w neverKept) WriteHeader(status int) {
	w.Header().Set("Cache-Control", "private, no-store")
	w.ResponseWriter.WriteHeader(status)
}

func (w neverKept) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// fileName of a download: "name-signed.pdf" once somebody has signed here.
func fileName(d signing.Document) string {
	ext := path.Ext(d.Name)
	if !strings.EqualFold(ext, ".pdf") {
		ext = ""
	}
	base := strings.TrimSuffix(d.Name, ext)
	if d.Signed && !strings.HasSuffix(base, "-signed") {
		base += "-signed"
	}
	return base + ".pdf"
}

// contentDisposition writes RFC 6266 with a plain name for old clients and the full
// one by RFC 8187.
func contentDisposition(kind, name string) string {
	plain := strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || strings.ContainsRune(`"\%;/`, c) {
			return '_'
		}
		return c
	}, name)
	if plain == name {
		return kind + `; filename="` + name + `"`
	}
	return kind + `; filename="` + plain + `"; filename*=UTF-8''` + extValue(name)
}

// extValue encodes a text as RFC 8187, 3.2.1 says, all but letters and digits and a few signs.
func extValue(text string) string {
	var out strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', strings.IndexByte("!#$&+-.^_`|~", c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// erasing is what the page tells of what ends with a document.
func erasing(row templates.DocumentRow) string {
	return fingerprintOf(row.Document.State, row.Document.Signed, row.Document.Revisions, row.Open)
}

func (a *App) erase(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	id := signing.DocumentID(r.PathValue("id"))
	d, err := a.Signing.Document(r.Context(), actorOf(r), id)
	if err != nil {
		return err
	}
	row, err := a.documentRow(r, d)
	if err != nil {
		return err
	}
	if d.State != signing.DocumentErased && !sawThis(r, erasing(row)) {
		view, err := a.document(r, id)
		if err != nil {
			return err
		}
		view.Changed = true
		return a.page(w, r, http.StatusConflict, templates.DocumentPage(view))
	}
	if err := a.Signing.Erase(r.Context(), actorOf(r), id); err != nil {
		return err
	}
	return a.redirect(w, r, "/documents", "erased")
}

// choose is the first step of signing: which credential.
func (a *App) choose(w http.ResponseWriter, r *http.Request) error {
	view, err := a.choices(r)
	if err != nil {
		return err
	}
	if view.Row.Open != "" {
		return a.redirect(w, r, "/ceremonies/"+string(view.Row.Open), "")
	}
	return a.page(w, r, http.StatusOK, templates.ChoosePage(view))
}

func (a *App) choices(r *http.Request) (templates.Choose, error) {
	ctx, actor := r.Context(), actorOf(r)
	id := signing.DocumentID(r.PathValue("id"))
	d, err := a.Signing.Document(ctx, actor, id)
	if err != nil {
		return templates.Choose{}, err
	}
	view := templates.Choose{Page: task(a.pageFor(r, "Choose how to sign", "documents"), "Leave without signing", "/documents/"+string(id))}
	if view.Row, err = a.documentRow(r, d); err != nil {
		return view, err
	}
	if view.Connection, err = a.connection(r, "/documents/"+string(id)+"/sign"); err != nil {
		return view, err
	}
	view.Choices, view.Chosen, err = a.credentialChoices(r)
	return view, err
}

func usable(c identity.Credential, now int64) (bool, string) {
	switch c.State {
	case identity.CredentialActive:
		if !c.NotAfter.IsZero() && c.NotAfter.Unix() < now {
			return false, "It has run out. An admin can have a new one made."
		}
		if !c.RetiredAt.IsZero() {
			return false, "A newer credential has taken its place."
		}
		return true, ""
	case identity.CredentialPending:
		return false, "It is still being made. That usually takes a few minutes."
	case identity.CredentialSuspended:
		return false, "It is suspended. You or an admin can resume it."
	case identity.CredentialRevoked:
		return false, "It was revoked, for good. An admin can have a new one made."
	case identity.CredentialExpired:
		return false, "It has run out. An admin can have a new one made."
	case identity.CredentialDeactivated:
		return false, "It was cancelled before it was finished."
	}
	return false, "DigiCert has not told us that it can be used. An admin can look."
}

func (a *App) begin(w http.ResponseWriter, r *http.Request) error {
	if err := readForm(r); err != nil {
		return err
	}
	chosen := r.PostForm.Get("credential")
	if chosen == "" {
		return a.chooseAgain(w, r, http.StatusUnprocessableEntity, "Choose a credential first.")
	}
	id := signing.DocumentID(r.PathValue("id"))
	ceremony, _, err := a.Signing.Begin(r.Context(), actorOf(r), []signing.DocumentID{id}, chosen)
	if err != nil {
		status, problem := a.explain(w, r, err)
		if status == http.StatusNotFound || status >= 500 && status != http.StatusBadGateway {
			return err
		}
		if status == http.StatusBadGateway {
			a.log.WarnContext(r.Context(), "pre-flight failed", "request", problem.Reference, "cause", err)
		}
		return a.chooseAgain(w, r, status, problem.Sentence)
	}
	return a.redirect(w, r, "/ceremonies/"+string(ceremony.ID), "")
}

func (a *App) chooseAgain(w http.ResponseWriter, r *http.Request, status int, sentence string) error {
	view, err := a.choices(r)
	if err != nil {
		return err
	}
	view.Problem = sentence
	return a.page(w, r, status, templates.ChoosePage(view))
}
