package handlers

import (
	"fmt"
	"io"
	"net/http"

	"countersign/web/templates"
)

func (a *App) showText(name string) func(http.ResponseWriter, *http.Request) error {
	titles := map[string]string{"help": "Help", "accessibility": "Accessibility", "privacy": "Privacy"}
	return func(w http.ResponseWriter, r *http.Request) error {
		return a.page(w, r, http.StatusOK, templates.TextPage(templates.Text{Page: a.pageFor(r, titles[name], ""), Name: name}))
	}
}

// brandSheet is the two values an installation sets; the rest of the look is ours.
func (a *App) brandSheet(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, err := fmt.Fprintf(w, ":root{--brand-hue:%g;--brand-chroma:%g}\n", a.Hue, a.Chroma)
	return err
}

// icon is the mark cut from the brand's name.
func (a *App) icon(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, err := io.WriteString(w, templates.Icon(a.Brand.Name))
	return err
}
