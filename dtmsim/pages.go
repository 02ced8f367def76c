package dtmsim

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed templates static
var files embed.FS

func parsePages() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{"linked": linked, "left": timesLeft, "met": timesMet, "took": func(d Duration) string { return time.Duration(d).Round(time.Millisecond).String() }}).ParseFS(files, "templates/*.html")
}

// frame is what every page has.
type frame struct {
	Title, Nav, Flash string
	Live              bool // looks again by itself
	Wide              bool
}

const pagePolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// routePages mounts the outside world: mailbox, phone, proofing desk, and the links in mails.
func (s *Sim) routePages(mux *http.ServeMux) {
	on := func(pattern string, f func(*visit)) { mux.Handle(pattern, s.guarded(s.visited(f))) }
	on("GET /{$}", showIndex)
	on("POST /clock", moveClock)
	s.routeSwitchboard(on)
	on("GET /mailbox", showMailbox)
	on("GET /phone", showPhones)
	on("GET /phone/{user}", showPhone)
	on("POST /phone/{user}/push/{id}", answerPush)
	on("GET /desk", showDesk)
	on("GET /desk/{id}", showPapers)
	on("POST /desk/{id}", decidePapers)
	on("GET /confirm/{link}", confirmByLink)
	on("GET /proofing/{link}", showProofing)
	on("POST /proofing/{link}", submitPapers)
	on("POST /oauth2/ask/{id}", answerAsk)
	on("GET "+donePath, showDone)
	mux.Handle("GET /static/", http.FileServerFS(files))
}

// visit is one look at a page, under the lock; the answer is written after it.
type visit struct {
	*Sim
	r        *http.Request
	status   int
	name     string
	data     any
	location string
	policy   string // in place of pagePolicy
}

func (v *visit) show(name string, data any) { v.name, v.data = name, data }

func (v *visit) goTo(location string) { v.location = location }

func (v *visit) missing() {
	v.status, v.location = http.StatusNotFound, ""
	v.show("confirmed", struct {
		frame
		Words, Next string
	}{frame{Title: "Not here"}, "There is nothing at this address.", ""})
}

func (s *Sim) visited(f func(*visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		v := &visit{Sim: s, r: r, status: http.StatusOK}
		var page bytes.Buffer
		var err error
		s.mu.Lock()
		s.settle()
		f(v)
		if err = s.save(); err == nil && v.location == "" {
			err = s.pages.ExecuteTemplate(&page, v.name, v.data)
		}
		s.mu.Unlock()
		if err != nil {
			s.log.Error("dtmsim: page", "path", r.URL.Path, "err", err)
			http.Error(w, "the page could not be made", http.StatusInternalServerError)
			return
		}
		if v.location != "" {
			status := http.StatusSeeOther
			if v.status == http.StatusFound {
				status = v.status
			}
			http.Redirect(w, r, v.location, status)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", cmpOr(v.policy, pagePolicy))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // no-referrer would make browsers post with Origin: null
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(v.status)
		_, _ = w.Write(page.Bytes())
	})
}

func showIndex(v *visit) {
	waiting := 0
	for _, val := range v.st.Validations {
		if val.Status == valIdentity {
			waiting++
		}
	}
	v.show("index", struct {
		frame
		Base                   string
		Mails, People, Waiting int
		Now                    time.Time
	}{frame{Title: "DTM Simulator", Nav: "index"}, v.opt.BaseURL, len(v.st.Mail), len(v.st.Users), waiting, v.now()})
}

func moveClock(v *visit) {
	if d, err := time.ParseDuration(v.r.PostFormValue("advance")); err == nil && d > 0 {
		v.unlocked(func() { v.Advance(d) })
	}
	v.goTo("/")
}

const mailsShown = 60

func showMailbox(v *visit) {
	to := v.r.URL.Query().Get("to")
	var addresses []string
	for _, m := range v.st.Mail {
		if a := strings.ToLower(m.To); !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	slices.Sort(addresses)
	mail := v.mailTo(to)
	v.show("mailbox", struct {
		frame
		To        string
		Addresses []string
		Mail      []Mail
	}{frame{Title: "Mailbox", Nav: "mailbox", Live: true}, strings.ToLower(to), addresses, mail[:min(len(mail), mailsShown)]})
}

type piece struct{ Text, URL string }

var urlPattern = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;:!?)]`)

// linked cuts a text at its addresses, so that they can be clicked.
func linked(text string) []piece {
	var out []piece
	at := 0
	for _, m := range urlPattern.FindAllStringIndex(text, -1) {
		out = append(out, piece{Text: text[at:m[0]]}, piece{text[m[0]:m[1]], text[m[0]:m[1]]})
		at = m[1]
	}
	return append(out, piece{Text: text[at:]})
}
