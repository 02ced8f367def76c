package dtmsim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The switchboard is where a person makes trouble by clicking and watches what comes of it.
func (s *Sim) routeSwitchboard(on func(pattern string, f func(*visit))) {
	on("GET /switchboard", showSwitchboard)
	on("POST /switchboard", func(v *visit) {
		v.unlocked(v.ClearFaults)
		v.hostile = hostile{}
		v.goTo("/switchboard")
	})
	on("POST /switchboard/trouble/{key}", switchTrouble)
	on("POST /switchboard/fault/{id}", func(v *visit) {
		v.clearFault(v.r.PathValue("id"))
		v.goTo("/switchboard#now")
	})
	on("POST /switchboard/hostile", switchHostile)
	on("POST /switchboard/clock", switchClock)
	on("GET /sim/{$}", func(v *visit) { v.goTo("/switchboard") })
}

type switchGroup struct {
	Title string
	Items []rehearsed
	On    int
	Open  bool
}

// switchFault is one that is on and was scripted by a program, so that no switch shows it.
type switchFault struct {
	ID, Name string
	Left     string
	Hits     int
}

type ledgerRow struct {
	At              time.Time
	What, Detail    string
	Who, Credential string
	Hash            string
	Spoiled         string // what a fault did to it
	Serious         bool
}

type option struct {
	Value, Label string
	Chosen       bool
}

// filter is what a person wants to see of ledger and calls.
type filter struct {
	Who, Kind, Path string
	Trouble         bool
	Users, Kinds    []option
	On              bool
}

const rowsShown = 25

func showSwitchboard(v *visit) {
	page := struct {
		frame
		At       string // the part that was touched last
		Now      time.Time
		Offset   string
		Groups   []switchGroup
		On       []rehearsed
		Scripted []switchFault
		Hostile  Hostility
		Rates    []option
		Filter   filter
		Ledger   []ledgerRow
		Calls    []Call
		Entries  int
	}{frame: frame{Title: "Switchboard", Nav: "switchboard", Wide: true}, At: v.r.URL.Query().Get("at"), Now: v.now(), Hostile: v.hostility()}
	if o := v.st.Offset.Round(time.Second); o != 0 {
		page.Offset = map[bool]string{true: "+", false: "−"}[o > 0] + o.Abs().String()
	}
	for _, r := range v.rehearsals() {
		if len(page.Groups) == 0 || page.Groups[len(page.Groups)-1].Title != r.Group {
			page.Groups = append(page.Groups, switchGroup{Title: r.Group, Open: len(page.Groups) == 0 && page.At == ""})
		}
		g := &page.Groups[len(page.Groups)-1]
		g.Items = append(g.Items, r)
		g.Open = g.Open || r.Key == page.At
		if r.On {
			g.On++
			page.On = append(page.On, r)
		}
	}
	for _, f := range v.faults {
		if f.live() && f.Rehearsal == "" {
			page.Scripted = append(page.Scripted, switchFault{f.ID, f.Name, timesLeft(f.N), f.Hits})
		}
	}
	for _, r := range []struct {
		rate  float64
		label string
	}{{0.01, "one call in a hundred"}, {defaultHostileRate, "one call in twenty"}, {0.2, "one call in five"}, {0.5, "every other call"}} {
		page.Rates = append(page.Rates, option{strconv.FormatFloat(r.rate, 'f', -1, 64), r.label, r.rate == defaultHostileRate})
	}
	page.Filter = v.filter()
	page.Ledger, page.Calls = v.ledgerRows(page.Filter), v.callRows(page.Filter)
	page.Entries = len(v.ledger.items)
	v.show("switchboard", page)
}

func timesLeft(n int) string {
	switch n {
	case UntilCleared:
		return "until it is switched off"
	case 1:
		return "once more"
	}
	return fmt.Sprintf("%d times more", n)
}

func timesMet(n int) string {
	switch n {
	case 0:
		return "not met yet"
	case 1:
		return "met once"
	}
	return fmt.Sprintf("met %d times", n)
}

// filter reads what was asked for; it is in the address, so that a page that looks again keeps it.
func (v *visit) filter() filter {
	q := v.r.URL.Query()
	f := filter{Who: q.Get("who"), Kind: q.Get("kind"), Path: q.Get("path"), Trouble: q.Get("trouble") != ""}
	f.On = f.Who != "" || f.Kind != "" || f.Path != "" || f.Trouble
	for _, u := range slices.Backward(v.st.Users) {
		f.Users = append(f.Users, option{u.ID, u.name() + ", " + u.Email, f.Who == u.ID})
	}
	for _, c := range slices.Backward(v.st.Credentials) {
		f.Users = append(f.Users, option{"credential:" + c.Name, "credential " + c.Name, f.Who == "credential:"+c.Name})
	}
	for _, k := range ledgerKinds {
		f.Kinds = append(f.Kinds, option{k.kind, k.words, f.Kind == k.kind})
	}
	return f
}

