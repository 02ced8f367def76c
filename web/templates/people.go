package templates

import (
	"context"

	"countersign/people"
)

func personPath(p people.Person) string { return "/people/" + string(p.ID) }

// asIfOn shows the roles of somebody who is switched off too.
func asIfOn(p people.Person) people.Person {
	p.Disabled = false
	return p
}

// PersonBadge is whether somebody may come in.
func PersonBadge(ctx context.Context, p people.Person) Badge {
	if p.Disabled {
		return Badge{"r-off", "off", T(ctx, "Switched off")}
	}
	return Badge{"r-ok", "ok", T(ctx, "May sign in")}
}

func disableEnds(ctx context.Context, v OnePerson) string {
	text := N(ctx, "Signing in. {{.Count}} browser is signed out.", "Signing in. {{.Count}} browsers are signed out.", v.Sessions)
	if v.AtStake.Stops > 0 {
		text += " " + N(ctx, "{{.Count}} document that is being signed is left unsigned: its signing is cancelled.",
			"{{.Count}} documents that are being signed are left unsigned: their signing is cancelled.", v.AtStake.Stops)
	}
	text += onTheWay(ctx, v.AtStake.OnTheWay)
	if v.Running > 0 {
		text += " " + N(ctx, "{{.Count}} identity check cannot go on and runs out.", "{{.Count}} identity checks cannot go on and run out.", v.Running)
	}
	if asIfOn(v.Of).Has(people.Admin) {
		text += " " + T(ctx, "Approvals that they gave and that can still be undone go back to the desk.")
	}
	return text
}

func disableStays(ctx context.Context, v OnePerson) string {
	if v.AtStake.Released == 0 {
		return T(ctx, "Nothing was signed by them here.")
	}
	return N(ctx, "{{.Count}} document that they signed here, with a time from an independent clock.",
		"{{.Count}} documents that they signed here, with a time from an independent clock.", v.AtStake.Released)
}

func disableKeeps(ctx context.Context, v OnePerson) string {
	if len(v.Usable) == 0 {
		return T(ctx, "The seat of an approved identity check stays used. There is no credential that could sign.")
	}
	return N(ctx, "The seat of an approved identity check stays used, and {{.Count}} credential stays what it is at DigiCert. Revoke it if it must not sign anywhere else:",
		"The seat of an approved identity check stays used, and {{.Count}} credentials stay what they are at DigiCert. Revoke those that must not sign anywhere else:", len(v.Usable))
}
