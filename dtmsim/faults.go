package dtmsim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Fault scripts trouble: the next N calls that match meet it. There are three sorts, and a
// fault is of one of them or of the first together with another:
//
//   - when the answer comes: Delay, and Spread on top of it;
//   - what becomes of the answer on the wire: Drop, Garbage, Truncate, Drip, Reset, or another
//     answer in its place (Status, ContentType, Header, Body). With After the call takes effect first
//     and only its answer is lost or changed; Drip and Reset let it take effect unless there is another answer;
//   - what the service does: Effect.
//
// The first fault that matches a call is used, and no other.
type Fault struct {
	ID     string `json:"id,omitempty"`   // given when it is scripted, unless it has one
	Name   string `json:"name,omitempty"` // for people; made from the rest when empty
	Method string `json:"method,omitempty"`
	Path   string `json:"path"`           // end of the path, "*" stands for one segment: "signatures/signHash", "validation/*/approve"; PathMail for mail on its way
	For    string `json:"for,omitempty"`  // only calls that name this in body or address: a credential, a person; of mail, its address
	N      int    `json:"n,omitempty"`    // uses that are left; 0 counts as 1, UntilCleared
	Skip   int    `json:"skip,omitempty"` // matching calls that are let through first

	After  bool     `json:"after,omitempty"`
	Delay  Duration `json:"delay,omitempty"`  // before the call takes effect; with After, before the answer
	Spread Duration `json:"spread,omitempty"` // mean of a further delay, exponentially distributed, never above ten times as much
	Seed   uint64   `json:"seed,omitempty"`   // what Spread is drawn from, with the number of the use

	Drop        bool              `json:"drop,omitempty"`     // reset the connection without an answer
	Garbage     bool              `json:"garbage,omitempty"`  // 200 with a body that is no JSON
	Truncate    bool              `json:"truncate,omitempty"` // half of the real answer, then the connection closes; needs After
	Drip        int               `json:"drip,omitempty"`     // bytes of the answer's body in a second
	Reset       int               `json:"reset,omitempty"`    // the connection is reset after so many bytes of the answer's body
	Status      int               `json:"status,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Header      map[string]string `json:"header,omitempty"`
	Body        string            `json:"body,omitempty"`

	Effect string   `json:"effect,omitempty"` // one of the Effect… constants
	Which  int      `json:"which,omitempty"`  // the hash whose signature is meant, from 1; 0 counts as 1
	Shift  Duration `json:"shift,omitempty"`  // of a clock; of something late, how much

	Rehearsal string    `json:"rehearsal,omitempty"` // the key of the rehearsal it belongs to
	Hits      int       `json:"hits"`                // how often it was used
	LastHit   time.Time `json:"last_hit,omitzero"`
}

const (
	// UntilCleared is the N of a fault that ends only when it is cleared.
	UntilCleared = -1
	// PathMail is the Path of faults of mail on its way, whoever sends it.
	PathMail = "@mail"

	keepSpent = 100 // faults that are used up stay to be read
)

// Duration is a time.Duration that JSON writes as "1.5s".
type Duration time.Duration

// MarshalText writes the Go form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the Go form.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// live tells whether there are uses left.
func (f *Fault) live() bool { return f.N > 0 || f.N == UntilCleared }

func (f *Fault) matches(method, path, said string) bool {
	if (f.Path == PathMail) != (path == PathMail) || !f.live() || (f.Method != "" && f.Method != method) || !endsIn(path, f.Path) {
		return false
	}
	return f.For == "" || strings.Contains(said, f.For)
}

func endsIn(path, end string) bool {
	want, have := strings.Split(strings.Trim(end, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	if len(have) < len(want) {
		return false
	}
	have = have[len(have)-len(want):]
	for i := range want {
		if want[i] != "*" && want[i] != have[i] {
			return false
		}
	}
	return true
}

// another tells whether there is an answer in place of the real one.
func (f *Fault) another() bool { return f.Status != 0 || f.Body != "" || f.Garbage }

func (f *Fault) check() error {
	ways := 0
	for _, on := range []bool{f.Drop, f.Garbage, f.Truncate, f.Drip != 0, f.Reset != 0} {
		if on {
			ways++
		}
	}
	switch {
	case strings.Trim(f.Path, "/") == "":
		return errors.New("a fault needs a path")
	case f.Truncate && !f.After:
		return errors.New("truncate needs after: there must be an answer to cut")
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status %d cannot be sent", f.Status)
	case ways > 1 || (f.Garbage || f.Drop || f.Truncate) && (f.Status != 0 || f.Body != ""):
		return errors.New("one thing at a time: drop, garbage, truncate, drip, reset or another answer")
	case f.N < UntilCleared || f.Skip < 0 || f.Delay < 0 || f.Spread < 0 || f.Drip < 0 || f.Reset < 0 || f.Which < 0:
		return errors.New("a number is below zero (n may be -1: until it is cleared)")
	case f.Effect == "" && f.Path == PathMail:
		return errors.New("mail on its way is lost or late: say which, as effect")
	}
	return f.checkEffect()
}

// Fault adds a fault to the script.
func (s *Sim) Fault(f Fault) error {
	_, err := s.script(f)
	return err
}

func (s *Sim) script(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return f, err
	}
	if f.N == 0 {
		f.N = 1
	}
	f.Hits, f.LastHit = 0, time.Time{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faultCount++
	if f.ID == "" {
		f.ID = fmt.Sprintf("f%d", s.faultCount)
	}
	if f.Name == "" {
		f.Name = f.words()
	}
	if slices.ContainsFunc(s.faults, func(o *Fault) bool { return o.ID == f.ID }) {
		return f, fmt.Errorf("there is a fault %q", f.ID)
	}
	spent := 0
	for _, o := range s.faults {
		if !o.live() {
			spent++
		}
	}
	s.faults = slices.DeleteFunc(s.faults, func(o *Fault) bool {
		old := !o.live() && spent >= keepSpent
		if old {
			spent--
		}
		return old
	})
	s.faults = append(s.faults, &f)
	return f, nil
}

// Faults is a copy of the script with what became of each, oldest first.
func (s *Sim) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Fault, len(s.faults))
	for i, f := range s.faults {
		out[i] = *f
	}
	return out
}

// ClearFaults empties the script. Mail and codes that are late still come.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// ClearFault takes one fault out of the script, by its id or by the rehearsal it belongs to.
func (s *Sim) ClearFault(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clearFault(id)
}

func (s *Sim) clearFault(id string) bool {
	before := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return id != "" && (f.ID == id || f.Rehearsal == id) })
	return len(s.faults) < before
}

// spend finds the first fault that matches and takes one use of it.
func (s *Sim) spend(method, path, said string) *Fault {
	for _, f := range s.faults {
		if !f.matches(method, path, said) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			return nil
		}
		if f.N != UntilCleared {
			f.N--
		}
		f.Hits++
		f.LastHit = s.now()
		copied := *f
		return &copied
	}
	return nil
}

// takeFault is what a call meets: what was scripted, or else what the hostile mode draws.
// Only calls of the APIs are troubled, never pages and control routes.
func (s *Sim) takeFault(r *http.Request, said string) *Fault {
	path := r.URL.Path
	if strings.HasPrefix(path, "/ocsp/") {
		path = "/ocsp" // OCSP by GET: what follows is the request
	}
	_, pattern := s.mux.Handler(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	drawn := s.hostile.draw(cmpOr(pattern, r.Method+" "+path)) // also where it is not used, so that the count goes on
	f := s.spend(r.Method, path, said)
	if f == nil && drawn != nil {
		s.hostile.met++
		f = drawn
	}
	return f
}

// wantsBody tells whether a fault has to read calls to know whether it is meant.
func (s *Sim) wantsBody() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.faults, func(f *Fault) bool { return f.live() && (f.For != "" || f.onCredential()) })
}

// words say what a fault does, for lists.
func (f *Fault) words() string {
	var what string
	switch {
	case f.Effect != "":
		what = effects[f.Effect].words
		if f.Shift != 0 {
			what += " by " + time.Duration(f.Shift).String()
		}
	case f.Drop && f.After:
		what = "done, but the answer is lost"
	case f.Drop:
		what = "lost on its way there"
	case f.Truncate:
		what = "done, but half of the answer is lost"
	case f.Garbage:
		what = "an answer that nobody can read"
	case f.Drip > 0:
		what = fmt.Sprintf("an answer of %d bytes a second", f.Drip)
	case f.Reset > 0:
		what = fmt.Sprintf("the connection breaks after %d bytes of the answer", f.Reset)
	case f.Status != 0:
		what = fmt.Sprintf("%d %s", f.Status, http.StatusText(f.Status))
		if f.After {
			what = "done, but answered " + what
		}
	case f.Body != "":
		what = "another answer"
	}
	if late := time.Duration(f.Delay + f.Spread); late > 0 {
		if what != "" {
			what += ", "
		}
		what += "late by " + late.String()
	}
	return strings.TrimPrefix(f.Path, "@") + ": " + cmpOr(what, "nothing")
}
