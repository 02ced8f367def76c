package gallery

import (
	"time"

	"countersign/pades"
	"countersign/signing"
	"countersign/web/templates"
)

func documentRows() []templates.DocumentRow {
	small := func(d signing.Document, pages int, size int64, at time.Time) signing.Document {
		d.Pages, d.Size, d.CreatedAt, d.Since = pages, size, at, at
		return d
	}
	refused := small(document("d-6", "Old price list.pdf", signing.DocumentRefused), 0, 0, ago(3*day))
	refused.Reason = "encrypted"
	return []templates.DocumentRow{
		row(document("d-1", "Supply agreement 2026.pdf", signing.DocumentReady)),
		trying(small(document("d-10", "Framework contract 2027.pdf", signing.DocumentReady), 40, 48_000_000, ago(2*time.Hour)), signing.SignaturePrepared, ago(time.Hour)),
		trying(small(document("d-5", "Purchase order 4471.pdf", signing.DocumentReady), 3, 310_000, ago(4*time.Hour)), signing.SignatureIntended, ago(3*time.Hour)),
		signed(small(document("d-2", "Lease annex B.pdf", signing.DocumentReady), 8, 1_100_000, ago(day)), ago(22*time.Hour+10*time.Minute)),
		signed(small(document("d-3", "Confidentiality agreement.pdf", signing.DocumentReady), 5, 420_000, ago(4*day)), ago(4*day)),
		trying(small(document("d-4", "Board minutes October.pdf", signing.DocumentReady), 2, 96_000, ago(5*day)), signing.SignatureOutcomeUnknown, ago(5*day)),
		row(small(document("d-11", "Offer 12.pdf", signing.DocumentChecking), 0, 2_000_000, ago(time.Minute))),
		row(refused),
		row(small(document("d-12", "Delivery note.pdf", signing.DocumentQuarantined), 1, 96_000, ago(8*day))),
		row(small(document("d-7", "Offer letter.pdf", signing.DocumentErased), 2, 80_000, ago(21*day))),
	}
}

func preview(state signing.DocumentState) templates.Document {
	r := row(document("d-1", "Supply agreement 2026.pdf", state))
	v := templates.Document{Page: page(&ada, r.Document.Name, "documents"), Row: r, Content: Prefix + "/sample.pdf"}
	if state == signing.DocumentReady {
		v.CanSign = true
		v.Notices = []templates.Notice{
			{Tone: "hold", Text: "It carries other files inside, which this page does not show."},
			{Tone: "off", Text: "It has form fields. Filling them in after signing shows as a change."},
		}
	}
	return v
}

func documents() []Entry {
	list := templates.Documents{Page: page(&ada, "Documents", "documents"), Upload: upload(), Rows: documentRows(), Filter: "all",
		Counts: map[string]int{"all": 23, "ready": 1, "signed": 19, "refused": 2}, Older: "/documents?after=x"}
	empty := templates.Documents{Page: page(&ada, "Documents", "documents"), Upload: upload(), Filter: "all", Counts: map[string]int{}}
	chosen := list
	chosen.Chosen, chosen.Others, chosen.Next = map[signing.DocumentID]bool{"d-1": true, "d-2": true}, []signing.DocumentID{"d-30"}, "x"
	nothing := list
	nothing.Rows, nothing.Text, nothing.Older = nil, "invoice", ""
	refused := list
	refused.Upload.Refused, refused.Upload.Name = "This PDF needs a password to open.", "Old price list.pdf"
	out := []Entry{
		entry("documents", "Documents", templates.DocumentsPage, list),
		entry("documents-chosen", "Documents: some chosen to be signed together", templates.DocumentsPage, chosen),
		entry("documents-empty", "Documents: none yet", templates.DocumentsPage, empty),
		entry("documents-nothing", "Documents: nothing found", templates.DocumentsPage, nothing),
		entry("documents-refused", "Documents: a file refused", templates.DocumentsPage, refused),
	}
	for _, s := range []signing.DocumentState{signing.DocumentReceiving, signing.DocumentChecking, signing.DocumentReady, signing.DocumentRefused, signing.DocumentQuarantined, signing.DocumentErased} {
		v := preview(s)
		switch s {
		case signing.DocumentReceiving:
			v.Row.Indent, v.Row.Words, v.Row.Document.SHA256, v.Row.Document.Pages = nil, nil, nil, 0
		case signing.DocumentRefused:
			v.WhyNot = "This PDF needs a password to open."
		case signing.DocumentQuarantined:
			v.WhyNot = "This document is kept closed, because what is stored is not what you uploaded."
		}
		out = append(out, entry("document-"+string(s), "Document: "+string(s), templates.DocumentPage, v))
	}
	without := preview(signing.DocumentReady)
	without.CanSign, without.Notices = false, nil
	without.WhyNot, without.WhyText, without.WhyPath = "You have no credential yet. It comes after your identity check.", "Start the identity check", "/"
	out = append(out, entry("document-no-credential", "Document: no credential", templates.DocumentPage, without))

	open := preview(signing.DocumentReady)
	open.Row = trying(open.Row.Document, signing.SignaturePrepared, ago(time.Minute))
	out = append(out, entry("document-open", "Document: signing is open", templates.DocumentPage, open))
	open.Changed = true
	out = append(out, entry("document-erase-changed", "Document: changed since erasing it was read", templates.DocumentPage, open))

	done := preview(signing.DocumentReady)
	done.Row = signed(done.Row.Document, ago(6*time.Minute))
	done.Signatures = []pades.SignatureResult{good()}
	done.History = []signing.Signature{
		{Ceremony: "y-0", State: signing.SignatureCancelled, Since: ago(30 * time.Minute)},
		{Ceremony: "y-0", State: signing.SignatureExpired, Since: ago(25 * time.Minute)},
		{Ceremony: "y-0", State: signing.SignatureFailed, Since: ago(20 * time.Minute)},
		*done.Row.Signature,
	}
	out = append(out, entry("document-signed", "Document: signed", templates.DocumentPage, done))
	for _, e := range []struct {
		slug, level string
		extension   signing.Extension
	}{
		{"soon", "B-T", signing.Extension{State: signing.ExtensionWaiting, Deadline: in(20 * time.Second)}},
		{"waits", "B-T", signing.Extension{State: signing.ExtensionWaiting, Reason: "extend_not_fresh", Attempts: 9, Deadline: in(3 * time.Hour)}},
		{"stopped", "B-T", signing.Extension{State: signing.ExtensionStopped, Reason: "extend_no_answer", Attempts: 120}},
		{"archived", "B-LTA", signing.Extension{State: signing.ExtensionReached, Deadline: in(9 * 365 * day)}},
	} {
		v := done
		v.Row.Document.Level, e.extension.Ends = e.level, in(30*day)
		v.Extension = &e.extension
		out = append(out, entry("document-level-"+e.slug, "Document: level, "+e.slug, templates.DocumentPage, v))
	}
	return out
}
