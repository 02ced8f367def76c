package gallery

import (
	"encoding/hex"
	"strconv"
	"time"

	"countersign/audit"
	"countersign/people"
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
	proof := proofs()
	return []Entry{
		entry("audit-proof", "Proof of the log", templates.ProofPage, proof[0]),
		entry("audit-proof-running", "Proof of the log: a check runs, nothing is stamped", templates.ProofPage, proof[1]),
		entry("audit-proof-broken", "Proof of the log: it does not hold", templates.ProofPage, proof[2]),
		entry("audit-proof-none", "Proof of the log: nothing is numbered", templates.ProofPage, templates.Proof{Page: page(&eve, "Proof of the log", "audit")}),
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

// proofs are the log's proof in three states: it holds, a check runs, it does not hold.
func proofs() []templates.Proof {
	kept := func(size int64, back time.Duration) audit.Checkpoint {
		return audit.Checkpoint{Size: size, Root: fingerprint("root " + strconv.FormatInt(size, 10)), At: ago(back), Note: "sign.example.com/audit\n18204\nd7kQ0m9sY1…\n\n— sign.example.com/audit 6XvYr3qgO70G7W…\n"}
	}
	newest := kept(18204, time.Minute)
	all := []audit.Checkpoint{kept(18190, 8*time.Minute), kept(18112, 38*time.Minute), kept(17955, 98*time.Minute), kept(16020, 26*time.Hour)}
	check := func(back time.Duration, seen int64, by people.ID, code audit.Code, number int64) audit.Checked {
		c := audit.Checked{ID: "c", StartedAt: ago(back), EndedAt: ago(back - 4*time.Second), Size: seen, AskedBy: by, Code: code, Number: number}
		c.Seen = seen
		return c
	}
	checks := []audit.Checked{check(3*time.Hour, 18011, "", "", 0), check(5*time.Hour, 17902, eve.ID, "", 0), check(27*time.Hour, 15980, "", "", 0)}
	good := templates.Proof{Page: page(&eve, "Proof of the log", "audit"), Export: "/audit/export", By: map[string]string{string(eve.ID): eve.Name},
		State: audit.State{Newest: newest, Key: "sign.example.com/audit+e97bd8af+AVq0k0bT2mYc1m5rQ8p3e7xJ4s6uW9zB", Kept: all, Checks: checks,
			Stamps: map[int64]audit.Stamp{18112: {Size: 18112, At: ago(38 * time.Minute)}, 17955: {Size: 17955, At: ago(98 * time.Minute)}, 16020: {Size: 16020, At: ago(26 * time.Hour)}}},
		Grown: &audit.Grown{Older: all[3], Newer: newest, Path: [][]byte{fingerprint("a"), fingerprint("b"), fingerprint("c")}, Holds: true}}
	good.Last = &good.State.Checks[0]
	good.Refusals = []audit.Refusals{{Kind: "http 404", Nobody: 12840}, {Kind: "session.begin answer_invalid", Nobody: 61}, {Kind: "document.read not_found", People: 340}}
	running := good
	running.State.Checks = append([]audit.Checked{{ID: "r", StartedAt: ago(9 * time.Second), Size: 18204, AskedBy: eve.ID, Progress: audit.Progress{Seen: 9500}}}, checks[:1]...)
	running.Runs, running.Last, running.State.Stamps = &running.State.Checks[0], &running.State.Checks[1], nil
	broken := good
	broken.State.Checks = append([]audit.Checked{check(2*time.Minute, 7113, eve.ID, audit.EntryChanged, 7113)}, checks...)
	broken.Last = &broken.State.Checks[0]
	broken.Grown = &audit.Grown{Older: all[3], Newer: newest}
	return []templates.Proof{good, running, broken}
}
