package reliability

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/identity"
)

// applicant is somebody on the way from an identity check to a credential and to its end,
// who goes on from wherever the rows are after a death.
type applicant struct {
	*person
	admin *person
}

// where is what the rows say of somebody: the newest check, and the newest credential of it.
type where struct {
	Check, State, Credential, Made, Name string
}

func (p *person) where(d *db.DB) (is where) {
	p.w.t.Helper()
	var rows []where
	require.NoError(p.w.t, d.Read.Select(&rows, d.Read.Rebind(`SELECT v.id AS "check", v.state, COALESCE(c.id, '') AS credential, COALESCE(c.state, '') AS made, COALESCE(c.name, '') AS name
		FROM people p JOIN validations v ON v.person = p.id LEFT JOIN credentials c ON c.validation = v.id
		WHERE p.subject = ? ORDER BY v.created_at DESC, v.id, c.created_at DESC, c.id LIMIT 1`), p.subject))
	if len(rows) == 1 {
		is = rows[0]
	}
	return is
}

var hiddenSeen = regexp.MustCompile(`name="seen" value="([^"]*)"`)

// step does what comes next for an applicant; over when nothing is left to do. What is
// answered with trouble is looked at again: the portal may be dying.
func (a *applicant) step(ctx context.Context, d *db.DB) (over bool) {
	is := a.where(d)
	switch {
	case is.Check == "":
		_, _ = a.post(ctx, "/identity-checks", "standard", a.standard(), "consent", "on")
	case is.State == "email_sent":
		_ = a.w.sim.Proof(a.email, nil)
	case is.State == "awaiting_approval":
		_, _ = a.admin.post(ctx, "/review/"+is.Check+"/approve")
	case is.State != "approved":
	case is.Made == "" || is.Made == "deactivated":
		_, _ = a.admin.post(ctx, "/review/"+is.Check+"/issue", "profile", a.profile())
	case is.Made == "active":
		page, err := a.get(ctx, "/credentials/"+is.Credential+"/revoke")
		if m := hiddenSeen.FindStringSubmatch(page.text); err == nil && m != nil {
			_, _ = a.post(ctx, "/credentials/"+is.Credential+"/revoke", "reason", "SUPERSEDED", "typed", is.Name, "seen", m[1])
		}
	case is.Made == "revoked":
		return true
	}
	a.w.hurry(d)
	return false
}

// hurry has everything looked at now that is to be looked at some time.
func (w *world) hurry(d *db.DB) {
	for _, table := range []string{"validations", "credentials"} {
		_, _ = d.Write.Exec("UPDATE " + table + " SET look_at = 1 WHERE look_at > 1") // the portal may hold the file
	}
}

// goes takes an applicant on until the portal dies, or nothing is left to do.
func (a *applicant) goes(what string) (over bool) {
	a.w.t.Helper()
	ctx := context.Background()
	a.w.open(func(d *db.DB) {
		a.w.eventually(what, func() bool {
			select {
			case <-a.w.child.ended:
				return true
			default:
			}
			over = a.step(ctx, d)
			return over
		})
	})
	if over { // the last row may have been written just before a death
		select {
		case <-a.w.child.ended:
			return false
		case <-time.After(300 * time.Millisecond):
		}
	}
	return over
}

// killedChecks takes up a portal that died on the way to a credential.
func (w *world) killedChecks(when string) {
	w.t.Helper()
	w.kills++
	w.sound(when + ", just after")
	w.seats(when+", just after", false)
	w.laterChecks()
	w.start()
}

// laterChecks lets three minutes pass, while the portal is dead: what was sent before can no
// more be on its way.
func (w *world) laterChecks() {
	w.t.Helper()
	w.open(func(d *db.DB) {
		const past = int64(3 * time.Minute / time.Millisecond)
		for _, statement := range []string{
			fmt.Sprintf("UPDATE validations SET since = since - %d, look_at = 1, held_until = CASE WHEN held_until > %[1]d THEN held_until - %[1]d ELSE 0 END WHERE look_at > 0", past),
			fmt.Sprintf("UPDATE credentials SET since = since - %d, look_at = 1 WHERE look_at > 0", past),
			"DELETE FROM river_leader",
			"UPDATE river_job SET state = 'available' WHERE state = 'running'",
		} {
			_, err := d.Write.Exec(statement)
			require.NoError(w.t, err, statement)
		}
	})
}

// next is somebody who comes for the first time.
func (w *world) next(admin *person) *applicant {
	w.t.Helper()
	w.arrived++
	return &applicant{w.signIn(fmt.Sprint("signer", w.arrived-1)), admin}
}

