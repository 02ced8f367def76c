package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"countersign/audit"
	"countersign/people"
	"countersign/signing"
)

var (
	noReceipt = &problem{http.StatusNotFound, "There is no receipt", "A receipt is there once a signature was released.", ""}
	soon      = &problem{http.StatusConflict, "The receipt is being made", "The log has not counted this yet. It does so within a few seconds: try again then.", ""}
)

// documentReceipt proves what the log holds about the signatures that were made here.
func (a *App) documentReceipt(w http.ResponseWriter, r *http.Request) error {
	ctx, actor := r.Context(), actorOf(r)
	d, err := a.Signing.Document(ctx, actor, signing.DocumentID(r.PathValue("id")))
	if err != nil {
		return err
	}
	made, err := a.Signing.Signatures(ctx, actor, d.ID)
	if err != nil {
		return err
	}
	var entries []audit.Entry
	seen := map[string]bool{}
	for _, s := range made {
		if s.State != signing.SignatureReleased {
			continue
		}
		for _, subject := range []string{string(s.Ceremony), string(s.ID)} {
			if seen[subject] {
				continue
			}
			seen[subject] = true
			about, err := a.ownEntries(ctx, actor.Person, subject)
			if err != nil {
				return err
			}
			entries = append(entries, about...)
		}
	}
	if len(entries) == 0 {
		return noReceipt
	}
	return a.receipt(w, r, strings.TrimSuffix(fileName(d), ".pdf"), entries)
}

// ownEntries are those about a subject that the person may be given: what they did
// themselves and what the portal did for them, not what others did, with their addresses.
func (a *App) ownEntries(ctx context.Context, p people.ID, subject string) ([]audit.Entry, error) {
	all, _, err := a.Log.List(ctx, audit.Filter{Subject: subject, Owner: p, Limit: 500})
	if err != nil {
		return nil, err
	}
	var own []audit.Entry
	for _, e := range all {
		if e.Person == p || e.Person == "" {
			own = append(own, e)
		}
	}
	return own, nil
}

// entryReceipt proves one entry.
func (a *App) entryReceipt(w http.ResponseWriter, r *http.Request) error {
	e, err := a.Log.Entry(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return a.receipt(w, r, "entry-"+e.ID, []audit.Entry{e})
}

func (a *App) receipt(w http.ResponseWriter, r *http.Request, name string, entries []audit.Entry) error {
	made, err := a.Log.Receipt(r.Context(), entries)
	if errors.Is(err, audit.ErrNotNumbered) {
		w.Header().Set("Retry-After", "10")
		return soon
	}
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(made, "", "  ")
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", contentDisposition("attachment", name+"-receipt.json"))
	h.Set("Cache-Control", "private, no-store")
	_, _ = w.Write(append(text, '\n')) // the visitor may be gone
	return nil
}