// ledgerKinds say the kinds of entries to a person.
var ledgerKinds = []struct{ kind, words string }{
	{LedgerOTPSent, "Code sent"}, {LedgerOTPTry, "Code tried"}, {LedgerPINTry, "PIN tried"}, {LedgerPush, "Phone asked"},
	{LedgerSADIssued, "Approval given"}, {LedgerSADExtended, "Approval passed on"}, {LedgerSADDied, "Approval over"},
	{LedgerSigned, "Signed"}, {LedgerHashes, "Hashes given"}, {LedgerBuilt, "Signatures built"}, {LedgerSeatTaken, "Seat taken"},
	{LedgerCredentialIssued, "Credential issued"}, {LedgerCredentialRevoked, "Credential revoked"}, {LedgerCredentialSuspended, "Credential suspended"},
	{LedgerCredentialResumed, "Credential resumed"}, {LedgerCredentialCancelled, "Credential cancelled"},
}

func (v *visit) ledgerRows(f filter) []ledgerRow {
	pick := LedgerFilter{Kind: f.Kind}
	if name, ok := strings.CutPrefix(f.Who, "credential:"); ok {
		pick.Credential = name
	} else {
		pick.Who = f.Who
	}
	var out []ledgerRow
	for _, e := range slices.Backward(v.filtered(pick)) {
		if len(out) == rowsShown {
			break
		}
		row := ledgerRow{At: e.At, What: e.Kind, Credential: e.Credential, Serious: e.Kind == LedgerSigned}
		for _, k := range ledgerKinds {
			if k.kind == e.Kind {
				row.What = k.words
			}
		}
		if u := v.user(e.User); u != nil {
			row.Who = u.name()
		}
		var detail []string
		if e.Outcome != "" {
			detail = append(detail, e.Outcome)
		}
		if e.Signatures == 1 {
			detail = append(detail, "1 signature")
		} else if e.Signatures > 1 {
			detail = append(detail, fmt.Sprintf("%d signatures", e.Signatures))
		}
		switch known, spoiled := effects[e.Text]; {
		case spoiled:
			row.Spoiled = known.words
		case e.Text != "":
			detail = append(detail, e.Text)
		}
		row.Detail = strings.Join(detail, " · ")
		if len(e.Hashes) > 0 {
			row.Hash = e.Hashes[0][:min(16, len(e.Hashes[0]))] + "…"
			if len(e.Hashes) > 1 {
				row.Hash += fmt.Sprintf(" and %d more", len(e.Hashes)-1)
			}
		}
		out = append(out, row)
	}
	return out
}

func (v *visit) callRows(f filter) []Call {
	var out []Call
	for _, c := range slices.Backward(v.calls) {
		if len(out) == rowsShown {
			break
		}
		if (!f.Trouble || c.Trouble != "") && strings.Contains(c.Path, f.Path) {
			c.Path = strings.TrimPrefix(c.Path, "/documentmanager")
			if rest, ok := strings.CutPrefix(c.Path, "/ocsp/"); ok && rest != "" {
				c.Path = "/ocsp/…"
			}
			if c.Fault == HostileFault {
				_, c.Trouble, _ = strings.Cut(c.Trouble, ": ")
				c.Trouble = "hostile: " + c.Trouble
			}
			out = append(out, c)
		}
	}
	return out
}

func switchTrouble(v *visit) {
	r := rehearsal(v.r.PathValue("key"))
	if r == nil {
		v.missing()
		return
	}
	switch v.r.PostFormValue("turn") {
	case "off":
		v.clearFault(r.Key)
	default:
		n, err := strconv.Atoi(v.r.PostFormValue("n"))
		if err != nil || n < UntilCleared || n > 1000 {
			n = 0
		}
		v.unlocked(func() { err = v.Rehearse(r.Key, n, "") })
		if err != nil {
			v.log.Error("dtmsim: rehearsal", "key", r.Key, "err", err)
		}
	}
	v.goTo("/switchboard?at=" + url.QueryEscape(r.Key) + "#" + url.PathEscape(r.Key))
}

func switchHostile(v *visit) {
	v.goTo("/switchboard?at=hostile#hostile")
	if v.r.PostFormValue("turn") == "off" {
		v.hostile = hostile{}
		return
	}
	seed, err := strconv.ParseUint(strings.TrimSpace(v.r.PostFormValue("seed")), 10, 64)
	rate, rateErr := strconv.ParseFloat(v.r.PostFormValue("rate"), 64)
	if err == nil && rateErr == nil {
		v.unlocked(func() { err = v.Hostile(seed, rate) })
	}
	if err != nil || rateErr != nil {
		v.location, v.status = "", http.StatusBadRequest
		v.show("confirmed", struct {
			frame
			Words, Next string
		}{frame{Title: "Not a seed", Nav: "switchboard"}, "A seed is a whole number of up to 20 digits. Go back and enter another one.", ""})
	}
}

func switchClock(v *visit) {
	d, err := time.ParseDuration(v.r.PostFormValue("advance"))
	if v.r.PostFormValue("advance") == "real" {
		d, err = -v.st.Offset, nil
	}
	if err == nil && d != 0 {
		v.unlocked(func() { v.Advance(d) })
	}
	v.goTo("/switchboard?at=clock#clock")
}
