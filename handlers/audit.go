package handlers

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"strings"
	"time"

	"countersign/audit"
	"countersign/identity"
	"countersign/people"
	"countersign/web/templates"
)

// most rows of one CSV file; the page says so, and a filter narrows it.
const csvRows = 10_000

func (a *App) showAudit(w http.ResponseWriter, r *http.Request) error {
	view := templates.Audit{Page: a.pageFor(r, "Audit log", "audit"), CSV: "/audit.csv?" + r.URL.RawQuery}
	filter, form := auditFilter(r)
	view.Filter = form
	status := http.StatusOK
	if len(form.Errors) > 0 {
		return a.page(w, r, http.StatusUnprocessableEntity, templates.AuditPage(view))
	}
	entries, next, err := a.Log.List(r.Context(), filter)
	if err != nil {
		return err
	}
	if view.Rows, err = a.auditRows(r, entries); err != nil {
		return err
	}
	view.Older = older(r, next)
	checkpoint, err := a.Log.LastCheckpoint(r.Context())
	if err != nil {
		return err
	}
	view.Size, view.Root, view.Checkpoint = checkpoint.Size, hexOf(checkpoint.Root), checkpoint.At
	if view.Last, err = a.Log.LastChecked(r.Context()); err != nil {
		return err
	}
	return a.page(w, r, status, templates.AuditPage(view))
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}

// auditFilter reads the filter of a log from the URL, where it stays.
func auditFilter(r *http.Request) (audit.Filter, templates.AuditForm) {
	q := r.URL.Query()
	form := templates.AuditForm{Kind: cut(q.Get("kind"), 40), Outcome: cut(q.Get("outcome"), 20), From: cut(q.Get("from"), 10), To: cut(q.Get("to"), 10),
		Text: cut(strings.TrimSpace(q.Get("q")), 100), Errors: map[string]string{}}
	f := audit.Filter{Object: form.Kind, Outcome: audit.Outcome(form.Outcome), Subject: form.Text, After: cursorOf(r), Limit: 50}
	f.From = day(form.From, "from", form.Errors)
	if f.To = day(form.To, "to", form.Errors); !f.To.IsZero() {
		f.To = f.To.AddDate(0, 0, 1) // the day named is included
	}
	return f, form
}

func day(text, field string, errs map[string]string) time.Time {
	if text == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(time.DateOnly, text, time.Local)
	if err != nil {
		errs[field] = "Write the day as year-month-day, like 2026-11-23."
	}
	return t
}

func (a *App) auditRows(r *http.Request, entries []audit.Entry) ([]templates.AuditRow, error) {
	names, err := a.namesIn(r.Context(), entries)
	if err != nil {
		return nil, err
	}
	var rows []templates.AuditRow
	for _, e := range entries {
		rows = append(rows, templates.AuditRow{Entry: e, Actor: actorName(e, names), Text: templates.Sentence(e)})
	}
	return rows, nil
}

