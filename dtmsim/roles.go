package dtmsim

import (
	"net/http"
	"slices"
)

// reach is how far a permission goes.
type reach int

const (
	nowhere   reach = iota
	ownOnly         // the caller's own
	basicOnly       // everybody's, of the standard BASIC
	everyone        // all of the account
)

// reachOf is how far any of these roles takes a permission.
func reachOf(held []string, p permission) reach {
	most := nowhere
	for _, id := range held {
		most = max(most, permits[id][p])
	}
	return most
}

// permissionsOf lists what a role may, in the order of the table.
func permissionsOf(role string) []string {
	out := []string{}
	for _, p := range permissions {
		if permits[role][p] != nowhere {
			out = append(out, string(p))
		}
	}
	return out
}

// roleWires are the roles as they are told.
func roleWires() []roleWire {
	out := slices.Clone(roles)
	for i := range out {
		out[i].Permissions = permissionsOf(out[i].ID)
	}
	return out
}

// owns reports whether what belongs to a user is within the caller's reach.
func (c *call) owns(user string) bool { return c.reach > ownOnly || user == c.actor.id }

// replaceClientAdmin hands the role of a client administrator on; it takes the OAuth client's
// proof beside the API key.
func replaceClientAdmin(c *call) (int, any, error) {
	var in struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
		User         string `json:"user_id"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	if in.ClientID != c.opt.ClientID || in.ClientSecret != c.opt.ClientSecret {
		return 0, nil, &apiError{status: http.StatusForbidden, code: "access_denied", message: "client_id and client_secret are not those of the account"}
	}
	old, next := c.user(c.r.PathValue("id")), c.user(in.User)
	switch {
	case old == nil:
		return 0, nil, notFound("user")
	case !slices.Contains(old.Roles, roleAdmin):
		return 0, nil, invalid("The user is no client administrator")
	case next == nil || next == old:
		return 0, nil, invalidField("user_id", "user_id names no other user")
	}
	old.Roles = slices.DeleteFunc(slices.Clone(old.Roles), func(r string) bool { return r == roleAdmin })
	if !slices.Contains(next.Roles, roleAdmin) {
		next.Roles = append(slices.Clone(next.Roles), roleAdmin)
	}
	c.touch()
	c.record(auditRecord{Type: "user", Resource: old.ID, Action: "replace", Actor: c.actor.id, ActorName: c.actor.name, Auth: "api_key", Text: "Client administrator replaced"})
	return http.StatusOK, next.wire(), nil
}
