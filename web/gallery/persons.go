package gallery

import (
	"time"

	"countersign/identity"
	"countersign/people"
	"countersign/signing"
	"countersign/web/templates"
)

// persons are the pages about people and about keeping one of them out.
func persons() []Entry {
	seen := func(p people.Person, at time.Duration) people.Person {
		p.SeenAt = ago(at)
		return p
	}
	off := seen(maxi, 40*day)
	off.Disabled = true
	list := templates.People{Page: page(&ben, "People", "people"), Rows: []people.Person{seen(ada, time.Hour), seen(eve, 2*day), off}, Older: "/people?after=x"}
	none := templates.People{Page: page(&ben, "People", "people"), Text: "nobody"}
	active := credential(identity.CredentialActive)
	one := templates.OnePerson{Page: page(&ben, "Person", "people"), Of: seen(ada, time.Hour), CanManage: true, Credentials: []identity.Credential{active, credential(identity.CredentialRevoked)},
		Usable: []identity.Credential{active}, Checks: []identity.Validation{validation(identity.ValidationApproved)}, Sessions: 2, AtStake: signing.AtStake{Stops: 2, OnTheWay: 1, Released: 19}}
	out := one
	out.Of, out.Credentials, out.Usable, out.Checks, out.Sessions = off, nil, nil, nil, 0
	read := one
	read.Page, read.CanManage = page(&eve, "Person", "people"), false
	ask := one
	ask.Page = task(page(&ben, "Switch this account off?", "people"), "Leave it on", "/people/p-ada")
	changed := ask
	changed.Changed, changed.Running, changed.Of = true, 1, seen(una, time.Hour)
	bare := ask
	bare.Of, bare.Usable, bare.AtStake, bare.Sessions = seen(eve, day), nil, signing.AtStake{}, 0
	return []Entry{
		entry("people", "People", templates.PeoplePage, list),
		entry("people-none", "People: nobody found", templates.PeoplePage, none),
		entry("person", "A person", templates.PersonPage, one),
		entry("person-off", "A person who is switched off", templates.PersonPage, out),
		entry("person-read", "A person, for an auditor", templates.PersonPage, read),
		entry("disable", "Switch an account off", templates.DisablePage, ask),
		entry("disable-changed", "Switch an account off: changed since it was read", templates.DisablePage, changed),
		entry("disable-bare", "Switch an account off: there is nothing", templates.DisablePage, bare),
	}
}
