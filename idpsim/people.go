package idpsim

import "strings"

// Person is somebody the simulator lets you be.
type Person struct {
	Subject    string
	Name       string
	GivenName  string
	FamilyName string
	Email      string
	Phone      string
	Roles      []string       // values of the role claim
	Extra      map[string]any // further claims
	About      string         // shown on the sign-in page
}

// DemoPeople are two signers, an admin and an auditor. Addresses are reserved for
// examples; the phone numbers are in a range kept for fiction.
func DemoPeople() []Person {
	return []Person{
		demo("ada", "Ada", "signer", "+15550100101", "signs documents"),
		demo("ben", "Ben", "signer", "+15550100102", "signs documents"),
		demo("cleo", "Cleo", "admin", "+15550100103", "reviews identity checks"),
		demo("dora", "Dora", "auditor", "+15550100104", "reads the logs"),
	}
}

func demo(subject, given, role, phone, about string) Person {
	return Person{
		Subject: subject, Name: given + " Example", GivenName: given, FamilyName: "Example",
		Email: subject + "@example.test", Phone: phone, Roles: []string{role}, About: about,
	}
}

// claims puts the roles where the claim's dotted path says.
func (p Person) claims(roleClaim string) map[string]any {
	all := make(map[string]any, len(p.Extra)+1)
	for k, v := range p.Extra {
		all[k] = v
	}
	path := strings.Split(roleClaim, ".")
	if strings.Contains(roleClaim, "://") { // a URL is one name, dots and all
		path = []string{roleClaim}
	}
	var v any = append([]string{}, p.Roles...)
	for i := len(path) - 1; i > 0; i-- {
		v = map[string]any{path[i]: v}
	}
	all[path[0]] = v
	return all
}
