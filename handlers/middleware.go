package handlers

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"countersign/auth"
	"countersign/people"
)

type contextKey int

const recordKey contextKey = iota

// record is what one request's log line tells; handlers add to it as it goes.
type record struct {
	reference string
	address   string
	person    people.ID
	route     string // pattern of the table
	status    int
	bytes     int64
	finished  bool // the handler returned, and did not panic
}

func recordOf(r *http.Request) *record {
	if rec, ok := r.Context().Value(recordKey).(*record); ok {
		return rec
	}
	return &record{reference: "none"}
}

func referenceOf(r *http.Request) string { return recordOf(r).reference }

// reference is short enough to be said on the phone, without letters that look alike.
func newReference() string {
	const letters = "BCDFGHJKMPQRTVWXY"
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, since Go 1.24
	n := int(b[2])<<8 | int(b[3])
	return fmt.Sprintf("%c%c-%04d-%02d", letters[int(b[0])%len(letters)], letters[int(b[1])%len(letters)], n%10000, int(b[4])%100)
}

func (a *App) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // a sentinel that is panicked with, not wrapped
				panic(v)
			}
			// What it panicked with may hold anything of the request; the stack says where.
			a.log.Error("panic", slog.String("cause", kindOf(v)), slog.String("stack", string(debug.Stack())))
			http.Error(w, "Something went wrong here. Nothing more was done.", http.StatusInternalServerError)
		}()
		next.ServeHTTP(w, r)
	})
}

// kindOf is the type of what was panicked with, and what the runtime itself says.
func kindOf(v any) string {
	if e, ok := v.(runtime.Error); ok {
		return e.Error()
	}
	return fmt.Sprintf("%T", v)
}

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	rec *record
}

func (w *statusWriter) WriteHeader(status int) {
	if w.rec.status == 0 {
		w.rec.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.rec.status == 0 {
		w.rec.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.rec.bytes += int64(n)
	return n, err
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// record counts each request and writes one line at its end: route, path and ids, never a
// query, a form or a header, which may hold codes and tokens.
func (a *App) record(next http.Handler) http.Handler {
	known := a.patterns()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		rec := &record{reference: newReference(), address: a.clientAddress(r)}
		ctx := context.WithValue(r.Context(), recordKey, rec)
		r = r.WithContext(auth.WithClient(ctx, auth.Client{Address: rec.address, Request: rec.reference}))
		w.Header().Set("X-Request-Id", rec.reference)
		answer := &statusWriter{w, rec}
		if a.Meter != nil {
			a.Meter.Begin()
		}
		defer func() {
			rec.route = routeOf(r, known)
			a.ended(r, answer, time.Since(begin))
		}()
		next.ServeHTTP(answer, r)
		rec.finished = true
	})
}

// ended counts a request and writes its line, also when its handler panicked.
func (a *App) ended(r *http.Request, w *statusWriter, took time.Duration) {
	rec := w.rec
	switch {
	case rec.status != 0:
	case rec.finished:
		rec.status = http.StatusOK // net/http answers so when nothing was written
	default:
		rec.status = http.StatusInternalServerError
	}
	if a.Meter != nil {
		a.Meter.End(served(r, w, took))
	}
	if rec.route == "/static/" {
		return
	}
	if a.Tally != nil && rec.person == "" {
		switch rec.status {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusTooManyRequests:
			a.Tally.Refused("http " + strconv.Itoa(rec.status))
		}
	}
	a.log.InfoContext(r.Context(), "request",
		slog.String("request", rec.reference), slog.String("method", r.Method), slog.String("route", rec.route), slog.String("path", r.URL.Path),
		slog.Int("status", rec.status), slog.Int64("bytes", rec.bytes), slog.Duration("took", took),
		slog.String("person", string(rec.person)), slog.String("address", rec.address))
}

// clientAddress takes X-Forwarded-For only from proxies that are configured, from the right.
func (a *App) clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	slices.Reverse(hops)
	for _, hop := range hops {
		if !a.trusts(host) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		host = next.String()
	}
	return host
}

func (a *App) trusts(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, prefix := range a.Trusted {
		if p, err := netip.ParsePrefix(prefix); err == nil && p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// policy is what a page may load and do; forms may lead to us and to the login.
func (a *App) policy() string {
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:", "font-src 'self' data:",
		"connect-src 'self'", "worker-src 'self'", strings.TrimSpace("form-action 'self' " + a.Issuer), "base-uri 'none'", "object-src 'none'",
		"frame-ancestors 'none'",
	}, "; ")
}

func (a *App) secureHeaders(next http.Handler) http.Handler {
	policy := a.policy()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-store") // unless what is asked for says otherwise
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=()")
		if strings.HasPrefix(a.BaseURL, "https://") {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		if len(r.TransferEncoding) > 0 {
			// net/http does not tell whether a length was named besides. Then this has to be the
			// last request of its connection (RFC 9112, 6.1): what follows may be smuggled.
			h.Set("connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin refuses unsafe requests of other sites. The standard protection lets a
// request pass that carries neither Origin nor Sec-Fetch-Site, for tools; with a cookie
// of ours such a request is refused too.
func (a *App) sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(a.answer(func(http.ResponseWriter, *http.Request) error { return foreignForm }))
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		unsafe := r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
		if unsafe && r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" && len(r.Cookies()) > 0 {
			a.fail(w, r, foreignForm)
			return
		}
		next.ServeHTTP(w, r)
	})
	return protection.Handler(inner)
}

// guard lets those through whom the table names.
func (a *App) guard(route Route) http.Handler {
	inner := a.answer(func(w http.ResponseWriter, r *http.Request) error {
		person := personOf(r)
		if person != nil {
			recordOf(r).person = person.ID
		}
		a.pace(w, r)
		if !isPlain(r.URL.Path) {
			return notFound
		}
		plainQuery(r.URL)
		byItself := asksByItself(r)
		if route.Who != Anyone || byItself {
			if person == nil {
				if r.Method == http.MethodGet && !route.Passive && !byItself {
					return a.redirect(w, r, "/login?return_to="+queryEscape(backHere(r)), "")
				}
				return signInFirst
			}
			if need := roles[route.Who]; len(need) > 0 && !slices.ContainsFunc(need, person.Has) {
				return notYours
			}
		}
		if r.Method != http.MethodGet && route.Path != "/documents" && route.Path != "/verify" {
			r.Body = http.MaxBytesReader(w, r.Body, 64<<10) // forms are small
		}
		return route.handle(w, r)
	})
	active, passive := a.Auth.Middleware(true, inner), a.Auth.Middleware(false, inner)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route.Passive || asksByItself(r) {
			passive.ServeHTTP(w, r)
			return
		}
		active.ServeHTTP(w, r)
	})
}

// asksByItself tells a page that looks again by itself from a person who does something:
// the script says so in a header, a page without script in its address. Neither keeps a
// session, and whoever says so without need only shortens their own. Such a page is told
// that the session has ended, and not sent to sign in, which the provider might do unasked.
func asksByItself(r *http.Request) bool {
	return r.Method == http.MethodGet && (r.Header.Get("Countersign-Passive") != "" || r.URL.Query().Get("by") == "itself")
}

// backHere is the address to come back to after signing in.
func backHere(r *http.Request) string {
	q := r.URL.Query()
	if r.URL.Path == "/account/connected" && q.Has("state") { // its answer is for the session that has ended
		return "/account"
	}
	if !q.Has("by") {
		return r.URL.RequestURI()
	}
	u := *r.URL
	q.Del("by")
	u.RawQuery = q.Encode()
	return u.RequestURI()
}