// seats holds the rows against what DTM has: users, checks, seats and credentials. At rest
// both say the same of each; just after a death a row may only have announced it.
func (w *world) seats(when string, rest bool) {
	w.t.Helper()
	twice, _ := w.asked.twice()
	require.Empty(w.t, twice, "%s (seed %d): asked for more than once", when, w.seed)
	a, err := w.outside.get(context.Background(), w.sim.Options().BaseURL+"/sim/v1/state")
	require.NoError(w.t, err)
	var dtm struct {
		Users []struct {
			ID   string `json:"id"`
			Name string `json:"user_name"`
		} `json:"users"`
		Validations []struct {
			ID     string `json:"id"`
			Status string `json:"status"`
			User   struct {
				ID string `json:"id"`
			} `json:"user"`
		} `json:"validations"`
		Credentials []struct {
			Name, Status string
			Validation   string `json:"validation_id"`
		} `json:"credentials"`
		Seats []struct{ Used int } `json:"seats"`
	}
	require.NoError(w.t, json.Unmarshal([]byte(a.text), &dtm), a.text)
	var checks, credentials []struct{ ID, DTM, State string }
	var people []struct{ ID, DTM string }
	w.open(func(d *db.DB) {
		require.NoError(w.t, d.Read.Select(&people, "SELECT id, dtm_user AS dtm FROM people"))
		require.NoError(w.t, d.Read.Select(&checks, "SELECT id, dtm, state FROM validations"))
		require.NoError(w.t, d.Read.Select(&credentials, "SELECT id, name AS dtm, state FROM credentials"))
	})
	at := func(format string, args ...any) string {
		return fmt.Sprintf("%s (seed %d, kill %d): %s", when, w.seed, w.kills, fmt.Sprintf(format, args...))
	}
	users := map[string]string{} // by name at DTM
	for _, u := range dtm.Users {
		if strings.HasPrefix(u.Name, "cs-") {
			require.Empty(w.t, users[u.Name], at("two users %s", u.Name))
			users[u.Name] = u.ID
		}
	}
	bound := 0
	for _, p := range people {
		if p.DTM != "" {
			require.Equal(w.t, users["cs-"+p.ID], p.DTM, at("the user of %s", p.ID))
			bound++
		}
	}
	approved, open := 0, map[string]string{} // by user at DTM
	known := map[string]string{}
	for _, c := range checks {
		if c.DTM != "" {
			require.Empty(w.t, known[c.DTM], at("two rows of one check"))
			known[c.DTM] = c.State
		}
	}
	same := map[string]string{"APPROVED": "approved", "PENDING_EMAIL": "email_sent", "PENDING_APPROVAL": "awaiting_approval"}
	for _, v := range dtm.Validations {
		require.Empty(w.t, open[v.User.ID], at("two checks of one person"))
		open[v.User.ID] = v.ID
		if v.Status == "APPROVED" {
			approved++
			require.Contains(w.t, []string{"approved", "approval_unknown"}, known[v.ID], at("DTM approved what nobody had sent"))
		}
		if rest {
			require.Equal(w.t, same[v.Status], known[v.ID], at("check %s", v.ID))
		}
	}
	used := 0
	for _, s := range dtm.Seats {
		used += s.Used
	}
	require.Equal(w.t, approved, used, at("seats"))
	rows := map[string]string{}
	for _, c := range credentials {
		rows[c.DTM] = c.State
	}
	for _, c := range dtm.Credentials {
		require.NotEmpty(w.t, rows[c.Name], at("credential %s was not announced", c.Name))
		if rest {
			require.Equal(w.t, strings.ToLower(c.Status), rows[c.Name], at("credential %s", c.Name))
		}
	}
	if !rest {
		return
	}
	require.Len(w.t, users, bound, at("users nobody knows of"))
	require.Len(w.t, dtm.Validations, len(known), at("checks nobody knows of"))
	w.open(func(d *db.DB) {
		var n int
		require.NoError(w.t, d.Read.Get(&n, "SELECT COUNT(*) FROM validations WHERE state = 'approved'"))
		require.Equal(w.t, used, n, at("seats and approved checks"))
	})
}

func (w *world) dieOnTheWay(at []identity.Point, done bool) {
	w.t.Helper()
	admin := w.signIn("admin")
	var who *applicant
	for _, p := range at {
		where := string(p) + map[bool]string{true: ":after", false: ":before"}[done]
		for try := 0; ; try++ {
			require.Less(w.t, try, 2, "%s was not reached", where)
			if who == nil {
				who = w.next(admin)
			}
			w.arm(where)
			if !who.goes(where) {
				break
			}
			who = nil // a death of theirs has led them past it: the next one comes by
		}
		require.NoError(w.t, w.child.died(waitForDeath), where)
		w.killedChecks(where)
	}
	require.True(w.t, who.goes("to the end"))
	w.sound("everybody has come to the end")
	w.seats("everybody has come to the end", true)
}

// The portal is killed just before and just after every step from the wish for an identity
// check to the end of a credential. Nothing is made or approved twice at DTM, whose seats
// and credentials are those of the rows. In the long form 20 times each, on both databases.
func TestADeathOnTheWayToACredentialMakesNothingTwice(t *testing.T) {
	t.Parallel()
	var sum tally
	rounds(t, 20, func(t *testing.T, o options) {
		o.bare = true
		w := newWorld(t, o)
		w.outside = w.signIn("admin")
		before, after := identity.Points(), identity.Points()
		if !soak() {
			before = []identity.Point{identity.PointCreate, identity.PointIssue}
			after = []identity.Point{identity.PointSend, identity.PointCreate, identity.PointApprove, identity.PointIssue, identity.PointCommand}
		}
		w.dieOnTheWay(before, false)
		w.dieOnTheWay(after, true)
		require.Equal(t, len(before)+len(after), w.kills)
		_, all := w.asked.twice()
		require.Greater(t, all, 5, "it was looked at what is asked")
		sum.add(t, w)
	})
}
