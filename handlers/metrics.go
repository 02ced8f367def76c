package handlers

import (
	"net/http"
	"strings"
	"time"
)

// Meter counts requests; cmd/portal has one.
type Meter interface {
	Begin()
	End(s Served)
}

// Served is one answered request, without anything that tells who asked for what.
type Served struct {
	Route  string // pattern of the table, never the path; "other" outside of it
	Method string // "other" when it is none of HTTP's own
	Status int
	Stream bool // an event stream, which is open for as long as somebody looks
	Took   time.Duration
}

// patterns are the routes that may be counted. A ServeMux gives out a path as the pattern
// of some redirects (CONNECT to a folder); ours has a handler for everything and makes none
// of those, but what a visitor makes up must never become a label, whoever changes that.
func (a *App) patterns() map[string]bool {
	known := map[string]bool{"/static/": true, "/gallery": true, "/gallery/": true}
	for _, route := range a.Routes() {
		known[route.Path] = true
	}
	return known
}

const otherRoute = "other"

// routeOf is the pattern that the mux found for a request it has served.
func routeOf(r *http.Request, known map[string]bool) string {
	_, path, _ := strings.Cut(r.Pattern, " ")
	if !known[path] {
		return otherRoute
	}
	return path
}

func served(r *http.Request, w *statusWriter, took time.Duration) Served {
	s := Served{Route: w.rec.route, Method: r.Method, Status: w.rec.status, Took: took,
		Stream: strings.HasPrefix(w.Header().Get("Content-Type"), "text/event-stream")}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		s.Method = "other"
	}
	return s
}
