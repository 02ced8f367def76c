package dtmsim

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// routeControl mounts /sim/v1, by which tests and people move the outside world.
func (s *Sim) routeControl(mux *http.ServeMux) {
	on := func(pattern string, f func(*control) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" /sim/v1/"+path, s.guarded(s.controlled(f)))
	}
	on("GET health", func(*control) (any, error) { return map[string]string{"status": "ok"}, nil })
	on("GET state", controlState)
	on("GET ledger", controlLedger)
	on("GET calls", controlCalls)
	on("DELETE calls", func(c *control) (any, error) { c.calls = nil; return nil, nil })
	on("GET mail", func(c *control) (any, error) { return c.mailTo(c.r.URL.Query().Get("to")), nil })
	on("POST mail", controlMail)
	on("GET otp", controlOTP)
	on("GET pin", controlPIN)
	on("GET push", controlPushes)
	on("POST push/{id}/{answer}", controlPush)
	on("GET faults", func(c *control) (any, error) { return nonNil(c.faults), nil })
	on("DELETE faults", func(c *control) (any, error) { c.faults = nil; return nil, nil })
	on("DELETE faults/{id}", controlClear)
	on("POST faults", controlFault)
	on("GET rehearsals", func(c *control) (any, error) { return c.rehearsals(), nil })
	on("POST rehearsals/{key}", controlRehearse)
	on("DELETE rehearsals/{key}", controlEnd)
	on("GET hostile", func(c *control) (any, error) { return c.hostility(), nil })
	on("POST hostile", controlHostile)
	on("DELETE hostile", func(c *control) (any, error) { c.hostile = hostile{}; return nil, nil })
	on("POST clock", controlClock)
	on("POST seats", controlSeats)
	on("POST user/{id}/reset-pin", controlResetPIN)
	on("POST user/{id}/api-key", controlAPIKey)
	on("POST validation/{id}/{step}", controlValidation)
	on("POST credential/{name}/{verb}", controlCredential)
	pemFile := func(text func() string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-pem-file")
			_, _ = io.WriteString(w, text())
		}
	}
	mux.Handle("GET /sim/v1/roots.pem", s.guarded(pemFile(s.RootPEM)))
	mux.Handle("GET /sim/v1/client.pem", s.guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		text, err := s.ClientPEM()
		if err != nil {
			s.writeAPIError(w, err)
			return
		}
		pemFile(func() string { return text })(w, nil)
	})))
	mux.Handle("GET /sim/v1/ca.pem", s.guarded(pemFile(s.CAPEM)))
}

// control is one call of a control route, made under the lock.
type control struct {
	*Sim
	r    *http.Request
	body []byte
}

func (c *control) decode(v any) error {
	if err := json.Unmarshal(c.body, v); err != nil {
		return invalid("body: " + err.Error())
	}
	return nil
}

func (s *Sim) controlled(f func(*control) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			s.writeAPIError(w, invalid("body is too large or cannot be read"))
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.settle()
		v, err := f(&control{Sim: s, r: r, body: body})
		if err == nil {
			err = s.save()
		}
		var plain *apiError
		switch {
		case errors.As(err, &plain) || err == nil:
		default:
			err = invalid(err.Error())
		}
		if err != nil {
			s.writeAPIError(w, err)
			return
		}
		if v == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		writeJSON(w, http.StatusOK, v)
	})
}

// guarded keeps foreign pages out: a known Host (against DNS rebinding) and, for
// anything that changes, no foreign Origin.
func (s *Sim) guarded(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.knownHost(r.Host) {
			http.Error(w, "this simulator does not answer to that host name", http.StatusMisdirectedRequest)
			return
		}
		if o := r.Header.Get("Origin"); o != "" {
			if u, err := url.Parse(o); err != nil || u.Host != r.Host {
				http.Error(w, "a page of another origin may not do this", http.StatusForbidden)
				return
			}
		}
		cross.ServeHTTP(w, r)
	})
}

func (s *Sim) knownHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	base, err := url.Parse(s.opt.BaseURL)
	return name == "localhost" || IsLoopback(net.JoinHostPort(strings.Trim(name, "[]"), "0")) ||
		(err == nil && host == base.Host) || slices.Contains(s.opt.Hosts, name) || slices.Contains(s.opt.Hosts, host)
}

