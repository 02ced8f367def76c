package dtmsim

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault scripts trouble: the next N calls that match get this answer.
// With After the call takes effect first and only its answer is lost or changed.
type Fault struct {
	Method      string            `json:"method,omitempty"` // empty: any
	Path        string            `json:"path"`             // end of the path, "*" stands for one segment: "signatures/signHash", "validation/*/approve"
	N           int               `json:"n,omitempty"`      // how many calls; 0 counts as 1
	After       bool              `json:"after,omitempty"`
	Delay       Duration          `json:"delay,omitempty"`    // before the answer
	Drop        bool              `json:"drop,omitempty"`     // close the connection without an answer
	Garbage     bool              `json:"garbage,omitempty"`  // 200 with a body that is no JSON
	Truncate    bool              `json:"truncate,omitempty"` // half of the real answer, then the connection closes; needs After
	Status      int               `json:"status,omitempty"`
	ContentType string            `json:"content_type,omitempty"`
	Header      map[string]string `json:"header,omitempty"`
	Body        string            `json:"body,omitempty"`

	Hits int `json:"hits"` // how often it was used
}

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

func (f *Fault) matches(r *http.Request) bool {
	if f.N <= 0 || (f.Method != "" && f.Method != r.Method) {
		return false
	}
	want := strings.Split(strings.Trim(f.Path, "/"), "/")
	have := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
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

// Fault adds a fault to the script.
func (s *Sim) Fault(f Fault) error {
	if strings.Trim(f.Path, "/") == "" {
		return fmt.Errorf("a fault needs a path")
	}
	if f.Truncate && !f.After {
		return fmt.Errorf("truncate needs after: there must be an answer to cut")
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return fmt.Errorf("status %d cannot be sent", f.Status)
	}
	if f.N == 0 {
		f.N = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

// ClearFaults empties the script.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault finds the first fault that matches and spends one use of it. Control routes are never troubled.
func (s *Sim) takeFault(r *http.Request) *Fault {
	if strings.HasPrefix(r.URL.Path, "/sim/") {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.matches(r) {
			f.N--
			f.Hits++
			copied := *f
			return &copied
		}
	}
	return nil
}

func (s *Sim) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.takeFault(r)
		if f == nil {
			next.ServeHTTP(w, r)
			return
		}
		var real *answer
		if f.After {
			real = &answer{header: http.Header{}, status: http.StatusOK}
			next.ServeHTTP(real, r.WithContext(context.WithoutCancel(r.Context())))
		}
		if f.Delay > 0 {
			t := time.NewTimer(time.Duration(f.Delay))
			defer t.Stop()
			select {
			case <-t.C:
			case <-r.Context().Done():
				return
			}
		}
		switch {
		case f.Drop:
			dropConnection(w)
		case f.Truncate:
			w.Header().Set("Content-Type", real.header.Get("Content-Type"))
			w.Header().Set("Content-Length", strconv.Itoa(real.body.Len()))
			w.WriteHeader(real.status)
			_, _ = w.Write(real.body.Bytes()[:real.body.Len()/2])
			panic(http.ErrAbortHandler)
		case f.Garbage:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{\"SAD\": \x00\xff not JSON <html>")
		case f.Status == 0 && f.Body == "" && real != nil:
			real.copyTo(w)
		case f.Status == 0 && f.Body == "":
			next.ServeHTTP(w, r) // only late
		default:
			f.scripted(w)
		}
	})
}

func (f *Fault) scripted(w http.ResponseWriter) {
	ct := f.ContentType
	if ct == "" {
		ct = "application/json"
	}
	w.Header().Set("Content-Type", ct)
	for k, v := range f.Header {
		w.Header().Set(k, v)
	}
	if f.Status == 0 {
		f.Status = http.StatusOK
	}
	w.WriteHeader(f.Status)
	if f.Status != http.StatusNoContent {
		_, _ = io.WriteString(w, f.Body)
	}
}

// dropConnection resets the connection, so that the client sees it break rather than end.
func dropConnection(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // only decides how it breaks
	}
	conn.Close()
}

// answer holds a reply back.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (a *answer) copyTo(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = slices.Clone(v)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes())
}

// Call is one request as it came in, for tests to read. It holds no body and no secret.
type Call struct {
	At     time.Time `json:"at"`
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query,omitempty"`
	Status int       `json:"status"` // 0: the connection was dropped
	Took   Duration  `json:"took"`
	Auth   string    `json:"auth,omitempty"` // "bearer", "api_key", "basic", both: "bearer+api_key"
	User   string    `json:"user,omitempty"` // id of the user whose token it carried
	Agent  string    `json:"agent,omitempty"`
}

const keepCalls = 5000

// Calls is a copy of the log of API calls, oldest first. Pages and control routes are not in it.
func (s *Sim) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func isAPI(path string) bool {
	for _, p := range []string{"/documentmanager/", "/account/", "/tsa", "/ocsp", "/crl/", "/pki/"} {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

func (s *Sim) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isAPI(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		sw := &statusWriter{ResponseWriter: w}
		defer func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.calls) >= keepCalls {
				s.calls = slices.Delete(s.calls, 0, keepCalls/10)
			}
			s.calls = append(s.calls, Call{At: s.now(), Method: r.Method, Path: r.URL.Path, Query: withoutTokens(r.URL), Status: sw.status,
				Took: Duration(time.Since(began)), Auth: authKind(r), User: s.tokenUser(r), Agent: r.UserAgent()})
		}()
		next.ServeHTTP(sw, r)
	})
}

// tokenUser is whose access token a request carries, also when it is worth nothing any more.
func (s *Sim) tokenUser(r *http.Request) string {
	t := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	if t == nil || t.refresh {
		return ""
	}
	return t.user
}

func authKind(r *http.Request) string {
	var kinds []string
	if scheme, _, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		kinds = append(kinds, strings.ToLower(scheme))
	}
	if r.Header.Get("x-api-key") != "" {
		kinds = append(kinds, "api_key")
	}
	if certified(r) {
		kinds = append(kinds, "mtls")
	}
	return strings.Join(kinds, "+")
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Hijack lets a fault drop the connection.
func (w *statusWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h, ok := w.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, http.ErrNotSupported
	}
	return h.Hijack()
}

// window counts the calls of one key.
type window struct {
	from time.Time
	n    int
}

// limited answers 429 above the rate limit (per API key or token).
func (s *Sim) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := cmpOr(r.Header.Get("x-api-key"), r.Header.Get("Authorization"))
		if s.opt.RateLimit <= 0 || key == "" || !isAPI(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		s.mu.Lock()
		now := s.clock()
		win := s.limits[key]
		if win == nil || now.Sub(win.from) >= rateWindow || now.Before(win.from) {
			if len(s.limits) > keepTokens {
				clear(s.limits)
			}
			win = &window{from: now}
			s.limits[key] = win
		}
		win.n++
		over, wait := win.n > s.opt.RateLimit, win.from.Add(rateWindow).Sub(now)
		s.mu.Unlock()
		if !over {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		if strings.HasPrefix(r.URL.Path, "/documentmanager/csc/") {
			writeJSON(w, http.StatusTooManyRequests, map[string]string{"error": "temporarily_unavailable", "error_description": "Too many requests"})
			return
		}
		s.writeAPIError(w, &apiError{status: http.StatusTooManyRequests, code: "rate_limit_exceeded", message: "Too many requests"})
	})
}
