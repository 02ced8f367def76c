package dtmsim

import (
	"html/template"
	"net/http"
)

func parsePages() (*template.Template, error) { return template.New(""), nil }

func (s *Sim) routePages(mux *http.ServeMux) {}
