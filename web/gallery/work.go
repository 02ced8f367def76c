package gallery

import (
	"time"

	"countersign/web/templates"
	"countersign/work"
)

func works() []Entry {
	item := func(k work.Kind, code string, tries int, since time.Time, next time.Time) templates.WorkRow {
		r := templates.WorkRow{Item: work.Item{Kind: k, ID: "x-" + string(k) + code, Owner: ada.ID, Document: "d-1", Code: code, Tries: tries, Since: since, Next: next}, Name: "Ada Example"}
		if k == work.Mail || k == work.LostMail || k == work.FailingJob {
			r.Item.Owner, r.Name = "", ""
		}
		return r
	}
	page := func(slug, name string, v templates.Work) Entry {
		return entry("work-"+slug, "Work: "+name, templates.WorkPage, v)
	}
	all := templates.Work{Page: page0(), Groups: []templates.WorkGroup{
		{Kind: work.Closed, Rows: []templates.WorkRow{item(work.Closed, "bytes_changed", 0, ago(3*time.Hour), time.Time{})}},
		{Kind: work.Unknown, Rows: []templates.WorkRow{item(work.Unknown, "outcome_unknown", 0, ago(26*time.Hour), time.Time{})}},
		{Kind: work.Discarded, Rows: []templates.WorkRow{item(work.Discarded, "own_check", 1, ago(2*day), time.Time{})}},
		{Kind: work.Finishing, Rows: []templates.WorkRow{item(work.Finishing, "wait_clock", 4, ago(9*time.Minute), in(4*time.Minute)), item(work.Finishing, "", 0, ago(2*time.Minute), in(time.Minute))}},
		{Kind: work.Stopped, Rows: []templates.WorkRow{item(work.Stopped, "extend_no_answer", 120, ago(31*day), time.Time{})}},
		{Kind: work.Extending, Rows: []templates.WorkRow{item(work.Extending, "extend_not_fresh", 12, ago(2*day), in(5*time.Hour))}},
		{Kind: work.Approval, Rows: []templates.WorkRow{item(work.Approval, "", 0, ago(7*time.Minute), in(time.Minute))}},
		{Kind: work.Issuing, Rows: []templates.WorkRow{item(work.Issuing, "", 0, ago(8*time.Minute), in(time.Minute))}},
		{Kind: work.LostMail, Rows: []templates.WorkRow{item(work.LostMail, "signing.released", 12, ago(2*day), time.Time{})}},
		{Kind: work.Mail, Rows: []templates.WorkRow{item(work.Mail, "signing.failed", 3, ago(20*time.Minute), in(8*time.Minute))}},
		{Kind: work.FailingJob, Rows: []templates.WorkRow{item(work.FailingJob, "finish-approval", 5, ago(14*time.Minute), in(10*time.Minute))}},
	}}
	calm := page0()
	calm.Stuck = 0
	one := templates.Work{Page: page0(), Groups: all.Groups[3:4]}
	return []Entry{page("all", "everything that can wait", all), page("one", "one kind", one), page("none", "nothing waits", templates.Work{Page: calm})}
}

func page0() templates.Page {
	p := page(&una, "Work that waits", "work")
	p.Stuck = 13
	return p
}
