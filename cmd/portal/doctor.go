package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// doctorWait bounds each check.
const doctorWait = 10 * time.Second

// level of a finding.
type level int

const (
	ok level = iota
	warn
	bad
)

func (l level) String() string { return [...]string{"ok", "warn", "fail"}[l] }

// finding is what one check has to say: its worst level and its sentences.
type finding struct {
	level     level
	sentences []string
}

func (f *finding) say(l level, format string, args ...any) {
	f.level = max(f.level, l)
	f.sentences = append(f.sentences, fmt.Sprintf(format, args...))
}

// check is one part that the site stands on, and the variables without which there is
// nothing to look at.
type check struct {
	name  string
	needs []string
	look  func(d *doctor, ctx context.Context, f *finding)
}

var checks = []check{
	{"go", nil, (*doctor).toolchain},
	{"address", []string{"BASE_URL"}, (*doctor).address},
	{"database", []string{"DATABASE_URL"}, (*doctor).database},
	{"documents", []string{"BLOB_DIR", "MASTER_KEY"}, (*doctor).documents},
	{"trust roots", []string{"TRUST_ROOTS"}, (*doctor).roots},
	{"sign-in", []string{"OIDC_ISSUER", "OIDC_SCOPES"}, (*doctor).provider},
	{"dtm", []string{"DTM_URL", "DTM_REGION", "DTM_CLIENT_CERT", "DTM_TLS_ROOTS"}, (*doctor).service},
	{"dtm api key", []string{"DTM_URL", "DTM_REGION", "DTM_API_AUTH", "DTM_API_KEY", "DTM_CLIENT_CERT", "DTM_TLS_ROOTS"}, (*doctor).apiKey},
	{"dtm client", []string{"DTM_URL", "DTM_REGION", "DTM_CSC_AUTH", "DTM_CLIENT_ID", "DTM_CLIENT_SECRET", "DTM_REFRESH_TOKEN", "DTM_LOGIN_USER", "DTM_LOGIN_PASSWORD", "DTM_CLIENT_CERT", "DTM_TLS_ROOTS"}, (*doctor).client},
	{"mail", []string{"SMTP_URL", "MAILBOX_URL", "MAIL_FROM"}, (*doctor).mail},
	{"clock", []string{"OIDC_ISSUER", "DTM_URL"}, (*doctor).clock},
}

// doctor tries out what the configuration says. It leaves nothing behind.
type doctor struct {
	c    config
	now  func() time.Time
	http *http.Client
}

// examine is the command: one line for each check, and 1 when one failed.
func examine(ctx context.Context, out io.Writer) int {
	environ := environment()
	c, err := readConfig(environ)
	var wrong problems
	_ = errors.As(err, &wrong) // readConfig answers nothing else
	d := &doctor{c: c, now: time.Now, http: &http.Client{
		Timeout:       doctorWait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	code := 0
	tell := func(name string, f finding) {
		if f.level == bad {
			code = 1
		}
		fmt.Fprintf(out, "%-4s  %s: %s\n", f.level, name, d.scrub(strings.Join(f.sentences, " ")))
	}
	for _, p := range wrong {
		tell("configuration", finding{bad, []string{p.variable + ": " + p.sentence}})
	}
	if len(wrong) == 0 {
		tell("configuration", finding{ok, []string{"all variables hold. See them with: portal config"}})
	}
	for _, name := range unknown(environ) {
		tell("configuration", finding{warn, []string{name + " is set, but there is no such variable. Correct its name, or take it away."}})
	}
	for i, f := range d.lookAll(ctx, wrong) {
		tell(checks[i].name, f)
	}
	return code
}

// lookAll runs the checks together; the findings are in their order.
func (d *doctor) lookAll(ctx context.Context, wrong problems) []finding {
	found := make([]finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { found[i] = d.look(ctx, c, wrong) })
	}
	all.Wait()
	return found
}

// look runs one check, and leaves it alone when it does not end.
func (d *doctor) look(ctx context.Context, c check, wrong problems) finding {
	for _, name := range c.needs {
		if wrong.has(name, name+"_FILE") {
			return finding{warn, []string{"not looked at, since " + name + " does not hold."}}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	done := make(chan finding, 1)
	go func() {
		var f finding
		c.look(d, ctx, &f)
		done <- f
	}()
	select {
	case f := <-done:
		return f
	case <-ctx.Done():
		select {
		case f := <-done: // it may end with its context
			return f
		case <-time.After(time.Second):
			return finding{bad, []string{fmt.Sprintf("no answer within %s.", doctorWait)}}
		}
	}
}

// scrub keeps a line a line, and is the last hand that a secret would have to pass.
func (d *doctor) scrub(text string) string {
	for _, word := range d.c.hidden() {
		if word = strings.TrimSpace(word); len(word) > 3 {
			text = strings.ReplaceAll(text, word, redacted)
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// cause is an error as part of a sentence, without a full stop of its own.
func cause(err error) string {
	const most = 300
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) || os.IsTimeout(err) {
		text = "no answer in time"
	}
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.TrimRight(cmp.Or(text, "unknown"), ". \n")
}