func (a *App) showEntry(w http.ResponseWriter, r *http.Request) error {
	e, err := a.Log.Entry(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	rows, err := a.auditRows(r, []audit.Entry{e})
	if err != nil {
		return err
	}
	view := templates.AuditEntry{Page: a.pageFor(r, "One entry of the audit log", "audit"), Row: rows[0]}
	return a.page(w, r, http.StatusOK, templates.AuditEntryPage(view))
}

func (a *App) auditCSV(w http.ResponseWriter, r *http.Request) error {
	filter, form := auditFilter(r)
	if len(form.Errors) > 0 {
		return &problem{status: http.StatusUnprocessableEntity, title: "That day cannot be read", sentence: "Write the days of the filter as year-month-day, like 2026-11-23."}
	}
	csvHeader(w, "audit")
	filter.After, filter.Limit = "", 500
	for rows, first := 0, true; rows < csvRows; first = false {
		entries, next, err := a.Log.List(r.Context(), filter)
		if err != nil {
			return err
		}
		if err := audit.WriteCSV(w, entries, first); err != nil {
			return nil // the visitor has gone
		}
		if rows += len(entries); next == "" {
			break
		}
		filter.After = next
	}
	return nil
}

func csvHeader(w http.ResponseWriter, name string) {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", contentDisposition("attachment", name+".csv"))
	h.Set("Cache-Control", "no-store")
}

// remotePage is how many lines of DTM's log one page shows.
const remotePage = 50

func (a *App) showRemoteLog(w http.ResponseWriter, r *http.Request) error {
	view := templates.RemoteLog{Page: a.pageFor(r, "DigiCert’s log", "audit"), CSV: "/audit/dtm.csv?" + r.URL.RawQuery}
	query, form := remoteQuery(r)
	view.Filter = form
	if len(form.Errors) > 0 {
		return a.page(w, r, http.StatusUnprocessableEntity, templates.RemoteLogPage(view))
	}
	page, err := a.Identity.RemoteLog(r.Context(), actorOf(r), query)
	if err != nil {
		status, problem := a.explain(w, r, err)
		if status != http.StatusBadGateway {
			return err
		}
		a.log.WarnContext(r.Context(), "remote log", "request", problem.Reference, "cause", err)
		view.Problem = &problem
		return a.page(w, r, status, templates.RemoteLogPage(view))
	}
	for _, e := range page.Items {
		view.Rows = append(view.Rows, templates.RemoteRow{At: e.At, Resource: e.ResourceType, ID: e.ResourceID, Action: e.Action, Status: e.Status,
			User: e.UserName, Authentication: e.Authentication, Text: e.Description})
	}
	if end := query.Offset + len(page.Items); len(page.Items) > 0 && end < page.Total {
		view.Older = older(r, strconv.Itoa(end))
	}
	return a.page(w, r, http.StatusOK, templates.RemoteLogPage(view))
}

func remoteQuery(r *http.Request) (identity.RemoteQuery, templates.AuditForm) {
	filter, form := auditFilter(r)
	offset, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil || offset < 0 || offset > 1_000_000 {
		offset = 0
	}
	status := map[string]string{"done": "success", "refused": "failure", "failed": "failure"}[form.Outcome]
	return identity.RemoteQuery{ResourceType: form.Kind, ResourceID: form.Text, Status: status, From: filter.From, To: filter.To, Offset: offset, Limit: remotePage}, form
}

func (a *App) remoteCSV(w http.ResponseWriter, r *http.Request) error {
	query, _ := remoteQuery(r)
	query.Offset, query.Limit = 0, 100
	first, err := a.Identity.RemoteLog(r.Context(), actorOf(r), query)
	if err != nil {
		return err
	}
	csvHeader(w, "dtm-audit")
	out := csv.NewWriter(w)
	_ = out.Write([]string{"time", "resource_type", "resource_id", "action", "status", "user", "authentication", "description"})
	for page, rows := first, 0; ; {
		for _, e := range page.Items {
			_ = out.Write(audit.Plain(e.At.UTC().Format(time.RFC3339), e.ResourceType, e.ResourceID, e.Action, e.Status, e.UserName, e.Authentication, e.Description))
		}
		rows += len(page.Items)
		query.Offset += len(page.Items)
		if len(page.Items) == 0 || query.Offset >= page.Total || rows >= csvRows {
			break
		}
		if page, err = a.Identity.RemoteLog(r.Context(), actorOf(r), query); err != nil {
			_ = out.Write([]string{"", "", "", "", "", "", "", "DigiCert stopped answering here: this file is not complete"})
			break
		}
	}
	out.Flush()
	return nil // the header is sent: an error page cannot follow
}

func (a *App) showRoles(w http.ResponseWriter, r *http.Request) error {
	view := templates.Roles{Page: a.pageFor(r, "Roles at DigiCert", "audit")}
	roles, err := a.Identity.RemoteRoles(r.Context(), actorOf(r))
	if err != nil {
		status, problem := a.explain(w, r, err)
		if status != http.StatusBadGateway {
			return err
		}
		view.Problem = &problem
		return a.page(w, r, status, templates.RolesPage(view))
	}
	for _, role := range roles {
		view.Rows = append(view.Rows, templates.RoleRow{Name: role.Name, ID: role.ID, Scope: role.Scope, Permissions: role.Permissions})
	}
	return a.page(w, r, http.StatusOK, templates.RolesPage(view))
}

// actorName is who an entry tells of: a person, DigiCert, or the portal itself.
func actorName(e audit.Entry, names map[people.ID]string) string {
	switch {
	case names[e.Person] != "":
		return names[e.Person]
	case e.Person != "":
		return string(e.Person)
	case e.System == "dtm":
		return "DigiCert"
	}
	return "The portal"
}
