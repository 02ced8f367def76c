package people

// Actor is who asks for a change: a person behind a request, or the portal itself.
// It is the first argument after the context of every method that changes or reads
// somebody's records.
type Actor struct {
	Person  ID     // empty for the portal itself
	Roles   []Role // read for this request, not from the login
	System  string // set instead of Person: the job that acts, e.g. "finish-signature"
	Address string // client address, for the audit log
	Agent   string // user agent, for the audit log
	Request string // reference of the request, shown on error pages
}

// System is the portal acting on its own behalf in the named job.
func System(job string) Actor { return Actor{System: job} }

// IsSystem reports whether the portal itself acts.
func (a Actor) IsSystem() bool { return a.Person == "" && a.System != "" }

// Has reports whether the actor holds the role.
func (a Actor) Has(r Role) bool {
	for _, have := range a.Roles {
		if have == r {
			return true
		}
	}
	return false
}

// HasAny reports whether the actor holds one of the roles.
func (a Actor) HasAny(roles ...Role) bool {
	for _, r := range roles {
		if a.Has(r) {
			return true
		}
	}
	return false
}
