// Package people says who a person is to Countersign and what a person may do.
//
// A person is the (issuer, subject) pair of the login, never an e-mail address: two
// logins with one address are two persons. A person is bound to at most one DTM
// user, by creation or by an admin's act. The package is a leaf: it knows no
// database, no HTTP and no DTM.
package people

import "time"

// ID names a person in our own database. It is random and carries no meaning.
type ID string

// Role is what a person may do here. Roles come from a claim at login.
type Role string

// The roles. A person may hold several.
const (
	Signer  Role = "signer"
	Admin   Role = "admin"
	Auditor Role = "auditor"
)

// Person is somebody who has signed in at least once.
type Person struct {
	ID         ID
	Issuer     string // of the OpenID provider, exactly as in the ID token
	Subject    string
	Name       string // display name; may be empty
	GivenName  string
	FamilyName string
	Email      string // for mail and display, never a key
	Phone      string // as the provider gave it; only handed to DTM when its user is created
	Roles      []Role
	Disabled   bool
	DTMUser    string // id of the DTM user this person is bound to; empty until bound
	Language   string // BCP 47, as the person chose it; empty: the browser's
	Browser    string // what the browser asked for at the last login, as Accept-Language
	Default    string // id of the credential to sign with unless another is chosen; may be empty
	Scheme     string // "light", "dark" or empty: the system's
	CreatedAt  time.Time
	SeenAt     time.Time // last login
	Version    int64
}

// Query narrows the list of persons: newest first.
type Query struct {
	Text     string // part of the name or of the address
	Disabled *bool
	After    string // cursor that the page before answered
	Limit    int
}

// Has reports whether the person holds the role and is not disabled.
func (p Person) Has(r Role) bool {
	if p.Disabled {
		return false
	}
	for _, have := range p.Roles {
		if have == r {
			return true
		}
	}
	return false
}

// Reads is the language to write to the person in: the one they chose, else what their
// browser asked for. It is a BCP 47 tag or an Accept-Language value, and may be empty.
func (p Person) Reads() string {
	if p.Language != "" {
		return p.Language
	}
	return p.Browser
}

// DisplayName is the name to show: never empty.
func (p Person) DisplayName() string {
	switch {
	case p.Name != "":
		return p.Name
	case p.GivenName != "" || p.FamilyName != "":
		return trim(p.GivenName + " " + p.FamilyName)
	case p.Email != "":
		return p.Email
	}
	return string(p.ID)
}

func trim(s string) string {
	for len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}