func nonNil[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func controlState(c *control) (any, error) {
	users, vals, creds, seats := []map[string]any{}, []validationWire{}, []credentialWire{}, []seatWire{}
	for _, u := range c.st.Users {
		users = append(users, map[string]any{"id": u.ID, "user_name": u.UserName, "email": u.Email, "name": u.name(), "phone_number": u.Phone, "pin_locked": u.PINLocked})
	}
	for _, v := range c.st.Validations {
		vals = append(vals, c.validationWire(v))
	}
	for _, cr := range c.st.Credentials {
		creds = append(creds, c.credentialWire(cr))
	}
	for _, std := range standards {
		seats = append(seats, seatWire{std, c.st.Seats[std], c.seatsUsed(std), max(0, c.st.Seats[std]-c.seatsUsed(std))})
	}
	return map[string]any{"now": c.now(), "users": users, "validations": vals, "credentials": creds, "seats": seats, "live_sads": len(c.sads)}, nil
}

func controlMail(c *control) (any, error) {
	var m Mail
	if err := c.decode(&m); err != nil {
		return nil, err
	}
	if m.To == "" || m.Subject == "" {
		return nil, invalid("to and subject are required")
	}
	c.mail(m)
	return nil, nil
}

func (c *control) userAsked(who string) (*user, error) {
	u := c.findUser(who)
	if u == nil {
		return nil, notFound("user")
	}
	return u, nil
}

// lastCode is the newest code a person could type: sent to them, or shown by their authenticator.
func (s *Sim) lastCode(u *user) string {
	if texts := s.textsOf(u.ID); len(texts) > 0 {
		return texts[0].Code
	}
	return ""
}

func controlOTP(c *control) (any, error) {
	u, err := c.userAsked(c.r.URL.Query().Get("user"))
	if err != nil {
		return nil, err
	}
	return map[string]string{"code": c.lastCode(u), "totp": totpAt(u.TOTP, c.totpStep())}, nil
}

func controlPIN(c *control) (any, error) {
	u, err := c.userAsked(c.r.URL.Query().Get("user"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"pin": u.PIN, "locked": u.PINLocked}, nil
}

func controlPushes(c *control) (any, error) {
	out := []map[string]any{}
	for _, p := range c.pushesOf("") {
		out = append(out, map[string]any{"id": p.id, "user": p.user, "credential": p.credential.Name, "description": p.description,
			"signatures": p.signatures, "hashes": p.hashes, "at": p.at, "outcome": p.outcome})
	}
	return out, nil
}

// pushesOf lists a user's pushes, newest first; an empty id means everybody's.
func (s *Sim) pushesOf(user string) []*push {
	out := []*push{}
	for _, p := range s.pushes {
		if user == "" || p.user == user {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *push) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.id, b.id)) })
	return out
}

func controlPush(c *control) (any, error) {
	outcome := map[string]string{"approve": pushApproved, "decline": pushDeclined}[c.r.PathValue("answer")]
	p := c.pushes[c.r.PathValue("id")]
	if p == nil || outcome == "" {
		return nil, notFound("push")
	}
	if !p.decide(outcome) {
		return nil, invalid("this push was already " + p.outcome)
	}
	return nil, nil
}

func controlSeats(c *control) (any, error) {
	var in struct {
		Standard string `json:"standard"`
		Total    int    `json:"total"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if !slices.Contains(standards, in.Standard) || in.Total < 0 {
		return nil, invalid("standard must be BASIC, ADVANCED_PLUS or QUALIFIED, total 0 or more")
	}
	c.st.Seats[in.Standard] = in.Total
	c.touch()
	return nil, nil
}

func controlResetPIN(c *control) (any, error) {
	u, err := c.userAsked(c.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	c.newPIN(u)
	return nil, nil
}

func controlAPIKey(c *control) (any, error) {
	u, err := c.userAsked(c.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	u.APIKey = c.secret()
	c.touch()
	return map[string]string{"api_key": u.APIKey}, nil
}

// controlValidation plays the person and the desk: confirm-email and the steps of proofing.
func controlValidation(c *control) (any, error) {
	v := c.validation(c.r.PathValue("id"))
	if v == nil {
		return nil, notFound("validation")
	}
	var in struct {
		Attributes map[string]string `json:"attributes"`
		Reason     string            `json:"reason"`
	}
	if len(c.body) > 0 {
		if err := c.decode(&in); err != nil {
			return nil, err
		}
	}
	step := c.r.PathValue("step")
	if step == "confirm-email" {
		return nil, c.confirmEmail(v)
	}
	return nil, c.proof(v, step, in.Attributes, in.Reason)
}

// controlCredential changes a credential behind the client's back.
func controlCredential(c *control) (any, error) {
	cr := c.credential(c.r.PathValue("name"))
	if cr == nil {
		return nil, notFound("credential")
	}
	switch verb := c.r.PathValue("verb"); {
	case verb == "revoke" && (cr.Status == credActive || cr.Status == credSuspended):
		c.leaveActive(cr, credRevoked, "KEY_COMPROMISE")
	case verb == "suspend" && cr.Status == credActive:
		c.leaveActive(cr, credSuspended, reasonHold)
	case verb == "resume" && cr.Status == credSuspended:
		cr.Status, cr.Reason, cr.RevokedAt = credActive, "", time.Time{}
		c.noteCredential(LedgerCredentialResumed, cr)
	case verb == "issue" && cr.Status == credPending:
		cr.IssueAt = c.now()
		return nil, c.activate(cr)
	default:
		return nil, invalid("credential is " + cr.Status + "; " + verb + " is not possible")
	}
	c.touch()
	return nil, nil
}
