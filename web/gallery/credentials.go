package gallery

import (
	"time"

	"countersign/audit"
	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
)

func credentials() []Entry {
	var rows []templates.CredentialRow
	for _, s := range identity.CredentialStates() {
		c := credential(s)
		c.ID = identity.CredentialID("c-" + s)
		rows = append(rows, templates.CredentialRow{Credential: c, Person: ada})
	}
	all := templates.Credentials{Page: page(&ben, "Credentials", "credentials"), All: true, Rows: rows, Filter: "all",
		Counts: map[string]int{"all": 42, "active": 36, "pending": 2, "suspended": 1, "ended": 3}, Older: "/credentials?after=x"}
	own := templates.Credentials{Page: page(&ada, "Your credentials", "credentials"), Rows: rows[1:2]}
	none := templates.Credentials{Page: page(&ada, "Your credentials", "credentials")}
	empty := templates.Credentials{Page: page(&ben, "Credentials", "credentials"), All: true, Counts: map[string]int{}}
	out := []Entry{
		entry("credentials", "Credentials: everybody’s", templates.CredentialsPage, all),
		entry("credentials-own", "Credentials: one’s own", templates.CredentialsPage, own),
		entry("credentials-none", "Credentials: none of one’s own", templates.CredentialsPage, none),
		entry("credentials-empty", "Credentials: nobody has one", templates.CredentialsPage, empty),
	}
	for _, r := range rows {
		s := r.Credential.State
		v := templates.Credential{
			Page: page(&ben, "Credential", "credentials"), Row: r, CanSuspend: s == identity.CredentialActive, CanResume: s == identity.CredentialSuspended,
			CanRevoke: s == identity.CredentialActive || s == identity.CredentialSuspended, Names: map[people.ID]string{ada.ID: ada.Name, ben.ID: ben.Name},
			Events: []audit.Entry{
				{At: ago(22 * time.Hour), Person: ada.ID, Object: "signature", Action: "signature.release", Outcome: audit.Done},
				{At: ago(254 * day), System: "dtm", Object: "credential", Action: "credential.observe", To: "active", Outcome: audit.Observed},
				{At: ago(254 * day), Person: ben.ID, Object: "credential", Action: "credential.issue", To: "pending_issuance", Outcome: audit.Done},
			},
		}
		out = append(out, entry("credential-"+string(s), "Credential: "+string(s), templates.CredentialPage, v))
	}
	ending := templates.Credential{Page: page(&ben, "Credential", "credentials"), Row: rows[1], EndsSoon: true, CanRevoke: true}
	ending.Row.Credential.NotAfter = in(6*day + time.Hour)
	endsOwn := ending
	endsOwn.Page, endsOwn.Own = page(&ada, "Credential", "credentials"), true
	endsOwn.Row.Credential.NotAfter = in(20 * time.Hour)
	soon := all
	soon.Filter, soon.Rows, soon.Counts = "soon", []templates.CredentialRow{ending.Row}, map[string]int{"all": 42, "active": 36, "pending": 2, "suspended": 1, "ended": 3, "soon": 1}
	noneSoon := soon
	noneSoon.Rows, noneSoon.Older = nil, ""
	var renewals []Entry
	pending, fresh := credential(identity.CredentialPending), credential(identity.CredentialActive)
	renew := func(slug, name string, who people.Person, n templates.Renewal, change func(*templates.Credential)) {
		v := templates.Credential{Page: page(&who, "Credential", "credentials"), Row: rows[1], Own: who.ID == ada.ID, EndsSoon: n.At < 4, Renewal: n, CanRevoke: true}
		v.Row.Credential.NotAfter = in(6 * day)
		if n.At == 4 {
			v.Row.Credential.RetiredAt = ago(day)
		}
		if change != nil {
			change(&v)
		}
		renewals = append(renewals, entry("renewal-"+slug, "Renewal: "+name, templates.CredentialPage, v))
	}
	renew("ask", "one’s own can be renewed", ada, templates.Renewal{CanAsk: true}, func(v *templates.Credential) { v.CanDefault = true })
	renew("asked", "asked for", ada, templates.Renewal{At: 1, Asked: ago(time.Hour), CanDrop: true}, func(v *templates.Credential) { v.Default = true })
	renew("decide", "an admin decides", ben, templates.Renewal{At: 1, Asked: ago(time.Hour), CanDrop: true, CanMake: true}, nil)
	renew("unasked", "an admin without being asked", ben, templates.Renewal{CanMake: true}, nil)
	renew("making", "being made", ada, templates.Renewal{At: 2, Successor: &pending}, nil)
	renew("done", "the old one retired", ada, templates.Renewal{At: 4, Successor: &fresh, Retired: ago(day)}, nil)
	renew("check", "the identity check no longer counts", ada, templates.Renewal{NeedsCheck: true}, nil)
	out = append(out, renewals...)
	mine := templates.Credential{Page: page(&ada, "Credential", "credentials"), Row: rows[1], Own: true, CanSuspend: true, CanRevoke: true, Problem: "DigiCert does not answer. Nothing was changed."}
	ask := templates.Consequences{
		Page: task(page(&ben, "Revoke this credential?", "credentials"), "Keep it", "/credentials/c-1"), Row: rows[1], Ask: "ada-example-7f2k19", AtStake: signing.AtStake{Stops: 1, OnTheWay: 1, Released: 19},
		Reasons: []templates.Reason{{Code: "KEY_COMPROMISE", Text: "Somebody else may have used it"}, {Code: "SUPERSEDED", Text: "A newer credential takes its place"}}, Errors: map[string]string{},
	}
	askOwn := ask
	askOwn.Page, askOwn.Own = task(page(&ada, "Revoke this credential?", "credentials"), "Keep it", "/credentials/c-1"), true
	askOwn.AtStake = signing.AtStake{Stops: 3, Released: 19, Ceremonies: []signing.Ceremony{{ID: "y-1", CreatedAt: ago(4 * time.Minute)}, {ID: "y-2", CreatedAt: ago(20 * time.Minute)}}}
	suspendOwn := mine
	suspendOwn.Problem, suspendOwn.Changed, suspendOwn.AtStake = "", true, signing.AtStake{Stops: 1, OnTheWay: 1, Ceremonies: askOwn.AtStake.Ceremonies[:1]}
	changed := ask
	changed.Changed, changed.AtStake = true, signing.AtStake{Released: changed.AtStake.Released}
	wrong := ask
	wrong.Own, wrong.Typed, wrong.AtStake = true, "ada", signing.AtStake{}
	wrong.Errors = map[string]string{"reason": "Choose a reason.", "typed": "This is not the name of the credential."}
	return append(out,
		entry("credential-ends", "Credential: ends in some days", templates.CredentialPage, ending),
		entry("credential-ends-own", "Credential: one’s own, ends tomorrow", templates.CredentialPage, endsOwn),
		entry("credentials-soon", "Credentials: those that end soon", templates.CredentialsPage, soon),
		entry("credentials-soon-none", "Credentials: none ends soon", templates.CredentialsPage, noneSoon),
		entry("credential-own", "Credential: one’s own, with a problem", templates.CredentialPage, mine),
		entry("credential-changed", "Credential: changed since suspending it was read", templates.CredentialPage, suspendOwn),
		entry("revoke", "Revoke a credential", templates.ConsequencesPage, ask),
		entry("revoke-own", "Revoke a credential: one’s own, with what stops", templates.ConsequencesPage, askOwn),
		entry("revoke-changed", "Revoke a credential: changed since it was read", templates.ConsequencesPage, changed),
		entry("revoke-errors", "Revoke a credential, with errors", templates.ConsequencesPage, wrong))
}
