// Package gallery shows every page in every state, with made-up data.
//
// It is for looking: at a change of the look, at a state that is hard to reach, at a
// translation. Nothing in it is real and nothing it shows can be changed from it. A test
// asserts that every page and every state of the domain appears here.
package gallery

import (
	"context"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"countersign/web/templates"
)

// Prefix is where Handler expects to be mounted.
const Prefix = "/gallery"

// Entry is one page in one state.
type Entry struct {
	Name string // what it shows: "Home: new here"
	Path string // under Prefix, e.g. "/gallery/home-new"
	View any    // what fills it in: a test reads the states it shows out of it
	page templ.Component
}

// Render writes the page.
func (e Entry) Render(ctx context.Context, w io.Writer) error { return e.page.Render(ctx, w) }

func entry[V any](slug, name string, page func(V) templ.Component, view V) Entry {
	return Entry{Name: name, Path: Prefix + "/" + slug, View: view, page: page(view)}
}

// Pages lists everything there is to see.
func Pages() []Entry {
	var all []Entry
	for _, part := range [][]Entry{homes(), checks(), documents(), signings(), checkings(), togethers(), reviews(), credentials(), persons(), audits(), verifies(), works(), others()} {
		all = append(all, part...)
	}
	return all
}

// Handler serves the list at Prefix and each page below it.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Prefix, index)
	mux.HandleFunc("GET "+Prefix+"/sample.pdf", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/pdf")
		http.ServeContent(w, r, "", now, strings.NewReader(samplePDF()))
	})
	for _, e := range Pages() {
		mux.HandleFunc("GET "+e.Path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			ctx := templates.WithLanguage(r.Context(), r.Header.Get("Accept-Language"))
			if err := e.Render(ctx, w); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return mux
}

// index is a bare list: it is not a page of the product.
func index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, "<!doctype html><html lang=en><meta charset=utf-8><title>Gallery</title><h1>Gallery</h1><ol>")
	for _, e := range Pages() {
		fmt.Fprintf(w, "<li><a href=%q>%s</a>", e.Path, html.EscapeString(e.Name))
	}
	fmt.Fprint(w, "</ol>")
}
