package dtmclient

import (
	"context"
	"net/url"
)

// Reading is how far the first rows of a listing are what we take them for.
type Reading struct {
	Op       string
	Rows     int      // looked at
	Lacks    []string // members that a row should have and does not
	Statuses []string // as DTM sent them
	Err      error    // it could not be read
}

// fewRows are enough to see the members, and ask little of the service.
const fewRows = 5

// Readings asks for the first rows of each listing that the client stands on. It changes
// nothing at the service, and keeps nothing of the rows but the names of what they lack.
func (c *Client) Readings(ctx context.Context) []Reading {
	return []Reading{
		reading(ctx, c, "user.list", pathUsers, func(w userWire) rowMembers {
			return rowMembers{{"id", w.ID}, {"user_name", w.UserName}}
		}),
		reading(ctx, c, "validation.list", pathValidations, func(w validationWire) rowMembers {
			return rowMembers{{"id", w.ID}, {"status", w.Status}, {"user.id or user_id", looseString(firstOf(string(w.User.ID), string(w.UserID)))}}
		}),
		reading(ctx, c, "certificate-profile.list", pathProfiles, func(w profileWire) rowMembers {
			return rowMembers{{"id", w.ID}, {"name", w.Name}, {"standard", w.Standard}}
		}),
		reading(ctx, c, "seat.list", pathSeats, func(w seatWire) rowMembers {
			return rowMembers{{"standard", w.Standard}}
		}),
		reading(ctx, c, "audit-log.list", pathAudit, func(w auditWire) rowMembers {
			at := looseString("")
			if !w.At.IsZero() {
				at = "told"
			}
			return rowMembers{{"id", w.ID}, {"timestamp", at}, {"action", w.Action}}
		}),
	}
}

// rowMembers are those that a row must have, with what it has there.
type rowMembers []struct {
	name  string
	value looseString
}

func reading[W any](ctx context.Context, c *Client, op, path string, of func(W) rowMembers) Reading {
	r := Reading{Op: op}
	rows, _, _, err := page(ctx, c, op, c.base+path, url.Values{}, 0, fewRows, of)
	if r.Err = err; err != nil {
		return r
	}
	lacks, seen := map[string]bool{}, map[string]bool{}
	for _, row := range rows[:min(len(rows), fewRows)] {
		r.Rows++
		for _, m := range row {
			if m.value == "" && !lacks[m.name] {
				lacks[m.name] = true
				r.Lacks = append(r.Lacks, m.name)
			}
			if m.name == "status" && m.value != "" && !seen[string(m.value)] {
				seen[string(m.value)] = true
				r.Statuses = append(r.Statuses, clip(string(m.value), 40))
			}
		}
	}
	return r
}
