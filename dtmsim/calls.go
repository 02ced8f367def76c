package dtmsim

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Call is one request as it came in, for tests to read. It holds no body and no secret.
type Call struct {
	Number  int       `json:"number"` // from 1, never given twice
	At      time.Time `json:"at"`
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Query   string    `json:"query,omitempty"`
	Status  int       `json:"status"` // 0: the connection was dropped
	Took    Duration  `json:"took"`
	Auth    string    `json:"auth,omitempty"` // "bearer", "api_key", "basic", both: "bearer+api_key"
	User    string    `json:"user,omitempty"` // id of the user whose token it carried
	Agent   string    `json:"agent,omitempty"`
	Trouble string    `json:"trouble,omitempty"` // the name of the fault it met
	Fault   string    `json:"fault,omitempty"`   // and its id; "hostile" for what was drawn
}

// troubled is where a call notes the fault it met.
type troubled struct{ name, id string }

func noteTrouble(ctx context.Context, f *Fault) {
	if t, ok := ctx.Value(troubled{}).(*troubled); ok {
		t.name, t.id = f.Name, f.ID
	}
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
		met := &troubled{}
		s.mu.Lock()
		s.callCount++
		c := Call{Number: s.callCount, At: s.now(), Method: r.Method, Path: r.URL.Path, Query: withoutTokens(r.URL), Auth: authKind(r), User: s.tokenUser(r), Agent: r.UserAgent()}
		s.mu.Unlock()
		r = r.WithContext(context.WithValue(r.Context(), troubled{}, met))
		defer func() {
			c.Status, c.Took, c.Trouble, c.Fault = sw.status, Duration(time.Since(began)), met.name, met.id
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.calls) >= keepCalls {
				s.calls = slices.Delete(s.calls, 0, keepCalls/10)
			}
			at := len(s.calls)
			for at > 0 && s.calls[at-1].Number > c.Number { // a call that came later was over sooner
				at--
			}
			s.calls = slices.Insert(s.calls, at, c)
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

// Unwrap lets a fault drop or slow down the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

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
