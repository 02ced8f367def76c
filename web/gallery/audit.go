package gallery

import (
	"encoding/hex"
	"time"

	"countersign/audit"
	"countersign/web/templates"
)

func auditRows() []templates.AuditRow {
	var rows []templates.AuditRow
	add := func(back time.Duration, actor string, e audit.Entry) {
		e.At, e.ID, e.Number = ago(back), "e-"+hex.EncodeToString([]byte{byte(len(rows))}), int64(18203-len(rows))
		if len(rows) == 0 {
			e.Number = -1
		}
		rows = append(rows, templates.AuditRow{Entry: e, Actor: actor, Text: templates.Sentence(e)})
	}
	add(6*time.Minute, ada.Name, audit.Entry{Person: ada.ID, Object: "signature", Subject: "01JD5V2C8Q7X", Action: "signature.release", From: "assembled", To: "released", Outcome: audit.Done})
	add(6*time.Minute+time.Second, ada.Name, audit.Entry{Person: ada.ID, Object: "signature", Subject: "01JD5V2C8Q7X", Action: "signature.sign", Outcome: audit.Done})
	add(6*time.Minute+2*time.Second, ada.Name, audit.Entry{Person: ada.ID, Object: "ceremony", Subject: "01JD5V1Z33KM", Action: "ceremony.authorize", Outcome: audit.Done})
	add(8*time.Minute, ada.Name, audit.Entry{Person: ada.ID, Object: "ceremony", Subject: "01JD5V1Z33KM", Action: "ceremony.authorize", Outcome: audit.Failed, Reason: "otp_wrong"})
	add(87*time.Minute, ben.Name, audit.Entry{Person: ben.ID, Object: "validation", Subject: "01JD5KQ77A2B", Action: "validation.approve", Outcome: audit.Refused, Reason: "own"})
	add(3*time.Hour, "DigiCert", audit.Entry{System: "dtm", Object: "validation", Subject: "01JD5KQ77A2B", Action: "validation.observe", From: "in_review", To: "awaiting_approval", Outcome: audit.Observed})
	add(27*time.Hour, "The portal", audit.Entry{System: "sweep", Object: "ceremony", Subject: "01JD2M0P44QQ", Action: "ceremony.expire", From: "code_sent", To: "expired", Outcome: audit.Done})
	return rows
}

func audits() []Entry {
	full := templates.Audit{Page: page(&eve, "Audit log", "audit"), Rows: auditRows(), CSV: "/audit.csv", Older: "/audit?after=x",
		Size: 18204, Root: hex.EncodeToString(fingerprint("root")), Checkpoint: ago(time.Minute)}
	empty := templates.Audit{Page: page(&eve, "Audit log", "audit"), CSV: "/audit.csv", Filter: templates.AuditForm{Kind: "session", From: "2026-11-99", Errors: map[string]string{"from": "Write the day as year-month-day, like 2026-11-23."}}}
	one := auditRows()[4]
	one.Entry.Facts = map[string]string{"validation": "01JD5KQ77A2B", "standard": "advanced_plus"}
	one.Entry.Address, one.Entry.Request, one.Entry.Hash = "192.0.2.17", "7K2P-40", fingerprint("leaf")
	soon := auditRows()[0]
	remote := templates.RemoteLog{Page: page(&eve, "DigiCert’s log", "audit"), CSV: "/audit/dtm.csv", Older: "/audit/dtm?after=50", Rows: []templates.RemoteRow{
		{At: ago(6 * time.Minute), Resource: "credential", ID: "ada-example-7f2k19", Action: "SIGN_HASH", Status: "success", User: "cs-ada", Text: "1 hash signed"},
		{At: ago(2 * time.Hour), Resource: "validation", ID: "9f3c1b", Action: "APPROVE", Status: "failure", User: "service", Text: "No seat left"},
	}}
	away := templates.RemoteLog{Page: remote.Page, CSV: remote.CSV, Problem: &templates.Problem{Title: "DigiCert did not answer as it should", Sentence: "DigiCert does not answer. Nothing was changed.", Who: "Try again in a few minutes.", Reference: "7K2P-40", WayOn: "Go to the start page", WayPath: "/"}}
	roles := templates.Roles{Page: page(&una, "Roles at DigiCert", "audit"), Rows: []templates.RoleRow{
		{Name: "Document signer", ID: "role-1", Scope: "ACCOUNT", Permissions: []string{"SIGN_DOCUMENT", "VIEW_CREDENTIAL"}}, {Name: "Validation admin", ID: "role-2", Scope: "ACCOUNT"}}}
	return []Entry{
		entry("audit", "Audit log", templates.AuditPage, full),
		entry("audit-empty", "Audit log: nothing fits, a wrong day", templates.AuditPage, empty),
		entry("audit-entry", "Audit entry", templates.AuditEntryPage, templates.AuditEntry{Page: page(&eve, "One entry of the audit log", "audit"), Row: one}),
		entry("audit-entry-soon", "Audit entry, not numbered yet", templates.AuditEntryPage, templates.AuditEntry{Page: page(&eve, "One entry of the audit log", "audit"), Row: soon}),
		entry("remote-log", "DigiCert’s log", templates.RemoteLogPage, remote),
		entry("remote-log-away", "DigiCert’s log: away", templates.RemoteLogPage, away),
		entry("roles", "Roles", templates.RolesPage, roles),
		entry("roles-none", "Roles: none", templates.RolesPage, templates.Roles{Page: roles.Page}),
	}
}
