package dtmsim

import (
	"strconv"
	"strings"
	"time"
)

func controlFault(c *control) (any, error) {
	var f Fault
	if err := c.decode(&f); err != nil {
		return nil, err
	}
	var err error
	c.unlocked(func() { f, err = c.script(f) })
	return f, err
}

func controlClear(c *control) (any, error) {
	if !c.clearFault(c.r.PathValue("id")) {
		return nil, notFound("fault")
	}
	return nil, nil
}

func controlRehearse(c *control) (any, error) {
	in := struct {
		N   int    `json:"n"`
		For string `json:"for"`
	}{}
	if len(c.body) > 0 {
		if err := c.decode(&in); err != nil {
			return nil, err
		}
	}
	r := rehearsal(c.r.PathValue("key"))
	if r == nil {
		return nil, notFound("rehearsal")
	}
	var err error
	c.unlocked(func() { err = c.Rehearse(r.Key, in.N, in.For) })
	return nil, err
}

func controlEnd(c *control) (any, error) {
	r := rehearsal(c.r.PathValue("key"))
	if r == nil {
		return nil, notFound("rehearsal")
	}
	c.clearFault(r.Key)
	return nil, nil
}

func controlHostile(c *control) (any, error) {
	in := Hostility{Rate: defaultHostileRate}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	var err error
	c.unlocked(func() { err = c.Hostile(in.Seed, in.Rate) })
	return c.hostility(), err
}

func controlClock(c *control) (any, error) {
	var in struct {
		Advance Duration `json:"advance"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	c.unlocked(func() { c.Advance(time.Duration(in.Advance)) })
	return map[string]time.Time{"now": c.now()}, nil
}

func controlLedger(c *control) (any, error) {
	q := c.r.URL.Query()
	f := LedgerFilter{Who: q.Get("user"), Credential: q.Get("credential"), Kind: q.Get("kind"), SAD: q.Get("sad"), Hash: q.Get("hash")}
	if text := q.Get("after"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, invalidField("after", "after must be the number of an entry")
		}
		f.After = n
	}
	return c.filtered(f), nil
}

// controlCalls gives the calls of a path, or those that met trouble.
func controlCalls(c *control) (any, error) {
	q := c.r.URL.Query()
	out := []Call{}
	for _, call := range c.calls {
		if (q.Get("path") == "" || strings.Contains(call.Path, q.Get("path"))) && (q.Get("trouble") == "" || call.Trouble != "") {
			out = append(out, call)
		}
	}
	return out, nil
}
